//! Secondary attachments, the only way to a coloured bar.
//! <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>

use serde_json::{Map, Value};

use super::limits::{ATTACHMENT_ACTIONS_MAX, ATTACHMENT_FOOTER_MAX, ATTACHMENT_VALUE_MAX};
use super::{Findings, Surface, blocks, mrkdwn};

const KNOWN: &[&str] = &[
    "fallback",
    "color",
    "pretext",
    "author_name",
    "author_link",
    "author_icon",
    "author_id",
    "title",
    "title_link",
    "text",
    "fields",
    "image_url",
    "thumb_url",
    "footer",
    "footer_icon",
    "ts",
    "mrkdwn_in",
    "actions",
    "callback_id",
    "attachment_type",
    "blocks",
    "id",
];
const ACTION: &[&str] = &[
    "name",
    "text",
    "type",
    "value",
    "confirm",
    "style",
    "options",
    "option_groups",
    "data_source",
    "selected_options",
    "min_query_length",
    "url",
    "id",
];

/// Every attachment of a message.
pub(super) fn check(list: &[Value], findings: &mut Findings) {
    for (index, value) in list.iter().enumerate() {
        let pointer = format!("/attachments/{index}");
        if let Some(fields) = findings.object(value, &pointer) {
            attachment(fields, &pointer, findings);
        }
    }
}

fn attachment(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    for (name, value) in fields {
        if !KNOWN.contains(&name.as_str()) {
            findings.add_violation("unknown_field", format!("{pointer}/{name}"));
        } else if value.is_null() {
            findings.add_violation("null_value", format!("{pointer}/{name}"));
        }
    }
    match fields.get("blocks") {
        Some(Value::Array(list)) => blocks::check(list, &format!("{pointer}/blocks"), Surface::Message, findings),
        Some(_) => findings.problem(&format!("{pointer}/blocks"), "must be an array"),
        None => {
            let filled = |name| fields.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            if !filled("fallback") && !filled("text") {
                findings.problem(pointer, "missing required field: fallback");
            }
        }
    }
    if let Some(color) = fields.get("color")
        && !color.as_str().is_some_and(is_color)
    {
        findings.add_violation("bad_color", format!("{pointer}/color: {color}"));
    }
    findings.string(fields, pointer, "footer", ATTACHMENT_FOOTER_MAX);
    for name in ["text", "pretext"] {
        if let Some(text) = fields.get(name).and_then(Value::as_str) {
            mrkdwn::check(text, &format!("{pointer}/{name}"), findings);
        }
    }
    field_list(fields, pointer, findings);
    actions(fields, pointer, findings);
}

fn is_color(color: &str) -> bool {
    let hex = color.strip_prefix('#').unwrap_or(color);
    let digits = matches!(hex.len(), 3 | 6) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits || ["good", "warning", "danger"].contains(&color)
}

fn field_list(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    for (index, value) in findings.list(fields, pointer, "fields", (0, usize::MAX)).iter().enumerate() {
        let pointer = format!("{pointer}/fields/{index}");
        let Some(field) = findings.object(value, &pointer) else { continue };
        for name in field.keys().filter(|name| !["title", "value", "short"].contains(&name.as_str())) {
            findings.add_violation("unknown_field", format!("{pointer}/{name}"));
        }
        if let Some(text) = field.get("value").and_then(Value::as_str) {
            mrkdwn::check(text, &format!("{pointer}/value"), findings);
        }
    }
}

/// Legacy buttons and menus need a `callback_id`.
/// <https://docs.slack.dev/legacy/legacy-messaging/legacy-interactive-message-field-guide>
fn actions(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let list = findings.list(fields, pointer, "actions", (0, ATTACHMENT_ACTIONS_MAX));
    let only_links = list.iter().all(|action| action.get("url").is_some());
    if !list.is_empty() && !only_links && !fields.get("callback_id").is_some_and(Value::is_string) {
        findings.problem(pointer, "missing required field: callback_id");
    }
    for (index, value) in list.iter().enumerate() {
        let pointer = format!("{pointer}/actions/{index}");
        let Some(action) = findings.object(value, &pointer) else { continue };
        findings.known_fields(action, &pointer, &[ACTION]);
        findings.required_string(action, &pointer, "text", usize::MAX);
        findings.required(action, &pointer, "type");
        findings.one_of(action, &pointer, "type", &["button", "select"]);
        findings.one_of(action, &pointer, "style", &["default", "primary", "danger"]);
        findings.string(action, &pointer, "value", ATTACHMENT_VALUE_MAX);
    }
}
