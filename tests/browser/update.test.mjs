// An update of the service while a display runs, behind a proxy that answers in its place meanwhile. The proxy of this test also plays
// the updated service: it serves the same files under the address of another build.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";

import { launch, shows, until, visit } from "./browser.mjs";
import { room, startEnvironment } from "./environment.mjs";

const OTHER = "0123456789abcdef01234567";
let env, browser, proxy, build;
let mode = "old"; // or "away", "new"

before(async () => {
  [env, browser] = await Promise.all([startEnvironment(), launch()]);
  build = (await (await fetch(`${env.url}/console/config.json`)).json()).build;
  proxy = createServer(answer).listen(0, "127.0.0.1");
  await once(proxy, "listening");
});
after(async () => {
  await browser?.close();
  proxy?.closeAllConnections();
  proxy?.close();
  await env?.stop();
});

const refuse = (response, status) => response.writeHead(status, { "content-type": "text/html" }).end("<h1>proxy</h1>");

function answer(incoming, response) {
  if (mode === "away") return refuse(response, 502);
  const [gone, present] = mode === "new" ? [build, OTHER] : [OTHER, build];
  if (incoming.url.includes(gone)) return refuse(response, 404);
  const headers = { ...incoming.headers, host: new URL(env.url).host };
  delete headers["if-none-match"];
  const options = { method: incoming.method, headers };
  const outgoing = request(env.url + incoming.url.replace(present, build), options, (reply) => {
    const isPage = reply.headers["content-type"]?.startsWith("text/html") || incoming.url.endsWith("config.json");
    if (!isPage) return response.writeHead(reply.statusCode, reply.headers) && reply.pipe(response);
    const parts = [];
    reply.on("data", (part) => parts.push(part));
    reply.on("end", () => {
      delete reply.headers["content-length"];
      response.writeHead(reply.statusCode, reply.headers).end(Buffer.concat(parts).toString().replaceAll(build, present));
    });
  });
  outgoing.on("error", () => response.destroy());
  response.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}

test("a display survives the proxy's errors during an update, and then runs the new files and nothing else", async () => {
  const front = { ...env, url: `http://127.0.0.1:${proxy.address().port}` };
  const options = { key: env.keys.all, link: "&remember", network: true, serviceWorkers: "allow" };
  const { page, wrong, close } = await visit(browser, front, `/rooms/${room("fjord")}`, options);
  const patience = { timeout: 20_000 };
  const isComplete = (set) => page.evaluate(async (set) => Boolean(await (await caches.open(set)).match("/rooms/")), set);
  const running = () => page.evaluate(() => document.querySelector("script[type=module]").src.split("/")[4]);
  await shows(page, "Free", patience);
  await until(() => isComplete(`adjourn-display-${build}`), "the files are kept");
  mode = "away";
  proxy.closeAllConnections();
  await page.reload();
  await shows(page, "Unknown", patience);
  assert.equal(await running(), build, "what was kept, and not the proxy's page");
  mode = "new";
  await until(async () => (await running().catch(() => null)) === OTHER, "the new page is loaded", 40_000);
  await shows(page, "Free", patience);
  await until(() => isComplete(`adjourn-display-${OTHER}`), "the new files are kept");
  await until(async () => (await page.evaluate(() => caches.keys())).length === 1, "and no others");
  mode = "away";
  proxy.closeAllConnections();
  await page.reload();
  await shows(page, "Unknown", patience);
  assert.equal(await running(), OTHER);
  const scripts = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname));
  assert.ok(scripts.some((path) => path.includes(OTHER)) && !scripts.some((path) => path.includes(build)), scripts.join());
  assert.deepEqual(wrong, []);
  await close();
});
