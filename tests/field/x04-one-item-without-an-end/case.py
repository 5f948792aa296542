import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# One broken item in a calendar (no End, or an End that is no time): migrations leave such. The other meetings are shown, the broken one
# is named, and no booking goes where it may be.
t = minute(now())
good = Item(start=t + timedelta(minutes=120), end=t + timedelta(minutes=150), subject="Later")
bad = Item(start=t + timedelta(minutes=5), end=t + timedelta(minutes=25), subject="Secret merger")
w = World([good, bad])
c = fresh(w)
for what, over in (("without End", {"End": ""}), ("with an End that is no time", {"End": "<t:End>tomorrow</t:End>"}), ("without ChangeKey", {"ItemId": f'<t:ItemId Id="{bad.id}"/>'})):
    bad.over = over
    got = c.run("events", ROOM, "--json")
    shown = [e.get("id") for e in got.json()["events"]] if got.rc == 0 else []
    c.expect(good.id in shown, f"{what}: the other meeting is shown")
    c.expect(bad.id in got.err and "Secret" not in got.all, f"{what}: the broken one is named by its id, and nothing of it is shown")
    got = c.run("book", ROOM, "--minutes", "30")
    made = [i for i in w.items if i not in (good, bad)]
    c.expect(all(i.end <= bad.start for i in made), f"{what}: no booking over it")
    for i in made:
        w.items.remove(i)
bad.over = {"End": ""}
got = c.run("delete", ROOM, "--event", good.id)
c.expect(good not in w.items, "the other meeting can be acted on")
c.end()
