//! What the main thread knows of a database on a server, for the other threads; and when it is tried again.

use log::info;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After the first failure, doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// So long after it is back at most, somebody notices.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// So many reasons of one outage are logged.
const REASONS_MAX: usize = 8;

/// Shared by all threads of the listener.
#[derive(Debug, Clone, Default)]
pub(super) struct DatabaseWatch(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    known: DatabaseState,
    /// The reasons of this outage: one way to fail may show as two that take turns.
    logged: Vec<String>,
    pause: Duration,
}

/// Whether the database can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum DatabaseState {
    /// Not tried yet.
    #[default]
    Unknown,
    Reached,
    /// Since the first failure.
    Away(Instant),
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
    pub(super) fn known(&self) -> DatabaseState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known
    }

    /// Something was read or written.
    pub(super) fn reached(&self) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let DatabaseState::Away(since) = inside.known {
            info!("the database is back after_seconds={}", since.elapsed().as_secs());
        }
        *inside = Inside { known: DatabaseState::Reached, logged: Vec::new(), pause: Duration::ZERO };
    }

    pub(super) fn failed(&self, reason: &str) -> Failure {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(inside.known, DatabaseState::Away(_)) {
            inside.known = DatabaseState::Away(Instant::now());
        }
        let is_new = inside.logged.len() < REASONS_MAX && !inside.logged.iter().any(|known| known == reason);
        if is_new {
            inside.logged.push(reason.to_owned());
        }
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
        assert_eq!(watch.known(), DatabaseState::Unknown);
        let tries: Vec<Failure> = (0..5).map(|_| watch.failed("no route")).collect();
        assert_eq!(tries.iter().map(|one| one.is_new).collect::<Vec<_>>(), [true, false, false, false, false]);
        let pauses: Vec<u128> = tries.iter().map(|one| one.pause.as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 5000]);
        let DatabaseState::Away(since) = watch.known() else { panic!("it is away") };
        assert!(watch.failed("disk full").is_new);
        assert!(!watch.failed("no route").is_new && !watch.failed("disk full").is_new, "they take turns");
        assert_eq!(watch.known(), DatabaseState::Away(since), "one outage, whatever the reasons");
        watch.reached();
        assert_eq!(watch.failed("no route"), Failure { is_new: true, pause: PAUSE_MIN });
        assert_eq!((0..99).filter(|nth| watch.failed(&nth.to_string()).is_new).count(), REASONS_MAX - 1);
    }
}
