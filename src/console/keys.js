// The page of API keys: their rights, rooms, last use and expiry; creating, changing and revoking them.

import { idempotencyKey, listAll, request, send } from "./api.js";
import { confirm, el, field, scrollArea, setChildren, setText, tableOf } from "./dom.js";
import { keyForm } from "./key-form.js";
import { showSecret } from "./key-secret.js";
import { begin, trouble } from "./layout.js";
import { date, now } from "./time.js";

const ROWS = 200;
const ROOMS_SHOWN = 5;
const EXPIRES_SOON = 14 * 86_400_000;
const COLUMNS = ["Name", "Rights", "Rooms", "Created", "Last used", "Expires", "Change"];

let keys = [];
let loads = 0; // numbers the requests, so that a late response to an earlier one is dropped
let rows = ROWS;
let form = null;
// The request that is being sent: the same one again has the same idempotency key, so it creates no second key.
let sending = { body: null, once: null };

const status = el("p", { role: "status" });
const message = el("div", {});
const secret = el("div", {});
const body = el("tbody", {});
const more = el("button", { hidden: true, onclick: showMore }, "Show more");
const search = el("input", { type: "search", name: "search", placeholder: "Name, right or room", autocomplete: "off", oninput: draw });
const newButton = el("button", { class: "primary", onclick: () => openForm() }, "New key");

begin({
  run: async (me, main) => {
    form = keyForm(me, { submit: save, cancel: () => newButton.focus() });
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Keys"), status),
      el("p", { class: "quiet" }, "Keys whose rights and rooms are within your own. Changes hold within two seconds."),
      el("div", { class: "filter" }, field("Search", search), el("div", { class: "buttons" }, newButton)),
      message,
      secret,
      form.form,
      scrollArea("Keys", tableOf("Keys in force, newest first", COLUMNS, body)),
      more,
    );
    await attempt(load);
  },
});

async function attempt(work, place = message) {
  setChildren(place);
  try {
    await work();
  } catch (problem) {
    setChildren(place, trouble(problem));
  }
}

async function load() {
  const number = ++loads;
  const all = await listAll("keys");
  if (number !== loads) return;
  keys = all.reverse();
  draw();
}

function openForm(key = null) {
  setChildren(message);
  form.open(key);
}

async function save(body, key) {
  if (!body) return form.close();
  form.setBusy(true);
  await attempt(() => (key ? change(key, body) : create(body)), form.message);
  form.setBusy(false);
}

async function create(body) {
  const text = JSON.stringify(body);
  if (sending.body !== text) sending = { body: text, once: idempotencyKey() };
  const created = await request("POST", "/v1/keys", { body, headers: { "idempotency-key": sending.once } });
  form.close();
  showSecret(secret, created, () => newButton.focus());
  await load();
}

async function change(key, body) {
  const changed = await request("PATCH", `/v1/keys/${encodeURIComponent(key.id)}`, { body });
  form.close();
  await load();
  report(`Changed ${changed.name}.`);
}

async function revoke(key) {
  const detail = `Programs and displays that use this key are refused within two seconds. A revoked key does not come back.`;
  if (!(await confirm(`Revoke ${key.name}?`, detail, "Revoke now"))) return;
  await attempt(async () => {
    await send("DELETE", `/v1/keys/${encodeURIComponent(key.id)}`);
    await load();
    report(`Revoked ${key.name}.`);
  });
}

// Shows what was done, and moves the focus there: the pressed button may be gone.
function report(text) {
  const done = el("p", { class: "panel good", role: "status", tabindex: "-1" }, text);
  setChildren(message, done);
  done.focus();
}

function showMore() {
  rows += ROWS;
  draw();
}

function draw() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (key) => [key.name, key.id, ...key.rights, ...key.rooms].join(" ").toLowerCase();
  const found = words.length ? keys.filter((key) => words.every((word) => text(key).includes(word))) : keys;
  setChildren(body, ...found.slice(0, rows).map(row));
  more.hidden = found.length <= rows;
  setText(status, `${found.length} ${found.length === 1 ? "key" : "keys"}`);
}

function row(key) {
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, key.name, el("small", {}, key.id), key.own && el("small", {}, "Your own key")),
    el("td", { "data-name": "Rights" }, key.rights.join(", "), key.certificate_bound && el("small", {}, "Only with its client certificate")),
    el("td", { "data-name": "Rooms" }, ...roomCell(key.rooms)),
    el("td", { "data-name": "Created" }, date(key.created_at)),
    el("td", { "data-name": "Last used" }, key.last_used_at ? date(key.last_used_at) : "Never"),
    el("td", { "data-name": "Expires" }, ...expiryCell(key.expires_at)),
    el("td", {}, !key.own && buttons(key)),
  );
}

function roomCell(rooms) {
  const rest = rooms.length - ROOMS_SHOWN;
  return [rooms.slice(0, ROOMS_SHOWN).join(", "), rest > 0 && el("small", {}, `and ${rest} more`)].filter(Boolean);
}

function expiryCell(expires) {
  if (!expires) return ["Never"];
  const left = Date.parse(expires) - now();
  const state = left <= 0 ? "Expired" : left < EXPIRES_SOON && "Expires soon";
  return [date(expires), " ", state && el("span", { class: `verdict ${left <= 0 ? "fail" : "warn"}` }, state)].filter(Boolean);
}

function buttons(key) {
  return el(
    "div",
    { class: "buttons" },
    el("button", { "aria-label": `Change ${key.name}`, onclick: () => openForm(key) }, "Change"),
    el("button", { "aria-label": `Revoke ${key.name}`, onclick: () => revoke(key) }, "Revoke"),
  );
}
