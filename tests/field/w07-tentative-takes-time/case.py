import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 15))
meeting = Item("Ada", start=hm(10), end=hm(11), response="Tentative", free_busy="Tentative")
w = World([meeting])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["busy"] is True and room["current"]["id"] == meeting.id and "book" not in room["allowed_actions"], "the room is busy with it")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 15})
    c.expect(st == 409 and w.items == [meeting], "the room cannot be booked")
    for word in ("OOF", "WorkingElsewhere", "NoData", "SomethingNew"):
        meeting.free_busy = word
        c.expect(s.ask("GET", f"/v1/rooms/{ROOM}", say=False)[1]["busy"] is True, f"{word} takes time too")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end")
    c.expect(st == 200 and meeting.end == hm(10, 15), "End means it")
finally:
    s.close()
c.end()
