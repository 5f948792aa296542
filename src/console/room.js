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

// What people call it, or what can be read from its address.
export function nameOf({ room, name }) {
  if (name) return name;
  const words = room.split("@")[0].split(/[-._]+/).filter(Boolean);
  return words.map((word) => word[0].toUpperCase() + word.slice(1)).join(" ") || room;
}

const isOn = (event, now) => Boolean(event) && Date.parse(event.start) <= now && now < Date.parse(event.end);

// What time alone has changed since `view` was made is taken into account; `passed` says that it has, so that the room should be
// asked for again.
export function at(view, now) {
  if (!view) return { kind: "unknown", word: WORDS.unknown, may: new Set() };
  const current = [view.current, view.next].find((event) => isOn(event, now)) ?? null;
  const next = view.next && Date.parse(view.next.start) > now ? view.next : null;
  const passed = (current?.id ?? null) !== (view.current?.id ?? null);
  const releaseAt = !passed && view.release_at ? Date.parse(view.release_at) : null;
  const room = { current, next, passed, releaseAt, checkedIn: !passed && view.checked_in };
  room.may = new Set(passed ? [] : view.may);
  room.kind = kind(room, now);
  room.word = WORDS[room.kind];
  const turns = [current?.end, next?.start].filter(Boolean).map(Date.parse);
  room.turnsAt = Math.min(...turns, ...(releaseAt > now ? [releaseAt] : []));
  return room;
}

function kind({ current, next, releaseAt }, now) {
  if (current) return releaseAt === null ? "busy" : "awaiting";
  return next && Date.parse(next.start) - now < SOON ? "soon" : "free";
}

// Whether the service tells of every change by itself.
export const isTold = (view) => Boolean(view?.follows) && view.follows !== "asked";

// A title that is fit to be read at the door.
export function titleOf(event) {
  if (event.private) return "Private";
  return event.subject || event.organizer || "Reserved";
}

// The organizer, where that says something more.
export const organizerOf = (event) =>
  !event.private && event.organizer && event.organizer !== titleOf(event) ? event.organizer : null;
