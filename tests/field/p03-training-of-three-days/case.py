import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# A training from Monday to Wednesday. Somebody checks in on Monday; the service is updated on Tuesday.
k = Clock(); k.set(hm(8, 30, day=-2))
training = Item("Training", start=hm(9, day=-2), end=hm(17), created=hm(9, day=-20))
w = World([training])
c = fresh(w, config=RULE.format(grace=10) + "[cleanup.exceptions]\nlonger_than_hours = 0\n"); c.env.update(k.env())
s = Service(c)
try:
    watched(s)
    k.set(hm(9, 5, day=-2))
    st, said = s.ask("POST", "/v1/evidence", {"signs": [{"room": ROOM, "source": "motion"}]})
    c.expect(st == 200 and said["accepted"] == 1, "motion on Monday at 9:05")
    k.set(hm(18, day=-1))
    s.again()
    watched(s)
    k.set(hm(11))
    time.sleep(25)
    c.expect(training in w.items, "on Wednesday it is still there")
    c.expect(s.ask("GET", f"/v1/rooms/{ROOM}")[1]["checked_in"] is True, "and shown as checked in")
finally:
    s.close()
c.end()
