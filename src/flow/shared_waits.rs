//! Slack counts the calls of all nodes together: what it told one of them to wait, all do.

use crate::config::Config;
use crate::slack::api::SharedWaits;
use crate::store::Store;
use log::warn;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A call doesn't wait longer than this for the database: without it each node honours what it was told itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// The waits in the outbox that the nodes share.
pub(crate) struct WaitsInOutbox {
    config: Config,
    /// Opened when it is first needed.
    store: Mutex<Option<Store>>,
}

impl WaitsInOutbox {
    pub(crate) fn new(config: &Config) -> Self {
        Self { config: config.clone(), store: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, crate::store::StoreError>) -> Option<T> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match &*store {
            Some(store) => work(store),
            None => Store::open(self.config.outbox_at(), PATIENCE).and_then(|(opened, _)| work(store.insert(opened))),
        };
        done.map_err(|e| warn!("waits of other nodes not known reason={:?} action=go_on", e.to_string())).ok()
    }
}

impl SharedWaits for WaitsInOutbox {
    fn left(&self, integration: &str, method: &str) -> Duration {
        self.with(|store| store.slack_wait(integration, method)).unwrap_or_default()
    }

    fn keep(&self, integration: &str, method: &str, after: Duration) {
        self.with(|store| store.keep_slack_wait(integration, method, after));
    }
}
