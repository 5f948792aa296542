import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# What Exchange has against a change is shown, and nothing is guessed about rights or passwords.
t = minute(now())
WORDS = {"ErrorQuotaExceeded": "full", "ErrorInvalidLicense": "licence", "ErrorMailboxStoreUnavailable": "database", "ErrorOccurrenceCrossingBoundary": "next or previous"}
mode = {"code": None}
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])


def hook(ask, world):
    if ask.op == "UpdateItem" or ask.op == "CreateItem":
        return Reply(200, answer(ask.op, "<m:Items/>", "Error", mode["code"]))


w.hook(hook)
c = Case(w, server="operation_timeout_s = 4")
for code, word in WORDS.items():
    mode["code"] = code
    got = c.run("end", ROOM, timeout=120)
    c.expect(got.rc not in (0, None) and code in got.all, f"{code}: the code is shown")
    if code != "ErrorMailboxStoreUnavailable":
        c.expect(word in got.all, f"{code}: and its meaning")
    c.expect("rights" not in got.all and "password" not in got.all, f"{code}: no guess about rights or passwords")
mode["code"] = "ErrorQuotaExceeded"
doc = c.run("doctor", "--write-test", ROOM, timeout=120)
c.expect("ErrorQuotaExceeded" in doc.all and "ApplicationImpersonation" not in doc.all, "doctor's write test does not take a full mailbox for a missing right")
c.end()
