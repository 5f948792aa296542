// The audit page: the recorded actions with their callers and outcomes, and undo.

import { listRooms, request } from "./api.js";
import { performAction } from "./action-button.js";
import { confirm, el, field, setChildren, setText } from "./dom.js";
import { begin, trouble } from "./layout.js";
import { nameOf } from "./room.js";
import { inZone, moment, zoneName } from "./time.js";

const PAGE = 50;
const STATES = {
  done: "Done",
  "already-done": "Already done",
  refused: "Refused",
  "needs-attention": "Needs attention",
  open: "In progress",
};
const KINDS = { end: "End", delete: "Delete", extend: "Extend", book: "Book", undo: "Undo" };
const ACTOR_KINDS = { user: "person", program: "key", sweep: "rule" };

let me = null;
let rooms = new Map();
let cursor = null;
let loads = 0; // numbers the requests, so that a late response to an earlier filter is dropped

const body = el("tbody", {});
const status = el("p", { role: "status" });
const more = el("button", { hidden: true, onclick: () => attempt(load) }, "Show more");
const message = el("div", {});
const controls = {
  room: el("input", { type: "text", name: "room", placeholder: "All rooms", list: "rooms", autocomplete: "off" }),
  actor: el("input", { type: "text", name: "actor", placeholder: "All callers", autocomplete: "off" }),
  state: el("select", { name: "state" }, el("option", { value: "" }, "All")),
  since: el("input", { type: "datetime-local", name: "since" }),
  until: el("input", { type: "datetime-local", name: "until" }),
};

begin({
  run: async (signedIn, main) => {
    me = signedIn;
    for (const [value, name] of Object.entries(STATES)) controls.state.append(el("option", { value }, name));
    const initial = new URLSearchParams(location.search);
    for (const [name, control] of Object.entries(controls)) control.value = initial.get(name) ?? "";
    const list = el("datalist", { id: "rooms" });
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Audit"), status),
      el(
        "form",
        { class: "filter", onsubmit: search, "aria-label": "Filter" },
        field("Room", controls.room),
        me.can("audit") && field("Caller", controls.actor),
        field("Outcome", controls.state),
        field("From (your time)", controls.since),
        field("To (your time)", controls.until),
        el("div", { class: "buttons" }, el("button", { class: "primary" }, "Filter")),
        list,
      ),
      message,
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Actions" }, table()),
      more,
    );
    const all = await listRooms().catch(() => []);
    rooms = new Map(all.map((room) => [room.id, room]));
    setChildren(list, ...all.map((room) => el("option", { value: room.id }, nameOf(room))));
    await attempt(load);
  },
});

function table() {
  const head = ["Time", "Room", "Action", "Caller", "Outcome", "Undo"].map((name) => el("th", { scope: "col" }, name));
  return el("table", {}, el("caption", {}, "Actions, newest first"), el("thead", {}, el("tr", {}, ...head)), body);
}

function search(event) {
  event.preventDefault();
  cursor = null;
  loads++;
  setChildren(body);
  const filled = Object.entries(controls).filter(([, control]) => control.value);
  const query = new URLSearchParams(filled.map(([name, control]) => [name, control.value]));
  history.replaceState(null, "", filled.length ? `?${query}` : location.pathname);
  return attempt(load);
}

async function attempt(work) {
  setChildren(message);
  try {
    await work();
  } catch (problem) {
    setChildren(message, trouble(problem));
  }
}

function query() {
  const query = new URLSearchParams({ limit: PAGE });
  for (const [name, control] of Object.entries(controls)) {
    const value = control.value.trim();
    if (!value) continue;
    query.set(name, name === "since" || name === "until" ? new Date(value).toISOString() : value);
  }
  if (cursor) query.set("cursor", cursor);
  return query;
}

async function load() {
  const number = ++loads;
  const page = await request("GET", `/v1/actions?${query()}`);
  if (number !== loads) return;
  body.append(...page.actions.map(row));
  cursor = page.next_cursor;
  more.hidden = !cursor;
  setText(status, `${body.children.length}${cursor ? " or more" : ""} actions`);
}

const zoneFor = (room) => rooms.get(room)?.time_zone;

function row(action) {
  const room = rooms.get(action.room) ?? { id: action.room };
  const zone = zoneFor(action.room);
  const at = action.accepted_at;
  const when = at ? [moment(at, zone), el("small", {}, zoneName(zone, at))] : [];
  return el(
    "tr",
    { "data-action": action.id },
    el("td", {}, ...when),
    el("th", { scope: "row" }, el("a", { href: `/rooms/${encodeURIComponent(action.room)}` }, nameOf(room)), el("small", {}, action.room)),
    el("td", {}, KINDS[action.kind] ?? action.kind),
    el("td", {}, action.actor, el("small", {}, ACTOR_KINDS[action.actor_kind] ?? action.actor_kind)),
    el("td", {}, el("span", { class: `verdict ${action.state}` }, STATES[action.state] ?? action.state), el("small", {}, inZone(action.message, zone))),
    el("td", {}, undoCell(action, nameOf(room))),
  );
}

function undoCell(action, name) {
  if (!action.change) return "";
  if (!action.change.undoable) return "Not possible";
  if (!me.can("undo")) return "Possible";
  const label = `Undo: ${KINDS[action.kind] ?? action.kind} in ${name}`;
  return el("button", { "aria-label": label, onclick: (event) => undo(action, name, event.currentTarget) }, "Undo");
}

async function undo(action, name, button) {
  if (!(await confirm(`Undo this in ${name}?`, inZone(action.message, zoneFor(action.room)), "Undo now"))) return;
  button.disabled = true;
  await attempt(async () => {
    const undone = await performAction(`/v1/actions/${action.id}/undo`, {});
    cursor = null;
    setChildren(body);
    await load();
    const done = el("p", { class: "panel good", role: "status", tabindex: "-1" }, `${name}: ${inZone(undone.message, zoneFor(action.room))}`);
    setChildren(message, done);
    done.focus(); // the pressed button is gone
  });
  button.disabled = false;
}
