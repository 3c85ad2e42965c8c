//! The reply to a request of Slack, over HTTP or Socket Mode.

use serde_json::Value;

/// The reply to one request; Slack waits 3 s for it
/// (<https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response>).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HttpReply {
    /// The HTTP status; over Socket Mode only a 200 is acknowledged.
    pub(crate) status: u16,
    pub(crate) body: ReplyBody,
}

/// The reply's content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReplyBody {
    /// Nothing: closes a view, shows nothing for a command.
    Empty,
    /// `text/plain`: the challenge of `url_verification`, the reason of a refusal.
    Text(String),
    /// `application/json`: a view's `response_action`, a command's message.
    Json(Value),
}

impl HttpReply {
    /// Accepted; nothing to show.
    pub(crate) fn ok() -> Self {
        Self { status: 200, body: ReplyBody::Empty }
    }

    /// Accepted, with content that Slack reads.
    pub(crate) fn json(value: Value) -> Self {
        Self { status: 200, body: ReplyBody::Json(value) }
    }

    /// Plain text.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, body: ReplyBody::Text(text.into()) }
    }
}
