// The running demo: meetings start and end, abandoned ones are released, and a check-in keeps a meeting.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, saying, visit } from "./browser.mjs";
import { api, startDemo } from "./environment.mjs";

const KEPT = "room-kestrel@example.com"; // the demo's people attend neither, and both grace periods end at once
const LOST = "room-heron@example.com";
const PATIENCE = 150_000;

let env, browser;
before(async () => ([env, browser] = await Promise.all([startDemo(), launch()])));
after(async () => {
  await browser?.close();
  await env?.stop();
});

test("whoever checks in before the deadline keeps the room; the other is released while one watches", async () => {
  const board = await visit(browser, env, "/", { key: env.key });
  const door = await visit(browser, env, `/rooms/${KEPT}`, { key: env.key });
  await door.page.getByRole("button", { name: /^Check in( for .+)?$/ }).click({ timeout: PATIENCE });
  await door.page.getByText("You are checked in.", { exact: true }).waitFor();
  const { json: kept } = await api(env, "GET", `/v1/rooms/${KEPT}`);
  const happened = board.page.getByRole("log");
  await happened.getByText(/Heron: .* declined\. The organizer was notified/).waitFor({ timeout: PATIENCE });
  assert.equal((await api(env, "GET", `/v1/rooms/${LOST}`)).json.busy, false);
  const still = (await api(env, "GET", `/v1/rooms/${KEPT}`)).json;
  assert.equal((still.current ?? still.next).id, (kept.current ?? kept.next).id);
  await happened.getByText(/checked in \(badge reader\)/).first().waitFor({ timeout: PATIENCE });
  await happened.getByText(saying("ended at HH:MM \\(was HH:MM\\)")).first().waitFor({ timeout: PATIENCE });
  for (const each of [board, door]) each.assertClean(), await each.close();
});
