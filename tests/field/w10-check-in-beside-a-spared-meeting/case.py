import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 4))
waits, spared = Item("Ada", start=hm(10), end=hm(11), created=hm(9, day=-7)), Item("Secret", start=hm(10, 2), end=hm(10, 30), sensitivity="Private", created=hm(9, day=-7))
w = World([waits, spared])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nmax_state_age_s = 0\n[cleanup.no_check_in]\ngrace_minutes = 15\n[cleanup.exceptions]\nprivate = true\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["awaiting_check_in"] == waits.id and "check-in" in room["allowed_actions"], "the state names the meeting that waits")
    st, said = s.ask("POST", f"/v1/rooms/{ROOM}/check-in", {"source": "badge"})
    c.expect(st == 200 and said["event"]["id"] == waits.id, "the check-in is for it")
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["awaiting_check_in"] is None and "check-in" not in room["allowed_actions"], "then no event waits")
    w.items = [spared]
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect("check-in" not in room["allowed_actions"], "the spared meeting alone waits for none")
finally:
    s.close()
c.end()
