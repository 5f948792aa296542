import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# Namespaces in XML 1.0, 2.3: the name is what the attribute's value is after its references are resolved. A gateway that rewrites XML
# may write a slash or an ampersand as a reference.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
serve = w.serve
def rewritten(ask):
    reply = serve(ask)
    for space in (S, T, M):
        odd = space.replace("h", "&#x68;", 1).replace("/", "&#47;")
        reply.body = reply.body.replace(f'="{space}"'.encode(), f'="{odd}"'.encode())
    return reply
w.serve = rewritten
c = fresh(w)
got = c.run("events", ROOM, "--json")
c.expect(got.rc == 0 and len(got.json()["events"]) == 1, "the meeting is read")
got = c.run("end", ROOM)
c.expect(got.rc == 0 and w.items[0].end <= now(), "and ended")
c.end()
