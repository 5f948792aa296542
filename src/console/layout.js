// What every page has around it: who is signed in, where to go, and whether there is a connection.

import { Away, Problem, ask } from "./api.js";
import { confirm, el, put, say } from "./dom.js";
import * as oidc from "./oidc.js";
import * as session from "./session.js";
import { signIn } from "./sign-in.js";
import { clock, inZone } from "./time.js";

const PAGES = [
  { path: "/", name: "Rooms", open: () => true },
  { path: "/plan", name: "Plan", open: (me) => me.can("cleanup") },
  { path: "/audit", name: "Audit", open: (me) => me.can("read") },
  { path: "/doctor", name: "Doctor", open: (me) => me.can("audit") && me.everywhere },
];
const TRY_AGAIN = 5000;

const link = el("div", { class: "link", role: "status" });
const main = el("main", { id: "main", tabindex: "-1" });
const top = el("header", { class: "bar" });

// Signs in, then runs the page: `run(me, main)`. `bare` leaves the navigation out, as on a door.
export async function begin({ run, bare = false }) {
  session.takeFromAddress();
  document.body.append(el("a", { class: "skip-link", href: "#main" }, "Skip to content"), top, link, main);
  put(top, brand());
  let trouble = null;
  try {
    const arrived = await oidc.arrive();
    if (arrived) session.keep(arrived.token, false);
    if (arrived && arrived.back !== location.pathname) return location.replace(arrived.back);
  } catch (problem) {
    trouble = problem.message;
  }
  const me = await somebody(trouble);
  me.can = (right) => me.rights.includes(right);
  addEventListener("signed-out", () => location.reload(), { once: true });
  if (bare) top.remove();
  else put(top, brand(), navigation(me), leaving(me));
  put(main);
  await run(me, main);
}

async function somebody(trouble) {
  while (session.key()) {
    try {
      const me = await ask("GET", "/v1/me");
      found();
      if (session.isOffered() && (await replaces(me))) continue;
      return me;
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) {
        if (!session.refused()) trouble = problem.message;
      } else {
        lost(problem);
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN));
      }
    }
  }
  found();
  return signIn(main, trouble);
}

// A sign-in link carries another key: asks before it replaces the session. No answer keeps the session.
async function replaces(me) {
  const detail = `You are signed in as ${me.name}. This link carries another API key.`;
  const yes = await confirm("Replace your session?", detail, "Sign in with the link");
  if (yes) session.accept();
  else session.decline();
  return yes;
}

const brand = () => el("a", { class: "brand", href: "/" }, "Adjourn");

function navigation(me) {
  const here = (path) => (location.pathname === path ? "page" : null);
  const pages = PAGES.filter((page) => page.open(me));
  const items = pages.map(({ path, name }) => el("li", {}, el("a", { href: path, "aria-current": here(path) }, name)));
  return el("nav", { "aria-label": "Pages" }, el("ul", {}, ...items));
}

function leaving(me) {
  const leave = () => {
    session.forget();
    location.assign("/");
  };
  return el("div", { class: "who" }, el("span", {}, me.name), el("button", { class: "small", onclick: leave }, "Sign out"));
}

let zone = null;

// Tells times of this page in the zone of its one room.
export function standIn(room) {
  zone = room.time_zone;
}

// Says that there is no connection, and since when.
export function lost(problem, since = Date.now()) {
  const why = problem instanceof Away ? "No connection to Adjourn" : `${problem.title}: ${problem.message} No connection`;
  link.classList.add("lost");
  say(link, `${why} since ${clock(since, zone)}. What is shown may be old; trying again.`);
}

export function found() {
  link.classList.remove("lost");
  say(link, "");
}

// A problem in the API's own words, with times as this zone has them.
export function trouble(problem, zone) {
  return el(
    "div",
    { class: "trouble", role: "alert" },
    el("strong", {}, problem.title ?? "Something went wrong"),
    el("p", {}, inZone(problem.message, zone)),
    problem.next && el("p", { class: "quiet" }, `What to do: ${problem.next}.`),
  );
}
