// What happens, as it happens: /v1/events, read for as long as the page is open, over whatever breaks in between.

import { Away, Problem, send } from "./api.js";
import { found, lost } from "./frame.js";

const SILENCE = 40_000; // the service gives a sign of life every fifteen seconds
const [PAUSE, PAUSE_MAX] = [1000, 30_000];
const LASTING = 10_000; // what ends sooner is not begun again at once

// Calls `hear(kind, data)` for every event, and `again()` whenever something may have been missed: everything is to be asked for
// again. `connected(yes, told)` hears whether the service answers, and whether it tells what happens.
export async function listen({ hear, again, connected = () => {} }) {
  let last = null;
  let since = null;
  let pause = 0;
  for (;;) {
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
          else hear(event.kind, event.data);
        },
      );
    } catch (thrown) {
      problem = thrown;
    }
    if (problem instanceof Problem && problem.status === 401) return; // the page signs in anew
    since ??= Date.now();
    if (Date.now() - begun >= LASTING) pause = 0;
    // A first loss is mended at once and not worth a word; a no is.
    if (pause > 0 || problem.status === 403) {
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
  let watchdog = setTimeout(() => stop.abort(), SILENCE);
  try {
    const headers = last === null ? {} : { "last-event-id": last };
    const answer = await send("GET", "/v1/events", { headers, signal: stop.signal });
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => stop.abort(), SILENCE);
      const parts = (text + value).split(/\r?\n\r?\n/);
      text = parts.pop();
      parts.map(parse).forEach((event) => event && heard(event));
    }
  } catch (error) {
    throw error instanceof Problem ? error : new Away();
  } finally {
    clearTimeout(watchdog);
    stop.abort();
  }
}

// One event of a stream (HTML, 9.2.6); null for a sign of life.
function parse(block) {
  const event = { kind: "message", id: null, data: null };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "event") event.kind = value;
    if (name === "id") event.id = value;
    if (name === "data") data.push(value);
  }
  if (data.length === 0) return null;
  try {
    event.data = JSON.parse(data.join("\n"));
  } catch {
    event.data = null; // `missed` says nothing but that
  }
  return event;
}
