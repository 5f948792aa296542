import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 17, 40))
w = World()
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
rows = [
    ("nothing on", []),
    ("ended at 10:17:30", [(hm(10), hm(10, 17, 30))]),
    ("ended at 10:17:30, the next begins at 10:18", [(hm(10), hm(10, 17, 30)), (hm(10, 18), hm(11))]),
    ("ended at 10:17:30, the next begins at 10:18:30", [(hm(10), hm(10, 17, 30)), (hm(10, 18, 30), hm(11))]),
    ("ended at 10:17, the next begins at 10:18", [(hm(10), hm(10, 17)), (hm(10, 18), hm(11))]),
    ("two ended within the minute", [(hm(10), hm(10, 17, 10)), (hm(9), hm(10, 17, 20))]),
    ("one ended within the minute beside one that goes on", [(hm(10), hm(10, 17, 30)), (hm(9), hm(11))]),
    ("the next begins within the minute", [(hm(10, 17, 55), hm(11))]),
]
try:
    for label, times in rows:
        k.set(hm(10, 17, 41))
        w.items = [Item(label, start=a, end=b) for a, b in times]
        others = list(w.items)
        offered = "book" in s.ask("GET", f"/v1/rooms/{ROOM}")[1]["allowed_actions"]
        st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 1})
        booked = [i for i in w.items if i not in others]
        c.expect(offered == (st == 200), f"{label}: offered {offered}, answer {st}")
        c.expect(len(booked) == (st == 200) and all(b.start >= o.end or b.end <= o.start for b in booked for o in others), f"{label}: the booking overlaps nothing")
finally:
    s.close()
c.end()
