// Opens pages in Debian's Chromium. An error or warning on the page's console, or a request to another host, fails the test.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

export { until } from "./environment.mjs";

const CHROMIUM = process.env.ADJOURN_CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The browser's own console message about an error status or a missing response.
const NETWORK = /^Failed to load resource/;
// Playwright's message where a test intercepts requests, which a service worker would hide from it.
const NO_WORKER = "Service Worker registration blocked by Playwright";

export async function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

// A page with a browser profile of its own, in New York's time zone, signed in with this key; `link` is added to the sign-in link.
// `assertClean()` fails if the page had an error so far.
export async function visit(browser, env, path, { key, link = "", network = false, hosts = [], setUp = async () => {}, ...options } = {}) {
  const [viewport, timezoneId, serviceWorkers] = [{ width: 1280, height: 800 }, "America/New_York", "block"];
  const context = await browser.newContext({ viewport, timezoneId, serviceWorkers, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const wrong = [];
  const complain = (what) => (network && NETWORK.test(what)) || what === NO_WORKER ? null : wrong.push(what);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complain(message.text()));
  page.on("pageerror", (error) => complain(String(error.stack ?? error)));
  const own = [new URL(env.url).host, ...hosts];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && !own.includes(url.host)) complain(`asks ${url}`);
  });
  await page.addInitScript(() =>
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)),
  );
  await setUp(page);
  const close = async () => {
    if (!page.isClosed()) await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  };
  await page.goto(`${env.url}${path}${key ? `#key=${key}${link}` : ""}`);
  return { page, context, wrong, assertClean: () => assert.deepEqual(wrong, []), close };
}

// The serious and critical findings of axe, by WCAG 2.2 AA and best practices. Elements that are redrawn during the scan cause false
// findings, so a scan with findings is repeated.
export async function serious(page) {
  await page.evaluate(AXE);
  const found = await scan(page);
  return found.length > 0 ? scan(page) : found;
}

async function scan(page) {
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  return bad.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join("; ")}`);
}

// A regular expression in which HH:MM stands for a time, with its day in any language if that is another one: tests also run around
// midnight.
export const saying = (text) => new RegExp(text.replaceAll("HH:MM", "(?:[^:–]{3,24}, )?\\d\\d:\\d\\d"));

export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const heading = (page, name) => page.getByRole("heading", { name, level: 1 });

// Waits until a door display shows this word for the state of its room.
export const shows = (page, word, options = {}) =>
  page.locator(".word strong", { hasText: new RegExp(`^${word}$`) }).waitFor(options);

export const overflows = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
