#!/usr/bin/env bash
# Builds the files of a release: the portable program, its archive, the SBOM and the checksums. CI and the release workflow run
# this script, and so does a person who reproduces a release. It publishes nothing, and writes only to --out and to target/.
#
# The same commit, target and Rust version give the same bytes in any directory: paths are mapped to fixed names, times are the
# commit's, and the tools are pinned (requirements.txt has their hashes, `cargo install --locked` the SBOM tool's).
set -euo pipefail
umask 022 # the modes in the archive do not depend on the caller's
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The oldest glibc that Rust's standard library supports. zig links against its symbols, whatever this machine has.
GLIBC=2.17
CYCLONEDX=0.5.9 # cargo-cyclonedx
FEATURES=postgres # besides the default ones
SPEC=1.5        # the version of CycloneDX
STEPS="tools binary inspect archive sbom checksums"

usage() {
    cat <<EOF
usage: deploy/release/build.sh [--out DIR] [--target TRIPLE] [STEP...]

  --out DIR        where the files go (default: target/artefacts)
  --target TRIPLE  a Linux target (default: $(uname -m)-unknown-linux-gnu); the glibc targets run on glibc $GLIBC and later

Steps (default: $STEPS):
  tools      installs zig and the other tools, pinned, below target/release-tools
  binary     builds the portable program with zig as C compiler and linker
  inspect    prints size, start time and glibc version; fails where the program is not portable or holds a path of this machine
  archive    makes adjourn-VERSION-TARGET.tar.gz
  sbom       makes adjourn-VERSION-TARGET.cdx.json and validates it
  checksums  makes SHA256SUMS of all archives and SBOMs in DIR

Alone:
  names      prints the names of the files, and builds nothing
  program    prints the path of the portable program, and builds nothing
  reproduce  builds the commit in two clones with different names, and fails where the checksums differ

Exit codes: 0 done, 1 a step failed, 2 wrong usage or something is missing on this machine.
EOF
}

say() { echo "release: $*" >&2; }
fail() { say "$1"; exit "${2:-1}"; }

# --- Names -------------------------------------------------------------------------------------------------------------

version() { sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1; }
stem() { echo "adjourn-$(version)-$target"; }
program() { echo "${CARGO_TARGET_DIR:-target}/$target/release/adjourn"; }
names() { printf '%s\n' "$(stem).tar.gz" "$(stem).cdx.json" SHA256SUMS; }

# The target as cargo-zigbuild takes it: with the version of glibc.
zig_target() { case $target in *-gnu) echo "$target.$GLIBC" ;; *) echo "$target" ;; esac; }

# --- Tools -------------------------------------------------------------------------------------------------------------

tools() {
    local wanted
    wanted=$(sha256sum deploy/release/requirements.txt | cut -c1-16)-$CYCLONEDX
    if [ "$(cat "$tools/installed" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$tools"
        python3 -m venv "$tools" || fail "python3 has no venv: apt-get install python3-venv" 2
        "$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
            -r deploy/release/requirements.txt
        # A tool of the build: a debug build of it is done sooner.
        CARGO_TARGET_DIR="$tools/build" cargo install --quiet --locked --debug --root "$tools" --version "=$CYCLONEDX" cargo-cyclonedx
        rm -rf "$tools/build"
        echo "$wanted" >"$tools/installed"
    fi
    say "$(rustc --version), zig $("$tools/bin/python" -m ziglang version), $("$tools/bin/cargo-zigbuild" --version)"
}

needs_tools() { [ -x "$tools/bin/cargo-zigbuild" ] || tools; }

# --- The program -------------------------------------------------------------------------------------------------------

binary() {
    needs_tools
    [ -d "$(rustc --print target-libdir --target "$target")" ] ||
        fail "Rust's standard library for $target is not installed: rustup target add $target" 2
    [ -z "$(git status --porcelain)" ] || say "the working tree has changes: the result cannot be reproduced from the commit"
    local home maps
    home=${CARGO_HOME:-$HOME/.cargo}
    maps="--remap-path-prefix=$PWD=/adjourn --remap-path-prefix=$home=/cargo --remap-path-prefix=$(rustc --print sysroot)=/rust"
    # CFLAGS are for the C sources of SQLite and ring.
    env PATH="$tools/bin:$PATH" CARGO_INCREMENTAL=0 RUSTFLAGS="$maps" \
        CFLAGS="-ffile-prefix-map=$PWD=/adjourn -ffile-prefix-map=$home=/cargo" \
        cargo-zigbuild zigbuild --locked --quiet --release --bin adjourn --features "$FEATURES" --target "$(zig_target)"
}

# Whether this machine can run the program.
runs_here() { [ "${target%%-*}" = "$(uname -m)" ]; }

# The median of 20 starts, in milliseconds.
start_time() {
    local begun
    for _ in $(seq 20); do
        begun=$(date +%s%N)
        "$(program)" --version >/dev/null
        echo $((($(date +%s%N) - begun) / 10000))
    done | sort -n | sed -n 10p | awk '{ printf "%.1f ms", $1 / 100 }'
}

# The newest version of glibc that a symbol of the program needs.
glibc_version() { readelf --version-info "$(program)" | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -Vu | tail -1; }

check_linking() {
    local newest dynamic
    dynamic=$(readelf --dynamic "$(program)") || fail "readelf cannot read the program: apt-get install binutils" 2
    case $target in
    *-musl)
        ! grep -q '(NEEDED)' <<<"$dynamic" || fail "the program for musl needs a shared library"
        say "symbols: static, no shared library"
        ;;
    *)
        newest=$(glibc_version)
        [ "$(printf '%s\n' "$newest" "$GLIBC" | sort -V | tail -1)" = "$GLIBC" ] || fail "a symbol needs glibc $newest, wanted $GLIBC"
        say "symbols: glibc $newest at most; libraries: $(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | xargs)"
        ;;
    esac
}

check_paths() {
    local path
    for path in "$PWD" "${CARGO_HOME:-$HOME/.cargo}" "$(rustc --print sysroot)"; do
        ! grep --quiet --text --fixed-strings "$path/" "$(program)" || fail "the program holds the path $path of this machine"
    done
}

inspect() {
    [ -x "$(program)" ] || fail "$(program) is missing: run the step binary" 2
    say "size: $(du --apparent-size --block-size=1K "$(program)" | cut -f1) KiB"
    check_linking
    check_paths
    if runs_here; then
        "$(program)" --version >&2
        say "start: $(start_time), the median of 20"
    else
        say "start: not measured, this machine is $(uname -m)"
    fi
}

# --- The archive -------------------------------------------------------------------------------------------------------

# Manual pages and completions are what the program itself prints; `$1` is a program that runs here, `$2` the folder.
add_generated_pages() {
    "$1" man --help >/dev/null 2>&1 || fail "$1 prints no manual pages"
    mkdir -p "$2/man" "$2/completions"
    "$1" man --out "$2/man" >&2
    "$1" completions bash >"$2/completions/adjourn.bash"
    "$1" completions zsh >"$2/completions/_adjourn"
    "$1" completions fish >"$2/completions/adjourn.fish"
}

# A program of this commit that runs here: the portable one, or the one in ADJOURN_HOST_BIN for another architecture.
host_program() {
    if runs_here; then program; else echo "${ADJOURN_HOST_BIN:?names a program of this commit for this machine}"; fi
}

archive() {
    local folder
    folder="$work/$(stem)"
    mkdir -p "$folder/docs"
    install -m 0755 "$(program)" "$folder/adjourn"
    install -m 0644 README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE deploy/adjourn.service "$folder"
    install -m 0644 docs/*.md "$folder/docs"
    add_generated_pages "$(host_program)" "$folder"
    # Every property of the files that could differ between two machines is fixed.
    tar --create --directory "$work" --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --mode=u+rw,go+r,go-w,a-s "$(stem)" | gzip --no-name --best >"$out/$(stem).tar.gz"
    say "archive: $out/$(stem).tar.gz, $(du --apparent-size --block-size=1K "$out/$(stem).tar.gz" | cut -f1) KiB"
}

# --- SBOM and checksums ------------------------------------------------------------------------------------------------

sbom() {
    needs_tools
    "$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version "$SPEC" --describe binaries --features "$FEATURES" --target "$target"
    # The directory of this machine would make the SBOM differ.
    sed "s#path+file://$PWD#path+file:///adjourn#g" "$written" >"$out/$(stem).cdx.json"
    "$tools/bin/python" deploy/release/check_sbom.py "$SPEC" "$out/$(stem).cdx.json" Cargo.lock >&2
}

checksums() {
    (cd "$out" && find . -maxdepth 1 \( -name '*.tar.gz' -o -name '*.cdx.json' -o -name '*.deb' -o -name '*-image-*.tar' \) -printf '%f\n' |
        LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
    cat "$out/SHA256SUMS"
}

# --- Reproducibility ---------------------------------------------------------------------------------------------------

# Builds HEAD in a clone with this name, and keeps the files in `$work/NAME.out`.
build_clone() {
    git clone --quiet --no-hardlinks . "$work/$1"
    env -u CARGO_TARGET_DIR ADJOURN_RELEASE_TOOLS="$tools" \
        "$work/$1/deploy/release/build.sh" --out "$work/$1.out" --target "$target" binary inspect archive sbom checksums
    rm -rf "${work:?}/$1"
}

reproduce() {
    needs_tools
    build_clone one
    build_clone another-name
    cmp "$work/one.out/SHA256SUMS" "$work/another-name.out/SHA256SUMS" || fail "two builds of one commit differ"
    cp "$work"/one.out/* "$out"
    say "reproducible: two clones of $(git rev-parse --short HEAD) gave the same checksums"
}

# --- Start -------------------------------------------------------------------------------------------------------------

out=target/artefacts
target="$(uname -m)-unknown-linux-gnu"
while [ $# -gt 0 ]; do
    case $1 in
    --out) out=${2:?--out takes a directory}; shift 2 ;;
    --target) target=${2:?--target takes a triple}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) break ;;
    esac
done
case $target in *-linux-gnu | *-linux-musl) ;; *) fail "$target is not a Linux target that this script builds" 2 ;; esac
steps=${*:-$STEPS}
for step in $steps; do
    [[ " $STEPS names program reproduce " == *" $step "* ]] || { usage >&2; exit 2; }
done
case $steps in names | program) "$steps"; exit 0 ;; esac

tools=${ADJOURN_RELEASE_TOOLS:-$PWD/target/release-tools}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
written=adjourn_bin.cdx.json # by cargo-cyclonedx, beside Cargo.toml
trap 'rm -rf "$work" "$written"' EXIT
for step in $steps; do "$step"; done
