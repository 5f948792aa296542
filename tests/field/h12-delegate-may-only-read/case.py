import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# Delegate access: the first room's calendar has been shared to read (Reviewer), the other with Full Access.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
says = {"rights": True}


def hook(ask, world):
    if ask.op == "GetFolder":
        makes = "false" if ROOM in ask.text else "true"
        rights = (f"<t:EffectiveRights><t:CreateAssociated>{makes}</t:CreateAssociated><t:CreateContents>{makes}</t:CreateContents><t:CreateHierarchy>{makes}"
                  f"</t:CreateHierarchy><t:Delete>{makes}</t:Delete><t:Modify>{makes}</t:Modify><t:Read>true</t:Read></t:EffectiveRights>")
        return Reply(200, answer("GetFolder", '<m:Folders><t:CalendarFolder><t:FolderId Id="cal" ChangeKey="c"/><t:TotalCount>1</t:TotalCount>'
                                              f'{rights if says["rights"] else ""}</t:CalendarFolder></m:Folders>'))


w.hook(hook)
c = Case(w, rooms=(ROOM, "room2@example.com"), server='access = "delegate"')
doc = c.run("doctor", "--json")
found = doc.json().get("findings", [])
c.expect(any("folder:EffectiveRights" in ask.text for ask in w.ops("GetFolder")), "control: the rights are asked for")
c.expect([f for f in found if f.get("room") == ROOM and f["status"] == "fail" and "Add-MailboxPermission" in f.get("remedy", "")], "the room that can only be read is named, with the command that mends it")
c.expect(not [f for f in found if f.get("room") == "room2@example.com" and f["status"] == "fail"], "the other one is not")
c.expect([f for f in found if "1 of 2" in f["message"]], "and does not count among those that can be acted in")
says["rights"] = False
doc = c.run("doctor", "--json")
c.expect(not [f for f in doc.json().get("findings", []) if f.get("room") == ROOM and f["status"] == "fail"], "where the server says nothing of rights, nothing is claimed")
c.end()
