import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# Exchange would let the account write there: the scope is Adjourn's own.
w = World([])
c = Case(w)
doc = c.run("doctor", "--write-test", "boardroom@example.com", "--json")
written = [ask.op for ask in w.log if ask.op in ("CreateItem", "UpdateItem", "DeleteItem", "MoveItem")]
c.expect(not written, "nothing is written in a room outside the scope")
c.expect([f for f in doc.json().get("findings", []) if f["check"] == "write" and f["status"] == "fail" and "scope" in f["message"]], "doctor says why")
doc = c.run("doctor", "--write-test", ROOM.upper(), "--json")
c.expect([f for f in doc.json().get("findings", []) if f["check"] == "write" and f["status"] == "pass"], "control: in the scope it is written, and removed")
c.expect(not w.items, "and nothing is left")
c.end()
