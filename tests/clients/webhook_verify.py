"""Verifies the signature of a webhook's request, with nothing but the standard library.

    python3 webhook_verify.py SECRET_FILE TIMESTAMP SIGNATURE [NOW] < body

TIMESTAMP and SIGNATURE are the headers Adjourn-Timestamp and Adjourn-Signature; the body is the received bytes, unchanged. Prints the
notice's event; exit code 1 if the request is not from Adjourn, or is old. NOW is the receiver's time in seconds, for tests.
"""

import hashlib
import hmac
import json
import sys
import time


def verify(secret: bytes, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    # An old request is refused, so that nobody can record one and send it again.
    if not (timestamp.isascii() and timestamp.isdigit() and abs(now - int(timestamp)) <= 300):
        return False
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v1={digest}".encode(), signature.encode())


if __name__ == "__main__":
    secret_file, timestamp, signature = sys.argv[1:4]
    now = float(sys.argv[4]) if len(sys.argv) > 4 else time.time()
    with open(secret_file, "rb") as file:
        # Adjourn reads the first line of the file.
        secret = file.readline().rstrip(b"\r\n")
    body = sys.stdin.buffer.read()
    if not verify(secret, timestamp, signature, body, now):
        sys.exit("not from Adjourn, or old")
    print(json.loads(body)["event"])
