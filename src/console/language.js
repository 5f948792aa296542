// The language of a door display: chooses a catalogue of ./languages, and makes its sentences, numbers and lengths of time. Sends no
// data anywhere. English is part of the program, so a display has words before it has a network.

import english from "./languages/en.js";
import { setTimeFormat } from "./time.js";

export const LANGUAGES = ["ar", "de", "en", "es", "fr", "he", "ja", "nl", "pl"];
const RIGHT_TO_LEFT = new Set(["ar", "he"]);
const [ISOLATE, POP] = ["\u2068", "\u2069"]; // FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE
const RIGHT_TO_LEFT_LETTER = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const REMEMBERED = "adjourn.language";

let catalogue = english;
let rightToLeft = false;
let [numbers, twoDigits, plurals] = formatsOf("en-GB");
let chosen = null; // the language tag and the hour cycle in use

function formatsOf(locale) {
  const digits = (minimumIntegerDigits) => new Intl.NumberFormat(locale, { useGrouping: false, minimumIntegerDigits });
  return [digits(1), digits(2), new Intl.PluralRules(locale)];
}

// The language tag of the display: `?lang=`, else the room's, else the one that this device used last, else English.
export function languageTag(query, room) {
  return [query.get("lang"), room?.language, localStorage.getItem(REMEMBERED)].find((tag) => catalogueName(tag)) ?? "en";
}

// The language tag of a person's own device: the first of its languages that has a catalogue, else English.
export const deviceLanguage = () => navigator.languages.find((tag) => catalogueName(tag)) ?? "en";

// The name of the tag's catalogue (de-AT: de); null for a tag that is malformed or has no catalogue.
function catalogueName(tag) {
  try {
    const { language } = new Intl.Locale(tag);
    return LANGUAGES.includes(language) ? language : null;
  } catch {
    return null;
  }
}

// Loads the catalogue of a language tag and turns the document to its direction. `hours`: "12" or "24"; anything else is the language's
// own custom. Resolves to whether the language changed; if the catalogue cannot be loaded, the language in use stays. `remember`: this
// device starts with the language next time.
export async function useLanguage(tag, hours, { remember = true } = {}) {
  const wanted = `${tag} ${hours}`;
  if (wanted === chosen) return false;
  const name = catalogueName(tag) ?? "en";
  let loaded;
  try {
    loaded = name === "en" ? english : (await import(`./languages/${name}.js`)).default;
  } catch {
    return false; // asked for again with the next view of the room
  }
  const locale = tag === "en" ? "en-GB" : tag;
  catalogue = loaded;
  chosen = wanted;
  rightToLeft = RIGHT_TO_LEFT.has(name);
  [numbers, twoDigits, plurals] = formatsOf(locale);
  setTimeFormat(locale, { 12: "h12", 24: "h23" }[hours] ?? customaryHours(locale));
  document.documentElement.lang = tag;
  document.documentElement.dir = rightToLeft ? "rtl" : "ltr";
  if (remember) localStorage.setItem(REMEMBERED, tag);
  return true;
}

const customaryHours = (locale) => new Intl.DateTimeFormat(locale, { hour: "numeric" }).resolvedOptions().hourCycle;

// The message of a key, with its values. A message with several forms is chosen by the number `n`.
export function message(key, values = {}) {
  const entry = catalogue[key];
  const text = typeof entry === "string" ? entry : (entry[plurals.select(values.n)] ?? entry.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => isolate(values[name]));
}

// The parts in a row, without the empty ones.
export const row = (...parts) => parts.filter(Boolean).map(isolate).join(" · ");

// Keeps the direction of a name or a time from changing the order of the words around it.
function isolate(value) {
  const text = typeof value === "number" ? numbers.format(value) : String(value);
  return rightToLeft || RIGHT_TO_LEFT_LETTER.test(text) ? ISOLATE + text + POP : text;
}

// 38 s, 24 min, 2 h 10 min
export function length(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 100) return message("seconds", { n: seconds });
  return minutesLength(Math.ceil(seconds / 60));
}

export function minutesLength(minutes) {
  if (minutes < 100) return message("minutes", { n: minutes });
  const [hours, n] = [Math.floor(minutes / 60), minutes % 60];
  return n ? message("hoursAndMinutes", { hours, n }) : message("hours", { n: hours });
}

// 2:37
export function countdown(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${numbers.format(Math.floor(seconds / 60))}:${twoDigits.format(seconds % 60)}`;
}
