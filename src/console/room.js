// How a room is at a moment, from what the service said of it a moment ago. Pure.

const WORDS = {
  free: "Free",
  soon: "Free",
  busy: "In use",
  awaiting: "Check in",
  unknown: "Not known",
};
export const SIGNS = { free: "○", soon: "◔", busy: "●", awaiting: "◐", unknown: "?" };
const SOON = 10 * 60_000;
const UNHEARD = 3 * 60_000; // nobody has confirmed it for so long: how the room is now is not known
const YOUNG = 2 * 60_000; // who is told of changes is believed for so long without being told anything
const SKEW = 5_000;

// What people call it, or what can be read from its address.
export function nameOf({ room, name }) {
  if (name) return name;
  const words = room.split("@")[0].split(/[-._]+/).filter(Boolean);
  return words.map((word) => word[0].toUpperCase() + word.slice(1)).join(" ") || room;
}

const isOn = (event, now) => Boolean(event) && Date.parse(event.start) <= now && now < Date.parse(event.end);

// When it was last so.
export const asOf = (view) => Date.parse(view.as_of ?? view.read_at);

// What is known now is newer than this: answers and events overtake each other. A state from the future is nobody's measure.
export function isOlder(state, known, now) {
  if (!known || Date.parse(known.read_at) > now + SKEW) return false;
  const [read, knownRead] = [state, known].map((one) => Date.parse(one.read_at));
  return read < knownRead || (read === knownRead && asOf(state) < asOf(known));
}

// What time alone has changed since `view` was made is taken into account; `passed` says that it has, so that the room should be
// asked for again. How a room is that nobody confirms any more, or that is past all that was known of it, is not known; `stale`
// says that. `openEnd`: what follows `next` was never known.
export function at(view, now) {
  if (!view) return { kind: "unknown", word: WORDS.unknown, stale: false, may: new Set() };
  const on = [...(view.current_events ?? [view.current]), view.next].filter((event) => isOn(event, now));
  const [current = null, ...beside] = on;
  const next = view.next && Date.parse(view.next.start) > now ? view.next : null;
  const openEnd = Boolean(view.next) && !next;
  const stale = now - asOf(view) > UNHEARD || (openEnd && !current);
  const passed = (openEnd && !current) || (current?.id ?? null) !== (view.current?.id ?? null);
  // Meetings may overlap: the one that is shown is over, and another goes on.
  const busyUntil = !current && Date.parse(view.busy_until) > now ? view.busy_until : null;
  const releaseAt = !passed && !stale && view.release_at ? Date.parse(view.release_at) : null;
  const room = { current, beside, next, busyUntil, passed, stale, openEnd, releaseAt, checkedIn: !passed && view.checked_in };
  room.awaitingCheckIn = passed ? null : (view.awaiting_check_in ?? null);
  room.may = new Set(passed || stale ? [] : view.may);
  room.kind = kind(room, now);
  room.word = WORDS[room.kind];
  const turns = [current?.end, busyUntil, next?.start].filter(Boolean).map(Date.parse);
  room.turnsAt = Math.min(...turns, ...(releaseAt > now ? [releaseAt] : []));
  return room;
}

function kind({ current, next, busyUntil, releaseAt, stale }, now) {
  if (stale) return "unknown";
  if (busyUntil) return "busy";
  if (current) return releaseAt === null ? "busy" : "awaiting";
  return next && Date.parse(next.start) - now < SOON ? "soon" : "free";
}

// Whether the service tells of every change by itself, and has been heard of late.
export const isTold = (view, now) => Boolean(view?.follows) && view.follows !== "asked" && now - asOf(view) < YOUNG;

// A title that is fit to be read at the door.
export function titleOf(event) {
  if (event.private) return "Private";
  return event.subject || event.organizer || "Reserved";
}

// The organizer, where that says something more.
export const organizerOf = (event) =>
  !event.private && event.organizer && event.organizer !== titleOf(event) ? event.organizer : null;
