// Operators' pages: the board, making and applying a plan, the audit with undo, the report, the doctor.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, launch, saying, until, visit } from "./browser.mjs";
import { api, room, startEnvironment } from "./environment.mjs";

const CONFIG = `
[cleanup]
cancelled_leftover = true
[cleanup.organizer_gone]
domains = ["example.com"]
[doctor]
out_of_scope = ["ada.albers@example.com"]
[[room_groups]]
name = "ground"
rooms = ["room-aurora@example.com", "room-borealis@example.com", "room-cirrus@example.com"]
building = "Ground floor"
time_zone = "Europe/Berlin"
`;
const KEYS = { all: ["--rights", "all"], reader: ["--rights", "read"] };

let env, browser;
before(async () => ([env, browser] = await Promise.all([startEnvironment({ config: CONFIG, keys: KEYS }), launch()])));
after(async () => {
  await browser?.close();
  await env?.stop();
});

const open = (path, options = {}) => visit(browser, env, path, { key: env.keys.all, ...options });

test("the board shows all rooms, and finds them by word, building and state", async () => {
  const { page, assertClean, close } = await open("/");
  const names = async () => (await page.locator(".card h3").allTextContents()).sort();
  await until(async () => (await names()).length === 6, "six rooms");
  await page.getByText(/6 rooms: .*in use/).waitFor();
  await page.getByLabel("Building").selectOption("Ground floor");
  await until(async () => (await names()).length === 3, "three rooms");
  await page.getByLabel("Search").fill("auro");
  await until(async () => (await names()).join() === "Room Aurora", "one room");
  await page.getByLabel("Search").fill("");
  await page.getByLabel("Building").selectOption("");
  await page.getByLabel("State").selectOption("free");
  await until(async () => (await names()).includes("Room Fjord") && !(await names()).includes("Room Ember"), "the free ones");
  assert.match(page.url(), /state=free/);
  await page.getByRole("link", { name: "Room Fjord" }).click();
  await page.locator(".word strong", { hasText: "Free" }).waitFor();
  assertClean();
  await close();
});

test("no subject is shown unless the configuration says so", async () => {
  const { page, assertClean, close } = await open(`/rooms/${room("aurora")}`);
  await page.locator(".title", { hasText: /^Reserved$/ }).waitFor();
  assert.doesNotMatch(await page.content(), /Quarterly|Albers/);
  assertClean();
  await close();
});

test("a plan gives each verdict's reason, and is applied once", async () => {
  const { page, assertClean, close } = await open("/plan");
  await button(page, "Make a plan").click();
  await page.getByText(/events read, 2 would be released/).waitFor();
  const verdicts = page.getByRole("row");
  await verdicts.filter({ hasText: "cancelled by its organizer, but still in the room's calendar" }).waitFor();
  await verdicts.filter({ hasText: "organizer not found in the directory" }).waitFor();
  await page.getByText(/Berlin time, (GMT\+[12]|CES?T)/).first().waitFor();
  await page.getByLabel("Show").selectOption("all");
  await verdicts.filter({ hasText: "Keep" }).first().waitFor();
  await page.reload();
  await page.getByText(/2 would be released/).waitFor();
  await button(page, "Apply to 2").click();
  await page.getByRole("dialog").getByText("This releases 2 events:").waitFor();
  await page.getByRole("dialog").getByText("1 release can be undone.").waitFor();
  await page.getByRole("dialog").getByText("1 event is removed without a message and cannot be undone.").waitFor();
  await button(page, "Apply now").click();
  await page.getByText("Applied: 2 done.").waitFor();
  await page.getByText(/moved to Deleted Items/).first().waitFor();
  assert.equal(await button(page, "Apply to 2").isVisible(), false);
  const done = await api(env, "GET", `/v1/actions?room=${room("cirrus")}&state=done`);
  assert.equal(done.json.actions.length, 2);
  assertClean();
  await close();
});

test("the record is filtered, and an action is taken back from it", async () => {
  const ended = await api(env, "POST", `/v1/rooms/${room("aurora")}/end`, {});
  assert.equal(ended.status, 200, JSON.stringify(ended));
  await api(env, "POST", `/v1/rooms/${room("fjord")}/end`, {});
  const { page, assertClean, close } = await open("/audit");
  const rows = page.locator("tbody tr");
  await rows.filter({ hasText: "Refused" }).waitFor();
  await page.getByLabel("Room", { exact: true }).fill(room("aurora"));
  await page.getByLabel("Outcome").selectOption("done");
  await button(page, "Filter").click();
  await until(async () => (await rows.count()) === 1, "one action");
  await page.getByLabel("To (your time)").fill("2020-01-01T00:00");
  await button(page, "Filter").click();
  await until(async () => (await rows.count()) === 0, "none so long ago");
  await page.getByLabel("To (your time)").fill("");
  await button(page, "Filter").click();
  await page.getByRole("button", { name: "Undo: End in Room Aurora" }).click();
  await button(page, "Undo now").click();
  await page.getByText(saying("Room Aurora: .*ends at HH:MM again")).waitFor();
  // Neither the action that was undone nor the undo can be undone, and the first names the second.
  await rows.filter({ hasText: "No: it is an undo itself" }).waitFor();
  const undo = await page.getByRole("link", { name: saying("^Undone by all, .*HH:MM$") }).getAttribute("href");
  assert.equal(undo, `#${await rows.filter({ hasText: "No: it is an undo itself" }).getAttribute("id")}`);
  assert.equal(await page.getByRole("button", { name: /^Undo:/ }).count(), 0);
  const { json } = await api(env, "GET", `/v1/rooms/${room("aurora")}`);
  assert.ok(json.busy, JSON.stringify(json));
  assertClean();
  await close();
});

test("the report shows figures as bars and as a table, and what is not known", async () => {
  const ended = await api(env, "POST", `/v1/rooms/${room("aurora")}/end`, {});
  assert.equal(ended.status, 200, JSON.stringify(ended));
  const { page, assertClean, close } = await open("/report", { network: true });
  const row = page.getByRole("row").filter({ hasText: room("aurora") });
  await row.filter({ hasText: /[1-9] \(\d+:\d\d\)/ }).waitFor();
  const chart = page.getByRole("img", { name: "Hours released, by room" });
  await chart.waitFor();
  assert.ok((await chart.locator("rect").count()) >= 4, "a bar with its parts");
  await page.getByText(/Hours in which rooms were used are not known/).waitFor();
  await page.getByRole("combobox", { name: "By" }).selectOption("weekday");
  await button(page, "Show").click();
  await page.getByRole("img", { name: "Hours released, by weekday" }).waitFor();
  assert.match(page.url(), /by=weekday/);
  await page.getByRole("combobox", { name: "By" }).selectOption("organizer");
  await button(page, "Show").click();
  await page.getByText("Reports name no organizers").waitFor();
  assertClean();
  await close();
});

test("the doctor examines, and says what was found", async () => {
  const { page, assertClean, close } = await open("/doctor");
  await page.getByText("No check has run since the service started.").waitFor();
  await button(page, "Run checks").click();
  await page.getByText(/Checked .* your time/).waitFor();
  // The simulated account has access to mailboxes out of scope, which the doctor reports.
  await page.locator(".headline").getByText(/FAIL.*scope/).waitFor();
  await page.getByText(/What to do:/).first().waitFor();
  assertClean();
  await close();
});

test("who may only read sees no plan and no doctor, and the API says why", async () => {
  const { page, assertClean, close } = await open("/plan", { key: env.keys.reader, network: true });
  await page.getByRole("navigation").getByText("Audit").waitFor();
  assert.deepEqual(await page.getByRole("navigation").getByRole("link").allTextContents(), ["Rooms", "Audit"]);
  await button(page, "Make a plan").click();
  await page.getByText("The key does not have the right `cleanup`.").waitFor();
  assertClean();
  await close();
});
