// The page somebody sees who is not signed in: by API key, or at the OpenID provider where there is one.

import { ask } from "./api.js";
import { el, field, put, say } from "./dom.js";
import * as oidc from "./oidc.js";
import * as session from "./session.js";

// Shows it, and resolves to who signed in.
export function signIn(main, why) {
  return new Promise((resolve) => {
    const key = el("input", { type: "password", name: "key", autocomplete: "current-password", required: true });
    const remember = el("input", { type: "checkbox", name: "remember" });
    const trouble = el("p", { class: "trouble", role: "alert" });
    const button = el("button", { class: "primary" }, "Sign in");
    const elsewhere = el("div", {});
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      session.keep(key.value.trim(), remember.checked);
      try {
        resolve(await ask("GET", "/v1/me"));
      } catch (problem) {
        session.forget();
        say(trouble, problem.message);
        button.disabled = false;
        key.focus();
      }
    };
    put(
      main,
      el(
        "form",
        { class: "sign-in panel", onsubmit: submit },
        el("h1", {}, "Sign in"),
        el("p", { class: "quiet" }, "With an API key, as “adjourn key add” prints it."),
        field("API key", key),
        el("label", { class: "check" }, remember, el("span", {}, "Remember on this device, as a door display needs it")),
        trouble,
        el("div", { class: "buttons" }, button),
        elsewhere,
      ),
    );
    say(trouble, why ?? "");
    offer(elsewhere, trouble);
    key.focus();
  });
}

async function offer(place, trouble) {
  const way = await oidc.way();
  if (!way) return;
  const leave = () => oidc.leave(way).catch((problem) => say(trouble, problem.message));
  const host = new URL(way.authorization_endpoint).host;
  put(
    place,
    el("p", { class: "or" }, "or"),
    el("button", { type: "button", class: "wide", onclick: leave }, `Sign in at ${host}`),
  );
}
