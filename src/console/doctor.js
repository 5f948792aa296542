// The doctor's report: whether everything is set up, and what to do where it is not.

import { ask } from "./api.js";
import { el, put, say } from "./dom.js";
import { begin, trouble } from "./frame.js";
import { moment, now } from "./time.js";

const LOOK_AGAIN = 700;
const WORDS = { pass: "Pass", skip: "Skipped", warn: "Warning", fail: "Fail" };

const status = el("p", { role: "status" });
const again = el("button", { class: "primary", onclick: examine }, "Examine now");
const report = el("div", {});

begin({
  run: async (me, main) => {
    put(
      main,
      el("div", { class: "heading" }, el("h1", {}, "Doctor"), status),
      el("p", { class: "quiet" }, "Asks every configured Exchange whether Adjourn is set up there as it should be. Changes nothing."),
      el("div", { class: "buttons" }, again),
      report,
    );
    await attempt(follow);
  },
});

async function attempt(what) {
  again.disabled = true;
  try {
    await what();
  } catch (problem) {
    put(report, trouble(problem));
  }
  again.disabled = false;
}

function examine() {
  return attempt(async () => {
    draw(await ask("POST", "/v1/doctor"));
    await follow();
  });
}

async function follow() {
  for (;;) {
    const found = await ask("GET", "/v1/doctor");
    draw(found);
    if (!found.running) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

function draw(found) {
  if (found.running) return say(status, "Examining …");
  if (!found.at) return say(status, "Nobody was examined since the service began.");
  const stands = Date.parse(found.stands_until) > now() ? `; not again before ${moment(found.stands_until)}` : "";
  say(status, `Examined ${moment(found.at)} your time${stands}`);
  put(report, el("p", { class: `panel headline ${found.status}` }, found.headline), table(found.findings));
}

function table(findings) {
  const head = ["State", "Checked", "Found"].map((name) => el("th", { scope: "col" }, name));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Findings" },
    el("table", {}, el("caption", {}, "Findings"), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...findings.map(row))),
  );
}

function row({ connection, room, check, status, says, remedy, code }) {
  const where = room ?? connection;
  return el(
    "tr",
    {},
    el("td", {}, el("span", { class: `verdict ${status}` }, WORDS[status])),
    el("th", { scope: "row" }, check, where && el("small", {}, where)),
    el("td", {}, says, code && el("small", {}, code), remedy && el("p", { class: "remedy" }, `What to do: ${remedy}`)),
  );
}
