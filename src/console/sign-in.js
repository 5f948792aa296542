// The sign-in page: by API key, or at the OpenID provider if there is one.

import { request } from "./api.js";
import { el, field, setChildren, setText } from "./dom.js";
import * as oidc from "./oidc.js";
import * as session from "./session.js";

// Shows the page; resolves to the response of /v1/me after a successful sign-in.
export function signIn(main, why) {
  return new Promise((resolve) => {
    const key = el("input", { type: "password", name: "key", autocomplete: "current-password", required: true });
    const remember = el("input", { type: "checkbox", name: "remember" });
    const trouble = el("p", { class: "trouble", role: "alert" });
    const button = el("button", { class: "primary" }, "Sign in");
    const provider = el("div", {});
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      session.keep(key.value.trim(), remember.checked);
      try {
        resolve(await request("GET", "/v1/me"));
      } catch (problem) {
        session.forget();
        setText(trouble, problem.message);
        button.disabled = false;
        key.focus();
      }
    };
    setChildren(
      main,
      el(
        "form",
        { class: "sign-in panel", onsubmit: submit },
        el("h1", {}, "Sign in"),
        el("p", { class: "quiet" }, "Enter an API key, as printed by “adjourn key add”."),
        field("API key", key),
        el("label", { class: "check" }, remember, el("span", {}, "Remember on this device (for door displays)")),
        trouble,
        el("div", { class: "buttons" }, button),
        provider,
      ),
    );
    setText(trouble, why ?? "");
    offerProvider(provider, trouble);
    key.focus();
  });
}

async function offerProvider(container, trouble) {
  const config = await oidc.signInConfig();
  if (!config) return;
  const start = () => oidc.startSignIn(config).catch((problem) => setText(trouble, problem.message));
  const host = new URL(config.authorization_endpoint).host;
  setChildren(
    container,
    el("p", { class: "or" }, "or"),
    el("button", { type: "button", class: "wide", onclick: start }, `Sign in at ${host}`),
  );
}
