"""Kerberos that we did not write: MIT's KDC and its acceptor, in front of the simulator, as IIS stands in front of EWS.

Usage: kerberos.py PATH-OF-adjourn. Makes a realm of its own in a temporary directory, serves HTTPS with `Negotiate`, and lets `adjourn doctor` sign in there with a password and with a keytab. Needs Debian's krb5-kdc,
krb5-admin-server, krb5-user and python3-gssapi. Everything listens on 127.0.0.1. Without a channel binding: MIT's acceptor does not
take a ticket with the one that the sspi library adds ("Invalid message type").
"""

import base64
import http.client
import http.server
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REALM, USER, PASSWORD = "EXAMPLE.TEST", "svc-rooms", "Tick3t-Please"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def realm(home, port):
    """A database with the account and the web server, and keytabs of both."""
    (home / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n rdns = false\n dns_canonicalize_hostname = false\n"
        f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
    )
    (home / "kdc.conf").write_text(
        f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n"
        f"[realms]\n {REALM} = {{\n  database_name = {home}/principal\n  key_stash_file = {home}/stash\n"
        f"  acl_file = {home}/acl\n  supported_enctypes = aes256-cts-hmac-sha1-96:normal\n }}\n"
    )
    os.environ.update(
        KRB5_CONFIG=str(home / "krb5.conf"),
        KRB5_KDC_PROFILE=str(home / "kdc.conf"),
        KRB5_KTNAME=str(home / "http.keytab"),
        KRB5RCACHETYPE="none",
    )
    run = lambda *words: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    run("/usr/sbin/kdb5_util", "create", "-r", REALM, "-s", "-P", "master")
    admin = lambda query: run("/usr/sbin/kadmin.local", "-r", REALM, "-q", query)
    admin(f"addprinc +requires_preauth -pw {PASSWORD} {USER}")
    admin("addprinc -randkey HTTP/localhost")
    admin(f"ktadd -k {home}/http.keytab HTTP/localhost")
    admin(f"ktadd -norandkey -k {home}/svc.keytab {USER}")
    return subprocess.Popen(["/usr/sbin/krb5kdc", "-n", "-r", REALM], stdout=subprocess.DEVNULL)


class Front(http.server.BaseHTTPRequestHandler):
    """Lets in whoever has a ticket, and asks the simulator in the account's name."""

    protocol_version = "HTTP/1.1"
    known = False
    back, basic, seen = None, None, []

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        import gssapi

        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = None
        said = self.headers.get("Authorization", "")
        if said.startswith("Negotiate "):
            context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(usage="accept"))
            try:
                token = context.step(base64.b64decode(said.split()[1]))
                self.known = context.complete
                mech = "1.2.840.113554.1.2.2"  # Kerberos
                Front.seen.append((str(context.initiator_name), mech if mech in context.mech.dotted_form else "other"))
            except gssapi.exceptions.GSSError as error:
                Front.seen.append((type(error).__name__, str(error)))
                self.known = False
        if not self.known:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Negotiate")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        back = http.client.HTTPConnection("127.0.0.1", self.back)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("authorization", "host", "accept-encoding")}
        headers.update({"Authorization": self.basic, "Accept-Encoding": "identity"})
        back.request(self.command, self.path, body, headers)
        answer = back.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/xml"))
        self.send_header("Content-Length", str(len(content)))
        if token:
            self.send_header("WWW-Authenticate", "Negotiate " + base64.b64encode(token).decode())
        self.end_headers()
        self.wfile.write(content)


CERTIFICATES = Path(__file__).parents[2] / "fixtures" / "certificates"


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "rsa-sha384.pem", CERTIFICATES / "worthless-rsa.key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def doctor(adjourn, home, port, kdc, proof):
    (home / "adjourn.toml").write_text(
        f'[server]\nurl = "https://localhost:{port}/EWS/Exchange.asmx"\nauth = "negotiate"\nusername = \'{REALM}\\{USER}\'\n'
        f'channel_binding = "off"\nca_file = "{CERTIFICATES}/rsa-ca.pem"\nkdc = "tcp://127.0.0.1:{kdc}"\n{proof}\n'
        '[scope]\nrooms = ["room-aurora@example.com"]\n'
    )
    run = subprocess.run([adjourn, "doctor"], cwd=home, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def main():
    adjourn = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as temp:
        home = Path(temp)
        kdc_port, back = free_port(), free_port()
        kdc = realm(home, kdc_port)
        sim = subprocess.Popen([adjourn, "sim", "--port", str(back), "--json"], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL)
        try:
            Front.back = back
            Front.basic = "Basic " + base64.b64encode(b"svc-adjourn@example.com:simulated").decode()
            server = serve()
            port = server.server_address[1]
            time.sleep(1)
            (home / "password").write_text(PASSWORD)
            ways = {"password": 'password = { file = "password" }', "keytab": f'keytab_file = "{home}/svc.keytab"'}
            for way, proof in ways.items():
                Front.seen.clear()
                code, said = doctor(adjourn, home, port, kdc_port, proof)
                assert code == 0, (said, Front.seen)
                assert Front.seen and all(one == (f"{USER}@{REALM}", "1.2.840.113554.1.2.2") for one in Front.seen), Front.seen
                print(f"Kerberos by {way}: {len(Front.seen)} tickets accepted by MIT krb5")
            (home / "password").write_text("wrong")
            code, said = doctor(adjourn, home, port, kdc_port, ways["password"])
            assert code == 5, said
            print("Kerberos with a wrong password: " + said.splitlines()[0])
        finally:
            for process in (sim, kdc):
                process.terminate()
                process.wait()


main()
