"""Validates an SBOM against CycloneDX's schema, and its components against Cargo.lock: check_sbom.py SPEC SBOM LOCK.

Every component must be a locked crate of the same version. Exit code 1 names what is wrong. It reads both files and changes
nothing."""

import json
import sys
import tomllib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(spec: str, sbom_file: str, lock_file: str) -> str | None:
    with open(sbom_file, encoding="utf-8") as file:
        text = file.read()
    error = JsonStrictValidator(SchemaVersion.from_version(spec)).validate_str(text)
    if error is not None:
        return f"{sbom_file} is not CycloneDX {spec}: {str(error).splitlines()[0]}"
    with open(lock_file, "rb") as file:
        locked = {(package["name"], package["version"]) for package in tomllib.load(file)["package"]}
    listed = {(part["name"], part["version"]) for part in json.loads(text).get("components", [])}
    if not listed:
        return f"{sbom_file} has no component"
    if unknown := sorted(listed - locked):
        return f"{sbom_file} has components that {lock_file} has not: {unknown}"
    print(f"release: SBOM: valid CycloneDX {spec}, {len(listed)} of the {len(locked)} locked crates", flush=True)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
