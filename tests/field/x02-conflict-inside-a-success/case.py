import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# exchangelib#746: UpdateItem answers Success, with ConflictResults/Count 1, and the property has its old value. Or the answer is about
# another item, or its code is an error's: the request was not carried out.
t = minute(now())
ITEM = '<m:Items><t:CalendarItem><t:ItemId Id="{}" ChangeKey="{}"/></t:CalendarItem></m:Items><m:ConflictResults><t:Count>{}</t:Count></m:ConflictResults>'
for what, cls, code, count, other in (("a conflict", "Success", "NoError", 1, ""), ("another item", "Success", "NoError", 0, "Other"),
                                      ("an error's code", "Success", "ErrorItemSave", 0, ""), ("a warning", "Warning", "ErrorItemSave", 0, "")):
    w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
    item = w.items[0]
    w.hook(lambda ask, world: Reply(200, answer("UpdateItem", ITEM.format(item.id + other, item.ck, count), cls, code)) if ask.op == "UpdateItem" else None)
    c = fresh(w)
    got = c.run("end", ROOM)
    c.expect(got.rc != 0, f"{what}: the early end is not called done, since the meeting has its old end")
    c.expect(len(w.ops("UpdateItem")) <= 2, f"{what}: not sent again and again")
    last = c
    if any(not ok for ok, _ in c.checks) or what == "a warning":
        break
    last.fake.close()
c.end()
