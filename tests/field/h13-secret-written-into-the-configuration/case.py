import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# Somebody writes the password itself where its place belongs. The message goes into tickets and logs.
w = World([])
c = Case(w)
text = open(c.config).read()
for line in ('password = "hunter2"', "password = hunter2", 'password = { value = "hunter2" }', 'password = { command = "echo hunter2" }', 'token = "hunter2"', 'proxy = "http://u:hunter2@p:1"',
             'proxy = { url = "http://u:hunter2@p:1" }', 'oauth = { tenant = "x", client_id = "y", secret = "hunter2" }', 'passwrod = "hunter2"'):
    open(c.config, "w").write(text.replace('username = "svc@example.com"', 'username = "svc@example.com"\n' + line))
    c.out.append("(not shown) " + line.split("=")[0])
    got = c.run("events", ROOM)
    c.expect(got.rc == 2, f"{line.split(' ')[0]} …: refused")
    c.expect("hunter2" not in got.all, f"{line.split(' ')[0]} …: and not printed")
    doc = c.run("doctor", "--json")
    c.expect("hunter2" not in doc.all, f"{line.split(' ')[0]} …: nor by doctor")
open(c.config, "w").write(text + '[[webhooks]]\nname = "x"\nurl = "http://hooks.example.com/T0/hunter2"\nsecret = { file = "x" }\n')
got = c.run("events", ROOM)
c.expect(got.rc == 2 and "hunter2" not in got.all, "a webhook's path is not printed")
c.end()
