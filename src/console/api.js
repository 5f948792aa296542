// API v1, as this console uses it: nothing else is asked. An answer that is no becomes a Problem with the API's own words.

import * as session from "./session.js";
import { learnClock } from "./time.js";

const PATIENCE = 75_000; // longer than the longest wait the API grants
const PAGE = 1000;

// The answer was no.
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.title = body?.title ?? "The answer is no";
    this.next = body?.next ?? null;
    this.kind = String(body?.type ?? "").split(":").pop();
    this.action = body?.action ?? null;
    this.retryAfter = Number(retryAfter) || null;
  }
}

// There was no answer.
export class Away extends Error {
  constructor() {
    super("The service cannot be reached.");
    this.title = "No connection";
  }
}

// Sends a request with the key, and leaves the answer's body to the caller. Credentials of the browser's own stay away, and so
// does its password dialog.
export async function send(method, path, { body, headers, signal } = {}) {
  const sent = Date.now();
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${session.key()}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal: signal ?? AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Away();
  }
  learnClock(answer.headers.get("date"), sent);
  if (answer.ok) return answer;
  const problem = new Problem(answer.status, await json(answer), answer.headers.get("retry-after"));
  if (problem.status === 401) dispatchEvent(new CustomEvent("signed-out", { detail: problem }));
  throw problem;
}

async function json(answer) {
  try {
    return await answer.json();
  } catch {
    return null;
  }
}

export async function ask(method, path, options) {
  const answer = await send(method, path, options);
  try {
    return await answer.json();
  } catch {
    throw new Away(); // it broke off
  }
}

export const roomPath = (room) => `/v1/rooms/${encodeURIComponent(room)}`;

// All rooms the key may know of, page by page; `each` sees a page as soon as it is there.
export async function rooms(each = () => {}) {
  const all = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({ limit: PAGE, ...(cursor ? { cursor } : {}) });
    const page = await ask("GET", `/v1/rooms?${query}`);
    all.push(...page.rooms);
    each(page.rooms);
    cursor = page.next_cursor;
  } while (cursor);
  return all;
}

// A name for one wish, so that asking twice is asking once.
export function wishName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
