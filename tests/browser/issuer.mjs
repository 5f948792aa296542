// A minimal OpenID provider for tests: signs in everyone, and checks the PKCE parameters (RFC 7636).

import { createHash, createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const base64url = (value) => Buffer.from(value).toString("base64url");

export async function issuer({ clientId, audience, roles }) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" };
  const codes = new Map();
  const wrong = [];
  let url;

  const sign = (claims) => {
    const message = [{ alg: "ES256", kid: "one" }, claims].map((part) => base64url(JSON.stringify(part))).join(".");
    const signature = createSign("SHA256").update(message).sign({ key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${message}.${base64url(signature)}`;
  };
  const claims = () => ({ iss: url, sub: "5d1f", exp: Math.floor(Date.now() / 1000) + 600 });

  const authorize = (query, answer) => {
    for (const name of ["state", "nonce", "code_challenge", "redirect_uri"]) if (!query.get(name)) wrong.push(`no ${name}`);
    if (query.get("client_id") !== clientId) wrong.push("another client");
    if (query.get("code_challenge_method") !== "S256") wrong.push("no S256");
    const code = randomUUID();
    codes.set(code, Object.fromEntries(query));
    const back = new URL(query.get("redirect_uri"));
    back.search = new URLSearchParams({ code, state: query.get("state") });
    answer.writeHead(302, { location: back.href }).end();
  };
  const exchange = (form, answer) => {
    const issued = codes.get(form.get("code"));
    codes.delete(form.get("code"));
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (!issued || challenge !== issued.code_challenge || form.get("redirect_uri") !== issued.redirect_uri) wrong.push("another verifier");
    const tokens = {
      token_type: "Bearer",
      access_token: sign({ ...claims(), aud: audience, roles, upn: "olga@example.com" }),
      id_token: sign({ ...claims(), aud: clientId, nonce: provider.nonce ?? issued?.nonce }),
    };
    answer.end(JSON.stringify(tokens));
  };
  const server = createServer(async (request, answer) => {
    const { pathname, searchParams } = new URL(request.url, url);
    answer.setHeader("access-control-allow-origin", "*");
    if (pathname === "/.well-known/openid-configuration") {
      answer.end(
        JSON.stringify({ issuer: url, jwks_uri: `${url}/keys`, authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token` }),
      );
    } else if (pathname === "/keys") answer.end(JSON.stringify({ keys: [jwk] }));
    else if (pathname === "/authorize") authorize(searchParams, answer);
    else if (pathname === "/token") {
      let body = "";
      for await (const part of request) body += part;
      exchange(new URLSearchParams(body), answer);
    } else answer.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${server.address().port}`;
  const provider = {
    url,
    host: new URL(url).host,
    wrong,
    nonce: null,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return provider;
}
