//! When many problems at once become one digest, and the digest's next step.
//!
//! Pure. Times are Unix milliseconds.

use crate::config::Limits;
use crate::model::problem::Problem;
use crate::rules::retry::CHANNEL_PACE;

/// A digest's message is edited at most this often; its thread gets the time between.
const EDIT_PACE_MS: i64 = 5_000;

/// The problems that wait in a channel for a message of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) all: u32,
    /// Those that came within the window before the newest.
    pub(crate) recent: u32,
}

/// Whether the waiting problems are a storm: more than the threshold came together, or so many wait that sending them one by one
/// would take longer than the window.
pub(crate) fn begins(waiting: Waiting, limits: Limits) -> bool {
    let one_by_one = CHANNEL_PACE.saturating_mul(waiting.all);
    waiting.recent > limits.threshold || (waiting.all > limits.threshold && one_by_one > limits.window)
}

/// The facts about a digest by which its next step is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Digest {
    /// It has a message that can be edited.
    pub(crate) is_posted: bool,
    /// Its message lacks the newest changes.
    pub(crate) is_stale: bool,
    /// It takes no new problems, and all that it has are over.
    pub(crate) is_over: bool,
    /// Problems wait for their line in the thread.
    pub(crate) has_lines: bool,
    /// When its message was last edited.
    pub(crate) edited: i64,
    /// Not before, after a failure.
    pub(crate) due: i64,
}

/// A digest's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestStep {
    /// Post its message.
    Post,
    /// Edit its message.
    Edit,
    /// Post lines into its thread.
    Lines,
    /// Post the closing line into its thread: all problems are over.
    Close,
    /// Send nothing: its message shows everything that still waits.
    MarkShown,
}

/// A digest in numbers, and its worst problems.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DigestStats {
    pub(crate) problems: u32,
    pub(crate) hosts: u32,
    pub(crate) recovered: u32,
    pub(crate) acknowledged: u32,
    /// Of those that go on: how many of each rank, unknown, warning, critical.
    pub(crate) ranks: [u32; 3],
    /// When the first and the last of them began, and the last ended: Unix ms of the import.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// The worst that go on, each with the number of its host's services that it stands for.
    pub(crate) worst: Vec<(Problem, u32)>,
    /// How many that go on are neither named nor stood for.
    pub(crate) unnamed: u32,
    /// The last waiting delivery that this takes into account.
    pub(crate) covers: i64,
    /// They waited until a time of their route, and didn't come together.
    pub(crate) was_deferred: bool,
}

/// The next step of a digest in a channel where messages can be edited, and when it may be done. `edits_from`: when
/// the integration may edit again.
pub(crate) fn next(digest: Digest, edits_from: i64, now: i64) -> (i64, DigestStep) {
    if !digest.is_posted {
        return (digest.due, DigestStep::Post);
    }
    let edit_at = digest.due.max(edits_from).max(digest.edited.saturating_add(EDIT_PACE_MS));
    match (digest.is_stale, digest.has_lines) {
        // The thread takes what time the edits leave.
        (true, true) if edit_at > now => (digest.due, DigestStep::Lines),
        (true, _) => (edit_at, DigestStep::Edit),
        (false, true) => (digest.due, DigestStep::Lines),
        (false, false) if digest.is_over => (digest.due, DigestStep::Close),
        (false, false) => (digest.due, DigestStep::MarkShown),
    }
}

/// When a digest in a channel without edits may list its new problems: no more often than an edit would come.
pub(crate) fn next_list(digest: Digest) -> i64 {
    digest.due.max(digest.edited.saturating_add(EDIT_PACE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: Limits = Limits { threshold: 5, window: Duration::from_secs(30) };
    const POSTED: Digest =
        Digest { is_posted: true, is_stale: false, is_over: false, has_lines: false, edited: 1000, due: 0 };

    #[test]
    fn a_storm_is_many_at_once_or_more_than_can_be_sent() {
        let begins = |all, recent| begins(Waiting { all, recent }, LIMITS);
        assert!(!begins(5, 5));
        assert!(begins(6, 6));
        assert!(!begins(20, 3), "these came one by one while Slack was away");
        assert!(begins(40, 3));
    }

    #[test]
    fn edits_keep_their_pace_and_the_thread_takes_the_time_between() {
        let stale = Digest { is_stale: true, has_lines: true, ..POSTED };
        assert_eq!(next(stale, 0, 2000), (0, DigestStep::Lines));
        assert_eq!(next(stale, 0, 6000), (6000, DigestStep::Edit));
        assert_eq!(next(stale, 9000, 6000), (0, DigestStep::Lines), "another digest was edited just now");
        assert_eq!(next(Digest { has_lines: false, ..stale }, 0, 2000), (6000, DigestStep::Edit));
    }

    #[test]
    fn it_ends_when_all_is_shown_and_over() {
        assert_eq!(next(Digest { is_posted: false, ..POSTED }, 0, 0).1, DigestStep::Post);
        assert_eq!(next(POSTED, 0, 0).1, DigestStep::MarkShown);
        assert_eq!(next(Digest { is_over: true, ..POSTED }, 0, 0).1, DigestStep::Close);
        assert_eq!(next(Digest { is_over: true, has_lines: true, ..POSTED }, 0, 0).1, DigestStep::Lines);
    }
}
