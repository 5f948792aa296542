#!/usr/bin/env python3
"""Builds the OCI image from a finished binary: `build.py BINARY OUT` writes OUT/adjourn-VERSION-image-ARCH.tar, an OCI image layout, and
prints its path. Needs a Debian with apt-get, dpkg-deb and binutils, and no container daemon; it compiles nothing.

The image is made of nothing but the binary, the libraries that it names, their loader, the certificate authorities and os-release. The
last four come from Debian packages, whose names and versions the image records as a scanner expects them (/var/lib/dpkg/status.d). The same
binary, packages and commit make the same bytes. There is no shell, no package manager, and no root process."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

USER = 10001
AUTHORITIES = "ca-certificates"
# Has os-release, by which a scanner knows the distribution of the packages.
BASE = "base-files"
# The package of each library that the binary may name. The copyright of the second is in a package of its own, by version.
LIBRARIES = {"libc.so.6": "libc6", "libgcc_s.so.1": "libgcc-s1"}
# Resolves names by DNS; the C library loads these when it needs them, so that no binary names them.
LOADED_LATER = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
ARCHITECTURES = {"Advanced Micro Devices X86-64": "amd64", "AArch64": "arm64"}
MEDIA = "application/vnd.oci.image."
ROOT = pathlib.Path(__file__).resolve().parents[2]


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


class Layer:
    """A layer: a tar archive whose entries are the same in each build."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.entries = {}

    def add(self, path, content=None, mode=0o644, link=None, owner=0):
        """A file with this content, a link, or a directory. Directories above it are added too."""
        for above in reversed(pathlib.PurePosixPath(path).parents):
            if str(above) != ".":
                self.entries.setdefault(str(above), self.entry(str(above), tarfile.DIRTYPE, 0o755))
        kind = tarfile.SYMTYPE if link else tarfile.DIRTYPE if content is None else tarfile.REGTYPE
        self.entries[path] = self.entry(path, kind, mode, link or "", owner, content or b"")

    def entry(self, path, kind, mode, link="", owner=0, content=b""):
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.linkname, entry.mtime = kind, mode, link, self.epoch
        entry.uid = entry.gid = owner
        entry.size = len(content)
        return entry, content

    def archive(self):
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.entries):
                entry, content = self.entries[path]
                archive.addfile(entry, io.BytesIO(content))
        return plain.getvalue()


class Layout:
    """An OCI image layout, in memory."""

    def __init__(self):
        self.files = {"oci-layout": json_bytes({"imageLayoutVersion": "1.0.0"})}

    def blob(self, content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def write(self, path, epoch):
        layer = Layer(epoch)
        for name, content in self.files.items():
            layer.add(name, content)
        path.write_bytes(layer.archive())


def json_bytes(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def needed(file):
    """The libraries that an ELF file names, and its loader. A static binary has neither."""
    libraries = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", "--wide", file))
    loader = re.findall(r"interpreter: (.*)\]", output("readelf", "--program-headers", "--wide", file))
    return libraries, loader


def unpack_packages(names, into):
    """Downloads the packages, and returns the description of each. apt-get verifies their signatures."""
    fetch = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root"]
    output(*fetch, *names, cwd=into)
    for package in into.glob("libgcc-s1_*.deb"):
        output(*fetch, re.search(r"gcc-\d+-base", output("dpkg-deb", "--field", package, "Depends"))[0], cwd=into)
    descriptions = {}
    for package in sorted(into.glob("*.deb")):
        output("dpkg-deb", "--extract", package, into / "root")
        fields = output("dpkg-deb", "--field", package)
        descriptions[output("dpkg-deb", "--field", package, "Package").strip()] = fields
    return descriptions


def library_path(root, name):
    """Where a package has this library, below `lib` even if the package says `usr/lib`."""
    found = sorted(root.glob(f"lib/*-linux-gnu/{name}")) + sorted(root.glob(f"usr/lib/*-linux-gnu/{name}"))
    if not found:
        sys.exit(f"build.py: no package of {', '.join(LIBRARIES.values())} has {name}, which the binary needs")
    return found[0]


def add_libraries(layer, root, binary):
    libraries, loader = needed(binary)
    waiting, done = [*libraries, *LOADED_LATER] if loader else [], set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        path = library_path(root, name)
        place = f"lib/{path.parent.name}/{name}"
        layer.add(place, path.read_bytes(), 0o755)
        waiting += needed(path)[0]
    for path in loader:
        layer.add(path.lstrip("/"), library_path(root, os.path.basename(path)).read_bytes(), 0o755)


def debian_layer(binary, epoch, work):
    """The layer of Debian's files, and what it is made of."""
    layer = Layer(epoch)
    packages = [package for library, package in LIBRARIES.items() if library in needed(binary)[0]]
    descriptions = unpack_packages([AUTHORITIES, BASE, *packages], work)
    add_libraries(layer, work / "root", binary)
    authorities = sorted((work / "root/usr/share/ca-certificates").rglob("*.crt"))
    layer.add("etc/ssl/certs/ca-certificates.crt", b"".join(file.read_bytes().rstrip() + b"\n" for file in authorities))
    layer.add("etc/os-release", (work / "root/usr/lib/os-release").read_bytes())
    layer.add("etc/nsswitch.conf", b"hosts: files dns\n")
    versions = {}
    for name, fields in descriptions.items():
        layer.add(f"var/lib/dpkg/status.d/{name}", fields.encode())
        layer.add(f"usr/share/doc/{name}/copyright", (work / "root/usr/share/doc" / name / "copyright").read_bytes())
        versions[name] = re.search(r"^Version: (.*)$", fields, re.M)[1]
    return layer, versions


def program_layer(binary, epoch):
    layer = Layer(epoch)
    layer.add("usr/bin/adjourn", binary.read_bytes(), 0o755)
    layer.add("etc/passwd", f"adjourn:x:{USER}:{USER}:Adjourn:/var/lib/adjourn:/sbin/nologin\n".encode())
    layer.add("etc/group", f"adjourn:x:{USER}:\n".encode())
    layer.add("etc/adjourn")
    layer.entries["etc/adjourn"][0].mode = 0o755
    layer.add("var/lib/adjourn", mode=0o700, owner=USER)
    for name in ["LICENSE-MIT", "LICENSE-APACHE"]:
        layer.add(f"usr/share/doc/adjourn/{name}", (ROOT / name).read_bytes())
    return layer


def labels(version, versions):
    """The image's labels: those of the OCI specification, and the packages."""
    source = re.search(r'^repository = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    found = {
        "title": "Adjourn",
        "description": "Ends, extends and books meetings on Exchange room calendars, and releases abandoned ones",
        "version": version,
        "licenses": "MIT OR Apache-2.0",
        "source": source,
        "url": source,
    }
    revision = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], stdout=subprocess.PIPE, text=True, check=False)
    if revision.returncode == 0:
        found["revision"] = revision.stdout.strip()
    packages = " ".join(f"{name}={version}" for name, version in sorted(versions.items()))
    return {f"org.opencontainers.image.{key}": value for key, value in found.items()} | {"adjourn.debian-packages": packages}


def configuration(architecture, created, diff_ids, marks):
    return {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "ExposedPorts": {"8480/tcp": {}},
            "Env": [
                "PATH=/usr/bin",
                "ADJOURN_CONFIG=/etc/adjourn/adjourn.toml",
                "ADJOURN_STATE_DIR=/var/lib/adjourn",
            ],
            "Entrypoint": ["adjourn"],
            "Cmd": ["serve", "--log", "json"],
            "Volumes": {"/var/lib/adjourn": {}},
            "WorkingDir": "/",
            "Labels": marks,
            # Not of the OCI specification: Docker reads it in OCI images too. A service whose Exchange is away must not be restarted.
            "Healthcheck": {
                "Test": ["CMD", "adjourn", "health", "--live"],
                "Interval": 30 * 10**9,
                "Timeout": 12 * 10**9,
                "StartPeriod": 30 * 10**9,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            {"created": created, "created_by": "deploy/image/build.py", "comment": comment}
            for comment in ["libraries and certificate authorities of Debian", "Adjourn"]
        ],
    }


def assemble(layers, architecture, version, versions, epoch):
    layout, descriptors, diff_ids = Layout(), [], []
    for layer in layers:
        archive = layer.archive()
        diff_ids.append("sha256:" + hashlib.sha256(archive).hexdigest())
        descriptors.append(layout.blob(gzip.compress(archive, 6, mtime=0), MEDIA + "layer.v1.tar+gzip"))
    created = output("date", "--utc", f"--date=@{epoch}", "+%Y-%m-%dT%H:%M:%SZ").strip()
    marks = labels(version, versions) | {"org.opencontainers.image.created": created}
    config = layout.blob(json_bytes(configuration(architecture, created, diff_ids, marks)), MEDIA + "config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MEDIA + "manifest.v1+json",
        "config": config,
        "layers": descriptors,
        "annotations": marks,
    }
    descriptor = layout.blob(json_bytes(manifest), MEDIA + "manifest.v1+json")
    descriptor["platform"] = {"architecture": architecture, "os": "linux"}
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": f"adjourn:{version}"}
    index = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": [descriptor]}
    layout.files["index.json"] = json_bytes(index)
    return layout


def commit_time():
    """SOURCE_DATE_EPOCH, else the time of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or output("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: build.py BINARY OUT")
    release = pathlib.Path("/etc/os-release")
    if not release.exists() or not re.search(r'^ID="?debian"?$', release.read_text(), re.M):
        sys.exit("build.py: /etc/os-release does not have ID=debian; run build.py on Debian, because the image has Debian's packages")
    binary, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    machine = re.search(r"Machine: +(.*)", output("readelf", "--file-header", binary))[1]
    architecture = ARCHITECTURES.get(machine) or sys.exit(f"build.py: no image for {machine}")
    version, epoch = output(binary, "--version").split()[1], commit_time()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        stripped = work / "adjourn"
        output("strip", "--strip-unneeded", "-o", stripped, binary)
        (work / "debian").mkdir()
        base, versions = debian_layer(stripped, epoch, work / "debian")
        layout = assemble([base, program_layer(stripped, epoch)], architecture, version, versions, epoch)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"adjourn-{version}-image-{architecture}.tar"
    layout.write(path, epoch)
    print(path)


if __name__ == "__main__":
    main()
