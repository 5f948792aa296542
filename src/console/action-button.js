// Carries out the action of a pressed button: sends it under one idempotency key, so that retries perform it once, and polls it until
// its outcome is known.

import { Unreachable, idempotencyKey, request } from "./api.js";

const SENDS_MAX = 3; // over a connection that breaks
const SEND_WITHIN = 20_000; // people wait at a door about this long; an action after that would surprise the next person
const WAIT = "wait=10";
const [POLL_INTERVAL, POLL_INTERVAL_MAX] = [1000, 10_000];
const POLL_WITHIN = 60_000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Returns the finished action, or the open one if its outcome is not known in time; throws the API's Problem if the request is refused.
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

// The action was accepted, so a poll without a result (404, 429, 5xx, no response) leaves it open and is not a problem of the press.
// Returns the action, still open if the time is over; throws Unreachable if the last polls had no response.
async function waitForOutcome(action) {
  const signal = AbortSignal.timeout(POLL_WITHIN);
  let unanswered = null;
  while (action.state === "open" && !signal.aborted) {
    await pause(Math.min(POLL_INTERVAL_MAX, Math.max(POLL_INTERVAL, 1000 * (unanswered?.retryAfter ?? 0))));
    try {
      action = await request("GET", `/v1/actions/${action.id}`, { signal });
      unanswered = null;
    } catch (problem) {
      if (problem.status === 401) throw problem; // the page signs in again
      if (!signal.aborted) unanswered = problem;
    }
  }
  if (action.state === "open" && unanswered instanceof Unreachable) throw unanswered;
  return action;
}
