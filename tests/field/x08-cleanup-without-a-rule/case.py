import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
# [cleanup] with exceptions and limits, and no rule: it runs every night and never releases anything. A warning reports it.
w = World([])
c = fresh(w, config='[cleanup.exceptions]\nprivate = true\n[[schedules]]\nname = "night"\ncron = "0 3 * * *"\ntime_zone = "UTC"\n[live]\nmode = "on-demand"\n')
for words in (("cleanup",), ("config", "explain", ROOM)):
    got = c.run(*words)
    c.expect(got.rc == 0 and "nothing is ever released" in got.err, f"`{words[0]}` says that nothing will ever be released")
    c.expect("nothing is ever released" not in got.out, "apart from the data")
s = Service(c)
s.close()
log = open(os.path.join(c.tmp, "serve.log")).read()
c.expect("nothing is ever released" in log, "`serve` says so at its start")
c.end()
