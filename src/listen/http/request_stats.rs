//! Counts requests by their outcome, and logs rejected requests: at most one line a minute per kind, so that nobody
//! outside can fill the log.

use super::lock;
use log::warn;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The time between two lines of one kind.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// By kind of outcome; only the program names kinds, so there are few.
#[derive(Debug, Default)]
pub(super) struct RequestStats(Mutex<BTreeMap<&'static str, Kind>>);

#[derive(Debug, Default)]
struct Kind {
    count: u64,
    last_line: Option<Instant>,
    /// Since the last line.
    not_logged: u64,
}

impl RequestStats {
    /// A request that went well: counted only.
    pub(super) fn count(&self, kind: &'static str) {
        lock(&self.0).entry(kind).or_default().count += 1;
    }

    /// A request that was refused or failed. The log escapes `detail`.
    pub(super) fn log_rejected(&self, kind: &'static str, detail: impl Display) {
        let mut kinds = lock(&self.0);
        let seen = kinds.entry(kind).or_default();
        seen.count += 1;
        if seen.last_line.is_some_and(|last| last.elapsed() < LINE_INTERVAL) {
            seen.not_logged += 1;
            return;
        }
        warn!("http kind={kind} not_logged={} {detail}", seen.not_logged);
        seen.last_line = Some(Instant::now());
        seen.not_logged = 0;
    }

    /// The counters in Prometheus's text format.
    pub(super) fn metrics(&self) -> String {
        let kinds = lock(&self.0);
        let lines = kinds.iter().map(|(kind, seen)| format!("ackbell_http_total{{kind=\"{kind}\"}} {}\n", seen.count));
        "# TYPE ackbell_http_total counter\n".to_owned() + &lines.collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_counted_always_and_logged_once_a_minute() {
        let stats = RequestStats::default();
        for _ in 0..3 {
            stats.log_rejected("forged", "from=::1");
        }
        stats.count("taken");
        assert_eq!(lock(&stats.0)["forged"].not_logged, 2);
        let metrics = stats.metrics();
        assert!(metrics.contains("ackbell_http_total{kind=\"forged\"} 3\nackbell_http_total{kind=\"taken\"} 1\n"));
    }
}
