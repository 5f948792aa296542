import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# The room's own meeting: Exchange saves the new end, cannot send the update (submission quota), and answers with a failure.
t = minute(now())
make = lambda: Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40), state=1, response="Organizer", is_organizer=True)
c = Case(World([]))
for reply in ("ErrorSubmissionQuotaExceeded", "ErrorSendAsDenied", "ErrorSendMeetingInvitationsOrCancellationsRequired", "HTTP 500"):
    w, meeting = c.world, make()
    with w.lock:
        w.items[:], w.hooks[:] = [meeting], []

    def saves(ask, world):
        if ask.op == "UpdateItem":
            world.do_UpdateItem(ask)
            return Reply(500, b"") if reply == "HTTP 500" else Reply(200, answer("UpdateItem", "<m:Items/>", "Error", reply))

    w.hook(saves)
    got = c.run("end", ROOM, "--json")
    c.expect(got.rc == 0 and meeting.end <= now(), f"{reply}: the meeting ends now, and the answer is done")
    c.expect(got.json()["change"]["notification"] == "unknown", f"{reply}: the answer does not claim that the attendees were notified")
c.end()
