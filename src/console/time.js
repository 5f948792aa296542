// Times as people read them: in the room's zone, by the server's clock. Asks nobody.

let ahead = 0; // how far the server's clock is ahead of this device's, in milliseconds
let known = false;

// Learns from an answer's Date header, which is cut to whole seconds, and was written between `sent` and now.
export function learnClock(header, sent) {
  const said = Date.parse(header ?? "");
  if (Number.isNaN(said)) return;
  const [least, most] = [said - Date.now(), said + 1000 - sent];
  if (!known || ahead < least || ahead > most) ahead = (least + most) / 2;
  known = true;
}

// Now, as the server has it.
export const now = () => Date.now() + ahead;

const formats = new Map();

function format(zone, options) {
  const name = `${zone} ${Object.entries(options)}`;
  if (!formats.has(name)) formats.set(name, make(zone, options));
  return formats.get(name);
}

function make(zone, options) {
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone ?? undefined });
  } catch {
    return new Intl.DateTimeFormat("en-GB", options); // a zone that this browser does not know
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

// 14:30, or with the day where that is another one.
export const near = (at, zone) => (day(at, zone) === day(now(), zone) ? clock(at, zone) : moment(at, zone));

// 14:30, as this device's clock has it.
export const yours = (at) => `${clock(at)} your time`;

// A sentence of the API's, with its times of UTC as the room has them.
export function inZone(text, zone) {
  let date = new Date(now()).toISOString().slice(0, 10);
  return String(text ?? "").replace(/(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d)Z/g, (_, said, time) => {
    date = said ?? date;
    const at = `${date}T${time}Z`;
    return said ? near(at, zone) : clock(at, zone);
  });
}

// The zone in people's words: GMT+1, and where that holds.
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
