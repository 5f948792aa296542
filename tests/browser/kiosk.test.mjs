// A door display as a kiosk: no way out but by PIN, a restart without the service, a dim screen at night, and the language of its group.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, heading, launch, saying, until, visit } from "./browser.mjs";
import { room, startEnvironment } from "./environment.mjs";

const CONFIG = `
[[room_groups]]
name = "Kraków"
rooms = ["room-ember@example.com"]
language = "pl"
time_zone = "Europe/Warsaw"
`;

let env, browser;
before(async () => {
  [env, browser] = await Promise.all([startEnvironment({ config: CONFIG, keys: { all: ["--rights", "all"], door: [] } }), launch()]);
});
after(async () => {
  await browser?.close();
  await env?.stop();
});

const open = (name, options = {}) => visit(browser, env, `/rooms/${room(name)}`, { key: env.keys.door, ...options });
const storedKey = (page) => page.evaluate(() => localStorage.getItem("adjourn.key"));

test("a remembered display has no link, and nobody signs it out without the PIN", async () => {
  const { page, assertClean, close } = await open("fjord", { link: "&remember&pin=2468" });
  await page.locator(".word strong", { hasText: "Free" }).waitFor();
  assert.equal(await page.locator("a").count(), 0);
  assert.doesNotMatch(page.url(), /2468|key/);
  await button(page, "Sign out").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Sign out" }).click();
  await dialog.getByText("Wrong PIN.").waitFor();
  for (let attempt = 0; attempt < 4; attempt++) {
    await dialog.locator("input").fill("1357");
    await page.keyboard.press("Enter");
  }
  await dialog.locator("input").fill("2468");
  await page.keyboard.press("Enter");
  await dialog.getByText("Too many attempts. Wait 5 min.").waitFor();
  assert.equal(await storedKey(page), env.keys.door, "not even the right PIN counts now");
  await page.reload();
  await button(page, "Sign out").click();
  await dialog.locator("input").fill("2468");
  await page.keyboard.press("Enter");
  await dialog.getByText(/^Too many attempts\. Wait [45] min\.$/).waitFor();
  await page.evaluate(() => localStorage.setItem("adjourn.pin-attempts", JSON.stringify({ wrong: 5, closedUntil: Date.now() - 1 })));
  await dialog.locator("input").fill("2468");
  await page.keyboard.press("Enter");
  await heading(page, "Sign in").waitFor();
  assert.equal(await storedKey(page), null);
  assertClean();
  await close();
});

test("a remembered display without a PIN offers no sign-out; a key of this tab has the way to the other rooms", async () => {
  const kiosk = await open("fjord", { link: "&remember" });
  await kiosk.page.locator(".word strong", { hasText: "Free" }).waitFor();
  assert.equal(await kiosk.page.locator("a, .sign-out").count(), 0);
  const tab = await open("fjord");
  await tab.page.getByRole("link", { name: "All rooms" }).click();
  await heading(tab.page, "Rooms").waitFor();
  for (const each of [kiosk, tab]) each.assertClean(), await each.close();
});

test("the display speaks the language of its room group; the address has the last word", async () => {
  const { page, assertClean, close } = await open("ember");
  await page.locator(".word strong", { hasText: "Zajęta" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "pl");
  await page.goto(`${env.url}/rooms/${room("ember")}?lang=he`);
  await page.locator(".word strong", { hasText: "תפוס" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dir), "rtl");
  assertClean();
  await close();
});

test("a display that restarts without the service shows so itself, in its language, and comes back", async () => {
  const { page, wrong, close } = await open("ember", { link: "&remember", network: true, serviceWorkers: "allow" });
  await page.locator(".word strong", { hasText: "Zajęta" }).waitFor();
  const { build } = await (await fetch(`${env.url}/console/config.json`)).json();
  const kept = () =>
    page.evaluate(async (set) => (await (await caches.open(set)).keys()).map((one) => new URL(one.url).pathname), `adjourn-display-${build}`);
  const files = ["display.css", "languages/pl.js", "live.js"].map((name) => `/console/${build}/${name}`);
  await until(async () => {
    const names = await kept();
    return ["/rooms/", "/console/restart.js", ...files].every((name) => names.includes(name));
  }, "the files are kept");
  assert.ok((await kept()).every((name) => !name.startsWith("/v1/")), "and no API response");
  await env.stopService();
  await page.reload();
  await page.locator(".link", { hasText: saying("^Brak połączenia od HH:MM") }).waitFor();
  await page.locator(".word strong", { hasText: "Brak danych" }).waitFor();
  assert.equal(await page.locator("a").count(), 0);
  await env.startService();
  await page.locator(".word strong", { hasText: "Zajęta" }).waitFor({ timeout: 20_000 });
  await until(async () => (await page.locator(".link").textContent()) === "", "the banner goes");
  assert.deepEqual(wrong, []);
  await close();
});

test("at night the screen is dim, until somebody touches it", async () => {
  const { page, assertClean, close } = await open("fjord");
  const isDim = () => page.evaluate(() => document.documentElement.classList.contains("dim"));
  const hour = new Date(new Date().toLocaleString("en-US", { timeZone: "America/New_York" })).getHours();
  await page.goto(`${env.url}/rooms/${room("fjord")}?dim=${(hour + 2) % 24}-${(hour + 4) % 24}`);
  await page.locator(".word strong", { hasText: "Free" }).waitFor();
  assert.equal(await isDim(), false);
  await page.goto(`${env.url}/rooms/${room("fjord")}?dim=${(hour + 23) % 24}-${(hour + 2) % 24}`);
  await until(isDim, "it is dim");
  await page.mouse.click(400, 300);
  assert.equal(await isDim(), false);
  assertClean();
  await close();
});

test("the display is an application of its own for the device", async () => {
  const page = await (await fetch(`${env.url}/rooms/${room("fjord")}`)).text();
  const [, address] = /<link rel="manifest" href="([^"]+)"/.exec(page);
  const manifest = await (await fetch(env.url + address)).json();
  assert.deepEqual([manifest.display, manifest.scope, manifest.start_url], ["fullscreen", "/rooms/", undefined]);
  const icon = await fetch(env.url + manifest.icons[0].src);
  assert.equal(icon.headers.get("content-type"), manifest.icons[0].type);
});

test("the files of a page are of its build, and those of another build are not found", async () => {
  const { build } = await (await fetch(`${env.url}/console/config.json`)).json();
  for (const path of ["/", `/rooms/${room("fjord")}`, "/plan", "/audit", "/report", "/doctor", "/displays", "/keys"]) {
    const addresses = [...(await (await fetch(env.url + path)).text()).matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, address]) => address);
    assert.ok(addresses.filter((address) => address.startsWith(`/console/${build}/`)).length >= 2, `${path}: ${addresses}`);
    for (const address of addresses) assert.equal((await fetch(env.url + address)).status, 200, address);
  }
  assert.equal((await fetch(`${env.url}/console/${"0".repeat(24)}/live.js`)).status, 404);
});
