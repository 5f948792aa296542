"""Checks recorded exchanges of simulated Graph against Microsoft's description of Graph (CSDL).

    graph_schema.py CSDL EXCHANGES

CSDL is `v1.0-Prod.csdl` or a part of it. EXCHANGES has one JSON object a line: method, path, status, request, response
(`ADJOURN_WRITE_GRAPH` makes the tests of the simulator write it). The type of a response is read from its
`@odata.context`, that of a request from its path. Every property must exist in v1.0 and have the declared type: a
collection, an enumeration, a complex type or a primitive one. A mistake is printed and makes the exit code 1; so does a
property of beta alone, such as `uid` or `occurrenceId`.
"""

import datetime
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections import Counter

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
# Annotations that an object may carry.
ANNOTATIONS = {"@odata.context", "@odata.etag", "@odata.type", "@odata.nextLink", "@odata.count", "@odata.id"}
ENTITY_SETS = {"users": "user", "places": "place"}
# What an extract of the CSDL may leave out.
STRUCTURED_ELSEWHERE = {"exchangeIdFormat", "attachment", "extension", "multiValueLegacyExtendedProperty"}
NAVIGATION_ELSEWHERE = {("user", "calendars"): ("Collection(graph.calendar)", True)}
# Open types that really have more properties. `event` is open too, but there a name of beta is a mistake.
OPEN = {"publicInnerError"}


def local(name):
    """A type's name without its namespace or alias."""
    return re.sub(r"^(microsoft\.graph|graph)\.", "", name)


class Schema:
    """The types and actions of a CSDL."""

    def __init__(self, path):
        self.types, self.enums, self.actions = {}, {}, {}
        root = ElementTree.parse(path).getroot()
        for schema in root.iter(f"{EDM}Schema"):
            if schema.get("Namespace") != "microsoft.graph":
                continue
            for node in schema:
                self.add(node)

    def add(self, node):
        name = node.get("Name")
        if node.tag in (f"{EDM}EntityType", f"{EDM}ComplexType"):
            properties = {
                child.get("Name"): (child.get("Type"), child.get("Nullable") != "false")
                for child in node
                if child.tag in (f"{EDM}Property", f"{EDM}NavigationProperty")
            }
            self.types[name] = (local(node.get("BaseType", "")), properties)
        elif node.tag == f"{EDM}EnumType":
            self.enums[name] = {member.get("Name") for member in node.iter(f"{EDM}Member")}
        elif node.tag == f"{EDM}Action":
            parameters = {
                child.get("Name"): child.get("Type") for child in node if child.tag == f"{EDM}Parameter"
            }
            bound = next((kind for key, kind in parameters.items() if key.lower() == "bindingparameter"), "")
            names = {key.lower(): kind for key, kind in parameters.items() if key.lower() != "bindingparameter"}
            self.actions[(local(bound), name.lower())] = names

    def property(self, type_name, name):
        """The type of a property and whether it may be null; None if the type does not have it."""
        while type_name in self.types:
            base, properties = self.types[type_name]
            if name in properties:
                return properties[name]
            if (type_name, name) in NAVIGATION_ELSEWHERE:
                return NAVIGATION_ELSEWHERE[(type_name, name)]
            type_name = base
        return None

    def derives(self, type_name, base):
        while type_name and type_name != base:
            type_name = self.types.get(type_name, ("", {}))[0]
        return bool(type_name)


class Checker:
    """Collects mistakes."""

    def __init__(self, schema):
        self.schema, self.mistakes, self.seen = schema, Counter(), Counter()

    def mistake(self, where, text):
        self.mistakes[f"{where}: {text}"] += 1

    def value(self, where, kind, value, nullable=True):
        if value is None:
            if not nullable:
                self.mistake(where, "null, but not nullable")
            return
        collection = re.fullmatch(r"Collection\((.*)\)", kind)
        if collection:
            if not isinstance(value, list):
                return self.mistake(where, "no collection")
            for one in value:
                self.value(f"{where}[]", collection[1], one)
            return
        if kind.startswith("Edm."):
            if not primitive(kind, value):
                self.mistake(where, f"{value!r} is no {kind}")
            return
        name = local(kind)
        if name in self.schema.enums:
            if value not in self.schema.enums[name]:
                self.mistake(where, f"{value!r} is no member of {name}")
        elif name in self.schema.types:
            self.object(where, name, value)
        elif name not in STRUCTURED_ELSEWHERE:
            self.mistake(where, f"unknown type {kind}")

    def object(self, where, type_name, value):
        if not isinstance(value, dict):
            return self.mistake(where, f"no object of type {type_name}")
        declared = local(value.get("@odata.type", "").lstrip("#"))
        if declared:
            if not self.schema.derives(declared, type_name):
                return self.mistake(where, f"{declared} does not derive from {type_name}")
            type_name = declared
        for name, inner in value.items():
            if "@odata." in name:
                if name not in ANNOTATIONS:
                    self.mistake(where, f"unknown annotation {name}")
                continue
            found = self.schema.property(type_name, name)
            if not found and type_name in OPEN:
                continue
            if not found:
                self.mistake(where, f"{type_name} has no property {name} in v1.0")
                continue
            self.seen[f"{type_name}.{name}"] += 1
            self.value(f"{type_name}.{name}", found[0], inner, found[1])

    def type_of_context(self, context):
        """The type that the fragment of an `@odata.context` names."""
        fragment = urllib.parse.unquote(context.split("$metadata#", 1)[1])
        is_entity = fragment.endswith("/$entity")
        fragment = fragment.removesuffix("/$entity")
        whole = re.fullmatch(r"(?:Collection\()?microsoft\.graph\.(\w+)\)?", fragment)
        if whole:
            return f"Collection(graph.{whole[1]})" if fragment.startswith("Collection(") else f"graph.{whole[1]}"
        # Keys are quoted; a list in parentheses without quotes selects properties.
        fragment = re.sub(r"\('(?:[^']|'')*'\)", "", fragment)
        fragment = re.sub(r"\([^()]*\)$", "", fragment)
        first, *rest = fragment.split("/")
        kind = f"Collection(graph.{ENTITY_SETS[first]})"
        for segment in rest:
            name = local(re.sub(r"^Collection\((.*)\)$", r"\1", kind))
            if segment.startswith("microsoft.graph."):
                kind = f"Collection({segment})"
                continue
            found = self.schema.property(name, segment)
            if not found:
                raise ValueError(f"{name} has no navigation property {segment}")
            kind = found[0]
        return re.sub(r"^Collection\((.*)\)$", r"\1", kind) if is_entity else kind

    def response(self, where, body):
        if not isinstance(body, dict):
            return
        if "error" in body:
            return self.value(f"{where} error", "graph.publicError", body["error"])
        if "responses" in body:
            return
        try:
            kind = self.type_of_context(body.get("@odata.context", ""))
        except (IndexError, KeyError, ValueError) as error:
            return self.mistake(where, f"the context {body.get('@odata.context')!r} names no type: {error}")
        if kind.startswith("Collection("):
            unknown = set(body) - ANNOTATIONS - {"value"}
            if unknown:
                self.mistake(where, f"a collection with {sorted(unknown)}")
            return self.value(where, kind, body.get("value"), nullable=False)
        self.value(where, kind, body)

    def request(self, method, path, body):
        if not isinstance(body, dict):
            return
        last = path.split("?")[0].rstrip("/").split("/")[-1].lower()
        if (method == "POST" and last == "events") or method == "PATCH":
            return self.object(f"{method} event", "event", body)
        for bound in ("event", "calendar", "user"):
            parameters = self.schema.actions.get((bound, last))
            if parameters is None:
                continue
            for name, value in body.items():
                kind = parameters.get(name.lower())
                if not kind:
                    self.mistake(f"POST {last}", f"no parameter {name}")
                else:
                    self.value(f"POST {last} {name}", kind, value)
            return
        self.mistake(f"{method} {last}", "no known body")

    def exchange(self, exchange):
        method, path, status = exchange["method"], exchange["path"], exchange["status"]
        where = f"{method} {re.sub('[?].*', '', path)}"
        request, response = exchange.get("request"), exchange.get("response")
        if path.startswith("/$batch"):
            return self.batch(request, response, status)
        if request is not None and status < 300:
            self.request(method, path, request)
        if response is not None:
            self.response(where, response)

    def batch(self, request, response, status):
        if status >= 300 or not isinstance(response, dict):
            return self.response("$batch", response)
        answers = {answer["id"]: answer for answer in response["responses"]}
        for step in request["requests"]:
            answer = answers[step["id"]]
            if not isinstance(answer["status"], int) or not isinstance(answer["headers"], dict):
                self.mistake("$batch", "a response without status or headers")
            url = step["url"] if step["url"].startswith("/") else f"/{step['url']}"
            inner = {"method": step["method"], "path": url, "status": answer["status"]}
            if not url.startswith("/$batch"):
                self.exchange({**inner, "request": step.get("body"), "response": answer.get("body")})


def is_time(value):
    """A DateTimeOffset; digits behind the sixth are left out, because Python keeps no more."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)", value):
        return False
    try:
        datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d", r"\1", value))
    except ValueError:
        return False
    return True


def primitive(kind, value):
    integer = isinstance(value, int) and not isinstance(value, bool)
    text = isinstance(value, str)
    checks = {
        "Edm.String": text,
        "Edm.Boolean": isinstance(value, bool),
        "Edm.Int32": integer and -(2**31) <= value < 2**31,
        "Edm.Int64": integer and -(2**63) <= value < 2**63,
        "Edm.Double": integer or isinstance(value, float),
        "Edm.DateTimeOffset": text and is_time(value),
        "Edm.Date": text and bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value)),
        "Edm.TimeOfDay": text and bool(re.fullmatch(r"\d\d:\d\d:\d\d(\.\d+)?", value)),
        "Edm.Binary": text,
    }
    return checks.get(kind, False)


def self_check(checker):
    """The checker must find what is wrong, else its silence means nothing."""
    event = {"id": "x", "subject": "x", "showAs": "busy"}
    context = {"@odata.context": "https://host/v1.0/$metadata#users('x')/events/$entity"}
    wrong = [
        {"uid": "x"},
        {"occurrenceId": "x"},
        {"showAs": "asleep"},
        {"attendees": {}},
        {"isAllDay": "true"},
        {"createdDateTime": "yesterday"},
        {"start": {"dateTime": "2026-01-01T00:00:00", "zone": "UTC"}},
        {"id": None},
    ]
    right = Checker(checker.schema)
    right.response("self-check", {**context, **event})
    if right.mistakes:
        sys.exit(f"graph_schema: a correct event is refused: {right.mistakes}")
    for change in wrong:
        other = Checker(checker.schema)
        other.response("self-check", {**context, **event, **change})
        if not other.mistakes:
            sys.exit(f"graph_schema: not found: {change}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    checker = Checker(Schema(sys.argv[1]))
    self_check(checker)
    count = 0
    with open(sys.argv[2], encoding="utf-8") as lines:
        for line in lines:
            checker.exchange(json.loads(line))
            count += 1
    for text, times in sorted(checker.mistakes.items()):
        print(f"{times} × {text}")
    if not count:
        sys.exit("graph_schema: no exchange was recorded")
    print(f"graph_schema: {count} exchanges, {len(checker.seen)} properties, {len(checker.mistakes)} mistakes")
    sys.exit(1 if checker.mistakes else 0)


if __name__ == "__main__":
    main()
