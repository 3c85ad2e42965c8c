//! The sandbox's only clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Unix time in seconds, as the machine's wall clock has it.
#[expect(clippy::disallowed_methods, reason = "the demo's core is another program and reads the clock by itself")]
pub(super) fn wall_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Reads the wall clock once and counts monotonically from there, so a stepped clock disturbs no pace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    started_unix_ms: u64,
    /// How far it is set off on purpose.
    shift_ms: i64,
}

impl Clock {
    /// Starts counting now.
    #[expect(clippy::disallowed_methods, reason = "the sandbox stands for another machine and has a clock of its own")]
    pub(super) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2);
        Self { started: Instant::now(), started_unix_ms, shift_ms: 0 }
    }

    /// Milliseconds since 1970.
    pub(super) fn unix_ms(&self) -> u64 {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
        self.started_unix_ms.saturating_add(passed).saturating_add_signed(self.shift_ms)
    }

    /// Sets it off against the machine's.
    pub(super) fn shift(&mut self, seconds: i64) {
        self.shift_ms = seconds.saturating_mul(1000);
    }

    /// As the `Date` of an answer.
    pub(super) fn http_date(&self) -> String {
        let seconds = i64::try_from(self.unix_ms() / 1000).unwrap_or_default();
        let now = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default()
    }
}
