// A door display: one room, to be read from three metres and used by touch or keyboard.

import { ask, roomPath } from "./api.js";
import { confirm, el, put, say } from "./dom.js";
import { begin, found, lost, standIn, trouble } from "./frame.js";
import { listen } from "./live.js";
import { press } from "./press.js";
import { SIGNS, asOf, at, isOlder, isTold, nameOf, organizerOf, titleOf } from "./room.js";
import { clock, day, inZone, length, near, now, zoneName } from "./time.js";

const address = decodeURIComponent(location.pathname.split("/")[2] ?? "").toLowerCase(); // as the service names it
const TICK = 1000;
const [OLD, OLD_IF_TOLD] = [15_000, 60_000]; // asked again, even if nobody says that something has changed
const SAID_FOR = 30_000;
const STEPS = [15, 30, 60];

let me = null;
let view = null;
let drawn = null; // the room as it is on the screen: what is pressed is about that
let failed = null; // why the last reading gave nothing
let connected = true; // the service answers
let heard = true; // it tells what happens
let busy = false; // something that was pressed is under way
let readAt = 0;
let saidUntil = 0;

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
  unheard: part("p", "deadline"),
  said: part("div", "said", { role: "status" }),
  undo: el("button", { hidden: true }, "Undo"),
  told: part("p", "unseen", { role: "status" }),
};
const state = el("p", { class: "word" }, parts.sign, " ", parts.word);
const buttons = [
  { may: "check-in", text: "Check in", primary: true, act: checkIn },
  { may: "end", text: "End", act: end },
  ...[15, 30].map((minutes) => ({ may: "extend", text: `Extend ${minutes} min`, minutes, act: () => extend(minutes) })),
  ...STEPS.map((minutes) => ({ may: "book", text: `Book ${minutes} min`, minutes, act: () => book(minutes) })),
];

begin({
  bare: true,
  run: async (who, main) => {
    me = who;
    main.classList.add("door");
    for (const button of buttons) {
      const press = () => button.act().catch(refused);
      button.node = el("button", { hidden: true, class: button.primary && "primary", onclick: press }, button.text);
    }
    put(
      main,
      el("header", {}, el("div", {}, parts.name, parts.building), parts.clock),
      el("section", { class: "now", "aria-label": "Now" }, state, parts.until, parts.title, parts.who, parts.deadline, parts.unheard),
      el("div", { class: "buttons", role: "group", "aria-label": "Actions" }, ...buttons.map((button) => button.node)),
      el("div", { class: "answer" }, parts.said, parts.undo),
      el("footer", {}, parts.next, el("a", { href: "/" }, "All rooms")),
      parts.told,
    );
    say(parts.name, nameOf({ room: address }));
    parts.main = main;
    await read();
    setInterval(tick, TICK);
    await listen({ hear, again: read, connected: connection });
  },
});

function hear(kind, data) {
  if (data?.room !== address) return;
  if (kind === "room" && data.read_at) show(data);
  else read();
}

function connection(yes, told) {
  [connected, heard] = [yes, told];
  draw();
}

async function read() {
  readAt = Date.now();
  try {
    const room = await ask("GET", roomPath(address));
    if (failed?.status === 403) found();
    failed = null;
    show(room);
  } catch (problem) {
    failed = problem;
    if (problem.status === 403) lost(problem);
    if (problem.status === 404 || !view) refused(problem);
    draw();
  }
}

function show(room) {
  readAt = Date.now();
  if (isOlder(room, view, now())) return draw();
  if (!view) answer(); // whatever was wrong before there was anything to show
  view = room;
  standIn(room);
  draw();
}

function tick() {
  draw();
  const age = Date.now() - readAt;
  const passed = view && !failed && at(view, now()).passed;
  const listening = heard && !failed && isTold(view, now());
  if (connected && !busy && age > (passed ? 1000 : listening ? OLD_IF_TOLD : OLD)) read();
  if (saidUntil && Date.now() > saidUntil) answer();
}

// Everything, from what is known; only what is another is written.
function draw() {
  if (!view) return;
  const time = now();
  const zone = view.time_zone;
  const room = at(view, time);
  const { current, next } = room;
  drawn = room;
  document.title = `${room.word}: ${nameOf(view)} – Adjourn`;
  parts.main.dataset.kind = room.kind;
  say(parts.name, nameOf(view));
  say(parts.building, view.building ?? "");
  say(parts.clock, clock(time, zone));
  parts.clock.title = `${day(time, zone)}, ${zoneName(zone)}`;
  say(parts.sign, SIGNS[room.kind]);
  say(parts.word, room.word);
  say(parts.until, until(room, time, zone));
  say(parts.title, current && !room.stale ? titleOf(current) : "");
  const beside = room.beside.map((event) => `also ${span(event, zone)} ${titleOf(event)}`);
  const who = current && !room.stale ? [span(current, zone), organizerOf(current), ...beside] : [];
  say(parts.who, who.filter(Boolean).join(" · "));
  say(parts.deadline, deadline(room, time, zone));
  say(parts.unheard, unheard(room, zone));
  say(parts.next, next ? `Next: ${span(next, zone)} ${titleOf(next)}` : room.openEnd ? "" : "Nothing else within a day");
  const ends = room.busyUntil ?? current?.end;
  say(parts.told, `${nameOf(view)}: ${room.word}${ends && !room.stale ? ` until ${near(ends, zone)}` : ""}`);
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
  if (releaseAt) return `Nobody has checked in. Released at ${clock(releaseAt, zone)}, in ${length(releaseAt - time)}.`;
  return current && checkedIn && !stale ? "Checked in" : "";
}

// That the service cannot ask Exchange is no lost connection of ours, and is said too.
function unheard({ stale }, zone) {
  const heard = `as of ${near(asOf(view), zone)}`;
  if (stale) return `It is not known how the room is (${heard}).`;
  return failed ? `This is ${heard}; it cannot be read now.` : "";
}

// Which buttons there are: what the key may do and the calendar allows. Without a connection they can be seen, and not pressed.
function drawButtons(room) {
  const room_for = room.current
    ? gap(room.next, Date.parse(room.current.end))
    : gap(room.next, now());
  let focusGone = false;
  buttons.forEach(({ may, minutes, node, primary }) => {
    const hidden = !me.can(may) || !room.may.has(may) || (minutes > STEPS[0] && minutes > room_for);
    focusGone ||= hidden && node === document.activeElement;
    node.hidden = hidden;
    node.setAttribute("aria-disabled", String(busy || !connected));
    if (primary) node.classList.toggle("primary", room.kind === "awaiting");
  });
  parts.undo.setAttribute("aria-disabled", String(busy || !connected));
  if (focusGone) (buttons.find(({ node }) => !node.hidden)?.node ?? parts.main).focus();
}

const gap = (next, from) => (next ? (Date.parse(next.start) - from) / 60_000 : Infinity);

// The event as it was drawn: if it is not that any more, nothing is done to it, and never anything to another.
const seen = ({ id, start, end }) => ({ event: id, seen: { start, end } });

async function checkIn() {
  const id = drawn?.awaitingCheckIn ?? drawn?.current?.id;
  if (!id) return;
  await doing("Checking in …", async () => {
    await ask("POST", `${roomPath(address)}/check-in`, { body: { event: id, source: "display" } });
    answer("Checked in.");
  });
}

async function end() {
  const event = drawn?.current;
  if (held() || !event) return;
  if (await confirm("End this meeting now?", titleOf(event), "End now")) await act("end", seen(event), "Ending …");
}

async function extend(minutes) {
  const event = drawn?.current;
  if (event) await act("extend", { ...seen(event), minutes }, "Extending …");
}

const book = (minutes) => act("book", { minutes }, "Booking …");

async function act(what, body, words) {
  await doing(words, async () => {
    const action = await press(`${roomPath(address)}/${what}`, body);
    answer(told(action), action.change?.undoable && me.can("undo") ? action.action : null);
  });
}

async function undo(action) {
  await doing("Undoing …", async () => {
    const undone = await press(`/v1/actions/${action}/undo`, {});
    answer(told(undone));
  });
}

const held = () => busy || !connected;

async function doing(words, what) {
  if (held()) return;
  busy = true;
  answer(words);
  draw();
  try {
    await what();
  } finally {
    busy = false;
    draw();
    read(); // whoever pressed does not wait for it
  }
}

// The API's own words, with times as the room has them.
const told = ({ message }) => inZone(message, view.time_zone);

// What became of what was pressed, for a while; with an action that can be undone.
function answer(text = "", action = null) {
  parts.said.classList.remove("no");
  say(parts.said, text);
  saidUntil = text ? Date.now() + SAID_FOR : 0;
  parts.undo.hidden = !action;
  parts.undo.onclick = () => undo(action).catch(refused);
}

function refused(problem) {
  answer();
  parts.said.classList.add("no");
  put(parts.said, trouble(problem, view?.time_zone));
  saidUntil = view ? Date.now() + SAID_FOR : 0;
}
