// The sentences about a cleanup plan: evidence, effect of a release, and the counts to confirm. Pure functions, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { confirmationLines, effectText, evidenceText, lengthOf } from "../../src/console/plan-summary.js";

const change = (kind, more = {}) => ({ kind, notification: "none", organizer_informed: false, attendees_informed: false, undoable: true, ...more });
const decline = (messages = 1) => ({
  change: change("declined", { notification: "sent", organizer_informed: true, undoable: false }),
  messages,
});
const cancelled = { change: change("cancelled", { notification: "sent", attendees_informed: true, undoable: false }), messages: null };
const updated = { change: change("ended", { notification: "sent", attendees_informed: true }), messages: null };
const quietEnd = { change: change("ended"), messages: 0 };
const quietRemoval = { change: change("removed", { undoable: false }), messages: 0 };
const seenAsDeclined = { change: change("removed", { notification: "shown-as-declined", undoable: false }), messages: 0 };
const refused = { change: null, messages: null, refusal: "The event is over." };

test("the confirmation counts each kind of effect, and states what is not known", () => {
  const all = [decline(), decline(null), cancelled, updated, quietEnd, quietRemoval, seenAsDeclined, refused];
  assert.deepEqual(confirmationLines(all), [
    "2 declines are sent to organizers and cannot be undone.",
    "1 of them is for a whole series, with more messages for changed dates.",
    "1 meeting is cancelled by mail to the attendees, which cannot be undone. The number of attendees is not known.",
    "1 update is sent to the attendees. Their number is not known.",
    "1 organizer sees the room as declined, without a message.",
    "2 events are removed without a message and cannot be undone.",
    "2 releases can be undone.",
    "1 release would change nothing now.",
  ]);
  assert.deepEqual(confirmationLines([decline()]), ["1 decline is sent to organizers and cannot be undone."]);
  assert.deepEqual(confirmationLines([]), []);
});

test("a release says whom it informs and whether it can be undone", () => {
  assert.equal(effectText(decline()), "1 message to the organizer; cannot be undone");
  assert.equal(effectText(decline(null)), "Messages to the organizer; cannot be undone");
  assert.equal(effectText(cancelled), "Messages to the attendees; cannot be undone");
  assert.equal(effectText(quietEnd), "No message; can be undone");
  assert.equal(effectText(seenAsDeclined), "No message, but the organizer sees the room as declined; cannot be undone");
  assert.equal(effectText({ ...quietEnd, change: change("ended", { notification: "unknown" }) }), "Messages not known; can be undone");
  assert.equal(effectText(refused), "Nothing would be changed: The event is over.");
  assert.equal(effectText({ change: null, messages: null, refusal: null }), "");
});

test("the evidence names watched, silent and bare rooms, the signs, and the time without a pause", () => {
  const time = (at) => at.slice(11, 16);
  const full = {
    rooms: 12,
    watched: 9,
    silent: 2,
    without_source: 1,
    signs: 3,
    oldest_sign: "2026-05-06T07:00:00Z",
    newest_sign: "2026-05-06T09:10:00Z",
    receiving_since: "2026-05-04T06:00:00Z",
  };
  assert.equal(
    evidenceText(full, time),
    "This plan rests on this evidence: a source watches 9 of 12 rooms; 2 have silent sources only; 1 has no source and keeps its meetings. " +
      "3 signs of presence, the oldest from 07:00, the newest from 09:10. Signs have been received without a pause since 06:00.",
  );
  const none = { ...full, watched: 12, silent: 0, without_source: 0, signs: 0, oldest_sign: null, newest_sign: null, receiving_since: null };
  assert.equal(
    evidenceText(none, time),
    "This plan rests on this evidence: a source watches 12 of 12 rooms. No sign of presence is stored. No signs are received now.",
  );
  assert.match(evidenceText({ ...none, rooms: 0, watched: 0 }, time), /no evidence of presence/);
  assert.equal(evidenceText(null, time), "", "it is being planned");
});

test("a length has hours and minutes", () => {
  const length = (minutes) => lengthOf({ start: "2026-05-06T09:00:00Z", end: new Date(Date.parse("2026-05-06T09:00:00Z") + minutes * 60_000) });
  assert.deepEqual([0, 45, 60, 90, 1440].map(length), ["0 min", "45 min", "1 h", "1 h 30 min", "24 h"]);
});
