// One press of a button: asked once however often it is sent, and followed until it is known what became of it.

import { Away, ask, wishName } from "./api.js";

const SENDS = 3; // over a connection that breaks
const WITHIN = 20_000; // who presses stands there for as long; what came later would surprise whoever comes next
const WAIT = "wait=10";
const LOOK_AGAIN = 1000;
const LOOKS = 60;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// What became of it, as the API tells it; throws its Problem where the answer is no.
export async function press(path, body) {
  const headers = { "idempotency-key": wishName(), prefer: WAIT };
  const action = await sendSurely(path, body, headers);
  return action.state === "open" ? await follow(action) : action;
}

async function sendSurely(path, body, headers) {
  const signal = AbortSignal.timeout(WITHIN);
  for (let sends = 1; ; sends++) {
    try {
      return await ask("POST", path, { body, headers, signal });
    } catch (problem) {
      if (signal.aborted) throw new Away();
      if (!(problem instanceof Away) || sends === SENDS) throw problem;
      await pause(LOOK_AGAIN * sends);
      if (signal.aborted) throw problem;
    }
  }
}

async function follow(action) {
  for (let looks = 0; action.state === "open" && looks < LOOKS; looks++) {
    await pause(LOOK_AGAIN);
    action = await ask("GET", `/v1/actions/${action.action}`);
  }
  return action;
}
