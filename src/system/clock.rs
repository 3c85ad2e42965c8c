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

/// The time since the machine was started, with what it was suspended for: for durations that another machine measures, too.
pub(crate) fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), nanos)
}

/// The wall clock as it was at the start, moved on by the monotonic one.
///
/// Deadlines and holds are reckoned by it, so that a stepped wall clock neither stalls a delivery nor makes it early.
/// A hold that was written before a restart is judged anew then (see [`crate::store`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct SteadyClock {
    wall_ms: i64,
    /// `None`: the time is a simulated one, which stands until it is set.
    started: Option<Instant>,
}

impl SteadyClock {
    pub(crate) fn start() -> Self {
        Self { wall_ms: wall_ms(), started: Some(Instant::now()) }
    }

    /// One that another machine's clock has set: the database's, where nodes share it.
    pub(crate) fn at(now_ms: i64) -> Self {
        Self { wall_ms: now_ms, started: Some(Instant::now()) }
    }

    /// A clock that stands at this time.
    pub(crate) fn simulated(now_ms: i64) -> Self {
        Self { wall_ms: now_ms, started: None }
    }

    /// Lets the simulated time become this one. It never goes back, and the machine's own is nobody's to set.
    pub(crate) fn advance_to(&mut self, now_ms: i64) {
        if self.started.is_none() {
            self.wall_ms = self.wall_ms.max(now_ms);
        }
    }

    /// Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.wall_ms.saturating_add(self.started.map_or(0, |started| millis(started.elapsed())))
    }

    /// Unix milliseconds by the machine's wall clock as it is now; by the simulated time where that is simulated.
    pub(crate) fn wall_ms(&self) -> i64 {
        if self.started.is_some() { wall_ms() } else { self.wall_ms }
    }

    /// Stands still from now on, but for what is skipped: two looks at it are of one moment, however slow the machine is.
    #[cfg(test)]
    pub(crate) fn stop(&mut self) {
        *self = Self::simulated(self.now_ms());
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
