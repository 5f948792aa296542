// Signs in at an OpenID provider: authorization code with PKCE, as a public client (RFC 7636, RFC 9700). The access token is stored
// like an API key.

const PENDING = "adjourn.oidc";

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const redirectUri = () => `${location.origin}/`;

// The sign-in configuration, or null if the service offers none or this browser cannot use it.
export async function signInConfig() {
  if (!crypto.subtle) return null; // browsers offer it on encrypted connections only
  try {
    const response = await fetch("/console/config.json", { credentials: "omit" });
    return (await response.json()).oidc;
  } catch {
    return null;
  }
}

// Redirects the browser to the provider.
export async function startSignIn(config) {
  const [state, nonce, verifier] = [random(), random(), random()];
  const back = location.pathname + location.search;
  sessionStorage.setItem(PENDING, JSON.stringify({ state, nonce, verifier, back }));
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const url = new URL(config.authorization_endpoint);
  const parameters = {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: redirectUri(),
    scope: config.scope,
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}

// Handles the provider's redirect back: returns the token and the page to return to, or null if this is no such redirect. Throws
// if the sign-in failed.
export async function completeSignIn() {
  const query = new URLSearchParams(location.search);
  if (!query.has("state") || !(query.has("code") || query.has("error"))) return null;
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, "", location.pathname);
  if (!pending || query.get("state") !== pending.state) throw new Error("This sign-in was not started in this tab.");
  if (query.has("error")) throw new Error(query.get("error_description") ?? query.get("error"));
  const config = await signInConfig();
  if (!config) throw new Error("The identity provider cannot be reached.");
  const tokens = await exchangeCode(config, query.get("code"), pending);
  return { token: tokens.access_token, back: pending.back };
}

async function exchangeCode(config, code, pending) {
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: config.client_id,
    redirect_uri: redirectUri(),
    code,
    code_verifier: pending.verifier,
  });
  const response = await fetch(config.token_endpoint, { method: "POST", body, credentials: "omit", redirect: "error" });
  const tokens = await response.json();
  if (!response.ok || !tokens.access_token) {
    throw new Error(tokens.error_description ?? "The identity provider returned no token.");
  }
  const nonce = tokens.id_token ? claims(tokens.id_token).nonce : null;
  if (config.scope.split(" ").includes("openid") && nonce !== pending.nonce) {
    throw new Error("The identity provider's response belongs to another sign-in.");
  }
  return tokens;
}

// Decodes an ID token without verifying its signature: it came directly from the provider over TLS (OpenID Connect Core, 3.1.3.7).
function claims(token) {
  const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (char) => char.charCodeAt(0))));
}
