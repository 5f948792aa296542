#!/usr/bin/env bash
# Builds the OCI image twice, checks its layout, and runs it by podman as docs/install.md says, read-only and without capabilities, in front
# of a simulated Exchange from the same image: `image.sh BINARY`. Needs root. The containers share no port with the machine.
set -euo pipefail
binary=$(realpath "${1:?usage: image.sh BINARY}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
room=room-aurora@example.com

# A container needs namespaces of its own. Exit code 77: the test did not run.
if [ "$(id -u)" != 0 ] || ! unshare --mount --pid --net --fork true 2>/dev/null; then
    echo "image: NOT RUN: this machine allows no containers (root and namespaces are needed)" >&2
    exit 77
fi

tools=()
for tool in podman runc skopeo curl jq; do command -v "$tool" >/dev/null || tools+=("$tool"); done
# build.py downloads packages too.
apt-get update -qq
if [ ${#tools[@]} -gt 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${tools[@]}" >/dev/null
fi

work=$(mktemp -d)
# A store of its own, and no systemd: the machine's containers are not touched. runc runs on every version of cgroups.
engine() {
    podman --root "$work/store" --runroot "$work/run" --storage-driver vfs --cgroup-manager cgroupfs --runtime runc \
        --events-backend none "$@"
}
# The limits that this machine allows to raise to.
limits=(--ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=4096:4096)
hardened=(--read-only --cap-drop=all --security-opt=no-new-privileges "${limits[@]}")
stop() {
    engine kill --all --signal KILL >/dev/null 2>&1 || true # the simulator as process 1 ignores SIGTERM
    engine rm --force --all >/dev/null 2>&1 || true
    engine volume rm --all --force >/dev/null 2>&1 || true
    umount "$work/store/vfs" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap stop EXIT

say() { echo "image: [${SECONDS}s] $*"; }
fail() { echo "image: FAILED: $*" >&2; engine logs adjourn 2>&1 | tail -20 >&2 || true; exit 1; }

build() {
    say "the image, twice the same bytes"
    image=$("$root/deploy/image/build.py" "$binary" "$work/first")
    cmp "$image" "$("$root/deploy/image/build.py" "$binary" "$work/again")"
    ls -l "$image" | awk '{printf "image: %.1f MB compressed\n", $5 / 1e6}'
}

check_layout() {
    say "the layout, by skopeo"
    # A copy verifies the digests and sizes of all blobs.
    skopeo copy --quiet --insecure-policy "oci-archive:$image" "dir:$work/copy"
    skopeo inspect --config --raw "oci-archive:$image" >"$work/config"
    jq -e '.config.User == "10001:10001" and .config.Entrypoint == ["adjourn"] and .os == "linux"' "$work/config" >/dev/null ||
        fail "the image's configuration"
    for label in created description licenses revision source title url version; do
        jq -e  --arg name "org.opencontainers.image.$label" '.config.Labels[$name] | length > 0' "$work/config" >/dev/null ||
            fail "the image has no label $label"
    done
    layer=$(jq -r '.layers[0].digest | ltrimstr("sha256:")' "$work/copy/manifest.json")
    tar -xzOf "$work/copy/$layer" etc/os-release | grep -qx ID=debian || fail "the image has no os-release of Debian"
    jq -r '.config.Labels["adjourn.debian-packages"]' "$work/config" | sed 's/^/image: of Debian: /'
}

configure() {
    mkdir -p "$work/etc"
    cat >"$work/etc/adjourn.toml" <<TOML
scope.rooms = ["$room", "room-ember@example.com"]
[server]
url = "http://127.0.0.1:8443/EWS/Exchange.asmx"
auth = "basic"
username = "svc-adjourn@example.com"
password = { file = "/etc/adjourn/password" }
[api]
listen = "127.0.0.1:8480"
TOML
    echo simulated >"$work/etc/password"
    chmod 0755 "$work" "$work/etc"
    chmod 0440 "$work/etc/password"
    chown root:10001 "$work/etc/password"
}

start() {
    say "the service, read-only and without capabilities"
    engine load --quiet --input "$image" >/dev/null
    name=localhost/adjourn:$("$binary" --version | cut -d' ' -f2)
    engine run --detach --quiet --name exchange --network none "${hardened[@]}" "$name" sim --port 8443 >/dev/null
    engine run --detach --quiet --name adjourn --network container:exchange "${hardened[@]}" \
        --volume adjourn-state:/var/lib/adjourn --volume "$work/etc:/etc/adjourn:ro" "$name" >/dev/null
    process=$(engine inspect adjourn --format '{{.State.Pid}}')
    for _ in $(seq 100); do
        engine exec adjourn adjourn health >/dev/null 2>&1 && return
        sleep 0.2
    done
    engine exec adjourn adjourn health || true
    fail "the service is not ready"
}

check_process() {
    grep -qP '^Uid:\t10001\t10001\t10001\t10001$' "/proc/$process/status" || fail "the process is not the user 10001"
    grep -qP '^CapEff:\t0+$' "/proc/$process/status" || fail "the process has capabilities"
    grep -qP '^NoNewPrivs:\t1$' "/proc/$process/status" || fail "the process may get privileges"
    awk '$2 == "/"' "/proc/$process/mounts" | grep -qE ' (ro|[^ ]*,ro)(,| )' || fail "the root is writable"
    if engine exec adjourn sh -c true >/dev/null 2>&1; then fail "the image has a shell"; fi
    check_health
}

# The command that the image names for Docker.
check_health() {
    local health
    mapfile -t health < <(jq -r '.config.Healthcheck.Test[1:][]' "$work/config")
    [ "$(engine exec adjourn "${health[@]}")" = ok ] || fail "the health check: ${health[*]}"
}

# curl of the machine, in the containers' network.
request() { nsenter --target "$process" --net curl -sS --max-time 20 -H "Authorization: Bearer $key" "$@"; }
# A running service reads a new key within a second.
until_known() { for _ in $(seq 30); do request --fail http://127.0.0.1:8480/v1/me >/dev/null 2>&1 && return; sleep 0.1; done; }

act() {
    say "doctor, one action over HTTP, and a restart"
    engine exec adjourn adjourn doctor >"$work/doctor" || { cat "$work/doctor"; fail "doctor"; }
    key=$(engine exec adjourn adjourn key add tester --rights all 2>/dev/null | sed -n '/^adj_/p')
    until_known
    request -X POST "http://127.0.0.1:8480/v1/rooms/$room/end" >"$work/ended"
    [ "$(jq -r .state "$work/ended")" = done ] || { cat "$work/ended"; fail "the meeting did not end"; }
    engine stop --time 30 adjourn >/dev/null
    [ "$(engine inspect adjourn --format '{{.State.ExitCode}}')" = 0 ] || fail "the service did not end by itself"
    engine start adjourn >/dev/null
    engine exec adjourn adjourn audit --json | grep -q "$(jq -r .id "$work/ended")" || fail "the journal lost the action"
}

build
check_layout
configure
start
check_process
act
say "passed in ${SECONDS} s"
