// Accessibility of every page, in light and dark, on a small screen and enlarged; security headers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, overflows, serious, until, visit } from "./browser.mjs";
import { api, startDemo, startEnvironment } from "./environment.mjs";

let env, browser;
before(async () => {
  [env, browser] = await Promise.all([startDemo(), launch()]);
  // An action that can be undone.
  await api(env, "POST", "/v1/rooms/room-aurora@example.com/end", {});
});
after(async () => {
  await browser?.close();
  await env?.stop();
});

const SPARE = "room-cirrus@example.com"; // no page of it is looked at
const ROOMS = ["aurora", "fjord", "gull"].map((name) => `/rooms/room-${name}@example.com`);
const PAGES = ["/", ...ROOMS, "/plan", "/audit", "/report", "/doctor", "/keys", "/displays", "/display"];

// Something happens in a room until the board shows it: the page may not follow the events yet.
async function happen(page) {
  await until(async () => {
    await api(env, "POST", `/v1/rooms/${SPARE}/book`, { minutes: 5 });
    await api(env, "POST", `/v1/rooms/${SPARE}/end`, {});
    return (await page.getByRole("log").getByRole("listitem").count()) > 0;
  }, "the board shows what happened");
}

// The page with content on it.
async function full(path, options) {
  const visited = await visit(browser, env, path, { key: env.key, ...options });
  const { page } = visited;
  await page.getByRole("heading", { level: 1 }).waitFor();
  if (path === "/") {
    await page.locator(".card").first().waitFor();
    await happen(page);
  }
  if (path === "/plan") await page.getByRole("button", { name: "Make a plan" }).click();
  if (path === "/doctor") await page.getByRole("button", { name: "Run checks" }).click();
  if (path === "/displays") await page.locator("summary").click();
  if (path === "/display") await page.locator(".code", { hasText: /\d/ }).waitFor();
  else if (path.startsWith("/rooms")) await page.locator(".word strong").waitFor();
  else if (path !== "/") await page.locator("tbody tr").first().waitFor();
  return visited;
}

// Door displays also in a second script, from right to left; the operator's pages are in English.
const SCRIPTS = [...PAGES, ...ROOMS.map((path) => `${path}?lang=ar`)];

for (const colorScheme of ["light", "dark"]) {
  for (const path of SCRIPTS) {
    test(`${path} has nothing serious in ${colorScheme}`, async () => {
      const { page, assertClean, close } = await full(path, { colorScheme, reducedMotion: "reduce" });
      assert.deepEqual(await serious(page), []);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const [brightness] = paper.match(/\d+/).map(Number);
      assert.equal(brightness > 128, colorScheme === "light", paper);
      const direction = await page.evaluate(() => getComputedStyle(document.documentElement).direction);
      assert.equal(direction, path.endsWith("lang=ar") ? "rtl" : "ltr");
      assertClean();
      await close();
    });
  }
}

test("signing in has nothing serious", async () => {
  const { page, assertClean, close } = await visit(browser, env, "/");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(await serious(page), []);
  assertClean();
  await close();
});

// 1280 × 800 enlarged to 200 %, and the narrowest phone.
for (const [name, viewport] of Object.entries({ "200 %": { width: 640, height: 400 }, "320 px": { width: 320, height: 568 } })) {
  for (const path of PAGES) {
    test(`${path} needs no scrolling sideways at ${name}, and buttons can be hit`, async () => {
      const { page, assertClean, close } = await full(path, { viewport, deviceScaleFactor: 2 });
      assert.equal(await overflows(page), false);
      const small = await page.locator("button:visible, select:visible, nav a:visible").evaluateAll((nodes) =>
        nodes.filter((node) => node.getBoundingClientRect().height < 44).map((node) => node.textContent),
      );
      assert.deepEqual(small, []);
      assertClean();
      await close();
    });
  }
}

test("pages run no script but their own, are framed by nobody, and set no cookie", async () => {
  for (const path of [...PAGES, "/console/board.js", "/console/config.json", "/console/nothing"]) {
    const answer = await fetch(env.url + path);
    const policy = answer.headers.get("content-security-policy");
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.equal(answer.headers.get("referrer-policy"), "no-referrer");
    assert.equal(answer.headers.get("set-cookie"), null);
    const tag = answer.headers.get("etag");
    if (tag) assert.equal((await fetch(env.url + path, { headers: { "if-none-match": tag } })).status, 304);
  }
});

test("five thousand rooms are usable", async () => {
  const many = await startEnvironment({ rooms: 5000 });
  try {
    const { page, assertClean, close } = await visit(browser, many, "/", { key: many.keys.all });
    await page.getByText(/5000 rooms/).waitFor({ timeout: 60_000 });
    const took = await page.evaluate(async () => {
      const began = performance.now();
      const search = document.querySelector("input[type=search]");
      search.value = "04999";
      search.dispatchEvent(new Event("input"));
      while (document.querySelectorAll(".card").length !== 1) await new Promise(requestAnimationFrame);
      return performance.now() - began;
    });
    console.log(`a search among 5000 rooms took ${Math.round(took)} ms`);
    assert.ok(took < 10_000);
    const known = () => page.locator(".card[data-kind=unknown]").count();
    await until(async () => (await known()) === 0, "the visible room was requested", 60_000);
    assertClean();
    await close();
  } finally {
    await many.stop();
  }
});
