// The QR code beside a room that awaits a check-in: it opens a page on a phone that checks in without an account. The service makes the
// link and the code; this module requests them anew before they expire, and draws them. Without `api.public_url` there is no code.

import { request, roomPath } from "./api.js";
import { el, setChildren, setText, svg } from "./dom.js";
import { message } from "./language.js";
import { now } from "./time.js";

const QUIET_ZONE = 4; // modules (ISO/IEC 18004)
const REQUEST_AGAIN_AFTER = 4 * 60_000; // a link is valid for ten minutes, so a scan leaves six to press
const RETRY_AFTER = 20_000;

// Creates the code. `draw(event)` shows the code for the event with this id, and nothing for null.
export function checkInCode(room) {
  const text = el("p", {});
  const image = el("div", { class: "image" });
  const node = el("figure", { class: "check-in-code", hidden: true }, image, text);
  let awaited = null; // the event that awaits a check-in
  let link = null; // the last link
  let requestAt = 0;

  async function load() {
    requestAt = Date.now() + RETRY_AFTER;
    try {
      const made = await request("GET", `${roomPath(room)}/check-in-link`);
      if (made.qr && made.url !== link?.url) setChildren(image, drawing(made.qr));
      link = made.qr && made;
      const left = Date.parse(made.expires_at) - now();
      requestAt = Date.now() + Math.max(RETRY_AFTER, Math.min(REQUEST_AGAIN_AFTER, left));
    } catch {
      // Requested again; until then the last link is shown while it is valid.
    }
    show();
  }

  function show() {
    const isValid = link !== null && link.event === awaited && now() < Date.parse(link.expires_at);
    node.hidden = !isValid;
    setText(text, message("scanToCheckIn"));
    if (isValid) image.firstChild.setAttribute("aria-label", `${message("scanToCheckIn")}: QR`);
  }

  function draw(event) {
    if (event !== awaited && event !== link?.event) requestAt = 0;
    awaited = event;
    if (awaited !== null && Date.now() >= requestAt) load();
    show();
  }

  // Requests another link at the next draw.
  function refresh() {
    requestAt = 0;
  }

  return { node, draw, refresh };
}

// Dark modules on white, also in dark mode: many phones read no inverted code.
function drawing({ modules, path }) {
  const size = modules + 2 * QUIET_ZONE;
  const viewBox = `${-QUIET_ZONE} ${-QUIET_ZONE} ${size} ${size}`;
  const paper = svg("rect", { x: -QUIET_ZONE, y: -QUIET_ZONE, width: size, height: size, fill: "#ffffff" });
  const dark = svg("path", { d: path, fill: "#000000" });
  return svg("svg", { viewBox, role: "img", "shape-rendering": "crispEdges" }, paper, dark);
}
