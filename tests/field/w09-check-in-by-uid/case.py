import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 4))
ada, bob = Item("Ada", start=hm(10), end=hm(11), created=hm(9, day=-7)), Item("Bob", start=hm(9, 30), end=hm(10, 30), created=hm(9, day=-7))
later = Item("Later", start=hm(15), end=hm(16), created=hm(9, day=-7))
w = World([ada, bob, later])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nmax_state_age_s = 0\n[cleanup.no_check_in]\ngrace_minutes = 45\n'); c.env.update(k.env())
s = Service(c)
try:
    st, said = s.ask("POST", f"/v1/rooms/{ROOM}/check-in", {"event": bob.uid, "source": "booking system"})
    c.expect(st == 200 and said["event"]["id"] == bob.id, "the check-in by UID is for its event")
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["current"]["id"] == ada.id and room["checked_in"] is False and room["awaiting_check_in"] == ada.id, "the other one still waits for its own")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/check-in", {"event": later.uid})
    c.expect(st == 409, "an event that is hours away cannot be checked in to")
    st, said = s.ask("POST", f"/v1/rooms/{ROOM}/check-in")
    c.expect(st == 200 and said["event"]["id"] == ada.id, "a check-in without a name is for the one that waits")
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["checked_in"] is True and room["awaiting_check_in"] is None and "check-in" not in room["allowed_actions"], "then no check-in is offered")
finally:
    s.close()
c.end()
