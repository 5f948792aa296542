// A plan that a person reviews: subjects, evidence, effects, rows that are left out; and plan and audit on a phone, in both themes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { button, launch, overflows, serious, until, visit } from "./browser.mjs";
import { api, room, startEnvironment } from "./environment.mjs";

const CONFIG = `
[api]
show_subjects = true
[cleanup]
cancelled_leftover = true
[cleanup.organizer_gone]
domains = ["example.com"]
[cleanup.no_check_in]
grace_minutes = 10
`;

let env, browser;
before(async () => ([env, browser] = await Promise.all([startEnvironment({ config: CONFIG }), launch()])));
after(async () => {
  await browser?.close();
  await env?.stop();
});

async function openPlan(options = {}) {
  const visited = await visit(browser, env, "/plan", { key: env.keys.all, ...options });
  await button(visited.page, "Make a plan").click();
  await visited.page.getByText(/events read, 2 would be released/).waitFor();
  return visited;
}

const boxes = (page) => page.getByRole("checkbox", { name: /^Release: / });

test("a plan says first on which evidence it rests, and shows what each release does", async () => {
  const { page, assertClean, close } = await openPlan();
  await page.getByText(/^This plan rests on this evidence: a source watches 0 of 6 rooms; 6 have no source/).waitFor();
  const before = await page.evaluate(() => {
    const basis = [...document.querySelectorAll("p")].find((one) => one.textContent.startsWith("This plan rests"));
    return Boolean(basis.compareDocumentPosition(document.querySelector("table")) & Node.DOCUMENT_POSITION_FOLLOWING);
  });
  assert.ok(before, "the evidence stands above the table");
  const gone = page.getByRole("row").filter({ hasText: "organizer not found in the directory" });
  await gone.getByText("No message; cannot be undone").waitFor();
  assert.match(await gone.textContent(), /Attendee/);
  assert.match(await gone.textContent(), /\d (h|min)/, "the length");
  await page.getByLabel("Show").selectOption("all");
  const rows = page.getByRole("row");
  await rows.filter({ hasText: "Private" }).first().waitFor();
  assert.ok((await rows.filter({ hasText: "Plain event" }).count()) > 0);
  assert.ok((await page.locator("tbody td strong").count()) > 1, "subjects are shown");
  assertClean();
  await close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`the plan is readable on a phone in ${colorScheme}`, async () => {
    const { page, assertClean, close } = await openPlan({ viewport: { width: 390, height: 844 }, colorScheme, reducedMotion: "reduce" });
    await boxes(page).first().waitFor();
    assert.deepEqual(await serious(page), []);
    await assertNoSidewaysScroll(page);
    const named = await page.locator("tbody tr").first().evaluate((row) => getComputedStyle(row.querySelector("td:last-child"), "::before").content);
    assert.equal(named, '"Reason"', "each cell has the name of its column");
    await button(page, "Apply to 2").click();
    assert.deepEqual(await serious(page), []);
    await button(page, "Cancel").click();
    assertClean();
    await close();
  });
}

test("a row that is unticked is left out, and stays on the calendar", async () => {
  const { page, assertClean, close } = await openPlan();
  await button(page, "None").click();
  await until(async () => button(page, "Apply to 0").isDisabled(), "nothing to apply");
  await button(page, "All").click();
  await until(async () => button(page, "Apply to 2").isEnabled(), "all again");
  const gone = page.getByRole("row").filter({ hasText: "organizer not found in the directory" });
  await gone.getByRole("checkbox").press("Space");
  await button(page, "Apply to 1").click();
  await page.getByRole("dialog").getByText("This releases 1 event:").waitFor();
  await page.getByRole("dialog").getByText("1 event is left out.").waitFor();
  await button(page, "Apply now").click();
  await page.getByText("Applied: 1 done, 1 left out.").waitFor();
  const left = page.getByRole("row").filter({ hasText: "left out by all" });
  await left.getByText("Left out", { exact: true }).waitFor();
  assert.equal(await boxes(page).count(), 0, "an applied plan has nothing to choose");
  const done = await api(env, "GET", `/v1/actions?room=${room("cirrus")}&state=done`);
  assert.equal(done.json.actions.length, 1);
  assertClean();
  await close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`the audit is readable on a phone in ${colorScheme}`, async () => {
    const ended = await api(env, "POST", `/v1/rooms/${room("aurora")}/end`, {});
    assert.equal(ended.status, 200, JSON.stringify(ended));
    assert.equal((await api(env, "POST", `/v1/actions/${ended.json.id}/undo`, {})).status, 200);
    const options = { key: env.keys.all, viewport: { width: 390, height: 844 }, colorScheme, reducedMotion: "reduce" };
    const { page, assertClean, close } = await visit(browser, env, "/audit", options);
    await page.getByRole("link", { name: /^Undone by all/ }).first().waitFor();
    assert.deepEqual(await serious(page), []);
    await assertNoSidewaysScroll(page);
    const content = (selector) => page.locator("tbody tr").first().evaluate((row, selector) => getComputedStyle(row.querySelector(selector), "::before").content, selector);
    assert.deepEqual([await content("td:first-child"), await content("td:last-child")], ['"Time"', '"Undo"']);
    assertClean();
    await close();
  });
}

async function assertNoSidewaysScroll(page) {
  assert.equal(await overflows(page), false);
  const sideways = await page.locator(".scroll").evaluateAll((areas) => areas.filter((one) => one.scrollWidth > one.clientWidth).length);
  assert.equal(sideways, 0);
}
