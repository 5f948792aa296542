import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 15))
leftover = Item("Cancelled: Ada", start=hm(10), end=hm(11), state=7, cancelled=False)
w = World([leftover])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["busy"] is False and "book" in room["allowed_actions"], "the room is shown as free")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 15, "dry_run": True})
    c.expect(st == 200, "the room can be booked")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end")
    c.expect(st == 409, "End does not mean the leftover")
    meeting = Item("Bob", start=hm(10), end=hm(10, 45)); w.items.append(meeting)
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/extend", {"minutes": 15})
    c.expect(st == 200 and meeting.end == hm(11), "the meeting beside it is extended over it, and not taken back")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end")
    c.expect(st == 200 and meeting.end == hm(10, 15) and leftover.version == 1, "End means the meeting beside it")
finally:
    s.close()
c.end()
