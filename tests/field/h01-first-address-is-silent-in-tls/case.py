import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
import certs
# Both addresses take the connection. Behind the first, nothing works any more: it never answers the TLS handshake, or hangs up.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
d, ctx = certs.make(names=("DNS:mail.example.test",))
f = Fake(w, tls=ctx)
dead = socket.socket()
dead.bind(("127.0.0.1", 0))
dead.listen(64)
mode, held = {"m": "silent"}, []


def take():
    while True:
        conn, _ = dead.accept()
        if mode["m"] == "silent":
            held.append(conn)
        else:
            conn.close()


threading.Thread(target=take, daemon=True).start()
c = Case(w, fake=f, url=f.url(host="mail.example.test"), server=f'ca_file = "{d}/ca.pem"\nconnect_timeout_s = 4')
env = {"LD_PRELOAD": os.environ["FIELD_SHIM"], "FIELD_HOLE": str(dead.getsockname()[1])}
for m in ("silent", "hangs up"):
    mode["m"] = m
    got = c.run("events", ROOM, env=env, timeout=120)
    c.expect(got.rc == 0, f"where the first address {'is silent' if m == 'silent' else m} in the handshake, the second one is asked")
    c.expect(got.took < 10, f"{m}: within the time of few connections")
c.end()
