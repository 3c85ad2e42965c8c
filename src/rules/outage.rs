//! The message about an outbox that can't be reached: when it is posted, edited and ended. Times are seconds.

/// A restart of the database takes less.
pub(crate) const ANNOUNCED_AFTER: u64 = 60;
/// All nodes lose their database in the same second, and Slack takes one message a second for a channel.
const SPREAD: u64 = 10;
/// How often the message is edited, and a call that failed is tried again.
const CALL_INTERVAL: u64 = 60;
/// So long the end waits for an empty spool: under load it never is.
const EMPTY_WITHIN: u64 = 60;
/// So long the end is tried.
const END_WITHIN: u64 = 3600;

/// The database and an integration's message about it, at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// For how long it has been so.
    pub(crate) database: Database<u64>,
    /// How many notifications wait in this node's spool.
    pub(crate) waiting: usize,
    /// Whether there is a message that isn't ended.
    pub(crate) is_announced: bool,
    /// When this node posts its first one.
    pub(crate) announced_after: u64,
    /// Since the last call to Slack for it.
    pub(crate) last_call: Option<u64>,
    /// Slack wants no call yet.
    pub(crate) rests: bool,
}

/// Whether the database can be used, with the time since it is so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Database<Since> {
    /// Not tried yet.
    #[default]
    Unknown,
    /// Since the first failure.
    Away(Since),
    Reached(Since),
}

impl<Since> Database<Since> {
    /// The same with its time in another form.
    pub(crate) fn map<To>(self, convert: impl FnOnce(Since) -> To) -> Database<To> {
        match self {
            Self::Unknown => Database::Unknown,
            Self::Away(since) => Database::Away(convert(since)),
            Self::Reached(since) => Database::Reached(convert(since)),
        }
    }
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

/// When a node posts its first message of an outage. `machine`: a hexadecimal number of its own.
pub(crate) fn announced_after(machine: &str) -> u64 {
    ANNOUNCED_AFTER + u64::from_str_radix(machine, 16).unwrap_or(0) % SPREAD
}

/// Decides it.
pub(crate) fn step(now: &Moment) -> Step {
    let may_call = !now.rests && now.last_call.is_none_or(|seconds| seconds >= CALL_INTERVAL);
    match now.database {
        // A listener that was restarted meanwhile edits on at once what the one before it posted.
        Database::Away(_) if now.is_announced && may_call => Step::Announce,
        Database::Away(seconds) if seconds >= now.announced_after && may_call && now.waiting > 0 => Step::Announce,
        Database::Reached(seconds) if now.is_announced && seconds >= END_WITHIN => Step::Forget,
        // Ended at once, whenever the last edit was; only an end that failed has to wait.
        Database::Reached(seconds)
            if now.is_announced
                && !now.rests
                && (now.waiting == 0 || seconds >= EMPTY_WITHIN)
                && now.last_call.is_none_or(|call| call >= CALL_INTERVAL || call >= seconds) =>
        {
            Step::End
        }
        Database::Unknown | Database::Away(_) | Database::Reached(_) => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_posted_edited_each_minute_and_ended() {
        use Database::{Away, Reached, Unknown};
        let moment = |database, waiting, is_announced, last_call| {
            let (announced_after, rests) = (ANNOUNCED_AFTER, false);
            Moment { database, waiting, is_announced, announced_after, last_call, rests }
        };
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
            (Reached(1), 37, true, Some(20), Step::Nothing),
            (Reached(1), 0, true, Some(20), Step::End),
            (Reached(0), 0, true, None, Step::End),
            (Reached(60), 3, true, Some(90), Step::End),
            // The end failed a moment ago.
            (Reached(20), 0, true, Some(10), Step::Nothing),
            (Reached(70), 0, true, Some(60), Step::End),
            (Reached(3600), 0, true, Some(60), Step::Forget),
            (Reached(3600), 0, false, None, Step::Nothing),
        ] {
            let moment = moment(database, waiting, is_announced, last_call);
            assert_eq!(step(&moment), expected, "{moment:?}");
            // What Slack wants comes first; and an end that it holds up for an hour is forgotten.
            let resting = step(&Moment { rests: true, ..moment });
            assert!(resting == Step::Nothing || resting == Step::Forget && expected == Step::Forget, "{moment:?}");
        }
    }

    #[test]
    fn nodes_that_lose_their_database_together_dont_post_in_the_same_second() {
        let of = |number: u64| announced_after(&format!("{number:016x}"));
        assert_eq!((0..10).map(of).collect::<Vec<_>>(), (60..70).collect::<Vec<_>>());
        assert_eq!(of(u64::MAX), 65);
        let later = Moment {
            database: Database::Away(62),
            waiting: 1,
            is_announced: false,
            announced_after: of(3),
            last_call: None,
            rests: false,
        };
        assert_eq!(step(&later), Step::Nothing);
        assert_eq!(step(&Moment { announced_after: of(2), ..later }), Step::Announce);
    }
}
