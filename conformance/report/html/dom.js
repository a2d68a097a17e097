// SPDX-License-Identifier: Apache-2.0
// Elements without markup in strings: nothing that a run says is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) node.append(child);
  }
  return node;
}

// el("td", {class: "x"}, "text", otherElement)
const el = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

const badge = (verdict) => el("span", {class: "badge " + verdict}, verdict);

// Appends in portions, so that a thousand rows do not keep the first from being seen. Returns a
// function that stops it.
function appendLazily(parent, items, make) {
  let at = 0;
  let stopped = false;
  const portion = () => {
    if (stopped) return;
    const part = document.createDocumentFragment();
    for (const end = Math.min(at + 200, items.length); at < end; ++at) part.append(make(items[at]));
    parent.append(part);
    if (at < items.length) requestAnimationFrame(portion);
  };
  portion();
  return () => { stopped = true; };
}

function copyButton(text) {
  const button = el("button", {type: "button", class: "copy", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  }}, "copy");
  return button;
}
