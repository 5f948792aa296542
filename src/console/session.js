// Stores the API key: for this tab, or remembered on this device. Uses no cookies, so that no other site's page can use the key.

const NAME = "adjourn.key";
const PIN = "adjourn.pin";
const PAIRED = "adjourn.paired";
const PIN_PATTERN = /^\d{4,12}$/;
let offered = null; // the key of a sign-in link, while another session exists

export const key = () => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);

export function keep(value, remember, pin = null) {
  forget();
  localStorage.removeItem(PAIRED);
  (remember ? localStorage : sessionStorage).setItem(NAME, value);
  if (remember && PIN_PATTERN.test(pin ?? "")) localStorage.setItem(PIN, pin);
}

// Keeps the key that this device received by pairing. A paired device without a key asks to be paired again.
export function keepPaired(value, pin) {
  keep(value, true, pin);
  localStorage.setItem(PAIRED, "1");
}

export const wasPaired = () => localStorage.getItem(PAIRED) !== null;

export function forget() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
  localStorage.removeItem(PIN);
}

// Whether the key in use is remembered on this device, as on a door display.
export const isRemembered = () => sessionStorage.getItem(NAME) === null && localStorage.getItem(NAME) !== null;

// The PIN that signs a door display out; null without one. It protects against passers-by: who can read this storage has the key too.
export const pin = () => localStorage.getItem(PIN);

// Takes the key of a sign-in link (`#key=…`, with `&remember` and `&pin=…` for a door display) out of the address, so that it stays in
// no server log and no history. A session with another key is not replaced here: the page asks first. A session with the same key
// becomes a remembered one, and takes the link's PIN, unless it has a PIN already.
export function takeFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const value = fragment.get("key");
  if (!value) return;
  history.replaceState(null, "", location.pathname + location.search);
  const link = { value, remember: fragment.has("remember"), pin: fragment.get("pin") };
  if (!key()) keep(link.value, link.remember, link.pin);
  else if (value !== key()) offered = link;
  else if (link.remember && !pin()) keep(link.value, link.remember, link.pin);
}

export const isOffered = () => offered !== null;

// Replaces the present key by the link's.
export function accept() {
  const { value, remember, pin } = offered;
  offered = null;
  keep(value, remember, pin);
}

export function decline() {
  offered = null;
}

// Discards the present key, which the service rejected. Returns whether the link's key takes its place.
export function discardRejected() {
  forget();
  if (!offered) return false;
  accept();
  return true;
}
