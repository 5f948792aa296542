// What happens, as it happens: /v1/events, read for as long as the page is open, over whatever breaks in between.

import { Away, Problem, send } from "./api.js";
import { found, lost } from "./frame.js";

const SILENCE = 40_000; // the service gives a sign of life every fifteen seconds
const HEADERS = 10_000; // and begins to answer at once
const HIDDEN = 60_000; // a browser grants one host six connections: pages that nobody looks at give theirs back
const [PAUSE, PAUSE_MAX] = [1000, 30_000];
const LASTING = 10_000; // what ends sooner is not begun again at once

// Calls `hear(kind, data)` for every event, and `again()` whenever something may have been missed: everything is to be asked for
// again. `connected(yes, told)` hears whether the service answers, and whether it tells what happens.
export async function listen({ hear, again, connected = () => {} }) {
  let last = null;
  let since = null;
  let pause = 0;
  for (;;) {
    await inSight();
    let problem = new Away();
    let begun = Infinity;
    try {
      await converse(
        last,
        () => {
          [since, begun] = [null, Date.now()];
          found();
          connected(true, true);
          again();
          renew();
        },
        (event) => {
          last = event.id ?? last;
          if (event.kind === "missed") again();
          else if (event.kind !== null) hear(event.kind, event.data);
        },
      );
    } catch (thrown) {
      problem = thrown;
    }
    if (problem instanceof Problem && problem.status === 401) return; // the page signs in anew
    if (problem === UNSEEN) continue;
    since ??= Date.now();
    if (Date.now() - begun >= LASTING) pause = 0;
    // A first loss is mended at once and not worth a word; a no is, and so is what was found out by waiting for it.
    if (pause > 0 || problem === SILENT || problem.status === 403) {
      lost(problem, since);
      connected(problem.status === 429, false); // too many listen: it can be asked all the same
    }
    await rest(Math.max(pause, 1000 * (problem.retryAfter ?? 0)));
    pause = Math.min(PAUSE_MAX, pause * 2 || PAUSE);
  }
}

let build = null;

// A page that stays open for months is loaded anew when the service it comes back to has another one.
async function renew() {
  try {
    const config = await (await fetch("/console/config.json", { credentials: "omit" })).json();
    if (build && build !== config.build) location.reload();
    build = config.build;
  } catch {
    // The next connection asks again.
  }
}

const [SILENT, UNSEEN] = [new Away(), new Away()];

// Once somebody looks at the page.
function inSight() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
  });
}

// For so long, or until the browser has a network again.
function rest(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds * (0.75 + Math.random() / 2));
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    }
    addEventListener("online", done);
  });
}

async function converse(last, opened, heard) {
  const stop = new AbortController();
  const after = (milliseconds, why) => setTimeout(() => stop.abort(why), milliseconds);
  let watchdog = after(HEADERS, SILENT);
  let unseen = null;
  const look = () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = after(HIDDEN, UNSEEN);
  };
  document.addEventListener("visibilitychange", look);
  try {
    const headers = last === null ? {} : { "last-event-id": last };
    const answer = await send("GET", "/v1/events", { headers, signal: stop.signal });
    clearTimeout(watchdog);
    watchdog = after(SILENCE, SILENT);
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = after(SILENCE, SILENT);
      const parts = (text + value).split(/\r?\n\r?\n/);
      text = parts.pop();
      parts.map(parse).forEach((event) => event && heard(event));
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw stop.signal.aborted ? stop.signal.reason : new Away();
  } finally {
    document.removeEventListener("visibilitychange", look);
    clearTimeout(watchdog);
    clearTimeout(unseen);
    stop.abort();
  }
}

// One event of a stream (HTML, 9.2.6), or a name without one; null for a sign of life.
function parse(block) {
  const event = { kind: "message", id: null, data: null };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "event") event.kind = value;
    if (name === "id") event.id = value;
    if (name === "data") data.push(value);
  }
  if (data.length === 0) return event.id === null ? null : { kind: null, id: event.id }; // from where to resume
  try {
    event.data = JSON.parse(data.join("\n"));
  } catch {
    event.data = null; // `missed` says nothing but that
  }
  return event;
}
