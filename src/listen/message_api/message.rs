//! Messages that other programs send to Slack through us: `POST /v1/webhook` ─▶ [`DirectMessage`].
//!
//! Pure. The body is the one Coder sends (<https://coder.com/docs/admin/monitoring/notifications>, its `webhook`
//! method): a title, a body and the person's e-mail address; `channel` in its place leads to a channel. A
//! field that is missing or of the wrong type is named in the answer. Unknown fields are ignored.
#![warn(clippy::wildcard_enum_match_arm)]

use crate::config::Destination;
use crate::model::incoming::DirectMessage;
use crate::model::notification::{clean_line, clean_text};
use crate::slack::limits::LINKS_MAX;
use crate::slack::markdown;
use serde_json::Value;

/// The largest body that is accepted.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;

/// The longest address of a button (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const URL_CHARS_MAX: usize = 3000;
/// The longest name that a program may give a message.
const KEY_CHARS_MAX: usize = 255;
/// How many labels are kept, and how much of each.
const LABELS_MAX: usize = 50;
const LABEL_CHARS_MAX: usize = 200;

/// Why a body isn't accepted; the text is the answer's, and quotes nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the body isn't JSON (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("missing field: {0}")]
    Missing(&'static str),
    #[error("wrong type: {field} must be {expected}")]
    Type { field: &'static str, expected: &'static str },
    #[error("{field} isn't {expected}")]
    Value { field: &'static str, expected: &'static str },
}

/// Parses a body. `key`: the `Idempotency-Key` header, else the body's `msg_id` counts, else `fresh`, a name that no
/// other message has. Two bodies with one key to one destination are one message. `now`: Unix seconds.
pub(crate) fn parse(bytes: &[u8], key: Option<&str>, fresh: &str, now: i64) -> Result<DirectMessage, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::Json { line: 1, column: 1 })?;
    let body = crate::system::json::parse(text).map_err(|e| Refusal::Json { line: e.line(), column: e.column() })?;
    if !body.is_object() {
        return Err(Refusal::NotAnObject);
    }
    let payload = optional(&body, "payload", "payload", "an object", |value| value.is_object().then_some(value))?;
    let within = |name: &str| payload.map_or(&Value::Null, |payload| &payload[name]);
    let content = content(&body, within("actions"), [&body["labels"], within("labels")])?;
    let Addressee { to, email } = addressee(&body, within("user_email"))?;
    let own = string(&body, "msg_id", "msg_id")?;
    let key = key.or(own).map(clean_line).filter(|key| !key.is_empty());
    if key.as_ref().is_some_and(|key| key.chars().count() > KEY_CHARS_MAX) {
        return Err(Refusal::Value {
            field: "Idempotency-Key or msg_id",
            expected: "a name of at most 255 characters",
        });
    }
    Ok(DirectMessage { key: key.unwrap_or_else(|| fresh.to_owned()), time: now, to, email, ..content })
}

/// The destination, and the person's address if it is one.
struct Addressee {
    to: String,
    email: Option<String>,
}

fn addressee(body: &Value, email: &Value) -> Result<Addressee, Refusal> {
    if let Some(channel) = string(body, "channel", "channel")?.filter(|channel| !channel.trim().is_empty()) {
        let is_destination = matches!(
            channel.trim().parse::<Destination>(),
            Ok(Destination::ChannelName(_) | Destination::ChannelId(_) | Destination::User(_))
        );
        let refusal = Refusal::Value { field: "channel", expected: "a #name or id of a channel" };
        let to = channel.trim().to_owned();
        return if is_destination { Ok(Addressee { to, email: None }) } else { Err(refusal) };
    }
    let email = match email {
        Value::String(email) if !email.trim().is_empty() => email.trim().to_lowercase(),
        Value::Null | Value::String(_) => return Err(Refusal::Missing("payload.user_email")),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Refusal::Type { field: "payload.user_email", expected: "a string" });
        }
    };
    match format!("@{email}").parse::<Destination>() {
        Ok(destination @ Destination::Email(_)) => Ok(Addressee { to: destination.to_string(), email: Some(email) }),
        _ => Err(Refusal::Value { field: "payload.user_email", expected: "an e-mail address" }),
    }
}

/// The message itself, without key and destination.
fn content(body: &Value, actions: &Value, labels: [&Value; 2]) -> Result<DirectMessage, Refusal> {
    let given = |name: &'static str| Ok(string(body, name, name)?.filter(|text| !text.trim().is_empty()));
    let (title, title_markdown) = (given("title")?, given("title_markdown")?);
    let (text, markdown) = (given("body")?, given("body_markdown")?.map(clean_text));
    let title = title.map(str::to_owned).or_else(|| title_markdown.map(markdown::to_plain));
    let title = title.map(|title| clean_line(&title)).filter(|title| !title.is_empty());
    let text = text.map(clean_text).or_else(|| markdown.as_deref().map(markdown::to_plain));
    let mut message = DirectMessage {
        title: title.ok_or(Refusal::Missing("title"))?,
        body: text.filter(|text| !text.is_empty()).ok_or(Refusal::Missing("body"))?,
        markdown,
        ..DirectMessage::default()
    };
    add_links(&mut message, actions)?;
    for labels in labels {
        add_labels(&mut message, labels)?;
    }
    Ok(message)
}

/// The links that lead to the web; the others are counted.
fn add_links(message: &mut DirectMessage, actions: &Value) -> Result<(), Refusal> {
    const FIELD: &str = "payload.actions";
    let wrong = Refusal::Type { field: FIELD, expected: "a list of objects with label and url" };
    let actions = match actions {
        Value::Null => return Ok(()),
        Value::Array(actions) => actions,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => return Err(wrong),
    };
    for action in actions {
        let (Some(label), Some(url)) = (action["label"].as_str(), action["url"].as_str()) else {
            return Err(wrong);
        };
        let (label, url) = (clean_line(label), clean_line(url));
        let is_fit = markdown::is_web(&url) && url.chars().count() <= URL_CHARS_MAX && message.links.len() < LINKS_MAX;
        if is_fit {
            let label = if label.is_empty() { "Open".to_owned() } else { label };
            message.links.push((label, url));
        } else {
            message.links_left_out += 1;
        }
    }
    Ok(())
}

fn add_labels(message: &mut DirectMessage, labels: &Value) -> Result<(), Refusal> {
    let labels = match labels {
        Value::Null => return Ok(()),
        Value::Object(labels) => labels,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(Refusal::Type { field: "labels", expected: "an object of strings" });
        }
    };
    for (name, value) in labels.iter().take(LABELS_MAX) {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Null => continue,
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
        };
        let brief = |text: &str| clean_line(text).chars().take(LABEL_CHARS_MAX).collect::<String>();
        message.labels.insert(brief(name), brief(&value));
    }
    Ok(())
}

/// A text that may be absent or `null`.
fn string<'a>(body: &'a Value, name: &str, field: &'static str) -> Result<Option<&'a str>, Refusal> {
    optional(body, name, field, "a string", Value::as_str)
}

fn optional<'a, T>(
    body: &'a Value,
    name: &str,
    field: &'static str,
    expected: &'static str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let value = &body[name];
    if value.is_null() {
        return Ok(None);
    }
    read(value).map(Some).ok_or(Refusal::Type { field, expected })
}

#[cfg(test)]
mod tests;
