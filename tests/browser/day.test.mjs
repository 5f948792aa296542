// The day of a door display: free times, starts, lengths, and where events are drawn. Pure functions, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { dayOf, freeTimes, hourMarks, lengthsOf, nextStart, placed, startAt, startsOf, visibleHours } from "../../src/console/day.js";

const at = (text) => Date.parse(`2026-05-06T${text}:00Z`);
const event = (start, end, more = {}) => ({ id: start, start: new Date(at(start)).toISOString(), end: new Date(at(end)).toISOString(), all_day: false, ...more });
const day = (...agenda) => dayOf({ agenda, agenda_from: "2026-05-06T00:00:00Z", agenda_to: "2026-05-07T00:00:00Z", time_zone: "UTC" });
const clock = (time) => new Date(time).toISOString().slice(11, 16);
const span = ({ start, end }) => `${clock(start)}-${clock(end)}`;

test("free times lie between the events, from now on; what is shorter than a quarter of an hour is not offered", () => {
  const busy = day(event("08:00", "09:00"), event("11:00", "12:00"), event("11:30", "12:30"), event("12:40", "13:00"), event("14:00", "15:00"));
  assert.deepEqual(freeTimes(busy, at("10:10"), 300).map(span), ["10:10-11:00", "13:00-14:00"]);
  assert.deepEqual(freeTimes(busy, at("11:10"), 60).map(span), []);
  assert.deepEqual(freeTimes(day(), at("10:10"), 60).map(span), ["10:10-11:10"]);
  assert.deepEqual(freeTimes(day(event("00:00", "23:59", { all_day: true })), at("10:10"), 600), []);
});

test("starts are now and the half hours, within the horizon", () => {
  const busy = day(event("11:00", "12:10"));
  assert.deepEqual(startsOf(busy, at("10:10"), 180).map(clock), ["10:10", "10:30", "12:10", "12:30"]);
  assert.deepEqual(startsOf(day(event("10:00", "11:00")), at("10:10"), 100).map(clock), ["11:00", "11:30"]);
  assert.ok(startsOf(day(), at("10:10"), 10_000).length <= 18, "and not more than a dialog holds");
});

test("a tap means the half hour in which it is, and nothing where the room is taken", () => {
  const busy = day(event("11:00", "12:10"), event("14:00", "15:00"));
  const tap = (time) => startAt(busy, at(time), at("10:10"), 480);
  assert.equal(clock(tap("13:20")), "13:00");
  assert.equal(clock(tap("12:15")), "12:10", "the free time begins here");
  assert.equal(clock(tap("13:59")), "13:30");
  assert.equal(clock(tap("10:20")), "10:10", "now");
  assert.equal(tap("11:20"), null);
  assert.equal(tap("09:00"), null, "the past");
  assert.equal(tap("23:30"), null, "beyond the horizon");
});

test("lengths end before the next event, or with it", () => {
  const minutes = (from, limit) => lengthsOf(at(from), limit && at(limit)).map((one) => `${one.minutes}${one.untilNext ? " next" : ""}`);
  assert.deepEqual(minutes("10:00", "11:00"), ["15", "30", "45", "60 next"]);
  assert.deepEqual(minutes("10:00", "10:10"), ["10 next"]);
  assert.deepEqual(minutes("10:00", null), ["15", "30", "45", "60", "90", "120"]);
  assert.deepEqual(minutes("10:00", "10:00"), []);
  assert.deepEqual(minutes("10:00", "23:00"), ["15", "30", "45", "60", "90", "120"], "nobody books a day by one tap");
});

test("the next start is that of the day, or of the view's next event", () => {
  const busy = day(event("11:00", "12:00"));
  assert.equal(clock(nextStart(busy, {}, at("10:10"))), "11:00");
  assert.equal(nextStart(busy, {}, at("12:00")), null);
  assert.equal(nextStart(busy, { next: { start: "2026-05-07T08:00:00Z" } }, at("12:00")), Date.parse("2026-05-07T08:00:00Z"));
});

test("events that overlap share the width, and others have it alone", () => {
  const busy = day(event("09:00", "10:00"), event("10:00", "12:00"), event("11:00", "13:00"), event("12:00", "12:30"), event("13:00", "13:30"));
  const visible = { start: at("08:00"), end: at("18:00") };
  const lanes = placed(busy.events, visible).map(({ event, lane, lanes }) => `${clock(event.start)} ${lane + 1}/${lanes}`);
  assert.deepEqual(lanes.sort(), ["09:00 1/1", "10:00 1/2", "11:00 2/2", "12:00 1/2", "13:00 1/1"]);
  const [first] = placed(busy.events, visible);
  assert.ok(Math.abs(first.at - 0.1) < 1e-9 && Math.abs(first.size - 0.1) < 1e-9);
});

test("the workday is shown, and more where events or the present are outside; never more than twelve hours", () => {
  const shown = (busy, now) => span(visibleHours(busy, at(now)));
  assert.equal(shown(day(), "10:10"), "08:00-18:00");
  assert.equal(shown(day(event("07:30", "08:00")), "07:40"), "07:00-18:00");
  assert.equal(shown(day(event("07:30", "08:00")), "10:10"), "08:00-18:00", "what is over needs no room");
  assert.equal(shown(day(event("06:00", "11:00"), event("20:00", "21:00")), "10:10"), "09:00-21:00");
  assert.equal(shown(day(), "23:40"), "12:00-00:00");
  assert.equal(span(visibleHours(day(), at("10:10"), 5)), "09:00-14:00", "on a low screen");
  assert.equal(hourMarks(visibleHours(day(), at("10:10"))).length, 10);
});

// The hours on the screen, in UTC, of a day without events.
const utc = (time) => new Date(time).toISOString().slice(0, 16);
const hoursOf = (zone, from, to, now) => {
  const empty = dayOf({ agenda: [], agenda_from: from, agenda_to: to, time_zone: zone });
  return { empty, marks: hourMarks(visibleHours(empty, Date.parse(now))).map(utc) };
};

test("hours and half hours are those of the room's clock, whatever its offset is", () => {
  const { empty, marks } = hoursOf("Asia/Kathmandu", "2026-05-05T18:15:00Z", "2026-05-06T18:15:00Z", "2026-05-06T05:05:20.5Z");
  assert.deepEqual([marks[0], marks.at(-1), marks.length], ["2026-05-06T02:15", "2026-05-06T11:15", 10], "08:00 to 17:00");
  assert.deepEqual(startsOf(empty, Date.parse("2026-05-06T05:05:20.5Z"), 90).map(utc), ["2026-05-06T05:05", "2026-05-06T05:15", "2026-05-06T05:45", "2026-05-06T06:15"]);
  assert.equal(utc(startAt(empty, Date.parse("2026-05-06T06:40Z"), Date.parse("2026-05-06T05:05Z"), 480)), "2026-05-06T06:15");
});

test("the workday begins at eight by the clock on the days on which the clock is changed", () => {
  for (const now of ["2026-10-24T23:10Z", "2026-10-25T10:10Z"]) {
    const { marks } = hoursOf("Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z", now);
    assert.ok(marks.includes("2026-10-25T07:00"), marks.join());
    if (now.endsWith("10:10Z")) assert.deepEqual([marks[0], marks.at(-1)], ["2026-10-25T07:00", "2026-10-25T16:00"]);
  }
  const { marks } = hoursOf("Australia/Lord_Howe", "2026-10-03T13:30Z", "2026-10-04T13:00Z", "2026-10-04T00:10Z");
  assert.deepEqual([marks[0], marks.length], ["2026-10-03T21:00", 10], "the clock moves by half an hour");
});

test("an old view keeps its own day", () => {
  const { marks } = hoursOf("UTC", "2026-05-06T00:00Z", "2026-05-07T00:00Z", "2026-05-07T09:10Z");
  assert.deepEqual([marks[0], marks.at(-1)], ["2026-05-06T12:00", "2026-05-06T23:00"]);
});

test("without a zone of the room, the hours are those of the device, within the service's day", () => {
  process.env.TZ = "Asia/Kolkata";
  const { marks } = hoursOf(null, "2026-05-06T00:00Z", "2026-05-07T00:00Z", "2026-05-06T08:10Z");
  assert.deepEqual([marks[0], marks.length], ["2026-05-06T02:30", 10], "08:00 in Kolkata");
  const late = hoursOf(null, "2026-05-06T00:00Z", "2026-05-07T00:00Z", "2026-05-06T23:40Z");
  assert.equal(late.marks.at(-1), "2026-05-06T23:30", "nothing is shown that the service did not send");
});
