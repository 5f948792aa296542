// The page of the door displays: which are paired and in contact, a form to pair one by its code, and the address of every room's display.

import { listAll, listRooms, request, send } from "./api.js";
import { BUILD } from "./build.js";
import { confirm, el, field, scrollArea, setChildren, setText, tableOf } from "./dom.js";
import { begin, showOffline, showOnline, trouble } from "./layout.js";
import { nameOf } from "./room.js";
import { near } from "./time.js";

const REFRESH_INTERVAL = 10_000;
const SEEN_AFTER = 4_000; // a display that was paired opens its room within this
const STATES = {
  connected: { text: "● Connected", kind: "pass" },
  silent: { text: "◔ Silent", kind: "warn" },
  lost: { text: "✕ Lost", kind: "fail" },
  never: { text: "○ Not seen yet", kind: "" },
};
const COLUMNS = ["Display", "Room", "State", "Last contact", "Files", "Paired", "Remove"];

let rooms = new Map();
let loads = 0; // numbers the requests: a late response to an earlier one may still have a display that was removed
const rows = new Map(); // by display id; a row that stays keeps its focus

const status = el("p", { role: "status" });
const answer = el("div", { role: "status" });
const body = el("tbody", {});
const none = el("p", { class: "quiet" }, "No display is paired yet. Open /display on a tablet: it shows a code.");
const doors = el("details", {}, el("summary", {}, "Doors: the address of each room’s display"));
const controls = {
  code: el("input", { name: "code", inputmode: "numeric", autocomplete: "off", required: true, maxlength: "7", pattern: "\\s*\\d{3}\\s?\\d{3}\\s*", title: "Six digits" }),
  room: el("input", { name: "room", list: "rooms", autocomplete: "off", required: true }),
  name: el("input", { name: "name", autocomplete: "off", maxlength: "64" }),
  pin: el("input", { name: "pin", inputmode: "numeric", autocomplete: "off", pattern: "\\d{4,12}", title: "4 to 12 digits" }),
};
const submit = el("button", { class: "primary" }, "Pair");

begin({
  run: async (me, main) => {
    const list = el("datalist", { id: "rooms" });
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Displays"), status),
      form(list),
      answer,
      none,
      scrollArea("Paired displays", tableOf("Paired displays", COLUMNS, body)),
      doors,
    );
    if (me.can("read")) await loadRooms(list);
    await refresh();
    setInterval(refresh, REFRESH_INTERVAL);
  },
});

function form(list) {
  return el(
    "form",
    { class: "filter", onsubmit: pair, "aria-label": "Pair a display" },
    field("Code on the display", controls.code),
    field("Room", controls.room),
    field("Name (optional)", controls.name),
    field("PIN for sign-out (optional)", controls.pin),
    el("div", { class: "buttons" }, submit),
    list,
  );
}

async function loadRooms(list) {
  const all = await listRooms();
  rooms = new Map(all.map((room) => [room.id, room]));
  setChildren(list, ...all.map((room) => el("option", { value: room.id }, nameOf(room))));
  doors.append(scrollArea("Doors", tableOf("Doors", ["Room", "Address of its display"], el("tbody", {}, ...all.map(door)))));
}

async function pair(event) {
  event.preventDefault();
  submit.disabled = true;
  const value = (name) => controls[name].value.trim() || null;
  const order = { code: controls.code.value, room: value("room"), name: value("name"), pin: value("pin") };
  try {
    const display = await request("POST", "/v1/displays", { body: order });
    const text = `Paired “${display.name}” with ${roomName(display.room)}. The display opens its room within seconds.`;
    setChildren(answer, el("p", { class: "panel good" }, text));
    for (const name of ["code", "name", "pin"]) controls[name].value = "";
    await refresh();
    setTimeout(refresh, SEEN_AFTER);
  } catch (problem) {
    setChildren(answer, trouble(problem));
  }
  submit.disabled = false;
  controls.code.focus();
}

async function refresh() {
  const number = ++loads;
  try {
    const displays = await listAll("displays");
    if (number === loads) draw(displays);
    showOnline();
  } catch (problem) {
    if (number === loads) showOffline(problem);
  }
}

function draw(displays) {
  const lost = displays.filter(({ state }) => state === "lost").length;
  setText(status, `${displays.length} paired, ${lost} lost`);
  none.hidden = displays.length > 0;
  const known = new Set(displays.map(({ id }) => id));
  for (const [id, row] of rows) {
    if (known.has(id)) continue;
    row.node.remove();
    rows.delete(id);
  }
  displays.forEach((display, index) => {
    const row = rows.get(display.id) ?? newRow(display);
    row.draw(display);
    if (body.children[index] !== row.node) body.insertBefore(row.node, body.children[index] ?? null);
  });
}

function newRow({ id }) {
  const [name, room, files, paired, contact] = [el("span"), el("td"), el("td"), el("td"), el("td")];
  const state = el("span", { class: "verdict" });
  const remove = el("button", { class: "small" }, "Remove");
  const node = el("tr", {}, el("th", { scope: "row" }, name), room, el("td", {}, state), contact, files, paired, el("td", {}, remove));
  const draw = (display) => {
    const { text, kind } = STATES[display.state];
    setText(name, display.name);
    setText(room, roomName(display.room));
    setText(state, text);
    state.className = `verdict ${kind}`;
    setText(contact, display.state === "connected" ? "now" : display.last_contact_at ? near(display.last_contact_at) : "–");
    setText(files, filesOf(display.version));
    setText(paired, `${near(display.paired_at)} by ${display.paired_by}`);
    remove.setAttribute("aria-label", `Remove ${display.name}`);
    remove.onclick = () => removeDisplay(display);
  };
  const row = { node, draw };
  rows.set(id, row);
  return row;
}

// Whether the display runs the files that this page runs, which are the service's.
function filesOf(version) {
  if (!version) return "–";
  return version === BUILD ? "Current" : "Other build";
}

async function removeDisplay({ id, name, room }) {
  const detail = `Its key is revoked, and the display in ${roomName(room)} shows a new code.`;
  if (!(await confirm(`Remove “${name}”?`, detail, "Remove"))) return;
  try {
    await send("DELETE", `/v1/displays/${encodeURIComponent(id)}`); // its response has no body
    setChildren(answer, el("p", { class: "panel good" }, `Removed “${name}”.`));
  } catch (problem) {
    setChildren(answer, trouble(problem));
  }
  await refresh();
}

const roomName = (address) => nameOf(rooms.get(address) ?? { id: address });

function door(room) {
  const address = `/rooms/${encodeURIComponent(room.id)}`;
  const link = el("a", { href: address }, location.origin + address);
  return el("tr", {}, el("th", { scope: "row" }, nameOf(room)), el("td", {}, link));
}
