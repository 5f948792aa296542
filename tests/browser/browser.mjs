// Debian's Chromium, and pages that are watched: whatever a page complains of, or asks of another host, fails the test.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const CHROMIUM = process.env.ADJOURN_CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// What a browser says of its own accord about an answer that is no, or that does not come.
const NETWORK = /^Failed to load resource/;

export async function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

// A page of its own browser profile, in New York, signed in with this key. `calm()` says that nothing was wrong so far.
export async function visit(browser, house, path, { key, network = false, hosts = [], setUp = async () => {}, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, timezoneId: "America/New_York", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const wrong = [];
  const complain = (what) => network && NETWORK.test(what) ? null : wrong.push(what);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complain(message.text()));
  page.on("pageerror", (error) => complain(String(error.stack ?? error)));
  const own = [new URL(house.url).host, ...hosts];
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
  await page.goto(`${house.url}${path}${key ? `#key=${key}` : ""}`);
  return { page, context, wrong, calm: () => assert.deepEqual(wrong, []), close };
}

// What axe finds that is serious or critical, by WCAG 2.2 AA and its best practices. A page that is redrawn while axe walks it
// has elements that belong nowhere any more: what is found is looked for once more.
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

// A text in which a time may stand, HH:MM, with its day where that is another one: tests run at midnight too, somewhere.
export const saying = (text) =>
  new RegExp(text.replaceAll("HH:MM", "(?:[A-Z][a-z]{2} \\d{1,2} [A-Z][a-z]{2,3}, )?\\d\\d:\\d\\d"));

export const overflows = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

// Waits until something is so.
export async function until(what, message, patience = 10_000) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not so in time: ${message}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
