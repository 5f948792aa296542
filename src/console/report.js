// The report page: hours released, no-shows, early ends, extensions and undos of a period, as a bar chart and a table.

import { request } from "./api.js";
import { el, field, scrollArea, setChildren, setText, svg, tableOf } from "./dom.js";
import { fill, keepInAddress, toQuery } from "./filter.js";
import { begin, trouble } from "./layout.js";
import { moment } from "./time.js";

const BARS = 20; // the chart shows as many rows; the table has all
const MAX_WAIT_S = 60; // the longest wait that the API grants
const DIMENSIONS = { room: "Room", group: "Room group", weekday: "Weekday", series: "Series", organizer: "Organizer" };
const NO_KEY = { group: "No group", organizer: "Not known" };
// The parts of a bar: a member of the figures, its name and its class.
const PARTS = [
  ["no_shows", "No-shows", "part-1"],
  ["ended_early", "Ended early", "part-2"],
  ["removed", "Removed", "part-3"],
  ["other_rules", "Other rules", "part-4"],
];
const COLUMNS = [...PARTS.map(([member, name]) => [member, name]), ["extended", "Extended"], ["booked", "Booked"]];

// Sizes of the chart, in its own units.
const WIDTH = 900;
const ROW = 30;
const LABEL = 240;
const VALUE = 90;

const status = el("p", { role: "status" });
const message = el("div", {});
const output = el("div", { class: "board" });
const controls = {
  by: el("select", { name: "by" }, ...Object.entries(DIMENSIONS).map(([value, name]) => el("option", { value }, name))),
  rooms: el("input", { type: "text", name: "rooms", placeholder: "All rooms", autocomplete: "off" }),
  since: el("input", { type: "datetime-local", name: "since" }),
  until: el("input", { type: "datetime-local", name: "until" }),
};
let loads = 0; // numbers the requests, so that a late response to an earlier one is dropped

begin({
  run: async (_, main) => {
    fill(controls);
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Report"), status),
      el(
        "form",
        { class: "filter", onsubmit: show, "aria-label": "Report" },
        field("By", controls.by),
        field("Rooms (* matches any text)", controls.rooms),
        field("From (your time)", controls.since),
        field("To (your time)", controls.until),
        el("div", { class: "buttons" }, el("button", { class: "primary" }, "Show")),
      ),
      message,
      output,
    );
    await load();
  },
});

function show(event) {
  event.preventDefault();
  keepInAddress(controls);
  return load();
}

async function load() {
  const number = ++loads;
  setText(status, "Reading the journal …");
  setChildren(message);
  try {
    const report = await request("GET", `/v1/report?${toQuery(controls)}`, { headers: { prefer: `wait=${MAX_WAIT_S}` } });
    if (number === loads) draw(report);
  } catch (problem) {
    if (number !== loads) return;
    setText(status, "");
    setChildren(output);
    setChildren(message, trouble(problem));
  }
}

function draw(report) {
  setText(status, `${moment(report.since)} to ${moment(report.until)}, your time`);
  setChildren(output, summary(report), chart(report), table(report), notKnown(report));
}

// The totals in words.
function summary({ totals, missed_series: series }) {
  const facts = [
    ["Released and not given back", hours(totals.released_minutes)],
    ["No-shows", counted(totals.no_shows)],
    ["Series with a no-show", series],
    ["Ended early", counted(totals.ended_early)],
    ["Extended", counted(totals.extended)],
    ["Booked", counted(totals.booked)],
    ["Undone", `${totals.undone.count}, of these no-shows: ${totals.undone.no_shows}`],
    ["Refused", totals.refused],
    ["Needs attention", totals.needs_attention],
  ];
  const list = facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value))));
  return el("section", { class: "panel", "aria-labelledby": "totals" }, el("h2", { id: "totals" }, "Totals"), el("dl", { class: "facts" }, ...list));
}

const label = ({ key, name, organizer }, by) => [name ?? key ?? NO_KEY[by] ?? "Not known", organizer].filter(Boolean).join(", ");
const minutes = (figures) => PARTS.reduce((sum, [member]) => sum + figures[member].minutes, 0);

// A bar for each row: the time that was released, by its cause.
function chart(report) {
  const rows = report.rows.slice(0, BARS);
  const most = Math.max(...rows.map((row) => minutes(row.figures)));
  if (!(most > 0)) return el("p", { class: "panel" }, "No time was released in this period.");
  const title = `Hours released, by ${DIMENSIONS[report.by].toLowerCase()}`;
  const left = report.rows.length - rows.length;
  const description = `${rows.length} bars${left > 0 ? ` of ${report.rows.length} rows` : ""}. The table below has the same figures.`;
  const height = rows.length * ROW;
  const undone = report.totals.undone.released_minutes;
  return el(
    "figure",
    { class: "panel chart" },
    el("figcaption", {}, el("h2", {}, title), legend()),
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-labelledby": "chart-title chart-description" },
      svg("title", { id: "chart-title" }, title),
      svg("desc", { id: "chart-description" }, description),
      ...rows.flatMap((row, index) => bar(label(row, report.by), row.figures, index * ROW, most)),
    ),
    undone > 0 && el("p", { class: "quiet" }, `The bars include ${hours(undone)} that undos gave back.`),
    left > 0 && el("p", { class: "quiet" }, `The chart shows the first ${rows.length} of ${report.rows.length} rows.`),
  );
}

function legend() {
  const entry = ([, name, style]) =>
    el("li", {}, svg("svg", { viewBox: "0 0 12 12", class: "key", "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, class: style })), name);
  return el("ul", { class: "legend" }, ...PARTS.map(entry));
}

function bar(name, figures, top, most) {
  const scale = (WIDTH - LABEL - VALUE) / most;
  let x = LABEL;
  const parts = PARTS.map(([member, part, style]) => {
    const length = figures[member].minutes * scale;
    const rect = svg("rect", { x, y: top + 5, width: length, height: ROW - 10, class: style }, svg("title", {}, `${name}: ${part} ${counted(figures[member])}`));
    x += length;
    return rect;
  });
  const middle = top + ROW / 2;
  const short = name.length > 32 ? `${name.slice(0, 31)}…` : name;
  return [
    svg("text", { x: LABEL - 10, y: middle, "text-anchor": "end", "dominant-baseline": "central" }, short),
    ...parts,
    svg("text", { x: x + 8, y: middle, "dominant-baseline": "central" }, hours(minutes(figures))),
  ];
}

function table(report) {
  const columns = [DIMENSIONS[report.by], ...COLUMNS.map(([, name]) => name), "Undone", "Released"];
  const rows = report.rows.map((row) => line(label(row, report.by), row.name && row.key, row.figures));
  const further = report.further && line("Further rows", null, report.further);
  const caption = "Number of actions, and their hours and minutes. Released: what an undo gave back is subtracted";
  const body = el("tbody", {}, ...rows, further, line("Total", null, report.totals));
  return scrollArea("Figures", tableOf(caption, columns, body));
}

function line(name, detail, figures) {
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, name, detail && el("small", {}, detail)),
    ...COLUMNS.map(([member]) => el("td", {}, counted(figures[member]))),
    el("td", {}, counted({ count: figures.undone.count, minutes: figures.undone.released_minutes })),
    el("td", {}, hours(figures.released_minutes)),
  );
}

function notKnown(report) {
  return el(
    "section",
    { class: "panel", "aria-labelledby": "not-known" },
    el("h2", { id: "not-known" }, "Not known"),
    el("ul", {}, ...report.not_known.map((note) => el("li", {}, note.message))),
  );
}

// 12:05
function hours(minutes) {
  const [sign, all] = [minutes < 0 ? "−" : "", Math.abs(minutes)];
  return `${sign}${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`;
}

const counted = ({ count, minutes }) => (count ? `${count} (${hours(minutes)})` : "0");
