// Carries out the action of a pressed button: sends it under one idempotency key, so that retries perform it once, and polls it until
// its outcome is known.

import { Unreachable, idempotencyKey, request } from "./api.js";

const SENDS_MAX = 3; // over a connection that breaks
const SEND_WITHIN = 20_000; // people wait at a door about this long; an action after that would surprise the next person
const WAIT = "wait=10";
const POLL_INTERVAL = 1000;
const POLLS_MAX = 60;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Returns the finished action; throws the API's Problem if it is refused.
export async function performAction(path, body) {
  const headers = { "idempotency-key": idempotencyKey(), prefer: WAIT };
  const action = await sendWithRetries(path, body, headers);
  return action.state === "open" ? await waitForOutcome(action) : action;
}

async function sendWithRetries(path, body, headers) {
  const signal = AbortSignal.timeout(SEND_WITHIN);
  for (let sends = 1; ; sends++) {
    try {
      return await request("POST", path, { body, headers, signal });
    } catch (problem) {
      if (signal.aborted) throw new Unreachable();
      if (!(problem instanceof Unreachable) || sends === SENDS_MAX) throw problem;
      await pause(POLL_INTERVAL * sends);
      if (signal.aborted) throw problem;
    }
  }
}

async function waitForOutcome(action) {
  for (let polls = 0; action.state === "open" && polls < POLLS_MAX; polls++) {
    await pause(POLL_INTERVAL);
    action = await request("GET", `/v1/actions/${action.id}`);
  }
  return action;
}
