"""Holds the JSON Schema of the configuration against the program: what one takes, the other takes.

    config_schema.py ADJOURN

ADJOURN is the program. Valid are the blocks of TOML in README and docs/, the samples below deploy/ and the files that `adjourn init`
writes; those files must also pass `adjourn config check`. Wrong ones must be refused by the schema and by the same `adjourn config check`,
whose error must name the file. A disagreement is printed and makes the exit code 1. Needs
the package jsonschema.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import tomllib

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVER = '[server]\nurl = "https://mail.example.com/EWS/Exchange.asmx"\nusername = "svc"\n'

# Each is wrong in one way that the types alone show.
WRONG = {
    "unknown key": SERVER + 'urll = "x"\n',
    "unknown table": SERVER + "[sever]\n",
    "wrong type": SERVER + "connect_timeout_s = \"5\"\n",
    "above its limit": SERVER + "connect_timeout_s = 3601\n",
    "below its limit": SERVER + "[live]\npoll_interval_s = 4\n",
    "fraction above one": SERVER + "[cleanup.limits]\nmax_fraction = 1.5\n",
    "unknown choice": SERVER + '[live]\nmode = "stream"\n',
    "secret in the file": SERVER + 'password = "hunter2"\n',
    "unknown source of a secret": SERVER + 'password = { vault = "x" }\n',
    "two sources of a secret": SERVER + 'password = { file = "x", env = "Y" }\n',
    "missing key": SERVER + '[[webhooks]]\nname = "a"\n',
    "connection without rooms": '[[connections]]\nname = "a"\nurl = "https://m.example.com/EWS/Exchange.asmx"\nusername = "u"\n',
    "rooms of [server]": SERVER + 'rooms = ["room1@example.com"]\n',
    "not a list": SERVER + '[scope]\nrooms = "room1@example.com"\n',
    "float for a number": SERVER + "[journal]\nhead_interval_s = 60.5\n",
}

INIT = [
    ["--deployment", deployment, *where, *secret, *scope]
    for deployment, wheres in {
        "on-premises": [
            [*place, "--auth", auth, "--username", r"EXAMPLE\svc"]
            for place in (["--url", "https://mail.example.com/EWS/Exchange.asmx"], ["--autodiscover", "example.com"])
            for auth in ("negotiate", "ntlm", "basic")
        ],
        "online": [
            ["--protocol", protocol, "--tenant", "example.onmicrosoft.com", "--client-id", "11111111"]
            for protocol in ("graph", "ews")
        ],
    }.items()
    for where in wheres
    for secret in (["--secret", "env:PATH"], ["--secret", "command:echo secret"])
    for scope in (["--room", "room1@example.com", "--protected", "ceo@example.com"], ["--domain", "rooms.example.com"])
]


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def blocks():
    """The examples of the pages. Those of the reference are one table each, and one file together."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        found = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S)
        if page.name == "configuration.md":
            found = ["".join(found)]
        yield from ((f"{page.name}, block {number}", text) for number, text in enumerate(found, 1))


def samples():
    """The configurations below deploy/, also those within a manifest of Kubernetes."""
    for file in sorted((ROOT / "deploy").rglob("*.toml")):
        yield str(file.relative_to(ROOT)), file.read_text()
    for file in sorted((ROOT / "deploy").rglob("*.yaml")):
        for match in re.finditer(r"^( +)[\w.-]+\.toml: \|\n((?:\1 +.*\n|\n)+)", file.read_text(), re.M):
            yield str(file.relative_to(ROOT)), textwrap.dedent(match.group(2))


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    schema = json.loads(run(program, "config", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults, valid = [], 0

    def errors(text):
        return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in validator.iter_errors(tomllib.loads(text))]

    for name, text in [*blocks(), *samples()]:
        valid += 1
        faults += [f"{name}: {error}" for error in errors(text)]
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "adjourn.toml"

        def check():
            return run(program, "config", "check", str(file), "--without-secrets")

        for flags in INIT:
            valid += 1
            written = run(program, "init", *flags, "--config", str(file), "--force")
            if written.returncode != 0:
                faults.append(f"init {flags}: {written.stderr}")
            else:
                faults += [f"init {flags}: {error}" for error in errors(file.read_text())]
                checked = check()
                if checked.returncode != 0:
                    faults.append(f"config check refuses what init {flags} wrote: {checked.stderr}")
        for name, text in WRONG.items():
            if not errors(text):
                faults.append(f"the schema takes a file that is wrong: {name}")
            file.write_text(text)
            checked = check()
            if checked.returncode != 2 or str(file) not in checked.stderr:
                faults.append(f"config check does not refuse a file that is wrong: {name}: {checked.stderr}")
    if valid < 40:
        faults.append(f"only {valid} valid files were found")
    print("\n".join(faults) or f"schema: {valid} valid files and {len(WRONG)} wrong ones")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
