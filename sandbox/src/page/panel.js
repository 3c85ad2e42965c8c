// Behind the scenes: what goes over the wire, switches that make Slack fail, and what the demo adds.
import { el, fill } from "./dom.js";
import { clock } from "./text.js";
import { ask, order, tell } from "./orders.js";

const FAULTS = [
  { kind: "429", label: "Too many requests", order: { kind: "429", retry_after: 5 } },
  { kind: "500", label: "Server error", order: { kind: "500" } },
  { kind: "hang", label: "No answer", order: { kind: "hang", delay_ms: 30000 } },
];

/** The panel's parts that follow the sandbox. */
export function drawPanel(shown, refresh) {
  drawFaults(shown, refresh);
  drawObjections(shown.violations);
  drawWire(shown.traffic);
}

let times = "3";

function drawFaults(shown, refresh) {
  const box = document.getElementById("faults");
  const json = JSON.stringify(shown.faults);
  if (box.shown === json) return;
  box.shown = json;
  const set = async (faults) => { await order("faults", { faults }); refresh(); };
  const count = el("select", { class: "field", "aria-label": "For how many calls", onchange: () => { times = count.value; } },
    [["1", "the next call"], ["3", "the next 3 calls"], ["10", "the next 10 calls"], ["", "every call"]].map(([value, text]) => el("option", { value, text, selected: value === times })));
  const left = shown.faults[0];
  const buttons = FAULTS.map((fault) => el("button", { type: "button", class: "button", "data-fault": fault.kind, "aria-pressed": String(left?.kind === fault.kind),
    onclick: () => set([{ ...fault.order, times: times ? Number(times) : null }]) }, `${fault.label} `, el("small", { text: fault.kind })));
  fill(box, el("h3", { id: "faults-title", text: "Make Slack fail" }), el("div", { class: "line" }, "For ", count),
    el("div", { class: "line" }, buttons),
    left && el("div", { class: "line warn", role: "status" }, left.times === null ? `Every call fails: ${left.kind}. ` : `${left.kind} for ${left.times} more. `,
      el("button", { type: "button", class: "linkish", text: "Behave again", onclick: () => set([]) })));
}

/** What a client did that Slack would take without a word, or refuse. */
function drawObjections(violations) {
  const box = document.getElementById("objections");
  box.hidden = !violations.length;
  if (box.hidden || box.shown === violations.length) return;
  box.shown = violations.length;
  fill(box, el("h3", { id: "objections-title", text: `Slack would object (${violations.length})` }),
    el("ul", { class: "objections" }, violations.slice(-5).map((one) => el("li", {}, el("code", { text: one.kind }), ` ${one.detail}`))));
}

let newest = 0;

function drawWire(traffic) {
  const box = document.getElementById("wire");
  if (!box.firstChild) box.append(el("h3", { id: "wire-title", text: "On the wire" }), el("div", { class: "rows" }));
  const rows = box.lastChild;
  if (!traffic.length) {
    fill(rows, el("p", { class: "empty", text: "No call yet." }));
    newest = 0;
    return;
  }
  rows.querySelector(".empty")?.remove();
  for (const one of traffic.filter((each) => each.number > newest)) rows.prepend(call(one));
  newest = traffic.at(-1).number;
  while (rows.childElementCount > traffic.length) rows.lastChild.remove();
}

function call(one) {
  const isBad = one.error || one.fault || one.status >= 400 || !one.status;
  const why = one.fault || one.error || "";
  // A word fits beside the status; a sentence goes below.
  const isWord = /^\w{0,24}$/.test(why);
  const status = [...new Set([String(one.status || "–"), isWord && why])].filter(Boolean).join(" ");
  const brief = isWord ? one.brief : `${why} · ${one.brief}`;
  const body = el("div", { class: "whole" });
  return el("details", { class: one.outgoing ? "call out" : "call", ontoggle: (event) => event.target.open && show(body, one.number) },
    el("summary", {},
      el("span", { class: "way", title: one.outgoing ? "Slack to ackbell" : "ackbell to Slack", role: "img", "aria-label": one.outgoing ? "Slack to ackbell" : "ackbell to Slack", text: one.outgoing ? "◀" : "▶" }),
      el("b", { text: one.label }), el("span", { class: isBad ? "status bad" : "status", text: status }),
      el("time", { text: clock(new Date(one.at_ms), true) }), el("span", { class: "brief", text: brief })), body);
}

async function show(box, number) {
  const found = await ask(`/_sandbox/traffic?number=${number}`);
  if (!found) return fill(box, el("p", { class: "empty", text: "It was too long ago." }));
  const part = (name, value) => [el("h4", { text: name }), el("pre", { tabindex: "0" }, el("code", { text: typeof value === "string" ? value || "(empty)" : JSON.stringify(value, null, 2) }))];
  return fill(box, ...part("Request", found.request), ...part("Answer", found.answer));
}

/** Asks every second what the demo has to show, if this is a demo. */
export async function followDemo() {
  const box = document.getElementById("extra");
  let state;
  try {
    state = await ask("/demo/state");
  } catch {
    return setTimeout(followDemo, 3000);
  }
  if (!state) return undefined;
  const json = JSON.stringify(state);
  if (box.shown !== json) {
    box.shown = json;
    box.hidden = false;
    fill(box,
      ...(state.panels || []).flatMap((panel) => [el("h3", { text: panel.title }), el("pre", { tabindex: "0" }, el("code", { text: panel.lines.join("\n") }))]),
      el("div", { class: "line" }, (state.actions || []).map((action) => el("button", { type: "button", class: "button", "data-demo": action.id, text: action.label, onclick: () => press(action) }))));
  }
  return setTimeout(followDemo, 1000);
}

async function press(action) {
  const answer = await fetch(`/demo/action/${encodeURIComponent(action.id)}`, { method: "POST" }).catch(() => null);
  if (!answer?.ok) tell(`${action.label}: ${answer ? `the demo answered ${answer.status}` : "the demo doesn't run any more"}`, true);
}
