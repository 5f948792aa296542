// The doctor page: the results of the setup checks, with a remedy for each finding.

import { request } from "./api.js";
import { el, scrollArea, setChildren, setText, tableOf } from "./dom.js";
import { begin, trouble } from "./layout.js";
import { moment, now } from "./time.js";

const POLL_INTERVAL = 700;
const STATUS_NAMES = { pass: "Pass", skip: "Skipped", warn: "Warning", fail: "Fail" };

const status = el("p", { role: "status" });
const runButton = el("button", { class: "primary", onclick: runChecks }, "Run checks");
const report = el("div", {});

begin({
  run: async (me, main) => {
    setChildren(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Doctor"), status),
      el("p", { class: "quiet" }, "Checks connection, sign-in and permissions at every configured Exchange. Changes nothing."),
      el("div", { class: "buttons" }, runButton),
      report,
    );
    await attempt(poll);
  },
});

async function attempt(work) {
  runButton.disabled = true;
  try {
    await work();
  } catch (problem) {
    setChildren(report, trouble(problem));
  }
  runButton.disabled = false;
}

function runChecks() {
  return attempt(async () => {
    draw(await request("POST", "/v1/doctor"));
    await poll();
  });
}

async function poll() {
  for (;;) {
    const run = await request("GET", "/v1/doctor");
    draw(run);
    if (!run.running) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}

function draw(run) {
  if (run.running) return setText(status, "Running checks …");
  if (!run.finished_at) return setText(status, "No check has run since the service started.");
  const reused = Date.parse(run.valid_until) > now() ? `; the next run is possible after ${moment(run.valid_until)}` : "";
  setText(status, `Checked ${moment(run.finished_at)} your time${reused}`);
  setChildren(report, el("p", { class: `panel headline ${run.status}` }, run.headline), table(run.findings));
}

function table(findings) {
  const body = el("tbody", {}, ...findings.map(row));
  return scrollArea("Findings", tableOf("Findings", ["Status", "Check", "Finding"], body));
}

function row({ connection, room, check, status, message, remedy, code }) {
  const where = room ?? connection;
  return el(
    "tr",
    {},
    el("td", {}, el("span", { class: `verdict ${status}` }, STATUS_NAMES[status])),
    el("th", { scope: "row" }, check, where && el("small", {}, where)),
    el("td", {}, message, code && el("small", {}, code), remedy && el("p", { class: "remedy" }, `What to do: ${remedy}`)),
  );
}
