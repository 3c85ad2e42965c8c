//! The lease: which node delivers where several share an outbox, and until when that is sure.
//!
//! The database's clock alone says when a lease ends. The node that has it measures durations only, by a clock that also
//! counts the time in which the machine was suspended: `now` is always the time since boot. It trusts its lease for less
//! time than the others wait, and from the *start* of the attempt to renew it, as the answer may have been on its way for
//! long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So long after its last renewal a lease ends, by the database's clock.
pub(crate) const TTL: Duration = Duration::from_secs(10);
/// How often the leader renews it.
pub(crate) const RENEW_INTERVAL: Duration = Duration::from_secs(3);
/// So much earlier the leader stops: more than the pace of a channel, and than two clocks differ within [`TTL`].
pub(crate) const MARGIN: Duration = Duration::from_secs(2);
/// A call to Slack that has less time than this isn't made.
const CALL_MIN: Duration = Duration::from_millis(500);

/// Until when a lease is sure that was renewed by an attempt that began then.
pub(crate) fn trusted_until(attempt_began: Duration) -> Duration {
    attempt_began + TTL.saturating_sub(MARGIN)
}

/// How long a call to Slack may take; `None`: it can't be made, as another node may lead before its end.
pub(crate) fn call_limit(trusted: Duration, now: Duration, wanted: Duration) -> Option<Duration> {
    let limit = trusted.saturating_sub(now).min(wanted);
    (limit >= CALL_MIN.min(wanted)).then_some(limit).filter(|limit| !limit.is_zero())
}

/// What a node knows of its own lease, for all of its threads.
#[derive(Debug)]
pub(crate) struct Term {
    token: i64,
    /// Milliseconds since boot; 0: it is over.
    trusted: AtomicU64,
}

impl Term {
    /// One that was taken by an attempt that began then.
    pub(crate) fn new(token: i64, attempt_began: Duration) -> Self {
        let term = Self { token, trusted: AtomicU64::new(0) };
        term.renewed(attempt_began);
        term
    }

    /// The number of the lease: every holder has another one, so what an earlier one writes is refused.
    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    /// It was renewed by an attempt that began then.
    pub(crate) fn renewed(&self, attempt_began: Duration) {
        let until = trusted_until(attempt_began).as_millis();
        self.trusted.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It was given back, or another node has it.
    pub(crate) fn end(&self) {
        self.trusted.store(0, Ordering::Relaxed);
    }

    fn trusted(&self) -> Duration {
        Duration::from_millis(self.trusted.load(Ordering::Relaxed))
    }

    /// Whether nobody else leads now.
    pub(crate) fn is_sure(&self, now: Duration) -> bool {
        self.trusted() > now
    }

    /// See [`call_limit`].
    pub(crate) fn call_limit(&self, now: Duration, wanted: Duration) -> Option<Duration> {
        call_limit(self.trusted(), now, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_lease_is_trusted_from_the_start_of_the_attempt_and_ends_before_the_others_may_take_it() {
        let term = Term::new(7, at(1000));
        assert!(term.is_sure(at(8999)) && !term.is_sure(at(9000)));
        assert!(trusted_until(at(1000)) + MARGIN <= at(1000) + TTL);
        term.renewed(at(4000));
        assert!(term.is_sure(at(11_999)) && !term.is_sure(at(12_000)));
        term.end();
        assert!(!term.is_sure(at(4000)));
    }

    #[test]
    fn a_call_fits_into_the_lease_or_is_not_made() {
        assert_eq!(call_limit(at(8000), at(1000), at(10_000)), Some(at(7000)));
        assert_eq!(call_limit(at(8000), at(1000), at(3000)), Some(at(3000)));
        assert_eq!(call_limit(at(8000), at(7500), at(3000)), Some(at(500)));
        assert_eq!(call_limit(at(8000), at(7501), at(3000)), None);
        assert_eq!(call_limit(at(8000), at(9000), at(3000)), None, "after a pause");
        assert_eq!(call_limit(at(8000), at(8000), Duration::ZERO), None);
    }
}
