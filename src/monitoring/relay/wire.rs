//! What a centre and its relays write to each other: JSON over HTTP.
//!
//! Version 1. Within a version fields are only added, and a reader ignores those that it doesn't know.

use super::super::log::CommandLogResult;
use crate::model::core_snapshot::{Program, RelaySpool, Snapshot, State};
use crate::model::notification::clean_line;
use crate::model::object::Object;
use crate::rules::authorise::Contact;
use crate::rules::command::CommandParts;
use serde::{Deserialize, Serialize};

/// The version that this program speaks. A centre takes it and the one before.
pub(crate) const PROTOCOL: u32 = 1;
/// The header that names the version.
pub(crate) const PROTOCOL_HEADER: &str = "ackbell-protocol";
/// The relay's clock, Unix milliseconds.
pub(crate) const CLOCK_HEADER: &str = "ackbell-clock";
/// In the centre's answers: the custom variables that its routes and messages use, `*` for all.
pub(crate) const VARS_HEADER: &str = "ackbell-vars";
/// Where spool files are handed in.
pub(crate) const SPOOL_PATH: &str = "/v1/spool";
/// Where requests about the core are fetched, and answered.
pub(crate) const CORE_REQUEST_PATH: &str = "/v1/core-request";
/// So many files, and so many bytes, are handed in at once.
pub(crate) const BATCH_FILES: usize = 200;
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;
/// So much of a relay's version and kind of core is shown.
const SHOWN_CHARS_MAX: usize = 40;
/// So much of a relay's reason is shown to a person.
const REASON_CHARS_MAX: usize = 300;
/// A file of the spool has at most 8 MiB; a list of a core's objects must fit in as well.
pub(crate) const BODY_BYTES_MAX: usize = 9 * 1024 * 1024;

/// What a relay sends to `/v1/core-request`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The relay's clock, Unix milliseconds.
    pub(crate) now_ms: i64,
    #[serde(default)]
    pub(crate) about: About,
    pub(crate) step: Step,
}

/// The relay, its core and its spool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct About {
    pub(crate) version: String,
    /// The kind of its core, as the configuration names it.
    pub(crate) kind: String,
    /// The core ends an acknowledgement by itself.
    pub(crate) knows_expiry: bool,
    /// Seconds.
    pub(crate) status_update_interval: Option<u64>,
    /// How many files wait in its spool, since when (Unix seconds, its clock), and how many are in `bad/`.
    pub(crate) waiting: usize,
    pub(crate) oldest: Option<i64>,
    pub(crate) bad: usize,
}

impl About {
    /// As it may be shown: a stolen token says anything.
    pub(super) fn cut(self) -> Self {
        let short = |text: &str| clean_line(text).chars().take(SHOWN_CHARS_MAX).collect();
        Self { version: short(&self.version), kind: short(&self.kind), ..self }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Answered by a [`Given`], or by nothing when there is none for a while.
    Wait,
    /// A command is only sent after this, so that one whose offer was lost on the way is never sent late.
    Take {
        id: u64,
    },
    Answer {
        id: u64,
        answer: Box<Answer>,
    },
}

/// A request for the relay.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) id: u64,
    /// How long the relay may take, from the moment it asked.
    pub(crate) within_ms: u64,
    /// `None`: a command, to be taken first.
    pub(crate) question: Option<Question>,
}

/// A question about the core, or a command for it. Names of cores in it are empty, times are the relay's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    Send(CommandParts),
    Probe,
    State(Vec<Object>),
    /// When the state file was written.
    Written,
    Problems,
    Names,
    Contacts(Object),
    Labels,
    CommandResult {
        line: String,
        since: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The core has the command, or would take one.
    Sent {
        transport: String,
        answer: Option<String>,
    },
    /// It couldn't be done; `is_verdict`: the core was there and refused.
    Failed {
        reason: String,
        #[serde(default)]
        is_verdict: bool,
    },
    State(StateAnswer),
    Written(Option<i64>),
    Objects(Vec<(Object, State)>),
    Contacts(Option<Vec<Contact>>),
    Labels(Option<LabelsAnswer>),
    CommandResult(Option<CommandLogResult>),
}

impl Answer {
    /// With reasons as a person may read them: on one line, and not endless.
    pub(super) fn cut(self) -> Self {
        let short = |text: &str| clean_line(text).chars().take(REASON_CHARS_MAX).collect();
        match self {
            Self::Failed { reason, is_verdict } => Self::Failed { reason: short(&reason), is_verdict },
            Self::CommandResult(Some(CommandLogResult::Failed(reason))) => {
                Self::CommandResult(Some(CommandLogResult::Failed(short(&reason))))
            }
            other => other,
        }
    }
}

/// A [`Snapshot`], whose map has keys that JSON can't have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StateAnswer {
    created: i64,
    program: Program,
    states: Vec<(Object, State)>,
    relay: RelaySpool,
}

/// All display names and aliases of a core.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LabelsAnswer {
    /// Host, service (empty for a host), display name.
    pub(crate) labels: Vec<(String, String, String)>,
    pub(crate) aliases: Vec<(String, String)>,
}

impl StateAnswer {
    pub(crate) fn new(snapshot: Snapshot, relay: RelaySpool) -> Self {
        let Snapshot { created, program, states, .. } = snapshot;
        Self { created, program, states: states.into_iter().collect(), relay }
    }

    pub(crate) fn into_snapshot(self) -> Snapshot {
        let Self { created, program, states, relay } = self;
        Snapshot { created, program, states: states.into_iter().collect(), relay: Some(relay) }
    }
}

/// The centre's answer to a batch that has entries it doesn't take; all others are durable.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Refused {
    pub(crate) bad: Vec<BadEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BadEntry {
    pub(crate) name: String,
    pub(crate) reason: String,
}
