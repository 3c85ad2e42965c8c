// Block Kit and attachments as nodes: https://docs.slack.dev/reference/block-kit/
import { agreed, el } from "./dom.js";
import { clock, emoji, link, plain, written } from "./text.js";

/** What a message shows. `ctx`: `names`, and where things can be touched `act(block, element, option)` and `control`. */
export function content(message, ctx) {
  const blocks = message.blocks && message.blocks.length ? message.blocks.map((block) => drawn(block, ctx)) : [];
  if (!blocks.length && message.text) blocks.push(el("div", { class: "block section" }, written(message.text, ctx.names)));
  return [...blocks, ...(message.attachments || []).map((one) => attachment(one, ctx))];
}

/** One block. */
export function drawn(block, ctx) {
  const draw = BLOCKS[block.type];
  return draw ? draw(block, ctx) : el("div", { class: "block unknown", text: `[${block.type}]` });
}

const BLOCKS = {
  section: (block, ctx) => el("div", { class: "block section" },
    el("div", { class: "words" },
      block.text && el("div", { class: "text" }, written(block.text, ctx.names)),
      block.fields && el("div", { class: "fields" }, block.fields.map((field) => el("div", {}, written(field, ctx.names))))),
    block.accessory && el("div", { class: "accessory" }, touchable(block, block.accessory, ctx))),
  header: (block) => el("h3", { class: "block header" }, plain(block.text)),
  divider: () => el("hr", { class: "block" }),
  context: (block, ctx) => el("div", { class: "block context" },
    block.elements.map((part) => el("span", {}, part.type === "image" ? picture(part) : written(part, ctx.names)))),
  actions: (block, ctx) => el("div", { class: "block actions" }, block.elements.map((part) => touchable(block, part, ctx))),
  image: (block) => el("div", { class: "block" }, picture(block)),
  markdown: (block, ctx) => el("div", { class: "block section" }, written(block.text, ctx.names)),
  rich_text: (block, ctx) => el("div", { class: "block rich" }, block.elements.map((part) => rich(part, ctx))),
  input: (block, ctx) => (ctx.input ? ctx.input(block) : el("div", { class: "block" }, plain(block.label))),
};

/** No picture is fetched: what it stands for is shown. */
function picture(part) {
  return el("span", { class: "picture", role: "img", "aria-label": part.alt_text || "", text: `🖼 ${part.alt_text || ""}` });
}

function rich(part, ctx) {
  const inside = () => (part.elements || []).map((one) => (RICH[one.type] || richest)(one, ctx));
  if (part.type === "rich_text_preformatted") return el("pre", {}, el("code", {}, inside()));
  if (part.type === "rich_text_quote") return el("blockquote", {}, inside());
  if (part.type === "rich_text_list") return el(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((one) => el("li", {}, rich(one, ctx))));
  return el("div", { class: "text" }, inside());
}

const RICH = {
  text: (one) => {
    const style = one.style || {};
    const tags = [["code", style.code], ["s", style.strike], ["em", style.italic], ["strong", style.bold]];
    return tags.filter(([, on]) => on).reduce((inner, [tag]) => el(tag, {}, inner), one.text);
  },
  emoji: (one) => emoji(one.name),
  link: (one) => link(one.url, one.text || one.url),
  user: (one, ctx) => el("span", { class: "mention", text: `@${ctx.names?.user(one.user_id) || one.user_id}` }),
  channel: (one, ctx) => el("span", { class: "mention", text: `#${ctx.names?.channel(one.channel_id) || one.channel_id}` }),
  broadcast: (one) => el("span", { class: "mention", text: `@${one.range}` }),
};

function richest(one) {
  return one.fallback || one.text || "";
}

/** Something to touch: what can't be touched here is drawn all the same. */
function touchable(block, element, ctx) {
  if (element.type === "image") return picture(element);
  if (element.type === "overflow") return overflow(block, element, ctx);
  if (element.type === "button" || element.type === "workflow_button") return button(block, element, ctx);
  const changed = (option) => act(block, element, option, null, ctx);
  return ctx.control ? ctx.control(element, undefined, changed) : el("span", { class: "button quiet", text: `[${element.type}]` });
}

async function act(block, element, option, node, ctx) {
  if (!ctx.act || node?.getAttribute("aria-busy")) return;
  if (element.confirm && !(await agreed(element.confirm))) return;
  node?.setAttribute("aria-busy", "true");
  await ctx.act(block, element, option);
  node?.removeAttribute("aria-busy");
}

function button(block, element, ctx) {
  const style = ["primary", "danger"].includes(element.style) ? element.style : "";
  const properties = { class: `button ${style}`, "data-action": element.action_id, "aria-label": element.accessibility_label };
  if (!/^https?:/i.test(element.url || "")) {
    return el("button", { type: "button", ...properties, onclick: (event) => act(block, element, null, event.currentTarget, ctx) }, plain(element.text));
  }
  const node = link(element.url, "", properties);
  node.append(...plain(element.text));
  node.addEventListener("click", () => act(block, element, null, null, ctx));
  return node;
}

/** A menu in the top layer, so that nothing cuts it off; Escape and a click elsewhere close it. */
function overflow(block, element, ctx) {
  const items = element.options.map((option) => el("button", { type: "button", role: "menuitem", tabindex: "-1",
    "data-option": option.value, onclick: () => { menu.hidePopover(); act(block, element, option.value, opener, ctx); } },
  plain(option.text), option.description && el("small", {}, plain(option.description))));
  const menu = el("div", { class: "menu", role: "menu", popover: "auto" }, items);
  const opener = el("button", { type: "button", class: "button", "data-action": element.action_id, "aria-label": "More actions",
    "aria-haspopup": "menu", "aria-expanded": "false", text: "⋯", onclick: () => menu.togglePopover() });
  menu.addEventListener("toggle", (event) => {
    const opened = event.newState === "open";
    opener.setAttribute("aria-expanded", String(opened));
    if (!opened) return;
    const at = opener.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, window.innerWidth - menu.offsetWidth - 8));
    const below = at.bottom + 4 + menu.offsetHeight < window.innerHeight;
    menu.style.left = `${left}px`;
    menu.style.top = `${below ? at.bottom + 4 : at.top - menu.offsetHeight - 4}px`;
    items[0]?.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = items.indexOf(document.activeElement) + step;
    items[(next + items.length) % items.length].focus();
  });
  return el("span", { class: "overflow" }, opener, menu);
}

const COLOURS = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };

/** An attachment beside its bar, also of the old kind without blocks. */
function attachment(one, ctx) {
  const colour = COLOURS[one.color] || (/^#?[0-9a-f]{6}$/i.test(one.color || "") ? `#${one.color.replace("#", "")}` : null);
  const blocks = one.blocks && one.blocks.length ? one.blocks.map((block) => drawn(block, ctx)) : legacy(one, ctx);
  const node = el("div", { class: "attachment" }, blocks);
  if (colour) node.style.setProperty("--bar", colour);
  const before = one.pretext && el("div", { class: "block section" }, written(one.pretext, ctx.names));
  return before ? el("div", {}, before, node) : node;
}

function legacy(one, ctx) {
  const title = one.title && (one.title_link ? link(one.title_link, one.title) : one.title);
  const pressed = (action, option) => act({ legacy: true }, { ...action, confirm: undefined }, option, null, ctx);
  const actions = (one.actions || []).map((action) => (action.type === "select"
    ? el("select", { class: "field", "aria-label": action.text, onchange: (event) => pressed(action, event.target.value) },
      el("option", { value: "", text: action.text }), (action.options || []).map((option) => el("option", { value: option.value, text: option.text })))
    : el("button", { type: "button", class: `button ${action.style || ""}`, text: action.text, onclick: () => pressed(action, null) })));
  const footer = [one.footer, one.ts && clock(new Date(one.ts * 1000))].filter(Boolean).join(" · ");
  return [
    one.author_name && el("div", { class: "block context", text: one.author_name }),
    title && el("div", { class: "block section" }, el("strong", {}, title)),
    one.text && el("div", { class: "block section" }, written(one.text, ctx.names)),
    one.fields && el("div", { class: "block fields" }, one.fields.map((field) => el("div", {}, el("strong", { text: field.title }), el("br"), written(String(field.value), ctx.names)))),
    !one.text && !title && !one.fields && one.fallback && el("div", { class: "block section", text: one.fallback }),
    footer && el("div", { class: "block context", text: footer }),
    actions.length > 0 && el("div", { class: "block actions" }, actions),
  ];
}
