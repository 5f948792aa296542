import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# A panel on a bad network sends its check-in again, with the same Idempotency-Key.
t = minute(now())
meeting = Item(start=t - timedelta(minutes=2), end=t + timedelta(minutes=40))
w = World([meeting])
c = Case(w, config="[cleanup.no_check_in]\ngrace_minutes = 10\n[live]\nmode = \"on-demand\"\n")
s = Served(c)
key = {"Idempotency-Key": "press-1"}
path = f"/v1/rooms/{ROOM}/check-in"
try:
    st, first = s.ask("POST", path, {"event": meeting.id}, key)
    c.expect(st == 200, "the check-in is taken")
    time.sleep(1.1)
    st, again = s.ask("POST", path, {"event": meeting.id}, key)
    c.expect(st == 200 and again == first, "the same key and the same request: the same answer, to the microsecond")
    st, got = s.ask("POST", path, {"event": meeting.id, "source": "badge"}, key)
    c.expect(st == 422 and got["type"].endswith("key-reused"), "the same key for another check-in is refused")
    st, got = s.ask("POST", f"/v1/rooms/{ROOM}/end", {}, key)
    c.expect(st == 422 and got["type"].endswith("key-reused") and meeting.end > now(), "and for another action")
    st, got = s.ask("POST", f"/v1/rooms/{ROOM}/end", {}, {"Idempotency-Key": "press-2"})
    st, got = s.ask("POST", path, {}, {"Idempotency-Key": "press-2"})
    c.expect(st == 422 and got["type"].endswith("key-reused"), "an action's key is none for a check-in")
finally:
    s.close()
c.end()
