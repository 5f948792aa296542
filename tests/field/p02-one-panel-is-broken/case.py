import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# Two rooms. The panel at the first door breaks at 9:30; the sensors of the building go on (for other rooms). The second room never had a
# panel. Neither meeting of 10:00 has a sign; one of them could have none.
k = Clock(); k.set(hm(9))
rooms = [ROOM, "room2@example.com"]
h = House(rooms)
for n, r in enumerate(rooms):
    h.rooms[r].items.append(Item(f"Person {n}", start=hm(10), end=hm(11), organizer=(f"Person {n}", f"p{n}@example.com"), created=hm(9, day=-7)))
c = fresh(h, rooms=rooms, config=RULE.format(grace=10)); c.env.update(k.env())
s = Service(c)
try:
    key = subprocess.run([BIN, "--config", c.config, "--state-dir", c.state, "key", "add", "door-1", "--rooms", ROOM, "--rights", "read,check-in", "--json"], capture_output=True, env=c.env, timeout=30)
    door = re.search(r"adj_[A-Za-z0-9_-]+", key.stdout.decode()).group(0)
    time.sleep(2.5)
    for minute_ in (0, 4, 8, 12, 16, 20, 24, 28):
        k.set(hm(9, minute_))
        st, _, _ = s.raw("GET", f"/v1/rooms/{ROOM}", headers={"Authorization": f"Bearer {door}"}, auth=False, say=False)
    c.expect(st == 200, "the panel asks for its room until 9:28")
    k.set(hm(9, 45))
    watched(s)
    k.set(hm(10, 10, 5))
    time.sleep(27)
    c.expect(len(h.rooms[rooms[0]].items) == 1, "behind a broken panel people cannot check in: the meeting stays")
    c.expect(len(h.rooms[rooms[1]].items) == 0, "the room without a panel is watched by the sensors: released")
finally:
    s.close()
c.end()
