// Which of the free rooms that the service lists a door display offers while its own is taken. A pure function, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nearest } from "../../src/console/nearby.js";

const rooms = (...ids) => ids.map((id) => ({ id }));

test("at most three rooms are offered, in the service's order, and never the own one", () => {
  assert.deepEqual(nearest(rooms("own", "b", "c", "d", "e"), { id: "own" }), rooms("b", "c", "d"));
  assert.deepEqual(nearest(rooms("b", "c", "own", "d"), { id: "own" }), rooms("b", "c", "d"));
  assert.deepEqual(nearest(rooms("own"), { id: "own" }), []);
});
