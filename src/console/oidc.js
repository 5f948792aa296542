// Signing in at an OpenID provider: authorization code with PKCE, as a public client (RFC 7636, RFC 9700). The token is kept like
// a key.

const KEPT = "adjourn.oidc";

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const redirectUri = () => `${location.origin}/`;

// How, if the service offers it and this browser can.
export async function way() {
  if (!crypto.subtle) return null; // not over a connection that others can read
  try {
    const answer = await fetch("/console/config.json", { credentials: "omit" });
    return (await answer.json()).oidc;
  } catch {
    return null;
  }
}

// Leaves for the provider.
export async function leave(way) {
  const [state, nonce, verifier] = [random(), random(), random()];
  const back = location.pathname + location.search;
  sessionStorage.setItem(KEPT, JSON.stringify({ state, nonce, verifier, back }));
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const url = new URL(way.authorization_endpoint);
  const said = {
    response_type: "code",
    client_id: way.client_id,
    redirect_uri: redirectUri(),
    scope: way.scope,
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(said)) url.searchParams.set(name, value);
  location.assign(url);
}

// Comes back from the provider: the token and where to go on, or null where nobody comes back. Throws what went wrong.
export async function arrive() {
  const said = new URLSearchParams(location.search);
  if (!said.has("state") || !(said.has("code") || said.has("error"))) return null;
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", location.pathname);
  if (!kept || said.get("state") !== kept.state) throw new Error("This sign-in was not begun in this tab.");
  if (said.has("error")) throw new Error(said.get("error_description") ?? said.get("error"));
  const found = await way();
  if (!found) throw new Error("The provider cannot be asked now.");
  const tokens = await exchange(found, said.get("code"), kept);
  return { token: tokens.access_token, back: kept.back };
}

async function exchange(way, code, kept) {
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: way.client_id,
    redirect_uri: redirectUri(),
    code,
    code_verifier: kept.verifier,
  });
  const answer = await fetch(way.token_endpoint, { method: "POST", body, credentials: "omit", redirect: "error" });
  const tokens = await answer.json();
  if (!answer.ok || !tokens.access_token) throw new Error(tokens.error_description ?? "The provider gave no token.");
  const named = tokens.id_token ? claims(tokens.id_token).nonce : null;
  if (way.scope.split(" ").includes("openid") && named !== kept.nonce) {
    throw new Error("The provider answered another sign-in.");
  }
  return tokens;
}

// It came from the provider itself over TLS, so its signature need not be checked here (OpenID Connect Core, 3.1.3.7).
function claims(token) {
  const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (sign) => sign.charCodeAt(0))));
}
