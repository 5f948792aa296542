import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# An empty file (a rollout that went wrong), a file of no text, an empty variable: each would be sent as a wrong password, and counted.
w = World([])
said = []


def basic(ask, state):
    said.append(ask.headers.get("authorization"))
    return Reply(401, b"", {"WWW-Authenticate": 'Basic realm="mail"'}) if said[-1] else Reply(401, b"", {"WWW-Authenticate": 'Basic realm="mail"'})


c = Case(w, auth="basic", server='password = { file = "PASSWORD" }', fake=Fake(w, auth=basic))
path = os.path.join(c.tmp, "password")
text = open(c.config).read()
open(c.config, "w").write(text.replace("PASSWORD", path))
for label, data in (("an empty file", b""), ("an empty first line", b"\nsecret\n"), ("a mark and nothing else", b"\xef\xbb\xbf"), ("UTF-16 without a mark", "secret".encode("utf-16-le")), ("Windows-1252", b"gr\xfcn\n")):
    open(path, "wb").write(data)
    said.clear()
    got = c.run("events", ROOM)
    c.expect(got.rc == 2 and not said, f"{label}: refused before anything is sent")
open(c.config, "w").write(text.replace('{ file = "PASSWORD" }', '{ env = "ADJOURN_PASSWORD" }'))
got = c.run("events", ROOM, env={"ADJOURN_PASSWORD": ""})
c.expect(got.rc == 2 and not said, "an empty variable: refused before anything is sent")
got = c.run("events", ROOM, env={"ADJOURN_PASSWORD": "\ufeffsecret\r\n"})
c.expect(said and base64.b64decode(said[-1].split()[1]) == b"svc@example.com:secret", "a variable that was filled from a file is its first line, without the mark")
open(c.config, "w").write(text.replace('{ file = "PASSWORD" }', '{ env = "hunter2!" }'))
got = c.run("events", ROOM)
c.expect(got.rc == 2 and "hunter2" not in got.all, "a secret in the place of its variable's name is not printed")
c.end()
