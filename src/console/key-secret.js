// Shows the secret of a new API key once, with a button that copies it. Stores it nowhere.

import { el, setChildren, setText } from "./dom.js";

// Draws the secret into the container, until `Done` is pressed or another one is shown.
export function showSecret(container, { name, key }, onDone) {
  const secret = el("input", { type: "text", readonly: true, value: key, "aria-label": `Secret of ${name}`, spellcheck: "false" });
  const result = el("p", { role: "status" });
  const heading = el("h2", { id: "secret", tabindex: "-1" }, `Key of ${name}`);
  const copy = async () => setText(result, (await copied(secret)) ? "Copied." : "This browser does not copy. The key is selected: copy it with the keyboard.");
  const done = () => {
    setChildren(container);
    onDone();
  };
  setChildren(
    container,
    el(
      "section",
      { class: "panel good secret", "aria-labelledby": "secret" },
      heading,
      el("p", {}, "Copy it now. Adjourn stores only a hash of it, and cannot show it again."),
      el("div", { class: "copy" }, secret, el("button", { class: "primary", onclick: copy }, "Copy"), el("button", { onclick: done }, "Done")),
      result,
    ),
  );
  heading.focus();
}

// The clipboard is closed to pages that were not loaded over HTTPS or from this machine.
async function copied(input) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
