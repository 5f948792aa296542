import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# The answer to an early end is lost, and nothing can be read for some seconds. Then everything works again.
t = minute(now())
meeting = Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))
w = World([meeting])
down = [0.0]


def outage(ask, world):
    if ask.op == "UpdateItem" and not down[0]:
        world.do_UpdateItem(ask)
        down[0] = time.time() + 15
        return Reply(raw=b"", close=True)
    if down[0] and time.time() < down[0]:
        return Reply(raw=b"", close=True)


w.hook(outage)
c = Case(w, config="[live]\nmode = \"on-demand\"\n")
s = Served(c)
try:
    st, got = s.ask("POST", f"/v1/rooms/{ROOM}/end", {}, {"Prefer": "wait=20"})
    c.expect(st == 202 and got["state"] == "open", "the caller gets the action's address: it is in doubt")
    for _ in range(50):
        st, got = s.ask("GET", f"/v1/actions/{got['id']}", say=False)
        if got["state"] != "open":
            break
        time.sleep(1)
    c.say(str(got))
    c.expect(got["state"] == "done", "once the mailbox can be read it is known: done, without a person")
    c.expect(len(w.ops("UpdateItem")) == 1, "it was sent once")
finally:
    s.close()
c.end()
