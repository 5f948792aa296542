import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# The first GetStreamingEvents is refused: ErrorServerBusy, BackOffMilliseconds 22000. Then all is well.
rooms = ["room1@example.com", "room2@example.com"]
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

asked = []
def busy(ask, world):
    if ask.op == "GetStreamingEvents":
        asked.append(time.time())
        if len(asked) == 1:
            return Reply(500, fault("ErrorServerBusy", f'<t:MessageXml xmlns:t="{T}"><t:Value Name="BackOffMilliseconds">22000</t:Value></t:MessageXml>'))
h.hooks.insert(0, busy)
c = fresh(h, rooms=rooms)
s = Service(c)
try:
    t0 = time.time()
    while time.time() - t0 < 38 and len(asked) < 2:
        time.sleep(0.5)
    gap = asked[1] - asked[0] if len(asked) > 1 else None
    c.say(f"asked again after {gap} s")
    c.expect(gap is not None and gap >= 22, "the stream is asked for again, and not before the server said")
finally:
    s.close()
c.end()
