// A door display as a kiosk: the screen stays on, the page survives a restart without a network, it is dim at night, and only the PIN
// signs it out. A browser that lacks one of these works without it.

import { BUILD } from "./build.js";
import { el, openDialog, setText } from "./dom.js";
import { length, message } from "./language.js";
import { tryPin } from "./pin.js";
import * as session from "./session.js";
import { sinceMidnight } from "./time.js";

const HOUR = 3_600_000;
const AWAKE_AFTER_TOUCH = 60_000;

// Keeps the screen on while the page is visible. The browser ends the lock whenever the page is hidden.
export function keepScreenOn() {
  const acquire = () => !document.hidden && navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", acquire);
  acquire();
}

// Lets the service worker keep the page's own files; never an API response. Browsers offer service workers over HTTPS only.
export async function keepShell(scope = "/rooms/") {
  const workers = navigator.serviceWorker;
  const files = () => performance.getEntriesByType("resource").map(({ name }) => name);
  const send = async () => (await workers.ready).active?.postMessage({ build: BUILD, files: files() });
  try {
    await workers?.register("/display-worker.js", { scope });
    workers?.addEventListener("controllerchange", send); // a newer worker took over
    if (workers) await send();
  } catch {
    // The display works without: it needs the network to start.
  }
}

// Dims the screen between two hours of the room's day, as in `20-7`. A touch makes it bright for a minute. Returns `draw(now, zone)`.
export function nightDimming(hours) {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(hours ?? "")?.map(Number) ?? [];
  if (from === undefined || from > 24 || to > 24) return () => {};
  let touchedAt = -Infinity;
  const isNight = (hour) => (from <= to ? from <= hour && hour < to : from <= hour || hour < to);
  const draw = (now, zone) => {
    const isDim = isNight(sinceMidnight(now, zone) / HOUR) && Date.now() - touchedAt > AWAKE_AFTER_TOUCH;
    document.documentElement.classList.toggle("dim", isDim);
  };
  addEventListener("pointerdown", () => {
    touchedAt = Date.now();
    document.documentElement.classList.remove("dim");
  });
  return draw;
}

// The way out of the display: a link for a key of this tab; for a remembered key a button that asks for the PIN, or nothing without one.
export function wayOut() {
  if (!session.isRemembered()) return el("a", { href: "/" }, message("allRooms"));
  return session.pin() ? el("button", { class: "sign-out", onclick: askForPin }, message("signOut")) : null;
}

function askForPin() {
  const input = el("input", { type: "password", inputmode: "numeric", autocomplete: "off", autofocus: true, "aria-labelledby": "pin" });
  const notice = el("p", { role: "alert" });
  const close = () => dialog.close();
  const submit = (event) => {
    event.preventDefault();
    const { right, wait } = tryPin(input.value, Date.now());
    if (right) return signOut();
    setText(notice, wait > 0 ? message("tooManyPins", { length: length(wait) }) : message("wrongPin"));
    input.value = "";
    input.focus();
  };
  const cancel = el("button", { type: "button", class: "cancel", onclick: close }, message("cancel"));
  const buttons = el("div", { class: "buttons" }, el("button", {}, message("signOut")), cancel);
  const dialog = el("dialog", { "aria-labelledby": "pin" }, el("form", { onsubmit: submit }, el("h2", { id: "pin" }, message("pin")), input, notice, buttons));
  openDialog(dialog, close);
}

function signOut() {
  session.forget();
  location.reload();
}
