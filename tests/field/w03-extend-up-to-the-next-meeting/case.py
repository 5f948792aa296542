import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 15))
meeting, beside, after = Item("Ada", start=hm(10), end=hm(10, 30)), Item("Placeholder", start=hm(9), end=hm(10, 30)), Item("After", start=hm(10, 45), end=hm(12))
w = World([meeting, beside, after])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["current"]["id"] == meeting.id and "extend" in room["allowed_actions"], "the meeting is shown, and extending is offered")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/extend", {"event": meeting.id, "minutes": 30})
    c.expect(st == 200 and meeting.end == hm(10, 45), "the meeting lasts until the next one begins")
    c.expect(meeting.version == 2, "one write, and nothing is taken back")
finally:
    s.close()
c.end()
