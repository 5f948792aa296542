// Outdated views: they are marked as such, an older view never replaces a newer one, and an action concerns the event on the screen.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, launch, saying, shows, until, visit } from "./browser.mjs";
import { room, startEnvironment } from "./environment.mjs";

let env, browser;
before(async () => ([env, browser] = await Promise.all([startEnvironment({ config: "[api]\nshow_subjects = true\n" }), launch()])));
after(async () => {
  await browser?.close();
  await env?.stop();
});

const [MINUTE, DAY] = [60_000, 86_400_000];
const FJORD = room("fjord");
const time = (from) => new Date(Date.now() + from).toISOString();
const event = (id, from, to) => ({ id, start: time(from), end: time(to), kind: "single", all_day: false, private: false, subject: id });
const midnight = (day) => new Date(Math.floor(Date.now() / DAY + day) * DAY).toISOString();
// A view of the room, with the day of its events.
function state(more) {
  const current_events = more.current_events ?? (more.current ? [more.current] : []);
  return {
    ...{ id: FJORD, name: null, building: null, time_zone: null, busy: Boolean(more.current), read_at: time(0), as_of: time(0) },
    ...{ tracking: "on-demand", current: null, next: null, free_until: null, busy_until: null, checked_in: false, release_at: null, allowed_actions: ["book"] },
    ...{ booking: { horizon_minutes: 480 }, current_events, agenda: [...current_events, ...(more.next ? [more.next] : [])] },
    ...{ agenda_from: midnight(0), agenda_to: midnight(1) },
    ...more,
  };
}
const meeting = (more = {}) => state({ current: event("Standup", -MINUTE, 20 * MINUTE), allowed_actions: ["end", "extend"], ...more });
const problem = (status, title) => ({ status, json: { type: "urn:adjourn:problem:x", title, status, detail: `${title}.` } });

// Replaces the service's responses about this room by the test's: `answers()` and `list()` return a view, or what fulfills a request;
// `events()` returns an event stream.
function played({ answers, list, events, posted = [], still = false }) {
  return async (page) => {
    // Without timers the page draws once, for the first response: it neither ticks nor reconnects (each attempt draws too).
    if (still) await page.addInitScript(() => (globalThis.setInterval = globalThis.setTimeout = () => 0));
    const give = (route, value) => route.fulfill("id" in value || "rooms" in value ? { json: value } : value);
    await page.route(`**/v1/rooms/${encodeURIComponent(FJORD)}`, (route) => give(route, answers()));
    if (list) await page.route("**/v1/rooms?*", (route) => give(route, { rooms: [entry(list())], next_cursor: null }));
    await page.route("**/v1/events", async (route) => {
      // Without `events`, 429: too many streams, which is not a lost connection.
      const response = events ? await events() : { status: 429, json: {} };
      if (response) await route.fulfill(response).catch(() => {});
    });
    await page.route(`**/v1/rooms/${encodeURIComponent(FJORD)}/*`, (route) => {
      posted.push(route.request().postDataJSON());
      return route.fulfill(problem(409, "It is not as you saw it"));
    });
  };
}
const entry = (state) => ({ id: FJORD, name: null, building: null, time_zone: null, state });
const stream = (text) => ({ status: 200, contentType: "text/event-stream", body: text });
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const door = (play) => visit(browser, env, `/rooms/${encodeURIComponent(FJORD)}`, { key: env.keys.all, network: true, setUp: played(play) });
const board = (play) => visit(browser, env, "/", { key: env.keys.all, network: true, setUp: played(play) });
const word = (page) => page.locator(".word strong").textContent();
const offered = (page) => page.locator(".buttons button:visible").allTextContents();

async function done({ wrong, close }) {
  assert.deepEqual(wrong, []);
  await close();
}

// A meeting that ends a moment after the first request, however late the browser sends it.
function ending(first = null) {
  return () => (first ??= event("First", -30 * MINUTE, 5000));
}

test("the meeting that the dialog names is the one that is ended, though the next has begun meanwhile", async () => {
  const posted = [];
  const first = ending();
  const second = () => ({ ...event("Second", 0, 30 * MINUTE), start: first().end });
  const answers = () => meeting({ current: first(), next: second(), as_of: time(0) });
  const one = await door({ answers, posted, still: true });
  await one.page.locator(".title", { hasText: "First" }).waitFor();
  await shows(one.page, "In use");
  const { start, end } = first();
  await later(Math.max(0, Date.parse(end) - Date.now()) + 1500);
  await button(one.page, "End").click();
  await one.page.getByRole("dialog").getByText("First", { exact: true }).waitFor();
  await button(one.page, "End now").click();
  await until(() => posted.length === 1, "it is requested");
  assert.deepEqual(posted[0], { event: "First", seen: { start, end } });
  await done(one);
});

test("what was on until a moment ago is extended or left alone; a request never names nothing", async () => {
  const posted = [];
  const first = ending();
  const one = await door({ answers: () => meeting({ current: first() }), posted, still: true });
  await shows(one.page, "In use");
  const { start, end } = first();
  await later(Math.max(0, Date.parse(end) - Date.now()) + 1500);
  await button(one.page, "Extend: +15 min").click();
  await until(() => posted.length === 1, "it is requested");
  assert.deepEqual(posted[0], { event: "First", seen: { start, end }, minutes: 15 });
  await done(one);
});

test("an older answer does not replace what the display shows already", async () => {
  let requests = 0;
  const old = state({ read_at: time(-MINUTE), as_of: time(-MINUTE) });
  const now = meeting();
  const less = { ...state({}), read_at: now.read_at, as_of: time(-1000) };
  const answers = () => [now, old, less][requests++] ?? less;
  const events = async () => (await later(500), stream("event: gap\ndata: {}\n\n"));
  const one = await door({ answers, events });
  await until(() => requests >= 4, "it was requested again", 20_000);
  await later(300);
  assert.equal(await word(one.page), "In use");
  await done(one);
});

test("an older list does not replace what an event told the board", async () => {
  let requests = 0;
  const old = state({ read_at: time(-MINUTE), as_of: time(-MINUTE) });
  const roomEvent = `event: room\nid: a-1\ndata: ${JSON.stringify(meeting())}\n\n`;
  const list = () => (requests++, old);
  const events = async () => (await later(2500), stream(roomEvent));
  const one = await board({ answers: () => old, list, events });
  await one.page.locator(".card[data-kind=busy]").waitFor();
  await until(() => requests >= 3, "it was requested again", 20_000);
  await later(300);
  assert.equal(await one.page.locator(".card").getAttribute("data-kind"), "busy");
  await done(one);
});

test("how a room was long ago is not how it is: the display offers nothing, the board marks the card", async () => {
  const old = { read_at: time(-10 * MINUTE), as_of: time(-10 * MINUTE), tracking: "streaming" };
  const one = await door({ answers: () => meeting(old) });
  await shows(one.page, "Unknown");
  await one.page.getByText(saying("^The state of the room is not known\\. Last seen at HH:MM\\.$")).waitFor();
  assert.deepEqual(await offered(one.page), []);
  assert.equal(await one.page.locator(".title").isVisible(), false);
  await done(one);
  const two = await board({ answers: () => meeting(old), list: () => meeting(old) });
  await two.page.locator(".card[data-kind=unknown]").getByText(saying("as of HH:MM")).waitFor();
  await done(two);
});

test("a reading that fails is said, with the time as of which the room is shown", async () => {
  let requests = 0;
  const answers = () => (requests++ ? problem(503, "Exchange is unavailable") : meeting());
  const events = async () => (await later(500), stream("event: gap\ndata: {}\n\n"));
  const one = await door({ answers, events });
  await one.page.getByText(saying("^As of HH:MM\\. The calendar does not answer\\.$")).waitFor();
  assert.equal(await word(one.page), "In use");
  await done(one);
});

test("a key that may not listen or read any more is told so", async () => {
  const noEvents = await door({ answers: () => meeting(), events: () => problem(403, "Not allowed") });
  await shows(noEvents.page, "In use");
  await noEvents.page.locator(".link", { hasText: "This display may not show the room." }).waitFor();
  assert.equal(await button(noEvents.page, "End").getAttribute("aria-disabled"), "true");
  await done(noEvents);
  let requests = 0;
  const answers = () => (requests++ ? problem(403, "Not allowed") : meeting());
  const events = async () => (await later(500), stream("event: gap\ndata: {}\n\n"));
  const noReads = await door({ answers, events });
  await noReads.page.locator(".link", { hasText: "This display may not show the room." }).waitFor();
  await done(noReads);
  const list = await board({ answers: () => meeting(), list: () => meeting(), events: () => problem(403, "Not allowed") });
  await list.page.locator(".link", { hasText: "Not allowed" }).waitFor();
  await done(list);
});

test("after the last event that is known, nobody says that the room is free", async () => {
  let requests = 0;
  const answers = () => (requests++ ? problem(503, "Exchange is unavailable") : state({ next: event("Next", 500, 5000) }));
  const one = await door({ answers });
  await shows(one.page, "In use");
  await shows(one.page, "Unknown");
  assert.deepEqual(await offered(one.page), []);
  assert.equal(await one.page.getByText("for the rest of the day").isVisible(), false);
  assert.ok(requests >= 2, "it was requested again");
  await done(one);
});

test("where meetings overlap, the room is in use until the last of them is over", async () => {
  const both = () => meeting({ current: event("Short", -MINUTE, 3000), busy_until: time(10 * MINUTE) });
  let answered = false;
  const answers = () => (answered ? problem(503, "Not now") : ((answered = true), both()));
  const { page, ...rest } = await door({ answers });
  await shows(page, "In use");
  await page.locator(".title").getByText("Short").waitFor({ state: "hidden" });
  assert.equal(await word(page), "In use");
  await page.locator(".until").getByText(saying("until HH:MM")).waitFor();
  await done(rest);
});

test("an early check-in names its meeting, and a refusal is said in the display's own words", async () => {
  const posted = [];
  const answers = () => state({ next: event("Next", 5 * MINUTE, 30 * MINUTE), awaiting_check_in: "Next", allowed_actions: ["check-in", "book"] });
  const { page, ...rest } = await door({ answers, posted });
  await shows(page, "Free");
  await page.getByRole("button", { name: saying("^Check in for HH:MM$") }).click();
  await page.locator(".said", { hasText: "That did not work. Ask your support." }).waitFor();
  assert.deepEqual(posted, [{ event: "Next", source: "display" }]);
  assert.doesNotMatch(await page.content(), /as you saw it|urn:adjourn/);
  await done(rest);
});

test("private, overlapping and all-day events are shown as what they are", async () => {
  const secret = { ...event("Takeover", -MINUTE, 20 * MINUTE), private: true };
  const one = await door({ answers: () => meeting({ current: secret, current_events: [secret] }) });
  await one.page.locator(".title", { hasText: /^Private$/ }).waitFor();
  assert.doesNotMatch(await one.page.content(), /Takeover/);
  await done(one);
  const both = [event("Late", -MINUTE, 20 * MINUTE), event("Early", -10 * MINUTE, 15 * MINUTE)];
  const two = await door({ answers: () => meeting({ current: both[0], current_events: both }) });
  await two.page.locator(".title", { hasText: /^Late$/ }).waitFor();
  await two.page.locator(".who", { hasText: saying("Also: HH:MM–HH:MM · Early$") }).waitFor();
  await done(two);
  const whole = { ...event("Fair", -60 * MINUTE, 120 * MINUTE), all_day: true };
  const three = await door({ answers: () => meeting({ current: whole, current_events: [whole], busy_until: null }) });
  await three.page.locator(".when", { hasText: /^All day$/ }).waitFor();
  await three.page.locator(".all-day", { hasText: "All day: Fair" }).waitFor();
  await done(three);
});
