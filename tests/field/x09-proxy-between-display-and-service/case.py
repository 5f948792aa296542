import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from more import *
import socket
# nginx (keepalive_timeout 60 s to the upstream, gzip on, proxy_buffering on) between displays and the service.
t = minute(now())
w = World([Item(start=t - timedelta(minutes=20), end=t + timedelta(minutes=40))])
c = fresh(w, config='[live]\nmode = "on-demand"\n[api]\nbehind_proxy = true\n')
s = Service(c)
try:
    st, _, got = s.raw("GET", f"/v1/rooms/{ROOM}")
    st, body, _ = s.raw("GET", f"/v1/rooms/{ROOM}", headers={"If-None-Match": "W/" + got["etag"]})
    c.expect(st == 304, "a tag that gzip weakened is still known")
    st, body, got = s.raw("HEAD", f"/v1/rooms/{ROOM}")
    c.expect(st == 200 and body == "" and "etag" in got, "HEAD is GET without its body")
    conn = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
    conn.request("GET", "/v1/events", headers={"Authorization": f"Bearer {s.key}"})
    r = conn.getresponse()
    c.expect(r.getheader("x-accel-buffering") == "no" and "no-cache" in (r.getheader("cache-control") or ""), "a stream of events is passed on at once")
    conn.close()
    kept = http.client.HTTPConnection("127.0.0.1", s.port, timeout=10)
    try:
        for _ in range(2):
            kept.request("GET", "/healthz")
            kept.sock.settimeout(10)
            kept.getresponse().read()
            time.sleep(15)
        kept.sock.setblocking(False)
        try:
            ended = kept.sock.recv(1) == b""
        except BlockingIOError:
            ended = False
        c.expect(not ended, "an idle connection stands longer than the head of a request may take")
    finally:
        kept.close()
finally:
    s.close()
c.end()
