// The service worker of door displays: keeps the page and its files, so that a display that restarts without a network shows so itself,
// and no error page of the browser. The files of one build are one set in a cache of its own, so that a page never runs with files of
// another build. Keeps no API response: the network is asked first, and a calendar is never shown from here.

const CACHE = "adjourn-display";
const [ROOM, UNPAIRED] = ["/rooms/", "/display"]; // every room has the same page; a set that has a page has the files of that page
const BUILD = /^[0-9a-f]{24}$/;
const PATIENCE = 5000; // a network that swallows everything counts as none

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// A page that runs sends its build and the addresses of its files.
self.addEventListener("message", (event) => {
  const { build, files } = event.data ?? {};
  const { pathname } = new URL(event.source?.url ?? location);
  if (!BUILD.test(build) || !Array.isArray(files) || !pageOf(pathname)) return;
  event.waitUntil(keepSet(build, pathname, files).catch(() => {})); // such as a full disk: the set before stays
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const page = request.mode === "navigate" ? pageOf(url.pathname) : null;
  if (page) event.respondWith(networkFirst(url.pathname, page));
  else if (buildOf(url.pathname)) event.respondWith(keptFirst(url.pathname));
  else if (isFile(url)) event.respondWith(networkFirst(url.pathname, url.pathname));
});

// The name under which the page at this path is kept; null for a page of operators.
function pageOf(path) {
  if (path.startsWith(ROOM)) return ROOM;
  return path === UNPAIRED ? UNPAIRED : null;
}

const isFile = (url) =>
  url.origin === location.origin && url.pathname.startsWith("/console/") && url.pathname !== "/console/config.json";

// The build in the address of a file (/console/BUILD/live.js); null for the few files that every build has at the same address.
function buildOf(path) {
  const [, folder, build] = path.split("/");
  return folder === "console" && BUILD.test(build) ? build : null;
}

const cacheOf = (build) => `${CACHE}-${build}`;
const toRequest = (path) => new Request(path, { credentials: "omit", cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) });

// An error of a proxy counts as no network, where there is a kept copy.
async function networkFirst(path, name) {
  const result = await fetch(toRequest(path)).catch((error) => error);
  if (result instanceof Response && result.status < 500 && !result.redirected) return result;
  const kept = await keptCopy(name);
  if (kept) return kept;
  if (result instanceof Response) return result;
  throw result;
}

// A copy from the newest set that has one.
async function keptCopy(name) {
  const sets = (await caches.keys()).filter((set) => set.startsWith(`${CACHE}-`));
  for (const set of sets.reverse()) {
    const copy = await (await caches.open(set)).match(name);
    if (copy) return copy;
  }
  return undefined;
}

// A file whose address carries its build never changes. One that is not yet in the set of its build, such as a language, joins it.
async function keptFirst(path) {
  const kept = await caches.match(path);
  if (kept) return kept;
  const response = await fetch(toRequest(path));
  if (response.ok) await join(path, response.clone()).catch(() => {}); // the response is good, even if it cannot be kept
  return response;
}

async function join(path, response) {
  const set = cacheOf(buildOf(path));
  if (await caches.has(set)) await (await caches.open(set)).put(path, response);
}

// Keeps all files of the build, then its page, and only then removes the sets of other builds.
async function keepSet(build, path, addresses) {
  const page = pageOf(path);
  const files = addresses.map((address) => new URL(address, location)).filter(isFile).map(({ pathname }) => pathname);
  const own = new Set(files.filter((path) => [build, null].includes(buildOf(path))));
  const cache = await caches.open(cacheOf(build));
  const kept = new Set((await cache.keys()).map(({ url }) => new URL(url, location).pathname));
  await cache.addAll([...own].filter((path) => !kept.has(path)).map(toRequest));
  if (!kept.has(page)) {
    const response = await fetch(toRequest(path));
    const isOfBuild = response.ok && (await response.clone().text()).includes(`/console/${build}/`);
    if (!isOfBuild) return; // the service was updated meanwhile
    await cache.put(page, response);
  }
  const others = (await caches.keys()).filter((name) => name.startsWith(CACHE) && name !== cacheOf(build));
  await Promise.all(others.map((name) => caches.delete(name)));
}
