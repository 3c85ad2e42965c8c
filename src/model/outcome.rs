//! The outcome of one attempt to post.

use super::slack_error::{Reason, SlackError};
use std::time::Duration;

/// The outcome of one attempt to post.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Outcome {
    /// Slack has it. The Web API says where; a webhook doesn't.
    Delivered(Option<Posted>),
    /// Too fast (429): nothing to this channel before that time has passed.
    Wait { after: Duration },
    /// Not sent: another node may deliver now, and in so long that is known.
    Unsure { after: Duration },
    /// It may work later: the network, Slack or a proxy was at fault, or nobody knows. `slow`: not within minutes.
    Temporary { reason: Reason, slow: bool },
    /// Slack refuses the shape of this message: once more as plain text.
    Plain { reason: Reason },
    /// This message can never work.
    MessageNever { reason: Reason },
    /// The message or thread it refers to is gone: post anew instead.
    PostAnew { reason: Reason },
    /// This destination can't be reached.
    DestinationNever { reason: Reason },
    /// Nothing can work with this token or webhook until somebody mends it.
    TokenNever { reason: Reason },
}

impl Outcome {
    /// Whether the token lacks the scope for this call.
    pub(crate) fn is_missing_scope(&self) -> bool {
        matches!(self.reason().error, Some(SlackError::MissingScope { .. }))
    }

    /// For a sentence.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Delivered(_) => "delivered".into(),
            Self::Wait { after } => format!("too many calls; again in {} s", after.as_secs()).into(),
            Self::Unsure { .. } => "this node can't be sure now that no other one delivers".into(),
            Self::Temporary { reason, .. }
            | Self::Plain { reason }
            | Self::MessageNever { reason }
            | Self::PostAnew { reason }
            | Self::DestinationNever { reason }
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
