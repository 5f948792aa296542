import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# What stands before Exchange closes idle connections: with a word (Keep-Alive: timeout=…), or without.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
mode, served = {"close": "said"}, []


def front(ask, state):
    state["n"] = state.get("n", 0) + 1
    served.append(state["n"])
    if "authorization" not in ask.headers:
        return Reply(401, b"", {"WWW-Authenticate": 'Basic realm="mail"'})
    reply = w.serve(ask)
    if mode["close"] == "said":
        reply.headers["Keep-Alive"] = "timeout=1, max=100"
    elif mode["close"] == "in a list":
        reply.headers["Connection"] = "Keep-Alive, Close"
    else:
        reply.close, reply.headers["Connection"] = True, "keep-alive"
    return reply


f = Fake(w, auth=front)
c = Case(w, fake=f)
for how in ("said", "in a list", "unsaid"):
    mode["close"] = how
    got = c.run("events", ROOM)
    c.expect(got.rc == 0, f"{how}: a read goes through")
    end = w.items[0].end
    before = len(w.ops("UpdateItem"))
    w.items[0].end = now() + timedelta(minutes=40)
    w.items[0].version += 1
    got = c.run("end", ROOM)
    c.expect(got.rc == 0, f"{how}: a write goes through")
    c.expect(len(w.ops("UpdateItem")) == before + 1, f"{how}: once")
    w.items[0].start, w.items[0].end = minute(now()) - timedelta(minutes=20), minute(now()) + timedelta(minutes=40)
    w.items[0].version += 1
    if how in ("said", "in a list"):
        c.expect(max(served[-4:]) == 1, f"{how}: no connection is used beyond its time")
c.end()
