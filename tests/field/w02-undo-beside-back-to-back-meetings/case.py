import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 5))
before, own, after = Item("Before", start=hm(9), end=hm(10)), Item("Own", start=hm(10), end=hm(11), meeting=False, state=0, response="Organizer", is_organizer=True), Item("After", start=hm(11), end=hm(12))
w = World([before, own, after])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    st, done = s.ask("POST", f"/v1/rooms/{ROOM}/delete", {"event": own.id, "silent": True})
    c.expect(st == 200 and own not in w.items, "the event is removed")
    st, _ = s.ask("POST", f"/v1/actions/{done['id']}/undo")
    c.expect(st == 200 and own in w.items, "the event is put back between its neighbours")
    st, done = s.ask("POST", f"/v1/rooms/{ROOM}/end", {"event": own.id})
    st, _ = s.ask("POST", f"/v1/actions/{done['id']}/undo")
    c.expect(st == 200 and own.end == hm(11), "an early end is undone up to the next meeting")
finally:
    s.close()
c.end()
