// Displays: a tablet shows a code, an operator enters it in the console or by the command line, and the tablet opens its room.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { button, heading, launch, overflows, serious, shows, until, visit } from "./browser.mjs";
import { api, room, startEnvironment } from "./environment.mjs";

let env, browser;
before(async () => {
  [env, browser] = await Promise.all([
    startEnvironment({ keys: { all: ["--rights", "all"], reader: ["--rights", "read"] } }),
    launch(),
  ]);
});
after(async () => {
  await browser?.close();
  await env?.stop();
});

const openTablet = (options = {}) => visit(browser, env, "/display", { viewport: { width: 1280, height: 800 }, ...options });
const openConsole = (options = {}) => visit(browser, env, "/displays", { key: env.keys.all, ...options });

// The code on a tablet.
async function codeOf(page, options = {}) {
  const code = page.locator(".code", { hasText: /^\d{3} \d{3}$/ });
  await code.waitFor(options);
  return code.textContent();
}

async function enter(page, code, name, order = {}) {
  await page.getByLabel("Code on the display").fill(code);
  await page.getByLabel("Room", { exact: true }).fill(order.room ?? room("fjord"));
  await page.getByLabel("Name (optional)").fill(name);
  await page.getByLabel("PIN for sign-out (optional)").fill(order.pin ?? "");
  await button(page, "Pair").click();
}

test("the operator types the code, and the tablet shows its room, without a link away", async () => {
  const [tablet, operator] = [await openTablet(), await openConsole()];
  const code = await codeOf(tablet.page);
  assert.equal(await tablet.page.locator("a").count(), 0);
  assert.deepEqual(await serious(tablet.page), []);
  await enter(operator.page, code, "Fjord, door", { pin: "2468" });
  await operator.page.getByText("Paired “Fjord, door” with Room Fjord.").waitFor();
  await shows(tablet.page, "Free");
  assert.equal(new URL(tablet.page.url()).pathname, `/rooms/${encodeURIComponent(room("fjord"))}`);
  assert.doesNotMatch(tablet.page.url(), /adj_|key|pin/);
  assert.equal(await tablet.page.locator("a").count(), 0);
  const row = operator.page.getByRole("row", { name: /Fjord, door/ });
  await row.getByText("Connected").waitFor({ timeout: 15_000 });
  await row.getByText("Current", { exact: true }).waitFor();
  assert.deepEqual(await serious(operator.page), []);
  await operator.page.setViewportSize({ width: 390, height: 800 });
  assert.equal(await overflows(operator.page), false);

  // A signed-out display asks to be paired again, and not for a key.
  await button(tablet.page, "Sign out").click();
  await tablet.page.getByRole("dialog").locator("input").fill("2468");
  await tablet.page.keyboard.press("Enter");
  assert.notEqual(await codeOf(tablet.page), code);
  for (const each of [tablet, operator]) each.assertClean(), await each.close();
});

test("a removed display shows a new code", async () => {
  const [tablet, operator] = [await openTablet({ network: true }), await openConsole()];
  await enter(operator.page, await codeOf(tablet.page), "Ember, door", { room: room("ember") });
  await shows(tablet.page, "In use");
  await button(operator.page, "Remove Ember, door").click();
  await operator.page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await operator.page.getByText("Removed “Ember, door”.").waitFor();
  await operator.page.getByRole("row", { name: /Ember, door/ }).waitFor({ state: "detached" });
  await codeOf(tablet.page);
  for (const each of [tablet, operator]) each.assertClean(), await each.close();
});

test("a late response to an earlier request does not bring a removed display back", async () => {
  let [hold, held, release] = [false, false, null];
  const gate = new Promise((resolve) => (release = resolve));
  const holdOne = async (route) => {
    const response = await route.fetch();
    if (hold && !held) {
      held = true;
      await gate;
    }
    await route.fulfill({ response });
  };
  const setUp = (page) => page.route(/\/v1\/displays\?/, holdOne);
  const [tablet, operator] = [await openTablet({ network: true }), await openConsole({ setUp })];
  await enter(operator.page, await codeOf(tablet.page), "Aurora, door", { room: room("aurora") });
  const row = operator.page.getByRole("row", { name: /Aurora, door/ });
  await row.waitFor();
  hold = true;
  await until(() => held, "the page requests the displays again");
  await button(operator.page, "Remove Aurora, door").click();
  await operator.page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await row.waitFor({ state: "detached" });
  const late = operator.page.waitForResponse(/\/v1\/displays\?/);
  release();
  await (await late).finished();
  await operator.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100))));
  assert.equal(await row.count(), 0);
  for (const each of [tablet, operator]) each.assertClean(), await each.close();
});

test("a wrong code pairs nothing and names the remedy; an ended pairing shows a new code", async () => {
  const [tablet, operator] = [await openTablet({ network: true }), await openConsole({ network: true })];
  const code = await codeOf(tablet.page);
  const wrong = code === "000 000" ? "000 001" : "000 000";
  await enter(operator.page, wrong, "nobody");
  await operator.page.getByText("No display shows this code").waitFor();
  await operator.page.getByText("What to do: read the code on the display again").waitFor();
  assert.equal(await codeOf(tablet.page), code);
  await env.stopService();
  await tablet.page.getByText("No connection. Trying again.").waitFor({ timeout: 15_000 });
  await env.startService();
  await until(async () => (await codeOf(tablet.page)) !== code, "a new code", 20_000);
  for (const each of [tablet, operator]) each.assertClean(), await each.close();
});

test("the code's time runs out on the screen", async () => {
  const tablet = await openTablet({ setUp: (page) => page.clock.install() });
  const code = await codeOf(tablet.page);
  await tablet.page.getByText(/^New code in (10:00|9:5\d)$/).waitFor();
  // The browser's clock jumps; the service's does not, and the page follows the service's.
  await tablet.page.clock.runFor(30_000);
  assert.equal(await codeOf(tablet.page), code);
  tablet.assertClean();
  await tablet.close();
});

test("the page speaks the language of its address", async () => {
  const tablet = await openTablet();
  await tablet.page.goto(`${env.url}/display?lang=de`);
  await heading(tablet.page, "Dieses Display koppeln").waitFor();
  tablet.assertClean();
  await tablet.close();
});

test("without the right `displays` the console has no such page in its navigation, and the API refuses", async () => {
  const reader = await visit(browser, env, "/", { key: env.keys.reader });
  await heading(reader.page, "Rooms").waitFor();
  assert.equal(await reader.page.getByRole("link", { name: "Displays" }).count(), 0);
  assert.equal((await api(env, "GET", "/v1/displays", null, env.keys.reader)).status, 403);
  reader.assertClean();
  await reader.close();
});

test("the command line pairs, lists and removes", async () => {
  const tablet = await openTablet({ network: true });
  const code = (await codeOf(tablet.page)).replace(" ", "");
  const file = join(tmpdir(), `adjourn-operator-${process.pid}.key`);
  await writeFile(file, `${env.keys.all}\n`, { mode: 0o600 });
  const order = ["--room", room("delta"), "--name", "Delta, door", "--server", env.url, "--key-file", file];
  const paired = JSON.parse(await env.program("display", "pair", code, ...order, "--json"));
  assert.deepEqual([paired.name, paired.room], ["Delta, door", room("delta")]);
  await tablet.page.locator(".word strong").waitFor();
  const listed = JSON.parse(await env.program("display", "list", "--json"));
  assert.ok(listed.some(({ name, paired_by }) => name === "Delta, door" && paired_by === "all"), JSON.stringify(listed));
  await env.program("display", "remove", "Delta, door");
  await codeOf(tablet.page, { timeout: 60_000 });
  await assert.rejects(env.program("display", "remove", "Delta, door"), /ended with 1/);
  await assert.rejects(env.program("display", "pair", code, ...order), /ended with 1/);
  tablet.assertClean();
  await tablet.close();
});
