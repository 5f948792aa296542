// The board: all rooms with their present states, and recent activity.

import { listRooms, request, roomPath } from "./api.js";
import { el, field, setChildren, setText } from "./dom.js";
import { begin, showOffline, showOnline, trouble } from "./layout.js";
import { listen } from "./live.js";
import { SYMBOLS, asOf, deriveState, isOlder, isTracked, mainKind, nameOf, organizerOf, titleOf } from "./room.js";
import { clock, inZone, near, now, zoneName } from "./time.js";

const CHUNK = 120; // cards created at once; scrolling creates more
const TICK = 5000;
const REQUEST_AGAIN_AFTER = 15_000; // an untracked room is requested again when its view is older than this
const RELOAD_AFTER = 60_000; // listing the rooms causes no request to Exchange
const MAX_CONCURRENT_REQUESTS = 4;
const REQUESTS_PER_TICK_MAX = 40; // a key has a rate limit
const TYPING_PAUSE = 150;
const ACTIVITIES_MAX = 30;
const KINDS = ["free", "busy", "awaiting", "unknown"];
const KIND_NAMES = { free: "Free", busy: "In use", awaiting: "Waiting for check-in", unknown: "Unknown" };

const rooms = new Map(); // address → entry of the room
const cards = new Map(); // address → card
let shown = []; // addresses that match the filter, in order
let created = 0; // how many of them have a card on the page

const filter = readFilter();
const list = el("div", { class: "board" });
const summary = el("p", { class: "summary" });
const announcement = el("p", { class: "unseen", role: "status" }); // the summary for screen readers, set only after a search
const activity = el("ol");
const log = el("div", { class: "happened", role: "log", "aria-label": "Recent activity" }, activity); // around the list, which keeps its own role
const more = el("div", { class: "more" });

begin({
  run: async (me, main) => {
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Rooms"), summary, announcement),
      controls(),
      el(
        "div",
        { class: "columns" },
        el("section", { class: "just-now", hidden: true }, el("h2", {}, "Recent activity"), log),
        el("div", {}, list, more),
      ),
    );
    new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && createMore(), {
      rootMargin: "600px",
    }).observe(more);
    await load().catch((problem) => setChildren(list, trouble(problem)));
    setInterval(tick, TICK);
    await listen({ onEvent, resync });
  },
});

let loadedAt = 0;
let forbidden = false;

// Shows a 403 in the banner at once, until a request succeeds. Other problems are retried.
function onReply(problem = null) {
  const isForbidden = problem?.status === 403;
  if (isForbidden) showOffline(problem);
  else if (forbidden && !problem) showOnline();
  forbidden = isForbidden || (forbidden && Boolean(problem));
}

async function load() {
  loadedAt = Date.now(); // set before the request, so that a failing list is not requested more often
  try {
    await loadAll();
    onReply();
  } catch (problem) {
    onReply(problem);
    throw problem;
  }
}

async function loadAll() {
  const gone = new Set(rooms.keys());
  await listRooms((page) => {
    for (const entry of page) {
      gone.delete(entry.id);
      store(entry.id, entry);
    }
    arrange();
  });
  for (const room of gone) rooms.delete(room);
  loadedAt = Date.now();
  arrange();
  tick();
}

// Called after every connection and after a gap; skipped right after the page requested everything.
function resync() {
  if (Date.now() - loadedAt > 2000) load().catch(() => {});
}

function store(address, entry) {
  const before = rooms.get(address)?.state ?? null;
  const state = entry.state && !isOlder(entry.state, before, now()) ? entry.state : before;
  const requestedAt = entry.state ? Date.now() : (rooms.get(address)?.requestedAt ?? 0);
  const name = nameOf(entry);
  const failed = entry.failed ?? rooms.get(address)?.failed ?? false;
  rooms.set(address, { ...entry, state, requestedAt, failed, name, text: searchText(entry, name, state) });
}

function searchText(entry, name, state) {
  const events = [state?.current, state?.next].filter(Boolean);
  const words = events.flatMap((event) => [event.subject, event.organizer]);
  return [name, entry.id, entry.building, ...words].filter(Boolean).join(" ").toLowerCase();
}

// A `room` event carries the room's new state. After any other event, an untracked room is requested again.
function onEvent(kind, data) {
  const room = kind === "room" ? (data?.id ?? data?.room) : data?.room;
  if (!room) return;
  if (kind === "room" && data.read_at) {
    store(room, { ...rooms.get(room), ...data, state: data, failed: false });
    return arrangeSoon();
  }
  if (rooms.has(room) && !isTracked(rooms.get(room).state, now())) requestRoom(room);
  if (kind === "action" && data.message) addActivity(room, inZone(data.message, zoneOf(room)));
  if (kind === "check-in") addActivity(room, `checked in (${data.source})`);
  if (kind === "release-stopped") addActivity(room, `release cancelled; the meeting is kept: ${data.message}`);
  if (kind === "would-release") addActivity(room, `observe mode: would be released: ${data.message}`);
  if (kind === "release-warning") addActivity(room, `no check-in yet; released at ${clock(data.release_at, zoneOf(room))}`);
}

const zoneOf = (room) => rooms.get(room)?.time_zone;

function addActivity(room, message) {
  const name = rooms.get(room)?.name ?? room;
  const when = el("time", {}, clock(now(), zoneOf(room)));
  activity.prepend(el("li", {}, when, " ", el("a", { href: displayPath(room) }, name), `: ${message}`));
  while (activity.children.length > ACTIVITIES_MAX) activity.lastChild.remove();
  activity.closest("section").hidden = false;
}

async function requestRoom(room) {
  try {
    const state = await request("GET", roomPath(room));
    onReply();
    store(room, { ...rooms.get(room), state, failed: false });
  } catch (problem) {
    onReply(problem);
    if (problem.status === 404) rooms.delete(room);
    else rooms.has(room) && Object.assign(rooms.get(room), { requestedAt: Date.now(), failed: true }); // keeps the last state
  }
  arrangeSoon();
}

// Redraws what time has changed, and requests visible rooms with old views.
async function tick() {
  arrange();
  if (document.hidden) return;
  if (Date.now() - loadedAt > RELOAD_AFTER) load().catch(() => {});
  const isOld = (address) => {
    const room = rooms.get(address);
    if (!room || Date.now() - room.requestedAt < REQUEST_AGAIN_AFTER) return false;
    return !isTracked(room.state, now()) || deriveState(room.state, now()).outdated;
  };
  const old = [...cards].filter(([address, card]) => isOld(address) && (isVisible(card) || hasFewRooms()));
  const queue = old.slice(0, REQUESTS_PER_TICK_MAX).map(([address]) => address);
  queue.forEach((address) => (rooms.get(address).requestedAt = Date.now()));
  const work = async () => {
    while (queue.length) await requestRoom(queue.shift());
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT_REQUESTS }, work));
}

// Whether the rooms are few enough to request all of them, visible or not.
const hasFewRooms = () => rooms.size <= REQUESTS_PER_TICK_MAX / 2;

function isVisible(card) {
  const box = card.getBoundingClientRect();
  return box.height > 0 && box.bottom > 0 && box.top < innerHeight;
}

let arranging = null;

function arrangeSoon() {
  arranging ??= setTimeout(() => {
    arranging = null;
    arrange();
  }, 100);
}

// Derives states, counts, filters and sorts; changes only the parts of the page that differ.
function arrange() {
  const time = now();
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  const matching = [];
  for (const [address, room] of rooms) {
    room.derived = deriveState(room.state, time);
    const kind = mainKind(room.derived);
    counts[kind]++;
    if (matches(room, kind)) matching.push(address);
  }
  matching.sort((one, other) => order(rooms.get(one), rooms.get(other)));
  const parts = KINDS.filter((kind) => counts[kind]).map((kind) => `${counts[kind]} ${KIND_NAMES[kind].toLowerCase()}`);
  const filtered = rooms.size === matching.length ? "" : `${matching.length} of `;
  setText(summary, `${filtered}${rooms.size} rooms: ${parts.join(", ")}`);
  drawBuildings();
  if (matching.join() === shown.join()) return shown.slice(0, created).forEach(draw);
  shown = matching;
  created = Math.min(shown.length, Math.max(created, CHUNK));
  rebuild();
}

const order = (one, other) =>
  (one.building ?? "\uffff").localeCompare(other.building ?? "\uffff") ||
  one.name.localeCompare(other.name, "en", { numeric: true });

function matches(room, kind) {
  if (filter.building && (room.building ?? "") !== filter.building) return false;
  if (filter.state && kind !== filter.state) return false;
  return filter.q.toLowerCase().split(/\s+/).every((word) => room.text.includes(word));
}

function createMore() {
  if (created >= shown.length) return;
  created = Math.min(shown.length, created + CHUNK);
  rebuild();
}

// Puts the cards into their new order below their buildings; the focus stays where it was.
function rebuild() {
  const focused = document.activeElement;
  const groups = new Map();
  for (const address of shown.slice(0, created)) {
    const { building, time_zone } = rooms.get(address);
    const title = building ?? (rooms.size && [...rooms.values()].some((room) => room.building) ? "Other rooms" : "All rooms");
    if (!groups.has(title)) groups.set(title, { zone: time_zone, cards: [] });
    groups.get(title).cards.push(card(address));
  }
  const sections = [...groups].map(([title, { zone, cards }]) =>
    el(
      "section",
      { class: "building" },
      el("h2", {}, title, el("small", {}, zoneName(zone))),
      el("ul", { class: "cards" }, ...cards),
    ),
  );
  setChildren(list, sections.length ? sections : el("p", { class: "quiet" }, "No room matches."));
  const wanted = new Set(shown.slice(0, created));
  for (const address of cards.keys()) if (!wanted.has(address)) cards.delete(address);
  shown.slice(0, created).forEach(draw);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

const displayPath = (room) => `/rooms/${encodeURIComponent(room)}`;

function card(address) {
  if (!cards.has(address)) {
    const [sign, word, until] = [el("span", { class: "sign", "aria-hidden": "true" }), el("strong"), el("span")];
    const [what, next] = [el("p", { class: "what" }), el("p", { class: "next" })];
    const node = el(
      "li",
      { class: "card" },
      el("h3", {}, el("a", { href: displayPath(address) }, rooms.get(address).name)),
      el("p", { class: "state" }, sign, word, " ", until),
      what,
      next,
    );
    node.parts = { sign, word, until, what, next };
    cards.set(address, node);
  }
  return cards.get(address);
}

function draw(address) {
  const room = rooms.get(address);
  const { parts, dataset } = card(address);
  const zone = room.time_zone;
  const { kind, label, current, next, releaseAt, checkedIn, stale } = room.derived;
  dataset.kind = kind;
  setText(parts.sign, SYMBOLS[kind]);
  setText(parts.word, label);
  setText(parts.until, until(room, zone));
  setText(parts.what, current && !stale ? [titleOf(current), organizerOf(current)].filter(Boolean).join(" · ") : "");
  const checked = checkedIn && !stale ? "Checked in. " : "";
  const after = next ? `Next ${near(next.start, zone)} ${titleOf(next)}` : "";
  setText(parts.next, releaseAt ? `Released at ${clock(releaseAt, zone)} without a check-in` : checked + after);
}

function until({ derived: { stale, current, busyUntil, next }, state, failed }, zone) {
  if (!state) return "not read yet";
  const age = `as of ${near(asOf(state), zone)}`;
  if (stale) return age;
  const end = busyUntil ?? current?.end ?? next?.start;
  return [end && `until ${near(end, zone)}`, failed && `(${age})`].filter(Boolean).join(" ");
}

function controls() {
  const search = el("input", { type: "search", name: "q", value: filter.q, placeholder: "Room, person, subject" });
  const buildings = el("select", { name: "building" });
  const states = el("select", { name: "state" }, el("option", { value: "" }, "All"));
  for (const kind of KINDS) states.append(el("option", { value: kind }, KIND_NAMES[kind]));
  states.value = filter.state;
  let typing = null;
  const changed = () => {
    [filter.q, filter.building, filter.state] = [search.value.trim(), buildings.value, states.value];
    created = 0;
    const set = Object.entries(filter).filter(([, value]) => value);
    history.replaceState(null, "", set.length ? `?${new URLSearchParams(set)}` : location.pathname);
    arrange();
    setText(announcement, summary.textContent);
  };
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(changed, TYPING_PAUSE);
  });
  buildings.addEventListener("change", changed);
  states.addEventListener("change", changed);
  controls.buildings = buildings;
  return el(
    "form",
    { class: "filter", role: "search", onsubmit: (event) => event.preventDefault() },
    field("Search", search),
    field("Building", buildings),
    field("State", states),
  );
}

function drawBuildings() {
  const buildings = controls.buildings;
  const names = [...new Set([...rooms.values()].map((room) => room.building).filter(Boolean))].sort();
  if (buildings.dataset.names === names.join("\n") && buildings.options.length) return;
  buildings.dataset.names = names.join("\n");
  setChildren(buildings, el("option", { value: "" }, "All"), ...names.map((name) => el("option", { value: name }, name)));
  buildings.value = filter.building;
}

function readFilter() {
  const query = new URLSearchParams(location.search);
  return { q: query.get("q") ?? "", building: query.get("building") ?? "", state: query.get("state") ?? "" };
}
