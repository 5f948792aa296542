// Makes README's screenshots of the console from the demo: `node screenshots.mjs`, two minutes. Each is smaller than 200 kB.

import { mkdirSync, statSync } from "node:fs";

import { launch, until, visit } from "./browser.mjs";
import { api, startDemo } from "./environment.mjs";

const INTO = new URL("../../docs/images/", import.meta.url).pathname;
const BYTES_MAX = 200_000;
const PATIENCE = 180_000;

mkdirSync(INTO, { recursive: true });
const [env, browser] = await Promise.all([startDemo(), launch()]);

async function picture(name, path, ready, options = {}) {
  const { page, close } = await visit(browser, env, path, { key: env.key, viewport: { width: 1280, height: 800 }, ...options });
  page.setDefaultTimeout(PATIENCE);
  await ready(page);
  await page.evaluate(() => document.activeElement?.blur());
  await page.waitForTimeout(800); // longer than the colour transitions
  const file = `${INTO}${name}.png`;
  await page.screenshot({ path: file });
  const { size } = statSync(file);
  if (size > BYTES_MAX) throw new Error(`${file} has ${size} bytes`);
  console.log(`${file}: ${Math.round(size / 1000)} kB`);
  await close();
}

// A room with an attended meeting that can be extended.
const attended = () =>
  until(
    async () => {
      const { json } = await api(env, "GET", "/v1/rooms?limit=100");
      const fit = ({ state }) => state?.current?.subject && state.checked_in && state.allowed_actions.includes("extend") && state.next === null;
      return json.rooms.find((room) => room.building === "Harbour House" && fit(room))?.id;
    },
    "an attended meeting",
    PATIENCE,
  );

try {
  await picture("board", "/", async (page) => {
    await page.getByRole("log").getByText(/ declined\./).first().waitFor();
    await page.getByRole("log").getByText(/ended at/).first().waitFor();
  });
  const room = await attended();
  for (const [name, colorScheme] of [["display", "light"], ["display-dark", "dark"]]) {
    const ready = async (page) => {
      await page.getByRole("button", { name: "End", exact: true }).waitFor();
      await page.locator(".event.current").waitFor();
    };
    await picture(name, `/rooms/${room}`, ready, { colorScheme });
  }
  await picture("plan", "/plan", async (page) => {
    await page.getByRole("button", { name: "Make a plan" }).click();
    await page.getByText(/events read/).waitFor();
    await page.getByLabel("Show").selectOption("all");
  });
  await picture("audit", "/audit", (page) => page.getByRole("button", { name: /^Undo/ }).first().waitFor());
} finally {
  await browser.close();
  await env.stop();
}
