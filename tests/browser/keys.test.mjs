// The page of keys: a key is created, used, changed and revoked; only keys within one's own rights are offered.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, heading, launch, overflows, serious, until, visit } from "./browser.mjs";
import { api, room, startEnvironment } from "./environment.mjs";

const KEYS = {
  all: ["--rights", "all"],
  floor: ["--rights", "read,end,keys", "--rooms", "room-a*@example.com"],
  reader: ["--rights", "read"],
};

let env, browser;
before(async () => ([env, browser] = await Promise.all([startEnvironment({ keys: KEYS }), launch()])));
after(async () => {
  await browser?.close();
  await env?.stop();
});

const open = (options = {}) => visit(browser, env, "/keys", { key: env.keys.all, ...options });
const rowOf = (page, name) => page.getByRole("row").filter({ hasText: name });
const status = async (key) => (await api(env, "GET", "/v1/me", undefined, key)).status;

// Fills the form for a key of one room, and sends it.
async function create(page, name, purpose = "display") {
  await button(page, "New key").click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Purpose").selectOption(purpose);
  await page.getByLabel(/^Rooms/).fill(room("aurora"));
  await button(page, "Create key").click();
}

test("a key is created, shown once, copied, changed and revoked", async () => {
  const { page, context, assertClean, close } = await open();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await rowOf(page, "reader").waitFor();
  await create(page, "door-17");
  const secret = page.getByLabel("Secret of door-17");
  const key = await secret.inputValue();
  assert.match(key, /^adj_/);
  await button(page, "Copy").click();
  await page.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
  await rowOf(page, "door-17").filter({ hasText: "read, check-in, end, extend, book, evidence" }).waitFor();
  assert.equal(await status(key), 200);
  await button(page, "Done").click();
  await secret.waitFor({ state: "detached" });
  await page.reload();
  await rowOf(page, "door-17").filter({ hasText: room("aurora") }).waitFor();
  assert.doesNotMatch(await page.content(), new RegExp(key));

  await button(page, "Change door-17").click();
  await page.getByLabel("Name").fill("lobby");
  await page.getByLabel("evidence").uncheck();
  assert.equal(await page.getByLabel("Purpose").inputValue(), "other");
  await page.getByLabel(/^Expires/).fill("2999-12-31T12:00");
  await button(page, "Save changes").click();
  await page.getByText("Changed lobby.").waitFor();
  await rowOf(page, "lobby").filter({ hasText: "31 Dec 2999" }).waitFor();
  const { json } = await api(env, "GET", "/v1/keys");
  const lobby = json.keys.find(({ name }) => name === "lobby");
  assert.deepEqual([lobby.rights, lobby.expires_at], [["read", "check-in", "end", "extend", "book"], "2999-12-31T17:00:00Z"]);

  await button(page, "Revoke lobby").click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal(await status(key), 200);
  await button(page, "Revoke lobby").click();
  await button(page, "Revoke now").click();
  await page.getByText("Revoked lobby.").waitFor();
  await until(async () => (await status(key)) === 401, "the key is refused", 2000);
  assert.equal(await rowOf(page, "lobby").count(), 0);
  const events = await env.program("audit", "--admin");
  await until(async () => /key-revoked/.test(await env.program("audit", "--admin")), `in the journal: ${events}`);
  assertClean();
  await close();
});

test("a key offers what it may give, and the API's reason when it may not", async () => {
  const { page, assertClean, close } = await open({ key: env.keys.floor, network: true });
  await rowOf(page, "floor").filter({ hasText: "Your own key" }).waitFor();
  assert.equal(await page.locator("tbody tr").count(), 1, "no key beyond its rights");
  assert.equal(await button(page, "Revoke floor").count(), 0);
  await create(page, "strong", "operator");
  await button(page, "Done").click();
  await rowOf(page, "strong").filter({ hasText: "read, end" }).waitFor();
  await button(page, "New key").click();
  assert.equal(await page.getByRole("group", { name: "Rights" }).getByRole("checkbox").count(), 3);
  await page.getByLabel("Purpose").selectOption("operator");
  assert.equal(await page.getByLabel(/^Rooms/).inputValue(), "room-a*@example.com");
  await page.getByLabel("Name").fill("wide");
  await page.getByLabel(/^Rooms/).fill("*");
  await button(page, "Create key").click();
  await page.getByText("This key cannot give all rooms of `*`").waitFor();
  assert.equal(await page.getByLabel("Name").inputValue(), "wide", "the form keeps what was typed");
  await page.getByLabel("Name").fill("strong");
  await page.getByLabel(/^Rooms/).fill(room("aurora"));
  await button(page, "Create key").click();
  await page.getByText("Another key in force has the name `strong`.").waitFor();
  assertClean();
  await close();
});

test("the page works by keyboard, is found by word, and has nothing serious in both colours and on a phone", async () => {
  for (const options of [{}, { colorScheme: "dark" }, { viewport: { width: 320, height: 568 } }]) {
    const { page, assertClean, close } = await open({ reducedMotion: "reduce", ...options });
    await rowOf(page, "reader").waitFor();
    await page.getByLabel("Search").fill("reader");
    await until(async () => (await page.locator("tbody tr").count()) === 1, "one key");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.type(`door ${JSON.stringify(options)}`);
    for (let presses = 0; presses < 2; presses++) await page.keyboard.press("Tab");
    await page.keyboard.type("room-*@example.com");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Key of door/ }).waitFor();
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^Key of door/);
    await button(page, "New key").click();
    assert.deepEqual(await serious(page), []);
    assert.equal(await overflows(page), false);
    assertClean();
    await close();
  }
});

test("without the right there is no link, and the page says why it is empty", async () => {
  const { page, assertClean, close } = await open({ key: env.keys.reader, network: true });
  await heading(page, "Keys").waitFor();
  await page.getByText("The key does not have the right `keys`.").waitFor();
  assert.deepEqual(await page.getByRole("navigation").getByRole("link").allTextContents(), ["Rooms", "Audit"]);
  assertClean();
  await close();
});
