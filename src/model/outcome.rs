//! The outcome of one attempt to post.

use std::time::Duration;

/// The outcome of one attempt to post.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Outcome {
    /// Slack has it. The Web API says where; a webhook doesn't.
    Delivered(Option<Posted>),
    /// Too fast (429): nothing to this channel before that time has passed.
    Wait { after: Duration },
    /// It may work later: the network, Slack or a proxy was at fault, or nobody knows. `slow`: not within minutes.
    Temporary { reason: String, slow: bool },
    /// Slack refuses the shape of this message: once more as plain text.
    Plain { reason: String },
    /// This message can never work.
    MessageNever { reason: String },
    /// The message or thread it refers to is gone: post anew instead.
    PostAnew { reason: String },
    /// This destination can't be reached.
    PlaceNever { reason: String },
    /// Nothing can work with this token or webhook until somebody mends it.
    TokenNever { reason: String },
}

impl Outcome {
    /// For a sentence.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Delivered(_) => "delivered".to_owned(),
            Self::Wait { after } => format!("too many calls; again in {} s", after.as_secs()),
            Self::Temporary { reason, .. }
            | Self::Plain { reason }
            | Self::MessageNever { reason }
            | Self::PostAnew { reason }
            | Self::PlaceNever { reason }
            | Self::TokenNever { reason } => reason.clone(),
        }
    }
}

/// Where Slack put a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) channel: String,
    pub(crate) ts: String,
}
