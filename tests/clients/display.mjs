// A room display's backend as somebody would write it for Node, with nothing but what Node brings.
//
//     node display.mjs http://127.0.0.1:8480 adj_demo_demo room-aurora@example.com

import assert from "node:assert/strict";

const [base, key, room] = process.argv.slice(2);

async function ask(method, path, body, headers = {}) {
  const answer = await fetch(base + path, {
    method,
    body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, json: text ? JSON.parse(text) : null };
}

// Listens until something is said about the room.
async function listen(stop) {
  const answer = await fetch(`${base}/v1/events`, { headers: { authorization: `Bearer ${key}` }, signal: stop });
  assert.equal(answer.status, 200);
  const heard = (async () => {
    let text = "";
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.includes("event: action") && text.includes(room)) return text;
    }
    return text;
  })();
  return heard;
}

const stop = new AbortController();
const heard = listen(stop.signal);

const before = await ask("GET", `/v1/rooms/${room}`);
assert.equal(before.status, 200);
assert.ok(before.json.busy, JSON.stringify(before.json));

const checkedIn = await ask("POST", `/v1/rooms/${room}/check-in`, { source: "panel" });
assert.equal(checkedIn.status, 200, JSON.stringify(checkedIn.json));
assert.ok((await ask("GET", `/v1/rooms/${room}`)).json.checked_in);

const rehearsed = await ask("POST", `/v1/rooms/${room}/end`, { dry_run: true });
assert.ok(rehearsed.json.change.dry_run, JSON.stringify(rehearsed.json));

const presses = await Promise.all(
  [1, 2, 3].map(() => ask("POST", `/v1/rooms/${room}/end`, {}, { "idempotency-key": "node-1" })),
);
assert.deepEqual(presses.map((press) => press.status), [200, 200, 200]);
assert.equal(new Set(presses.map((press) => press.json.id)).size, 1, "one press, one action");

assert.match(await heard, /event: action/);
stop.abort();

const record = await ask("GET", `/v1/actions?room=${room}&state=done`);
assert.ok(record.json.actions.some((action) => action.id === presses[0].json.id));
const undone = await ask("POST", `/v1/actions/${presses[0].json.id}/undo`);
assert.equal(undone.json.change.kind, "end-restored", JSON.stringify(undone.json));
console.log("node: a display's day went as it should");
