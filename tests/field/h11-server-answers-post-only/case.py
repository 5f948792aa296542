import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# What stands before Exchange lets POST through to EWS, and answers anything else by itself.
w = World([])
mode = {"s": 404}


def front(ask, state):
    if ask.method != "POST":
        return Reply(mode["s"], b"<html>not found</html>", {"Content-Type": "text/html"})
    if "authorization" not in ask.headers:
        return Reply(401, b"", {"WWW-Authenticate": 'Basic realm="mail"'})


c = Case(w, fake=Fake(w, auth=front))
for status in (404, 405, 501):
    mode["s"] = status
    doc = c.run("doctor", "--json")
    failed = [f["check"] for f in doc.json().get("findings", [{"status": "fail", "check": "?"}]) if f["status"] == "fail"]
    c.expect(not failed, f"GET answers {status}: doctor finds nothing wrong ({failed})")


def nothing(ask, state):
    return Reply(404, b"", {})


c2 = Case(w, fake=Fake(w, auth=nothing))
c.config, c.state = c2.config, c2.state
doc = c.run("doctor")
c.expect(doc.rc == 5 and "not from EWS" in doc.out.splitlines()[0], "control: a server that has no such path at all is still told so")
c.end()
