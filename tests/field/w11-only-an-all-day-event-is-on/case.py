import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
k = Clock(); k.set(hm(10, 15))
course = Item("Course", start=hm(0), end=hm(0, day=1), all_day=True)
w = World([course])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nshow_subjects = true\nmax_state_age_s = 0\n'); c.env.update(k.env())
s = Service(c)
try:
    room = s.ask("GET", f"/v1/rooms/{ROOM}")[1]
    c.expect(room["busy"] is True and room["current"]["id"] == course.id and room["allowed_actions"] == [], "the room is busy, and no button is offered")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 15})
    c.expect(st == 409, "it cannot be booked")
    for what, body in (("end", None), ("extend", {"minutes": 15})):
        st, said = s.ask("POST", f"/v1/rooms/{ROOM}/{what}", body)
        c.expect(st == 422 and said["type"].endswith(":all-day"), f"{what} without a name does not mean it")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/check-in")
    c.expect(st == 409, "a check-in without a name is not for it")
    st, said = s.ask("POST", f"/v1/rooms/{ROOM}/check-in", {"event": course.id})
    c.expect(st == 200 and said["event"]["id"] == course.id, "a check-in by name is")
    c.expect(course.version == 1, "nothing was written")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end", {"all_day": True})
    c.expect(st == 200 and course.end == hm(10, 15), "End ends it where the caller insists")
finally:
    s.close()
c.end()
