// The audit page: the recorded actions with their callers and outcomes, and undo.

import { listRooms, request } from "./api.js";
import { performAction } from "./action-button.js";
import { cell, confirm, el, field, scrollArea, setChildren, setText, tableOf } from "./dom.js";
import { fill, keepInAddress, toQuery } from "./filter.js";
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
const COLUMNS = ["Time", "Room", "Action", "Caller", "Outcome", "Undo"];
const NOT_UNDOABLE = {
  "decline-was-sent": "No: the decline was sent",
  "cancellation-was-sent": "No: the cancellation was sent",
  "occurrence-leaves-nothing": "No: a removed date of a series leaves no item",
  "series-removed": "No: the whole series was removed",
  "server-cannot-restore": "No: the room's server cannot restore it",
  "is-an-undo": "No: it is an undo itself",
};
const ACTOR_KINDS = { user: "person", program: "key", sweep: "rule" };

let me = null;
let rooms = new Map();
let cursor = null;
let listed = new Map(); // the actions on the page by id
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
    fill(controls);
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
      scrollArea("Actions", tableOf("Actions, newest first", COLUMNS, body)),
      more,
    );
    const all = await listRooms().catch(() => []);
    rooms = new Map(all.map((room) => [room.id, room]));
    setChildren(list, ...all.map((room) => el("option", { value: room.id }, nameOf(room))));
    await attempt(load);
  },
});

function search(event) {
  event.preventDefault();
  clear();
  loads++;
  keepInAddress(controls);
  return attempt(load);
}

function clear() {
  cursor = null;
  listed = new Map();
  setChildren(body);
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
  const query = toQuery(controls);
  query.set("limit", PAGE);
  if (cursor) query.set("cursor", cursor);
  return query;
}

async function load() {
  const number = ++loads;
  const page = await request("GET", `/v1/actions?${query()}`);
  if (number !== loads) return;
  for (const action of page.actions) listed.set(action.id, action);
  body.append(...page.actions.map(row));
  cursor = page.next_cursor;
  more.hidden = !cursor;
  setText(status, `${listed.size}${cursor ? " or more" : ""} ${listed.size === 1 ? "action" : "actions"}`);
}

const zoneFor = (room) => rooms.get(room)?.time_zone;

function row(action) {
  const room = rooms.get(action.room) ?? { id: action.room };
  const zone = zoneFor(action.room);
  const at = action.accepted_at;
  const when = at ? [moment(at, zone), el("small", {}, zoneName(zone, at))] : [];
  return el(
    "tr",
    { id: action.id, "data-action": action.id },
    cell("Time", ...when),
    el("th", { scope: "row" }, el("a", { href: `/rooms/${encodeURIComponent(action.room)}` }, nameOf(room)), el("small", {}, action.room)),
    cell("Action", KINDS[action.kind] ?? action.kind),
    cell("Caller", action.actor, el("small", {}, ACTOR_KINDS[action.actor_kind] ?? action.actor_kind)),
    cell("Outcome", el("span", { class: `verdict ${action.state}` }, STATES[action.state] ?? action.state), el("small", {}, inZone(action.message, zone))),
    action.change ? cell("Undo", undoCell(action, nameOf(room), zone)) : el("td", {}),
  );
}

function undoCell(action, name, zone) {
  const { undoable, not_undoable: why } = action.change;
  if (why === "undone") return undoneBy(listed.get(action.undone_by), zone);
  if (!undoable) return NOT_UNDOABLE[why] ?? "Not possible";
  if (!me.can("undo")) return "Possible";
  const label = `Undo: ${KINDS[action.kind] ?? action.kind} in ${name}`;
  return el("button", { "aria-label": label, onclick: (event) => undo(action, name, event.currentTarget) }, "Undo");
}

// Newest first, so the undo is above the action that it has undone, unless a filter hides it.
function undoneBy(action, zone) {
  if (!action) return "Undone";
  const when = action.accepted_at ? `, ${moment(action.accepted_at, zone)}` : "";
  return el("a", { href: `#${action.id}` }, `Undone by ${action.actor}${when}`);
}

async function undo(action, name, button) {
  if (!(await confirm(`Undo this in ${name}?`, inZone(action.message, zoneFor(action.room)), "Undo now"))) return;
  button.disabled = true;
  await attempt(async () => {
    const undone = await performAction(`/v1/actions/${action.id}/undo`, {});
    clear();
    await load();
    const done = el("p", { class: "panel good", role: "status", tabindex: "-1" }, `${name}: ${inZone(undone.message, zoneFor(action.room))}`);
    setChildren(message, done);
    done.focus(); // the pressed button is gone
  });
  button.disabled = false;
}
