// A channel: its messages, threads, App Home.
import { el } from "./dom.js";
import { content, drawn } from "./blocks.js";
import { emoji, clock, dated } from "./text.js";

/** What a person sees of a channel, oldest first. */
export function seen(shown, channel, me) {
  return shown.messages.filter((message) => message.channel === channel && (!message.ephemeral_for || message.ephemeral_for === me));
}

/** The messages of a channel's own level, with the days between them. */
export function drawChannel(box, shown, channel, ctx) {
  const all = seen(shown, channel, ctx.me);
  const top = all.filter((message) => !message.thread_ts || message.thread_ts === message.ts || message.broadcast);
  const rows = [];
  let last = "";
  for (const message of top) {
    const time = timeOf(message);
    if (time.toDateString() !== last) rows.push({ key: `day ${time.toDateString()}`, json: dated(time), make: () => el("div", { class: "day", role: "separator" }, el("span", { text: dated(time) })) });
    last = time.toDateString();
    const replies = all.filter((one) => one.thread_ts === message.ts && one.ts !== message.ts && !one.ephemeral_for);
    rows.push(row(message, replies, ctx));
  }
  if (!rows.length) rows.push({ key: "empty", json: channel, make: () => el("p", { class: "empty", text: "Nothing was posted here yet." }) });
  settle(box, rows);
}

/** A message and its replies. */
export function drawThread(box, shown, channel, ts, ctx) {
  const all = seen(shown, channel, ctx.me);
  const parent = all.find((message) => message.ts === ts);
  const replies = all.filter((message) => message.thread_ts === ts && message.ts !== ts);
  const count = { key: "count", json: String(replies.length), make: () => el("div", { class: "day", role: "separator" }, el("span", { text: counted(replies.length) })) };
  settle(box, [...(parent ? [row(parent, [], ctx)] : []), count, ...replies.map((reply) => row(reply, [], { ...ctx, inThread: true }))]);
}

/** The Home tab of the app. */
export function drawHome(box, shown, ctx) {
  const view = shown.views.find((one) => one.type === "home" && one.user_id === ctx.me);
  const make = () => el("div", { class: "home" }, view ? view.blocks.map((block) => drawn(block, ctx.touching({ view_id: view.id })))
    : el("p", { class: "empty", text: "The app hasn't published its Home for this person." }));
  settle(box, [{ key: "home", json: JSON.stringify(view || null), make }]);
}

function timeOf(message) {
  return new Date(Number(message.ts) * 1000);
}

function counted(replies) {
  return replies === 1 ? "1 reply" : `${replies} replies`;
}

function row(message, replies, ctx) {
  const json = JSON.stringify([message, replies.length, replies.at(-1)?.ts, ctx.me]);
  return { key: message.ts, json, make: () => article(message, replies, ctx) };
}

function article(message, replies, ctx) {
  const time = timeOf(message);
  const alone = message.ephemeral_for !== null;
  const isReply = message.thread_ts && message.thread_ts !== message.ts;
  const touching = ctx.touching({ channel: message.channel, ts: message.ts });
  return el("article", { class: alone ? "message alone" : "message", "data-ts": message.ts, tabindex: "-1", "aria-label": `ackbell, ${clock(time)}` },
    alone && el("p", { class: "notice" }, el("span", { "aria-hidden": "true", text: "👁 " }), "Only visible to you"),
    isReply && !ctx.inThread && el("p", { class: "notice" }, "replied to ", el("button", { type: "button", class: "linkish", text: "a thread", onclick: () => ctx.thread(message.thread_ts) })),
    el("span", { class: "avatar", "aria-hidden": "true" }),
    el("div", { class: "said" },
      el("div", { class: "by" }, el("strong", { text: "ackbell" }), el("span", { class: "app", text: "APP" }),
        el("time", { datetime: time.toISOString(), title: time.toLocaleString(), text: clock(time) }),
        message.edited && el("span", { class: "edited", text: "(edited)" })),
      content(message, touching),
      (message.files || []).map(file),
      message.reactions.length > 0 && el("div", { class: "reactions" }, message.reactions.map((name) => el("span", {}, emoji(name), " 1"))),
      replies.length > 0 && el("button", { type: "button", class: "replies", onclick: () => ctx.thread(message.ts) },
        el("span", { class: "avatar tiny", "aria-hidden": "true" }), el("b", { text: counted(replies.length) }),
        el("span", { text: `Last reply ${dated(timeOf(replies.at(-1))).toLowerCase()} at ${clock(timeOf(replies.at(-1)))}` }))));
}

/** An uploaded file; a picture is fetched from the sandbox itself. */
function file(one) {
  return el("figure", { class: "file" }, el("figcaption", { text: one.title }),
    one.is_picture && el("img", { src: `/page/files/${encodeURIComponent(one.id)}`, alt: one.alt, width: 1200, height: 560 }));
}

/** Puts the rows into the box: what is the same stays the same node, so that nobody loses the place or the focus. */
function settle(box, rows) {
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const held = document.activeElement?.closest("[data-key]");
  const focus = held && box.contains(held) ? [held.dataset.key, document.activeElement.dataset.action] : null;
  const old = new Map([...box.children].map((node) => [node.dataset.key, node]));
  let place = box.firstChild;
  for (const { key, json, make } of rows) {
    let node = old.get(key);
    old.delete(key);
    if (!node || node.shown !== json) {
      const fresh = make();
      fresh.dataset.key = key;
      fresh.shown = json;
      if (node === place && place) place = place.nextSibling;
      node?.remove();
      node = fresh;
    }
    if (node === place) place = place.nextSibling;
    else box.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
  if (atEnd) box.scrollTop = box.scrollHeight;
  if (focus && !box.contains(document.activeElement)) refocus(box, focus);
}

function refocus(box, [key, action]) {
  const node = [...box.children].find((child) => child.dataset.key === key);
  const same = action && node?.querySelector(`[data-action="${CSS.escape(action)}"]`);
  (same || node)?.focus({ preventScroll: true });
}
