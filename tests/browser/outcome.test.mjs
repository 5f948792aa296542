// The outcome of a press: what a door display says about a finished action, and how it polls one that was accepted. Without a browser.

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { performAction } from "../../src/console/action-button.js";
import { outcome } from "../../src/console/display-sentences.js";

const change = { kind: "ended", end: "2026-05-06T10:10:00Z" };
const open = { id: "one", kind: "end", state: "open", change: null };
const done = { ...open, state: "done", change };

globalThis.localStorage = globalThis.sessionStorage = { getItem: () => "adj_key" };
globalThis.dispatchEvent = () => true;
afterEach(() => mock.restoreAll());

// Answers each request with the next of these: an action, a status with its headers, or null for a broken connection. `patience`: the
// number of answers after which the time of the poll is over.
function serve(answers, patience = Infinity) {
  const sent = [];
  const timeOver = new AbortController();
  mock.method(AbortSignal, "timeout", () => timeOver.signal);
  mock.method(globalThis, "setTimeout", (work) => queueMicrotask(work));
  mock.method(globalThis, "fetch", async (path, { method }) => {
    const answer = answers[Math.min(sent.length, answers.length - 1)];
    sent.push(`${method} ${path}`);
    if (sent.length >= patience) timeOver.abort();
    if (answer === null) throw new TypeError("failed to fetch");
    const [status, body] = typeof answer === "number" ? [answer, {}] : [200, answer];
    return new Response(JSON.stringify(body), { status, headers: { "retry-after": "3600" } });
  });
  return sent;
}

test("a refused action changed nothing, and is not one that was done already", () => {
  const text = (action) => outcome(action, "UTC");
  assert.equal(text({ ...open, kind: "extend", state: "refused" }), "Nothing was changed. Look at the screen before you try again.");
  assert.equal(text({ ...open, kind: "undo", state: "refused" }), "Nothing was changed. Look at the screen before you try again.");
  const collides = { ...open, kind: "extend", state: "refused", problem_type: "urn:adjourn:problem:collides" };
  assert.equal(text(collides), "Another meeting has this time.");
  assert.equal(text({ ...open, state: "already-done" }), "It was done already.");
  assert.equal(text(done), "The meeting ended at 10:10.");
});

test("a poll that finds nothing, is limited, or meets a proxy's error leaves the action open", async () => {
  const sent = serve([open, 404, 429, 503, null, open, done]);
  assert.equal((await performAction("/v1/rooms/a/end", {})).state, "done");
  assert.deepEqual(sent, ["POST /v1/rooms/a/end", ...Array(6).fill("GET /v1/actions/one")]);
});

test("polls end: the action is still open, or nothing answers", async () => {
  serve([open, 503], 5);
  assert.equal(outcome(await performAction("/v1/rooms/a/end", {}), "UTC"), "The calendar has not answered yet. Look again in a minute.");
  mock.restoreAll();
  serve([open, 503, null, null, 503], 4);
  await assert.rejects(performAction("/v1/rooms/a/end", {}), { message: "Adjourn cannot be reached." });
});

test("a rejected key during a poll ends it: the page signs in again", async () => {
  const sent = serve([open, 401]);
  await assert.rejects(performAction("/v1/rooms/a/end", {}), { status: 401 });
  assert.equal(sent.length, 2);
});
