import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
import certs
w = World([])
plain = Fake(w)
http = socket.socket()
http.bind(("127.0.0.1", 0))
http.listen(16)


def answer_in_http():  # as IIS does what it cannot read as a request
    while True:
        conn, _ = http.accept()
        conn.recv(4096)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        conn.close()


threading.Thread(target=answer_in_http, daemon=True).start()
c = Case(w, fake=plain, url=f"https://127.0.0.1:{http.getsockname()[1]}/EWS/Exchange.asmx", server="operation_timeout_s = 3")
doc = c.run("doctor")
c.expect(doc.rc == 5 and "not speak TLS" in doc.out.splitlines()[0], "https to a port that speaks plain HTTP: doctor names it")
got = c.run("events", ROOM)
c.expect("not speak TLS" in got.all, "and so does a command")
d, ctx = certs.make()
alert = socket.socket()
alert.bind(("127.0.0.1", 0))
alert.listen(16)


def answer_in_tls():
    while True:
        conn, _ = alert.accept()
        conn.recv(4096)
        conn.sendall(bytes.fromhex("15030100020246"))
        conn.close()


threading.Thread(target=answer_in_tls, daemon=True).start()


def nginx(ask, state):
    return Reply(400, b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>", {"Content-Type": "text/html"}, close=True)


for label, port in (("answers with a TLS alert", alert.getsockname()[1]), ("answers with a page", Fake(w, auth=nginx).port)):
    c2 = Case(w, fake=plain, url=f"http://127.0.0.1:{port}/EWS/Exchange.asmx", server="operation_timeout_s = 3")
    c.config, c.state = c2.config, c2.state
    doc = c.run("doctor")
    c.expect(doc.rc == 5 and "port" in doc.out.splitlines()[0] and "https" in doc.all, f"http to a port that {label}: doctor names it")
    got = c.run("events", ROOM)
    c.expect("https" in got.all, f"a port that {label}: so does a command")
c.end()
