import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from fakeews import *
import certs
# A self-signed certificate that is marked as a CA's is named in ca_file, and is for another name; and one that is not named.
w = World([])
d, ctx = certs.make(names=("DNS:other.example.com",), self_signed=True, basic="critical,CA:TRUE")
f = Fake(w, tls=ctx)
c = Case(w, fake=f, server=f'ca_file = "{d}/ca.pem"\noperation_timeout_s = 3')
doc = c.run("doctor")
c.expect(doc.rc != 0 and "another name" in doc.all, "its name counts")
c.expect(not w.log, "nothing was sent to it")
d2, ctx2 = certs.make(self_signed=True, basic="critical,CA:TRUE")
f2 = Fake(w, tls=ctx2)
c2 = Case(w, fake=f2, server=f'ca_file = "{d}/ca.pem"\noperation_timeout_s = 3')
c.config, c.state = c2.config, c2.state
doc = c.run("doctor")
c.expect(doc.rc != 0 and "certificate" in doc.out.splitlines()[0], "one that was not named is refused, and the certificate is the reason")
c.expect("TLS 1.2 or 1.3" not in doc.all, "and not the version of TLS")
c.expect(not w.log, "nothing was sent to it either")
c.end()
