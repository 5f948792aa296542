// Creates and changes elements. Text is always inserted as text: this module has no way to make markup of it.

// An element with attributes, listeners (`onclick: …`) and children; null, undefined and false are left out.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  setChildren(node, ...children);
  return node;
}

// Replaces a node's children.
export function setChildren(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

// Sets a text only if it differs, so that a screen reader does not read it twice.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A label with its control below it.
export function field(label, control) {
  return el("label", { class: "field" }, el("span", {}, label), control);
}

const DIALOG_TIMEOUT = 30_000; // a dialog that was left alone counts as cancelled

// Shows a confirmation dialog; resolves to whether it was confirmed.
export function confirm(question, detail, yes) {
  return new Promise((resolve) => {
    const answer = (value) => () => dialog.close(value);
    // Cancel has the focus: a person who still holds Enter down has confirmed nothing.
    const cancel = el("button", { autofocus: true, onclick: answer("") }, "Cancel");
    const dialog = el(
      "dialog",
      { "aria-labelledby": "question" },
      el("h2", { id: "question" }, question),
      detail && el("p", {}, detail),
      el(
        "div",
        { class: "buttons" },
        el("button", { class: "danger", onclick: answer("yes") }, yes),
        cancel,
      ),
    );
    const timer = setTimeout(answer(""), DIALOG_TIMEOUT);
    dialog.addEventListener("close", () => {
      clearTimeout(timer);
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
