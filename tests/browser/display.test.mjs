// Door displays: their actions, the effect on other displays, and a lost connection.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, launch, saying, shows, until, visit } from "./browser.mjs";
import { api, room, startEnvironment, writeEvent } from "./environment.mjs";

const CONFIG = `
[api]
show_subjects = true
max_state_age_s = 1
[cleanup]
mode = "act"
[[room_groups]]
name = "Main Building"
rooms = ["*"]
building = "Main Building"
time_zone = "Asia/Tokyo"
names = { "room-aurora@example.com" = "Aurora <b>1</b>" }
[[room_groups]]
name = "checked"
rooms = ["room-aurora@example.com"]
check_in = true
grace_minutes = 10
`;
const KEYS = { all: ["--rights", "all"], door: [], reader: ["--rights", "read"], one: ["--rooms", room("fjord")] };

let env, browser;
before(async () => {
  [env, browser] = await Promise.all([startEnvironment({ config: CONFIG, keys: KEYS }), launch()]);
  // The rooms need a working source: without one, no meeting is released, and the display shows no deadline.
  await api(env, "POST", "/v1/evidence", { heartbeats: [{ source: "sensors" }] });
});
after(async () => {
  await browser?.close();
  await env?.stop();
});

const door = (name, options = {}) =>
  visit(browser, env, `/rooms/${encodeURIComponent(room(name))}`, { key: env.keys.all, ...options });
const view = async (name) => (await api(env, "GET", `/v1/rooms/${room(name)}`)).json;

async function end(page) {
  await button(page, "End").click();
  await button(page, "End now").click();
}

test("somebody checks in before the release deadline, and both displays say so", async () => {
  const [one, other] = await Promise.all([door("aurora"), door("aurora")]);
  await shows(one.page, "Check in");
  await one.page.getByText(saying("^Without a check-in, the room is released at HH:MM\\.$")).waitFor();
  assert.ok((await view("aurora")).release_at);
  await button(one.page, "Check in").click();
  await Promise.all([one, other].map(({ page }) => shows(page, "In use")));
  await other.page.locator(".who", { hasText: "Checked in" }).waitFor();
  assert.equal((await view("aurora")).release_at, null);
  assert.equal(await button(one.page, "Check in").isVisible(), false);
  for (const each of [one, other]) each.assertClean(), await each.close();
});

test("a meeting that ends on one display ends on the other, and comes back", async () => {
  const [one, other] = await Promise.all([door("aurora"), door("aurora")]);
  await Promise.all([one, other].map(({ page }) => shows(page, "In use")));
  await end(one.page);
  await Promise.all([one, other].map(({ page }) => shows(page, "Free")));
  await one.page.locator(".said").getByText(saying("^The meeting ended at HH:MM\\.$")).waitFor();
  await button(one.page, "Undo").click();
  await Promise.all([one, other].map(({ page }) => shows(page, "In use")));
  for (const each of [one, other]) each.assertClean(), await each.close();
});

test("two displays press at once: the room is booked once, and each display says what is true", async () => {
  const both = await Promise.all([door("fjord", { network: true }), door("fjord", { network: true })]);
  await Promise.all(both.map(({ page }) => shows(page, "Free")));
  await Promise.all(both.map(({ page }) => button(page, "Book 30 min").click()));
  const answers = /^(Booked: .*|Another meeting has this time\.)$/;
  const said = await Promise.all(both.map(({ page }) => page.locator(".said").getByText(answers).textContent()));
  assert.deepEqual(said.map((text) => text.split(":")[0]).sort(), ["Another meeting has this time.", "Booked"]);
  await Promise.all(both.map(({ page }) => shows(page, "In use")));
  assert.equal((await view("fjord")).current_events.length, 1);
  assert.equal((await api(env, "POST", `/v1/rooms/${room("fjord")}/delete`, {})).status, 200);
  await Promise.all(both.map(({ page }) => shows(page, "Free")));
  for (const each of both) each.assertClean(), await each.close();
});

test("two displays end a meeting at once: it ends once", async () => {
  const both = await Promise.all([door("aurora", { network: true }), door("aurora", { network: true })]);
  await Promise.all(both.map(({ page }) => shows(page, "In use")));
  const { current } = await view("aurora");
  const actions = async () => (await api(env, "GET", `/v1/actions?room=${room("aurora")}`)).json.actions;
  const before = new Set((await actions()).map((action) => action.id));
  await Promise.all(both.map(({ page }) => button(page, "End").click()));
  await Promise.all(both.map(({ page }) => button(page, "End now").click()));
  await Promise.all(both.map(({ page }) => shows(page, "Free")));
  const asked = (await actions()).filter((action) => !before.has(action.id));
  const done = asked.filter((action) => action.state === "done");
  assert.equal(done.length, 1, JSON.stringify(asked));
  assert.equal((await api(env, "POST", `/v1/actions/${done[0].id}/undo`)).status, 200);
  await Promise.all(both.map(({ page }) => shows(page, "In use")));
  assert.equal((await view("aurora")).current.end, current.end);
  for (const each of both) each.assertClean(), await each.close();
});

test("times are those of the room, whatever the browser's zone is", async () => {
  const { page, assertClean, close } = await door("aurora");
  await shows(page, "In use");
  const { current } = await view("aurora");
  const tokyo = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Tokyo" });
  const until = new RegExp(`^until (.+, )?${tokyo.format(new Date(current.end))} · `);
  await page.locator(".until", { hasText: until }).waitFor();
  const clock = await page.locator(".clock").textContent();
  assert.ok([0, 60_000].some((ago) => clock === tokyo.format(Date.now() - ago)), clock);
  assertClean();
  await close();
});

test("a free room is booked, kept longer and given back, by keyboard alone", async () => {
  const { page, assertClean, close } = await door("fjord");
  await shows(page, "Free");
  await tabTo(page, "Book 30 min");
  await page.keyboard.press("Enter");
  // While one action is in progress, the buttons are disabled.
  await page.locator(".said").getByText(saying("^Booked: HH:MM–HH:MM\\.$")).waitFor();
  await shows(page, "In use");
  const before = (await view("fjord")).current.end;
  await tabTo(page, "Extend: +15 min", "+15 min");
  await page.keyboard.press("Space");
  await until(async () => (await view("fjord")).current.end > before, "it lasts longer");
  await page.locator(".said").getByText(saying("^The meeting now ends at HH:MM\\.$")).waitFor();
  await tabTo(page, "End");
  await page.keyboard.press("Enter");
  await tabTo(page, "Cancel");
  await page.keyboard.press("Enter");
  await shows(page, "In use");
  await tabTo(page, "End");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(page, "End now");
  await page.keyboard.press("Enter");
  // A meeting that started in this minute ends with the minute.
  const left = async () => Date.parse((await view("fjord")).current?.end ?? 0) - Date.now();
  await until(async () => (await left()) < 61_000, "it is over with this minute");
  assertClean();
  await close();
});

// Presses Tab until the button has the focus, and checks that the focus is visible.
async function tabTo(page, name, text = name) {
  await button(page, name).waitFor();
  for (let steps = 0; steps < 20; steps++) {
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    if (focused === text) {
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, "none", `the focus on ${name} shows`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`${name} cannot be reached`);
}

test("what has changed since the display showed it is left alone, and the display says so", async () => {
  // From here on this display receives no event and no response, as over a network that drops everything.
  const noEvents = (page) => page.route("**/v1/events", (route) => route.fulfill({ status: 429, json: {} }));
  const { page, wrong, close } = await door("delta", { network: true, setUp: noEvents });
  await shows(page, "In use");
  await page.route("**/v1/rooms/room-delta%40example.com", () => {});
  const extended = await api(env, "POST", `/v1/rooms/${room("delta")}/extend`, { minutes: 5 });
  assert.equal(extended.status, 200, JSON.stringify(extended));
  await end(page);
  const said = page.locator(".said");
  await said.getByText("The meeting has changed. Look at it again.", { exact: true }).waitFor();
  assert.ok((await view("delta")).busy);
  assert.deepEqual(wrong, []);
  await close();
});

test("the server goes and comes back: the display says so, and goes on", async () => {
  const { page, wrong, close } = await door("aurora", { network: true });
  await shows(page, "In use");
  await env.stopService("SIGKILL");
  const banner = page.locator(".link");
  await banner.getByText(saying("^No connection since HH:MM\\. ")).waitFor();
  assert.equal(await button(page, "End").getAttribute("aria-disabled"), "true");
  await button(page, "End").click({ force: true });
  assert.equal(await page.getByRole("dialog").count(), 0, "nothing is promised that cannot be done");
  await shows(page, "In use");
  await env.startService();
  await until(async () => (await banner.textContent()) === "", "the banner goes", 20_000);
  await end(page);
  await shows(page, "Free");
  assert.deepEqual(wrong, []);
  await close();
});

test("a network that swallows everything is noticed by waiting, and said at once", async () => {
  const swallows = (page) => page.route("**/v1/events", () => {});
  const { page, wrong, close } = await door("delta", { network: true, setUp: swallows });
  await page.locator(".link").getByText(saying("^No connection since HH:MM\\. ")).waitFor({ timeout: 20_000 });
  assert.equal(await button(page, "End").getAttribute("aria-disabled"), "true");
  assert.deepEqual(wrong, []);
  await close();
});

test("a press that nobody answers is given up while somebody stands there", async () => {
  const { page, wrong, close } = await door("delta", { network: true });
  await shows(page, "In use");
  let sent = 0;
  await page.route("**/v1/rooms/*/end", () => sent++);
  await button(page, "End").click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel", "held Enter ends nothing");
  await button(page, "End now").click();
  await page.locator(".said").getByText("No answer. Look at the screen before you try again.").waitFor({ timeout: 40_000 });
  assert.equal(sent, 1, "and is not sent after that");
  assert.ok((await view("delta")).busy);
  assert.deepEqual(wrong, []);
  await close();
});

test("a display that stays open for months is loaded anew when the service has another page", async () => {
  let [build, asked] = [null, 0];
  const setUp = (page) =>
    page.route("**/console/config.json", (route) => {
      asked++;
      return build ? route.fulfill({ json: { build, oidc: null } }) : route.continue();
    });
  const { page, wrong, close } = await door("fjord", { network: true, setUp });
  await page.locator(".word strong").waitFor();
  await until(() => asked === 1, "the page asks for the build");
  let loads = 0;
  page.on("load", () => loads++);
  await env.stopService();
  build = "another";
  await env.startService();
  await until(() => loads === 1, "it is loaded anew", 20_000);
  await page.locator(".word strong").waitFor();
  await until(() => asked >= 3, "the new page asks for the build");
  await page.waitForTimeout(500);
  assert.equal(loads, 1, "once: the reload brought the same page");
  assert.deepEqual(wrong, []);
  await close();
});

test("a key shows what it may do, and the API has the last word", async () => {
  const reader = await door("ember", { key: env.keys.reader });
  await shows(reader.page, "In use");
  assert.deepEqual(await reader.page.locator(".buttons button:visible").allTextContents(), []);
  const refused = await api(env, "POST", `/v1/rooms/${room("ember")}/end`, {}, env.keys.reader);
  assert.equal(refused.status, 403);
  const display = await door("ember", { key: env.keys.door });
  await button(display.page, "End").waitFor();
  const stranger = await door("ember", { key: env.keys.one, network: true });
  await stranger.page.getByText("This room is not known. Ask your support.").waitFor();
  for (const each of [reader, display, stranger]) each.assertClean(), await each.close();
});

test("what people write is shown as they wrote it, and does nothing", async () => {
  const subject = `<img src=x onerror="document.title='broken'"><script>alert(1)</script>`;
  const start = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 60_000);
  await writeEvent(env, room("cirrus"), { subject, start, end: new Date(start.getTime() + 30 * 60_000) });
  await until(async () => (await view("cirrus")).current?.subject === subject, "the service reads it");
  const { page, assertClean, close } = await door("cirrus");
  await page.locator(".title", { hasText: subject }).waitFor();
  assert.equal(await page.locator("main img, main script").count(), 0);
  await page.goto(`${env.url}/?q=img`);
  await page.locator(".what", { hasText: subject }).waitFor();
  await page.goto(`${env.url}/?q=aurora`);
  await page.getByRole("link", { name: "Aurora <b>1</b>" }).first().waitFor();
  assert.equal(await page.locator("main img, main script, main b").count(), 0);
  assertClean();
  await close();
});
