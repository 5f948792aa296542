"""What `adjourn wire decode` says of captured answers, held against Python's own XML parser (expat).

    python3 tests/codec/oracle.py ADJOURN DIRECTORY    every *.xml, *.json and *.http in the directory

For each file: one report, an answer or an error. Where expat reads the file as a SOAP answer of an operation that
Adjourn speaks, Adjourn must have read it too, and both must agree on every response code, every calendar item's id,
change key, subject, UID, start and end, and on a fault's code. Shares no line with the codec.
"""

import datetime
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

OPERATIONS = {"FindItem", "GetItem", "UpdateItem", "DeleteItem", "CreateItem", "MoveItem", "GetFolder", "ResolveNames",
              "GetRoomLists", "GetRooms", "GetUserAvailability"}
# Documentation is sometimes built with https:// in the namespaces; no server sends that.
NAMESPACE = "://schemas.microsoft.com/exchange/services/2006/"
SOAP = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope",
        "https://schemas.xmlsoap.org/soap/envelope/")
# How many calendar items were compared, answer by answer.
ITEMS = []
CALENDAR_FIELDS = {"Subject": "subject", "UID": "uid", "Start": "start", "End": "end"}


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def child(element, name):
    return next((c for c in element if local(c) == name), None)


def reports(adjourn, files):
    run = subprocess.run([adjourn, "wire", "decode", *map(str, files)], capture_output=True, check=False)
    if run.returncode not in (0, 2):
        sys.exit(f"wire decode ended with {run.returncode}: {run.stderr.decode(errors='replace')}")
    text, decoder, found = run.stdout.decode(), json.JSONDecoder(), {}
    at = 0
    while at < len(text):
        report, at = decoder.raw_decode(text, at)
        found[report["file"]] = report
        at += len(text) - at - len(text[at:].lstrip())
    return found


def body_of(path):
    """The first child of a SOAP body, as expat sees it; None where there is none."""
    try:
        root = ET.fromstring(path.read_bytes())
    except ET.ParseError:
        return None
    if local(root) != "Envelope" or not root.tag.startswith(tuple("{" + space for space in SOAP)):
        return None
    body = child(root, "Body")
    return None if body is None or not len(body) else body[0]


def time(text):
    try:
        moment = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


def expected_item(item):
    identity = child(item, "ItemId")
    values = {"id": None if identity is None else identity.get("Id")}
    values["change_key"] = None if identity is None else identity.get("ChangeKey")
    for name, key in CALENDAR_FIELDS.items():
        field = child(item, name)
        text = None if field is None else (field.text or "")
        values[key] = time(text) if key in ("start", "end") and text is not None else text
    return values


def told_item(item):
    identity = item["item_id"] or {}
    values = {"id": identity.get("id"), "change_key": identity.get("change_key")}
    for key in CALENDAR_FIELDS.values():
        told = item[key]
        values[key] = time(told) if key in ("start", "end") and told is not None else told
    return values


def messages_of(payload):
    return payload if isinstance(payload, list) else [payload]


def compare(element, body):
    """Everything in which the two disagree."""
    [(kind, payload)] = body.items()
    if local(element) == "Fault":
        codes = [e.text.strip() for e in element.iter() if local(e) == "ResponseCode" and e.text]
        if kind != "Fault":
            return [f"a fault was read as {kind}"]
        return [] if not codes or payload["response_code"] == codes[0] else [f"{payload['response_code']} for {codes[0]}"]
    if not element.tag.startswith(("{http" + NAMESPACE, "{https" + NAMESPACE)):
        return []
    operation = local(element).removesuffix("Response")
    if local(element) == operation or operation not in OPERATIONS or element.tag.startswith("{https"):
        return []
    if kind != operation:
        return [f"{operation} was read as {kind}"]
    wrong = []
    messages = messages_of(payload)
    # Suggestions of other times are not asked for, so not read.
    roots = [e for e in element.iter() if local(e) == "FreeBusyResponse"] if operation == "GetUserAvailability" else [element]
    codes = [e.text.strip() for root in roots for e in root.iter() if local(e) == "ResponseCode" and "/messages}" in e.tag]
    told = [message["code"] for message in messages]
    if codes != told:
        wrong.append(f"codes {told} for {codes}")
    if operation in ("FindItem", "GetItem", "UpdateItem", "CreateItem", "MoveItem"):
        wrong += compare_items(operation, element, messages)
    return wrong


def compare_items(operation, element, messages):
    holders = [e for e in element.iter() if local(e) == "Items"]
    items = [expected_item(i) for holder in holders for i in holder if local(i) == "CalendarItem"]
    told = []
    for message in messages:
        listed = message["payload"]
        listed = (listed.get("items") or []) if isinstance(listed, dict) else listed or []
        told += [told_item(i["Calendar"]) for i in listed if isinstance(i, dict) and "Calendar" in i]
    if len(items) != len(told) and told:
        return [f"{len(told)} calendar items for {len(items)}"]
    if not told and items and operation in ("FindItem", "GetItem"):
        return [f"no calendar item for {len(items)}"]
    ITEMS.append(len(told))
    return [f"{key} is {mine[key]!r} for {theirs[key]!r}"
            for theirs, mine in zip(items, told, strict=False) for key in theirs if mine[key] != theirs[key]]


def main(adjourn, directory):
    files = sorted(f for f in pathlib.Path(directory).iterdir() if f.suffix in (".xml", ".json", ".http"))
    found = reports(adjourn, files)
    wrong, compared, errors = [], 0, 0
    for path in files:
        report = found.get(str(path))
        element = body_of(path)
        if report is None:
            wrong.append(f"{path.name}: no report")
        elif "error" in report:
            errors += 1
            if " at byte " not in report["error"]:
                wrong.append(f"{path.name}: an error that names no byte: {report['error']}")
            if element is not None:
                wrong.append(f"{path.name}: expat reads it, Adjourn does not: {report['error']}")
        elif element is not None:
            compared += 1
            differences = compare(element, report["decoded"]["answer"]["envelope"]["body"])
            wrong += [f"{path.name}: {difference}" for difference in differences]
    print(f"{len(files)} files: {compared} compared with expat ({sum(ITEMS)} calendar items), {errors} typed errors, {len(wrong)} wrong")
    print("\n".join(wrong))
    return 1 if wrong or compared < 100 or sum(ITEMS) < 30 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
