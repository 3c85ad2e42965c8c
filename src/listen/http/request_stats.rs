//! What is told about requests, those of strangers above all: counted always, logged at most once a minute per kind,
//! so that nobody outside can fill the log.

use super::lock;
use log::warn;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The time between two lines of one kind.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// Per kind of outcome. Kinds are our own words, so there are few.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<BTreeMap<&'static str, Told>>);

#[derive(Debug, Default)]
struct Told {
    count: u64,
    last_line: Option<Instant>,
    /// Since the last line.
    untold: u64,
}

impl Strangers {
    /// Something went well: counted only.
    pub(super) fn count(&self, kind: &'static str) {
        lock(&self.0).entry(kind).or_default().count += 1;
    }

    /// Something was refused or failed. The log escapes what `detail` holds.
    pub(super) fn tell(&self, kind: &'static str, detail: impl Display) {
        let mut kinds = lock(&self.0);
        let told = kinds.entry(kind).or_default();
        told.count += 1;
        if told.last_line.is_some_and(|last| last.elapsed() < LINE_INTERVAL) {
            told.untold += 1;
            return;
        }
        warn!("http kind={kind} untold={} {detail}", told.untold);
        told.last_line = Some(Instant::now());
        told.untold = 0;
    }

    /// The counters in Prometheus's text format.
    pub(super) fn metrics(&self) -> String {
        let kinds = lock(&self.0);
        let lines = kinds.iter().map(|(kind, told)| format!("ackbell_http_total{{kind=\"{kind}\"}} {}\n", told.count));
        "# TYPE ackbell_http_total counter\n".to_owned() + &lines.collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_counted_always_and_told_once_a_minute() {
        let strangers = Strangers::default();
        for _ in 0..3 {
            strangers.tell("forged", "from=::1");
        }
        strangers.count("taken");
        assert_eq!(lock(&strangers.0)["forged"].untold, 2);
        let metrics = strangers.metrics();
        assert!(metrics.contains("ackbell_http_total{kind=\"forged\"} 3\nackbell_http_total{kind=\"taken\"} 1\n"));
    }
}
