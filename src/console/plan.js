// A sweep: what it would do and why, and doing it.

import { Away, ask, rooms as allRooms } from "./api.js";
import { confirm, el, field, put, say } from "./dom.js";
import { begin, trouble } from "./frame.js";
import { nameOf } from "./room.js";
import { clock, inZone, moment, yours, zoneName } from "./time.js";

const LOOK_AGAIN = 500;
const ROWS = 300;
const HOW = { decline: "Decline", remove: "Remove", end: "End" };
const OVER = ["planned", "applied", "stopped", "failed"];

let known = new Map();
let sweep = null;
let rows = ROWS;

const show = el(
  "select",
  { name: "show" },
  el("option", { value: "acts" }, "What would be changed"),
  el("option", { value: "all" }, "Everything that was looked at"),
);
const status = el("p", { role: "status", tabindex: "-1" });
const bar = el("progress", { hidden: true, "aria-label": "Progress" });
const apply = el("button", { class: "danger", hidden: true, onclick: applyIt }, "Apply");
const planIt = el("button", { class: "primary", onclick: plan }, "Make a plan");
const table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Plan" });
const applied = el("div", {});

begin({
  run: async (me, main) => {
    put(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Plan"), status),
      el(
        "p",
        { class: "quiet" },
        "A plan looks at every room and says of every event whether it goes or stays, and why. It touches nothing until it is applied; then every event is read and judged again first.",
      ),
      el("div", { class: "filter" }, field("Show", show), el("div", { class: "buttons" }, planIt, apply)),
      bar,
      applied,
      table,
    );
    show.addEventListener("change", draw);
    known = new Map((await allRooms().catch(() => [])).map((room) => [room.room, room]));
    const id = new URLSearchParams(location.search).get("sweep");
    if (id) await attempt(() => follow(id));
  },
});

async function attempt(what) {
  planIt.disabled = apply.disabled = true;
  put(applied);
  try {
    await what();
  } catch (problem) {
    put(applied, trouble(problem));
  }
  bar.hidden = true;
  planIt.disabled = apply.disabled = false;
}

function plan() {
  return attempt(async () => {
    put(table);
    apply.hidden = true;
    rows = ROWS;
    const begun = await ask("POST", "/v1/sweeps", { body: {} });
    sweep = null;
    history.replaceState(null, "", `?sweep=${begun.id}`);
    await follow(begun.id);
  });
}

async function applyIt() {
  const count = acting().length;
  const detail = `${count} ${count === 1 ? "event goes" : "events go"}, as the plan says.`;
  if (!(await confirm("Apply this plan?", detail, "Apply now"))) return;
  await attempt(async () => {
    apply.hidden = true;
    await ask("POST", `/v1/sweeps/${sweep.id}/apply`);
    await follow(sweep.id);
  });
  status.focus(); // the button that was pressed is gone
}

async function follow(id) {
  for (;;) {
    try {
      sweep = await ask("GET", `/v1/sweeps/${encodeURIComponent(id)}`);
      draw();
      if (OVER.includes(sweep.state)) return;
    } catch (problem) {
      if (!(problem instanceof Away)) throw problem;
      say(status, "No connection to Adjourn. The sweep goes on; how far it is will be seen again.");
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

const acting = () => (sweep?.events ?? []).filter((event) => event.acts);
const nameFor = (room) => nameOf(known.get(room) ?? { room });
const zoneFor = (room) => known.get(room)?.time_zone;

function draw() {
  if (!sweep) return;
  say(status, words());
  bar.hidden = OVER.includes(sweep.state);
  [bar.max, bar.value] = [sweep.total || 1, sweep.done];
  apply.hidden = sweep.state !== "planned" || acting().length === 0;
  say(apply, `Apply to ${acting().length}`);
  const stay = () => sweep.events.filter((event) => !event.acts);
  const events = show.value === "acts" ? acting() : [...acting(), ...stay()];
  if (!OVER.includes(sweep.state) && events.length === 0) return;
  if (sweep.applied.length) put(applied, results());
  put(table, events.length ? plans(events) : el("p", { class: "quiet" }, "Nothing would be changed."), furtherRows(events));
}

function words() {
  const unseen = sweep.unseen_rooms ? ` ${sweep.unseen_rooms} rooms could not be looked at.` : "";
  const seen = `${sweep.events.length} events seen, ${acting().length} would be changed.${unseen}`;
  const why = sweep.message ? ` ${sweep.message}` : "";
  return {
    planning: `Looking at rooms: ${sweep.done} of ${sweep.total}.`,
    planned: `Planned at ${yours(sweep.begun_at)}: ${seen}${why}`,
    applying: `Applying: ${sweep.done} of ${sweep.total}.`,
    applied: `Applied: ${sweep.applied.length} done.`,
    stopped: `Stopped, and touched nothing.${why}`,
    failed: `Broke off.${why}`,
  }[sweep.state];
}

function plans(events) {
  const head = ["Room", "Event", "Verdict", "Reason"].map((name) => el("th", { scope: "col" }, name));
  const line = ({ room, event, acts, how, why }) =>
    el(
      "tr",
      { class: acts ? "acts" : "stays" },
      el("th", { scope: "row" }, nameFor(room), el("small", {}, room)),
      el("td", {}, when(event, zoneFor(room))),
      el("td", {}, el("span", { class: `verdict ${acts ? "goes" : "keeps"}` }, acts ? (HOW[how] ?? "Goes") : "Stays")),
      el("td", {}, inZone(why, zoneFor(room))),
    );
  const body = events.slice(0, rows).map(line);
  return el("table", {}, el("caption", {}, "Verdicts"), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
}

function when(event, zone) {
  const long = Date.parse(event.end) - Date.parse(event.start) > 86_400_000;
  const to = long ? moment(event.end, zone) : clock(event.end, zone);
  return [`${moment(event.start, zone)}–${to}`, el("small", {}, zoneName(zone, event.start))];
}

function furtherRows(events) {
  const further = () => {
    rows += ROWS;
    draw();
  };
  return events.length > rows && el("button", { onclick: further }, `Show more (${events.length - rows})`);
}

function results() {
  const line = (one) => el("li", {}, el("strong", {}, nameFor(one.room)), `: ${inZone(one.message, zoneFor(one.room))}`);
  return el("section", { class: "panel" }, el("h2", {}, "What was done"), el("ul", {}, ...sweep.applied.map(line)));
}
