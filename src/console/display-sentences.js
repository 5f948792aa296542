// What a door display says: the state of the room, the outcome of an action, and problems, in the display's own sentences. The API's
// texts are for programs and operators, and appear nowhere here. Pure, but for the language in use.

import { problemKind } from "./api.js";
import { length, message, row } from "./language.js";
import { mainKind, organizerOf, titleOf } from "./room.js";
import { clock, near, shortDate } from "./time.js";

export const title = (event) => titleOf(event, { private: message("private"), reserved: message("reserved") });

// 14:00–14:30
export const times = (event, zone) => (event.all_day ? message("allDay") : `${near(event.start, zone)}–${near(event.end, zone)}`);

const eventLine = (event, zone) => row(times(event, zone), title(event), organizerOf(event));

export const label = (room) => message(mainKind(room));

const DAY_MS = 24 * 60 * 60 * 1000;

// Until when the state lasts, and for how long from now. The line is read from three metres and short: a time without its day is within
// a day from now, and a day stands without a time.
export function until({ current, next, busyUntil, stale }, time, zone) {
  const end = busyUntil ?? current?.end ?? next?.start;
  if (stale) return { when: "", howLong: "" };
  if (current?.all_day && !busyUntil) return { when: message("allDay"), howLong: "" };
  if (!end) return { when: message("restOfDay"), howLong: "" };
  const left = Date.parse(end) - time;
  const when = left < DAY_MS ? message("until", { time: clock(end, zone) }) : message("untilDay", { day: shortDate(end, zone) });
  return { when, howLong: length(left) };
}

// The times and the organizer of the current meeting, and the meetings beside it.
export function who({ current, beside, checkedIn, stale }, zone) {
  if (!current || stale) return "";
  const others = beside.map((event) => `${message("also")} ${eventLine(event, zone)}`);
  return row(times(current, zone), organizerOf(current), checkedIn && message("checkedIn"), ...others);
}

// The meeting that comes next.
export function next({ next, openEnd, stale }, zone) {
  if (next) return `${message("next")} ${eventLine(next, zone)}`;
  return openEnd || stale ? "" : message("noNext");
}

// When the room is released, if nobody checks in.
export const released = ({ releaseAt }, zone) => (releaseAt ? message("released", { time: clock(releaseAt, zone) }) : "");

// The age of the view, if the room cannot be read now.
export function age({ stale }, asOf, isFailing, zone) {
  const time = near(asOf, zone);
  if (stale) return message("unknownState", { time });
  return isFailing ? message("readFails", { time }) : "";
}

// What is known about the place: building, floor, seats, equipment.
export function place({ building, floor, capacity, equipment }) {
  const seats = Number.isInteger(capacity) && capacity > 0 && message("seats", { n: capacity });
  return row(building, floor && message("floor", { floor }), seats, ...(equipment ?? []));
}

// The state in one sentence, for screen readers.
export function announcement(name, room, time, zone) {
  const end = room.busyUntil ?? room.current?.end;
  const when = end && !room.stale ? ` ${until(room, time, zone).when}` : "";
  return `${name}: ${label(room)}${when}`;
}

// The outcome of a finished action. `there`: the name of another room.
export function outcome({ kind, state, event, change, problem_type: type }, zone, there = null) {
  if (state === "open") return message("stillWorking");
  if (state === "needs-attention") return message("outcomeUnknown");
  if (state === "refused") return message(KEYS.get(problemKind(type)) ?? "refused");
  if (state === "already-done" || !change) return message("wasDone");
  if (kind === "undo") return message("hasUndone");
  const time = change.end && clock(change.end, zone);
  if (change.kind === "ended") return message("hasEnded", { time });
  if (change.kind === "extended") return message("hasExtended", { time });
  if (change.kind !== "booked") return message("hasRemoved");
  const booked = { times: times({ ...event, end: change.end ?? event.end }, zone) };
  return there ? message("hasBookedThere", { room: there, ...booked }) : message("hasBooked", booked);
}

const PROBLEMS = {
  hasChanged: [
    ...["not-as-seen", "changed-meanwhile", "keeps-changing", "event-not-found", "no-current-event", "over", "not-on", "not-started"],
    ...["ambiguous", "cancelled", "declined", "no-longer-applies", "invalid-event-id"],
  ],
  collides: ["collides"],
  tryLater: [
    ...["exchange-unavailable", "exchange-timeout", "unavailable", "rate-limited", "still-in-doubt", "interrupted"],
    ...["journal-unavailable", "evidence-full", "provider-unavailable"],
  ],
  notAllowed: ["forbidden", "cannot-be-undone", "all-day", "server-always-notifies"],
  notUndoable: ["nothing-to-undo", "not-undoable", "left-deleted-items", "not-found"],
  outcomeUnknown: ["needs-attention"],
  noRoom: ["no-such-room"],
};
const KEYS = new Map(Object.entries(PROBLEMS).flatMap(([key, kinds]) => kinds.map((kind) => [kind, key])));

// Why an action was not carried out. A request without a response may have been carried out.
export function problem({ status, kind }) {
  if (!status) return message("noAnswer");
  return message(KEYS.get(kind) ?? (status >= 500 ? "tryLater" : "failed"));
}

// The text of the banner while the service cannot be reached, or refuses this display.
export function offline({ status }, since, zone) {
  if (status === 403) return message("noAccess");
  return message("offline", { time: clock(since, zone) });
}
