// The plan page: makes a cleanup plan, shows its evidence and each event's decision and effect, and applies the plan without the events
// that a person leaves out. It decides nothing: `plan-summary.js` has its sentences.

import { Unreachable, listRooms, request } from "./api.js";
import { cell, choose, el, field, scrollArea, setChildren, setText, tableOf } from "./dom.js";
import { begin, trouble } from "./layout.js";
import { confirmationLines, copyName, counted, effectText, evidenceText, lengthOf } from "./plan-summary.js";
import { nameOf } from "./room.js";
import { clock, inZone, moment, near, yours, zoneName } from "./time.js";

const POLL_INTERVAL = 500;
const ROWS = 300;
const RELEASE_NAMES = { decline: "Decline", remove: "Remove", end: "End" };
const SETTLED = ["planned", "applied", "stopped", "failed"];

let rooms = new Map();
let sweep = null;
let rows = ROWS;
const leftOut = new Set(); // rooms and ids of the events that stay

const show = el(
  "select",
  { name: "show" },
  el("option", { value: "acts" }, "Events to release"),
  el("option", { value: "all" }, "All events"),
);
const status = el("p", { role: "status", tabindex: "-1" });
const bar = el("progress", { hidden: true, "aria-label": "Progress" });
const applyButton = el("button", { class: "danger", hidden: true, onclick: apply }, "Apply");
const planButton = el("button", { class: "primary", onclick: plan }, "Make a plan");
const basis = el("p", { class: "panel" });
const choices = el(
  "div",
  { class: "buttons choices", hidden: true },
  el("span", { class: "quiet" }, "Release:"),
  el("button", { onclick: () => releaseAll(true) }, "All"),
  el("button", { onclick: () => releaseAll(false) }, "None"),
);
const table = scrollArea("Plan");
const applied = el("div", {});

begin({
  run: async (me, main) => {
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Plan"), status),
      el(
        "p",
        { class: "quiet" },
        "A plan reads every room and lists each event with a decision and its reason. It changes nothing until it is applied; then each event is read and evaluated again first.",
      ),
      el("div", { class: "filter" }, field("Show", show), el("div", { class: "buttons" }, planButton, applyButton)),
      bar,
      basis,
      applied,
      choices,
      table,
    );
    show.addEventListener("change", draw);
    rooms = new Map((await listRooms().catch(() => [])).map((room) => [room.id, room]));
    const id = new URLSearchParams(location.search).get("sweep");
    if (id) await attempt(() => poll(id));
  },
});

async function attempt(work) {
  planButton.disabled = applyButton.disabled = true;
  setChildren(applied);
  try {
    await work();
  } catch (problem) {
    setChildren(applied, trouble(problem));
  }
  bar.hidden = true;
  planButton.disabled = false;
  drawSelection();
}

function plan() {
  return attempt(async () => {
    setChildren(table);
    setText(basis, "");
    applyButton.hidden = choices.hidden = true;
    rows = ROWS;
    leftOut.clear();
    const started = await request("POST", "/v1/sweeps", { body: {} });
    sweep = null;
    history.replaceState(null, "", `?sweep=${started.id}`);
    await poll(started.id);
  });
}

async function apply() {
  const events = selected();
  const lines = [...confirmationLines(events), leftOut.size > 0 && `${counted(leftOut.size, "event is", "events are")} left out.`];
  const detail = [
    el("p", {}, `This releases ${counted(events.length, "event")}:`),
    el("ul", {}, ...lines.filter(Boolean).map((text) => el("li", {}, text))),
  ];
  if (!(await choose("Apply this plan?", detail, [{ text: "Apply now", value: "yes", kind: "danger" }], "Cancel"))) return;
  const except = toRelease().filter(isLeftOut).map(({ room, event }) => ({ room, event: event.id }));
  await attempt(async () => {
    applyButton.hidden = choices.hidden = true;
    await request("POST", `/v1/sweeps/${sweep.id}/apply`, { body: { except } });
    await poll(sweep.id);
  });
  status.focus(); // the pressed button is hidden
}

async function poll(id) {
  for (;;) {
    try {
      sweep = await request("GET", `/v1/sweeps/${encodeURIComponent(id)}`);
      draw();
      if (SETTLED.includes(sweep.state)) return;
    } catch (problem) {
      if (!(problem instanceof Unreachable)) throw problem;
      setText(status, "No connection to Adjourn. The sweep continues; its progress appears again after the connection.");
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}

const toRelease = () => (sweep?.events ?? []).filter((event) => event.acts);
const keyOf = ({ room, event }) => `${room} ${event.id}`;
const isLeftOut = (planned) => leftOut.has(keyOf(planned));
const selected = () => toRelease().filter((planned) => !isLeftOut(planned));
const canChoose = () => sweep.state === "planned" && toRelease().length > 0;
const nameFor = (room) => nameOf(rooms.get(room) ?? { id: room });
const zoneFor = (room) => rooms.get(room)?.time_zone;

function draw() {
  if (!sweep) return;
  setText(status, statusText());
  bar.hidden = SETTLED.includes(sweep.state);
  [bar.max, bar.value] = [sweep.total || 1, sweep.done];
  setText(basis, evidenceText(sweep.evidence, (at) => `${near(at)} your time`));
  applyButton.hidden = choices.hidden = !canChoose();
  drawSelection();
  const isListed = ({ acts, left_out: wasLeftOut }) => acts || wasLeftOut;
  const kept = () => sweep.events.filter((event) => !isListed(event));
  const listed = sweep.events.filter(isListed);
  const events = show.value === "acts" ? listed : [...listed, ...kept()];
  if (!SETTLED.includes(sweep.state) && events.length === 0) return;
  if (sweep.applied.length) setChildren(applied, results());
  setChildren(table, events.length ? decisions(events) : el("p", { class: "quiet" }, "No event would be released."), moreRows(events));
}

function drawSelection() {
  const count = selected().length;
  setText(applyButton, `Apply to ${count}`);
  applyButton.disabled = count === 0;
}

function releaseAll(isReleased) {
  leftOut.clear();
  if (!isReleased) toRelease().forEach((planned) => leftOut.add(keyOf(planned)));
  draw();
}

function statusText() {
  const unread = sweep.unread_rooms ? ` ${sweep.unread_rooms} rooms could not be read.` : "";
  const counts = `${sweep.events.length} events read, ${toRelease().length} would be released.${unread}`;
  const message = sweep.message ? ` ${sweep.message}` : "";
  const left = sweep.events.filter((event) => event.left_out).length;
  return {
    planning: `Reading rooms: ${sweep.done} of ${sweep.total}.`,
    planned: `Planned at ${yours(sweep.started_at)}: ${counts}${message}`,
    applying: `Applying: ${sweep.done} of ${sweep.total}.`,
    applied: `Applied: ${sweep.applied.length} done${left ? `, ${left} left out` : ""}.`,
    stopped: `Stopped; nothing was changed.${message}`,
    failed: `Ended early.${message}`,
  }[sweep.state];
}

function decisions(events) {
  const columns = ["Room", "Event", "Copy", "Decision", "Reason"];
  const body = el("tbody", {}, ...events.slice(0, rows).map(row));
  return tableOf("Decisions", canChoose() ? ["Release", ...columns] : columns, body);
}

function row(planned) {
  const { room, event, copy, acts, reason } = planned;
  const zone = zoneFor(room);
  const name = nameFor(room);
  return el(
    "tr",
    { class: acts ? "acts" : "stays" },
    canChoose() && cell("Release", acts && releaseBox(planned, `Release: ${name}, ${moment(event.start, zone)}`)),
    el("th", { scope: "row" }, name, el("small", {}, room)),
    cell("Event", ...titleOf(event), ...when(event, zone)),
    cell("Copy", copyName(copy)),
    cell("Decision", ...decision(planned)),
    cell("Reason", inZone(reason, zone)),
  );
}

// Unticked, the event is left out.
function releaseBox(planned, label) {
  const change = ({ currentTarget }) => {
    if (currentTarget.checked) leftOut.delete(keyOf(planned));
    else leftOut.add(keyOf(planned));
    drawSelection();
  };
  const box = el("input", { type: "checkbox", "aria-label": label, checked: !isLeftOut(planned), onchange: change });
  return el("label", { class: "check" }, box);
}

function titleOf({ subject, organizer, private: isPrivate }) {
  if (isPrivate) return [el("strong", {}, "Private")];
  // Exchange's booking attendant makes the organizer's name the subject.
  return [subject && el("strong", {}, subject), organizer && organizer !== subject && el("small", {}, organizer)];
}

function decision(planned) {
  const { acts, how, left_out: wasLeftOut, room } = planned;
  const name = acts ? (RELEASE_NAMES[how] ?? "Release") : wasLeftOut ? "Left out" : "Keep";
  const effect = acts && inZone(effectText(planned), zoneFor(room));
  return [el("span", { class: `verdict ${acts ? "goes" : "keeps"}` }, name), effect && el("small", {}, effect)];
}

function when(event, zone) {
  const long = Date.parse(event.end) - Date.parse(event.start) > 86_400_000;
  const to = long ? moment(event.end, zone) : clock(event.end, zone);
  const length = lengthOf(event);
  return [el("div", {}, `${moment(event.start, zone)}–${to}`), el("small", {}, `${length}, ${zoneName(zone, event.start)}`)];
}

function moreRows(events) {
  const more = () => {
    rows += ROWS;
    draw();
  };
  return events.length > rows && el("button", { onclick: more }, `Show more (${events.length - rows})`);
}

function results() {
  const line = (one) => el("li", {}, el("strong", {}, nameFor(one.room)), `: ${inZone(one.message, zoneFor(one.room))}`);
  return el("section", { class: "panel" }, el("h2", {}, "Results"), el("ul", {}, ...sweep.applied.map(line)));
}
