// Requests to API v1, the only API that the console uses. A response with an error status becomes a Problem with the API's own text.

import * as session from "./session.js";
import { learnClock } from "./time.js";

const TIMEOUT = 75_000; // longer than the longest wait that the API grants
const PAGE = 1000;

// A response with an error status.
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? `The service returned status ${status}.`);
    this.status = status;
    this.title = body?.title ?? "Request refused";
    this.next = body?.next ?? null;
    this.kind = String(body?.type ?? "").split(":").pop();
    this.actionId = body?.action_id ?? null;
    this.retryAfter = Number(retryAfter) || null;
  }
}

// No response: the connection failed or timed out.
export class Unreachable extends Error {
  constructor() {
    super("Adjourn cannot be reached.");
    this.title = "No connection";
  }
}

// Sends a request with the API key and returns the response with its body unread. The browser's own credentials are not sent, so
// that it never opens its password dialog.
export async function send(method, path, { body, headers, signal } = {}) {
  const sentAt = Date.now();
  let response;
  try {
    response = await fetch(path, {
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
      signal: signal ?? AbortSignal.timeout(TIMEOUT),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
  learnClock(response.headers.get("date"), sentAt);
  if (response.ok) return response;
  const problem = new Problem(response.status, await json(response), response.headers.get("retry-after"));
  if (problem.status === 401) dispatchEvent(new CustomEvent("signed-out", { detail: problem }));
  throw problem;
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

export async function request(method, path, options) {
  const response = await send(method, path, options);
  try {
    return await response.json();
  } catch {
    throw new Unreachable(); // the connection broke during the body
  }
}

export const roomPath = (room) => `/v1/rooms/${encodeURIComponent(room)}`;

// All rooms that the key may see, page by page; `onPage` receives each page as soon as it arrives.
export async function listRooms(onPage = () => {}) {
  const all = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({ limit: PAGE, ...(cursor ? { cursor } : {}) });
    const page = await request("GET", `/v1/rooms?${query}`);
    all.push(...page.rooms);
    onPage(page.rooms);
    cursor = page.next_cursor;
  } while (cursor);
  return all;
}

// A random idempotency key: a request that is sent twice with it is carried out once.
export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
