// The record: who asked for what, what became of it, and taking it back.

import { ask, rooms as allRooms } from "./api.js";
import { confirm, el, field, put, say } from "./dom.js";
import { begin, trouble } from "./frame.js";
import { press } from "./press.js";
import { nameOf } from "./room.js";
import { inZone, moment, zoneName } from "./time.js";

const PAGE = 50;
const STATES = {
  done: "Done",
  "already-done": "Done already",
  refused: "Refused",
  "needs-attention": "Needs attention",
  open: "Under way",
};
const ASKED = { end: "End", delete: "Delete", extend: "Extend", book: "Book", undo: "Undo" };
const ACTORS = { user: "person", program: "key", sweep: "rule" };

let me = null;
let known = new Map();
let cursor = null;
let asked = 0; // the name of the page that is wanted

const body = el("tbody", {});
const status = el("p", { role: "status" });
const more = el("button", { hidden: true, onclick: () => attempt(load) }, "Show more");
const said = el("div", {});
const controls = {
  room: el("input", { type: "text", name: "room", placeholder: "All rooms", list: "rooms", autocomplete: "off" }),
  actor: el("input", { type: "text", name: "actor", placeholder: "Everybody", autocomplete: "off" }),
  state: el("select", { name: "state" }, el("option", { value: "" }, "All")),
  since: el("input", { type: "datetime-local", name: "since" }),
  until: el("input", { type: "datetime-local", name: "until" }),
};

begin({
  run: async (who, main) => {
    me = who;
    for (const [value, name] of Object.entries(STATES)) controls.state.append(el("option", { value }, name));
    const asked = new URLSearchParams(location.search);
    for (const [name, control] of Object.entries(controls)) control.value = asked.get(name) ?? "";
    const rooms = el("datalist", { id: "rooms" });
    put(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Audit"), status),
      el(
        "form",
        { class: "filter", onsubmit: search, "aria-label": "Filter" },
        field("Room", controls.room),
        me.can("audit") && field("Who", controls.actor),
        field("Outcome", controls.state),
        field("From (your time)", controls.since),
        field("To (your time)", controls.until),
        el("div", { class: "buttons" }, el("button", { class: "primary" }, "Filter")),
        rooms,
      ),
      said,
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Record" }, table()),
      more,
    );
    const all = await allRooms().catch(() => []);
    known = new Map(all.map((room) => [room.room, room]));
    put(rooms, ...all.map((room) => el("option", { value: room.room }, nameOf(room))));
    await attempt(load);
  },
});

function table() {
  const head = ["When", "Room", "Asked", "By", "Outcome", "Way back"].map((name) => el("th", { scope: "col" }, name));
  return el("table", {}, el("caption", {}, "Actions, the newest first"), el("thead", {}, el("tr", {}, ...head)), body);
}

function search(event) {
  event.preventDefault();
  cursor = null;
  asked++;
  put(body);
  const filled = Object.entries(controls).filter(([, control]) => control.value);
  const query = new URLSearchParams(filled.map(([name, control]) => [name, control.value]));
  history.replaceState(null, "", filled.length ? `?${query}` : location.pathname);
  return attempt(load);
}

async function attempt(what) {
  put(said);
  try {
    await what();
  } catch (problem) {
    put(said, trouble(problem));
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
  const name = ++asked;
  const page = await ask("GET", `/v1/actions?${query()}`);
  if (name !== asked) return; // another was asked for since
  body.append(...page.actions.map(row));
  cursor = page.next_cursor;
  more.hidden = !cursor;
  say(status, `${body.children.length}${cursor ? " or more" : ""} actions`);
}

const zoneFor = (room) => known.get(room)?.time_zone;

function row(action) {
  const room = known.get(action.room) ?? { room: action.room };
  const zone = zoneFor(action.room);
  const at = action.accepted_at;
  const when = at ? [moment(at, zone), el("small", {}, zoneName(zone, at))] : [];
  return el(
    "tr",
    { "data-action": action.action },
    el("td", {}, ...when),
    el("th", { scope: "row" }, el("a", { href: `/rooms/${encodeURIComponent(action.room)}` }, nameOf(room)), el("small", {}, action.room)),
    el("td", {}, ASKED[action.asked] ?? action.asked),
    el("td", {}, action.actor, el("small", {}, ACTORS[action.actor_kind] ?? action.actor_kind)),
    el("td", {}, el("span", { class: `verdict ${action.state}` }, STATES[action.state] ?? action.state), el("small", {}, inZone(action.message, zone))),
    el("td", {}, wayBack(action, nameOf(room))),
  );
}

function wayBack(action, name) {
  if (!action.change) return "";
  if (!action.change.undoable) return "None";
  if (!me.can("undo")) return "Yes";
  const label = `Undo: ${ASKED[action.asked] ?? action.asked} in ${name}`;
  return el("button", { "aria-label": label, onclick: (event) => undo(action, name, event.currentTarget) }, "Undo");
}

async function undo(action, name, button) {
  if (!(await confirm(`Undo this in ${name}?`, inZone(action.message, zoneFor(action.room)), "Undo now"))) return;
  button.disabled = true;
  await attempt(async () => {
    const undone = await press(`/v1/actions/${action.action}/undo`, {});
    cursor = null;
    put(body);
    await load();
    const done = el("p", { class: "panel good", role: "status", tabindex: "-1" }, `${name}: ${inZone(undone.message, zoneFor(action.room))}`);
    put(said, done);
    done.focus(); // the button that was pressed is gone
  });
  button.disabled = false;
}
