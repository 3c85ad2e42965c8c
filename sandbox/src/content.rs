//! What a message says, checked: the same for every way a message can come in.

use serde_json::Value;

use super::journal::{Journal, Message};
use super::validate::{self, Findings};

/// The most attachments. <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>
const ATTACHMENTS_MAX: usize = 100;
/// Longer text is cut. <https://docs.slack.dev/reference/methods/chat.postMessage>
const TEXT_MAX: usize = 40_000;

/// The parts of a message that count.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) text: String,
    /// A list, or null if none was given.
    pub(super) blocks: Value,
    pub(super) attachments: Value,
    pub(super) metadata: Value,
    /// Whether the text was cut.
    pub(super) truncated: bool,
}

/// Why a message can't be taken: Slack's word, and the lines that point at the place.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) error: &'static str,
    pub(super) messages: Vec<String>,
}

impl Unfit {
    /// The bare word.
    pub(super) fn new(error: &'static str) -> Self {
        Self { error, messages: Vec::new() }
    }
}

impl Content {
    /// Reads and checks `text`, `blocks`, `attachments` and `metadata` of `given`.
    pub(super) fn read(given: &Value, seq: u64, journal: &mut Journal) -> Result<Self, Unfit> {
        let text = match &given["text"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => {
                journal.violate(seq, "text_not_string", other.to_string());
                return Err(Unfit::new("no_text"));
            }
        };
        let blocks = list(&given["blocks"], "invalid_blocks_format")?;
        let attachments = list(&given["attachments"], "invalid_attachments")?;
        if text.trim().is_empty() && blocks.is_empty() && attachments.is_empty() {
            return Err(Unfit::new("no_text"));
        }
        if attachments.len() > ATTACHMENTS_MAX {
            return Err(Unfit::new("too_many_attachments"));
        }
        check(&text, blocks, attachments, seq, journal)?;
        let metadata = given["metadata"].clone();
        if !metadata.is_null()
            && let Some(error) = validate::metadata_error(&metadata)
        {
            return Err(Unfit::new(error));
        }
        let truncated = text.chars().count() > TEXT_MAX;
        let text = if truncated { text.chars().take(TEXT_MAX).collect() } else { text };
        let (blocks, attachments) = (given["blocks"].clone(), given["attachments"].clone());
        Ok(Self { text, blocks, attachments, metadata, truncated })
    }

    /// The message it becomes.
    pub(super) fn into_message(self, via: &'static str, raw: Value) -> Message {
        let (text, blocks, attachments, metadata) = (self.text, self.blocks, self.attachments, self.metadata);
        Message { via, text, blocks, attachments, metadata, raw, ..Message::default() }
    }
}

fn list<'a>(value: &'a Value, error: &'static str) -> Result<&'a [Value], Unfit> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(Unfit::new(error)),
    }
}

fn check(text: &str, blocks: &[Value], attached: &[Value], seq: u64, journal: &mut Journal) -> Result<(), Unfit> {
    let mut findings = Findings::default();
    validate::message_text(text, &mut findings);
    validate::message_blocks(blocks, "/blocks", &mut findings);
    let in_blocks = findings.problems.len();
    validate::message_attachments(attached, &mut findings);
    let described = attached.iter().any(|one| one["fallback"].as_str().is_some_and(|text| !text.is_empty()));
    let rich = !blocks.is_empty() || attached.iter().any(|one| one["blocks"].is_array());
    if rich && text.trim().is_empty() && !described {
        journal.violate(seq, "no_fallback_text", "blocks without text are silent in notifications");
    }
    for (kind, detail) in findings.notes {
        journal.violate(seq, kind, detail);
    }
    if findings.problems.is_empty() {
        return Ok(());
    }
    let error = if in_blocks > 0 { "invalid_blocks" } else { "invalid_attachments" };
    Err(Unfit { error, messages: findings.problems })
}
