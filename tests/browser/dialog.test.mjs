// A dialog at the door closes when nobody uses it any more, and not under the hands of a person. Without a browser.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { closeWhenUnused } from "../../src/console/dom.js";

test("a dialog closes half a minute after its last use", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const dialog = new EventTarget();
  let closed = 0;
  closeWhenUnused(dialog, () => closed++);
  for (const use of ["keydown", "pointerdown", "focusin"]) {
    mock.timers.tick(29_000);
    dialog.dispatchEvent(new Event(use));
    mock.timers.tick(29_000);
    assert.equal(closed, 0, use);
    dialog.dispatchEvent(new Event(use));
  }
  dialog.dispatchEvent(new Event("pointermove"));
  mock.timers.tick(29_999);
  assert.equal(closed, 0);
  mock.timers.tick(1);
  assert.equal(closed, 1);
  mock.timers.reset();
});

test("a dialog that was closed is not closed again", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const dialog = new EventTarget();
  let closed = 0;
  closeWhenUnused(dialog, () => closed++);
  dialog.dispatchEvent(new Event("close"));
  dialog.dispatchEvent(new Event("focusin"));
  mock.timers.tick(60_000);
  assert.equal(closed, 0);
  mock.timers.reset();
});
