//! Notification types and states, as enums that keep an unknown value as it was given.

use serde::{Deserialize, Serialize};

/// Why the core notifies: `$NOTIFICATIONTYPE$`
/// (<https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Kind {
    Problem,
    Recovery,
    Acknowledgement,
    FlappingStart,
    FlappingStop,
    FlappingDisabled,
    DowntimeStart,
    DowntimeEnd,
    DowntimeCancelled,
    Custom,
    /// Ours, as no core notifies of it: an action that a person took in Slack and that the core's state shows.
    Unacknowledged,
    DowntimeScheduled,
    NotificationsStopped,
    NotificationsResumed,
    /// Ours, too: nobody has answered a problem, and the next people are told.
    Unanswered,
    /// Ours: whoever acknowledged is asked whether they are still on it.
    StillAsked,
    /// Ours: they are.
    StillOnIt,
    /// Ours: they gave the problem to somebody else.
    HandedOver,
    /// Ours: they didn't answer, and the next people are told.
    Forgotten,
    /// A type this program doesn't know: carried as it was given.
    Other(String),
}

impl Kind {
    /// As the core writes it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Problem => "PROBLEM",
            Self::Recovery => "RECOVERY",
            Self::Acknowledgement => "ACKNOWLEDGEMENT",
            Self::FlappingStart => "FLAPPINGSTART",
            Self::FlappingStop => "FLAPPINGSTOP",
            Self::FlappingDisabled => "FLAPPINGDISABLED",
            Self::DowntimeStart => "DOWNTIMESTART",
            Self::DowntimeEnd => "DOWNTIMEEND",
            Self::DowntimeCancelled => "DOWNTIMECANCELLED",
            Self::Custom => "CUSTOM",
            Self::Unacknowledged => "UNACKNOWLEDGED",
            Self::DowntimeScheduled => "DOWNTIMESCHEDULED",
            Self::NotificationsStopped => "NOTIFICATIONSSTOPPED",
            Self::NotificationsResumed => "NOTIFICATIONSRESUMED",
            Self::Unanswered => "UNANSWERED",
            Self::StillAsked => "STILLASKED",
            Self::StillOnIt => "STILLONIT",
            Self::HandedOver => "HANDEDOVER",
            Self::Forgotten => "FORGOTTEN",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for Kind {
    /// Any case; Icinga 2 says `DOWNTIMEREMOVED` and `FLAPPINGEND` where Nagios says cancelled and stop.
    fn from(text: String) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "PROBLEM" => Self::Problem,
            "RECOVERY" => Self::Recovery,
            "ACKNOWLEDGEMENT" => Self::Acknowledgement,
            "FLAPPINGSTART" => Self::FlappingStart,
            "FLAPPINGSTOP" | "FLAPPINGEND" => Self::FlappingStop,
            "FLAPPINGDISABLED" => Self::FlappingDisabled,
            "DOWNTIMESTART" => Self::DowntimeStart,
            "DOWNTIMEEND" => Self::DowntimeEnd,
            "DOWNTIMECANCELLED" | "DOWNTIMEREMOVED" => Self::DowntimeCancelled,
            "CUSTOM" => Self::Custom,
            "UNACKNOWLEDGED" => Self::Unacknowledged,
            "DOWNTIMESCHEDULED" => Self::DowntimeScheduled,
            "NOTIFICATIONSSTOPPED" => Self::NotificationsStopped,
            "NOTIFICATIONSRESUMED" => Self::NotificationsResumed,
            "UNANSWERED" => Self::Unanswered,
            "STILLASKED" => Self::StillAsked,
            "STILLONIT" => Self::StillOnIt,
            "HANDEDOVER" => Self::HandedOver,
            "FORGOTTEN" => Self::Forgotten,
            _ => Self::Other(text),
        }
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.name().to_owned()
    }
}

/// How bad a state is; orders problems and picks colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Good,
    Unknown,
    Warning,
    Critical,
}

/// A host's state: `$HOSTSTATE$` or `$HOSTSTATEID$`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum HostState {
    Up,
    Down,
    Unreachable,
    /// A state this program doesn't know: carried as it was given.
    Other(String),
}

impl HostState {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Unreachable => "UNREACHABLE",
            Self::Other(text) => text,
        }
    }

    pub(crate) fn severity(&self) -> Severity {
        match self {
            Self::Up => Severity::Good,
            Self::Down => Severity::Critical,
            Self::Unreachable | Self::Other(_) => Severity::Unknown,
        }
    }
}

impl From<String> for HostState {
    fn from(text: String) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "0" | "UP" | "OK" => Self::Up,
            "1" | "DOWN" => Self::Down,
            "2" | "UNREACHABLE" => Self::Unreachable,
            _ => Self::Other(text),
        }
    }
}

impl From<HostState> for String {
    fn from(state: HostState) -> Self {
        state.name().to_owned()
    }
}

/// A service's state: `$SERVICESTATE$` or `$SERVICESTATEID$`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum ServiceState {
    Ok,
    Warning,
    Critical,
    Unknown,
    /// A state this program doesn't know: carried as it was given.
    Other(String),
}

impl ServiceState {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
            Self::Other(text) => text,
        }
    }

    pub(crate) fn severity(&self) -> Severity {
        match self {
            Self::Ok => Severity::Good,
            Self::Warning => Severity::Warning,
            Self::Critical => Severity::Critical,
            Self::Unknown | Self::Other(_) => Severity::Unknown,
        }
    }
}

impl From<String> for ServiceState {
    fn from(text: String) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "0" | "OK" => Self::Ok,
            "1" | "WARNING" => Self::Warning,
            "2" | "CRITICAL" => Self::Critical,
            "3" | "UNKNOWN" => Self::Unknown,
            _ => Self::Other(text),
        }
    }
}

impl From<ServiceState> for String {
    fn from(state: ServiceState) -> Self {
        state.name().to_owned()
    }
}
