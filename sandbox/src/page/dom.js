// Nodes, requests, small news. Foreign text only ever becomes a text node.

/** An element: properties by name (`class`, `text`, `onclick`, any attribute; null and false leave it out), children. */
export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...present(children));
  return node;
}

/** Puts these into a node in place of what is there. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** A dialog on top of all else; gone when it is closed. The browser keeps the focus inside of it. */
export function dialog(properties, ...children) {
  const node = el("dialog", properties, ...children);
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Asks as Slack's client does before an action; true if the person agrees. */
export function agreed(confirm) {
  return new Promise((resolve) => {
    const words = (part, or) => (confirm[part] && confirm[part].text) || or;
    const style = confirm.style === "danger" ? "danger" : "primary";
    const close = (answer) => { node.close(); resolve(answer); };
    const no = el("button", { type: "button", class: "button", text: words("deny", "Cancel"), onclick: () => close(false) });
    const yes = el("button", { type: "button", class: `button ${style}`, text: words("confirm", "Yes"), onclick: () => close(true) });
    const node = dialog({ class: "modal small", role: "alertdialog", "aria-label": words("title", "Are you sure?"),
      oncancel: () => resolve(false) },
    el("header", { class: "modal-head" }, el("h2", { text: words("title", "Are you sure?") })),
    el("div", { class: "modal-body" }, el("p", { text: words("text", "") })),
    el("footer", { class: "modal-foot" }, no, yes));
    yes.focus();
  });
}
