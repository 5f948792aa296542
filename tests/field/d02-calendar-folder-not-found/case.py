import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# The account may not see the room's calendar: ErrorFolderNotFound. That is a matter of rights, not an empty room.
t = minute(now())
meeting = Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))
w = World([meeting])
w.hook(lambda ask, world: Reply(200, answer("FindItem", "", "Error", "ErrorFolderNotFound")) if ask.op == "FindItem" else None)
w.hook(lambda ask, world: Reply(200, answer("CreateItem", "<m:Items/>", "Error", "ErrorFolderNotFound")) if ask.op == "CreateItem" else None)
c = Case(w)
for words in (("end", ROOM), ("delete", ROOM), ("delete", ROOM, "--event", meeting.id)):
    got = c.run(*words)
    c.expect(got.rc == 5 and "ErrorFolderNotFound" in got.all, f"`{' '.join(words[:1])}` ends with 5: an administrator has to give rights")
c.expect(meeting in w.items, "the meeting is there")
c.end()
