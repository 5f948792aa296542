// What a display keeps for a restart without a network, and when it loads itself anew. Without a browser: the service worker and the
// restart script run against a cache and a network of the test.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

import { reloadDelay } from "../../src/console/build.js";

const source = (name) => readFileSync(new URL(`../../src/console/${name}`, import.meta.url), "utf8");
const ORIGIN = "https://adjourn.example";
const [A, B] = ["a".repeat(24), "b".repeat(24)];
const ROOM = "/rooms/one@example.com";
const page = (build) => `<script src="/console/${build}/display.js"></script>`;

// The service worker, with `network[path]`: a text, a status, or nothing for a network that is down. `full`: the disk is full.
function startWorker() {
  const stored = new Map();
  const world = { network: {}, full: false, requests: [] };
  const pathOf = (key) => new URL(key.url ?? key, ORIGIN).pathname;
  const fetch = async (request) => {
    const answer = world.network[pathOf(request)];
    world.requests.push(pathOf(request));
    if (answer === undefined) throw new TypeError("failed to fetch");
    return typeof answer === "number" ? new Response("error", { status: answer }) : new Response(answer);
  };
  const open = (name) => {
    if (!stored.has(name)) stored.set(name, new Map());
    const entries = stored.get(name);
    const put = async (key, answer) => {
      if (world.full) throw new Error("QuotaExceededError");
      entries.set(pathOf(key), await answer.text());
    };
    const addAll = async (requests) => {
      const answers = await Promise.all(requests.map(fetch));
      if (answers.some(({ ok }) => !ok)) throw new TypeError("a file is missing");
      await Promise.all(answers.map((answer, number) => put(requests[number], answer)));
    };
    const match = async (key) => (entries.has(pathOf(key)) ? new Response(entries.get(pathOf(key))) : undefined);
    return { put, addAll, match, keys: async () => [...entries.keys()].map((path) => ({ url: ORIGIN + path })) };
  };
  const caches = {
    open: async (name) => open(name),
    has: async (name) => stored.has(name),
    keys: async () => [...stored.keys()],
    delete: async (name) => stored.delete(name),
    match: async (key) => (await Promise.all([...stored.keys()].map((name) => open(name).match(key)))).find(Boolean),
  };
  const listeners = {};
  const self = { addEventListener: (kind, listener) => (listeners[kind] = listener), skipWaiting() {}, clients: { claim() {} } };
  class TestRequest {
    constructor(path) {
      this.url = ORIGIN + path;
    }
  }
  vm.runInNewContext(source("display-worker.js"), {
    ...{ self, caches, fetch, URL, Response, AbortSignal, Request: TestRequest, location: new URL(`${ORIGIN}/display-worker.js`) },
  });
  const request = async (path, mode = "cors") => {
    let answer = null;
    listeners.fetch({ request: { method: "GET", url: ORIGIN + path, mode }, respondWith: (promise) => (answer = promise) });
    const response = await answer;
    return response && (response.ok ? response.text() : response.status);
  };
  const keep = async (build, files, page = ROOM) => {
    let work = null;
    listeners.message({ data: { build, files: files.map((file) => ORIGIN + file) }, source: { url: ORIGIN + page }, waitUntil: (promise) => (work = promise) });
    await work;
  };
  return { world, stored, keep, file: request, visit: () => request(ROOM, "navigate") };
}

const filesOf = (build) => ({ [ROOM]: page(build), [`/console/${build}/display.js`]: `display ${build}`, [`/console/${build}/live.js`]: `live ${build}` });
const addressesOf = (build) => [`/console/${build}/display.js`, `/console/${build}/live.js`, "/v1/rooms/one@example.com", "/console/config.json"];

async function startWithSet(build) {
  const worker = startWorker();
  worker.world.network = filesOf(build);
  await worker.keep(build, addressesOf(build));
  return worker;
}

test("a display restarts without a network from what was kept; API responses are not kept", async () => {
  const { world, stored, visit, file } = await startWithSet(A);
  assert.deepEqual([...stored.get(`adjourn-display-${A}`).keys()], [`/console/${A}/display.js`, `/console/${A}/live.js`, "/rooms/"]);
  world.network = {};
  assert.equal(await visit(), page(A));
  assert.equal(await file(`/console/${A}/live.js`), `live ${A}`);
  assert.equal(await file("/v1/rooms/one@example.com"), null, "left to the browser");
  assert.equal(await file("/console/config.json"), null);
});

test("an error of a proxy neither replaces the kept page nor is shown; without a kept page it is", async () => {
  const { world, visit } = await startWithSet(A);
  for (const status of [502, 503]) {
    world.network = { [ROOM]: status };
    assert.equal(await visit(), page(A));
  }
  world.network = {};
  assert.equal(await visit(), page(A));
  const fresh = startWorker();
  fresh.world.network = { [ROOM]: 502 };
  assert.equal(await fresh.visit(), 502);
});

test("a full disk takes no good answer away", async () => {
  const { world, visit, file, keep } = await startWithSet(A);
  world.full = true;
  world.network = { ...filesOf(A), [`/console/${A}/languages/pl.js`]: "pl" };
  assert.equal(await file(`/console/${A}/languages/pl.js`), "pl");
  world.network = filesOf(B);
  await keep(B, addressesOf(B));
  world.network = {};
  assert.equal(await visit(), page(A), "the set before stays");
});

test("a language that is loaded later joins the set of its build", async () => {
  const { world, file } = await startWithSet(A);
  world.network = { [`/console/${A}/languages/pl.js`]: "pl" };
  await file(`/console/${A}/languages/pl.js`);
  world.network = {};
  assert.equal(await file(`/console/${A}/languages/pl.js`), "pl");
});

test("after an update the whole set is replaced, or nothing of it", async () => {
  const { world, stored, visit, file, keep } = await startWithSet(A);
  world.network = { ...filesOf(B), [`/console/${B}/live.js`]: 503 };
  assert.equal(await visit(), page(B), "the network comes first");
  await keep(B, addressesOf(B));
  world.network = {};
  assert.equal(await visit(), page(A), "a file of the new set was missing");
  assert.equal(await file(`/console/${A}/display.js`), `display ${A}`);
  world.network = filesOf(B);
  await keep(B, addressesOf(B));
  assert.deepEqual([...stored.keys()], [`adjourn-display-${B}`]);
  world.network = {};
  assert.equal(await visit(), page(B));
});

test("a page of another build than the one that asks is not kept with its files", async () => {
  const { world, visit, keep } = await startWithSet(A);
  world.network = { ...filesOf(B), [ROOM]: page("c".repeat(24)) };
  await keep(B, addressesOf(B));
  world.network = {};
  assert.equal(await visit(), page(A));
});

test("a page of another build than the service's reloads once, and again only after a while", () => {
  const now = 1_000_000_000;
  assert.equal(reloadDelay(A, A, null, now), null);
  assert.equal(reloadDelay(null, B, null, now), null, "a page that does not know its build stays");
  assert.equal(reloadDelay(A, B, null, now), 0);
  assert.equal(reloadDelay(A, B, { build: A, at: now - 1000 }, now), 0, "another update");
  assert.equal(reloadDelay(A, B, { build: B, at: now - 1000 }, now), 299_000, "the reload brought the old build");
  assert.equal(reloadDelay(A, B, { build: B, at: now - 300_000 }, now), 0);
  assert.equal(reloadDelay(A, B, { build: B, at: now + 1000 }, now), 0, "the clock was set back");
});

test("a page whose scripts do not start is loaded anew after a minute", () => {
  for (const [started, expected] of [[true, 0], [false, 1]]) {
    let reloads = 0;
    const setTimeout = (work, delay) => (assert.equal(delay, 60_000), work());
    const document = { documentElement: { hasAttribute: (name) => started && name === "data-started" } };
    vm.runInNewContext(source("restart.js"), { setTimeout, document, location: { reload: () => reloads++ } });
    assert.equal(reloads, expected);
  }
});

test("a display that starts at the page of unpaired ones starts without a network too; no page of operators is kept", async () => {
  const worker = await startWithSet(A);
  worker.world.network["/display"] = worker.world.network["/displays"] = page(A);
  await worker.keep(A, addressesOf(A), "/display");
  await worker.keep(A, addressesOf(A), "/displays");
  worker.world.network = {};
  assert.equal(await worker.file("/display", "navigate"), page(A));
  assert.equal(await worker.visit(), page(A), "its room too");
  assert.equal(await worker.file("/displays", "navigate"), null, "left to the browser");
});
