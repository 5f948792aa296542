// Verifies the signature of a webhook's request, with nothing but what Node brings.
//
//     node webhook_verify.mjs SECRET_FILE TIMESTAMP SIGNATURE [NOW] < body
//
// TIMESTAMP and SIGNATURE are the headers Adjourn-Timestamp and Adjourn-Signature; the body is the received bytes, unchanged. Prints
// the notice's event; exit code 1 if the request is not from Adjourn, or is old. NOW is the receiver's time in seconds, for tests.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

function verify(secret, timestamp, signature, body, now) {
  // An old request is refused, so that nobody can record one and send it again.
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > 300) return false;
  const digest = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
  const [expected, received] = [Buffer.from(`v1=${digest}`), Buffer.from(signature)];
  return expected.length === received.length && timingSafeEqual(expected, received);
}

const [secretFile, timestamp, signature, now = Date.now() / 1000] = process.argv.slice(2);
// Adjourn reads the first line of the file.
const secret = readFileSync(secretFile, "utf8").split(/\r?\n/)[0];
const body = readFileSync(0);
if (!verify(secret, timestamp, signature, body, Number(now))) {
  console.error("not from Adjourn, or old");
  process.exit(1);
}
console.log(JSON.parse(body).event);
