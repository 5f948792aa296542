// What a sign-in link stores on a door display, and how its PIN is checked. Without a browser: the storage is one of the test.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { tryPin } from "../../src/console/pin.js";
import * as session from "../../src/console/session.js";

function storage() {
  const items = new Map();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, String(value)),
    removeItem: (name) => void items.delete(name),
  };
}

globalThis.history = { replaceState: () => {} };
beforeEach(() => {
  globalThis.localStorage = storage();
  globalThis.sessionStorage = storage();
});

function open(link) {
  globalThis.location = { hash: `#${link}`, pathname: "/rooms/one", search: "" };
  session.takeFromAddress();
}

test("a link with the same key makes the session a remembered one with a PIN, once", () => {
  open("key=adj_one");
  assert.deepEqual([session.isRemembered(), session.pin()], [false, null]);
  open("key=adj_one&remember");
  assert.deepEqual([session.isRemembered(), session.pin()], [true, null]);
  open("key=adj_one&remember&pin=2468");
  assert.deepEqual([session.key(), session.isRemembered(), session.pin()], ["adj_one", true, "2468"]);
  open("key=adj_one&remember&pin=1357");
  assert.equal(session.pin(), "2468", "a PIN that is set stays");
  open("key=adj_one");
  assert.deepEqual([session.isRemembered(), session.pin(), session.isOffered()], [true, "2468", false]);
});

test("a link with another key changes nothing before the page has asked", () => {
  open("key=adj_one&remember&pin=2468");
  open("key=adj_two&remember&pin=1357");
  assert.deepEqual([session.key(), session.pin(), session.isOffered()], ["adj_one", "2468", true]);
  session.decline();
});

const NOW = 1_800_000_000_000;
const PAUSE = 300_000;

test("five wrong PINs close the way out for five minutes, counted on the device", () => {
  open("key=adj_one&remember&pin=2468");
  for (let attempt = 0; attempt < 5; attempt++) assert.deepEqual(tryPin("1357", NOW), { right: false, wait: 0 });
  assert.deepEqual(tryPin("2468", NOW + 1000), { right: false, wait: PAUSE - 1000 });
  assert.ok(JSON.parse(localStorage.getItem("adjourn.pin-attempts")).closedUntil > NOW, "a reload finds it");
  assert.deepEqual(tryPin("2468", NOW + PAUSE), { right: true, wait: 0 });
  assert.deepEqual(tryPin("1357", NOW + PAUSE), { right: false, wait: 0 }, "the right one ends the count");
});

test("a clock that is set back closes it for five minutes and not for ever; a damaged count counts as none", () => {
  open("key=adj_one&remember&pin=2468");
  for (let attempt = 0; attempt < 5; attempt++) tryPin("1357", NOW + 1000 * PAUSE);
  assert.equal(tryPin("2468", NOW).wait, PAUSE);
  assert.equal(tryPin("2468", NOW + PAUSE).right, true);
  for (const damaged of ["{", "null", "[]", '{"wrong":"x","closedUntil":"y"}']) {
    localStorage.setItem("adjourn.pin-attempts", damaged);
    assert.equal(tryPin("2468", NOW).right, true, damaged);
  }
});
