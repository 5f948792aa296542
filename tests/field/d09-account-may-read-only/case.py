import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# The account may read the room's calendar and not write to it: Exchange answers writes with ErrorItemNotFound.
t = minute(now())
meeting = Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))
w = World([meeting])
w.hook(lambda ask, world: Reply(200, answer(ask.op, "<m:Items/>" if ask.op != "DeleteItem" else "", "Error", "ErrorItemNotFound"))
       if ask.op in ("UpdateItem", "CreateItem", "DeleteItem") else None)
c = Case(w)
for words in (("end", ROOM), ("delete", ROOM), ("delete", ROOM, "--silent")):
    got = c.run(*words)
    c.expect(got.rc == 5 and "already" not in got.all, f"`{' '.join(words)}` ends with 5 and names the rights, not with success")
c.expect(meeting in w.items, "the meeting is there")
c.end()
