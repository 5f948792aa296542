// The sentences about a cleanup plan: the evidence it rests on, what a release does, and the counts to confirm. Pure: it makes text only,
// and states what is not known.

const COPIES = { attendee: "Attendee", organizer: "Organizer", plain: "Plain event" };
const MINUTE = 60_000;

export const copyName = (copy) => COPIES[copy] ?? "Unknown";

// 1 event, 2 events
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

// 45 min, 2 h, 1 h 30 min
export function lengthOf({ start, end }) {
  const minutes = Math.round((Date.parse(end) - Date.parse(start)) / MINUTE);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours && `${hours} h`, (rest || !hours) && `${rest} min`].filter(Boolean).join(" ");
}

// The evidence that a plan rests on; `time` formats a time.
export function evidenceText(evidence, time) {
  if (!evidence) return "";
  if (evidence.rooms === 0) return "This plan rests on no evidence of presence: the rule on check-ins is off in its rooms.";
  return [roomsText(evidence), signsText(evidence, time), receivingText(evidence, time)].join(" ");
}

function roomsText({ rooms, watched, silent, without_source: without }) {
  const parts = [`a source watches ${watched} of ${counted(rooms, "room")}`];
  if (silent) parts.push(`${silent} ${silent === 1 ? "has" : "have"} silent sources only`);
  if (without) parts.push(without === 1 ? "1 has no source and keeps its meetings" : `${without} have no source and keep their meetings`);
  return `This plan rests on this evidence: ${parts.join("; ")}.`;
}

function signsText({ signs, oldest_sign: oldest, newest_sign: newest }, time) {
  if (signs === 0) return "No sign of presence is stored.";
  const when = signs === 1 ? `from ${time(newest)}` : `the oldest from ${time(oldest)}, the newest from ${time(newest)}`;
  return `${counted(signs, "sign")} of presence, ${when}.`;
}

const receivingText = ({ receiving_since: since }, time) =>
  since ? `Signs have been received without a pause since ${time(since)}.` : "No signs are received now.";

// What the release of an event sends, and whether it can be undone.
export function effectText({ change, messages, refusal }) {
  if (refusal) return `Nothing would be changed: ${refusal}`;
  if (!change) return "";
  return `${messageText(change, messages)}; ${change.undoable ? "can be undone" : "cannot be undone"}`;
}

function messageText({ notification, organizer_informed: toOrganizer, attendees_informed: toAttendees }, messages) {
  if (notification === "none") return "No message";
  if (notification === "shown-as-declined") return "No message, but the organizer sees the room as declined";
  if (toAttendees) return "Messages to the attendees";
  if (toOrganizer) return messages === null ? "Messages to the organizer" : `${counted(messages, "message")} to the organizer`;
  return "Messages not known";
}

// What applying a plan to these events does, by kind of effect: one sentence each.
export function confirmationLines(events) {
  const count = (fits) => events.filter(fits).length;
  const sent = (kind) => ({ change }) => change?.kind === kind && change.notification === "sent";
  const isQuiet = ({ change }) => change && !change.undoable && ["none", "shown-as-declined"].includes(change.notification);
  const declines = events.filter(sent("declined"));
  const series = declines.filter(({ messages }) => messages === null).length;
  const updates = count(({ change }) => change?.attendees_informed && change.undoable);
  return [
    line(declines.length, (n) => `${counted(n, "decline is", "declines are")} sent to organizers and cannot be undone.`),
    line(series, (n) => `${n} of them ${n === 1 ? "is for a whole series" : "are for whole series"}, with more messages for changed dates.`),
    line(count(sent("cancelled")), (n) => `${counted(n, "meeting is", "meetings are")} cancelled by mail to the attendees, which cannot be undone. The number of attendees is not known.`),
    line(updates, (n) => `${counted(n, "update is", "updates are")} sent to the attendees. Their number is not known.`),
    line(count(({ change }) => change?.notification === "shown-as-declined"), (n) => `${counted(n, "organizer sees", "organizers see")} the room as declined, without a message.`),
    line(count(isQuiet), (n) => `${counted(n, "event is", "events are")} removed without a message and cannot be undone.`),
    line(count(({ change }) => change?.undoable), (n) => `${counted(n, "release")} can be undone.`),
    line(count(({ change }) => !change), (n) => `${counted(n, "release", "releases")} would change nothing now.`),
  ].filter(Boolean);
}

const line = (count, text) => (count > 0 ? text(count) : null);
