// The demo lives: meetings start, are ended, and abandoned ones go, as one watches; who checks in keeps the room.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, saying, visit } from "./browser.mjs";
import { api, demo } from "./house.mjs";

const KEPT = "room-kestrel@example.com"; // to both of these nobody comes of themselves, and their grace ends at once
const LOST = "room-heron@example.com";
const PATIENCE = 150_000;

let there, browser;
before(async () => ([there, browser] = await Promise.all([demo(), launch()])));
after(async () => {
  await browser?.close();
  await there?.stop();
});

test("whoever checks in before the deadline keeps the room; the other is released while one watches", async () => {
  const board = await visit(browser, there, "/", { key: there.key });
  const door = await visit(browser, there, `/rooms/${KEPT}`, { key: there.key });
  await door.page.getByRole("button", { name: "Check in", exact: true }).click({ timeout: PATIENCE });
  await door.page.getByText("Checked in.", { exact: true }).waitFor();
  const { json: kept } = await api(there, "GET", `/v1/rooms/${KEPT}`);
  const happened = board.page.getByRole("log");
  await happened.getByText(/Heron: .* declined\. The organizer was notified/).waitFor({ timeout: PATIENCE });
  assert.equal((await api(there, "GET", `/v1/rooms/${LOST}`)).json.busy, false);
  const still = (await api(there, "GET", `/v1/rooms/${KEPT}`)).json;
  assert.equal((still.current ?? still.next).id, (kept.current ?? kept.next).id);
  await happened.getByText(/somebody checked in \(badge reader\)/).first().waitFor({ timeout: PATIENCE });
  await happened.getByText(saying("ended at HH:MM \\(was HH:MM\\)")).first().waitFor({ timeout: PATIENCE });
  for (const each of [board, door]) each.calm(), await each.close();
});
