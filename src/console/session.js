// The key this browser has: for this tab, or remembered on this device. No cookies, so no other site's page can use it.

const NAME = "adjourn.key";
let offered = null; // the key of a sign-in link, while there is another session

export const key = () => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);

export function keep(value, remember) {
  forget();
  (remember ? localStorage : sessionStorage).setItem(NAME, value);
}

export function forget() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

// Takes a key out of a sign-in link (`#key=…`), where no server and no history keeps it. A session that exists is not replaced
// here: the page asks first.
export function takeFromAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const value = said.get("key");
  if (!value) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (!key()) keep(value, said.has("remember"));
  else if (value !== key()) offered = { value, remember: said.has("remember") };
}

export const isOffered = () => offered !== null;

// Takes the link's key in place of the present one.
export function accept() {
  const { value, remember } = offered;
  offered = null;
  keep(value, remember);
}

export function decline() {
  offered = null;
}

// The key opens nothing. Whether there is another to try.
export function refused() {
  forget();
  if (!offered) return false;
  accept();
  return true;
}
