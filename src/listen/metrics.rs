//! `GET /metrics`, in Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use super::listeners::Sockets;
use crate::state_dir::spool::Spool;
use crate::store::{Store, Summary};
use crate::system::clock;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

/// How long a scrape waits for whoever writes.
const PATIENCE: Duration = Duration::from_secs(1);

/// All of it. The outbox is opened for each scrape, for reading only: nothing is kept for it between two. One that can't
/// be read has no numbers: zeros would say that all is well.
pub(super) fn text(state_dir: &Path, is_delivering: bool, sockets: &Sockets) -> String {
    let summary = Store::open_for_reading(state_dir, PATIENCE)
        .and_then(|store| store.map_or_else(|| Ok(Summary::default()), |store| store.summary()));
    let spool = Spool::new(state_dir);
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("# TYPE ackbell_info gauge\nackbell_info{{version=\"{version}\"}} 1\n");
    let mut gauges = vec![
        ("delivering", "1 while the outbox is delivered, 0 while that is interrupted.", i64::from(is_delivering)),
        ("spool_files", "Notifications that are not in the outbox yet.", count(spool.waiting().0)),
        ("spool_bad_files", "Spool files that can't be read.", count(spool.bad().len())),
        (
            "outbox_readable",
            "0 while the outbox can't be read; what is told of it is missing then.",
            i64::from(summary.is_ok()),
        ),
    ];
    if let Ok(Summary { waiting, dead, oldest, action_requests }) = summary {
        let age = oldest.map_or(0, |received| clock::wall_ms().saturating_sub(received) / 1000);
        gauges.extend([
            ("outbox_waiting", "Messages that wait.", waiting),
            ("outbox_oldest_seconds", "Age of the oldest that waits.", age),
            ("outbox_dead", "Messages that were given up.", dead),
            ("acts_open", "Acts of people that the core hasn't confirmed yet.", action_requests),
        ]);
    }
    for (name, help, value) in gauges {
        text.push_str(&format!("# HELP ackbell_{name} {help}\n# TYPE ackbell_{name} gauge\nackbell_{name} {value}\n"));
    }
    socket_mode(&mut text, sockets);
    text
}

/// Strangers are connections of the app that aren't ours: of another listener, or ghosts. Clicks that go there are lost
/// to this one.
fn socket_mode(text: &mut String, sockets: &Sockets) {
    let sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    for (integration, (_, socket)) in sockets.iter() {
        let status = socket.status();
        let (connected, strangers) = (u8::from(status.connected), status.strangers());
        let since = status.since / 1000;
        for (name, value) in [("connected", u64::from(connected)), ("strangers", strangers)] {
            text.push_str(&format!("ackbell_socket_{name}{{integration=\"{integration}\"}} {value}\n"));
        }
        text.push_str(&format!("ackbell_socket_since_seconds{{integration=\"{integration}\"}} {since}\n"));
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
