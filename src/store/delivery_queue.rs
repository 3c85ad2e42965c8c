//! Where deliveries queue, and how a message there can be changed later.

use super::db::{Connection, OptionalExtension, Row, params};
use super::db::{FromSql, FromSqlResult, ToSql, ToSqlResult, ValueRef};
use crate::config::Destination;
use std::borrow::Cow;
use std::fmt;

use super::StoreError;

/// An integration and the destination within it, as the routes named it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DeliveryQueue {
    pub(crate) integration: String,
    pub(crate) target: Target,
}

/// The destination of a message within its integration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The webhook's own channel.
    Webhook,
    /// The person with this e-mail address.
    Email(String),
    /// As Slack takes it: `#name`, or the id of a channel or person.
    Channel(String),
}

/// Whether a queue's messages can be changed once they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageMode {
    /// A bot's messages are edited, with or without replies in their threads.
    Editable { threaded: bool },
    /// An incoming webhook's messages stay as they were sent.
    WriteOnce,
}

impl MessageMode {
    pub(crate) fn is_editable(self) -> bool {
        self != Self::WriteOnce
    }
}

impl DeliveryQueue {
    /// The queue of a delivery for which no destination was found. No integration is called so.
    pub(super) fn nowhere() -> Self {
        Self { integration: String::new(), target: Target::Webhook }
    }

    /// As people know it: the channel, and the integration unless it is the default one.
    pub(super) fn label(&self) -> String {
        match self.integration.as_str() {
            "default" => self.target.to_string(),
            other => format!("{} ({other})", self.target),
        }
    }

    /// From the columns `integration` and `target`, the first two of the row.
    pub(super) fn from_row(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { integration: row.get(0)?, target: row.get(1)? })
    }

    /// The id that Slack gave the queue's channel, if it is known: `#ops` and its id are one channel.
    pub(super) fn channel_id(&self, db: &Connection) -> Result<Option<String>, StoreError> {
        let sql = "SELECT id FROM channel WHERE integration = ?1 AND target = ?2";
        let mut statement = db.prepare_cached(sql)?;
        statement.query_row(params![self.integration, self.target], |row| row.get(0)).optional()
    }
}

impl Target {
    /// As the outbox and `--json` have it: empty for a webhook, an e-mail address with `@` before it.
    pub(crate) fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Webhook => Cow::Borrowed(""),
            Self::Email(email) => Cow::Owned(format!("@{email}")),
            Self::Channel(channel) => Cow::Borrowed(channel),
        }
    }

    /// Whether it is a direct message.
    pub(crate) fn is_person(&self) -> bool {
        match self {
            Self::Email(_) => true,
            Self::Channel(channel) => channel.starts_with(['U', 'W', 'D']),
            Self::Webhook => false,
        }
    }

    fn from_text(text: &str) -> Self {
        match text.strip_prefix('@') {
            Some(email) => Self::Email(email.to_owned()),
            None if text.is_empty() => Self::Webhook,
            None => Self::Channel(text.to_owned()),
        }
    }
}

impl From<&Destination> for Target {
    fn from(destination: &Destination) -> Self {
        Self::from_text(&destination.to_string())
    }
}

/// For people and the log.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook => f.write_str("webhook"),
            Self::Email(_) | Self::Channel(_) => f.write_str(&self.as_text()),
        }
    }
}

impl ToSql for Target {
    fn to_sql(&self) -> ToSqlResult<'_> {
        Ok(match self.as_text() {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        })
    }
}

impl FromSql for Target {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from_text)
    }
}
