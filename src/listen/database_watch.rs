//! What the main thread knows of a database on a server, for the other threads; and when it is tried again.

use super::reasons::Reasons;
use crate::rules::outage::Database;
use log::info;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After the first failure, doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// So long after it is back at most, somebody notices.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Shared by all threads of the listener.
#[derive(Debug, Clone, Default)]
pub(super) struct DatabaseWatch(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    known: Database<Instant>,
    logged: Reasons,
    pause: Duration,
}

/// What follows from a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The reason is one that this outage hadn't yet: it is logged.
    pub(super) is_new: bool,
    /// Before the next try.
    pub(super) pause: Duration,
}

impl DatabaseWatch {
    /// Whether it can be used, and since when.
    pub(super) fn known(&self) -> Database<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known
    }

    /// Something was read or written.
    pub(super) fn reached(&self) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match inside.known {
            Database::Reached(since) => since,
            Database::Unknown => Instant::now(),
            Database::Away(since) => {
                info!("the database is back after_seconds={}", since.elapsed().as_secs());
                Instant::now()
            }
        };
        *inside = Inside { known: Database::Reached(since), ..Inside::default() };
    }

    pub(super) fn failed(&self, reason: &str) -> Failure {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(inside.known, Database::Away(_)) {
            inside.known = Database::Away(Instant::now());
        }
        let is_new = inside.logged.is_new(reason);
        inside.pause = (inside.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        Failure { is_new, pause: inside.pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_once_and_no_try_comes_later_than_five_seconds() {
        let watch = DatabaseWatch::default();
        assert_eq!(watch.known(), Database::Unknown);
        let tries: Vec<Failure> = (0..5).map(|_| watch.failed("no route")).collect();
        assert_eq!(tries.iter().map(|one| one.is_new).collect::<Vec<_>>(), [true, false, false, false, false]);
        let pauses: Vec<u128> = tries.iter().map(|one| one.pause.as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 5000]);
        let Database::Away(since) = watch.known() else { panic!("it is away") };
        assert!(watch.failed("disk full").is_new);
        assert_eq!(watch.known(), Database::Away(since), "one outage, whatever the reasons");
        watch.reached();
        let back = watch.known();
        watch.reached();
        assert!(matches!(back, Database::Reached(_)) && watch.known() == back, "since it is back");
        assert_eq!(watch.failed("no route"), Failure { is_new: true, pause: PAUSE_MIN });
    }
}
