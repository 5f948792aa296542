// Opens pages in Debian's Chromium. An error or warning on the page's console, or a request to another host, fails the test.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const CHROMIUM = process.env.ADJOURN_CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The browser's own console message about an error status or a missing response.
const NETWORK = /^Failed to load resource/;

export async function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

// A page with a browser profile of its own, in New York's time zone, signed in with this key. `assertClean()` fails if the page had an
// error so far.
export async function visit(browser, env, path, { key, network = false, hosts = [], setUp = async () => {}, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, timezoneId: "America/New_York", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const wrong = [];
  const complain = (what) => network && NETWORK.test(what) ? null : wrong.push(what);
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
  await page.goto(`${env.url}${path}${key ? `#key=${key}` : ""}`);
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

// A regular expression in which HH:MM stands for a time, with its day if that is another one: tests also run around midnight.
export const saying = (text) =>
  new RegExp(text.replaceAll("HH:MM", "(?:[A-Z][a-z]{2} \\d{1,2} [A-Z][a-z]{2,3}, )?\\d\\d:\\d\\d"));

export const overflows = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

// Waits until `what` returns a true value.
export async function until(what, message, patience = 10_000) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) throw new Error(`timed out: ${message}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
