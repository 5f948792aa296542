// A door display: one room, readable from three metres, operated by touch or keyboard. It shows the state and the day, and sends what
// a person chooses; its words are in display-sentences.js, its times in day.js.

import { request, roomPath } from "./api.js";
import { performAction } from "./action-button.js";
import { chooseLength, chooseStart } from "./booking.js";
import { checkInCode } from "./check-in-code.js";
import { dayOf, lengthsOf, nextStart, startAt, startsOf } from "./day.js";
import { dayColumn } from "./day-column.js";
import * as sentences from "./display-sentences.js";
import { confirm, el, setChildren, setText } from "./dom.js";
import { keepScreenOn, keepShell, nightDimming, wayOut } from "./kiosk.js";
import { countdown, languageTag, message, minutesLength, useLanguage } from "./language.js";
import { begin, setOfflineText, setPageZone, showOffline, showOnline } from "./layout.js";
import { listen } from "./live.js";
import { nearbyRooms } from "./nearby.js";
import { SYMBOLS, asOf, deriveState, isOlder, isTracked, mainKind, nameOf } from "./room.js";
import { clock, near, now } from "./time.js";

const address = decodeURIComponent(location.pathname.split("/")[2] ?? "").toLowerCase(); // as in API responses
const settings = new URLSearchParams(location.search); // `lang`, `hours`, `dim`
const TICK = 1000;
const [REQUEST_AGAIN_AFTER, REQUEST_AGAIN_AFTER_TRACKED] = [15_000, 60_000]; // even without an event
const MESSAGE_TIME = 30_000;
const STEPS = [30, 15, 60]; // minutes of a booking; the first is the usual one
const EXTENSIONS = [15, 30];
const MINUTE = 60_000;

let me = null;
let view = null; // the room's last view
let drawn = null; // the state on the screen: a pressed button concerns this one
let failed = null; // the problem of the last request
let connected = true; // the service responds
let streaming = true; // the service streams events
let busy = false; // an action is in progress
let requestedAt = 0;
let messageUntil = 0;

const part = (tag, name, attributes = {}) => el(tag, { class: name, ...attributes });
const parts = {
  name: part("h1", "name", { dir: "auto" }),
  place: part("p", "place"),
  clock: part("p", "clock"),
  sign: part("span", "sign", { "aria-hidden": "true" }),
  word: el("strong"),
  countdown: part("span", "countdown", { role: "timer" }),
  released: part("p", "released"),
  until: part("span", "when"),
  length: part("span", "length"),
  title: part("p", "title", { dir: "auto" }),
  who: part("p", "who"),
  age: part("p", "age"),
  next: part("p", "next"),
  message: part("div", "said", { role: "status" }),
  undo: el("button", { hidden: true }),
  answer: part("div", "answer"),
  announcement: part("p", "unseen", { role: "status" }), // for screen readers
  now: part("section", "now"),
  buttons: part("div", "buttons", { role: "group" }),
  bookTime: part("button", "book-time", { hidden: true }),
  wayOut: part("div", "way-out"),
  status: part("div", "status"),
  day: part("div", "day"),
  logo: el("img", { class: "logo", alt: "" }),
};
const column = dayColumn(guarded(bookAt));
const nearby = nearbyRooms(guarded(bookThere));
const code = checkInCode(address);
const dim = nightDimming(settings.get("dim"));

// `action`: the name of the right that the key needs, and of the room's allowed action. `text` and `name` (for screen readers, where it
// is longer) are made of the state.
const buttons = [
  { action: "check-in", main: "awaiting", text: checkInText, perform: checkIn },
  ...STEPS.map((minutes) => ({
    ...{ action: "book", main: minutes === STEPS[0] && "free", minutes, perform: () => book(minutes) },
    text: () => (minutes === STEPS[0] ? message("bookFor", { length: minutesLength(minutes) }) : minutesLength(minutes)),
    name: () => message("bookFor", { length: minutesLength(minutes) }),
  })),
  {
    ...{ action: "book", isOffered: hasOtherEnd, perform: () => book(minutesUntilNext(drawn)) },
    text: ({ next }) => next && message("until", { time: clock(next.start, view.time_zone) }),
    name: ({ next }) => next && message("bookUntil", { time: clock(next.start, view.time_zone) }),
  },
  { action: "end", main: "busy", text: () => message("end"), perform: end },
  ...EXTENSIONS.map((minutes) => ({
    ...{ action: "extend", minutes, perform: () => extend(minutes) },
    text: () => message("extendShort", { length: minutesLength(minutes) }),
    name: () => message("extendBy", { length: minutesLength(minutes) }),
  })),
  { action: "extend", isOffered: hasOtherEnd, text: () => message("more"), perform: extendUntil },
];

// A listener for presses: ignores them while the buttons are disabled, and shows the problem if the work fails.
function guarded(work) {
  return (...values) => (isBlocked() ? null : work(...values).catch(showProblem));
}

// Puts the display into the page; without a view it shows the room's name only.
function layOut(main) {
  if (!parts.main) build(main);
  setChildren(main, parts.status, parts.day, parts.announcement);
}

function build(main) {
  parts.main = main;
  document.body.classList.add("display");
  main.classList.add("door");
  main.dataset.kind = "unknown";
  for (const button of buttons) button.node = el("button", { hidden: true, onclick: guarded(button.perform) });
  parts.bookTime.addEventListener("click", guarded(bookTime));
  const word = el("p", { class: "word" }, parts.sign, " ", parts.word, " ", parts.countdown);
  const until = el("p", { class: "until" }, parts.until, parts.length);
  setChildren(parts.answer, parts.message, parts.undo);
  setChildren(parts.now, word, parts.released, until, parts.title, parts.who, parts.age, parts.next, parts.answer);
  setChildren(parts.buttons, ...buttons.map(({ node }) => node));
  const header = el("header", {}, el("div", {}, parts.name, parts.place), parts.clock);
  setChildren(parts.status, header, parts.now, parts.buttons);
  const foot = el("div", { class: "foot" }, parts.bookTime, parts.wayOut);
  setChildren(parts.day, column.heading, column.allDay, column.timeline, code.node, nearby.node, foot);
  setText(parts.sign, SYMBOLS.unknown);
  setText(parts.name, nameOf({ id: address }));
  setText(parts.word, message("unknown"));
}

await useLanguage(languageTag(settings, null), settings.get("hours"));
setOfflineText(sentences.offline);
keepScreenOn();
begin({
  bare: layOut,
  run: async (signedIn, main) => {
    me = signedIn;
    layOut(main);
    relabel();
    await requestRoom();
    keepShell();
    setInterval(tick, TICK);
    await listen({ onEvent, resync, onConnection });
  },
});
document.documentElement.dataset.started = ""; // for restart.js

// Sets the texts that depend on the language only.
function relabel() {
  parts.now.setAttribute("aria-label", message("now"));
  parts.buttons.setAttribute("aria-label", message("actions"));
  setText(parts.undo, message("undo"));
  setText(parts.bookTime, message("bookTime"));
  setChildren(parts.wayOut, wayOut());
}

// A `room` event carries the room's new view. After any other event about the room, it is requested again.
function onEvent(kind, data) {
  const room = kind === "room" ? (data?.id ?? data?.room) : data?.room;
  if (room !== address) return;
  if (kind === "room" && data.read_at) show(data);
  else requestRoom();
}

function resync() {
  code.refresh(); // links end when the service restarts
  requestRoom();
}

function onConnection(isReachable, isStreaming) {
  [connected, streaming] = [isReachable, isStreaming];
  draw();
}

async function requestRoom() {
  requestedAt = Date.now();
  try {
    const room = await request("GET", roomPath(address));
    if (failed?.status === 403) showOnline();
    failed = null;
    show(room);
  } catch (problem) {
    failed = problem;
    if (problem.status === 403) showOffline(problem);
    if (problem.status === 404 || !view) showProblem(problem);
    draw();
  }
}

function show(room) {
  requestedAt = Date.now();
  if (isOlder(room, view, now())) return draw();
  if (!view) showMessage(); // removes the problem of an earlier request
  view = room;
  setPageZone(room);
  draw();
  useLanguage(languageTag(settings, room), settings.get("hours")).then((isNew) => isNew && (relabel(), draw()));
}

function tick() {
  draw();
  const age = Date.now() - requestedAt;
  const outdated = view && !failed && deriveState(view, now()).outdated;
  const tracked = streaming && !failed && isTracked(view, now());
  if (connected && !busy && age > (outdated ? 1000 : tracked ? REQUEST_AGAIN_AFTER_TRACKED : REQUEST_AGAIN_AFTER)) requestRoom();
  if (messageUntil && Date.now() > messageUntil) showMessage();
}

// Draws everything from the view; changes only the texts that differ.
function draw() {
  if (!view) return;
  const time = now();
  const zone = view.time_zone;
  const room = deriveState(view, time);
  drawn = room;
  document.title = `${sentences.label(room)}: ${nameOf(view)}`;
  parts.main.dataset.kind = room.kind;
  setText(parts.name, nameOf(view));
  setText(parts.place, sentences.place(view));
  setText(parts.clock, clock(time, zone));
  drawLook(view);
  drawState(room, time, zone);
  drawButtons(room);
  const canBook = canBookLater(room);
  column.draw(view, time, { zone, canBook, horizonMinutes: view.booking.horizon_minutes });
  parts.bookTime.hidden = !canBook;
  code.draw(connected && me?.check_in_links && room.allowedActions.has("check-in") ? room.awaitingCheckIn : null);
  nearby.draw(["busy", "awaiting"].includes(room.kind) && connected ? view : null);
  dim(time, zone);
}

// The logo, and the colour of the main button. The colours of the states are always the same.
function drawLook({ accent = null, accent_text: text = null, logo = null }) {
  parts.main.classList.toggle("accented", Boolean(accent));
  parts.main.style.setProperty("--accent", accent ?? "");
  parts.main.style.setProperty("--accent-text", text ?? "");
  if (!logo) return parts.logo.remove();
  if (parts.logo.getAttribute("src") !== logo) parts.logo.setAttribute("src", logo);
  if (!parts.logo.isConnected) column.heading.append(parts.logo);
}

function drawState(room, time, zone) {
  const { current, stale, releaseAt } = room;
  const until = sentences.until(room, time, zone);
  setText(parts.sign, SYMBOLS[room.kind]);
  setText(parts.word, sentences.label(room));
  setText(parts.countdown, releaseAt ? countdown(releaseAt - time) : "");
  parts.word.parentElement.style.setProperty("--ems", ems(parts.word.parentElement.textContent));
  setText(parts.released, sentences.released(room, zone));
  setText(parts.until, until.when);
  setText(parts.length, until.howLong && ` · ${until.howLong}`);
  setText(parts.title, current && !stale ? sentences.title(current) : "");
  setText(parts.who, sentences.who(room, zone));
  setText(parts.age, sentences.age(room, asOf(view), Boolean(failed), zone));
  setText(parts.next, sentences.next(room, zone));
  setText(parts.announcement, sentences.announcement(nameOf(view), room, time, zone));
}

// About how wide a bold text is, in ems: the headline takes the size in which it fits its line.
const ems = (text) => Array.from(text.trim()).reduce((sum, letter) => sum + (letter > "\u2e80" ? 1.05 : 0.68), 0);

// Shows the buttons that the key's rights and the room's state allow. Without a connection they are shown, but disabled.
function drawButtons(room) {
  let focusGone = false;
  for (const button of buttons) {
    const { node, main, text, name } = button;
    const hidden = !isOffered(button, room);
    focusGone ||= hidden && node === document.activeElement;
    node.hidden = hidden;
    node.setAttribute("aria-disabled", String(isBlocked()));
    node.classList.toggle("primary", main === mainKind(room));
    if (hidden) continue;
    setText(node, text(room));
    if (name) node.setAttribute("aria-label", name(room));
  }
  for (const node of [parts.undo, parts.bookTime]) node.setAttribute("aria-disabled", String(isBlocked()));
  if (focusGone) (buttons.find(({ node }) => !node.hidden)?.node ?? parts.main).focus();
}

function isOffered({ action, minutes, isOffered = () => true }, room) {
  if (!me?.can(action) || !room.allowedActions.has(action)) return false;
  if (action === "extend" && room.kind === "awaiting") return false; // the check-in comes first
  return (!minutes || minutes <= minutesUntilNext(room)) && isOffered(room);
}

// From when the room can be booked or its current event extended, and until when: the start of the next event, null if none is known.
const extent = ({ current, next }) => ({ from: current ? Date.parse(current.end) : now(), limit: next ? Date.parse(next.start) : null });

// The minutes from now, or from the end of the current event, to the next event.
function minutesUntilNext(room) {
  const { from, limit } = extent(room);
  return limit === null ? Infinity : Math.ceil((limit - from) / MINUTE);
}

// Whether there are other ends to choose from than those of the buttons.
function hasOtherEnd(room) {
  const { from, limit } = extent(room);
  const shown = room.current ? EXTENSIONS : STEPS;
  return lengthsOf(from, limit).some(({ minutes, untilNext }) => (room.current || untilNext) && !shown.includes(minutes));
}

const canBookLater = (room) => Boolean(me?.can("book")) && !room.stale && !room.outdated;

function checkInText({ awaitingCheckIn, current, next }) {
  const isEarly = awaitingCheckIn && awaitingCheckIn !== current?.id && awaitingCheckIn === next?.id;
  return isEarly ? message("checkInFor", { time: near(next.start, view.time_zone) }) : message("checkInNow");
}

// The event as it was drawn. The API refuses the action if the event has other times by now, and never acts on another event.
const seen = ({ id, start, end }) => ({ event: id, seen: { start, end } });

async function checkIn() {
  const id = drawn?.awaitingCheckIn ?? drawn?.current?.id;
  if (!id) return;
  await perform(message("checkingIn"), async () => {
    await request("POST", `${roomPath(address)}/check-in`, { body: { event: id, source: "display" } });
    showMessage(message("hasCheckedIn"));
  });
}

async function end() {
  const event = drawn?.current;
  if (!event) return;
  const yes = await confirm(message("endQuestion"), sentences.title(event), message("endNow"), message("cancel"));
  if (yes) await act("end", seen(event), message("ending"));
}

async function extend(minutes) {
  const event = drawn?.current;
  if (event) await act("extend", { ...seen(event), minutes }, message("extending"));
}

async function extendUntil() {
  const event = drawn?.current;
  if (!event) return;
  const { from, limit } = extent(drawn);
  const minutes = await chooseLength(message("extendUntil"), from, limit, view.time_zone);
  if (minutes) await act("extend", { ...seen(event), minutes }, message("extending"));
}

const book = (minutes) => act("book", { minutes }, message("booking"));

// Books from a chosen start, for a chosen length.
async function bookFrom(start) {
  const zone = view.time_zone;
  const limit = nextStart(dayOf(view), view, start);
  const minutes = await chooseLength(message("chooseLength", { time: clock(start, zone) }), start, limit, zone);
  if (!minutes) return;
  const later = start > now() ? { start: new Date(start).toISOString() } : {};
  await act("book", { minutes, ...later }, message("booking"));
}

// A tap on the day.
async function bookAt(tapped) {
  const time = now();
  if (!drawn || !canBookLater(drawn)) return;
  const start = startAt(dayOf(view), tapped, time, view.booking.horizon_minutes);
  if (start !== null) await bookFrom(start);
}

async function bookTime() {
  const time = now();
  const starts = startsOf(dayOf(view), time, view.booking.horizon_minutes);
  const start = await chooseStart(starts, time, view.time_zone);
  if (start) await bookFrom(start);
}

async function bookThere(room) {
  const limit = room.state?.free_until ? Date.parse(room.state.free_until) : null;
  const minutes = await chooseLength(message("bookThere", { room: nameOf(room) }), now(), limit, room.time_zone);
  if (!minutes) return;
  try {
    await act("book", { minutes }, message("booking"), room);
  } finally {
    nearby.refresh();
  }
}

async function act(name, body, progress, there = null) {
  await perform(progress, async () => {
    const action = await performAction(`${roomPath(there?.id ?? address)}/${name}`, body);
    const text = sentences.outcome(action, (there ?? view).time_zone, there && nameOf(there));
    const canUndo = action.change?.undoable && me.can("undo");
    showMessage(text, { isRefusal: action.state === "refused", undoId: canUndo ? action.id : null });
  });
}

async function undo(actionId) {
  await perform(message("undoing"), async () => {
    const undone = await performAction(`/v1/actions/${actionId}/undo`, {});
    showMessage(sentences.outcome(undone, view.time_zone), { isRefusal: undone.state === "refused" });
  });
}

const isBlocked = () => busy || !connected;

async function perform(progress, work) {
  if (isBlocked()) return;
  busy = true;
  showMessage(progress);
  draw();
  try {
    await work();
  } finally {
    busy = false;
    draw();
    requestRoom(); // not awaited: the message is shown already
  }
}

// Shows a message for a while, with an undo button for the action `undoId`. `isRefusal`: a problem, or an action that was refused after
// its 202. Without a text, removes the message.
function showMessage(text = "", { isRefusal = false, undoId = null } = {}) {
  parts.answer.classList.toggle("no", isRefusal);
  setText(parts.message, text);
  messageUntil = text ? Date.now() + MESSAGE_TIME : 0;
  parts.answer.classList.toggle("shown", Boolean(text));
  parts.undo.hidden = !undoId;
  parts.undo.onclick = guarded(() => undo(undoId));
}

function showProblem(problem) {
  showMessage(sentences.problem(problem), { isRefusal: true });
  if (!view) messageUntil = 0;
}
