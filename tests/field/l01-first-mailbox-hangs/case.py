import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# Three rooms, streamed. The mailbox of the first hangs from the start: every request in its name is taken and never answered.
rooms = ["room1@example.com", "room2@example.com", "room3@example.com"]
h = House(rooms)

count, subs = [0], {}
def told(ids):
    for _ in range(400):
        yield answer("GetStreamingEvents", "<m:ConnectionStatus>OK</m:ConnectionStatus>")
        time.sleep(0.5)
def stream(ask, world):
    if ask.op == "Subscribe":
        count[0] += 1
        subs[f"sub{count[0]}"] = ask.mailbox
        return Reply(200, answer("Subscribe", f"<m:SubscriptionId>sub{count[0]}</m:SubscriptionId>"))
    if ask.op == "GetStreamingEvents":
        return Reply(200, stream=told(re.findall(r"sub\d+", ask.body if isinstance(ask.body, str) else ask.body.decode())))
    if ask.op == "Unsubscribe":
        return Reply(200, answer("Unsubscribe", ""))
h.hook(stream)

real = h.serve
def serve(ask):
    if ask.mailbox == rooms[0]:
        time.sleep(120)
        return Reply(503, b"", close=True)
    return real(ask)
h.serve = serve
c = fresh(h, rooms=rooms)
s = Service(c)
try:
    t0 = time.time()
    st, got = s.ask("GET", f"/v1/rooms/{rooms[1]}")
    took = time.time() - t0
    c.expect(st == 200 and took < 8, f"another room is shown at once ({took:.1f} s)")
    follows, t0 = set(), time.time()
    while time.time() - t0 < 35 and follows != {"streaming"}:
        time.sleep(1)
        follows = {s.ask("GET", f"/v1/rooms/{r}", say=False)[1].get("tracking") for r in rooms[1:]}
    c.say(f"after {time.time() - t0:.0f} s: {sorted(map(str, follows))}")
    c.expect(follows == {"streaming"}, "the other rooms are streamed within half a minute")
finally:
    s.close()
c.end()
