import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# Three rooms share a stream. The mailbox of one has moved to another back end: each stream says at once that its subscription is not known.
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

streams = []
def told(ids):
    streams.append(time.time())
    yield answer("GetStreamingEvents", "<m:ConnectionStatus>OK</m:ConnectionStatus>")
    time.sleep(0.3)
    moved = [i for i in ids if subs.get(i) == rooms[1]]
    for _ in range(400):
        if moved:
            dead = "".join(f"<m:SubscriptionId>{i}</m:SubscriptionId>" for i in moved)
            yield answer("GetStreamingEvents", f"<m:ErrorSubscriptionIds>{dead}</m:ErrorSubscriptionIds>", "Error", "ErrorSubscriptionNotFound")
            return
        yield answer("GetStreamingEvents", "<m:ConnectionStatus>OK</m:ConnectionStatus>")
        time.sleep(0.5)
c = fresh(h, rooms=rooms)
s = Service(c)
try:
    time.sleep(15)
    n = len(streams)
    time.sleep(8)
    follows = {r: s.ask("GET", f"/v1/rooms/{r}", say=False)[1].get("tracking") for r in rooms}
    c.say(f"streams: {n}, then {len(streams)}; {follows}")
    c.expect(follows[rooms[0]] == follows[rooms[2]] == "streaming" and len(streams) == n, "the other rooms are streamed, without a break")
    c.expect(follows[rooms[1]] == "sync", "the room that moved is polled until it is grouped again")
finally:
    s.close()
c.end()
