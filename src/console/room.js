// Derives the state of a room at a moment from the last view that the API returned. Pure: time is an argument.

const LABELS = {
  free: "Free",
  soon: "Free",
  busy: "In use",
  awaiting: "Check in",
  unknown: "Unknown",
};
export const SYMBOLS = { free: "○", soon: "◔", busy: "●", awaiting: "◐", unknown: "?" };
const SOON = 10 * 60_000;
const STALE_AFTER = 3 * 60_000; // a view that nothing confirmed for this long says nothing about the present
const CONFIRMED_FOR = 2 * 60_000; // a view of a tracked room counts as current for this long without a new event
const CLOCK_SKEW_MAX = 5_000;

// The room's display name, or a name made from its address.
export function nameOf({ id, name }) {
  if (name) return name;
  const words = id.split("@")[0].split(/[-._]+/).filter(Boolean);
  return words.map((word) => word[0].toUpperCase() + word.slice(1)).join(" ") || id;
}

const isCurrent = (event, now) => Boolean(event) && Date.parse(event.start) <= now && now < Date.parse(event.end);

// The time until which the view is known to be up to date.
export const asOf = (view) => Date.parse(view.as_of ?? view.read_at);

// Whether `view` is older than `shown`: responses and events overtake each other. A view from the future (the clock was set back)
// is never kept in favour of another.
export function isOlder(view, shown, now) {
  if (!shown || Date.parse(shown.read_at) > now + CLOCK_SKEW_MAX) return false;
  const [read, shownRead] = [view, shown].map((one) => one.revision ?? Date.parse(one.read_at)); // times have whole seconds
  return read < shownRead || (read === shownRead && asOf(view) < asOf(shown));
}

// The room's state at this time, derived from the last view. `outdated`: an event started or ended since, so the room should be
// requested again. `stale`: the state is unknown, because nothing confirmed the view for too long, or time has passed the last
// event of the view. `openEnd`: the view contains nothing after its `next` event.
export function deriveState(view, now) {
  if (!view) return { kind: "unknown", label: LABELS.unknown, stale: false, allowedActions: new Set() };
  const running = [...view.current_events, view.next].filter((event) => isCurrent(event, now));
  const [current = null, ...beside] = running;
  const next = view.next && Date.parse(view.next.start) > now ? view.next : null;
  const openEnd = Boolean(view.next) && !next;
  const stale = now - asOf(view) > STALE_AFTER || (openEnd && !current);
  const outdated = (openEnd && !current) || (current?.id ?? null) !== (view.current?.id ?? null);
  // Meetings may overlap: the displayed one ended, and another one continues.
  const busyUntil = !current && Date.parse(view.busy_until) > now ? view.busy_until : null;
  const releaseAt = !outdated && !stale && view.release_at ? Date.parse(view.release_at) : null;
  const state = { current, beside, next, busyUntil, outdated, stale, openEnd, releaseAt, checkedIn: !outdated && view.checked_in };
  state.awaitingCheckIn = outdated ? null : (view.awaiting_check_in ?? null);
  state.allowedActions = new Set(outdated || stale ? [] : view.allowed_actions);
  state.kind = kindOf(state, now);
  state.label = LABELS[state.kind];
  return state;
}

function kindOf({ current, next, busyUntil, releaseAt, stale }, now) {
  if (stale) return "unknown";
  if (busyUntil) return "busy";
  if (current) return releaseAt === null ? "busy" : "awaiting";
  return next && Date.parse(next.start) - now < SOON ? "soon" : "free";
}

// The kind without the difference between `soon` and `free`.
export const mainKind = ({ kind }) => (kind === "soon" ? "free" : kind);

// Whether the service sends an event for every change of the room, and confirmed the view lately.
export const isTracked = (view, now) =>
  Boolean(view?.tracking) && view.tracking !== "on-demand" && now - asOf(view) < CONFIRMED_FOR;

const TITLES = { private: "Private", reserved: "Reserved" };

// The event's title for a display, with the words for events without one.
export function titleOf(event, words = TITLES) {
  if (event.private) return words.private;
  return event.subject || event.organizer || words.reserved;
}

// The organizer, unless the title already shows it.
export const organizerOf = (event) =>
  !event.private && event.organizer && event.organizer !== titleOf(event) ? event.organizer : null;
