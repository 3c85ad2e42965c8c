//! The state of some of a core's objects at one moment. Filled by [`crate::monitoring::state`].

use crate::model::object::Object;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The core's state as far as it was asked for. Times are Unix seconds; 0 is never.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// When the core's state was so: when the status file was written, or when its memory was read.
    pub(crate) created: i64,
    pub(crate) program: Program,
    /// Only of objects that were asked for and exist.
    pub(crate) states: HashMap<Object, State>,
    /// The spool of the relay that read it; `None` for a core that is read from here.
    pub(crate) relay: Option<RelaySpool>,
}

/// A relay's spool when it read the state: names of spool files, by its clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelaySpool {
    /// A name as one of that moment would have had it.
    pub(crate) now: String,
    /// The oldest notification that isn't handed in yet.
    pub(crate) oldest: Option<String>,
}

/// The core as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Program {
    pub(crate) pid: Option<u32>,
    pub(crate) start: Option<i64>,
    pub(crate) notifications_enabled: Option<bool>,
    /// `check_external_commands`; `false` means that nobody reads the command file.
    pub(crate) external_commands_checked: Option<bool>,
}

/// One host or service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// The core's number: 0 is good; a host's 1 down, 2 unreachable; a service's 1 warning, 2 critical, 3 unknown.
    pub(crate) code: u8,
    pub(crate) is_hard: bool,
    /// Nothing has checked it yet: the state is only where it begins.
    pub(crate) is_pending: bool,
    pub(crate) acknowledged: Acknowledged,
    /// The comments of acknowledgements, the latest last.
    pub(crate) acknowledgements: Vec<Acknowledgement>,
    /// Other comments that people wrote, the latest last.
    pub(crate) comments: Vec<Acknowledgement>,
    /// Comments of which the core doesn't say whose they are, and that may be this object's: only one that bears our mark says
    /// anything.
    pub(crate) unplaced: Vec<Acknowledgement>,
    /// Text: Nagios counts, Naemon uses UUIDs; empty where there is none or the core doesn't say.
    pub(crate) problem_id: String,
    pub(crate) downtimes: Vec<Downtime>,
    /// How many downtimes are in effect.
    pub(crate) downtime_depth: u32,
    pub(crate) notifications_enabled: bool,
    pub(crate) last_check: i64,
    pub(crate) next_check: i64,
    pub(crate) last_state_change: i64,
    pub(crate) output: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Acknowledged {
    #[default]
    No,
    /// Until the next change of state.
    Normal,
    /// Until the recovery.
    Sticky,
}

/// An acknowledgement's or a person's comment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Acknowledgement {
    pub(crate) author: String,
    pub(crate) comment: String,
    pub(crate) time: i64,
}

/// A scheduled downtime, begun or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Downtime {
    /// A number; Icinga 2's are names.
    pub(crate) id: String,
    pub(crate) author: String,
    pub(crate) comment: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) is_fixed: bool,
}

impl State {
    /// As the core writes it; `object` says whether it is a host's or a service's.
    pub(crate) fn name(&self, object: &Object) -> &'static str {
        if self.is_pending {
            return "PENDING";
        }
        match (&object.service, self.code) {
            (Some(_), 0) => "OK",
            (Some(_), 1) => "WARNING",
            (Some(_), 2) => "CRITICAL",
            (None, 0) => "UP",
            (None, 1) => "DOWN",
            (None, 2) => "UNREACHABLE",
            _ => "UNKNOWN",
        }
    }

    /// Who acknowledged it, as far as a comment says so.
    pub(crate) fn acknowledgement(&self) -> Option<&Acknowledgement> {
        self.acknowledgements.last().filter(|_| self.acknowledged != Acknowledged::No)
    }
}
