// Making elements. Text goes in as text: there is no way here to make markup of it.

// An element with attributes, listeners (`onclick: …`) and children; what is null, undefined or false is left out.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  put(node, ...children);
  return node;
}

// Gives a node these children and no others.
export function put(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

// Changes a text only where it is another one, so that nobody hears it read twice.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A label with its control below it.
export function field(label, control) {
  return el("label", { class: "field" }, el("span", {}, label), control);
}

const UNANSWERED = 30_000; // whoever walked away meant no

// Asks before something is done; resolves to whether it shall be.
export function confirm(question, detail, yes) {
  return new Promise((resolve) => {
    const answer = (value) => () => dialog.close(value);
    // Not the other one: whoever holds Enter down has not answered.
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
    const timer = setTimeout(answer(""), UNANSWERED);
    dialog.addEventListener("close", () => {
      clearTimeout(timer);
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
