// The day of a room as a door display shows it: which hours, where each event is, what is free, and what can be chosen. Pure: the view
// of the room and the time are arguments.

import { sinceMidnight } from "./time.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WORKDAY = [8, 18]; // hours that are shown even when nothing is in them
const HOURS_MAX = 12; // shown at a time
const GAP_MIN = 15 * MINUTE; // the shortest time that is offered
const START_STEP = 30 * MINUTE;
const STARTS_MAX = 18;
const LENGTHS = [15, 30, 45, 60, 90, 120]; // minutes
const UNTIL_NEXT_MAX = 8 * HOUR;

const startOf = (event) => Date.parse(event.start);
const endOf = (event) => Date.parse(event.end);

// The room's day: its bounds and events.
export function dayOf(view) {
  const [from, to] = [Date.parse(view.agenda_from), Date.parse(view.agenda_to)];
  const events = view.agenda.filter((event) => endOf(event) > from && startOf(event) < to);
  events.sort((a, b) => startOf(a) - startOf(b));
  return { from, to, zone: view.time_zone, events };
}

// The last time at which the zone's clock showed a full step (an hour, a half hour). Zones have offsets of half and quarter hours, and
// the day of a room without a zone starts at another hour.
const floorTo = (step, time, zone) => Math.floor((time - (sinceMidnight(time, zone) % step)) / 1000) * 1000;

const ceilTo = (step, time, zone) => (sinceMidnight(time, zone) % step === 0 ? time : floorTo(step, time, zone) + step);

// When the zone's clock shows this hour, in the calendar day of `time`. On a day of 23 or 25 hours the clock moves in the night.
function clockHour(hour, time, zone) {
  const guess = floorTo(MINUTE, time - sinceMidnight(time, zone) + hour * HOUR, zone);
  const error = (((sinceMidnight(guess, zone) - hour * HOUR) % DAY) + DAY) % DAY;
  return guess - (error > DAY / 2 ? error - DAY : error);
}

// The part of the day on the screen: the workday, and more for the present and for events outside of it that are not over. If that is
// too much, the past goes first. `hoursMax` is what the screen has room for.
export function visibleHours({ from, to, zone, events }, now, hoursMax = HOURS_MAX) {
  const timed = events.filter((event) => !event.all_day);
  const inDay = Math.min(Math.max(now, from), to - 1); // an old view has another day
  const [open, close] = WORKDAY.map((hour) => clockHour(hour, inDay, zone));
  const ahead = timed.filter((event) => endOf(event) > now);
  const first = Math.max(from, floorTo(HOUR, Math.min(open, now, ...ahead.map(startOf)), zone));
  const last = Math.min(to, ceilTo(HOUR, Math.max(close, now + HOUR, ...timed.map(endOf)), zone));
  const length = hoursMax * HOUR;
  if (last - first <= length) return { start: first, end: last, zone };
  const start = Math.max(first, Math.min(floorTo(HOUR, now, zone) - HOUR, last - length));
  return { start, end: start + length, zone };
}

// The full hours of the visible part, by the zone's clock.
export function hourMarks({ start, end, zone }) {
  const marks = [];
  for (let at = ceilTo(HOUR, start, zone); at < end; at = ceilTo(HOUR, at + 1000, zone)) marks.push(at);
  return marks;
}

// Where each timed event is: start and size as fractions of the visible part, and its lane where events overlap.
export function placed(events, { start, end }) {
  const fraction = (time) => (Math.min(end, Math.max(start, time)) - start) / (end - start);
  const shown = events.filter((event) => !event.all_day && endOf(event) > start && startOf(event) < end);
  return clusters(shown).flatMap(({ lanes }) =>
    lanes.flatMap((lane, number) =>
      lane.map((event) => {
        const at = fraction(startOf(event));
        return { event, at, size: fraction(endOf(event)) - at, lane: number, lanes: lanes.length };
      }),
    ),
  );
}

// Groups events that overlap, and puts each into the first lane that is free at its start.
function clusters(events) {
  const found = [];
  for (const event of events) {
    let cluster = found.at(-1);
    if (!cluster || startOf(event) >= cluster.end) found.push((cluster = { end: 0, lanes: [] }));
    const lane = cluster.lanes.find((lane) => endOf(lane.at(-1)) <= startOf(event));
    if (lane) lane.push(event);
    else cluster.lanes.push([event]);
    cluster.end = Math.max(cluster.end, endOf(event));
  }
  return found;
}

// The free times from now to the booking horizon.
export function freeTimes(day, now, horizonMinutes) {
  const last = Math.min(day.to, now + horizonMinutes * MINUTE);
  const free = [];
  let start = Math.max(day.from, now);
  for (const event of day.events) {
    if (startOf(event) >= last) break;
    if (startOf(event) - start >= GAP_MIN) free.push({ start, end: startOf(event) });
    start = Math.max(start, endOf(event));
  }
  const end = Math.min(last, ...day.events.map(startOf).filter((at) => at >= start));
  if (end - start >= GAP_MIN) free.push({ start, end });
  return free;
}

// The starts to choose from: now if the room is free, and each half hour of the free times.
export function startsOf(day, now, horizonMinutes) {
  const starts = freeTimes(day, now, horizonMinutes).flatMap(({ start, end }) => {
    const marks = start > now ? [start] : [now];
    for (let at = nextMark(day, start); at + GAP_MIN <= end; at = nextMark(day, at)) marks.push(at);
    return marks;
  });
  return starts.slice(0, STARTS_MAX);
}

const nextMark = ({ zone }, time) => floorTo(START_STEP, time, zone) + START_STEP;

// The start that a tap at this time means: the half hour before it, or the start of the free time; null where nothing is free.
export function startAt(day, time, now, horizonMinutes) {
  const gap = freeTimes(day, now, horizonMinutes).find(({ start, end }) => start - START_STEP < time && time < end);
  if (!gap) return null;
  return Math.max(gap.start, Math.min(floorTo(START_STEP, time, day.zone), gap.end - GAP_MIN));
}

// The ends to choose from for a booking or an event that now ends at `from`: lengths in minutes, and the start of the next event.
export function lengthsOf(from, limit) {
  const room = limit === null ? Infinity : limit - from;
  const lengths = LENGTHS.filter((minutes) => minutes * MINUTE < room).map((minutes) => ({ minutes, untilNext: false }));
  const whole = Math.ceil(room / MINUTE);
  if (room > 0 && room <= UNTIL_NEXT_MAX) lengths.push({ minutes: whole, untilNext: true });
  return lengths;
}

// When the free time after `from` ends: the start of the next event; null if none is known.
export function nextStart(day, view, from) {
  const starts = [...day.events, view.next].filter(Boolean).map(startOf);
  const later = starts.filter((start) => start >= from);
  return later.length > 0 ? Math.min(...later) : null;
}
