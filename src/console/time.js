// Formats times for people: in the room's zone, by the server's clock, and on a door display in its language. Sends no requests.

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
let [locale, hourCycle] = ["en-GB", "h23"];

// Sets the language and the hour cycle (`h23`: 14:30, `h12`: 2:30 pm) of all times.
export function setTimeFormat(language, cycle) {
  [locale, hourCycle] = [language, cycle];
  formats.clear();
}

function format(zone, options) {
  const name = `${zone} ${Object.entries(options)}`;
  if (!formats.has(name)) formats.set(name, createFormat(zone, options));
  return formats.get(name);
}

function createFormat(zone, options) {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: zone ?? undefined });
  } catch {
    return new Intl.DateTimeFormat(locale, options); // the browser does not know this zone
  }
}

// 14:30
export const clock = (at, zone) =>
  format(zone, { hour: hourCycle === "h23" ? "2-digit" : "numeric", minute: "2-digit", hourCycle }).format(new Date(at));

// 14, or 2 pm
export function hourOf(at, zone) {
  const hour = format(zone, { hour: "numeric", hourCycle });
  if (hourCycle !== "h23") return hour.format(new Date(at));
  return hour.formatToParts(new Date(at)).find(({ type }) => type === "hour").value; // without the word that some languages add
}

// The time since midnight in the zone, in milliseconds.
export function sinceMidnight(at, zone) {
  const options = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23", numberingSystem: "latn" };
  const parts = format(zone, options).formatToParts(new Date(at));
  const value = (type) => Number(parts.find((part) => part.type === type)?.value ?? 0);
  return ((value("hour") * 60 + value("minute")) * 60 + value("second")) * 1000;
}

// Thursday 26 November
export const day = (at, zone) =>
  format(zone, { weekday: "long", day: "numeric", month: "long" }).format(new Date(at));

// Thu 26 Nov, 14:30
export const moment = (at, zone) =>
  `${format(zone, { weekday: "short", day: "numeric", month: "short" }).format(new Date(at))}, ${clock(at, zone)}`;

// 26 Nov
export const shortDate = (at, zone) => format(zone, { day: "numeric", month: "short" }).format(new Date(at));

// 26 Nov 2026
export const date = (at, zone) => format(zone, { day: "numeric", month: "short", year: "numeric" }).format(new Date(at));

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
