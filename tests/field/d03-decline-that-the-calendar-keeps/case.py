import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# PreserveDeclinedMeetings: a declined meeting stays on the calendar with MyResponseType Decline. The reply to the decline is lost.
t = minute(now())
meeting = Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))
w = World([meeting])
declines = []


def keeps(ask, world):
    if ask.op == "CreateItem" and "DeclineItem" in ask.text:
        declines.append(ask)
        meeting.response, meeting.free_busy, meeting.version = "Decline", "Free", meeting.version + 1
        return Reply(raw=b"", close=True)


w.hook(keeps)
c = Case(w)
got = c.run("delete", ROOM, "--event", meeting.id, "--json")
c.expect(got.rc == 0 and len(declines) == 1, "the lost reply is looked up: the meeting shows that it was declined")
c.expect(got.json()["change"]["notification"] == "unknown", "no message is in Sent Items, so the answer does not claim that the organizer was notified")
got = c.run("delete", ROOM, "--event", meeting.id)
c.expect(got.rc == 0 and len(declines) == 1, "asked again, it is declined already, and nothing is sent")
c.end()
