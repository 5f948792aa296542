// The board: all rooms, as they are now.

import { ask, roomPath, rooms as allRooms } from "./api.js";
import { el, field, put, say } from "./dom.js";
import { begin, found, lost, trouble } from "./frame.js";
import { listen } from "./live.js";
import { SIGNS, asOf, at, isOlder, isTold, nameOf, organizerOf, titleOf } from "./room.js";
import { clock, inZone, near, now, zoneName } from "./time.js";

const CHUNK = 120; // cards made at once; more come as one scrolls
const TICK = 5000;
const OLD = 15_000; // what nobody tells us of by itself is asked for again when it is older
const RELOAD = 60_000; // a list costs Exchange nothing, and says of all rooms as of when they are known
const ASKED_AT_ONCE = 4;
const ASKED_MAX = 40; // in one tick: a key has an allowance
const TYPING = 150;
const HAPPENED_MAX = 30;
const KINDS = ["free", "busy", "awaiting", "unknown"];
const KIND_NAMES = { free: "Free", busy: "In use", awaiting: "Waiting for check-in", unknown: "Not known" };

const known = new Map(); // address → what is known of the room
const cards = new Map(); // address → its card
let shown = []; // addresses that fit the filter, in order
let made = 0; // how many of them have a card on the page

const filter = readFilter();
const list = el("div", { class: "board" });
const summary = el("p", { class: "summary" });
const searchedFor = el("p", { class: "unseen", role: "status" }); // the same, read out only after something was searched for
const happened = el("ol", { class: "happened", role: "log", "aria-label": "What happened just now" });
const more = el("div", { class: "more" });

begin({
  run: async (me, main) => {
    put(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Rooms"), summary, searchedFor),
      controls(),
      el(
        "div",
        { class: "columns" },
        el("section", { class: "just-now", hidden: true }, el("h2", {}, "Just now"), happened),
        el("div", {}, list, more),
      ),
    );
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && makeMore(), {
      rootMargin: "600px",
    }).observe(more);
    await load().catch((problem) => put(list, trouble(problem)));
    setInterval(tick, TICK);
    await listen({ hear, again });
  },
});

let loadedAt = 0;
let denied = false;

// What came of asking; a no to this key is said, and not waited out.
function heard(problem = null) {
  const no = problem?.status === 403;
  if (no) lost(problem);
  else if (denied && !problem) found();
  denied = no || (denied && Boolean(problem));
}

async function load() {
  loadedAt = Date.now(); // whether it succeeds or not: it is not asked for more often
  try {
    await loadAll();
    heard();
  } catch (problem) {
    heard(problem);
    throw problem;
  }
}

async function loadAll() {
  const gone = new Set(known.keys());
  await allRooms((page) => {
    for (const entry of page) {
      gone.delete(entry.room);
      take(entry.room, entry);
    }
    arrange();
  });
  for (const room of gone) known.delete(room);
  loadedAt = Date.now();
  arrange();
  tick();
}

// After a connection was lost, or something was missed; not right after the page has asked for everything anyway.
function again() {
  if (Date.now() - loadedAt > 2000) load().catch(() => {});
}

function take(address, entry) {
  const before = known.get(address)?.state ?? null;
  const state = entry.state && !isOlder(entry.state, before, now()) ? entry.state : before;
  const asked = entry.state ? Date.now() : (known.get(address)?.asked ?? 0);
  const name = nameOf(entry);
  const failed = entry.failed ?? known.get(address)?.failed ?? false;
  known.set(address, { ...entry, state, asked, failed, name, text: searched(entry, name, state) });
}

function searched(entry, name, state) {
  const events = [state?.current, state?.next].filter(Boolean);
  const words = events.flatMap((event) => [event.subject, event.organizer]);
  return [name, entry.room, entry.building, ...words].filter(Boolean).join(" ").toLowerCase();
}

// A `room` event brings the room; any other says that it has to be asked for.
function hear(kind, data) {
  if (!data?.room) return;
  if (kind === "room" && data.read_at) {
    take(data.room, { ...known.get(data.room), ...data, state: data, failed: false });
    return arrangeSoon();
  }
  if (known.has(data.room) && !isTold(known.get(data.room).state, now())) read(data.room);
  if (kind === "action" && data.message) happen(data.room, inZone(data.message, zoneOf(data.room)));
  if (kind === "check-in") happen(data.room, `somebody checked in (${data.source})`);
  if (kind === "release-stopped") happen(data.room, `release stopped; the meeting stays: ${data.message}`);
  if (kind === "would-release") happen(data.room, `observe mode: would be released: ${data.message}`);
  if (kind === "release-near") happen(data.room, `nobody has come; released at ${clock(data.release_at, zoneOf(data.room))}`);
}

const zoneOf = (room) => known.get(room)?.time_zone;

function happen(room, message) {
  const name = known.get(room)?.name ?? room;
  const when = el("time", {}, clock(now(), zoneOf(room)));
  happened.prepend(el("li", {}, when, " ", el("a", { href: door(room) }, name), `: ${message}`));
  while (happened.children.length > HAPPENED_MAX) happened.lastChild.remove();
  happened.closest("section").hidden = false;
}

async function read(room) {
  try {
    const state = await ask("GET", roomPath(room));
    heard();
    take(room, { ...known.get(room), state, failed: false });
  } catch (problem) {
    heard(problem);
    if (problem.status === 404) known.delete(room);
    else known.has(room) && Object.assign(known.get(room), { asked: Date.now(), failed: true }); // as it was, and asked again later
  }
  arrangeSoon();
}

// What time changes, and what is old and in sight.
async function tick() {
  arrange();
  if (document.hidden) return;
  if (Date.now() - loadedAt > RELOAD) load().catch(() => {});
  const isOld = (address) => {
    const room = known.get(address);
    if (!room || Date.now() - room.asked < OLD) return false;
    return !isTold(room.state, now()) || at(room.state, now()).passed;
  };
  const old = [...cards].filter(([address, card]) => isOld(address) && (inSight(card) || isSmall()));
  const queue = old.slice(0, ASKED_MAX).map(([address]) => address);
  queue.forEach((address) => (known.get(address).asked = Date.now()));
  const work = async () => {
    while (queue.length) await read(queue.shift());
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work));
}

// Few enough rooms that all of them can be asked for.
const isSmall = () => known.size <= ASKED_MAX / 2;

function inSight(card) {
  const box = card.getBoundingClientRect();
  return box.height > 0 && box.bottom > 0 && box.top < innerHeight;
}

let soon = null;

function arrangeSoon() {
  soon ??= setTimeout(() => {
    soon = null;
    arrange();
  }, 100);
}

// Counts, filters and sorts; touches the page only where something is another.
function arrange() {
  const time = now();
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  const fitting = [];
  for (const [address, room] of known) {
    room.at = at(room.state, time);
    const kind = room.at.kind === "soon" ? "free" : room.at.kind;
    counts[kind]++;
    if (fits(room, kind)) fitting.push(address);
  }
  fitting.sort((one, other) => order(known.get(one), known.get(other)));
  const told = KINDS.filter((kind) => counts[kind]).map((kind) => `${counts[kind]} ${KIND_NAMES[kind].toLowerCase()}`);
  const all = known.size === fitting.length ? "" : `${fitting.length} of `;
  say(summary, `${all}${known.size} rooms: ${told.join(", ")}`);
  offerBuildings();
  if (fitting.join() === shown.join()) return shown.slice(0, made).forEach(draw);
  shown = fitting;
  made = Math.min(shown.length, Math.max(made, CHUNK));
  rebuild();
}

const order = (one, other) =>
  (one.building ?? "\uffff").localeCompare(other.building ?? "\uffff") ||
  one.name.localeCompare(other.name, "en", { numeric: true });

function fits(room, kind) {
  if (filter.building && (room.building ?? "") !== filter.building) return false;
  if (filter.state && kind !== filter.state) return false;
  return filter.q.toLowerCase().split(/\s+/).every((word) => room.text.includes(word));
}

function makeMore() {
  if (made >= shown.length) return;
  made = Math.min(shown.length, made + CHUNK);
  rebuild();
}

// The same cards in their new order, below their buildings; whoever had the focus keeps it.
function rebuild() {
  const focused = document.activeElement;
  const groups = new Map();
  for (const address of shown.slice(0, made)) {
    const { building, time_zone } = known.get(address);
    const title = building ?? (known.size && [...known.values()].some((room) => room.building) ? "Elsewhere" : "All rooms");
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
  put(list, sections.length ? sections : el("p", { class: "quiet" }, "No room fits."));
  const wanted = new Set(shown.slice(0, made));
  for (const address of cards.keys()) if (!wanted.has(address)) cards.delete(address);
  shown.slice(0, made).forEach(draw);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

const door = (room) => `/rooms/${encodeURIComponent(room)}`;

function card(address) {
  if (!cards.has(address)) {
    const [sign, word, until] = [el("span", { class: "sign", "aria-hidden": "true" }), el("strong"), el("span")];
    const [what, next] = [el("p", { class: "what" }), el("p", { class: "next" })];
    const node = el(
      "li",
      { class: "card" },
      el("h3", {}, el("a", { href: door(address) }, known.get(address).name)),
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
  const room = known.get(address);
  const { parts, dataset } = card(address);
  const zone = room.time_zone;
  const { kind, word, current, next, releaseAt, checkedIn } = room.at;
  dataset.kind = kind;
  say(parts.sign, SIGNS[kind]);
  say(parts.word, word);
  say(parts.until, until(room, zone));
  say(parts.what, current && !room.at.stale ? [titleOf(current), organizerOf(current)].filter(Boolean).join(" · ") : "");
  const checked = checkedIn && !room.at.stale ? "Checked in. " : "";
  const after = next ? `Next ${near(next.start, zone)} ${titleOf(next)}` : "";
  say(parts.next, releaseAt ? `Released at ${clock(releaseAt, zone)} if nobody comes` : checked + after);
}

function until({ at: { stale, current, busyUntil, next }, state, failed }, zone) {
  if (!state) return "nobody has looked yet";
  const told = `as of ${near(asOf(state), zone)}`;
  if (stale) return told;
  const turns = busyUntil ?? current?.end ?? next?.start;
  return [turns && `until ${near(turns, zone)}`, failed && `(${told})`].filter(Boolean).join(" ");
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
    made = 0;
    const said = Object.entries(filter).filter(([, value]) => value);
    history.replaceState(null, "", said.length ? `?${new URLSearchParams(said)}` : location.pathname);
    arrange();
    say(searchedFor, summary.textContent);
  };
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(changed, TYPING);
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

function offerBuildings() {
  const buildings = controls.buildings;
  const names = [...new Set([...known.values()].map((room) => room.building).filter(Boolean))].sort();
  if (buildings.dataset.names === names.join("\n") && buildings.options.length) return;
  buildings.dataset.names = names.join("\n");
  put(buildings, el("option", { value: "" }, "All"), ...names.map((name) => el("option", { value: name }, name)));
  buildings.value = filter.building;
}

function readFilter() {
  const said = new URLSearchParams(location.search);
  return { q: said.get("q") ?? "", building: said.get("building") ?? "", state: said.get("state") ?? "" };
}
