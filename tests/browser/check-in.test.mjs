// The QR code at the door: it is read from the pixels of the screen, opened on a phone without an account, and checks in.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import jsQR from "jsqr";

import { button, heading, launch, overflows, saying, serious, shows, until, visit } from "./browser.mjs";
import { api, room, startEnvironment } from "./environment.mjs";

const CONFIG = `
[api]
public_url = "{url}"
show_subjects = true
max_state_age_s = 1
[cleanup]
mode = "act"
[[room_groups]]
name = "checked"
rooms = ["*"]
check_in = true
grace_minutes = 20
time_zone = "Asia/Tokyo"
names = { "room-aurora@example.com" = "Aurora <b>1</b>" }
`;
const PHONE = { viewport: { width: 360, height: 640 }, hasTouch: true };

let env, browser;
before(async () => {
  [env, browser] = await Promise.all([startEnvironment({ config: CONFIG }), launch()]);
  await api(env, "POST", "/v1/evidence", { heartbeats: [{ source: "sensors" }] });
});
after(async () => {
  await browser?.close();
  await env?.stop();
});

const door = (name, options = {}) =>
  visit(browser, env, `/rooms/${encodeURIComponent(room(name))}`, { key: env.keys.all, ...options });
const phone = (url, options = {}) => visit(browser, env, url.slice(env.url.length), { ...PHONE, ...options });
const code = (page) => page.locator(".check-in-code svg");

// The text of the code on the screen.
async function scan(page) {
  await code(page).waitFor();
  const image = (await page.locator(".check-in-code").screenshot()).toString("base64");
  const { data, width, height } = await page.evaluate(async (image) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${image}`;
    await picture.decode();
    const pen = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height }).getContext("2d");
    pen.drawImage(picture, 0, 0);
    const { data, width, height } = pen.getImageData(0, 0, picture.width, picture.height);
    return { data: Array.from(data), width, height };
  }, image);
  return jsQR(Uint8ClampedArray.from(data), width, height, { inversionAttempts: "dontInvert" })?.data;
}

test("a person scans the code, presses once on the phone, and the display says so", async () => {
  const { page, assertClean, close } = await door("aurora");
  await shows(page, "Check in");
  const url = await scan(page);
  assert.ok(url?.startsWith(`${env.url}/check-in#`), url);
  assert.deepEqual(await serious(page), []);

  const requests = [];
  const setUp = (page) => page.on("request", (request) => requests.push(request));
  const own = await phone(url, { locale: "de-AT", setUp });
  await heading(own.page, "Aurora <b>1</b>").waitFor();
  await own.page.getByText(saying("^HH:MM–HH:MM$")).waitFor();
  assert.equal(await own.page.evaluate(() => document.documentElement.lang), "de-AT");
  assert.ok(!(await own.page.content()).includes("critique"), "no subject is shown");
  assert.deepEqual([await serious(own.page), await overflows(own.page)], [[], false]);
  const { width } = await button(own.page, "Einchecken").boundingBox();
  assert.ok(width > 300, "the button is as wide as the page");
  await button(own.page, "Einchecken").click();
  await own.page.getByText("Sie sind eingecheckt.").waitFor();
  assert.equal(await button(own.page, "Einchecken").isVisible(), false);
  await shows(page, "In use");
  await page.locator(".who", { hasText: "Checked in" }).waitFor();
  await code(page).waitFor({ state: "hidden" });

  await own.page.reload();
  await button(own.page, "Einchecken").click();
  await own.page.getByText("Sie sind eingecheckt.").waitFor();
  assert.deepEqual(await serious(own.page), []);
  const token = url.split("#")[1];
  for (const request of requests) {
    assert.ok(!request.url().includes(token) || request.isNavigationRequest(), request.url());
    const { authorization, referer = "" } = await request.allHeaders();
    assert.deepEqual([authorization, referer.includes(token)], [undefined, false]);
  }
  const kept = await own.page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
  assert.deepEqual(kept, [0, 0, ""]);
  own.assertClean(), await own.close();
  assertClean(), await close();
});

test("the code is read in dark mode, on a small panel, and from a page in Arabic", async () => {
  for (const options of [{ colorScheme: "dark" }, { viewport: { width: 800, height: 480 }, deviceScaleFactor: 2 }]) {
    const { page, assertClean, close } = await visit(browser, env, `/rooms/${encodeURIComponent(room("borealis"))}?lang=ar`, { key: env.keys.all, ...options });
    assert.ok((await scan(page))?.startsWith(`${env.url}/check-in#`));
    assertClean(), await close();
  }
});

test("a link that is not valid says to scan again, in the phone's language", async () => {
  const sentences = {
    "en-GB": "This code is no longer valid. Scan the code at the door again.",
    "tlh": "This code is no longer valid. Scan the code at the door again.",
    "fr-CA": "Ce code n’est plus valable. Scannez de nouveau le code à la porte.",
    "he": "הקוד כבר אינו תקף. יש לסרוק שוב את הקוד שליד הדלת.",
  };
  for (const [locale, sentence] of Object.entries(sentences)) {
    const { page, assertClean, close } = await phone(`${env.url}/check-in#AQAAAA`, { locale, network: true });
    await page.getByText(sentence).waitFor();
    assert.equal(await page.locator("button:visible").count(), 0);
    assert.equal(await page.evaluate(() => document.documentElement.dir), locale === "he" ? "rtl" : "ltr");
    assert.deepEqual([await serious(page), await overflows(page)], [[], false]);
    assertClean(), await close();
  }
});

test("without a connection the code is hidden, and after a restart there is a new one", async () => {
  const { page, assertClean, close } = await door("borealis", { network: true });
  const old = await scan(page);
  const own = await phone(old, { locale: "en-GB", network: true });
  await button(own.page, "Check in").waitFor();
  await env.stopService();
  await code(page).waitFor({ state: "hidden", timeout: 20_000 });
  await button(own.page, "Check in").click();
  await own.page.getByText("No connection. Try again.").waitFor();
  await env.startService();
  await api(env, "POST", "/v1/evidence", { heartbeats: [{ source: "sensors" }] });
  await button(own.page, "Check in").click();
  await own.page.getByText("Scan the code at the door again.").waitFor();
  const url = await until(async () => {
    const shown = (await code(page).isVisible()) && (await scan(page));
    return shown && shown !== old && shown;
  }, "a new code", 40_000);
  await own.page.evaluate((url) => location.assign(url), url); // a fragment alone loads no page
  await button(own.page, "Check in").click();
  await own.page.getByText("You are checked in.").waitFor();
  own.assertClean(), await own.close();
  assertClean(), await close();
});
