// The plan page: makes a cleanup plan, shows each event's decision and reason, and applies the plan.

import { Unreachable, listRooms, request } from "./api.js";
import { confirm, el, field, setChildren, setText } from "./dom.js";
import { begin, trouble } from "./layout.js";
import { nameOf } from "./room.js";
import { clock, inZone, moment, yours, zoneName } from "./time.js";

const POLL_INTERVAL = 500;
const ROWS = 300;
const RELEASE_NAMES = { decline: "Decline", remove: "Remove", end: "End" };
const SETTLED = ["planned", "applied", "stopped", "failed"];

let rooms = new Map();
let sweep = null;
let rows = ROWS;

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
const table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Plan" });
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
      applied,
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
  planButton.disabled = applyButton.disabled = false;
}

function plan() {
  return attempt(async () => {
    setChildren(table);
    applyButton.hidden = true;
    rows = ROWS;
    const started = await request("POST", "/v1/sweeps", { body: {} });
    sweep = null;
    history.replaceState(null, "", `?sweep=${started.id}`);
    await poll(started.id);
  });
}

async function apply() {
  const count = toRelease().length;
  const detail = `This releases ${count} ${count === 1 ? "event" : "events"}, as listed in the plan.`;
  if (!(await confirm("Apply this plan?", detail, "Apply now"))) return;
  await attempt(async () => {
    applyButton.hidden = true;
    await request("POST", `/v1/sweeps/${sweep.id}/apply`);
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
const nameFor = (room) => nameOf(rooms.get(room) ?? { id: room });
const zoneFor = (room) => rooms.get(room)?.time_zone;

function draw() {
  if (!sweep) return;
  setText(status, statusText());
  bar.hidden = SETTLED.includes(sweep.state);
  [bar.max, bar.value] = [sweep.total || 1, sweep.done];
  applyButton.hidden = sweep.state !== "planned" || toRelease().length === 0;
  setText(applyButton, `Apply to ${toRelease().length}`);
  const kept = () => sweep.events.filter((event) => !event.acts);
  const events = show.value === "acts" ? toRelease() : [...toRelease(), ...kept()];
  if (!SETTLED.includes(sweep.state) && events.length === 0) return;
  if (sweep.applied.length) setChildren(applied, results());
  setChildren(table, events.length ? decisions(events) : el("p", { class: "quiet" }, "No event would be released."), moreRows(events));
}

function statusText() {
  const unread = sweep.unread_rooms ? ` ${sweep.unread_rooms} rooms could not be read.` : "";
  const counts = `${sweep.events.length} events read, ${toRelease().length} would be released.${unread}`;
  const message = sweep.message ? ` ${sweep.message}` : "";
  return {
    planning: `Reading rooms: ${sweep.done} of ${sweep.total}.`,
    planned: `Planned at ${yours(sweep.started_at)}: ${counts}${message}`,
    applying: `Applying: ${sweep.done} of ${sweep.total}.`,
    applied: `Applied: ${sweep.applied.length} done.`,
    stopped: `Stopped; nothing was changed.${message}`,
    failed: `Ended early.${message}`,
  }[sweep.state];
}

function decisions(events) {
  const head = ["Room", "Event", "Decision", "Reason"].map((name) => el("th", { scope: "col" }, name));
  const line = ({ room, event, acts, how, reason }) =>
    el(
      "tr",
      { class: acts ? "acts" : "stays" },
      el("th", { scope: "row" }, nameFor(room), el("small", {}, room)),
      el("td", {}, when(event, zoneFor(room))),
      el("td", {}, el("span", { class: `verdict ${acts ? "goes" : "keeps"}` }, acts ? (RELEASE_NAMES[how] ?? "Release") : "Keep")),
      el("td", {}, inZone(reason, zoneFor(room))),
    );
  const body = events.slice(0, rows).map(line);
  return el("table", {}, el("caption", {}, "Decisions"), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
}

function when(event, zone) {
  const long = Date.parse(event.end) - Date.parse(event.start) > 86_400_000;
  const to = long ? moment(event.end, zone) : clock(event.end, zone);
  return [`${moment(event.start, zone)}–${to}`, el("small", {}, zoneName(zone, event.start))];
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
