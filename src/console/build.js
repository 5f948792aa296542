// The build of the files that run: the service puts it into their address, so that a page's files are all of one build. Reloads a page
// that stays open for months when the service has another build.

export const BUILD = /\/console\/([0-9a-f]{24})\//.exec(import.meta.url)?.[1] ?? null;

const RELOADED = "adjourn.reloaded";
const RELOAD_AGAIN_AFTER = 300_000; // while a reload brings the same build, as behind a proxy with an old copy

// How long to wait before a reload; null if the build that runs is the service's. `last`: the last reload, with its build and time.
export function reloadDelay(own, served, last, now) {
  if (!own || !served || own === served) return null;
  const age = now - (last?.at ?? -Infinity);
  return last?.build === served && age >= 0 && age < RELOAD_AGAIN_AFTER ? RELOAD_AGAIN_AFTER - age : 0;
}

// Requests the service's build, and reloads the page if it is another one.
export async function reloadIfUpdated() {
  let served;
  try {
    served = (await (await fetch("/console/config.json", { credentials: "omit" })).json()).build;
  } catch {
    return; // checked again after the next connection
  }
  const delay = reloadDelay(BUILD, served, lastReload(), Date.now());
  if (delay === 0) {
    sessionStorage.setItem(RELOADED, JSON.stringify({ build: served, at: Date.now() }));
    location.reload();
  } else if (delay !== null) {
    checkAgain(delay);
  }
}

let timer = null;

function checkAgain(delay) {
  clearTimeout(timer);
  timer = setTimeout(reloadIfUpdated, delay);
}

function lastReload() {
  try {
    return JSON.parse(sessionStorage.getItem(RELOADED));
  } catch {
    return null;
  }
}
