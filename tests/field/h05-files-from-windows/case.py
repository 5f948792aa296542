import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
import codecs
# Everything a person writes may come from Notepad or PowerShell: configuration, token, CA, list of rooms.
import certs
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
said = []


def bearer(ask, state):
    said.append(ask.headers.get("authorization"))
    if said[-1] != "Bearer abc.def":
        return Reply(401, b"", {"WWW-Authenticate": "Bearer"})


d, ctx = certs.make()
f = Fake(w, tls=ctx, auth=bearer)
c = Case(w, fake=f, auth=None, server="[server]")
token, ca, rooms = (os.path.join(c.tmp, name) for name in ("token", "ca.pem", "rooms.txt"))
text = f'[server]\r\nurl = "{f.url()}"\r\ntoken = {{ file = "{token}" }}\r\nca_file = "{ca}"\r\n[scope]\r\nrooms = ["{ROOM}"]\r\n'
pem = open(f"{d}/ca.pem").read().replace("\n", "\r\n")
FORMS = {"UTF-8 with a mark": lambda s: codecs.BOM_UTF8 + s.encode(), "UTF-16": lambda s: codecs.BOM_UTF16_LE + s.encode("utf-16-le"), "UTF-16, big end first": lambda s: codecs.BOM_UTF16_BE + s.encode("utf-16-be")}
for form, write in FORMS.items():
    for path, content in ((c.config, text), (token, "abc.def\r\n"), (ca, pem), (rooms, f"{ROOM}\r\n")):
        open(path, "wb").write(write(content))
    got = c.run("events", ROOM)
    c.expect(got.rc == 0, f"{form}: configuration, token and CA are read")
    got = c.run("cleanup", "--rooms", rooms)
    c.expect(got.rc == 0, f"{form}: the list of rooms is read")
    plan = os.path.join(c.tmp, "plan.json")
    open(plan, "wb").write(write(c.run("--json", "cleanup", "--rooms", rooms).out))
    got = c.run("cleanup", "--from-plan", plan)
    c.expect("is not a plan" not in got.all and "cannot read" not in got.all, f"{form}: the plan is read")
c.end()
