import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# A sensor came up without a clock: its signs are of 1970. In the second room there is none at all.
k = Clock(); k.set(hm(9, 30))
rooms = [ROOM, "room2@example.com"]
h = House(rooms)
for n, r in enumerate(rooms):
    h.rooms[r].items.append(Item(f"Person {n}", start=hm(10), end=hm(11), organizer=(f"Person {n}", f"p{n}@example.com"), created=hm(9, day=-7)))
c = fresh(h, rooms=rooms, config=RULE.format(grace=10)); c.env.update(k.env())
s = Service(c)
try:
    watched(s)
    s.ask("GET", f"/v1/rooms/{ROOM}", say=False)
    k.set(hm(10, 3))
    st, said = s.ask("POST", "/v1/evidence", {"signs": [{"room": ROOM, "source": "motion", "at": "1970-01-01T00:00:07Z"}]})
    c.expect(st == 200 and "clock" in json.dumps(said["unmatched"]), "its sender is told about the clock")
    k.set(hm(10, 10, 5))
    time.sleep(27)
    c.expect(len(h.rooms[rooms[0]].items) == 1, "people were there, at an unknown time: the meeting stays")
    c.expect(len(h.rooms[rooms[1]].items) == 0, "control: the other room is released")
finally:
    s.close()
c.end()
