// Requests to API v1, the only API that the console uses. A response with an error status becomes a Problem with the API's own text.

import { BUILD } from "./build.js";
import * as session from "./session.js";
import { learnClock } from "./time.js";

const TIMEOUT = 75_000; // longer than the longest wait that the API grants
const PAGE = 1000;

// For requests that must not carry the key of a person who is signed in on this device.
export const NO_KEY = Symbol("no key");

// The last part of a problem type's URN, such as `collides`.
export const problemKind = (type) => String(type ?? "").split(":").pop();

// A response with an error status.
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? `The service returned status ${status}.`);
    this.status = status;
    this.title = body?.title ?? "Request refused";
    this.next = body?.next ?? null;
    this.kind = problemKind(body?.type);
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

// Sends a request with the API key (`key`; `NO_KEY`: without one) and returns the response with its body unread. The browser's own
// credentials are not sent, so that it never opens its password dialog.
export async function send(method, path, { body, headers, signal, key = session.key() } = {}) {
  const sentAt = Date.now();
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(key === NO_KEY ? {} : { authorization: `Bearer ${key}` }),
        ...(session.isRemembered() && BUILD ? { "adjourn-display-version": BUILD } : {}),
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
export const listRooms = (onPage) => listAll("rooms", onPage);

// All entries of a list of the API, page by page; `name` is the path of the list and its member.
export async function listAll(name, onPage = () => {}) {
  const all = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({ limit: PAGE, ...(cursor ? { cursor } : {}) });
    const page = await request("GET", `/v1/${name}?${query}`);
    all.push(...page[name]);
    onPage(page[name]);
    cursor = page.next_cursor;
  } while (cursor);
  return all;
}

// A random idempotency key: a request that is sent twice with it is carried out once.
export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
