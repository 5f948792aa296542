import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# What stands where a response code is due, or an element's name, comes from outside: it may be a whole text, with people's words in it.
SECRET = "Layoffs in March, says ada@example.com. " * 20000
w = World([Item(start=minute(now()), end=minute(now()) + timedelta(hours=1))])
say = [None]
w.hook(lambda ask, world: Reply(200, say[0]) if say[0] else None)
c = fresh(w, config='[live]\nmode = "on-demand"\n')
word = re.sub(r"[^A-Za-z]", "", SECRET)
bodies = (("a response code", answer("FindItem", "", "Error", SECRET)), ("a response class", answer("FindItem", "", "Layoffs in March " * 9000)),
          ("an element", envelope("").replace(b"<s:Body></s:Body>", f"<s:Body><{word}></s:Body>".encode())),
          ("a fault's code", fault(SECRET, faultcode="x")))
for what, body in bodies:
    say[0] = body
    got = c.run("events", ROOM)
    c.out[-3:] = [line[:200] for line in c.out[-3:]]
    c.expect(got.rc != 0 and len(got.all) < 2000, f"{what}: an error of bounded length")
    c.expect("Layoffs in" not in got.all and "ada@" not in got.all, f"{what}: nothing of the text is shown")
s = Service(c)
try:
    say[0] = bodies[0][1]
    st, said, _ = s.raw("GET", f"/v1/rooms/{ROOM}", say=False)
    c.expect(st >= 400 and len(json.dumps(said)) < 2000 and "Layoffs" not in json.dumps(said), "nor to callers of the API")
finally:
    s.close()
log = open(os.path.join(c.tmp, "serve.log")).read()
c.expect("Layoffs" not in log and len(log) < 20000, "nor in the log")
c.end()
