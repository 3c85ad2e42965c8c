// The modal on top: https://docs.slack.dev/surfaces/modals
import { el, fill } from "./dom.js";
import { drawn } from "./blocks.js";
import { control } from "./inputs.js";
import { order } from "./orders.js";

/** The dialog with the view it shows, what was entered per view, and what is wrong with it. */
let open = null;

/** Shows this person's topmost modal, if there is one. */
export function drawModal(shown, me, names, refresh) {
  const mine = shown.views.filter((view) => view.type === "modal" && (!view.owner || view.owner === me));
  const view = mine.at(-1);
  if (!view) {
    open?.node.close();
    open = null;
    return;
  }
  if (open?.view.hash === view.hash && open.view.id === view.id) return;
  // What was typed into an input that stays, stays.
  const values = open?.view.id === view.id ? open.values : {};
  const before = open;
  const node = el("dialog", { class: "modal", "aria-labelledby": "modal-title", oncancel: (event) => { event.preventDefault(); leave(); } });
  open = { view, node, values, shown, me, names, refresh, errors: {} };
  compose();
  document.body.append(node);
  node.addEventListener("close", () => node.remove());
  before?.node.close();
  node.showModal();
  node.querySelector("textarea, input, select")?.focus();
}

async function leave() {
  // A second Escape before the first has closed it.
  if (!open || open.leaving) return;
  open.leaving = true;
  const answer = await order("close", { view_id: open.view.id, user: open.me });
  if (!open) return;
  open.leaving = answer.ok;
  open.refresh();
}

function compose() {
  const { view, node } = open;
  const text = (part, or) => view[part]?.text || or;
  fill(node, el("form", { method: "dialog", novalidate: true, onsubmit: submit },
    el("header", { class: "modal-head" },
      el("span", { class: "avatar small", "aria-hidden": "true" }),
      el("h2", { id: "modal-title", text: text("title", "") }),
      el("button", { type: "button", class: "plain", "aria-label": "Close", text: "✕", onclick: leave })),
    el("div", { class: "modal-body" }, view.blocks.map((block) => drawn(block, context()))),
    el("footer", { class: "modal-foot" },
      el("p", { class: "trouble", role: "alert" }),
      el("button", { type: "button", class: "button", text: text("close", "Close"), onclick: leave }),
      view.submit && el("button", { type: "submit", class: "button primary", text: text("submit", "Submit") }))));
}

function context() {
  const touch = (block, element, option) => order("click", { view_id: open.view.id, block_id: block.block_id,
    action_id: element.action_id, option, values: open.values, user: open.me }).then(open.refresh);
  return {
    names: open.names,
    act: touch,
    control: (element, value, changed) => control(element, value, changed, open.shown),
    input: (block) => input(block, touch),
  };
}

/** An input under its label, with a place for what is wrong with it. */
function input(block, touch) {
  const { element, block_id: id } = block;
  const isGroup = ["checkboxes", "radio_buttons", "multi_static_select"].includes(element.type);
  const value = id in open.values ? open.values[id] : undefined;
  const changed = (now) => {
    open.values[id] = now;
    complain(id, null);
    if (block.dispatch_action) touch(block, element, now);
  };
  const more = isGroup ? { "aria-labelledby": `label-${id}` } : { id: `field-${id}`, "aria-required": block.optional ? null : "true" };
  const node = control(element, value, changed, open.shown, { ...more, "aria-describedby": `error-${id}` });
  return el("div", { class: "block input", "data-block": id },
    el("label", { id: `label-${id}`, for: isGroup ? null : `field-${id}` }, block.label.text, block.optional && el("small", { text: " (optional)" })),
    node,
    block.hint && el("small", { text: block.hint.text }),
    el("p", { class: "wrong", id: `error-${id}`, role: "alert" }));
}

function complain(id, words) {
  const row = open.node.querySelector(`[data-block="${CSS.escape(id)}"]`);
  if (!row) return false;
  row.classList.toggle("bad", Boolean(words));
  row.querySelector(".wrong").textContent = words || "";
  const field = row.querySelector(".field, .choices");
  if (words) field?.setAttribute("aria-invalid", "true");
  else field?.removeAttribute("aria-invalid");
  return true;
}

async function submit(event) {
  event.preventDefault();
  const { view, node, values, me, refresh } = open;
  const button = node.querySelector("[type=submit]");
  if (!button || button.disabled) return;
  [button.disabled, node.querySelector(".trouble").textContent] = [true, ""];
  const answer = await order("submit", { view_id: view.id, values, user: me });
  button.disabled = false;
  const errors = answer.complaints || (answer.body?.response_action === "errors" ? answer.body.errors : null);
  for (const [id, words] of Object.entries(errors || {})) complain(id, words);
  if (errors) node.querySelector("[aria-invalid] input, [aria-invalid].field")?.focus();
  else if (!answer.ok) node.querySelector(".trouble").textContent = "That didn't work. Try again?";
  refresh();
}
