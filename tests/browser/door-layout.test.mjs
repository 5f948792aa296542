// The door display in every language and on every screen: nothing is cut off or lies over anything else, what matters is legible from
// three metres, colours have contrast, and states differ without colour. One page for each language; its states arrive as events.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LANGUAGES } from "../../src/console/language.js";
import { launch, serious, until, visit } from "./browser.mjs";
import { room, startEnvironment } from "./environment.mjs";

const SCREENS = {
  ...{ "800×480": [800, 480], "1024×600": [1024, 600], "1280×800": [1280, 800], "1366×768": [1366, 768], "1920×1080": [1920, 1080] },
  ...{ portrait: [800, 1280], phone: [390, 844] },
};
const PANELS = ["800×480", "1024×600", "1280×800", "1366×768", "1920×1080", "portrait"]; // of 10.1 inches
const DIAGONAL_MM = 10.1 * 25.4;
const [CAPITAL_MM_MIN, CODE_MM_MIN] = [9, 30];
const [MINUTE, HOUR] = [60_000, 3_600_000];
const FJORD = room("fjord");
const BUILDING = "Main Building of the Harbour Company";
const LOGO = "/console/logos/0123456789abcdef0123456789abcdef";
const WIDE_IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="100"><rect width="600" height="100"/></svg>';
const WORD = "Donaudampfschifffahrtsge"; // 24 letters

let env, browser;
before(async () => ([env, browser] = await Promise.all([startEnvironment({ config: "[api]\nshow_subjects = true\n" }), launch()])));
after(async () => {
  await browser?.close();
  await env?.stop();
});

// Views of a room whose names and titles are long. Each is newer than the one before.
let readings = 0;
const at = (from) => new Date(Date.now() + from).toISOString();
const event = (id, from, to, more = {}) => ({
  ...{ id, start: at(from), end: at(to), kind: "single", all_day: false, private: false, subject: id, organizer: "Maximiliane Oberhuber-Schmidt" },
  ...more,
});
function view(more) {
  const readAt = at(readings++);
  const [start, end] = [new Date(), new Date()];
  start.setUTCHours(0, 0, 0, 0);
  end.setUTCHours(24, 0, 0, 0);
  const agenda = [
    event("Stand-up", -3 * HOUR, -2.5 * HOUR),
    ...(more.current_events ?? []),
    event(`${WORD} with everybody from the harbour office`, 2 * HOUR, 3 * HOUR),
    event("Beside it", 2.5 * HOUR, 3.5 * HOUR, { private: true }),
  ].filter((one) => Date.parse(one.start) < end && Date.parse(one.end) > start);
  return {
    ...{ id: FJORD, name: `${WORD} on the upper deck`, building: BUILDING, floor: "2", capacity: 8 },
    ...{ equipment: ["screen", "whiteboard"], time_zone: "UTC", busy: Boolean(more.current), read_at: readAt, as_of: readAt },
    ...{ tracking: "on-demand", current: null, current_events: [], next: agenda.at(-1) ?? null, free_until: null, busy_until: null },
    ...{ checked_in: false, release_at: null, awaiting_check_in: null, allowed_actions: ["book"] },
    ...{ accent: "#ffd500", accent_text: "#000000", logo: LOGO },
    ...{ agenda, agenda_from: start.toISOString(), agenda_to: end.toISOString(), booking: { horizon_minutes: 480 } },
    ...more,
  };
}
const meeting = (id = `${WORD} and the quarterly planning with the harbour office`) => event(id, -10 * MINUTE, 35 * MINUTE);
const next = () => event("Design critique", 2 * HOUR, 3 * HOUR);
function taken(more = {}) {
  const current = meeting();
  return view({ current, current_events: [current], next: next(), allowed_actions: ["end", "extend"], ...more });
}
const STATES = {
  free: () => view({ next: next() }),
  busy: () => taken({ checked_in: true }),
  awaiting: () => taken({ release_at: at(12.5 * MINUTE), awaiting_check_in: "x", allowed_actions: ["check-in", "end", "extend"] }),
  unknown: () => ({ ...taken(), read_at: at(-9 * MINUTE), as_of: at(-9 * MINUTE) }),
};
// A room that is taken by a meeting until then.
function takenUntil(name, end, zone) {
  const current = { ...meeting(`${WORD} and the ${name} of the harbour office`), end };
  return taken({ current, current_events: [current], agenda: [current], next: null, checked_in: true, time_zone: zone });
}
// Five minutes after the end of an hour, in the zone where that hour is the day's last.
function overnight() {
  const end = new Date(Math.ceil(Date.now() / HOUR) * HOUR + 5 * MINUTE);
  const hours = end.getUTCHours(); // `Etc/GMT+3` is three hours behind UTC
  return takenUntil("night", end.toISOString(), hours <= 12 ? `Etc/GMT+${hours}` : `Etc/GMT-${24 - hours}`);
}
const LONG_MEETINGS = { night: overnight, week: () => takenUntil("week", at(75 * HOUR), "UTC") };
const NEARBY = ["Cirrus", "Borealis", WORD].map((name, number) => ({
  ...{ id: room(name.toLowerCase()), name, building: BUILDING, capacity: 6 * (number + 1), state: null },
}));

const RIGHTS = ["read", "check-in", "end", "extend", "book", "undo"];
// The smallest code that a link needs: larger ones have a narrower quiet zone.
const LINK = { event: "x", url: "https://a.example/check-in#x", expires_at: at(9 * MINUTE), qr: { modules: 41, path: "M0 0h41v41h-41z" } };

// A page of the display whose service is the test: `show(state)` sends a view as an event.
async function display(language, options = {}) {
  const setUp = async (page) => {
    await page.route("**/v1/rooms?*", (route) => route.fulfill({ json: { rooms: NEARBY, next_cursor: null } }));
    await page.route(`**/v1/rooms/${encodeURIComponent(FJORD)}`, (route) => route.fulfill({ json: view({ next: next() }) }));
    await page.route(`**${LOGO}`, (route) => route.fulfill({ contentType: "image/svg+xml", body: WIDE_IMAGE }));
    await page.route("**/v1/me", (route) => route.fulfill({ json: { name: "door", rights: RIGHTS, rooms: ["*"], all_rooms: true, check_in_links: true } }));
    await page.route("**/check-in-link", (route) => route.fulfill({ json: LINK }));
    await page.addInitScript(streamEvents);
  };
  const path = `/rooms/${encodeURIComponent(FJORD)}?lang=${language}`;
  const visited = await visit(browser, env, path, { key: env.keys.all, setUp, ...options });
  const { page } = visited;
  await page.locator(".door[data-kind=free] .buttons button:visible").first().waitFor();
  await until(() => page.evaluate(() => Boolean(globalThis.emit)), "the stream is open");
  const show = async (state) => {
    const sent = (STATES[state] ?? LONG_MEETINGS[state])();
    // An older view never replaces a newer one, so the page starts anew from an unknown state.
    if (state === "unknown") await page.evaluate(() => globalThis.advance(10));
    await page.evaluate((text) => globalThis.emit(text), `event: room\ndata: ${JSON.stringify(sent)}\n\n`);
    if (STATES[state]) await page.locator(`.door[data-kind=${state}]`).waitFor();
    else await page.locator(".door[data-kind=busy] .title", { hasText: state }).waitFor();
  };
  return { ...visited, show };
}

// Runs in the page: an event stream that the test writes to, and a clock that it can advance by minutes.
function streamEvents() {
  const request = globalThis.fetch;
  globalThis.fetch = (path, options) => {
    if (path !== "/v1/events") return request(path, options);
    const body = new ReadableStream({
      start: (stream) => (globalThis.emit = (text) => stream.enqueue(new TextEncoder().encode(text))),
    });
    return Promise.resolve(new Response(body, { status: 200, headers: { "content-type": "text/event-stream" } }));
  };
  const present = Date.now;
  globalThis.advance = (minutes) => (Date.now = () => present() + minutes * 60_000);
}

// Runs in the page: what is cut off, outside the screen, or over something else. Long names and titles may end in an ellipsis.
function faults(mayScrollDown) {
  const found = [];
  const text = (node) => `${node.className || node.tagName}: ${node.textContent.slice(0, 40)}`;
  const shown = (selector) => [...document.querySelectorAll(selector)].filter((node) => node.getClientRects().length > 0);
  // By how much a line of the node's font is higher than its line height: that space is empty, and some fonts have much of it.
  const spareOfFont = (node) => {
    const { fontFamily, fontSize, fontWeight, lineHeight } = getComputedStyle(node);
    const line = document.createElement("span");
    line.style.cssText = "position: fixed; visibility: hidden; white-space: nowrap; line-height: normal";
    Object.assign(line.style, { fontFamily, fontSize, fontWeight });
    line.textContent = node.textContent;
    document.body.append(line);
    const high = line.offsetHeight;
    line.remove();
    return Math.max(0, high - parseFloat(lineHeight)) || 0;
  };
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} wide`);
  if (!mayScrollDown && scrollHeight > clientHeight) found.push(`the page is ${scrollHeight} high`);
  const own = ".word, .clock, .until, .when, .released, .age, .buttons button, .day h2, .date, .book-time, .rooms button, .way-out > *, .check-in-code p";
  for (const node of shown(own)) {
    const [wide, high] = [node.scrollWidth - node.clientWidth, node.scrollHeight - node.clientHeight];
    const isInline = getComputedStyle(node).display === "inline";
    const tolerated = 2 + Math.max(node.clientHeight * 0.12, spareOfFont(node));
    if (!isInline && (wide > 1 || high > tolerated)) found.push(`cut off by ${wide}, ${high}: ${text(node)}`);
  }
  const boxes = shown(".status > header > *, .now > *, .buttons button, .day > *:not(.timeline), .day > header > *, .timeline");
  for (const node of boxes) {
    const box = node.getBoundingClientRect();
    const around = node.closest(".status, .day").getBoundingClientRect();
    if (box.left < around.left - 1 || box.right > around.right + 1 || box.bottom > around.bottom + 1) found.push(`outside: ${text(node)}`);
    for (const other of boxes) {
      if (other === node || node.contains(other) || other.contains(node)) continue;
      const it = other.getBoundingClientRect();
      const [across, down] = [Math.min(box.right, it.right) - Math.max(box.left, it.left), Math.min(box.bottom, it.bottom) - Math.max(box.top, it.top)];
      if (across > 1 && down > 1) found.push(`${text(node)} over ${text(other)}`);
    }
  }
  return found;
}

for (const language of LANGUAGES) {
  test(`in ${language} everything fits on every screen`, async () => {
    const { page, show, assertClean, close } = await display(language);
    assert.equal(await page.evaluate(() => document.documentElement.dir), ["ar", "he"].includes(language) ? "rtl" : "ltr");
    const wrong = [];
    for (const state of ["free", "busy", "awaiting", ...Object.keys(LONG_MEETINGS), "unknown"]) {
      await show(state);
      if (state === "busy") await page.locator(".nearby button").first().waitFor();
      if (state === "awaiting") await page.locator(".check-in-code svg").waitFor();
      for (const [name, [width, height]] of Object.entries(SCREENS)) {
        await page.setViewportSize({ width, height });
        const found = await page.evaluate(faults, name === "phone");
        wrong.push(...found.map((what) => `${state}, ${name}: ${what}`));
      }
    }
    assert.deepEqual(wrong, []);
    assertClean();
    await close();
  });
}

// The height of a capital of an element's font, in pixels.
const capital = (page, selector) =>
  page.locator(selector).evaluate((node) => {
    const pen = document.createElement("canvas").getContext("2d");
    const { fontWeight, fontSize, fontFamily } = getComputedStyle(node);
    pen.font = `${fontWeight} ${fontSize} ${fontFamily}`;
    return pen.measureText("H").actualBoundingBoxAscent;
  });

test("title and times are legible from three metres on a panel of 10.1 inches", async () => {
  const { page, show, assertClean, close } = await display("en");
  await show("busy");
  for (const name of PANELS) {
    const [width, height] = SCREENS[name];
    await page.setViewportSize({ width, height });
    const pixel = DIAGONAL_MM / Math.hypot(width, height);
    for (const selector of [".title", ".when", ".clock"]) {
      const millimetres = (await capital(page, selector)) * pixel;
      assert.ok(millimetres >= CAPITAL_MM_MIN, `${selector} at ${name}: ${millimetres.toFixed(1)} mm`);
    }
  }
  assertClean();
  await close();
});

test("the logo stands beside the day, and the accent is the colour of the main button alone", async () => {
  const { page, show, assertClean, close } = await display("en");
  const style = (selector, name) => page.locator(selector).evaluate((node, name) => getComputedStyle(node)[name], name);
  const logo = page.locator(".day header .logo");
  await until(() => logo.evaluate((node) => node.complete && node.naturalWidth === 600), "the logo is loaded");
  assert.equal(await logo.getAttribute("alt"), "");
  const tones = new Set();
  for (const state of ["free", "busy", "awaiting"]) {
    await show(state);
    assert.equal(await style(".buttons .primary", "backgroundColor"), "rgb(255, 213, 0)", state);
    assert.equal(await style(".buttons .primary", "color"), "rgb(0, 0, 0)", state);
    tones.add(await style(".status", "backgroundColor"));
  }
  assert.ok(tones.size === 3 && !tones.has("rgb(255, 213, 0)"), [...tones].join());
  const sent = view({ next: next(), accent: null, accent_text: null, logo: null });
  await page.evaluate((text) => globalThis.emit(text), `event: room\ndata: ${JSON.stringify(sent)}\n\n`);
  await page.locator(".door[data-kind=free]:not(.accented)").waitFor();
  assert.equal(await logo.isVisible(), false);
  assert.equal(await style(".buttons .primary", "backgroundColor"), "rgb(255, 255, 255)");
  assertClean();
  await close();
});

test("the code is at least three centimetres wide on a panel of 10.1 inches", async () => {
  const { page, show, assertClean, close } = await display("de");
  await show("awaiting");
  const code = page.locator(".check-in-code svg path");
  await code.waitFor();
  for (const name of PANELS) {
    const [width, height] = SCREENS[name];
    await page.setViewportSize({ width, height });
    const pixel = DIAGONAL_MM / Math.hypot(width, height);
    const box = await code.boundingBox();
    for (const side of [box.width, box.height]) assert.ok(side * pixel >= CODE_MM_MIN, `${name}: ${(side * pixel).toFixed(1)} mm`);
  }
  assertClean();
  await close();
});

function luminance([red, green, blue]) {
  const linear = (value) => (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function contrast(one, other) {
  const [lower, higher] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (higher + 0.05) / (lower + 0.05);
}

for (const colorScheme of ["light", "dark"]) {
  test(`colours have contrast in ${colorScheme}, and states have words and signs`, async () => {
    const { page, show, assertClean, close } = await display("en", { colorScheme, reducedMotion: "reduce" });
    const colours = (selector, ...names) =>
      page.locator(selector).evaluate((node, names) => names.map((name) => getComputedStyle(node)[name].match(/\d+/g).map(Number)), names);
    const seen = new Set();
    for (const state of Object.keys(STATES)) {
      await show(state);
      const [[tone, ink], [panel]] = await Promise.all([colours(".status", "backgroundColor", "color"), colours(".day", "backgroundColor")]);
      assert.ok(contrast(tone, ink) >= 4.5, `text: ${contrast(tone, ink)}`);
      assert.ok(contrast(tone, panel) >= 3, `surroundings: ${contrast(tone, panel)}`);
      assert.deepEqual(await serious(page), [], state);
      seen.add(await page.locator(".word .sign").textContent()).add(await page.locator(".word strong").textContent());
    }
    assert.equal(seen.size, 2 * Object.keys(STATES).length);
    assertClean();
    await close();
  });
}

test("a language with a region, the hours of the day, and a language that nobody speaks", async () => {
  const american = await display("en-US");
  await american.page.locator(".clock", { hasText: /^\d{1,2}:\d\d\s[AP]M$/ }).waitFor();
  const twentyFour = await display("en-US&hours=24");
  await twentyFour.page.locator(".clock", { hasText: /^\d\d:\d\d$/ }).waitFor();
  const german = await display("de-AT");
  await german.page.locator(".word strong", { hasText: "Frei" }).waitFor();
  const unknown = await display("tlh");
  await unknown.page.locator(".word strong", { hasText: "Free" }).waitFor();
  for (const each of [american, twentyFour, german, unknown]) each.assertClean(), await each.close();
});
