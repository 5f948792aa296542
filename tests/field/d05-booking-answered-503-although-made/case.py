import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# A load balancer answers 503 to a request that it had passed on: the booking is made. Sent again, it would be made twice.
w = World([])
count = [0]


def late(ask, world):
    if ask.op == "CreateItem":
        count[0] += 1
        if count[0] == 1:
            world.do_CreateItem(ask)
            return Reply(503, b"<html>Service Unavailable</html>", {"Content-Type": "text/html"})


w.hook(late)
c = Case(w, config="[live]\nmode = \"on-demand\"\n")
s = Served(c)
try:
    st, got = s.ask("POST", f"/v1/rooms/{ROOM}/book", {"minutes": 30})
    c.expect(st == 200 and got["state"] == "done", "the room is booked")
    c.expect(len(w.items) == 1 and count[0] == 1, "once")
finally:
    s.close()
c.end()
