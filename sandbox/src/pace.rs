//! One message a second and channel, whatever way it comes in; and so many calls of a method a minute.
//! <https://docs.slack.dev/apis/web-api/rate-limits>

use std::collections::HashMap;

/// What one message costs.
const INTERVAL_MS: u64 = 1000;
/// How much too early a request may be without being called so: two clocks never tick alike.
const TOLERANCE_MS: u64 = 20;

/// Whether a request keeps the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    /// In time.
    Fine,
    /// Too soon after the ones before it.
    TooFast,
    /// More calls of the method than its tier allows.
    OverTier,
    /// Before the `Retry-After` of an earlier 429 had passed.
    EarlyRetry,
}

/// The book of what may come when.
#[derive(Debug)]
pub(super) struct Pace {
    enabled: bool,
    burst: u32,
    /// Per channel: when the next message would be due if they came evenly.
    due_ms: HashMap<String, u64>,
    /// Per channel or method: the end of the last `Retry-After`.
    not_before_ms: HashMap<String, u64>,
}

impl Pace {
    /// A pace with nothing counted yet.
    pub(super) fn new(enabled: bool, burst: u32) -> Self {
        Self { enabled, burst: burst.max(1), due_ms: HashMap::new(), not_before_ms: HashMap::new() }
    }

    /// Changes the rule, keeps the counts.
    pub(super) fn set(&mut self, enabled: Option<bool>, burst: Option<u32>) {
        self.enabled = enabled.unwrap_or(self.enabled);
        self.burst = burst.unwrap_or(self.burst).max(1);
    }

    /// Forgets every count.
    pub(super) fn clear(&mut self) {
        self.due_ms.clear();
        self.not_before_ms.clear();
    }

    /// Notes that `key` was told to come back after `delay_ms`.
    pub(super) fn require_wait(&mut self, key: &str, now_ms: u64, delay_ms: u64) {
        self.not_before_ms.insert(key.to_owned(), now_ms.saturating_add(delay_ms));
    }

    /// Whether `key` comes back before the time it was told.
    pub(super) fn is_early(&self, key: &str, now_ms: u64) -> bool {
        self.not_before_ms.get(key).is_some_and(|until| now_ms + TOLERANCE_MS < *until)
    }

    /// Counts a call of a method: as many at once as its tier allows in a minute, then evenly. A refused one costs
    /// nothing but is told to wait for its turn.
    pub(super) fn call(&mut self, key: &str, a_minute: u32, now_ms: u64) -> Verdict {
        if self.is_early(key, now_ms) {
            return Verdict::EarlyRetry;
        }
        if !self.enabled || a_minute == 0 {
            return Verdict::Fine;
        }
        let interval_ms = 60_000 / u64::from(a_minute);
        let due = self.due_ms.get(key).copied().unwrap_or(0);
        let at_once = u64::from(a_minute.saturating_add(self.burst) - 2);
        if now_ms + at_once * interval_ms + TOLERANCE_MS < due {
            self.require_wait(key, now_ms, Self::wait_seconds(a_minute) * 1000);
            return Verdict::OverTier;
        }
        self.due_ms.insert(key.to_owned(), due.max(now_ms) + interval_ms);
        Verdict::Fine
    }

    /// The `Retry-After` of a method's 429.
    pub(super) fn wait_seconds(a_minute: u32) -> u64 {
        60_u64.div_ceil(u64::from(a_minute.max(1)))
    }

    /// Counts a message to `channel`. A refused one costs nothing but is told to wait a second.
    pub(super) fn arrive(&mut self, channel: &str, now_ms: u64) -> Verdict {
        if self.is_early(channel, now_ms) {
            return Verdict::EarlyRetry;
        }
        if !self.enabled {
            return Verdict::Fine;
        }
        let due = self.due_ms.get(channel).copied().unwrap_or(0);
        let slack = u64::from(self.burst - 1) * INTERVAL_MS + TOLERANCE_MS;
        if now_ms + slack < due {
            self.require_wait(channel, now_ms, INTERVAL_MS);
            return Verdict::TooFast;
        }
        self.due_ms.insert(channel.to_owned(), due.max(now_ms) + INTERVAL_MS);
        Verdict::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_and_channel() {
        let mut pace = Pace::new(true, 1);
        assert_eq!(pace.arrive("C1", 10_000), Verdict::Fine);
        assert_eq!(pace.arrive("C2", 10_001), Verdict::Fine);
        assert_eq!(pace.arrive("C1", 10_979), Verdict::TooFast);
        assert_eq!(pace.arrive("C1", 11_958), Verdict::EarlyRetry);
        assert_eq!(pace.arrive("C1", 11_959), Verdict::Fine);
    }

    #[test]
    fn the_tolerance_does_not_add_up() {
        let mut pace = Pace::new(true, 1);
        assert_eq!(pace.arrive("C1", 10_000), Verdict::Fine);
        assert_eq!(pace.arrive("C1", 10_985), Verdict::Fine);
        assert_eq!(pace.arrive("C1", 11_970), Verdict::TooFast);
    }

    #[test]
    fn a_burst_passes_then_one_a_second() {
        let mut pace = Pace::new(true, 3);
        let verdicts: Vec<_> = (0..4).map(|_| pace.arrive("C1", 10_000)).collect();
        assert_eq!(verdicts, [Verdict::Fine, Verdict::Fine, Verdict::Fine, Verdict::TooFast]);
        assert_eq!(pace.arrive("C1", 11_000), Verdict::Fine);
    }

    #[test]
    fn a_method_takes_a_minutes_calls_at_once_then_evenly() {
        let mut pace = Pace::new(true, 1);
        let verdicts: Vec<_> = (0..51).map(|_| pace.call("chat.update", 50, 10_000)).collect();
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Fine).count(), 50);
        assert_eq!(verdicts[50], Verdict::OverTier);
        assert_eq!(pace.call("chat.update", 50, 11_000), Verdict::EarlyRetry);
        assert_eq!(pace.call("chat.update", 50, 12_000), Verdict::Fine);
        assert_eq!(pace.call("users.info", 100, 10_000), Verdict::Fine);
        assert!((0..1000).all(|_| pace.call("auth.test", 0, 10_000) == Verdict::Fine));
    }

    #[test]
    fn without_a_pace_only_retry_after_counts() {
        let mut pace = Pace::new(false, 1);
        assert_eq!(pace.arrive("C1", 10_000), Verdict::Fine);
        assert_eq!(pace.arrive("C1", 10_000), Verdict::Fine);
        pace.require_wait("C1", 10_000, 2_000);
        assert_eq!(pace.arrive("C1", 11_000), Verdict::EarlyRetry);
        assert_eq!(pace.arrive("C1", 12_000), Verdict::Fine);
    }
}
