import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 15, 20))
note = dict(meeting=False, state=0, response="Organizer", is_organizer=True)
marks = [Item("Water the plants", start=hm(10, 15), end=hm(10, 15), **note), Item("Coffee", start=hm(10, 25), end=hm(10, 25), **note)]
w = World(list(marks))
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["busy"] is False and room["next"] is None and "book" in room["allowed_actions"], "the room is free, and nothing comes")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 15})
    booked = [i for i in w.items if i not in marks]
    c.expect(st == 200 and len(booked) == 1 and booked[0].end == hm(10, 30), "a booking runs over them")
    marks.append(Item("Cake", start=hm(10, 40), end=hm(10, 40), **note)); w.items.append(marks[-1])
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/extend", {"minutes": 30})
    c.expect(st == 200 and booked[0].end == hm(11), "and so does an extension")
finally:
    s.close()
c.end()
