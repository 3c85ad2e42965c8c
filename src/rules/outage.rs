//! The message about an outbox that can't be reached: when it is posted, edited and ended. Times are seconds.

/// A restart of the database takes less.
const ANNOUNCED_AFTER: u64 = 60;
/// How often the message is edited, and a call that failed is tried again.
const CALL_INTERVAL: u64 = 60;
/// So long the end waits for an empty spool: under load it never is.
const EMPTY_WITHIN: u64 = 60;
/// So long the end is tried.
const END_WITHIN: u64 = 3600;

/// The database and the message about it, at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) database: Database,
    /// How many notifications wait in this node's spool.
    pub(crate) waiting: usize,
    /// Whether there is a message that isn't ended.
    pub(crate) is_announced: bool,
    /// Since the last call to Slack for it.
    pub(crate) last_call: Option<u64>,
}

/// For how long it has been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Unknown,
    Away(u64),
    Back(u64),
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Step {
    Nothing,
    /// Post, or edit what was posted.
    Announce,
    End,
    /// The end can't be told any more.
    Forget,
}

/// Decides it.
pub(crate) fn step(now: &Moment) -> Step {
    let may_call = now.last_call.is_none_or(|seconds| seconds >= CALL_INTERVAL);
    match now.database {
        // A listener that was restarted meanwhile edits on at once what the one before it posted.
        Database::Away(_) if now.is_announced && may_call => Step::Announce,
        Database::Away(seconds) if seconds >= ANNOUNCED_AFTER && may_call && now.waiting > 0 => Step::Announce,
        Database::Back(seconds) if now.is_announced && seconds >= END_WITHIN => Step::Forget,
        // Ended at once, whenever the last edit was; only an end that failed has to wait.
        Database::Back(seconds)
            if now.is_announced
                && (now.waiting == 0 || seconds >= EMPTY_WITHIN)
                && now.last_call.is_none_or(|call| call >= CALL_INTERVAL || call >= seconds) =>
        {
            Step::End
        }
        Database::Unknown | Database::Away(_) | Database::Back(_) => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_posted_edited_each_minute_and_ended() {
        use Database::{Away, Back, Unknown};
        let at =
            |database, waiting, is_announced, last_call| step(&Moment { database, waiting, is_announced, last_call });
        for (database, waiting, is_announced, last_call, expected) in [
            (Away(59), 37, false, None, Step::Nothing),
            (Away(60), 37, false, None, Step::Announce),
            // Nothing waits here: another node may say it, or there is nothing to say.
            (Away(600), 0, false, None, Step::Nothing),
            (Away(90), 37, true, Some(30), Step::Nothing),
            (Away(120), 37, true, Some(60), Step::Announce),
            (Away(1), 38, true, None, Step::Announce),
            // A call that failed.
            (Away(90), 37, false, Some(30), Step::Nothing),
            // After a restart nobody knows yet whether it is over.
            (Unknown, 0, true, None, Step::Nothing),
            (Back(1), 37, true, Some(20), Step::Nothing),
            (Back(1), 0, true, Some(20), Step::End),
            (Back(0), 0, true, None, Step::End),
            (Back(60), 3, true, Some(90), Step::End),
            // The end failed a moment ago.
            (Back(20), 0, true, Some(10), Step::Nothing),
            (Back(70), 0, true, Some(60), Step::End),
            (Back(3600), 0, true, Some(60), Step::Forget),
            (Back(3600), 0, false, None, Step::Nothing),
        ] {
            assert_eq!(
                at(database, waiting, is_announced, last_call),
                expected,
                "{database:?} {waiting} {last_call:?}"
            );
        }
    }
}
