import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# A new installation: the rule is on, cleanup.mode is not set. Nobody comes to the meeting of 10:00.
k = Clock(); k.set(hm(9, 30))
meeting = Item(start=hm(10), end=hm(11), created=hm(9, day=-7))
w = World([meeting])
c = fresh(w, config=RULE.format(grace=10).replace(ACT, "")); c.env.update(k.env())
s = Service(c)
try:
    watched(s)
    k.set(hm(10, 10, 5))
    time.sleep(26)
    c.expect(meeting in w.items and not w.ops("CreateItem", "UpdateItem", "DeleteItem"), "observe mode writes nothing")
    c.expect(s.ask("GET", f"/v1/rooms/{ROOM}")[1]["release_at"] is None, "and the display announces no release")
    got = c.run("decisions", "--since", z(hm(9)), "--json")
    decisions = got.json().get("decisions", [])
    c.expect(got.rc == 0 and [d["outcome"] for d in decisions] == ["would-release"], "the list of decisions shows what would have been released")
    c.expect("no sign from" in decisions[0]["reason"] and "sensors" in decisions[0]["reason"], "with its proof")
finally:
    s.close()
c.end()
