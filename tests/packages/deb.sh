#!/usr/bin/env bash
# Installs the Debian package in a fresh Debian that systemd boots, follows README's steps to a verified service in front of a simulated
# Exchange, upgrades, removes and purges it: `deb.sh BINARY`. Needs root, and Debian's mirror. The container shares no network, no file
# and no process with the machine, and nothing of it stays.
set -euo pipefail
binary=$(realpath "${1:?usage: deb.sh BINARY}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=bookworm
room=room-aurora@example.com

# A container needs namespaces of its own. Exit code 77: the test did not run.
if [ "$(id -u)" != 0 ] || ! unshare --mount --pid --net --fork true 2>/dev/null; then
    echo "deb: NOT RUN: this machine allows no containers (root and namespaces are needed)" >&2
    exit 77
fi

tools=()
command -v mmdebstrap >/dev/null || tools+=(mmdebstrap)
command -v systemd-nspawn >/dev/null || tools+=(systemd-container)
command -v dpkg-shlibdeps >/dev/null || tools+=(dpkg-dev)
command -v curl >/dev/null || tools+=(curl)
command -v jq >/dev/null || tools+=(jq)
command -v pgrep >/dev/null || tools+=(procps)
if [ ${#tools[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${tools[@]}" >/dev/null
fi

# In memory, where there is enough: unpacking a Debian is all small files.
memory=/dev/shm
[ "$(df --output=avail -k "$memory" | tail -1)" -gt 2000000 ] || memory=${TMPDIR:-/tmp}
work=$(mktemp -d "$memory/adjourn-deb.XXXXXX")
debian="$work/debian"
container=""
leader=""
stop() {
    if [ -n "$container" ]; then
        kill "$container" 2>/dev/null || true # systemd-nspawn shuts the container down
        wait "$container" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$work"
}
trap stop EXIT

say() { echo "deb: [${SECONDS}s] $*"; }
fail() { echo "deb: FAILED: $*" >&2; exit 1; }
# For what concerns the machine alone: the package is not installed yet.
not_run() { tail -20 "$work/console" >&2; echo "deb: NOT RUN: $*" >&2; exit 77; }

# Runs a command line as root in the container. Its standard input is that of the caller.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid --root --wd \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
        bash -euo pipefail -c "cd /srv; $1"
}
# The service's own command line.
as_service() { inside "sudo -u adjourn adjourn --config /etc/adjourn/adjourn.toml --state-dir /var/lib/adjourn $1"; }
# curl of the machine, in the container's network.
request() { nsenter --target "$leader" --net curl -sS --max-time 20 -H "Authorization: Bearer $key" "$@"; }
# A running service reads a new key within a second.
until_known() { for _ in $(seq 30); do request --fail http://127.0.0.1:8480/v1/me >/dev/null 2>&1 && return; sleep 0.1; done; }
refuses() { if "$@" >"$work/refused" 2>&1; then return 1; fi; }

# The files and accounts of the container, without what every run of apt or systemd changes.
inventory() {
    (cd "$debian" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./srv \
        -o -path ./var/log -o -path ./var/cache -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/tmp \
        -o -path ./var/lib/systemd/random-seed -o -path ./var/lib/systemd/timers -o -path ./var/lib/private \
        -o -path ./root \) -prune -o -printf '%y %p\n' | grep -v -e '/etc/[a-z]*-$' -e '\.pwd\.lock$' | LC_ALL=C sort
    cut -d: -f1 "$debian/etc/passwd" "$debian/etc/group" "$debian/etc/shadow"
    (cd "$debian/var/lib/dpkg" && cat statoverride diversions 2>/dev/null || true; ls info | grep adjourn || true))
}

packages() { inside "dpkg-query -W -f '\${Package}\n'" | LC_ALL=C sort; }

# README's steps, without the comments.
steps() {
    awk '/^## From the Debian package/{on=1} on && /^```sh$/{block=1; next} block && /^```$/{exit} block' "$root/README.md" |
        sed 's/ *# .*//'
}

build_first() {
    export DPKG_DEB_COMPRESSOR_LEVEL=1 # fast: this package is for the test only
    first=$("$root/deploy/debian/build.sh" "$binary" "$work/first")
    dpkg-deb --info "$first" | sed -n 's/^ \(Depends\|Installed-Size\): /deb: \1: /p'
}

# Another build of the same version, and the next version, which has another sample of the configuration.
build_others() {
    say "the package once more, and the same bytes; the next version"
    cmp "$first" "$("$root/deploy/debian/build.sh" "$binary" "$work/again")"
    mkdir "$work/next-source"
    cp -a "$root/deploy" "$root/docs" "$root/CHANGELOG.md" "$root/LICENSE-MIT" "$work/next-source/"
    echo "# A line of the next version." >>"$work/next-source/deploy/debian/adjourn.toml"
    upstream=$("$binary" --version | cut -d' ' -f2)
    next=$("$work/next-source/deploy/debian/build.sh" "$binary" "$work/next" "$upstream-2")
}

bootstrap() {
    say "a Debian without this machine's files; what the package depends on is downloaded, and not installed"
    mmdebstrap --quiet --variant=apt --include=systemd,systemd-sysv,sudo --skip=cleanup/apt \
        --customize-hook="copy-in $first /srv" \
        --customize-hook="chroot \"\$1\" apt-get install -qq --download-only --no-install-recommends /srv/$(basename "$first") >/dev/null" \
        "$suite" "$debian" http://deb.debian.org/debian
    echo 'APT::Get::Assume-Yes "true"; APT::Sandbox::User "root"; APT::Install-Recommends "false";' \
        >"$debian/etc/apt/apt.conf.d/90unattended"
    echo adjourn >"$debian/etc/hostname"
    echo "127.0.0.1 localhost adjourn" >"$debian/etc/hosts"
}

# Both at the same time: one waits for the network, the other for the processor.
prepare() {
    say "the package"
    build_first
    bootstrap &
    local bootstrapping=$!
    build_others
    wait "$bootstrapping" || fail "mmdebstrap"
    cp "$next" "$debian/srv/"
}

boot() {
    systemd-nspawn --quiet --directory="$debian" --register=no --keep-unit --private-network --link-journal=no --boot \
        --console=read-only </dev/null >"$work/console" 2>&1 &
    container=$!
    for _ in $(seq 100); do
        leader=$(pgrep -P "$container" | head -1 || true)
        if [ -n "$leader" ] && inside "systemctl is-system-running --wait" >/dev/null 2>&1; then return; fi
        kill -0 "$container" 2>/dev/null || not_run "systemd-nspawn cannot boot a plain Debian here"
        sleep 0.2
    done
    inside "systemctl --no-pager --failed" || true
    not_run "systemd does not become ready in a plain Debian here"
}

# A simulated Exchange as a unit of its own, under the certificate of an authority that only this container trusts.
simulate() {
    inside "systemd-run --quiet --unit=exchange adjourn sim --port 8443 --tls --ca-out /usr/local/share/exchange.pem"
    inside "for _ in \$(seq 50); do [ -s /usr/local/share/exchange.pem ] && break; sleep 0.1; done
        chmod 0644 /usr/local/share/exchange.pem"
}

configuration() {
    cat <<TOML
scope.rooms = ["$room", "room-ember@example.com"]
[server]
url = "https://127.0.0.1:8443/EWS/Exchange.asmx"
ca_file = "/usr/local/share/exchange.pem"
auth = "basic"
username = "svc-adjourn@example.com"
password = { file = "/etc/adjourn/password" }
TOML
}

follow_readme() {
    [ "$(steps | wc -l)" -eq 5 ] || fail "README has no steps"
    local line
    while read -r line <&3; do
        say "README: $line"
        case $line in
        "sudoedit "*)
            before_configuration
            configuration | inside "cat >/etc/adjourn/adjourn.toml"
            ;;
        *)
            echo simulated | inside "$line" >"$work/step" 2>&1 && continue
            cat "$work/step"
            inside "journalctl --no-pager --unit adjourn | tail -20"
            fail "$line"
            ;;
        esac
    done 3< <(steps)
}

before_configuration() {
    inside "dpkg -s ca-certificates >/dev/null" || fail "ca-certificates are missing: the package does not depend on them"
    [ "$(inside "systemctl is-enabled adjourn || true")" = disabled ] || fail "a service without a configuration is enabled"
    refuses inside "systemctl is-active --quiet adjourn" || fail "a service without a configuration runs"
    # The sample's lines, without the signs that make them comments.
    inside "sed -nE 's/^# ([a-z_.]+ = .*|\[[a-z]+\])\$/\1/p' /etc/adjourn/adjourn.toml >/srv/sample.toml"
    inside "[ \$(wc -l </srv/sample.toml) -ge 9 ] && adjourn --config /srv/sample.toml config explain room1@example.com" >"$work/sample" 2>&1 ||
        { cat "$work/sample"; fail "the sample has a mistake"; }
    refuses as_service doctor || fail "the sample is a configuration"
    grep -q "set server.url in adjourn.toml" "$work/refused" || { cat "$work/refused"; fail "the refusal names no next step"; }
    refuses inside "systemctl start adjourn" || fail "the service starts with the sample"
    [ "$(inside "systemctl show -P NRestarts -P ExecMainStatus adjourn" | paste -sd' ')" = "0 2" ] || fail "systemd starts the sample anew"
    simulate
}

check_running() {
    say "the unit as systemd runs it"
    inside "systemd-analyze verify /usr/lib/systemd/system/adjourn.service"
    inside "systemd-analyze security --threshold=20 --no-pager adjourn.service | tail -1"
    [ "$(inside "systemctl show -P User -P SubState adjourn" | paste -sd' ')" = "adjourn running" ] || fail "not running as adjourn"
    [ "$(inside "stat -c '%U %a' /var/lib/adjourn")" = "adjourn 700" ] || fail "the state directory is open"
    [ "$(inside "stat -c '%U:%G %a' /etc/adjourn/password")" = "root:adjourn 640" ] || fail "the password's mode"
    inside "find /usr/share/man/man1 -name 'adjourn*.gz' | grep -q adjourn-end" || fail "no manual pages"
    inside "systemctl reload adjourn"
    inside "bash -n /usr/share/bash-completion/completions/adjourn"
}

act() {
    say "one action over HTTP, stored in the journal"
    key=$(as_service "key add tester --rights all" 2>/dev/null | sed -n '/^adj_/p')
    until_known
    request -X POST http://127.0.0.1:8480/v1/rooms/$room/end >"$work/ended"
    [ "$(jq -r .state "$work/ended")" = done ] || { cat "$work/ended"; fail "the meeting did not end"; }
    action=$(jq -r .id "$work/ended")
}

# The action is in the journal, and the running service knows its key.
check_state() {
    as_service "audit --json" | grep -q "$action" || fail "the journal lost the action"
    as_service "audit verify" >/dev/null
    as_service "health" >/dev/null
    [ "$(request http://127.0.0.1:8480/v1/actions/"$action" | jq -r .state)" = done ] || fail "the service lost the action or the key"
}

upgrade() {
    say "upgrade: an edited configuration, the state and the running service stay"
    local before edited
    before=$(inside "systemctl show -P MainPID adjourn")
    edited=$(inside "sha256sum </etc/adjourn/adjourn.toml")
    inside "apt-get install -qq -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold ./$(basename "$next") >/dev/null 2>&1"
    [ "$(inside "dpkg-query -W -f '\${Version}' adjourn")" = "$upstream-2" ] || fail "not upgraded"
    [ "$(inside "sha256sum </etc/adjourn/adjourn.toml")" = "$edited" ] || fail "the upgrade replaced the configuration"
    inside "grep -q 'next version' /etc/adjourn/adjourn.toml.dpkg-dist" || fail "the new sample is not beside the configuration"
    [ "$(inside "systemctl show -P MainPID adjourn")" != "$before" ] || fail "the old program runs on"
    [ "$(inside "systemctl is-enabled adjourn")" = enabled ] || fail "the upgrade disabled the service"
    check_state
}

remove_and_return() {
    say "remove, and install again: configuration, state and enablement stay"
    inside "apt-get remove -qq adjourn >/dev/null 2>&1"
    refuses inside "systemctl is-active --quiet adjourn" || fail "the service runs after the removal"
    refuses inside "test -e /usr/bin/adjourn" || fail "the program is there after the removal"
    inside "test -s /var/lib/adjourn/journal.sqlite -a -s /etc/adjourn/adjourn.toml" || fail "the removal took the state"
    inside "systemctl stop exchange || true"
    inside "apt-get install -qq ./$(basename "$next") >/dev/null 2>&1"
    [ "$(inside "systemctl is-enabled adjourn")" = enabled ] || fail "the service is no longer enabled"
    simulate
    inside "systemctl start adjourn"
    check_state
}

purge() {
    say "purge: no file, user or unit stays"
    inside "systemctl stop exchange"
    # The package, and those that came along with it.
    packages >"$work/packages-after"
    inside "rm /usr/local/share/exchange.pem"
    inside "apt-get purge -qq $(comm -13 "$work/packages-before" "$work/packages-after" | paste -sd' ') >/dev/null 2>&1"
    inventory >"$work/after"
    diff "$work/before" "$work/after" >"$work/left" || { head -30 "$work/left"; fail "the purge left files or accounts"; }
    refuses inside "systemctl cat adjourn" || fail "the unit is there after the purge"
}

prepare
boot
inventory >"$work/before"
packages >"$work/packages-before"
follow_readme
check_running
act
check_state
upgrade
remove_and_return
purge
say "passed in ${SECONDS} s"
