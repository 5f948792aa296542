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

const stop = new AbortController();
const stream = await fetch(`${base}/v1/events`, { headers: { authorization: `Bearer ${key}` }, signal: stop.signal });
assert.equal(stream.status, 200);

// Reads the stream until it reports this action in the room.
async function reported(action) {
  let text = "";
  for await (const part of stream.body.pipeThrough(new TextDecoderStream())) {
    const events = (text + part).split("\n\n");
    text = events.pop(); // not complete yet
    for (const event of events) {
      const data = /^event: action\n/m.test(event) && JSON.parse(/^data: (.*)$/m.exec(event)[1]);
      if (data && data.room === room && data.action_id === action) return true;
    }
  }
  return false;
}

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

const timer = setTimeout(() => stop.abort(), 20_000);
assert.ok(await reported(presses[0].json.id), "the stream reports the action");
clearTimeout(timer);
stop.abort();

const record = await ask("GET", `/v1/actions?room=${room}&state=done`);
assert.ok(record.json.actions.some((action) => action.id === presses[0].json.id));
const undone = await ask("POST", `/v1/actions/${presses[0].json.id}/undo`);
assert.equal(undone.json.change.kind, "end-restored", JSON.stringify(undone.json));
console.log("node: a display's day went as it should");
