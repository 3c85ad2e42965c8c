//! When something is tried again, and when it is given up: the program's only retry layer.
//!
//! Pure: times are milliseconds and arguments, the jitter comes from outside.

use crate::model::outcome::{Outcome, Posted};
use crate::model::slack_error::Reason;
use std::time::Duration;

/// The first retry of one message comes after about this.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// No two tries of one message are further apart.
const RETRY_MAX: Duration = Duration::from_secs(10 * 60);
/// The same for a failure that isn't expected to end within minutes.
const RETRY_SLOW_FIRST: Duration = Duration::from_secs(60);
const RETRY_SLOW_MAX: Duration = Duration::from_secs(60 * 60);
/// A message that is too old is given up once it was tried for about so long.
const TRIED_MIN: Duration = Duration::from_secs(10 * 60);
/// How many failures in a row, of whatever message, until the whole integration is paused.
const OUTAGE_FAILURES: u32 = 3;
/// The first pause of an integration, doubled with each further failure up to the second.
const OUTAGE_FIRST: Duration = Duration::from_millis(250);
const OUTAGE_MAX: Duration = Duration::from_secs(60);
/// How often a token that Slack refused is tried again, besides when the configuration changes.
const TOKEN_RETRY: Duration = Duration::from_secs(60);
/// At most one message a second to a channel (<https://docs.slack.dev/apis/web-api/rate-limits>), and a little air.
pub(crate) const CHANNEL_PACE: Duration = Duration::from_millis(1_010);
/// Edits of an integration are at least this far apart: `chat.update` is Tier 3, some fifty a minute.
pub(crate) const UPDATE_PACE: Duration = Duration::from_millis(1_250);

/// The facts about a delivery when its outcome arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// This one included.
    pub(crate) attempts: u32,
    pub(crate) age: Duration,
    pub(crate) age_max: Duration,
    /// It was sent as plain text already.
    pub(crate) is_plain: bool,
    /// It was an edit of a message, or a reply to one.
    pub(crate) refers: bool,
    /// There is another queue to send it to.
    pub(crate) has_fallback: bool,
    /// Temporary failures of the integration in a row, this one not included.
    pub(crate) failures: u32,
    /// 0 to 1.
    pub(crate) jitter: f64,
}

/// The next step after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Next {
    Delivered(Option<Posted>),
    /// The channel is paused; this message is next after it. Burns no attempt.
    PauseChannel(Duration),
    /// It wasn't sent: this node wasn't sure of its lease. Burns no attempt, and says nothing of Slack.
    GiveBack(Duration),
    /// The integration is paused, and everything with it. Burns no attempt.
    PauseIntegration {
        pause: Duration,
        reason: Reason,
    },
    /// Again later; after several failures in a row the integration is paused, too.
    Retry {
        after: Duration,
        pause: Option<Duration>,
        reason: Reason,
    },
    /// At once more, as plain text.
    RetryPlain {
        reason: Reason,
    },
    /// At once more, as a message of its own: the one it refers to is gone.
    PostAnew {
        reason: Reason,
    },
    /// To the integration's own channel, with the reason.
    Reroute {
        reason: Reason,
    },
    Dead {
        reason: Reason,
    },
}

/// The one decision about a delivery after each attempt.
pub(crate) fn next(outcome: Outcome, attempt: &Attempt) -> Next {
    match outcome {
        Outcome::Delivered(posted) => Next::Delivered(posted),
        Outcome::Unsure { after } => Next::GiveBack(after),
        Outcome::Wait { after } => Next::PauseChannel(after),
        Outcome::PostAnew { reason } if attempt.refers => Next::PostAnew { reason },
        Outcome::TokenNever { reason } => Next::PauseIntegration { pause: TOKEN_RETRY, reason },
        Outcome::Plain { reason } if !attempt.is_plain => Next::RetryPlain { reason },
        Outcome::DestinationNever { reason } if attempt.has_fallback => Next::Reroute { reason },
        Outcome::Plain { reason } | Outcome::MessageNever { reason } | Outcome::DestinationNever { reason } => {
            Next::Dead { reason }
        }
        Outcome::Temporary { reason, slow } => retry(reason, slow, attempt),
        // Nothing refers to another message when posting: Slack means something we don't know.
        Outcome::PostAnew { reason } => retry(reason, true, attempt),
    }
}

fn retry(reason: Reason, slow: bool, attempt: &Attempt) -> Next {
    let (first, most) = if slow { (RETRY_SLOW_FIRST, RETRY_SLOW_MAX) } else { (RETRY_FIRST, RETRY_MAX) };
    // The time that these attempts take: the age alone may come of a clock that jumped, or of a machine that was off.
    let tried: Duration = (1..attempt.attempts).take(20).map(|n| backoff(first, most, n, 0.0)).sum();
    if attempt.age >= attempt.age_max && tried >= attempt.age_max.min(TRIED_MIN) {
        let text = format!("given up after {} attempts: {reason}", attempt.attempts);
        return Next::Dead { reason: Reason { error: reason.error, text } };
    }
    let failures = attempt.failures.saturating_add(1);
    let pause = (!slow && failures >= OUTAGE_FAILURES)
        .then(|| backoff(OUTAGE_FIRST, OUTAGE_MAX, failures - OUTAGE_FAILURES + 1, attempt.jitter));
    Next::Retry { after: backoff(first, most, attempt.attempts, attempt.jitter), pause, reason }
}

/// Doubled with each attempt, up to `most`, and cut by up to half so that many don't come at once.
pub(crate) fn backoff(first: Duration, most: Duration, attempts: u32, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(20);
    let full = first.saturating_mul(1 << doublings).min(most);
    full.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Attempt = Attempt {
        attempts: 1,
        age: Duration::from_secs(1),
        age_max: Duration::from_secs(100),
        is_plain: false,
        refers: false,
        has_fallback: false,
        failures: 0,
        jitter: 0.0,
    };

    fn temporary() -> Outcome {
        Outcome::Temporary { reason: "reset".into(), slow: false }
    }

    #[test]
    fn retries_come_later_and_later_and_end_in_ten_minutes() {
        let after = |attempts| match next(temporary(), &Attempt { attempts, ..FRESH }) {
            Next::Retry { after, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 4, 10, 11, 4_000_000_000].map(after), [1, 2, 4, 8, 512, 600, 600]);
    }

    #[test]
    fn jitter_takes_up_to_half() {
        assert_eq!(backoff(RETRY_FIRST, RETRY_MAX, 1, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(RETRY_FIRST, RETRY_MAX, 1, 7.0), Duration::from_millis(500));
    }

    #[test]
    fn the_third_failure_in_a_row_pauses_the_integration() {
        let pause = |failures| match next(temporary(), &Attempt { failures, ..FRESH }) {
            Next::Retry { pause, .. } => pause.map(|pause| pause.as_millis()),
            other => panic!("{other:?}"),
        };
        assert_eq!([0, 1, 2, 3, 30].map(pause), [None, None, Some(250), Some(500), Some(60_000)]);
    }

    #[test]
    fn only_age_gives_up_on_what_is_temporary() {
        let old = Attempt { age: Duration::from_secs(100), attempts: 9, ..FRESH };
        assert_eq!(next(temporary(), &old), Next::Dead { reason: "given up after 9 attempts: reset".into() });
        let token = Outcome::TokenNever { reason: "token_revoked".into() };
        assert!(matches!(next(token, &old), Next::PauseIntegration { .. }));
        assert!(matches!(next(Outcome::Wait { after: Duration::ZERO }, &old), Next::PauseChannel(_)));
        let unsure = next(Outcome::Unsure { after: Duration::ZERO }, &old);
        assert_eq!(unsure, Next::GiveBack(Duration::ZERO), "Slack isn't unreachable");
    }

    #[test]
    fn what_became_old_at_once_is_tried_for_some_minutes_first() {
        let three_days = Duration::from_secs(3 * 24 * 60 * 60);
        let given_up = |attempts| {
            let jumped = Attempt { age: three_days * 99, age_max: three_days, attempts, ..FRESH };
            matches!(next(temporary(), &jumped), Next::Dead { .. })
        };
        assert_eq!([1, 2, 9, 10, 11, 4_000_000_000].map(given_up), [false, false, false, false, true, true]);
    }

    #[test]
    fn plain_text_is_tried_once() {
        let plain = || Outcome::Plain { reason: "invalid_blocks".into() };
        assert!(matches!(next(plain(), &FRESH), Next::RetryPlain { .. }));
        let again = Attempt { is_plain: true, ..FRESH };
        assert_eq!(next(plain(), &again), Next::Dead { reason: "invalid_blocks".into() });
    }

    #[test]
    fn a_message_that_is_gone_is_posted_anew() {
        let gone = || Outcome::PostAnew { reason: "message_not_found".into() };
        assert!(matches!(next(gone(), &Attempt { refers: true, ..FRESH }), Next::PostAnew { .. }));
        assert!(matches!(next(gone(), &FRESH), Next::Retry { .. }), "a post refers to nothing");
    }

    #[test]
    fn a_place_that_is_gone_has_its_fallback() {
        let gone = || Outcome::DestinationNever { reason: "is_archived".into() };
        assert_eq!(next(gone(), &FRESH), Next::Dead { reason: "is_archived".into() });
        let with = Attempt { has_fallback: true, ..FRESH };
        assert_eq!(next(gone(), &with), Next::Reroute { reason: "is_archived".into() });
    }
}
