import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# A proxy that filters, a server half-way through an update: every answer says Success and NoError, and its content is missing. A room
# with a meeting in it must not look free, and no write may be called done.
t = minute(now())
EMPTY = "<m:RootFolder TotalItemsInView=\"0\" IncludesLastItemInRange=\"true\"/>"
MORE = "<m:RootFolder TotalItemsInView=\"3\" IncludesLastItemInRange=\"true\"><t:Items/></m:RootFolder>"
w = World([Item(start=t - timedelta(minutes=5), end=t + timedelta(minutes=55))])
strip = {}
w.hook(lambda ask, world: Reply(200, answer(ask.op, strip[ask.op])) if ask.op in strip else None)
c = fresh(w)
for what, inner in (("no RootFolder", ""), ("no Items", EMPTY), ("three announced, none sent", MORE)):
    strip = {"FindItem": inner}
    got = c.run("book", ROOM, "--minutes", "15")
    c.expect(got.rc != 0 and not w.ops("CreateItem"), f"FindItem, {what}: the room is not booked")
    got = c.run("end", ROOM)
    c.expect(got.rc not in (0, 1), f"FindItem, {what}: no 'nothing is on'")
    got = c.run("events", ROOM)
    c.expect(got.rc != 0 and "no events" not in got.all, f"FindItem, {what}: no empty calendar is shown")
for inner in ("", "<m:Items/>"):
    strip = {"GetItem": inner}
    got = c.run("delete", ROOM, "--event", w.items[0].id)
    c.expect(got.rc != 0 and "no longer" not in got.all and "already" not in got.all, f"GetItem with {inner or 'nothing'}: not 'gone'")
    c.expect(len(w.items) == 1, "the meeting is on the calendar")
strip = {"UpdateItem": ""}
end = w.items[0].end
got = c.run("end", ROOM)
c.expect(got.rc != 0 or w.items[0].end != end, "UpdateItem that changed nothing and says Success: not done")
c.end()
