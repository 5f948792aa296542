#!/usr/bin/env bash
# Builds the Debian package from a finished binary: `build.sh BINARY OUT [VERSION]` writes OUT/adjourn_VERSION_ARCH.deb and prints its
# path. Needs dpkg-dev and binutils. The same binary and the same commit make the same bytes. It compiles nothing, and installs nothing.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: build.sh BINARY OUT [VERSION]" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
version=${3:-$(dpkg-parsechangelog --file "$here/changelog" --show-field Version)}
architecture=$(dpkg --print-architecture)
# Every time in the package: the commit's, or else that of the newest entry in the changelog.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null ||
    dpkg-parsechangelog --file "$here/changelog" --show-field Timestamp)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

check_binary() {
    local upstream=${version%-*} built
    built=$("$binary" --version | cut -d' ' -f2)
    [ "$built" = "$upstream" ] || { echo "build.sh: the binary is $built, the package is $version" >&2; exit 1; }
}

# FILE MODE PATH-IN-PACKAGE
put() { install -D -m "$2" "$1" "$tree/$3"; }

put_program() {
    put "$binary" 0755 usr/bin/adjourn
    strip --strip-unneeded "$tree/usr/bin/adjourn"
    sed -e '/^# systemd unit: copy to/d' -e 's|/usr/local/bin/|/usr/bin/|' "$root/deploy/adjourn.service" >"$work/unit"
    put "$work/unit" 0644 usr/lib/systemd/system/adjourn.service
    put "$here/adjourn.sysusers" 0644 usr/lib/sysusers.d/adjourn.conf
    put "$here/adjourn.toml" 0644 etc/adjourn/adjourn.toml
}

# Manual pages and completions, which the binary prints.
put_pages() {
    local shell
    mkdir -p "$work/man"
    "$binary" man --out "$work/man"
    for shell in bash zsh fish; do "$binary" completions "$shell" >"$work/$shell"; done
    put "$work/bash" 0644 usr/share/bash-completion/completions/adjourn
    put "$work/zsh" 0644 usr/share/zsh/vendor-completions/_adjourn
    put "$work/fish" 0644 usr/share/fish/vendor_completions.d/adjourn.fish
    for page in "$work"/man/*.1; do
        gzip -9n "$page"
        put "$page.gz" 0644 "usr/share/man/man1/$(basename "$page").gz"
    done
}

put_documents() {
    local doc=usr/share/doc/adjourn page
    # The licence's text, indented as the format of copyright demands.
    sed -e 's/^/ /' -e 's/^ $/ ./' "$root/LICENSE-MIT" >"$work/mit"
    sed -e "/^@MIT@$/{r $work/mit" -e 'd}' "$here/copyright" >"$work/copyright"
    put "$work/copyright" 0644 "$doc/copyright"
    gzip -9nc "$here/changelog" >"$work/changelog.gz"
    put "$work/changelog.gz" 0644 "$doc/changelog.Debian.gz"
    gzip -9nc "$root/CHANGELOG.md" >"$work/upstream.gz"
    put "$work/upstream.gz" 0644 "$doc/changelog.gz"
    for page in "$root"/docs/*.md; do put "$page" 0644 "$doc/docs/$(basename "$page")"; done
}

# The libraries that the binary needs, in the oldest versions that have its symbols.
libraries() {
    mkdir -p "$work/shlibs/debian"
    printf 'Source: adjourn\n\nPackage: adjourn\nArchitecture: any\nDescription: none\n' >"$work/shlibs/debian/control"
    (cd "$work/shlibs" && dpkg-shlibdeps -O -e"$tree/usr/bin/adjourn" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

put_control() {
    local libraries size script
    libraries=$(libraries)
    [ -n "$libraries" ] || { echo "build.sh: dpkg-shlibdeps found no libraries" >&2; exit 1; }
    size=$(du -k --apparent-size -s "$tree" | cut -f1)
    (cd "$tree" && find . -type f ! -path './etc/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) >"$work/md5sums"
    mkdir "$tree/DEBIAN"
    sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
        -e "s/@SHLIBS@/$libraries/" "$here/control.in" >"$tree/DEBIAN/control"
    install -m 0644 "$work/md5sums" "$tree/DEBIAN/md5sums"
    # dpkg asks before it replaces a changed file of this list.
    echo /etc/adjourn/adjourn.toml >"$tree/DEBIAN/conffiles"
    for script in postinst prerm postrm; do install -m 0755 "$here/$script" "$tree/DEBIAN/$script"; done
}

tree="$work/tree"
install -d -m 0755 "$tree"
check_binary
put_program
put_pages
put_documents
put_control
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
package="$out/adjourn_${version}_$architecture.deb"
# One thread: the number of threads changes the compressed bytes.
dpkg-deb --root-owner-group --threads-max=1 -Zxz "-z${DPKG_DEB_COMPRESSOR_LEVEL:-6}" --build "$tree" "$package" >/dev/null
echo "$package"
