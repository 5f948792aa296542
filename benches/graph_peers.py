"""Times how Microsoft's own Python client (PyPI `msgraph-sdk`) reads one page of a hundred events into its model, as a reference for
`cargo bench --bench graph`. The page is made as in `benches/graph/page.rs`.

    python3 -m venv venv && venv/bin/pip install msgraph-sdk==1.65.0 deprecated==1.3.1
    venv/bin/python benches/graph_peers.py [TURNS]
"""

import json
import statistics
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from msgraph.generated.models.event_collection_response import EventCollectionResponse

EVENTS = 100
FIXTURE = Path(__file__).parent.parent / "fixtures" / "graph" / "event-attendee-copy.json"


def text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S") + ".0000000"


def page():
    """The page as Graph writes it: without spaces, each event with two attendees."""
    source, midnight, events = FIXTURE.read_text(), datetime(2026, 5, 6), []
    for number in range(EVENTS):
        event, start = json.loads(source), midnight + timedelta(minutes=5 * number)
        event["id"] = "AAkALgAAAAAAHYQDEapmEc2byACqAC-" * 4 + f"{number:04}"
        event["changeKey"] = f"DwAAABYA{number:04}"
        event["subject"] = f"Planning {number}"
        event["start"]["dateTime"] = text(start)
        event["end"]["dateTime"] = text(start + timedelta(minutes=5))
        events.append(event)
    return json.dumps({"value": events}, separators=(",", ":")).encode()


def decode(body):
    root = JsonParseNodeFactory().get_root_parse_node("application/json", body)
    return root.get_object_value(EventCollectionResponse).value


def check(body):
    """The model has every event's id, change key, subject and times."""
    expected = [
        (event["id"], event["changeKey"], event["subject"], event["start"]["dateTime"], event["end"]["dateTime"])
        for event in json.loads(body)["value"]
    ]
    found = [
        (event.id, event.change_key, event.subject, event.start.date_time, event.end.date_time)
        for event in decode(body)
    ]
    assert len(found) == EVENTS and found == expected


def median_of(work, turns):
    took = []
    for _ in range(turns):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


turns = int(sys.argv[1]) if len(sys.argv) > 1 else 40
body = page()
check(body)
print(f"A page of {EVENTS} events, {len(body)} bytes:\n\n| by | µs | ns/event |\n| --- | ---: | ---: |")
for by, work in [("msgraph-sdk, model", lambda: decode(body)), ("Python's json", lambda: json.loads(body))]:
    took = median_of(work, turns)
    print(f"| {by} | {took * 1e6:.0f} | {took * 1e9 / EVENTS:.0f} |")
