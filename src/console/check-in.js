// The page that the QR code at a door opens on a phone: the room, the times of the meeting, and one button that checks in. It needs no
// account, sends no key and stores nothing. The token of the link is the fragment of its address, which no browser sends to a server.

import { NO_KEY, request } from "./api.js";
import { el, setChildren, setText } from "./dom.js";
import { deviceLanguage, message, useLanguage } from "./language.js";
import { nameOf } from "./room.js";
import { times } from "./display-sentences.js";

const main = document.getElementById("main");
const room = el("h1", { dir: "auto" });
const when = el("p", { class: "times" });
const button = el("button", { class: "primary", hidden: true, onclick: checkIn });
const answer = el("p", { class: "answer", role: "status" });
let busy = false;

await useLanguage(deviceLanguage(), null, { remember: false });
setText(room, message("checkInNow"));
setText(button, message("checkInNow"));
setChildren(main, room, when, button, answer);
addEventListener("hashchange", load); // another code, scanned in the same tab
await load();

function send(more) {
  const token = location.hash.slice(1);
  return request("POST", "/v1/check-ins", { body: { token, ...more }, key: NO_KEY });
}

// Shows the room and the times of the link's meeting.
async function load() {
  button.hidden = true;
  await perform("", async () => {
    const found = await send({ dry_run: true });
    const name = nameOf({ id: found.room, name: found.name });
    document.title = `${message("checkInNow")}: ${name}`;
    setText(room, name);
    setText(when, times(found, found.time_zone));
    button.hidden = false;
    setText(answer, "");
  });
}

async function checkIn() {
  await perform(message("checkingIn"), async () => {
    await send({});
    button.hidden = true;
    main.classList.add("done");
    setText(answer, message("hasCheckedIn"));
  });
}

async function perform(progress, work) {
  if (busy) return;
  busy = true;
  main.classList.remove("done", "no");
  button.setAttribute("aria-disabled", "true");
  setText(answer, progress);
  try {
    await work();
  } catch (problem) {
    showProblem(problem);
  } finally {
    busy = false;
    button.setAttribute("aria-disabled", "false");
  }
}

// A repeated press changes nothing, so the button stays where a second press can help.
function showProblem({ status, kind }) {
  button.hidden = kind === "link-not-valid";
  main.classList.add("no");
  setText(answer, sentence(status, kind));
}

function sentence(status, kind) {
  if (!status) return message("phoneOffline");
  if (kind === "link-not-valid") return message("scanAgain");
  if (kind === "changed-meanwhile") return message("hasChanged");
  return message(status >= 429 || status === 409 ? "tryLater" : "failed");
}
