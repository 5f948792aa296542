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

const SVG = "http://www.w3.org/2000/svg";

// An SVG element with attributes and children.
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
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

// A part of the page that scrolls sideways on its own, with a name for screen readers.
export function scrollArea(label, ...children) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, ...children);
}

// A table with its caption, the names of its columns, and its `tbody`.
export function tableOf(caption, columns, body) {
  const head = columns.map((name) => el("th", { scope: "col" }, name));
  return el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...head)), body);
}

// A cell with the name of its column, which a narrow page shows before the cell.
export function cell(column, ...children) {
  return el("td", { "data-column": column }, ...children);
}

const DIALOG_TIMEOUT = 30_000; // a dialog that was left alone counts as cancelled
const SIGNS_OF_USE = ["keydown", "pointerdown", "focusin"];

// Calls `close()` when the dialog was not used for a while; stops when it closes.
export function closeWhenUnused(dialog, close) {
  let timer = null;
  const restart = () => {
    clearTimeout(timer);
    timer = setTimeout(close, DIALOG_TIMEOUT);
  };
  const stop = () => {
    clearTimeout(timer);
    for (const sign of SIGNS_OF_USE) dialog.removeEventListener(sign, restart);
  };
  for (const sign of SIGNS_OF_USE) dialog.addEventListener(sign, restart);
  dialog.addEventListener("close", stop, { once: true });
  restart();
}

// Opens a dialog over the page. `close()` closes it when it was not used for a while, `onClose()` is called when it is gone.
export function openDialog(dialog, close, onClose = () => {}) {
  closeWhenUnused(dialog, close);
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
}

// Shows a confirmation dialog; resolves to whether it was confirmed.
export async function confirm(question, detail, yes, no = "Cancel") {
  return (await choose(question, detail && el("p", {}, detail), [{ text: yes, value: "yes", kind: "danger" }], no)) === "yes";
}

// Shows a dialog with a button for each choice, and Cancel. Resolves to the chosen `value`, a string; null if it was cancelled.
export function choose(question, detail, choices, cancelText) {
  return new Promise((resolve) => {
    const answer = (value) => () => dialog.close(value);
    const button = ({ text, value, kind }) => el("button", { class: kind, onclick: answer(value) }, text);
    // Cancel has the focus: a person who still holds Enter down has confirmed nothing.
    const cancel = el("button", { autofocus: true, class: "cancel", onclick: answer("") }, cancelText);
    const heading = el("h2", { id: "question" }, question);
    const buttons = el("div", { class: "buttons" }, ...choices.map(button), cancel);
    const dialog = el("dialog", { "aria-labelledby": "question" }, heading, detail, buttons);
    openDialog(dialog, answer(""), () => resolve(dialog.returnValue || null));
  });
}
