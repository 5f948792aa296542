import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# The first room's mailbox answers with an unknown code. The others are as they should be.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])


def hook(ask, world):
    if ask.mailbox == ROOM:
        return Reply(200, answer("GetFolder", "<m:Folders/>", "Error", "ErrorOfTomorrow")) if ask.op == "GetFolder" else Reply(500, fault("ErrorOfTomorrow"))


w.hook(hook)
rooms = (ROOM, "room2@example.com", "room3@example.com")
c = Case(w, rooms=rooms, server="operation_timeout_s = 4")
doc = c.run("doctor", "--json")
found = doc.json().get("findings", [])
c.expect([f for f in found if f["check"] == "sign-in" and f["status"] == "pass"], "doctor: the account is accepted")
c.expect([f for f in found if f.get("room") == ROOM and f.get("code") == "ErrorOfTomorrow"], "doctor: the one room is named, with the code")
c.expect([f for f in found if "2 of 3" in f["message"]], "doctor: the others are looked at")
got = c.run("events", "room2@example.com")
c.expect(got.rc == 0, "another room is read")
got = c.run("events", ROOM)
c.expect(got.rc not in (0, None) and "ErrorOfTomorrow" in got.all, "the room itself says the code")
c.end()
