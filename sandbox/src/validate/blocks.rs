//! Blocks. <https://docs.slack.dev/reference/block-kit/blocks/>

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::elements::{self, ElementPosition};
use super::limits::{
    ACTIONS_ELEMENTS_MAX, BLOCK_ID_MAX, BLOCKS_MESSAGE_MAX, BLOCKS_VIEW_MAX, CONTEXT_ELEMENTS_MAX, HEADER_MAX,
    IMAGE_TEXT_MAX, INPUT_TEXT_MAX, MARKDOWN_MAX, SECTION_FIELD_MAX, SECTION_FIELDS_MAX, TABLE_CELLS_MAX,
    TABLE_ROWS_MAX, TEXT_MAX, URL_MAX, VIDEO_AUTHOR_MAX, VIDEO_TITLE_MAX,
};
use super::objects::{Kind, required_text, text, text_field};
use super::{Findings, Surface};

/// What every block may have.
const COMMON: &[&str] = &["type", "block_id"];

/// The blocks of one message, attachment or view.
pub(super) fn check(list: &[Value], pointer: &str, surface: Surface, findings: &mut Findings) {
    let max = if surface == Surface::Message { BLOCKS_MESSAGE_MAX } else { BLOCKS_VIEW_MAX };
    if list.len() > max {
        findings.problem(pointer, &format!("no more than {max} items allowed"));
    }
    for (index, value) in list.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        let Some(fields) = findings.object(value, &pointer) else { continue };
        findings.string(fields, &pointer, "block_id", BLOCK_ID_MAX);
        if let Some(id) = fields.get("block_id").and_then(Value::as_str)
            && !findings.block_ids.insert(id.to_owned())
        {
            findings.problem(&format!("{pointer}/block_id"), &format!("`block_id` {id} already exists"));
        }
        block(fields, &pointer, surface, findings);
    }
}

fn block(fields: &Map<String, Value>, pointer: &str, surface: Surface, findings: &mut Findings) {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "divider" => findings.known_fields(fields, pointer, &[COMMON]),
        "header" => {
            findings.known_fields(fields, pointer, &[COMMON, &["text"]]);
            required_text(fields, pointer, "text", (Kind::Plain, HEADER_MAX), findings);
        }
        "section" => section(fields, pointer, findings),
        "context" => context(fields, pointer, findings),
        "actions" => actions(fields, pointer, findings),
        "image" => {
            elements::image(fields, pointer, &["type", "block_id", "title"], findings);
            text_field(fields, pointer, "title", (Kind::Plain, IMAGE_TEXT_MAX), findings);
        }
        "video" => video(fields, pointer, findings),
        "rich_text" => {
            findings.known_fields(fields, pointer, &[COMMON, &["elements"]]);
            findings.required(fields, pointer, "elements");
            findings.list(fields, pointer, "elements", (1, usize::MAX));
        }
        "input" if surface != Surface::Message => input(fields, pointer, findings),
        "markdown" if surface == Surface::Message => markdown(fields, pointer, findings),
        "table" if surface == Surface::Message => table(fields, pointer, findings),
        other => findings.problem(&format!("{pointer}/type"), &format!("unsupported type: {other}")),
    }
}

fn section(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[COMMON, &["text", "fields", "accessory", "expand"]]);
    if !fields.contains_key("text") && !fields.contains_key("fields") {
        findings.problem(pointer, "missing required field: text");
    }
    text_field(fields, pointer, "text", (Kind::Any, TEXT_MAX), findings);
    for (index, field) in findings.list(fields, pointer, "fields", (1, SECTION_FIELDS_MAX)).iter().enumerate() {
        text(field, &format!("{pointer}/fields/{index}"), Kind::Any, SECTION_FIELD_MAX, findings);
    }
    if let Some(accessory) = fields.get("accessory") {
        let pointer = format!("{pointer}/accessory");
        elements::check(accessory, &pointer, ElementPosition::Accessory, &mut HashSet::new(), findings);
    }
    findings.boolean(fields, pointer, "expand");
}

fn context(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[COMMON, &["elements"]]);
    findings.required(fields, pointer, "elements");
    for (index, element) in findings.list(fields, pointer, "elements", (1, CONTEXT_ELEMENTS_MAX)).iter().enumerate() {
        let pointer = format!("{pointer}/elements/{index}");
        match element.as_object().filter(|fields| fields.get("type").is_some_and(|kind| kind == "image")) {
            Some(fields) => elements::image(fields, &pointer, &["type"], findings),
            None => text(element, &pointer, Kind::Any, TEXT_MAX, findings),
        }
    }
}

fn actions(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[COMMON, &["elements"]]);
    findings.required(fields, pointer, "elements");
    let mut ids = HashSet::new();
    for (index, element) in findings.list(fields, pointer, "elements", (1, ACTIONS_ELEMENTS_MAX)).iter().enumerate() {
        elements::check(element, &format!("{pointer}/elements/{index}"), ElementPosition::Actions, &mut ids, findings);
    }
}

fn input(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[COMMON, &["label", "element", "hint", "optional", "dispatch_action"]]);
    required_text(fields, pointer, "label", (Kind::Plain, INPUT_TEXT_MAX), findings);
    text_field(fields, pointer, "hint", (Kind::Plain, INPUT_TEXT_MAX), findings);
    findings.boolean(fields, pointer, "optional");
    if let Some(element) = findings.required(fields, pointer, "element") {
        elements::check(element, &format!("{pointer}/element"), ElementPosition::Input, &mut HashSet::new(), findings);
    }
}

/// The limit holds for all markdown blocks of a message together.
fn markdown(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[COMMON, &["text"]]);
    findings.required_string(fields, pointer, "text", usize::MAX);
    findings.markdown_chars += fields.get("text").and_then(Value::as_str).unwrap_or_default().chars().count();
    if findings.markdown_chars > MARKDOWN_MAX {
        findings.problem(&format!("{pointer}/text"), &format!("must be less than {} characters", MARKDOWN_MAX + 1));
    }
}

fn table(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    findings.known_fields(fields, pointer, &[COMMON, &["rows", "column_settings"]]);
    findings.required(fields, pointer, "rows");
    findings.tables += 1;
    if findings.tables > 1 {
        findings.problem(pointer, "only one table allowed");
    }
    for (index, row) in findings.list(fields, pointer, "rows", (1, TABLE_ROWS_MAX)).iter().enumerate() {
        if !row.as_array().is_some_and(|cells| (1..=TABLE_CELLS_MAX).contains(&cells.len())) {
            findings.problem(&format!("{pointer}/rows/{index}"), &format!("must have 1 to {TABLE_CELLS_MAX} cells"));
        }
    }
}

fn video(fields: &Map<String, Value>, pointer: &str, findings: &mut Findings) {
    let known = &[
        "alt_text",
        "author_name",
        "description",
        "provider_icon_url",
        "provider_name",
        "title",
        "title_url",
        "thumbnail_url",
        "video_url",
    ];
    findings.known_fields(fields, pointer, &[COMMON, known]);
    required_text(fields, pointer, "title", (Kind::Plain, VIDEO_TITLE_MAX), findings);
    findings.string(fields, pointer, "author_name", VIDEO_AUTHOR_MAX);
    findings.required_string(fields, pointer, "alt_text", IMAGE_TEXT_MAX);
    for name in ["video_url", "thumbnail_url"] {
        findings.required(fields, pointer, name);
        findings.url(fields, pointer, name, URL_MAX);
    }
}
