// The form of a new or changed API key: name, rights by purpose, rooms, requests per minute, expiry. Sends no requests.

import { el, field, setChildren, setText } from "./dom.js";

// Rights by purpose; the form offers those that the signed-in key has itself. `everywhere`: usually in all its rooms.
const PURPOSES = {
  display: { name: "Door display", rights: ["read", "check-in", "end", "extend", "book", "evidence"] },
  operator: {
    name: "Operator",
    rights: ["read", "check-in", "end", "delete", "extend", "book", "undo", "cleanup", "audit"],
    everywhere: true,
  },
  metrics: { name: "Metrics", rights: ["metrics"], everywhere: true },
  other: { name: "Other", rights: null },
};
const PER_MINUTE = 600;

// A form for keys that `me` may create or change. `submit(body, key)` is called with the body of the request and the key to change, null
// for a new one; `cancel()` after the form was left. The page shows a problem in `message`.
export function keyForm(me, { submit, cancel }) {
  const controls = {
    name: el("input", { type: "text", name: "name", required: true, maxlength: 64, autocomplete: "off" }),
    purpose: el("select", { name: "purpose" }, ...Object.entries(PURPOSES).map(([value, { name }]) => el("option", { value }, name))),
    rooms: el("input", { type: "text", name: "rooms", required: true, placeholder: me.rooms.join(", "), autocomplete: "off", spellcheck: "false" }),
    perMinute: el("input", { type: "number", name: "per-minute", min: 1, required: true }),
    expires: el("input", { type: "datetime-local", name: "expires" }),
  };
  const rights = new Map(me.rights.map((right) => [right, el("input", { type: "checkbox", name: right })]));
  const heading = el("h2", { id: "key-form", tabindex: "-1" });
  const message = el("div", {});
  const save = el("button", { class: "primary" });
  let key = null;

  const tick = (wanted) => rights.forEach((box, right) => (box.checked = wanted.includes(right)));
  controls.purpose.addEventListener("change", () => {
    const { rights: wanted, everywhere } = PURPOSES[controls.purpose.value];
    if (wanted) tick(wanted);
    if (everywhere && !controls.rooms.value) controls.rooms.value = me.rooms.join(", ");
  });
  rights.forEach((box) => box.addEventListener("change", () => (controls.purpose.value = purposeOf(ticked(rights)))));

  const onsubmit = (event) => {
    event.preventDefault();
    submit(key ? changes(key, controls, ticked(rights)) : creation(controls, ticked(rights)), key);
  };
  const boxes = [...rights].map(([right, box]) => el("label", { class: "check" }, box, el("span", {}, right)));
  const form = el(
    "form",
    { class: "panel key-form", hidden: true, onsubmit, "aria-labelledby": "key-form" },
    heading,
    el(
      "div",
      { class: "fields" },
      field("Name", controls.name),
      field("Purpose", controls.purpose),
      field("Rooms (* matches any text; separate with commas)", controls.rooms),
      field("Requests per minute", controls.perMinute),
      field("Expires (your time; empty: never)", controls.expires),
    ),
    el("fieldset", {}, el("legend", {}, "Rights"), el("div", { class: "boxes" }, ...boxes)),
    el("p", { class: "quiet" }, "A key can give the rights and the rooms that it has itself, and no others."),
    message,
    el("div", { class: "buttons" }, save, el("button", { type: "button", onclick: leave }, "Cancel")),
  );

  function leave() {
    form.hidden = true;
    cancel();
  }

  // Shows the form, empty, or with the values of a key to change.
  function open(keyToChange = null) {
    key = keyToChange;
    setText(heading, key ? `Change ${key.name}` : "New key");
    setText(save, key ? "Save changes" : "Create key");
    fill(controls, key);
    setChildren(message);
    tick(key ? key.rights : PURPOSES.display.rights);
    controls.purpose.value = purposeOf(ticked(rights));
    form.hidden = false;
    (key ? heading : controls.name).focus();
  }

  const setBusy = (isBusy) => (save.disabled = isBusy);
  return { form, message, open, setBusy, close: () => (form.hidden = true) };
}

function fill(controls, key) {
  controls.name.value = key?.name ?? "";
  controls.rooms.value = (key?.rooms ?? []).join(", ");
  controls.perMinute.value = key?.per_minute ?? PER_MINUTE;
  controls.expires.value = localTime(key?.expires_at);
}

const ticked = (rights) => [...rights].filter(([, box]) => box.checked).map(([right]) => right);

// The purpose with these rights, as far as the form offers them.
function purposeOf(chosen) {
  const isSame = (rights) => rights && rights.length === chosen.length && rights.every((right) => chosen.includes(right));
  return Object.keys(PURPOSES).find((purpose) => isSame(PURPOSES[purpose].rights)) ?? "other";
}

const patterns = (text) => text.split(",").map((room) => room.trim()).filter(Boolean);

function creation({ name, rooms, perMinute, expires }, rights) {
  const body = { name: name.value, rights, rooms: patterns(rooms.value), per_minute: Number(perMinute.value) };
  return expires.value ? { ...body, expires_at: new Date(expires.value).toISOString() } : body;
}

// The members that differ from the key; null if none does.
function changes(key, controls, rights) {
  const { expires_at: expires, ...wanted } = creation(controls, rights);
  const differs = ([member, value]) => JSON.stringify(value) !== JSON.stringify(key[member]);
  const body = Object.fromEntries(Object.entries(wanted).filter(differs));
  if (controls.expires.value !== localTime(key.expires_at)) Object.assign(body, expires ? { expires_at: expires } : { no_expiry: true });
  return Object.keys(body).length ? body : null;
}

// The value of a `datetime-local` control.
function localTime(at) {
  if (!at) return "";
  const date = new Date(at);
  return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
