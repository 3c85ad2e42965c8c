//! `[message]` and `[formatters.NAME]`: how a message looks.

use std::collections::BTreeMap;

/// `[message]`: how a message looks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// A minijinja template in place of the default title.
    pub(crate) title: Option<String>,
    /// A minijinja template in place of the default body.
    pub(crate) body: Option<String>,
    /// The custom variable that names a formatter, in lower case.
    pub(crate) formatter: String,
    pub(crate) formatters: BTreeMap<String, Formatter>,
    pub(crate) fields: Vec<Field>,
    /// Regular expressions; what they match is cut out before anything is stored or sent.
    pub(crate) redact: Vec<String>,
    pub(crate) thread: Thread,
}

/// `[formatters.NAME]`: the templates of the services that name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Formatter {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
}

/// Whether what is said of a problem also goes into the thread of its message, where messages can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    Replies,
    /// Replies that show in the channel, too.
    Broadcast,
    /// Edits only.
    Off,
}

/// A piece of the context line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Address,
    Alias,
    Duration,
    Attempt,
    Contact,
    HostGroups,
    ServiceGroups,
    Time,
    /// `var:KEY`, the key in lower case.
    Var(String),
}
