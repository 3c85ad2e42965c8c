//! Composition objects: text, confirmation, option.
//! <https://docs.slack.dev/reference/block-kit/composition-objects/>

use serde_json::{Map, Value};

use super::limits::{
    CONFIRM_BUTTON_MAX, CONFIRM_TEXT_MAX, CONFIRM_TITLE_MAX, OPTION_GROUPS_MAX, OPTION_TEXT_MAX, OPTION_VALUE_MAX,
    OPTIONS_MAX, URL_MAX,
};
use super::{Findings, mrkdwn};

/// Which text objects a place takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Any,
}

/// A text object of 1 to `max` characters.
pub(super) fn text(value: &Value, pointer: &str, kind: Kind, max: usize, findings: &mut Findings) {
    let Some(fields) = findings.object(value, pointer) else { return };
    let given = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    match given {
        "plain_text" => findings.known_fields(fields, pointer, &[&["type", "text", "emoji"]]),
        "mrkdwn" if kind == Kind::Any => findings.known_fields(fields, pointer, &[&["type", "text", "verbatim"]]),
        "mrkdwn" => findings.problem(&format!("{pointer}/type"), "must be a valid enum value: plain_text"),
        other => findings.problem(&format!("{pointer}/type"), &format!("unsupported type: {other}")),
    }
    findings.boolean(fields, pointer, "emoji");
    findings.boolean(fields, pointer, "verbatim");
    findings.required_string(fields, pointer, "text", max);
    if let Some(text) = fields.get("text").and_then(Value::as_str)
        && given == "mrkdwn"
    {
        mrkdwn::check(text, &format!("{pointer}/text"), findings);
    }
}

/// A field that is a text object, if it is there.
pub(super) fn text_field(
    fields: &Map<String, Value>,
    pointer: &str,
    name: &str,
    (kind, max): (Kind, usize),
    findings: &mut Findings,
) {
    if let Some(value) = fields.get(name) {
        text(value, &format!("{pointer}/{name}"), kind, max, findings);
    }
}

/// The same, and it must be there.
pub(super) fn required_text(
    fields: &Map<String, Value>,
    pointer: &str,
    name: &str,
    rule: (Kind, usize),
    findings: &mut Findings,
) {
    if findings.required(fields, pointer, name).is_some() {
        text_field(fields, pointer, name, rule, findings);
    }
}

/// <https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object>
pub(super) fn confirm(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let Some(value) = fields.get("confirm") else { return };
    let pointer = format!("{pointer}/confirm");
    let Some(fields) = findings.object(value, &pointer) else { return };
    findings.known_fields(fields, &pointer, &[&["title", "text", "confirm", "deny", "style"]]);
    required_text(fields, &pointer, "title", (Kind::Plain, CONFIRM_TITLE_MAX), findings);
    required_text(fields, &pointer, "text", (Kind::Any, CONFIRM_TEXT_MAX), findings);
    required_text(fields, &pointer, "confirm", (Kind::Plain, CONFIRM_BUTTON_MAX), findings);
    required_text(fields, &pointer, "deny", (Kind::Plain, CONFIRM_BUTTON_MAX), findings);
    findings.one_of(fields, &pointer, "style", &["primary", "danger"]);
}

/// Options of a menu; radio buttons and checkboxes take mrkdwn, an overflow menu takes a `url`.
pub(super) fn option(value: &Value, pointer: &str, kind: Kind, with_url: bool, findings: &mut Findings) {
    let Some(fields) = findings.object(value, pointer) else { return };
    let url: &[&str] = if with_url { &["url"] } else { &[] };
    findings.known_fields(fields, pointer, &[&["text", "value", "description"], url]);
    required_text(fields, pointer, "text", (kind, OPTION_TEXT_MAX), findings);
    findings.required_string(fields, pointer, "value", OPTION_VALUE_MAX);
    text_field(fields, pointer, "description", (kind, OPTION_TEXT_MAX), findings);
    findings.url(fields, pointer, "url", URL_MAX);
}

/// `options` or `option_groups`, one of which must be there.
pub(super) fn menu(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    if fields.contains_key("options") == fields.contains_key("option_groups") {
        findings.problem(pointer, "must have either options or option_groups");
    }
    options(fields, pointer, (Kind::Plain, OPTIONS_MAX), findings);
    let groups = findings.list(fields, pointer, "option_groups", (1, OPTION_GROUPS_MAX));
    for (index, group) in groups.iter().enumerate() {
        let pointer = format!("{pointer}/option_groups/{index}");
        let Some(fields) = findings.object(group, &pointer) else { continue };
        findings.known_fields(fields, &pointer, &[&["label", "options"]]);
        required_text(fields, &pointer, "label", (Kind::Plain, OPTION_TEXT_MAX), findings);
        options(fields, &pointer, (Kind::Plain, OPTIONS_MAX), findings);
    }
}

/// A plain list of options.
pub(super) fn options(fields: &Map<String, Value>, pointer: &str, (kind, max): (Kind, usize), findings: &mut Findings) {
    for (index, value) in findings.list(fields, pointer, "options", (1, max)).iter().enumerate() {
        option(value, &format!("{pointer}/options/{index}"), kind, false, findings);
    }
}
