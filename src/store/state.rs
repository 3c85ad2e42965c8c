//! The states of rows: enums in Rust, names in the database.

use super::db::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlResult, ValueRef};

/// An enum that the database keeps by name: one list for both directions, which the schema's `CHECK` repeats. A name that
/// isn't in the list was written by another version or by noise.
macro_rules! stored_by_name {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// The name in the database, and in `--json`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl ToSql for $type {
            fn to_sql(&self) -> ToSqlResult<'_> {
                Ok(self.name().into())
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::from_name(value.as_str()?).ok_or(FromSqlError::InvalidType)
            }
        }
    };
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    Waiting,
    Delivered,
    /// Another message covers it, or people know it already.
    Merged,
    /// Given up: kept until somebody drops it, and alarmed.
    Dead,
}
stored_by_name!(DeliveryState { Waiting = "waiting", Delivered = "delivered", Merged = "merged", Dead = "dead" });

/// How far an action request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionState {
    New,
    /// Its command may have reached the core.
    Sending,
    Sent,
    /// It waits for the requests that it was split into.
    Parent,
    Done,
}
stored_by_name!(ActionState { New = "new", Sending = "sending", Sent = "sent", Parent = "parent", Done = "done" });

/// What an integration's pause covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PauseScope {
    /// Everything: an outage, or a token that Slack refused.
    Integration,
    /// Its edits: Slack counts them for all channels together.
    Edits,
    /// One channel.
    Channel,
}
stored_by_name!(PauseScope { Integration = "integration", Edits = "edits", Channel = "channel" });

/// A step of an action request, as its row in the audit names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditStep {
    /// Nobody was allowed to.
    Refused,
    Sending,
    /// The core's state shows it.
    Confirmed,
    Failed,
    NothingToDo,
    /// The core's state couldn't be read.
    NotSeen,
    /// The core didn't apply the command.
    NotTaken,
    SummedUp,
    /// The audit goes on in a new database.
    Continued,
    /// Old rows were removed from the audit.
    LetGo,
}
stored_by_name!(AuditStep {
    Refused = "refused",
    Sending = "sending",
    Confirmed = "confirmed",
    Failed = "failed",
    NothingToDo = "nothing to do",
    NotSeen = "not seen",
    NotTaken = "not taken",
    SummedUp = "summed up",
    Continued = "continued",
    LetGo = "let go",
});
