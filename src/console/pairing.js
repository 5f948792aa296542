// A display that is not paired yet: shows a six-digit code until an operator has entered it, keeps the key that it then receives, and
// opens its room. Has no link and asks for no key.

import { Problem, request, roomPath } from "./api.js";
import { reloadIfUpdated } from "./build.js";
import { el, setChildren, setText } from "./dom.js";
import { keepScreenOn, keepShell } from "./kiosk.js";
import { countdown, languageTag, message, useLanguage } from "./language.js";
import * as session from "./session.js";
import { now } from "./time.js";

const POLL_INTERVAL = 2000;
const RETRY_INTERVAL = 5000;
const settings = new URLSearchParams(location.search); // `lang`, `hours`, `dim`, which the room's page takes over

const code = el("output", { class: "code", dir: "ltr" });
const left = el("p", { class: "left", role: "timer" });
const notice = el("p", { class: "notice", role: "status" });
let expiresAt = null; // of the code on the screen

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

await useLanguage(languageTag(settings, null), settings.get("hours"));
layOut();
keepScreenOn();
setInterval(drawTime, 1000);
document.documentElement.dataset.started = ""; // for restart.js
const known = await roomOfKey();
if (known) openRoom(known);
else for (;;) await pairOnce();

function layOut() {
  const main = el("main", { id: "main", class: "pairing" });
  document.body.classList.add("display");
  setChildren(main, el("h1", {}, message("pairHeading")), code, el("p", { class: "hint" }, message("pairHint")), left, notice);
  document.body.append(main);
  document.title = `${message("pairHeading")} – Adjourn`;
}

// The one room of the key that this device remembers; null without such a key, or when the service rejected it.
async function roomOfKey() {
  while (session.isRemembered()) {
    try {
      const { rooms } = await request("GET", "/v1/me");
      setText(notice, "");
      return rooms.length === 1 && !rooms[0].includes("*") ? rooms[0] : null;
    } catch (problem) {
      if (problem.status === 401) session.forget();
      else await retryLater(problem);
    }
  }
  return null;
}

// Shows one code until it is entered or becomes invalid.
async function pairOnce() {
  let pairing;
  try {
    pairing = await request("POST", "/v1/pairings");
  } catch (problem) {
    show(null);
    return retryLater(problem);
  }
  setText(notice, "");
  show(pairing);
  keepShell("/display");
  reloadIfUpdated();
  while (now() < Date.parse(pairing.expires_at)) {
    await pause(POLL_INTERVAL);
    const answer = await poll(pairing);
    if (answer?.key) {
      session.keepPaired(answer.key, answer.pin);
      return openRoom(answer.room);
    }
    if (answer?.isOver || answer?.state === "paired") return null; // the key went to nobody, or the service restarted
  }
  return null;
}

// The state of the pairing; null while the service does not answer.
async function poll({ id, secret }) {
  try {
    const answer = await request("GET", `/v1/pairings/${id}`, { headers: { authorization: `Bearer ${secret}` } });
    setText(notice, "");
    return answer;
  } catch (problem) {
    if (problem.status === 404) return { isOver: true };
    setText(notice, message("pairOffline"));
    return null;
  }
}

async function retryLater(problem) {
  setText(notice, problem instanceof Problem && [429, 503].includes(problem.status) ? message("pairFull") : message("pairOffline"));
  await pause(RETRY_INTERVAL);
}

function show(pairing) {
  expiresAt = pairing && Date.parse(pairing.expires_at);
  setText(code, pairing ? `${pairing.code.slice(0, 3)} ${pairing.code.slice(3)}` : "");
  drawTime();
}

function drawTime() {
  setText(left, expiresAt ? message("pairNewCode", { time: countdown(expiresAt - now()) }) : "");
}

// Never resolves: the page is replaced.
function openRoom(room) {
  location.replace(roomPath(room).replace("/v1", "") + location.search);
  return new Promise(() => {});
}
