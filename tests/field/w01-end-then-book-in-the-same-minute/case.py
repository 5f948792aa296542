import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 17, 40))
meeting = Item(start=hm(9, 30), end=hm(11), created=hm(9, day=-7))
w = World([meeting])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end")
    c.expect(st == 200 and meeting.end == hm(10, 17), "the meeting is ended at 10:17")
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["busy"] is False and "book" in room["allowed_actions"], "the room is free, and booking is offered")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 30})
    booked = [i for i in w.items if i is not meeting]
    c.expect(st == 200, "booking in the same minute is done")
    c.expect(len(booked) == 1 and booked[0].start == hm(10, 17) and booked[0].end == hm(10, 47), "one booking stands from 10:17 to 10:47")
finally:
    s.close()
c.end()
