//! Logs the head of the audit within seconds of each change, where listeners share the outbox within half a minute. Somebody
//! who cuts off the audit's end later can't remove the head from a journal that belongs to another user or is kept elsewhere.

use crate::config::{Config, Database, OutboxAt};
use crate::store::{Head, Store};
use log::{info, warn};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Where each node asks a server.
const SHARED_INTERVAL: Duration = Duration::from_secs(30);
/// How long the database may be locked.
const PATIENCE: Duration = Duration::from_millis(100);

/// The head that was logged last, and the outbox.
#[derive(Debug)]
pub(super) struct AuditHeadLog {
    state_dir: PathBuf,
    database: Option<Database>,
    store: Option<Store>,
    last_logged: Option<Head>,
    looked: Option<Instant>,
}

impl AuditHeadLog {
    pub(super) fn new(config: &Config) -> Self {
        let (state_dir, database) = (config.state_dir.clone(), config.database.clone());
        Self { state_dir, database, store: None, last_logged: None, looked: None }
    }

    /// To be called often. An outbox that can't be read is reported elsewhere.
    pub(super) fn log_changes(&mut self) {
        let interval = if self.database.is_some() { SHARED_INTERVAL } else { INTERVAL };
        if self.looked.is_some_and(|at| at.elapsed() < interval) {
            return;
        }
        self.looked = Some(Instant::now());
        if self.store.is_none() {
            let at = OutboxAt::of(&self.state_dir, self.database.as_ref());
            self.store = Store::open_for_reading(at, PATIENCE).ok().flatten();
        }
        let Some(Ok(head)) = self.store.as_ref().map(Store::audit_head) else {
            self.store = None;
            return;
        };
        if head == self.last_logged {
            return;
        }
        if let (Some(now), Some(before)) = (&head, &self.last_logged)
            && now.seq <= before.seq
        {
            warn!("the audit was cut off before={} now={}", before.seq, now.seq);
        }
        match &head {
            Some(Head { seq, hash }) => info!("audit head seq={seq} hash={hash}"),
            None => warn!("the audit was emptied"),
        }
        self.last_logged = head;
    }
}
