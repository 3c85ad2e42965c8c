//! Slack's requests, decoded: `verified body ─▶ Interaction`.
//!
//! Lenient about missing fields, strict about the others: a field that Slack left out is absent, one of the wrong
//! type, a key given twice, or a nesting of more than 127 levels refuses the whole body. People, channels and messages
//! are known by their ids alone; a name is only for showing.
//!
//! Sources: <https://docs.slack.dev/interactivity/handling-user-interaction>,
//! <https://docs.slack.dev/reference/interaction-payloads>,
//! <https://docs.slack.dev/interactivity/implementing-slash-commands>, <https://docs.slack.dev/apis/events-api>.

mod convert;
mod form;
mod id;
mod wire;

pub(crate) use id::{ActionId, BlockId, CallbackId, ChannelId, EventId, MessageTs, TeamId, TriggerId, UserId, ViewId};

use crate::system::secret::Secret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One thing that happened in Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interaction {
    /// Somebody pressed a button or chose something in a message or view.
    BlockActions(BlockActions),
    /// Somebody submitted a modal.
    ViewSubmission(ViewAction),
    SlashCommand(SlashCommand),
    /// An attachment's button, as old modules posted them, or a shortcut: ackbell has neither, so the person gets a reply.
    Unsupported(Unsupported),
    Event(Event),
    /// Any other kind: answered, logged, ignored.
    Unknown {
        kind: String,
    },
}

impl Interaction {
    /// The kind, for the log.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::BlockActions(_) => "block_actions",
            Self::ViewSubmission(_) => "view_submission",
            Self::SlashCommand(_) => "slash_command",
            Self::Unsupported(used) => used.kind,
            Self::Event(_) => "event",
            Self::Unknown { kind } => kind,
        }
    }

    /// The installation's workspace, where Slack names it.
    pub(crate) fn team(&self) -> Option<&TeamId> {
        match self {
            Self::BlockActions(BlockActions { origin, .. })
            | Self::ViewSubmission(ViewAction { origin, .. })
            | Self::SlashCommand(SlashCommand { origin, .. })
            | Self::Unsupported(Unsupported { origin, .. }) => origin.team.as_ref(),
            Self::Event(event) => event.team.as_ref(),
            Self::Unknown { .. } => None,
        }
    }
}

/// Who did it, from where, and how to reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) user: UserId,
    pub(crate) user_name: Option<String>,
    /// The person's own workspace; the payload's where Slack doesn't name it.
    pub(crate) user_team: Option<TeamId>,
    /// The installation's workspace; absent for an organisation's.
    pub(crate) team: Option<TeamId>,
    pub(crate) channel: Option<ChannelId>,
    /// Opens one modal within 3 s.
    pub(crate) trigger: Option<TriggerId>,
    /// Takes five replies within 30 minutes; anybody who knows the URL can post.
    pub(crate) response_url: Option<Secret>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockActions {
    pub(crate) origin: Origin,
    /// The message that the block stands in.
    pub(crate) message: Option<MessageTs>,
    /// One, as far as is known; Slack sends a list.
    pub(crate) actions: Vec<Action>,
    /// The view, when the block stands in one.
    pub(crate) view: Option<View>,
}

/// One block element that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) id: ActionId,
    pub(crate) block: Option<BlockId>,
    /// `button`, `static_select`, `overflow`, …
    pub(crate) kind: String,
    /// The value that we gave a button.
    pub(crate) value: Option<String>,
    /// The input of any other element.
    pub(crate) input: Input,
    /// When, as Slack counts; distinguishes a second click from the first.
    pub(crate) ts: Option<MessageTs>,
    /// A button that only opens an address: answered, nothing else.
    pub(crate) is_url: bool,
}

impl Action {
    /// The value of the one option that was chosen.
    pub(crate) fn chosen(&self) -> Option<&str> {
        match &self.input {
            Input::Value(value) => Some(value),
            Input::Empty | Input::Values(_) | Input::Moment(_) => None,
        }
    }
}

/// The value of an input in a view or message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Input {
    /// Left empty, or of a kind that isn't used here.
    #[default]
    Empty,
    /// A text, the value of one option, an id, a date or a time of day.
    Value(String),
    /// The values of several options, or several ids.
    Values(Vec<String>),
    /// A `datetimepicker`, in Unix seconds.
    Moment(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ViewAction {
    pub(crate) origin: Origin,
    pub(crate) view: View,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) id: ViewId,
    pub(crate) callback: Option<CallbackId>,
    /// The text that we gave the view; at most 3000 characters.
    pub(crate) private_metadata: String,
    pub(crate) inputs: BTreeMap<BlockId, BTreeMap<ActionId, Input>>,
}

/// Something that ackbell doesn't have was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported {
    /// As Slack calls it.
    pub(crate) kind: &'static str,
    pub(crate) origin: Origin,
    pub(crate) message: Option<MessageTs>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlashCommand {
    pub(crate) origin: Origin,
    /// With its slash.
    pub(crate) command: String,
    /// The text behind the command, as Slack sends it: `&amp;`, `&lt;` and `&gt;` are still escaped.
    pub(crate) text: String,
}

/// Something that happened without an interaction. An event may come more than once; its id shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<EventId>,
    pub(crate) team: Option<TeamId>,
    /// When it happened, in Unix seconds.
    pub(crate) time: Option<i64>,
    pub(crate) kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventKind {
    AppUninstalled,
    /// The users whose tokens are no longer valid: their own, and those of bots.
    TokensRevoked {
        people: Vec<UserId>,
        bots: Vec<UserId>,
    },
    /// `tab` is `home` or `messages`.
    AppHomeOpened {
        user: UserId,
        tab: String,
    },
    Other {
        kind: String,
    },
}

/// The body isn't anything Slack sends; the reply is a 400. The error's text quotes nothing of the body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the body isn't UTF-8")]
    NotUtf8,
    #[error("the body isn't a form: {0}")]
    Form(&'static str),
    #[error("the body isn't JSON as Slack sends it, at line {line} column {column}")]
    Json { line: usize, column: usize },
    #[error("a field of the {0} has the wrong type")]
    Shape(&'static str),
    #[error("the {kind} lacks its {field}")]
    Missing { kind: &'static str, field: &'static str },
}

/// Decodes a request's body: a form with one `payload`, a slash command's form, or JSON.
pub(crate) fn decode(content_is_form: bool, body: &[u8]) -> Result<Interaction, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::NotUtf8)?;
    if !content_is_form {
        return convert::payload(parse_json(text)?);
    }
    let mut fields = form::parse(text)?;
    if let Some(payload) = fields.remove("payload") {
        return convert::payload(parse_json(&payload)?);
    }
    let fields: Map<String, Value> = fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    convert::command(Value::Object(fields))
}

/// Decodes the payload of a Socket Mode envelope; `kind` is the envelope's
/// (<https://docs.slack.dev/apis/events-api/using-socket-mode#events>).
pub(crate) fn decode_envelope(kind: &str, payload: Value) -> Result<Interaction, DecodeError> {
    match kind {
        "slash_commands" => convert::command(payload),
        "interactive" | "events_api" => convert::payload(payload),
        other => Ok(Interaction::Unknown { kind: brief_kind(other) }),
    }
}

/// The fields of an address's query, as strictly; `None` if the text isn't one.
pub(crate) fn query(text: &str) -> Option<BTreeMap<String, String>> {
    form::parse(text).ok()
}

/// An unknown kind goes to the log; its start is enough.
fn brief_kind(kind: &str) -> String {
    kind.chars().take(80).collect()
}

/// The error's own text may quote the body, so only line and column are kept.
fn parse_json(text: &str) -> Result<Value, DecodeError> {
    crate::system::json::parse(text).map_err(|e| DecodeError::Json { line: e.line(), column: e.column() })
}

#[cfg(test)]
mod tests;
