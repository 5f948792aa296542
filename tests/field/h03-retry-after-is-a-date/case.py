import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
from email.utils import formatdate
# 503 with Retry-After as a date, in each of its three forms; by a clock of the server's own, one hour off.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
busy = {"form": None}
FORMS = {"IMF-fixdate": "%a, %d %b %Y %H:%M:%S GMT", "RFC 850": "%A, %d-%b-%y %H:%M:%S GMT", "asctime": "%a %b %e %H:%M:%S %Y"}


def hook(ask, world):
    form, busy["form"] = busy["form"], None
    if form:
        theirs = time.time() + 3600
        until = "99999999999999999999" if form == "huge" else time.strftime(FORMS[form], time.gmtime(theirs + 3))
        return Reply(503, b"<html>", {"Retry-After": until, "Date": time.strftime(FORMS["IMF-fixdate"], time.gmtime(theirs)), "Content-Type": "text/html"})


w.hook(hook)
c = Case(w, server="operation_timeout_s = 20")
for form in FORMS:
    busy["form"] = form
    got = c.run("events", ROOM)
    c.expect(got.rc == 0, f"{form}: the calendar is read")
    c.expect(2 <= got.took < 12, f"{form}: after the time that was said")
busy["form"] = "huge"
got = c.run("events", ROOM)
c.expect(got.rc not in (0, None) and got.took < 60, "a wait without end is not waited for")
c.expect("panicked" not in got.all, "and nothing breaks")
c.end()
