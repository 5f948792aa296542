"""Kerberos that we did not write: MIT's KDC and its acceptor, in front of the simulator, as IIS stands in front of EWS.

Usage: kerberos.py PATH-OF-adjourn. Makes a realm of its own in a temporary directory, serves HTTPS with `Negotiate`, and lets
`adjourn doctor` sign in there with a password and with a keytab, bound to the TLS connection and not. Needs Debian's krb5-kdc,
krb5-admin-server, krb5-user and python3-gssapi. Everything listens on 127.0.0.1.
"""

import base64
import hashlib
import http.client
import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from processes import free_port, until_listening

REALM, USER, PASSWORD = "EXAMPLE.TEST", "svc-rooms", "Tick3t-Please"


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
    # What Extended Protection asks: the certificate that tickets are bound to, and whether they have to be.
    certificate, required = None, False

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        import gssapi

        gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = None
        said = self.headers.get("Authorization", "")
        if said.startswith("Negotiate "):
            binding = self.certificate and gssapi.raw.ChannelBindings(application_data=end_point(self.certificate))
            context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(usage="accept"), channel_bindings=binding)
            try:
                token = context.step(base64.b64decode(said.split()[1]))
                # Since krb5 1.19 it is for the application to ask whether a binding was there.
                bound = gssapi.RequirementFlag.channel_bound in context.actual_flags
                self.known = context.complete and (bound or not self.required)
                mech = "1.2.840.113554.1.2.2"  # Kerberos
                Front.seen.append((str(context.initiator_name), mech if mech in context.mech.dotted_form else "other",
                                   "bound" if bound else "unbound"))
            except gssapi.exceptions.GSSError as error:
                Front.seen.append((type(error).__name__, str(error), "refused"))
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
SHOWN, OTHER = CERTIFICATES / "rsa-sha384.pem", CERTIFICATES / "rsa-sha512.pem"


def end_point(certificate):
    """`tls-server-end-point` (RFC 5929, section 4.1); these certificates are named after their signature's hash."""
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    return b"tls-server-end-point:" + hashlib.new(certificate.stem.split("-")[1], der).digest()


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SHOWN, CERTIFICATES / "worthless-rsa.key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def doctor(adjourn, home, port, kdc, proof, binding="require"):
    (home / "adjourn.toml").write_text(
        f'[server]\nurl = "https://localhost:{port}/EWS/Exchange.asmx"\nauth = "negotiate"\nusername = \'{REALM}\\{USER}\'\n'
        f'channel_binding = "{binding}"\nca_file = "{CERTIFICATES}/rsa-ca.pem"\nkdc = "tcp://127.0.0.1:{kdc}"\n{proof}\n'
        '[scope]\nrooms = ["room-aurora@example.com"]\n'
    )
    run = subprocess.run([adjourn, "doctor"], cwd=home, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def main():
    os.umask(0o077)  # secrets that others can read are refused
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
            until_listening("the KDC", kdc_port, kdc)
            until_listening("the simulator", back, sim)
            (home / "password").write_text(PASSWORD)
            ways = {"password": 'password = { file = "password" }', "keytab": f'keytab_file = "{home}/svc.keytab"'}

            def signs_in(way, binding, certificate, required, admitted, how):
                """Whether the doctor comes in, and how MIT krb5 saw each of its tickets, in order and without repetition."""
                Front.seen.clear()
                Front.certificate, Front.required = certificate, required
                code, said = doctor(adjourn, home, port, kdc_port, ways[way], binding)
                assert code == (0 if admitted else 5), (code, said, Front.seen)
                assert list(dict.fromkeys(one[2] for one in Front.seen)) == how, (said, Front.seen)
                tickets = [one for one in Front.seen if one[2] != "refused"]
                assert all(one[:2] == (f"{USER}@{REALM}", "1.2.840.113554.1.2.2") for one in tickets), Front.seen
                print(f"Kerberos by {way}, {binding}: {', '.join(how)}, {'accepted' if admitted else 'refused'} by MIT krb5")
                return said

            for way in ways:
                signs_in(way, "off", None, False, True, ["unbound"])
                signs_in(way, "require", SHOWN, True, True, ["bound"])
                signs_in(way, "auto", SHOWN, True, True, ["bound"])
                # Bound to another certificate than the acceptor's, as a man in the middle would have it. What comes in then is
                # the doctor's try without, to name what is wrong.
                said = signs_in(way, "require", OTHER, False, False, ["refused", "unbound"])
                assert "the server rejects this connection's channel binding" in said, said
                refusals = [one[1] for one in Front.seen if one[2] == "refused"]
                assert all("Incorrect channel bindings" in refusal for refusal in refusals), refusals
                said = signs_in(way, "off", SHOWN, True, False, ["unbound", "bound"])
                assert "the server requires Extended Protection" in said, said
                # Where a ticket need not be bound, "auto" goes without after one refusal.
                said = signs_in(way, "auto", OTHER, False, True, ["refused", "unbound"])
                assert "only without channel binding" in said, said
            (home / "password").write_text("wrong")
            code, said = doctor(adjourn, home, port, kdc_port, ways["password"])
            assert code == 5, said
            print("Kerberos with a wrong password: " + said.splitlines()[0])
        finally:
            for process in (sim, kdc):
                process.terminate()
                process.wait()


main()
