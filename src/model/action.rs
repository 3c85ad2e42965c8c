//! The actions that people can ask for.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An action that a person asks for. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Acknowledge {
        /// Until the recovery, not only until the next change of state.
        sticky: bool,
        /// The core notifies the contacts.
        notify: bool,
        /// The comment outlives the acknowledgement.
        persistent: bool,
        comment: String,
        /// When it ends by itself. Not every core knows it ([`crate::monitoring::knows_expiry`]); for one that doesn't it is
        /// not in the command ([`ExternalCommand::towards`]), and whoever sends it must remove the acknowledgement then.
        expiry: Option<i64>,
    },
    RemoveAcknowledgement,
    Downtime {
        start: i64,
        end: i64,
        /// It starts with a problem between start and end, and lasts so long.
        flexible: Option<Duration>,
        comment: String,
        /// For a host: its services too.
        host_services: bool,
    },
    CancelDowntime {
        /// A number; Icinga 2's are names.
        id: String,
    },
    Recheck {
        at: i64,
    },
    StopNotifications,
    ResumeNotifications,
    Comment {
        persistent: bool,
        comment: String,
    },
}

impl Action {
    /// Its name in rules and in the audit.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledge",
            Self::RemoveAcknowledgement => "unacknowledge",
            Self::Downtime { .. } | Self::CancelDowntime { .. } => "downtime",
            Self::Recheck { .. } => "recheck",
            Self::StopNotifications | Self::ResumeNotifications => "notifications",
            Self::Comment { .. } => "comment",
        }
    }

    /// As a phrase, after "may not".
    pub(crate) fn phrase(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledge problems",
            Self::RemoveAcknowledgement => "remove acknowledgements",
            Self::Downtime { .. } => "schedule downtimes",
            Self::CancelDowntime { .. } => "cancel downtimes",
            Self::Recheck { .. } => "order checks",
            Self::StopNotifications | Self::ResumeNotifications => "stop or resume notifications",
            Self::Comment { .. } => "add comments",
        }
    }

    /// The comment if the person wrote none: cores refuse an empty one.
    pub(crate) fn default_comment(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledged in Slack",
            Self::Downtime { .. } => "scheduled in Slack",
            Self::RemoveAcknowledgement
            | Self::CancelDowntime { .. }
            | Self::Recheck { .. }
            | Self::StopNotifications
            | Self::ResumeNotifications
            | Self::Comment { .. } => "written in Slack",
        }
    }

    pub(crate) fn comment_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Acknowledge { comment, .. } | Self::Downtime { comment, .. } | Self::Comment { comment, .. } => {
                Some(comment)
            }
            Self::RemoveAcknowledgement
            | Self::CancelDowntime { .. }
            | Self::Recheck { .. }
            | Self::StopNotifications
            | Self::ResumeNotifications => None,
        }
    }
}
