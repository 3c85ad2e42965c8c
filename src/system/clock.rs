//! The only place that reads the clock; everything else gets `now` as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds, as the machine's wall clock has it.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Unix time in nanoseconds, for names that sort by time.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn wall_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// The wall clock as it was at the start, moved on by the monotonic one.
///
/// Deadlines and holds are reckoned by it, so that a stepped wall clock neither stalls a delivery nor makes it early.
/// A hold that was written before a restart is judged anew then (see [`crate::store`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct SteadyClock {
    wall_ms: i64,
    started: Instant,
}

impl SteadyClock {
    pub(crate) fn start() -> Self {
        Self { wall_ms: wall_ms(), started: Instant::now() }
    }

    /// Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.wall_ms.saturating_add(millis(self.started.elapsed()))
    }

    /// Stands still from now on, but for what is skipped: two looks at it are of one moment, however slow the machine is.
    #[cfg(test)]
    pub(crate) fn stop(&mut self) {
        self.wall_ms = self.now_ms();
        // As long as that moment is to come, nothing has passed since it.
        self.started = Instant::now() + Duration::from_secs(86_400);
    }

    /// Lets time pass.
    #[cfg(test)]
    pub(crate) fn skip(&mut self, time: Duration) {
        self.wall_ms = self.wall_ms.saturating_add(millis(time));
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A number nobody can predict, good for names and jitter, not for secrets.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
