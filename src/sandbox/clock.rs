//! The sandbox's only clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Reads the wall clock once and counts monotonically from there, so a stepped clock disturbs no pace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    started_unix_ms: u64,
}

impl Clock {
    /// Starts counting now.
    #[expect(clippy::disallowed_methods, reason = "the sandbox stands for another machine and has a clock of its own")]
    pub(super) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2) }
    }

    /// Milliseconds since 1970.
    pub(super) fn unix_ms(&self) -> u64 {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
        self.started_unix_ms.saturating_add(passed)
    }
}
