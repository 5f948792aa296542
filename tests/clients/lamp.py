"""Sets a lamp at each door by the events of the stream, with nothing but the standard library. `set_lamp` prints; put your lamp there.

    python3 lamp.py http://127.0.0.1:8480 adj_demo_demo
"""

import json
import sys
import time
import urllib.request


def set_lamp(room, color):
    print(room, color, flush=True)


def color_of(room):
    return "yellow" if room["awaiting_check_in"] else "red" if room["busy"] else "green"


def follow(base, key):
    request = urllib.request.Request(base + "/v1/events", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        for line in stream:
            if line.startswith(b"event:"):
                event = line[6:].strip()
            if line.startswith(b"data:") and event == b"room":
                room = json.loads(line[5:])
                set_lamp(room["id"], color_of(room))


while True:
    try:
        follow(*sys.argv[1:3])
    except OSError as error:
        print(error, file=sys.stderr)
    time.sleep(5)
