import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# A panel knows the date of a series by its id of yesterday. The organizer edits the date: it gets another id. Then a check-in arrives.
k = Clock(); k.set(hm(9, 30))
date = Item("Weekly", start=hm(10), end=hm(11), kind="Occurrence", created=hm(9, day=-30))
w = World([date])
c = fresh(w, config=RULE.format(grace=10)); c.env.update(k.env())
s = Service(c)
try:
    watched(s)
    s.ask("GET", f"/v1/rooms/{ROOM}", say=False)
    k.set(hm(9, 58))
    time.sleep(22)
    old = date.id
    with w.lock:
        date.id, date.kind = "AAMkEdited0001=", "Exception"
    k.set(hm(10, 1))
    st, said = s.ask("POST", "/v1/evidence", {"signs": [{"room": ROOM, "event": old, "source": "panel"}]})
    k.set(hm(10, 10, 30))
    time.sleep(26)
    c.expect(date in w.items, "the check-in under the old id keeps the date, or the answer and the plan name it and the date stays")
    stranger = s.ask("POST", "/v1/evidence", {"signs": [{"room": ROOM, "event": "AAMkNobodyKnows=", "source": "panel"}]})[1]
    c.expect(stranger["unmatched"] and stranger["unmatched"][0]["index"] == 0, "an unknown id is named in the answer")
finally:
    s.close()
c.end()
