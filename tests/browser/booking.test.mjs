// The day at the door: a later time is booked by a tap or from a list, a meeting is extended to a chosen end, and a free room nearby is
// booked while this one is taken.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, launch, shows, until, visit } from "./browser.mjs";
import { api, room, startEnvironment, writeEvent } from "./environment.mjs";

const CONFIG = `
[api]
show_subjects = true
max_state_age_s = 1
[[room_groups]]
name = "Main Building"
rooms = ["*"]
building = "Main Building"
time_zone = "UTC"
`;
const [MINUTE, HOUR] = [60_000, 3_600_000];

let env, browser;
before(async () => {
  [env, browser] = await Promise.all([startEnvironment({ config: CONFIG }), launch()]);
});
after(async () => {
  await browser?.close();
  await env?.stop();
});

const door = (name, options = {}) => visit(browser, env, `/rooms/${room(name)}`, { key: env.keys.all, ...options });
const view = async (name) => (await api(env, "GET", `/v1/rooms/${room(name)}`)).json;
const clock = (time) => new Date(time).toISOString().slice(11, 16);
// Late in the day no later time is left to book in it.
const isLate = () => new Date().getUTCHours() >= 21;

test("a later time is chosen from a list, then its length", async (t) => {
  if (isLate()) return t.skip("the day is nearly over");
  const { page, assertClean, close } = await door("fjord");
  await shows(page, "Free");
  await button(page, "Book a time").click();
  const starts = page.getByRole("dialog").locator("button:not(.cancel)");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
  assert.equal(await starts.first().textContent(), "Now");
  const chosen = await starts.nth(2).textContent();
  await starts.nth(2).click();
  await page.getByRole("heading", { name: `Book from ${chosen}` }).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: /· 30 min$/ }).click();
  await page.locator(".said", { hasText: `Booked: ${chosen}` }).waitFor();
  const booked = (await view("fjord")).agenda.find((event) => clock(event.start) === chosen);
  assert.equal(Date.parse(booked.end) - Date.parse(booked.start), 30 * MINUTE);
  await shows(page, "Free");
  assertClean();
  await close();
});

test("a tap on a free time of the day books it; a tap on a meeting does nothing", async (t) => {
  if (isLate()) return t.skip("the day is nearly over");
  // Delta's own meeting ends in at most 40 minutes; the half hour before this full hour begins later, and then the room is free.
  const start = new Date(Math.ceil((Date.now() + 75 * MINUTE) / HOUR) * HOUR);
  await writeEvent(env, room("delta"), { subject: "Review", start, end: new Date(start.getTime() + HOUR) });
  await until(async () => (await view("delta")).agenda.some((event) => event.subject === "Review"), "the service reads it");
  const { page, assertClean, close } = await door("delta");
  const meeting = page.locator(".event", { hasText: "Review" });
  await meeting.waitFor();
  await meeting.click();
  assert.equal(await page.getByRole("dialog").count(), 0);
  const box = await meeting.boundingBox();
  await page.mouse.click(box.x + 40, box.y - 6); // the half hour before it, which is on the screen at every time of the day
  const before = start.getTime() - 30 * MINUTE;
  await page.getByRole("heading", { name: `Book from ${clock(before)}` }).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: /· 15 min$/ }).click();
  await page.locator(".said", { hasText: "Booked: " }).waitFor();
  const starts = (await view("delta")).agenda.map((event) => Date.parse(event.start));
  assert.ok(starts.includes(before));
  assertClean();
  await close();
});

test("a meeting is extended to a chosen end, or to the next meeting", async () => {
  const { page, assertClean, close } = await door("fjord");
  await shows(page, "Free");
  await button(page, "Book 15 min").click();
  await shows(page, "In use");
  const before = Date.parse((await view("fjord")).current.end);
  await button(page, "More").click();
  const ends = page.getByRole("dialog").locator("button:not(.cancel)");
  await ends.filter({ hasText: /· 45 min$/ }).or(ends.last()).first().click();
  await until(async () => Date.parse((await view("fjord")).current.end) > before, "it lasts longer");
  await page.locator(".said", { hasText: "The meeting now ends at " }).waitFor();
  assertClean();
  await close();
});

test("while the room is taken, a free room nearby is booked from here", async () => {
  // The other rooms are in another time zone, as far as the display knows.
  const inTokyo = async (route) => {
    const json = await (await route.fetch()).json();
    for (const one of json.rooms) one.time_zone = "Asia/Tokyo";
    await route.fulfill({ json });
  };
  const { page, assertClean, close } = await door("ember", { setUp: (page) => page.route("**/v1/rooms?*", inTokyo) });
  await shows(page, "In use");
  const free = page.locator(".nearby button").first();
  await free.waitFor();
  const name = await free.textContent();
  await free.click();
  await page.getByRole("heading", { name: /^Book .* now$/ }).waitFor();
  await page.getByRole("dialog").locator("button:not(.cancel)").first().click();
  const said = page.locator(".said", { hasText: " is booked: " });
  await said.waitFor();
  const text = await said.textContent();
  const starts = [-1, 0].map((minutes) => clock(Date.now() + 9 * HOUR + minutes * MINUTE));
  assert.ok(starts.some((start) => text.includes(` ${start}–`)), `the other room's time: ${text}`);
  const there = name.replace(/^Room | \(\d+\)$/g, "").toLowerCase();
  await until(async () => (await view(there)).busy, `${there} is taken`);
  await page.locator(".nearby button", { hasText: name }).waitFor({ state: "detached" }); // at once, not after a minute
  await shows(page, "In use");
  assertClean();
  await close();
});
