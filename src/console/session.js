// The key this browser has: for this tab, or remembered on this device. No cookies, so no other site's page can use it.

const NAME = "adjourn.key";
let offered = null; // a key that came in the address while there was another

export const key = () => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);

export function keep(value, remember) {
  forget();
  (remember ? localStorage : sessionStorage).setItem(NAME, value);
}

export function forget() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

// Takes a key out of the address (`#key=…`), where no server and no history keeps it. It replaces no key that opens something.
export function takeFromAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const value = said.get("key");
  if (!value) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (key()) offered = value;
  else keep(value, said.has("remember"));
}

// The key opens nothing. Whether there is another to try.
export function refused() {
  forget();
  if (!offered) return false;
  keep(offered, false);
  offered = null;
  return true;
}
