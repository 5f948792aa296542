"""Signs in to a simulator with a foreign client in one way: exit code 0 if it was accepted, 10 if it was rejected.

Usage: login.py WAY URL CA_FILE DOMAIN\\USER PASSWORD ROOM, and for tokens TOKEN_ENDPOINT CLIENT_ID SECRET_OR_CERTIFICATE_FILE
[KEY_FILE]. Ways that this machine cannot go say so and exit with 77.
"""

import base64
import hashlib
import json
import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from urllib.parse import urlencode, urlsplit

way, url, ca_file, user, password, room, *oauth = sys.argv[1:]
IN, OUT, CANNOT = 0, 10, 77
BODY = f"""<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"
 xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header>
 <t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID>
 <t:SmtpAddress>{room}</t:SmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header>
 <s:Body><m:GetRoomLists/></s:Body></s:Envelope>"""
HEADERS = {"Content-Type": "text/xml; charset=utf-8"}


def curl(scheme):
    if not shutil.which("curl"):
        sys.exit("curl is not installed")
    features = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
    environment = dict(os.environ)
    if scheme == "negotiate":
        # curl uses GSSAPI for Negotiate, which uses gss-ntlmssp for NTLM.
        if "SPNEGO" not in features or not gss_ntlmssp():
            print("login.py: NOT RUN: curl --negotiate needs GSSAPI with the mechanism gss-ntlmssp")
            sys.exit(CANNOT)
        domain, name = user.split("\\")
        accounts = tempfile.NamedTemporaryFile("w", suffix=".ntlm")
        accounts.write(f"{domain}:{name}:{password}\n")
        accounts.flush()
        environment["NTLM_USER_FILE"] = accounts.name
        account = ":"
    else:
        account = f"{user}:{password}"
    trust = ["--cacert", ca_file] if url.startswith("https") else []
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", f"--{scheme}", "--user",
               account, *trust, "-H", "Content-Type: text/xml", "--data-binary", BODY, "--write-out", "\n%{http_code}",
               url]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"curl: {done.returncode} {done.stderr}")
    answer, _, status = done.stdout.rpartition("\n")
    return finish(int(status), answer)


def gss_ntlmssp():
    mechanisms = "/etc/gss/mech.d"
    return os.path.isdir(mechanisms) and any("ntlm" in name for name in os.listdir(mechanisms))


def requests_ntlm(send_cbt):
    import requests
    from requests_ntlm import HttpNtlmAuth

    session = requests.Session()
    session.trust_env = False
    session.verify = ca_file if url.startswith("https") else True
    session.auth = HttpNtlmAuth(user, password, send_cbt=send_cbt)
    first = session.post(url, data=BODY, headers=HEADERS)
    if first.status_code == 200:
        # The connection is authenticated: a second request needs no handshake.
        again = session.post(url, data=BODY, headers=HEADERS)
        assert again.status_code == 200 and not again.history, again
    return finish(first.status_code, first.text)


class Connection:
    """One connection, so that every leg is on it."""

    def __init__(self):
        parts = urlsplit(url)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file)
            self.http = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=20)
        else:
            self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        self.http.connect()
        self.path = parts.path

    def binding(self):
        from spnego.channel_bindings import GssChannelBindings

        der = self.http.sock.getpeercert(True)
        hashed = b"\x11" * 32 if "wrong" in way else hashlib.sha256(der).digest()  # the simulator's own is ECDSA, SHA-256
        return GssChannelBindings(application_data=b"tls-server-end-point:" + hashed)

    def leg(self, scheme=None, token=None):
        """Status, the server's token if there is one, and the text."""
        headers = dict(HEADERS)
        if token is not None:
            headers["Authorization"] = f"{scheme} {base64.b64encode(token).decode()}"
        self.http.request("POST", self.path, BODY, headers)
        answer = self.http.getresponse()
        text = answer.read().decode()
        for offer in answer.headers.get_all("WWW-Authenticate", []):
            if found := re.fullmatch(rf"{scheme} (\S+)", offer):
                return answer.status, base64.b64decode(found[1]), text
        return answer.status, None, text


def pyspnego(protocol, scheme, bound):
    import spnego

    connection = Connection()
    client = spnego.client(user, password, hostname="localhost", service="http", protocol=protocol,
                           channel_bindings=connection.binding() if bound else None)
    token, status, text = client.step(), 0, ""
    while token is not None:
        status, answer, text = connection.leg(scheme, token)
        if answer is None:
            break
        token = client.step(answer)  # raises when the server's signature over the mechanisms is not right
    if status == 200:
        assert client.complete, "the client is not finished"
        assert connection.leg()[0] == 200
    return finish(status, text)


def kerberos_first(signed):
    """A client that prefers Kerberos, sends a ticket at once and must fall back to NTLM."""
    import spnego
    from spnego._spnego import NegState, NegTokenInit, NegTokenResp, pack_mech_type_list, unpack_token

    mechanisms = ["1.2.840.48018.1.2.2", "1.2.840.113554.1.2.2", "1.3.6.1.4.1.311.2.2.10"]
    connection = Connection()
    client = spnego.client(user, password, hostname="localhost", service="http", protocol="ntlm")
    init = NegTokenInit(mech_types=mechanisms, mech_token=b"\x60\x05ticket").pack()
    status, answer, text = connection.leg("Negotiate", init)
    chosen = unpack_token(answer)
    assert status == 401 and chosen.neg_state == NegState.request_mic, chosen
    assert chosen.supported_mech == mechanisms[-1] and chosen.response_token is None, chosen
    status, answer, text = connection.leg("Negotiate", NegTokenResp(response_token=client.step()).pack())
    last = client.step(unpack_token(answer).response_token)
    listed = pack_mech_type_list(mechanisms)
    mic = client.sign(listed) if signed else None
    status, answer, text = connection.leg("Negotiate", NegTokenResp(response_token=last, mech_list_mic=mic).pack())
    if status == 200:
        done = unpack_token(answer)
        assert done.neg_state == NegState.accept_complete, done
        client._reset_ntlm_crypto_state(outgoing=False)
        client.verify(listed, done.mech_list_mic)
    return finish(status, text)


def exchangelib(auth_type, credentials):
    from datetime import timedelta

    import requests.adapters
    from exchangelib import IMPERSONATION, UTC, Account, BaseProtocol, Build, Configuration, EWSDateTime, Version

    class Trusting(requests.adapters.HTTPAdapter):
        def cert_verify(self, conn, url, verify, cert):
            super().cert_verify(conn, url, ca_file, cert)

    BaseProtocol.HTTP_ADAPTER_CLS = Trusting
    configuration = Configuration(service_endpoint=url, credentials=credentials, auth_type=auth_type,
                                  version=Version(build=Build(15, 2, 2562, 17)))
    account = Account(primary_smtp_address=room, config=configuration, autodiscover=False, access_type=IMPERSONATION,
                      default_timezone=UTC)
    now = EWSDateTime.now(tz=UTC)
    found = list(account.calendar.view(start=now - timedelta(hours=2), end=now + timedelta(hours=2)))
    assert len(found) == 1, found
    return IN


def exchangelib_ntlm():
    from exchangelib import Credentials

    return exchangelib("NTLM", Credentials(user, password))


def exchangelib_oauth():
    from exchangelib import Identity, OAuth2Credentials

    endpoint, client_id, secret = oauth
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the authority is on this machine

    class Here(OAuth2Credentials):
        token_url = endpoint

    return exchangelib("OAuth 2.0", Here(client_id=client_id, client_secret=secret, tenant_id="here",
                                         identity=Identity(primary_smtp_address=room)))


def certificate():
    """An assertion signed by Python's cryptography, a token for it, and one request with the token."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    endpoint, client_id, certificate_file, key_file = oauth
    with open(certificate_file, "rb") as pem:
        thumbprint = x509.load_pem_x509_certificate(pem.read()).fingerprint(hashes.SHA256())
    with open(key_file, "rb") as pem:
        key = serialization.load_pem_private_key(pem.read(), None)

    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    now = int(time.time())
    head = {"alg": "PS256", "typ": "JWT", "x5t#S256": encode(thumbprint)}
    claims = {"aud": endpoint, "iss": client_id, "sub": client_id, "jti": str(uuid.uuid4()), "nbf": now, "exp": now + 300}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (head, claims))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = encode(key.sign(signed.encode(), pss, hashes.SHA256()))
    form = urlencode({
        "grant_type": "client_credentials", "client_id": client_id, "scope": "https://outlook.office365.com/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": f"{signed}.{signature}",
    })
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(endpoint, form.encode(), timeout=20) as answer:
        token = json.load(answer)["access_token"]
    asked = urllib.request.Request(url, BODY.encode(), {**HEADERS, "Authorization": f"Bearer {token}"})
    with direct.open(asked, timeout=20) as answer:
        return finish(answer.status, answer.read().decode())


def finish(status, text):
    if status == 200 and "NoError" in text:
        return IN
    if status == 401:
        return OUT
    sys.exit(f"{way}: HTTP {status}: {text}")


WAYS = {
    "curl-ntlm": lambda: curl("ntlm"),
    "curl-negotiate": lambda: curl("negotiate"),
    "requests-ntlm": lambda: requests_ntlm(True),
    "requests-ntlm-unbound": lambda: requests_ntlm(False),
    "ntlm": lambda: pyspnego("ntlm", "NTLM", True),
    "ntlm-wrong": lambda: pyspnego("ntlm", "NTLM", True),
    "ntlm-unbound": lambda: pyspnego("ntlm", "NTLM", False),
    "negotiate": lambda: pyspnego("negotiate", "Negotiate", True),
    "negotiate-wrong": lambda: pyspnego("negotiate", "Negotiate", True),
    "negotiate-unbound": lambda: pyspnego("negotiate", "Negotiate", False),
    "negotiate-bare": lambda: pyspnego("ntlm", "Negotiate", True),
    "kerberos-first": lambda: kerberos_first(True),
    "kerberos-first-unsigned": lambda: kerberos_first(False),
    "exchangelib": exchangelib_ntlm,
    "exchangelib-oauth": exchangelib_oauth,
    "certificate": certificate,
}
sys.exit(WAYS[way]())
