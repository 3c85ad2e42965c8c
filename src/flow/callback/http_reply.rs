//! What Slack is answered, through whichever door it asked.

use serde_json::Value;

/// The answer to one request; Slack waits 3 s for it
/// (<https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response>).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The HTTP status; over Socket Mode only a 200 is acknowledged.
    pub(crate) status: u16,
    pub(crate) body: Body,
}

/// The answer's content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// Nothing: closes a view, shows nothing for a command.
    Empty,
    /// `text/plain`: the challenge of `url_verification`, the reason of a refusal.
    Text(String),
    /// `application/json`: a view's `response_action`, a command's message.
    Json(Value),
}

impl Answer {
    /// Taken, with nothing to say.
    pub(crate) fn ok() -> Self {
        Self { status: 200, body: Body::Empty }
    }

    /// Taken, with a content Slack reads.
    pub(crate) fn json(value: Value) -> Self {
        Self { status: 200, body: Body::Json(value) }
    }

    /// Plain text.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, body: Body::Text(text.into()) }
    }
}
