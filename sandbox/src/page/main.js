// The page: what is shown, where one is, and what happens on a change.
import { el, fill } from "./dom.js";
import { drawChannel, drawHome, drawThread, seen } from "./channel.js";
import { control } from "./inputs.js";
import { drawModal } from "./modal.js";
import { drawPanel, followDemo } from "./panel.js";
import { ask, order, tell } from "./orders.js";

const by = (id) => document.getElementById(id);
const wide = matchMedia("(min-width: 1180px)");
let shown = null;
let me = remembered("me") || "U0ALICE001";
let place = decodeURIComponent(location.hash.slice(1));
let thread = null;
let following = false;
let tab = "messages";
const counts = new Map();

function remembered(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a page without a memory works all the same */ }
}

let asking = null;
let again = false;

/** Asks for everything and draws it; what comes meanwhile waits for the next turn. */
async function refresh() {
  if (asking) {
    again = true;
    return asking;
  }
  asking = ask("/_sandbox/page").then((found) => { if (found) { shown = found; draw(); } }).catch(() => {});
  await asking;
  asking = null;
  if (again) {
    again = false;
    await refresh();
  }
  return undefined;
}

const names = {
  user: (id) => shown.users.find((user) => user.id === id)?.name,
  channel: (id) => shown.channels.find((channel) => channel.id === id)?.name,
  group: (id) => shown.groups.find((group) => group.id === id)?.handle,
};

/** How blocks are drawn and touched in one container: a message or a view. */
function touching(where) {
  const act = async (block, element, option) => {
    const legacy = block.legacy && { name: element.name, value: option || element.value };
    const blocks = { block_id: block.block_id, action_id: element.action_id, option };
    await order("click", { ...where, ...(legacy || blocks), user: me });
    await refresh();
  };
  return { names, act, control: (element, value, changed) => control(element, value, changed, shown) };
}

const isDirect = (channel) => channel.is_im || channel.is_mpim;
const appPlace = () => shown.channels.find((channel) => channel.is_im && channel.user === me)?.id || `D${me.slice(1)}`;

function draw() {
  drawSidebar();
  const channel = shown.channels.find((one) => one.id === place);
  const isApp = place === appPlace();
  const label = isApp ? "ackbell" : channel ? nameOf(channel) : place;
  by("title").textContent = isApp || (channel && isDirect(channel)) ? label : `# ${label}`;
  by("topic").textContent = isApp ? "App" : channel?.is_archived ? "archived" : channel?.is_ext_shared ? "shared with another workspace" : "";
  document.title = `${label} · ackbell sandbox`;
  drawTabs(isApp);
  const ctx = { names, me, touching, thread: openThread };
  if (isApp && tab === "home") drawHome(by("messages"), shown, ctx);
  else drawChannel(by("messages"), shown, place, ctx);
  by("composer").hidden = isApp && tab === "home";
  counts.set(place, seen(shown, place, me).length);
  if (thread) drawThread(by("thread").querySelector(".messages"), shown, place, thread, ctx);
  drawPanel(shown, refresh);
  if (shown.demo && !following) followDemo();
  following = following || shown.demo;
  drawModal(shown, me, names, refresh);
}

function nameOf(channel) {
  if (!isDirect(channel)) return channel.name;
  return channel.users.map((id) => names.user(id) || id).join(", ");
}

function drawSidebar() {
  // What another server than Slack got has only an address.
  const addresses = [...new Set(shown.messages.map((message) => message.channel))].filter((id) => !names.channel(id) && !shown.channels.some((channel) => channel.id === id));
  const rooms = [...shown.channels.filter((channel) => !isDirect(channel)), ...addresses.map((id) => ({ id, name: id }))].sort((a, b) => a.name.localeCompare(b.name));
  const groups = shown.channels.filter((channel) => channel.is_mpim && channel.users.includes(me));
  const json = JSON.stringify([rooms, groups, place, me, shown.messages.length]);
  const box = by("places");
  if (!place) go(start(rooms));
  if (box.shown === json) return;
  box.shown = json;
  const focused = document.activeElement?.dataset?.place;
  fill(box,
    section("Channels", rooms.map((channel) => entry(channel.id, channel.name, channel.is_private ? "🔒" : "#", channel.is_archived))),
    section("Direct messages", groups.map((channel) => entry(channel.id, nameOf(channel), "○"))),
    section("Apps", [entry(appPlace(), "ackbell", null)]));
  if (focused) box.querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
  const people = shown.users.filter((user) => !user.is_bot && !user.deleted);
  fill(by("me"), ...people.map((user) => el("option", { value: user.id, selected: user.id === me, text: user.name })));
}

/** Where the news is, else #ops. */
function start(rooms) {
  const last = shown.messages.findLast((message) => rooms.some((channel) => channel.id === message.channel));
  return last?.channel || rooms.find((channel) => channel.name === "ops")?.id || rooms[0]?.id || "";
}

function section(title, entries) {
  return entries.length ? el("section", {}, el("h2", { text: title }), el("ul", {}, entries)) : null;
}

function entry(id, name, sign, isOld) {
  const fresh = seen(shown, id, me).length - (counts.get(id) ?? 0);
  const isHere = id === place;
  const mark = sign ? el("span", { class: "sign", "aria-hidden": "true", text: sign }) : el("span", { class: "avatar tiny", "aria-hidden": "true" });
  return el("li", {}, el("button", { type: "button", class: `place${isOld ? " old" : ""}${fresh > 0 && !isHere ? " fresh" : ""}`, "data-place": id,
    "aria-current": isHere ? "page" : null, onclick: () => go(id) }, mark, el("span", { class: "name", text: name }),
  fresh > 0 && !isHere && el("span", { class: "count", "aria-label": `${fresh} new`, text: String(fresh) })));
}

function go(id) {
  if (id !== place) closeThread();
  place = id;
  tab = "messages";
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  fill(by("messages"));
  sidebar(false);
  draw();
  by("messages").scrollTop = by("messages").scrollHeight;
}

function drawTabs(isApp) {
  const box = by("tabs");
  box.hidden = !isApp;
  if (!isApp) return;
  const one = (id, text) => el("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-selected": String(tab === id), text, onclick: () => choose(id) });
  fill(box, one("home", "Home"), one("messages", "Messages"));
}

function choose(id) {
  tab = id;
  fill(by("messages"));
  draw();
  by(`tab-${id}`).focus();
  // As Slack does each time; the app may publish a fresh view now.
  if (id === "home") order("event", { event: { type: "app_home_opened", user: me, channel: appPlace(), tab: "home" } }, true).then(refresh);
}

function openThread(ts) {
  thread = ts;
  const box = by("thread");
  box.hidden = false;
  fill(box, el("header", { class: "head" }, el("h2", { text: "Thread" }),
    el("button", { type: "button", class: "plain", "aria-label": "Close the thread", text: "✕", onclick: closeThread })),
  el("div", { class: "messages", role: "log", "aria-label": "Thread", tabindex: "0" }));
  by("frame").classList.add("threaded");
  draw();
  box.querySelector("button").focus();
}

function closeThread() {
  if (!thread) return;
  const back = thread;
  thread = null;
  by("thread").hidden = true;
  by("frame").classList.remove("threaded");
  by("messages").querySelector(`[data-ts="${CSS.escape(back)}"]`)?.focus({ preventScroll: true });
}

function sidebar(open) {
  by("frame").classList.toggle("placed", open);
  by("open-sidebar").setAttribute("aria-expanded", String(open));
  by("shade").hidden = !open;
  if (open) by("places").querySelector("[aria-current]")?.focus();
}

function panel(open) {
  by("frame").classList.toggle("unpanelled", !open);
  by("open-panel").setAttribute("aria-expanded", String(open));
}

async function send(event) {
  event.preventDefault();
  const field = by("command");
  const text = field.value.trim();
  if (!text) return;
  if (!text.startsWith("/")) {
    tell("Only slash commands go to the app: try /ackbell help");
    return;
  }
  const [command, ...rest] = text.split(" ");
  field.value = "";
  await order("slash", { command, text: rest.join(" ").trim(), channel: place, user: me });
  await refresh();
}

function theme(next) {
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
}

theme(remembered("theme"));
by("theme").addEventListener("click", () => {
  const isDark = getComputedStyle(document.documentElement).getPropertyValue("color-scheme") === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  theme(isDark ? "light" : "dark");
  remember("theme", isDark ? "light" : "dark");
});
by("me").addEventListener("change", (event) => { me = event.target.value; remember("me", me); closeThread(); draw(); });
by("composer").addEventListener("submit", send);
by("open-sidebar").addEventListener("click", () => sidebar(true));
by("shade").addEventListener("click", () => sidebar(false));
by("open-panel").addEventListener("click", () => {
  const open = !by("panel").checkVisibility();
  // There is room for one of the two.
  if (open) closeThread();
  panel(open);
});
by("close-panel").addEventListener("click", () => { panel(false); by("open-panel").focus(); });
addEventListener("hashchange", () => go(decodeURIComponent(location.hash.slice(1))));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open], :popover-open")) return;
  if (by("frame").classList.contains("placed")) sidebar(false);
  else closeThread();
});
panel(wide.matches);
new EventSource("/_sandbox/changes").addEventListener("message", refresh);
