// What a form asks for: https://docs.slack.dev/reference/block-kit/block-elements/
import { el } from "./dom.js";
import { plain } from "./text.js";

/** The control of an element that holds a state. `changed` is given each new value, as the control API takes it. */
export function control(element, value, changed, shown, more) {
  const make = CONTROLS[element.type];
  if (!make) return el("span", { class: "button quiet", text: `[${element.type}]` });
  return make(element, value === undefined ? initial(element) : value, changed, { "data-action": element.action_id, ...more }, shown);
}

/** What stands in an element at first. */
function initial(element) {
  const options = (list) => (list || []).map((option) => option.value);
  if (element.type === "checkboxes" || element.type === "multi_static_select") return options(element.initial_options);
  if (element.initial_option) return element.initial_option.value;
  const names = ["value", "date", "time", "date_time", "user", "conversation", "channel", "users", "conversations", "channels"];
  return names.map((name) => element[`initial_${name}`]).find((value) => value !== undefined) ?? null;
}

const CONTROLS = {
  plain_text_input: (element, value, changed, more) => typed(element, "text", value, changed, more),
  number_input: (element, value, changed, more) => typed(element, "number", value, changed, more),
  email_text_input: (element, value, changed, more) => typed(element, "email", value, changed, more),
  url_text_input: (element, value, changed, more) => typed(element, "url", value, changed, more),
  datepicker: (element, value, changed, more) => typed(element, "date", value, changed, more),
  timepicker: (element, value, changed, more) => typed(element, "time", value, changed, more),
  datetimepicker: moment,
  static_select: (element, value, changed, more) => select(element, offered(element), value, changed, more),
  external_select: (element, value, changed, more) => select(element, offered(element), value, changed, more),
  multi_static_select: (element, value, changed, more) => choices(element, "checkbox", value, changed, more),
  checkboxes: (element, value, changed, more) => choices(element, "checkbox", value, changed, more),
  radio_buttons: (element, value, changed, more) => choices(element, "radio", value, changed, more),
  users_select: (element, value, changed, more, shown) => select(element, people(shown), value, changed, more),
  channels_select: (element, value, changed, more, shown) => select(element, rooms(shown), value, changed, more),
  conversations_select: (element, value, changed, more, shown) => select(element, rooms(shown), value, changed, more),
};

function typed(element, type, value, changed, more) {
  const many = element.multiline === true;
  const node = el(many ? "textarea" : "input", { class: "field", type: many ? null : type, rows: many ? "3" : null,
    maxlength: element.max_length, placeholder: element.placeholder?.text, ...more,
    oninput: () => changed(node.value === "" ? null : node.value) });
  node.value = value ?? "";
  return node;
}

function moment(element, value, changed, more) {
  const node = el("input", { class: "field", type: "datetime-local", ...more,
    oninput: () => changed(node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null) });
  if (value) {
    const here = new Date(value * 1000 - new Date(value * 1000).getTimezoneOffset() * 60000);
    node.value = here.toISOString().slice(0, 16);
  }
  return node;
}

function offered(element) {
  const groups = element.option_groups || [{ options: element.options || [] }];
  return groups.flatMap((group) => group.options).map((option) => ({ value: option.value, label: option.text.text }));
}

function people(shown) {
  return shown.users.filter((user) => !user.deleted && !user.is_bot).map((user) => ({ value: user.id, label: `@${user.name}` }));
}

function rooms(shown) {
  return shown.channels.filter((channel) => channel.name).map((channel) => ({ value: channel.id, label: `#${channel.name}` }));
}

function select(element, options, value, changed, more) {
  const node = el("select", { class: "field", ...more, onchange: () => changed(node.value || null) },
    el("option", { value: "", text: element.placeholder?.text || "Choose…", disabled: value !== null && value !== undefined }),
    options.map((option) => el("option", { value: option.value, text: option.label })));
  node.value = value ?? "";
  return node;
}

let made = 0;

function choices(element, type, value, changed, { "data-action": action, ...more }) {
  const name = `choice${(made += 1)}`;
  const chosen = new Set([value ?? []].flat());
  const options = element.options || [];
  const touched = (option, on) => {
    if (type === "radio") return changed(option);
    chosen[on ? "add" : "delete"](option);
    return changed(options.map((each) => each.value).filter((each) => chosen.has(each)));
  };
  return el("div", { class: "choices", role: type === "radio" ? "radiogroup" : "group", "data-action": action, ...more },
    options.map((option) => el("label", {},
      el("input", { type, name, value: option.value, checked: chosen.has(option.value), onchange: (event) => touched(option.value, event.target.checked) }),
      el("span", {}, plain(option.text), option.description && el("small", {}, plain(option.description))))));
}
