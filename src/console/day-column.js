// Draws the day of a door display: hours, meetings, free times, and the line of the present. A tap on a free time calls `onTap` with the
// time. Decides nothing: day.js knows what is free.

import { dayOf, freeTimes, hourMarks, placed, visibleHours } from "./day.js";
import { el, setChildren, setText } from "./dom.js";
import { message } from "./language.js";
import { times, title } from "./display-sentences.js";
import { day as dayName, hourOf } from "./time.js";

const [HOURS_MIN, HOURS_MAX] = [4, 12]; // shown at a time
const HOUR_EMS = 1.7; // an hour has room for a line of text
const LINE_EMS = 1.15; // what is lower has no room for a text
const MINUTE = 60_000;

// Creates the column. `draw(view, now, { zone, canBook, horizonMinutes })` shows a view in it.
export function dayColumn(onTap) {
  const heading = el("h2", {});
  const date = el("span", { class: "date" });
  const allDay = el("p", { class: "all-day" });
  const hours = el("div", { class: "hours", "aria-hidden": "true" });
  const gaps = el("div", { class: "gaps", "aria-hidden": "true" });
  const events = el("ol", { class: "events" });
  const present = el("div", { class: "present", "aria-hidden": "true" });
  const timeline = el("div", { class: "timeline", onclick: (event) => tap(event) }, hours, gaps, present, events);
  let visible = null;
  let drawn = null;

  function tap({ clientY }) {
    const { top, height } = timeline.getBoundingClientRect();
    if (visible) onTap(visible.start + ((clientY - top) / height) * (visible.end - visible.start));
  }

  // Everything is drawn anew only when something on it differs, so that a screen reader keeps its place.
  function draw(view, now, options) {
    const minute = Math.floor(now / MINUTE) * MINUTE;
    const height = heightInEms(timeline);
    const signature = JSON.stringify([view.agenda, minute, height, options, message("today")]);
    if (signature === drawn) return;
    drawn = signature;
    const day = dayOf(view);
    visible = visibleHours(day, minute, Math.min(HOURS_MAX, Math.max(HOURS_MIN, Math.floor(height / HOUR_EMS))));
    const line = LINE_EMS / height;
    setText(heading, message("today"));
    heading.hidden = !options.zone; // without a zone, the service's day is that of UTC
    setText(date, dayName(now, options.zone));
    const notes = day.events.filter((event) => event.all_day).map((event) => `${message("allDay")}: ${title(event)}`);
    setText(allDay, notes.join(" · "));
    setChildren(hours, ...hourMarks(visible).map((at) => positioned(el("div", { class: "hour" }, hourOf(at, options.zone)), fraction(at))));
    setChildren(gaps, ...gapNodes(day, minute, line, options));
    setChildren(events, ...placed(day.events, visible).map((place) => eventNode(place, minute, line, options.zone)));
    positioned(present, fraction(now));
  }

  const fraction = (time) => Math.min(1, Math.max(0, (time - visible.start) / (visible.end - visible.start)));

  function gapNodes(day, now, line, { canBook, horizonMinutes }) {
    if (!canBook) return [];
    const shown = freeTimes(day, now, horizonMinutes).filter(({ start }) => start < visible.end);
    return shown.map(({ start, end }) => {
      const [at, size] = [fraction(start), fraction(end) - fraction(start)];
      return positioned(el("div", { class: "gap" }, size > line && message("tapToBook")), at, size);
    });
  }

  return { heading: el("header", {}, heading, date), allDay, timeline, draw };
}

const heightInEms = (node) => Math.max(1, node.clientHeight / parseFloat(getComputedStyle(node).fontSize));

function eventNode({ event, at, size, lane, lanes }, now, line, zone) {
  const isCurrent = Date.parse(event.start) <= now && now < Date.parse(event.end);
  const isPast = Date.parse(event.end) <= now;
  const name = `event ${isCurrent ? "current" : ""} ${isPast ? "past" : ""}`;
  const node = el("li", { class: name }, el("b", { class: size < line && "unseen", dir: "auto" }, title(event)), " ");
  node.append(el("span", { class: "unseen" }, times(event, zone)));
  node.style.setProperty("--lane", lane);
  node.style.setProperty("--lanes", lanes);
  return positioned(node, at, size);
}

function positioned(node, at, size = 0) {
  node.style.setProperty("--at", at);
  node.style.setProperty("--size", size);
  return node;
}
