//! Views: modals and App Home. <https://docs.slack.dev/reference/views/>

use serde_json::{Map, Value};

use super::limits::{ACTION_ID_MAX, VIEW_CALLBACK_ID_MAX, VIEW_METADATA_MAX, VIEW_TITLE_MAX};
use super::objects::{Kind, required_text, text_field};
use super::{Findings, Surface, blocks};

const COMMON: &[&str] = &["type", "blocks", "private_metadata", "callback_id", "external_id"];
const MODAL: &[&str] = &["title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled"];

/// Checks a view for that surface.
pub(in super::super) fn view(value: &Value, surface: Surface) -> Findings {
    let mut findings = Findings::default();
    let Some(fields) = findings.object(value, "/view") else { return findings };
    let own: &[&str] = if surface == Surface::Modal { MODAL } else { &[] };
    findings.known_fields(fields, "/view", &[COMMON, own]);
    let kind = if surface == Surface::Modal { "modal" } else { "home" };
    findings.required(fields, "/view", "type");
    findings.one_of(fields, "/view", "type", &[kind]);
    findings.string(fields, "/view", "callback_id", VIEW_CALLBACK_ID_MAX);
    findings.string(fields, "/view", "external_id", ACTION_ID_MAX);
    if let Some(metadata) = fields.get("private_metadata") {
        match metadata.as_str() {
            Some(text) => findings.length(text, "/view/private_metadata", 0, VIEW_METADATA_MAX),
            None => findings.problem("/view/private_metadata", "must be a string"),
        }
    }
    match findings.required(fields, "/view", "blocks").map(Value::as_array) {
        Some(Some(list)) => blocks::check(list, "/view/blocks", surface, &mut findings),
        Some(None) => findings.problem("/view/blocks", "must be an array"),
        None => {}
    }
    if surface == Surface::Modal {
        modal(fields, &mut findings);
    }
    findings
}

fn modal(fields: &Map<String, Value>, findings: &mut Findings) {
    required_text(fields, "/view", "title", (Kind::Plain, VIEW_TITLE_MAX), findings);
    text_field(fields, "/view", "submit", (Kind::Plain, VIEW_TITLE_MAX), findings);
    text_field(fields, "/view", "close", (Kind::Plain, VIEW_TITLE_MAX), findings);
    let blocks = fields.get("blocks").and_then(Value::as_array).into_iter().flatten();
    let asks = blocks.into_iter().any(|block| block["type"] == "input");
    if asks && !fields.contains_key("submit") {
        findings.problem("/view/submit", "missing required field: submit");
    }
}
