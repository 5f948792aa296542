#!/usr/bin/env bash
# check-tag.sh TAG: fails where a tag v* is not the version of Cargo.toml, or CHANGELOG.md has no dated section of it. Prints that
# section to stdout, as the notes of the release. Changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tag=${1:?usage: check-tag.sh TAG}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
[ "$tag" = "v$version" ] || { echo "release: the tag $tag is not v$version of Cargo.toml" >&2; exit 1; }
heading=$(grep -E "^## ${version//./\\.} - [0-9]{4}-[0-9]{2}-[0-9]{2}$" CHANGELOG.md) ||
    { echo "release: CHANGELOG.md has no heading '## $version - YYYY-MM-DD'" >&2; exit 1; }
awk -v heading="$heading" '$0 == heading { on = 1; next } on && /^## / { exit } on' CHANGELOG.md
