//! `[[route]]`: where a message goes, when, and whom it mentions.

use super::{Matcher, tree};

/// One `[[route]]`: first match wins unless `continue_` is set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    /// Line of its `[[route]]` in the file, for `preview --explain` and problems.
    pub(crate) line: usize,
    pub(super) span: Option<tree::Span>,
    pub(super) integration_span: Option<tree::Span>,
    pub(crate) matches: Matcher,
    pub(crate) to: Vec<Destination>,
    pub(crate) mention: Vec<Mention>,
    /// By name; else the default one.
    pub(crate) integration: Option<String>,
    /// All integrations with this label.
    pub(crate) label: Option<String>,
    pub(crate) continue_: bool,
    /// When what isn't urgent is sent, as one message.
    pub(crate) deferred: Option<SendTimes>,
}

/// `Mon-Fri 08:00`, several separated by commas, in the machine's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendTimes(pub(crate) Vec<SendTime>);

/// A time of day on some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendTime {
    /// Monday first.
    pub(crate) days: [bool; 7],
    pub(crate) minute: u16,
}

/// `Mon-Fri 08:00-18:00`, several separated by commas, in the machine's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeWindows(pub(crate) Vec<TimeWindow>);

/// Days and a span of minutes of the day; a span that ends before it starts runs past midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeWindow {
    /// Monday first.
    pub(crate) days: [bool; 7],
    pub(crate) from_minute: u16,
    /// Up to 1440.
    pub(crate) to_minute: u16,
}

/// A user, group or channel that a message mentions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mention {
    Here,
    Channel,
    Everyone,
    /// `U…` or `W…`.
    User(String),
    /// `S…`.
    UserGroup(String),
    /// `@oncall`: a user group's handle, looked up when needed.
    Handle(String),
    /// `@alice@example.com`, looked up when needed.
    Email(String),
    /// `@oncall:NAME`: whoever is on call then.
    OnCall(String),
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// `#ops` (public channels only).
    ChannelName(String),
    /// `C…`, `G…` or `D…`.
    ChannelId(String),
    /// `U…` or `W…`: a direct message.
    User(String),
    /// `@alice@example.com`: a direct message to whoever has that address.
    Email(String),
    /// `contact`: a direct message to the notification's contact, by e-mail.
    Contact,
    /// `@oncall:NAME`: a direct message to whoever is on call then.
    OnCall(String),
}
