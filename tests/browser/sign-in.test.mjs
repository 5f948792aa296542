// Signing in: with valid and invalid keys, remembered or not, and at an OpenID provider.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, heading, launch, until, visit } from "./browser.mjs";
import { api, room, startEnvironment } from "./environment.mjs";
import { issuer } from "./issuer.mjs";

const CLIENT = { clientId: "adjourn-console", audience: "api://adjourn", roles: ["Operator"] };

let env, browser, provider;
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
  [env, browser] = await Promise.all([startEnvironment({ config, keys: { all: ["--rights", "all"], lost: [] } }), launch()]);
});
after(async () => {
  await browser?.close();
  await env?.stop();
  provider?.stop();
});

const stored = (page) => page.evaluate(() => [sessionStorage.getItem("adjourn.key"), localStorage.getItem("adjourn.key")]);

async function fill(page, key, remember = false) {
  await page.getByLabel("API key").fill(key);
  if (remember) await page.getByLabel(/Remember on this device/).check();
  await button(page, "Sign in").click();
}

test("a wrong key opens nothing, and says so; the right one does, for this tab", async () => {
  const { page, context, assertClean, close } = await visit(browser, env, "/", { network: true });
  await heading(page, "Sign in").waitFor();
  await fill(page, "adj_nobody_nothing");
  await page.getByRole("alert").getByText("The API key or token is not valid.").waitFor();
  assert.deepEqual(await stored(page), [null, null]);
  await fill(page, env.keys.all);
  await heading(page, "Rooms").waitFor();
  assert.deepEqual(await stored(page), [env.keys.all, null]);
  const other = await context.newPage();
  await other.goto(env.url);
  await heading(other, "Sign in").waitFor();
  assert.deepEqual(await context.cookies(), [], "nothing that another site's request would carry");
  assertClean();
  await close();
});

test("a remembered key survives a restart, signing out forgets it", async () => {
  const { page, context, assertClean, close } = await visit(browser, env, `/rooms/${room("fjord")}`);
  await fill(page, env.keys.all, true);
  await page.locator(".word strong").waitFor();
  const other = await context.newPage();
  await page.close();
  await other.goto(`${env.url}/`);
  await heading(other, "Rooms").waitFor();
  await other.getByRole("button", { name: "Sign out" }).click();
  await heading(other, "Sign in").waitFor();
  assert.deepEqual(await stored(other), [null, null]);
  assertClean();
  await close();
});

test("a sign-in link leaves the address at once, and asks before it replaces a session", async () => {
  const { page, assertClean, close } = await visit(browser, env, "/", { key: env.keys.all });
  await heading(page, "Rooms").waitFor();
  assert.equal(page.url(), `${env.url}/`);
  for (const [answer, name, kept] of [
    ["Cancel", "all", env.keys.all],
    ["Sign in with the link", "lost", env.keys.lost],
  ]) {
    await page.goto("about:blank");
    await page.goto(`${env.url}/#key=${env.keys.lost}`);
    await page.getByText("You are signed in as all.").waitFor();
    assert.deepEqual(await stored(page), [env.keys.all, null], "until somebody answers");
    await page.getByRole("button", { name: answer }).click();
    await page.getByText(name, { exact: true }).waitFor();
    assert.deepEqual(await stored(page), [kept, null]);
  }
  // A link with the key of the present session shows no dialog.
  await page.goto("about:blank");
  await page.goto(`${env.url}/#key=${env.keys.lost}`);
  await page.getByText("lost", { exact: true }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  assertClean();
  await close();
});

test("a revoked key is signed out, and says why", async () => {
  const { page, assertClean, close } = await visit(browser, env, "/", { key: env.keys.lost, network: true });
  await heading(page, "Rooms").waitFor();
  await env.program("key", "revoke", env.keys.lost.split("_")[1]);
  await until(async () => (await api(env, "GET", "/v1/me", undefined, env.keys.lost)).status === 401, "it is out");
  await page.reload();
  await heading(page, "Sign in").waitFor();
  await page.getByText("The API key or token is not valid.").waitFor();
  assertClean();
  await close();
});

test("somebody signs in at the provider, comes back to the same page, and acts under their own name", async () => {
  const { page, assertClean, close } = await visit(browser, env, "/audit?state=done", { hosts: [provider.host] });
  await page.getByRole("button", { name: `Sign in at ${provider.host}` }).click();
  await heading(page, "Audit").waitFor();
  assert.equal(page.url(), `${env.url}/audit?state=done`);
  await page.getByText(/olga@example\.com/).waitFor();
  await page.goto(`${env.url}/rooms/${room("aurora")}`);
  await button(page, "End").click();
  await page.getByRole("button", { name: "End now" }).click();
  await page.locator(".word strong", { hasText: "Free" }).waitFor();
  const { json } = await api(env, "GET", `/v1/actions?room=${room("aurora")}`);
  assert.match(json.actions[0].actor, /olga@example\.com/);
  assert.deepEqual(provider.wrong, []);
  assertClean();
  await close();
});

test("an answer to another sign-in is not taken", async () => {
  const { page, assertClean, close } = await visit(browser, env, "/?code=stolen&state=other", { hosts: [provider.host] });
  await page.getByText("This sign-in was not started in this tab.").waitFor();
  provider.nonce = "another";
  await page.getByRole("button", { name: `Sign in at ${provider.host}` }).click();
  await page.getByText("The identity provider's response belongs to another sign-in.").waitFor();
  provider.nonce = null;
  assert.deepEqual(await stored(page), [null, null]);
  assertClean();
  await close();
});
