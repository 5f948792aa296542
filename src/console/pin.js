// The PIN that signs a door display out: checks an attempt, and accepts none for a while after several wrong ones. The count is stored on
// the device, so that a reload does not begin it anew.

import * as session from "./session.js";

const ATTEMPTS = "adjourn.pin-attempts";
const ATTEMPTS_MAX = 5;
const PAUSE = 300_000;

// Checks an attempt. Returns whether it is `right`, and for how long from now no attempt counts (`wait`, in milliseconds).
export function tryPin(value, now) {
  const { wrong, closedUntil } = stored(now);
  const wait = closedUntil - now;
  if (wait > 0) return { right: false, wait };
  if (value === session.pin()) {
    localStorage.removeItem(ATTEMPTS);
    return { right: true, wait: 0 };
  }
  store({ wrong: wrong + 1, closedUntil: (wrong + 1) % ATTEMPTS_MAX === 0 ? now + PAUSE : 0 });
  return { right: false, wait: 0 };
}

// The stored count. A pause longer than it can be comes from a clock that was set back, and begins now.
function stored(now) {
  const { wrong, closedUntil } = parse(localStorage.getItem(ATTEMPTS));
  const count = Number.isInteger(wrong) && wrong > 0 ? wrong : 0;
  if (!(closedUntil > now + PAUSE)) return { wrong: count, closedUntil: closedUntil > 0 ? closedUntil : 0 };
  const attempts = { wrong: count, closedUntil: now + PAUSE };
  store(attempts);
  return attempts;
}

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

const store = (attempts) => localStorage.setItem(ATTEMPTS, JSON.stringify(attempts));
