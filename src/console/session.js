// Stores the API key: for this tab, or remembered on this device. Uses no cookies, so that no other site's page can use the key.

const NAME = "adjourn.key";
let offered = null; // the key of a sign-in link, while another session exists

export const key = () => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);

export function keep(value, remember) {
  forget();
  (remember ? localStorage : sessionStorage).setItem(NAME, value);
}

export function forget() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

// Takes the key of a sign-in link (`#key=…`) out of the address, so that it stays in no server log and no history. An existing
// session is not replaced here: the page asks first.
export function takeFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const value = fragment.get("key");
  if (!value) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (!key()) keep(value, fragment.has("remember"));
  else if (value !== key()) offered = { value, remember: fragment.has("remember") };
}

export const isOffered = () => offered !== null;

// Replaces the present key by the link's.
export function accept() {
  const { value, remember } = offered;
  offered = null;
  keep(value, remember);
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
