// Receives events from /v1/events while the page is open, and reconnects after every failure.

import { Problem, Unreachable, send } from "./api.js";
import { reloadIfUpdated } from "./build.js";
import { showOffline, showOnline } from "./layout.js";

const SILENCE_MAX = 40_000; // the service sends a keep-alive every fifteen seconds
const RESPONSE_TIMEOUT = 10_000; // and responds at once
const HIDDEN_MAX = 60_000; // a browser allows one host six connections, so hidden pages close theirs
const [PAUSE, PAUSE_MAX] = [1000, 30_000];
const STREAM_MIN = 10_000; // after a stream shorter than this, reconnecting waits

// Calls `onEvent(kind, data)` for every event, and `resync()` when events may have been missed and everything must be requested
// again. `onConnection(reachable, streaming)` receives whether the service responds, and whether it streams events.
export async function listen({ onEvent, resync, onConnection = () => {} }) {
  let lastId = null;
  let since = null;
  let pause = 0;
  for (;;) {
    await untilVisible();
    let problem = new Unreachable();
    let openedAt = Infinity;
    try {
      await readStream(
        lastId,
        () => {
          [since, openedAt] = [null, Date.now()];
          showOnline();
          onConnection(true, true);
          resync();
          reloadIfUpdated();
        },
        (event) => {
          lastId = event.id ?? lastId;
          if (event.kind === "gap") resync();
          else if (event.kind !== null) onEvent(event.kind, event.data);
        },
      );
    } catch (thrown) {
      problem = thrown;
    }
    if (problem instanceof Problem && problem.status === 401) return; // the page reloads and signs in again
    if (problem === HIDDEN) continue;
    since ??= Date.now();
    if (Date.now() - openedAt >= STREAM_MIN) pause = 0;
    // The first failure is retried at once and not shown, except for a 403 and for a timeout, which already took a while.
    if (pause > 0 || problem === SILENT || problem.status === 403) {
      showOffline(problem, since);
      onConnection(problem.status === 429, false); // 429: too many streams are open; other requests still work
    }
    await pauseOrOnline(Math.max(pause, 1000 * (problem.retryAfter ?? 0)));
    pause = Math.min(PAUSE_MAX, pause * 2 || PAUSE);
  }
}

const [SILENT, HIDDEN] = [new Unreachable(), new Unreachable()];

// Resolves when the page is visible.
function untilVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const check = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
  });
}

// Waits about this long, or until the browser has a network again.
function pauseOrOnline(milliseconds) {
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

// Reads one event stream to its end. Throws SILENT after a timeout, and HIDDEN when the page stays hidden.
async function readStream(lastId, onOpen, onEvent) {
  const stop = new AbortController();
  const after = (milliseconds, why) => setTimeout(() => stop.abort(why), milliseconds);
  let watchdog = after(RESPONSE_TIMEOUT, SILENT);
  let hidden = null;
  const onVisibility = () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = after(HIDDEN_MAX, HIDDEN);
  };
  document.addEventListener("visibilitychange", onVisibility);
  try {
    const headers = lastId === null ? {} : { "last-event-id": lastId };
    const response = await send("GET", "/v1/events", { headers, signal: stop.signal });
    clearTimeout(watchdog);
    watchdog = after(SILENCE_MAX, SILENT);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = after(SILENCE_MAX, SILENT);
      const blocks = (text + value).split(/\r?\n\r?\n/);
      text = blocks.pop();
      blocks.map(parse).forEach((event) => event && onEvent(event));
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw stop.signal.aborted ? stop.signal.reason : new Unreachable();
  } finally {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(watchdog);
    clearTimeout(hidden);
    stop.abort();
  }
}

// Parses one event (HTML, 9.2.6). An event with only an id has the kind null; a keep-alive returns null.
function parse(block) {
  const event = { kind: "message", id: null, data: null };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "event") event.kind = value;
    if (name === "id") event.id = value;
    if (name === "data") data.push(value);
  }
  if (data.length === 0) return event.id === null ? null : { kind: null, id: event.id }; // a position to resume from
  try {
    event.data = JSON.parse(data.join("\n"));
  } catch {
    event.data = null;
  }
  return event;
}
