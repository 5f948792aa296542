// Signing in: with a key, with one that opens nothing, remembered or not, and at an OpenID provider.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, until, visit } from "./browser.mjs";
import { api, house, room } from "./house.mjs";
import { issuer } from "./issuer.mjs";

const CLIENT = { clientId: "adjourn-console", audience: "api://adjourn", roles: ["Operator"] };

let there, browser, provider;
before(async () => {
  provider = await issuer(CLIENT);
  const config = `
[api.oidc]
issuer = "${provider.url}"
audience = "${CLIENT.audience}"
name_claim = "upn"
grants = [{ claim = "roles", value = "Operator", rooms = ["*"], rights = ["all"] }]
console = { client_id = "${CLIENT.clientId}", scope = "openid api://adjourn/console" }
`;
  [there, browser] = await Promise.all([house({ config, keys: { all: ["--rights", "all"], lost: [] } }), launch()]);
});
after(async () => {
  await browser?.close();
  await there?.stop();
  provider?.stop();
});

const heading = (page, name) => page.getByRole("heading", { name, level: 1 });
const stored = (page) => page.evaluate(() => [sessionStorage.getItem("adjourn.key"), localStorage.getItem("adjourn.key")]);

async function fill(page, key, remember = false) {
  await page.getByLabel("API key").fill(key);
  if (remember) await page.getByLabel(/Remember on this device/).check();
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

test("a wrong key opens nothing, and says so; the right one does, for this tab", async () => {
  const { page, context, calm, close } = await visit(browser, there, "/", { network: true });
  await heading(page, "Sign in").waitFor();
  await fill(page, "adj_nobody_nothing");
  await page.getByRole("alert").getByText("The API key or token is not valid.").waitFor();
  assert.deepEqual(await stored(page), [null, null]);
  await fill(page, there.keys.all);
  await heading(page, "Rooms").waitFor();
  assert.deepEqual(await stored(page), [there.keys.all, null]);
  const other = await context.newPage();
  await other.goto(there.url);
  await heading(other, "Sign in").waitFor();
  assert.deepEqual(await context.cookies(), [], "nothing that another site's request would carry");
  calm();
  await close();
});

test("a remembered key survives a restart, signing out forgets it", async () => {
  const { page, context, calm, close } = await visit(browser, there, `/rooms/${room("fjord")}`);
  await fill(page, there.keys.all, true);
  await page.locator(".word strong").waitFor();
  const other = await context.newPage();
  await page.close();
  await other.goto(`${there.url}/`);
  await heading(other, "Rooms").waitFor();
  await other.getByRole("button", { name: "Sign out" }).click();
  await heading(other, "Sign in").waitFor();
  assert.deepEqual(await stored(other), [null, null]);
  calm();
  await close();
});

test("a sign-in link leaves the address at once, and asks before it replaces a session", async () => {
  const { page, calm, close } = await visit(browser, there, "/", { key: there.keys.all });
  await heading(page, "Rooms").waitFor();
  assert.equal(page.url(), `${there.url}/`);
  for (const [answer, name, kept] of [
    ["Cancel", "all", there.keys.all],
    ["Sign in with the link", "lost", there.keys.lost],
  ]) {
    await page.goto("about:blank");
    await page.goto(`${there.url}/#key=${there.keys.lost}`);
    await page.getByText("You are signed in as all.").waitFor();
    assert.deepEqual(await stored(page), [there.keys.all, null], "until somebody answers");
    await page.getByRole("button", { name: answer }).click();
    await page.getByText(name, { exact: true }).waitFor();
    assert.deepEqual(await stored(page), [kept, null]);
  }
  // The link of the session that exists asks nothing.
  await page.goto("about:blank");
  await page.goto(`${there.url}/#key=${there.keys.lost}`);
  await page.getByText("lost", { exact: true }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  calm();
  await close();
});

test("a revoked key is signed out, and says why", async () => {
  const { page, calm, close } = await visit(browser, there, "/", { key: there.keys.lost, network: true });
  await heading(page, "Rooms").waitFor();
  await there.program("key", "revoke", there.keys.lost.split("_")[1]);
  await until(async () => (await api(there, "GET", "/v1/me", undefined, there.keys.lost)).status === 401, "it is out");
  await page.reload();
  await heading(page, "Sign in").waitFor();
  await page.getByText("The API key or token is not valid.").waitFor();
  calm();
  await close();
});

test("somebody signs in at the provider, comes back to the same page, and acts under their own name", async () => {
  const { page, calm, close } = await visit(browser, there, "/audit?state=done", { hosts: [provider.host] });
  await page.getByRole("button", { name: `Sign in at ${provider.host}` }).click();
  await heading(page, "Audit").waitFor();
  assert.equal(page.url(), `${there.url}/audit?state=done`);
  await page.getByText(/olga@example\.com/).waitFor();
  await page.goto(`${there.url}/rooms/${room("aurora")}`);
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "End now" }).click();
  await page.locator(".word strong", { hasText: "Free" }).waitFor();
  const { json } = await api(there, "GET", `/v1/actions?room=${room("aurora")}`);
  assert.match(json.actions[0].actor, /olga@example\.com/);
  assert.deepEqual(provider.wrong, []);
  calm();
  await close();
});

test("an answer to another sign-in is not taken", async () => {
  const { page, calm, close } = await visit(browser, there, "/?code=stolen&state=other", { hosts: [provider.host] });
  await page.getByText("This sign-in was not begun in this tab.").waitFor();
  provider.nonce = "another";
  await page.getByRole("button", { name: `Sign in at ${provider.host}` }).click();
  await page.getByText("The provider answered another sign-in.").waitFor();
  provider.nonce = null;
  assert.deepEqual(await stored(page), [null, null]);
  calm();
  await close();
});
