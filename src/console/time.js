// Formats times for people: in the room's zone, by the server's clock. Sends no requests.

let offset = 0; // how far the server's clock is ahead of this device's, in milliseconds
let isKnown = false;

// Updates the offset from a response's Date header, which is cut to whole seconds and was written between `sentAt` and now.
export function learnClock(header, sentAt) {
  const date = Date.parse(header ?? "");
  if (Number.isNaN(date)) return;
  const [least, most] = [date - Date.now(), date + 1000 - sentAt];
  if (!isKnown || offset < least || offset > most) offset = (least + most) / 2;
  isKnown = true;
}

// The present time by the server's clock.
export const now = () => Date.now() + offset;

const formats = new Map();

function format(zone, options) {
  const name = `${zone} ${Object.entries(options)}`;
  if (!formats.has(name)) formats.set(name, createFormat(zone, options));
  return formats.get(name);
}

function createFormat(zone, options) {
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone ?? undefined });
  } catch {
    return new Intl.DateTimeFormat("en-GB", options); // the browser does not know this zone
  }
}

// 14:30
export const clock = (at, zone) =>
  format(zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(new Date(at));

// Thursday 26 November
export const day = (at, zone) =>
  format(zone, { weekday: "long", day: "numeric", month: "long" }).format(new Date(at));

// Thu 26 Nov, 14:30
export const moment = (at, zone) =>
  `${format(zone, { weekday: "short", day: "numeric", month: "short" }).format(new Date(at))}, ${clock(at, zone)}`;

// 14:30; with the day if it is not today.
export const near = (at, zone) => (day(at, zone) === day(now(), zone) ? clock(at, zone) : moment(at, zone));

// 14:30 in this device's zone.
export const yours = (at) => `${clock(at)} your time`;

// Replaces the UTC times in the API's text by times in this zone.
export function inZone(text, zone) {
  let date = new Date(now()).toISOString().slice(0, 10);
  return String(text ?? "").replace(/(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)Z/g, (_, written, time) => {
    date = written ?? date;
    const at = `${date}T${time}Z`;
    return written ? near(at, zone) : clock(at, zone);
  });
}

// The zone's city and its offset at this time: Berlin time, GMT+1.
export function zoneName(zone, at = now()) {
  const parts = format(zone, { timeZoneName: "short" }).formatToParts(new Date(at));
  const short = parts.find((part) => part.type === "timeZoneName")?.value ?? "";
  return zone ? `${zone.split("/").pop().replaceAll("_", " ")} time, ${short}` : `your time, ${short}`;
}

// 38 s, 24 min, 2 h 10 min
export function length(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}
