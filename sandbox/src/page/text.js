// Slack's markup as nodes: https://docs.slack.dev/messaging/formatting-message-text
import { el } from "./dom.js";

/** The short names that ackbell and its neighbours use; any other stays as it is written. */
const EMOJI = {
  red_circle: "🔴", large_orange_circle: "🟠", large_yellow_circle: "🟡", large_green_circle: "🟢", large_blue_circle: "🔵",
  large_purple_circle: "🟣", white_circle: "⚪", black_circle: "⚫", information_source: "ℹ️", warning: "⚠️", bell: "🔔",
  no_bell: "🔕", eyes: "👀", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", rotating_light: "🚨", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", wrench: "🔧", hammer_and_wrench: "🛠️", fire: "🔥", zzz: "💤", repeat: "🔁",
  arrows_counterclockwise: "🔄", lock: "🔒", speech_balloon: "💬", mag: "🔍", house: "🏠", gear: "⚙️", link: "🔗",
  question: "❓", exclamation: "❗", bulb: "💡", calendar: "📅", tada: "🎉", wave: "👋", "+1": "👍", thumbsup: "👍",
  point_right: "👉", clock3: "🕒", no_entry: "⛔", construction: "🚧", chart_with_upwards_trend: "📈", email: "✉️",
};

/** What no letter or word joiner touches: only there a marker of bold, italic or strike opens or ends. */
const MARKUP = new RegExp([
  "`([^`\\n]+)`(?!\\u2060)",
  "<([^<>\\n]+)>",
  ":([a-z0-9_+-]+):",
  "(?<![\\w*])\\*(?![\\s\\u2060*])([^*\\n]*[^*\\s])\\*(?![\\w*\\u2060])",
  "(?<![\\w_])_(?![\\s\\u2060_])([^_\\n]*[^_\\s])_(?![\\w_\\u2060])",
  "(?<![\\w~])~(?![\\s\\u2060~])([^~\\n]*[^~\\s])~(?![\\w~\\u2060])",
].join("|"), "g");

/** One emoji by its short name. */
export function emoji(name) {
  const found = EMOJI[name];
  return found ? el("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " "), text: found }) : `:${name}:`;
}

/** A text object, or a text in markup. */
export function written(text, names) {
  if (typeof text === "string") return markup(text, names);
  if (!text || typeof text.text !== "string") return [];
  return text.type === "plain_text" ? plain(text) : markup(text.text, names);
}

/** Plain text: emoji unless it says no, and lines. */
export function plain(text) {
  const parts = text.emoji === false ? [text.text] : text.text.split(/(:[a-z0-9_+-]+:)/);
  return parts.flatMap((part, index) => (index % 2 ? emoji(part.slice(1, -1)) : lines(part)));
}

/** Markup: fences, quotes, then what stands in a line. */
export function markup(text, names) {
  return text.split(/```/).flatMap((part, index, all) => {
    if (index % 2 && index < all.length - 1) return el("pre", {}, el("code", { text: entities(part.replace(/^\n/, "").replace(/\n$/, "")) }));
    const outside = index % 2 ? "```" + part : part;
    return quotes(index ? outside.replace(/^\n/, "") : outside, names);
  });
}

function quotes(text, names) {
  const parts = [];
  for (const line of text.split("\n")) {
    const quoted = line.match(/^(?:>|&gt;) ?(.*)$/);
    const last = parts.at(-1);
    if (last && last.quoted === Boolean(quoted)) last.lines.push(quoted ? quoted[1] : line);
    else parts.push({ quoted: Boolean(quoted), lines: [quoted ? quoted[1] : line] });
  }
  return parts.flatMap(({ quoted, lines: own }) => {
    const nodes = inline(own.join("\n"), names);
    return quoted ? el("blockquote", {}, nodes) : nodes;
  });
}

function inline(text, names) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(MARKUP)) {
    nodes.push(lines(entities(text.slice(end, found.index))));
    const [, code, entity, short, bold, italic, struck] = found;
    if (code !== undefined) nodes.push(el("code", { text: entities(code) }));
    else if (entity !== undefined) nodes.push(reference(entity, names));
    else if (short !== undefined) nodes.push(emoji(short));
    else if (bold !== undefined) nodes.push(el("strong", {}, inline(bold, names)));
    else if (italic !== undefined) nodes.push(el("em", {}, inline(italic, names)));
    else nodes.push(el("s", {}, inline(struck, names)));
    end = found.index + found[0].length;
  }
  nodes.push(lines(entities(text.slice(end))));
  return nodes.flat();
}

/** What stands in angle brackets: a person, a channel, a group, a time, a link. */
function reference(body, names) {
  const [target, label] = body.includes("|") ? [body.slice(0, body.indexOf("|")), body.slice(body.indexOf("|") + 1)] : [body, null];
  const mention = (sign, text) => el("span", { class: "mention", text: sign + entities(text) });
  if (target.startsWith("@")) return mention("@", label || names?.user(target.slice(1)) || target.slice(1));
  if (target.startsWith("#")) return mention("#", label || names?.channel(target.slice(1)) || target.slice(1));
  if (target.startsWith("!subteam^")) return mention("@", label || names?.group(target.slice(9)) || target.slice(9));
  if (target.startsWith("!date^")) return date(target, label);
  if (target.startsWith("!")) return mention("@", target.slice(1));
  return link(entities(target), entities(label || target));
}

/** A link to the web or to a mailbox; anything else is only its label. */
export function link(url, label, more) {
  if (!/^(https?:\/\/|mailto:)/i.test(url)) return document.createTextNode(label);
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer", ...more, text: label });
}

function date(target, fallback) {
  const [, seconds, format] = target.split("^");
  const time = new Date(Number(seconds) * 1000);
  if (Number.isNaN(time.getTime())) return document.createTextNode(entities(fallback || target));
  const text = entities(format).replace(/\{(\w+)\}/g, (whole, token) => (DATES[token] ? DATES[token](time) : whole));
  return el("time", { datetime: time.toISOString(), title: entities(fallback || ""), text });
}

const DATES = {
  date_num: (time) => local(time, { year: "numeric", month: "2-digit", day: "2-digit" }),
  date: (time) => local(time, { year: "numeric", month: "long", day: "numeric" }),
  date_short: (time) => local(time, { year: "numeric", month: "short", day: "numeric" }),
  date_long: (time) => local(time, { weekday: "long", year: "numeric", month: "long", day: "numeric" }),
  date_pretty: (time) => day(time) || DATES.date(time),
  date_short_pretty: (time) => day(time) || DATES.date_short(time),
  date_long_pretty: (time) => day(time) || DATES.date_long(time),
  time: (time) => clock(time),
  time_secs: (time) => clock(time, true),
};

function local(time, options) {
  return time.toLocaleDateString("en", options);
}

/** Today and yesterday by their names. */
export function day(time) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(time).setHours(0, 0, 0, 0)) / 86400000);
  return { 0: "Today", 1: "Yesterday" }[days];
}

/** A day in words. */
export function dated(time) {
  return day(time) || local(time, { weekday: "long", month: "long", day: "numeric" });
}

/** The time of day. */
export function clock(time, seconds) {
  return time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}

function lines(text) {
  return text.split("\n").flatMap((line, index) => (index ? [el("br"), line] : [line])).filter((part) => part !== "");
}

function entities(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
