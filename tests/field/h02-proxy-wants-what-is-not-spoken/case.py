import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
# The proxy answers 407 and names its schemes in one field, as some do; the connection is HTTPS, so that it is asked at all.
w = World([])
seen = []


def proxy(ask, state):
    seen.append(ask.method)
    return Reply(407, b"", {"Proxy-Authenticate": 'Negotiate, NTLM, Digest realm="a, Basic", nonce="x"', "Content-Type": "text/html"})


p = Fake(w, auth=proxy)
c = Case(w, fake=p, url="https://mail.example.test/EWS/Exchange.asmx", server=f'proxy = {{ url = "http://127.0.0.1:{p.port}" }}\nconnect_timeout_s = 3\noperation_timeout_s = 5')
doc = c.run("doctor")
c.expect("CONNECT" in seen, "control: the proxy was asked")
c.expect("Negotiate, NTLM, Digest" in doc.all, "doctor names what the proxy offers")
c.expect("nonce" not in doc.all and "realm" not in doc.all, "and nothing of the challenges but their names")
got = c.run("events", ROOM, timeout=60)
c.expect(got.rc not in (0, None) and "407" in got.all, "a command says that it is the proxy (407)")
c.end()
