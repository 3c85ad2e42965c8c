//! `GET /metrics`, in Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use crate::clock;
use crate::spool::Spool;
use crate::store::{Store, Summary};
use std::path::Path;

/// All of it. The outbox is opened for each scrape: nothing is kept for it between two.
pub(super) fn text(state_dir: &Path, is_delivering: bool) -> String {
    let summary =
        Store::open_existing(state_dir).ok().flatten().and_then(|store| store.summary().ok()).unwrap_or_default();
    let Summary { waiting, dead, oldest, acts } = summary;
    let spool = Spool::new(state_dir);
    let age = oldest.map_or(0, |received| clock::wall_ms().saturating_sub(received) / 1000);
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("# TYPE ackbell_info gauge\nackbell_info{{version=\"{version}\"}} 1\n");
    for (name, help, value) in [
        ("delivering", "1 while the outbox is delivered, 0 while that is interrupted.", i64::from(is_delivering)),
        ("spool_files", "Notifications that are not in the outbox yet.", count(spool.waiting().0)),
        ("spool_bad_files", "Spool files that can't be read.", count(spool.bad().len())),
        ("outbox_waiting", "Messages that wait.", waiting),
        ("outbox_oldest_seconds", "Age of the oldest that waits.", age),
        ("outbox_dead", "Messages that were given up.", dead),
        ("acts_open", "Acts of people that the core hasn't confirmed yet.", acts),
    ] {
        text.push_str(&format!("# HELP ackbell_{name} {help}\n# TYPE ackbell_{name} gauge\nackbell_{name} {value}\n"));
    }
    text
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
