import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
import sqlite3
# A battery is empty, or a hypervisor's time is wrong: the clock jumps 400 days ahead under the running service, and back. Exchange says the
# right time in every answer.
k = Clock(); k.set(hm(9, 5))
right = k.ahead


def dated(ask, world):
    reply = World.serve(world, ask)
    reply.headers["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + right))
    return reply


class Dated(World):
    def serve(self, ask):
        return dated(ask, self)


meeting = Item(start=hm(9), end=hm(10, 30), created=hm(9, day=-7))
w = Dated([meeting])
c = fresh(w, config=RULE.format(grace=10) + '[[schedules]]\nname = "hourly"\ncron = "0 * * * *"\ntime_zone = "UTC"\n'); c.env.update(k.env())
s = Service(c)


def ask_store(sql):
    with sqlite3.connect(f"file:{c.state}/service.sqlite?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


try:
    watched(s)
    s.ask("GET", f"/v1/rooms/{ROOM}")
    st, _ = s.ask("POST", "/v1/evidence", {"signs": [{"room": ROOM, "source": "motion", "event": meeting.id}]})
    c.expect(st == 200 and len(ask_store("SELECT * FROM evidence")) == 1, "9:05: people are there")
    k.on(400 * 86400)
    time.sleep(25)
    s.ask("POST", "/v1/evidence", {"signs": [{"room": ROOM, "source": "motion", "event": "another"}]})
    log = open(os.path.join(c.tmp, "serve.log")).read()
    c.expect("the system clock is not trusted" in log, "the log says that the clock is not trusted")
    c.expect("clock_in_doubt 1" in s.raw("GET", "/metrics", say=False)[1], "so does a metric")
    c.expect(meeting in w.items, "the meeting stays")
    c.expect(len(ask_store("SELECT * FROM evidence")) == 2, "no evidence is deleted")
    ran = ask_store("SELECT last_ms FROM runs")
    c.expect(all(last < (hm(9).timestamp() + 86400) * 1000 for last, in ran), "no schedule ran in 400 days")
    with sqlite3.connect(f"file:{c.state}/journal.sqlite?mode=ro", uri=True) as db:
        facts = [json.loads(body) for body, in db.execute("SELECT body FROM entries")]
    c.expect("clock-implausible" in json.dumps(facts), "the journal has it as a fact")
    k.on(-400 * 86400)
    time.sleep(25)
    log = open(os.path.join(c.tmp, "serve.log")).read()
    c.expect("the system clock is trusted again" in log, "it is believed again when it is right again")
    st, _ = s.ask("POST", f"/v1/rooms/{ROOM}/end", {})
    c.expect(st == 200, "an action at the door is carried out")
finally:
    s.close()
c.end()
