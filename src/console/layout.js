// The layout around every page: navigation, the signed-in key, and the connection banner.

import { Problem, Unreachable, request } from "./api.js";
import { confirm, el, setChildren, setText } from "./dom.js";
import * as oidc from "./oidc.js";
import * as session from "./session.js";
import { signIn } from "./sign-in.js";
import { clock, inZone } from "./time.js";

const PAGES = [
  { path: "/", name: "Rooms", isAllowed: () => true },
  { path: "/plan", name: "Plan", isAllowed: (me) => me.can("cleanup") },
  { path: "/audit", name: "Audit", isAllowed: (me) => me.can("read") },
  { path: "/report", name: "Report", isAllowed: (me) => me.can("audit") },
  { path: "/doctor", name: "Doctor", isAllowed: (me) => me.can("audit") && me.all_rooms },
  { path: "/displays", name: "Displays", isAllowed: (me) => me.can("displays") },
  { path: "/keys", name: "Keys", isAllowed: (me) => me.can("keys") },
];
const RETRY_INTERVAL = 5000;

const banner = el("div", { class: "link", role: "status" });
const main = el("main", { id: "main", tabindex: "-1" });
const top = el("header", { class: "bar" });

// Signs in, then runs the page: `run(me, main)`. `bare` leaves out the navigation and every link, as on a door display, and calls
// `bare(main)` to draw the page while the service cannot be reached.
export async function begin({ run, bare = null }) {
  session.takeFromAddress();
  if (!bare) document.body.append(el("a", { class: "skip-link", href: "#main" }, "Skip to content"));
  document.body.append(top, banner, main);
  setChildren(top, bare ? el("span", { class: "brand" }, "Adjourn") : brand());
  let trouble = null;
  try {
    const returned = await oidc.completeSignIn();
    if (returned) session.keep(returned.token, false);
    if (returned && returned.back !== location.pathname) return location.replace(returned.back);
  } catch (problem) {
    trouble = problem.message;
  }
  const me = await authenticate(trouble, bare);
  me.can = (right) => me.rights.includes(right);
  addEventListener("signed-out", () => location.reload(), { once: true });
  if (bare) top.remove();
  else setChildren(top, brand(), navigation(me), signOutButton(me));
  setChildren(main);
  await run(me, main);
}

async function authenticate(trouble, bare) {
  let isWaiting = false;
  while (session.key()) {
    try {
      const me = await request("GET", "/v1/me");
      showOnline();
      if (session.isOffered() && (await confirmNewKey(me))) continue;
      return me;
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) {
        if (!session.discardRejected()) trouble = problem.message;
      } else {
        showOffline(problem);
        isWaiting = true;
        if (bare) top.remove();
        bare?.(main);
        await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
      }
    }
  }
  if (bare && session.wasPaired()) return pairAgain();
  if (isWaiting && bare) location.reload(); // the sign-in form has a layout of its own
  showOnline();
  return signIn(main, trouble);
}

// Opens the page of displays that are not paired. Never resolves: this page is replaced.
function pairAgain() {
  location.replace(`/display${location.search}`);
  return new Promise(() => {});
}

// A sign-in link carries another key: asks before it replaces the session. Without an answer the session is kept.
async function confirmNewKey(me) {
  const detail = `You are signed in as ${me.name}. This link carries another API key.`;
  const yes = await confirm("Replace your session?", detail, "Sign in with the link");
  if (yes) session.accept();
  else session.decline();
  return yes;
}

const brand = () => el("a", { class: "brand", href: "/" }, "Adjourn");

function navigation(me) {
  const current = (path) => (location.pathname === path ? "page" : null);
  const pages = PAGES.filter((page) => page.isAllowed(me));
  const items = pages.map(({ path, name }) => el("li", {}, el("a", { href: path, "aria-current": current(path) }, name)));
  return el("nav", { "aria-label": "Pages" }, el("ul", {}, ...items));
}

function signOutButton(me) {
  const signOut = () => {
    session.forget();
    location.assign("/");
  };
  return el("div", { class: "who" }, el("span", {}, me.name), el("button", { class: "small", onclick: signOut }, "Sign out"));
}

let zone = null;

// Sets the time zone of the page to that of its one room.
export function setPageZone(room) {
  zone = room.time_zone;
}

function offlineText(problem, since) {
  const why = problem instanceof Unreachable ? "No connection to Adjourn" : `${problem.title}: ${problem.message} No connection`;
  return `${why} since ${clock(since, zone)}. The data shown may be outdated. Retrying.`;
}

let writeOffline = offlineText;

// Replaces the banner's text: `write(problem, since, zone)`, for a page with words of its own.
export function setOfflineText(write) {
  writeOffline = write;
}

// Shows the banner for a lost connection, with the time since when.
export function showOffline(problem, since = Date.now()) {
  banner.classList.add("lost");
  setText(banner, writeOffline(problem, since, zone));
}

export function showOnline() {
  banner.classList.remove("lost");
  setText(banner, "");
}

// A problem in the API's own text, with its times in this zone.
export function trouble(problem, zone) {
  return el(
    "div",
    { class: "trouble", role: "alert" },
    el("strong", {}, problem.title ?? "Something went wrong"),
    el("p", {}, inZone(problem.message, zone)),
    problem.next && el("p", { class: "quiet" }, `What to do: ${problem.next}.`),
  );
}
