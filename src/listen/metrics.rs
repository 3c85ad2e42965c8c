//! `GET /metrics`, in Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use super::sockets::Sockets;
use crate::config::{Config, Database, OutboxAt};
use crate::state_dir::spool::Spool;
use crate::store::{Store, StoreError, Summary};
use crate::system::clock;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a scrape waits for the database.
const PATIENCE: Duration = Duration::from_secs(1);

/// The spool and the outbox, as scrapes read them.
pub(super) struct Metrics {
    state_dir: PathBuf,
    database: Option<Database>,
    /// Where the outbox is on a server: a scrape's connection, for the next one.
    store: Mutex<Option<Store>>,
}

impl Metrics {
    pub(super) fn new(config: &Config) -> Self {
        Self { state_dir: config.state_dir.clone(), database: config.database.clone(), store: Mutex::default() }
    }

    /// All metrics. If the outbox can't be read its numbers are missing: zeros would mean that all is well.
    pub(super) fn text(&self, is_delivering: bool, sockets: &Sockets) -> String {
        let summary = self.summary();
        let spool = Spool::new(&self.state_dir);
        let version = env!("CARGO_PKG_VERSION");
        let mut text = format!("# TYPE ackbell_info gauge\nackbell_info{{version=\"{version}\"}} 1\n");
        let mut gauges = vec![
            ("delivering", "1 while the outbox is delivered, 0 while that is interrupted.", i64::from(is_delivering)),
            ("spool_files", "Notifications that are not in the outbox yet.", count(spool.count())),
            ("spool_bad_files", "Spool files that can't be read.", count(spool.bad().len())),
            (
                "outbox_readable",
                "0 while the outbox can't be read; its numbers are missing then.",
                i64::from(summary.is_ok()),
            ),
        ];
        if let Ok(Summary { waiting, dead, oldest, action_requests }) = summary {
            let age = oldest.map_or(0, |received| clock::wall_ms().saturating_sub(received) / 1000);
            gauges.extend([
                ("outbox_waiting", "Messages waiting for delivery.", waiting),
                ("outbox_oldest_seconds", "Age of the oldest waiting message.", age),
                ("outbox_dead", "Messages that will not be delivered.", dead),
                ("acts_open", "Action requests that the core hasn't confirmed yet.", action_requests),
            ]);
        }
        for (name, help, value) in gauges {
            text.push_str(&format!(
                "# HELP ackbell_{name} {help}\n# TYPE ackbell_{name} gauge\nackbell_{name} {value}\n"
            ));
        }
        socket_mode(&mut text, sockets);
        text
    }

    /// For reading only. A file is opened for each scrape and not kept open, as it may be replaced by another one; a server
    /// would see a login for each.
    fn summary(&self) -> Result<Summary, StoreError> {
        let kept = || self.store.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two scrapes at once the later one connects anew: neither waits for the other.
        let known = kept().take();
        let opened = match known {
            Some(store) => Some(store),
            None => Store::open_for_reading(OutboxAt::of(&self.state_dir, self.database.as_ref()), PATIENCE)?,
        };
        let Some(store) = opened else { return Ok(Summary::default()) };
        let summary = store.summary()?;
        *kept() = Some(store).filter(Store::is_shared);
        Ok(summary)
    }
}

/// `ackbell_socket_strangers`: connections of this app that this process didn't open: another listener, or ones Slack hasn't
/// closed yet. Clicks that Slack sends there don't reach this process.
fn socket_mode(text: &mut String, sockets: &Sockets) {
    let sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
    for (integration, (_, socket)) in sockets.iter() {
        let status = socket.status();
        let (connected, others) = (u8::from(status.connected), status.other_connections());
        let since = status.since / 1000;
        for (name, value) in [("connected", u64::from(connected)), ("strangers", others)] {
            text.push_str(&format!("ackbell_socket_{name}{{integration=\"{integration}\"}} {value}\n"));
        }
        text.push_str(&format!("ackbell_socket_since_seconds{{integration=\"{integration}\"}} {since}\n"));
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
