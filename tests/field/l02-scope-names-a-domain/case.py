import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# The scope lists one room and names the domain. Displays ask for a second room; a badge reader speaks of a third, and of one that is not there.
rooms = [f"room{n}@example.com" for n in range(1, 4)]
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

c = fresh(h, rooms=rooms[:1], config='domains = ["example.com"]')
s = Service(c)
try:
    st, got = s.ask("GET", f"/v1/rooms/{rooms[1]}")
    c.expect(st == 200, "a room of the domain is shown")
    at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
    s.ask("POST", "/v1/evidence", {"signs": [{"room": r, "source": "badge", "at": at} for r in (rooms[2], "typo@example.com")]})
    followed, t0 = set(), time.time()
    while time.time() - t0 < 35 and not followed >= set(rooms):
        time.sleep(1)
        followed = set(subs.values())
    c.say(f"after {time.time() - t0:.0f} s subscribed to: {sorted(followed)}")
    c.expect(rooms[1] in followed, "the room that was asked for is followed")
    c.expect(rooms[2] in followed, "the room that evidence named is followed")
    c.expect("typo@example.com" not in followed, "an address without a mailbox is not")
finally:
    s.close()
c.end()
