//! Block elements. <https://docs.slack.dev/reference/block-kit/block-elements/>

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Findings;
use super::limits::{
    ACCESSIBILITY_LABEL_MAX, ACTION_ID_MAX, BUTTON_TEXT_MAX, BUTTON_VALUE_MAX, CHOICES_MAX, IMAGE_TEXT_MAX,
    INPUT_LENGTH_MAX, OVERFLOW_OPTIONS_MAX, PLACEHOLDER_MAX, URL_MAX,
};
use super::objects::{Kind, confirm, menu, option, options, required_text, text_field};

const MENUS: [&str; 10] = [
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
];
const CHOOSERS: [&str; 6] =
    ["datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons", "rich_text_input"];
const INPUTS: [&str; 5] = ["plain_text_input", "number_input", "email_text_input", "url_text_input", "file_input"];

/// Where an element stands; each place takes other ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementPosition {
    Actions,
    Accessory,
    Input,
}

impl ElementPosition {
    fn takes(self, kind: &str) -> bool {
        let menu = MENUS.contains(&kind) || CHOOSERS.contains(&kind);
        match self {
            Self::Actions => menu || ["button", "overflow", "workflow_button"].contains(&kind),
            Self::Accessory => {
                (menu && kind != "datetimepicker" && kind != "rich_text_input")
                    || ["button", "overflow", "image", "workflow_button"].contains(&kind)
            }
            Self::Input => menu || INPUTS.contains(&kind),
        }
    }
}

/// One element; every `action_id` is unique in their block.
pub(super) fn check(
    value: &Value,
    pointer: &str,
    position: ElementPosition,
    ids: &mut HashSet<String>,
    findings: &mut Findings,
) {
    let Some(fields) = findings.object(value, pointer) else { return };
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    if !position.takes(kind) {
        findings.problem(pointer, &format!("unsupported type: {kind}"));
        return;
    }
    if kind == "image" {
        return image(fields, pointer, &["type"], findings);
    }
    findings.string(fields, pointer, "action_id", ACTION_ID_MAX);
    if let Some(id) = fields.get("action_id").and_then(Value::as_str)
        && !ids.insert(id.to_owned())
    {
        findings.problem(&format!("{pointer}/action_id"), &format!("`action_id` {id} already exists"));
    }
    confirm(fields, pointer, findings);
    match kind {
        "button" => button(fields, pointer, findings),
        "overflow" => overflow(fields, pointer, findings),
        "checkboxes" | "radio_buttons" => choices(fields, pointer, findings),
        "plain_text_input" => text_input(fields, pointer, findings),
        _ => chooser(kind, fields, pointer, findings),
    }
}

/// An image, as an element or as a block with more fields.
pub(super) fn image(fields: &Map<String, Value>, pointer: &str, more: &[&str], findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[&["image_url", "slack_file", "alt_text"], more]);
    if fields.contains_key("image_url") == fields.contains_key("slack_file") {
        findings.problem(pointer, "must provide either image_url or slack_file");
    }
    findings.url(fields, pointer, "image_url", URL_MAX);
    findings.required_string(fields, pointer, "alt_text", IMAGE_TEXT_MAX);
}

fn button(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let known = &["type", "action_id", "text", "value", "url", "style", "confirm", "accessibility_label"];
    findings.known_fields(fields, pointer, &[known]);
    required_text(fields, pointer, "text", (Kind::Plain, BUTTON_TEXT_MAX), findings);
    findings.string(fields, pointer, "value", BUTTON_VALUE_MAX);
    findings.url(fields, pointer, "url", URL_MAX);
    findings.string(fields, pointer, "accessibility_label", ACCESSIBILITY_LABEL_MAX);
    findings.one_of(fields, pointer, "style", &["primary", "danger"]);
}

fn overflow(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[&["type", "action_id", "options", "confirm"]]);
    findings.required(fields, pointer, "options");
    for (index, value) in findings.list(fields, pointer, "options", (1, OVERFLOW_OPTIONS_MAX)).iter().enumerate() {
        option(value, &format!("{pointer}/options/{index}"), Kind::Plain, true, findings);
    }
}

fn choices(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let known = &["type", "action_id", "options", "initial_option", "initial_options", "confirm", "focus_on_load"];
    findings.known_fields(fields, pointer, &[known]);
    findings.required(fields, pointer, "options");
    options(fields, pointer, (Kind::Any, CHOICES_MAX), findings);
    initial(fields, pointer, findings);
}

/// What is chosen at first must be one of the options, in every field.
fn initial(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let grouped = fields.get("option_groups").and_then(Value::as_array).into_iter().flatten();
    let plain = fields.get("options").and_then(Value::as_array).into_iter().flatten();
    let all: Vec<&Value> = plain.chain(grouped.filter_map(|group| group["options"].as_array()).flatten()).collect();
    let several = fields.get("initial_options").and_then(Value::as_array).into_iter().flatten();
    for chosen in fields.get("initial_option").into_iter().chain(several) {
        if !all.contains(&chosen) {
            findings.problem(pointer, "initial option must be one of the options");
        }
    }
}

fn text_input(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let known = &[
        "type",
        "action_id",
        "placeholder",
        "initial_value",
        "multiline",
        "min_length",
        "max_length",
        "dispatch_action_config",
        "focus_on_load",
    ];
    findings.known_fields(fields, pointer, &[known]);
    text_field(fields, pointer, "placeholder", (Kind::Plain, PLACEHOLDER_MAX), findings);
    findings.boolean(fields, pointer, "multiline");
    for name in ["min_length", "max_length"] {
        let bad = fields.get(name).is_some_and(|value| value.as_u64().is_none_or(|length| length > INPUT_LENGTH_MAX));
        if bad {
            findings.problem(&format!("{pointer}/{name}"), &format!("must be less than {}", INPUT_LENGTH_MAX + 1));
        }
    }
}

fn chooser(kind: &str, fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    const COMMON: &[&str] = &["type", "action_id", "placeholder", "confirm", "focus_on_load"];
    let own: &[&str] = match kind {
        "static_select" => &["options", "option_groups", "initial_option"],
        "multi_static_select" => &["options", "option_groups", "initial_options", "max_selected_items"],
        "external_select" => &["initial_option", "min_query_length"],
        "multi_external_select" => &["initial_options", "min_query_length", "max_selected_items"],
        "users_select" => &["initial_user"],
        "multi_users_select" => &["initial_users", "max_selected_items"],
        "channels_select" => &["initial_channel", "response_url_enabled"],
        "multi_channels_select" => &["initial_channels", "max_selected_items"],
        "conversations_select" => {
            &["initial_conversation", "default_to_current_conversation", "response_url_enabled", "filter"]
        }
        "multi_conversations_select" => {
            &["initial_conversations", "default_to_current_conversation", "max_selected_items", "filter"]
        }
        "datepicker" => &["initial_date"],
        "timepicker" => &["initial_time", "timezone"],
        "datetimepicker" => &["initial_date_time"],
        "workflow_button" => &["text", "workflow", "style", "accessibility_label"],
        "file_input" => &["filetypes", "max_files"],
        "number_input" => {
            findings.required(fields, pointer, "is_decimal_allowed");
            &["is_decimal_allowed", "initial_value", "min_value", "max_value", "dispatch_action_config"]
        }
        _ => &["initial_value", "dispatch_action_config"],
    };
    findings.known_fields(fields, pointer, &[COMMON, own]);
    text_field(fields, pointer, "placeholder", (Kind::Plain, PLACEHOLDER_MAX), findings);
    if kind.ends_with("static_select") {
        menu(fields, pointer, findings);
        initial(fields, pointer, findings);
    }
}
