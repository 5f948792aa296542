// A door display: one room, readable from three metres, operated by touch or keyboard.

import { request, roomPath } from "./api.js";
import { performAction } from "./action-button.js";
import { confirm, el, setChildren, setText } from "./dom.js";
import { begin, setPageZone, showOffline, showOnline, trouble } from "./layout.js";
import { listen } from "./live.js";
import { SYMBOLS, asOf, deriveState, isOlder, isTracked, nameOf, organizerOf, titleOf } from "./room.js";
import { clock, day, inZone, length, near, now, zoneName } from "./time.js";

const address = decodeURIComponent(location.pathname.split("/")[2] ?? "").toLowerCase(); // as in the API's answers
const TICK = 1000;
const [REQUEST_AGAIN_AFTER, REQUEST_AGAIN_AFTER_TRACKED] = [15_000, 60_000]; // even without an event
const MESSAGE_TIME = 30_000;
const STEPS = [15, 30, 60];

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
  name: part("h1", "name"),
  building: part("p", "building"),
  clock: part("p", "clock"),
  sign: part("span", "sign", { "aria-hidden": "true" }),
  word: el("strong"),
  until: part("p", "until"),
  title: part("p", "title"),
  who: part("p", "who"),
  deadline: part("p", "deadline"),
  next: part("p", "next"),
  age: part("p", "deadline"),
  message: part("div", "said", { role: "status" }),
  undo: el("button", { hidden: true }, "Undo"),
  announcement: part("p", "unseen", { role: "status" }), // for screen readers
};
const state = el("p", { class: "word" }, parts.sign, " ", parts.word);
// `action`: the name of the right that the key needs, and of the room's allowed action.
const buttons = [
  { action: "check-in", text: "Check in", primary: true, perform: checkIn },
  { action: "end", text: "End", perform: end },
  ...[15, 30].map((minutes) => ({ action: "extend", text: `Extend ${minutes} min`, minutes, perform: () => extend(minutes) })),
  ...STEPS.map((minutes) => ({ action: "book", text: `Book ${minutes} min`, minutes, perform: () => book(minutes) })),
];

begin({
  bare: true,
  run: async (signedIn, main) => {
    me = signedIn;
    main.classList.add("door");
    for (const button of buttons) {
      const onclick = () => button.perform().catch(showProblem);
      button.node = el("button", { hidden: true, class: button.primary && "primary", onclick }, button.text);
    }
    setChildren(
      main,
      el("header", {}, el("div", {}, parts.name, parts.building), parts.clock),
      el("section", { class: "now", "aria-label": "Now" }, state, parts.until, parts.title, parts.who, parts.deadline, parts.age),
      el("div", { class: "buttons", role: "group", "aria-label": "Actions" }, ...buttons.map((button) => button.node)),
      el("div", { class: "answer" }, parts.message, parts.undo),
      el("footer", {}, parts.next, el("a", { href: "/" }, "All rooms")),
      parts.announcement,
    );
    setText(parts.name, nameOf({ id: address }));
    parts.main = main;
    await requestRoom();
    setInterval(tick, TICK);
    await listen({ onEvent, resync: requestRoom, onConnection });
  },
});

// A `room` event carries the room's new view. After any other event about the room, it is requested again.
function onEvent(kind, data) {
  const room = kind === "room" ? (data?.id ?? data?.room) : data?.room;
  if (room !== address) return;
  if (kind === "room" && data.read_at) show(data);
  else requestRoom();
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
  const { current, next } = room;
  drawn = room;
  document.title = `${room.label}: ${nameOf(view)} – Adjourn`;
  parts.main.dataset.kind = room.kind;
  setText(parts.name, nameOf(view));
  setText(parts.building, view.building ?? "");
  setText(parts.clock, clock(time, zone));
  parts.clock.title = `${day(time, zone)}, ${zoneName(zone)}`;
  setText(parts.sign, SYMBOLS[room.kind]);
  setText(parts.word, room.label);
  setText(parts.until, until(room, time, zone));
  setText(parts.title, current && !room.stale ? titleOf(current) : "");
  const beside = room.beside.map((event) => `also ${span(event, zone)} ${titleOf(event)}`);
  const who = current && !room.stale ? [span(current, zone), organizerOf(current), ...beside] : [];
  setText(parts.who, who.filter(Boolean).join(" · "));
  setText(parts.deadline, deadline(room, time, zone));
  setText(parts.age, ageText(room, zone));
  setText(parts.next, next ? `Next: ${span(next, zone)} ${titleOf(next)}` : room.openEnd ? "" : "No other event within a day");
  const ends = room.busyUntil ?? current?.end;
  setText(parts.announcement, `${nameOf(view)}: ${room.label}${ends && !room.stale ? ` until ${near(ends, zone)}` : ""}`);
  drawButtons(room);
}

const span = (event, zone) => (event.all_day ? "All day" : `${near(event.start, zone)}–${near(event.end, zone)}`);

function until({ current, next, busyUntil, stale }, time, zone) {
  if (stale) return "";
  if (busyUntil) return `until ${near(busyUntil, zone)} · ${length(Date.parse(busyUntil) - time)} left`;
  if (current) return `until ${near(current.end, zone)} · ${length(Date.parse(current.end) - time)} left`;
  if (!next) return "for the rest of the day";
  return `until ${near(next.start, zone)} · ${length(Date.parse(next.start) - time)}`;
}

function deadline({ releaseAt, checkedIn, current, stale }, time, zone) {
  if (releaseAt) return `No check-in yet. Released at ${clock(releaseAt, zone)}, in ${length(releaseAt - time)}.`;
  return current && checkedIn && !stale ? "Checked in" : "";
}

// The view's age, if the service cannot read the room from Exchange: the console's own connection may be fine.
function ageText({ stale }, zone) {
  const age = `as of ${near(asOf(view), zone)}`;
  if (stale) return `The room's present state is unknown (last state ${age}).`;
  return failed ? `Shown ${age}; the calendar cannot be read now.` : "";
}

// Shows the buttons that the key's rights and the room's state allow. Without a connection they are shown, but disabled.
function drawButtons(room) {
  const minutesFree = room.current
    ? minutesUntil(room.next, Date.parse(room.current.end))
    : minutesUntil(room.next, now());
  let focusGone = false;
  buttons.forEach(({ action, minutes, node, primary }) => {
    const hidden = !me.can(action) || !room.allowedActions.has(action) || (minutes > STEPS[0] && minutes > minutesFree);
    focusGone ||= hidden && node === document.activeElement;
    node.hidden = hidden;
    node.setAttribute("aria-disabled", String(busy || !connected));
    if (primary) node.classList.toggle("primary", room.kind === "awaiting");
  });
  parts.undo.setAttribute("aria-disabled", String(busy || !connected));
  if (focusGone) (buttons.find(({ node }) => !node.hidden)?.node ?? parts.main).focus();
}

const minutesUntil = (next, from) => (next ? (Date.parse(next.start) - from) / 60_000 : Infinity);

// The event as it was drawn. The API refuses the action if the event has other times by now, and never acts on another event.
const seen = ({ id, start, end }) => ({ event: id, seen: { start, end } });

async function checkIn() {
  const id = drawn?.awaitingCheckIn ?? drawn?.current?.id;
  if (!id) return;
  await perform("Checking in …", async () => {
    await request("POST", `${roomPath(address)}/check-in`, { body: { event: id, source: "display" } });
    showMessage("Checked in.");
  });
}

async function end() {
  const event = drawn?.current;
  if (isBlocked() || !event) return;
  if (await confirm("End this meeting now?", titleOf(event), "End now")) await act("end", seen(event), "Ending …");
}

async function extend(minutes) {
  const event = drawn?.current;
  if (event) await act("extend", { ...seen(event), minutes }, "Extending …");
}

const book = (minutes) => act("book", { minutes }, "Booking …");

async function act(name, body, progress) {
  await perform(progress, async () => {
    const action = await performAction(`${roomPath(address)}/${name}`, body);
    showMessage(outcomeText(action), action.change?.undoable && me.can("undo") ? action.id : null);
  });
}

async function undo(actionId) {
  await perform("Undoing …", async () => {
    const undone = await performAction(`/v1/actions/${actionId}/undo`, {});
    showMessage(outcomeText(undone));
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

// The API's message, with times in the room's zone.
const outcomeText = ({ message }) => inZone(message, view.time_zone);

// Shows a message for a while, with an undo button if the action can be undone. Without a text, removes the message.
function showMessage(text = "", actionId = null) {
  parts.message.classList.remove("no");
  setText(parts.message, text);
  messageUntil = text ? Date.now() + MESSAGE_TIME : 0;
  parts.undo.hidden = !actionId;
  parts.undo.onclick = () => undo(actionId).catch(showProblem);
}

function showProblem(problem) {
  showMessage();
  parts.message.classList.add("no");
  setChildren(parts.message, trouble(problem, view?.time_zone));
  messageUntil = view ? Date.now() + MESSAGE_TIME : 0;
}
