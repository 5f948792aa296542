"""A room display's backend as somebody would write it in Python, with nothing but the standard library.

    python3 display.py http://127.0.0.1:8480 adj_demo_demo room-aurora@example.com
"""

import json
import sys
import threading
import urllib.error
import urllib.request

BASE, KEY, ROOM = sys.argv[1:4]


def ask(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(
        BASE + path,
        data=data,
        method=method,
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as answer:
        text = answer.read()
        return answer.code, answer.headers, json.loads(text) if text else None


heard, listening = [], threading.Event()


def listen():
    request = urllib.request.Request(BASE + "/v1/events", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        listening.set()
        for line in stream:
            heard.append(line.decode().strip())
            if heard[-2:-1] == ["event: action"] and ROOM.encode() in line:
                return


listener = threading.Thread(target=listen, daemon=True)
listener.start()
assert listening.wait(10), "no event stream"

status, headers, room = ask("GET", f"/v1/rooms/{ROOM}")
assert status == 200 and room["busy"], room
status, _, _ = ask("GET", f"/v1/rooms/{ROOM}", If_None_Match=headers["ETag"])
assert status == 304, status

seen = {key: room["current"][key] for key in ("start", "end")}
wish = {"event": room["current"]["id"], "seen": seen, "reason": "Ended at the display."}
status, _, first = ask("POST", f"/v1/rooms/{ROOM}/end", wish, Idempotency_Key="python-1", Prefer="wait=20")
assert status == 200 and first["state"] == "done", first
status, _, again = ask("POST", f"/v1/rooms/{ROOM}/end", wish, Idempotency_Key="python-1")
assert again["id"] == first["id"] and again["repeated"], again

listener.join(20)
assert not listener.is_alive() and "event: action" in heard, heard

status, _, room = ask("GET", f"/v1/rooms/{ROOM}")
assert not room["busy"] and "book" in room["allowed_actions"], room
status, _, undone = ask("POST", f"/v1/actions/{first['id']}/undo")
assert status == 200 and undone["change"]["kind"] == "end-restored", undone
status, _, problem = ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 15})
assert status == 409 and problem["type"].endswith(":collides") and problem["fault"] == "nobody", problem
status, _, problem = ask("GET", "/v1/rooms/nobody@example.org")
assert status == 404 and problem["type"].endswith(":no-such-room"), problem
print("python: a display's day went as it should")
