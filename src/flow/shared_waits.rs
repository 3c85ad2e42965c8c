//! Slack counts the calls of all nodes together: what it told one of them to wait, all do.

use crate::config::Config;
use crate::slack::api::SharedWaits;
use crate::store::{Store, StoreError};
use log::warn;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A call doesn't wait longer than this for the database: without it each node honours what it was told itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// After an error nobody asks for so long: a click would wait for it.
const REST: Duration = Duration::from_secs(5);

/// The waits in the outbox that the nodes share.
pub(crate) struct WaitsInOutbox {
    config: Config,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Opened when it is first needed.
    store: Option<Store>,
    /// After an error: not asked before.
    rests_until: Option<Instant>,
    is_logged: bool,
}

impl WaitsInOutbox {
    pub(crate) fn new(config: &Config) -> Self {
        Self { config: config.clone(), state: Mutex::default() }
    }

    /// `None`: nobody knows, as the database is away. Threads ask one after the other, and the first error sends away all
    /// that wait.
    fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.rests_until.is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let done = if let Some(store) = &state.store {
            work(store)
        } else {
            let opened = Store::open(self.config.outbox_at(), PATIENCE);
            opened.and_then(|(opened, _)| work(state.store.insert(opened)))
        };
        match done {
            Ok(done) => {
                (state.rests_until, state.is_logged) = (None, false);
                Some(done)
            }
            Err(e) => {
                state.rests_until = Some(Instant::now() + REST);
                if !std::mem::replace(&mut state.is_logged, true) {
                    warn!("waits of other nodes not known reason={:?} action=go_on", e.to_string());
                }
                None
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::system::environment::Environment;
    use std::net::TcpListener;
    use std::sync::mpsc::channel;
    use std::thread::{scope, sleep};

    fn waits(directory: &tempfile::TempDir, more: &str) -> WaitsInOutbox {
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, format!("state_dir = \"state\"\n{more}")).unwrap();
        let (config, _) = load(Some(&path), &Environment::default()).unwrap();
        std::fs::create_dir_all(&config.state_dir).unwrap();
        WaitsInOutbox::new(&config)
    }

    #[test]
    fn a_wait_is_kept_and_known_while_another_thread_asks() {
        let directory = tempfile::tempdir().unwrap();
        let (waits, (asks, asked)) = (waits(&directory, ""), channel());
        let ask = || {
            waits.with(|_| {
                asks.send(()).unwrap();
                sleep(Duration::from_millis(200));
                Ok(())
            })
        };
        scope(|threads| {
            threads.spawn(ask);
            asked.recv_timeout(Duration::from_secs(20)).unwrap();
            waits.keep("default", "users.info", Duration::from_secs(60));
            threads.spawn(ask);
            asked.recv_timeout(Duration::from_secs(20)).unwrap();
            let left = waits.left("default", "users.info");
            assert!(left > Duration::from_secs(10), "{left:?}");
        });
        assert_eq!(waits.left("default", "views.open"), Duration::ZERO);
    }

    /// Each try of a database that says nothing takes half a second: a crowd of clicks makes one.
    #[test]
    fn a_database_that_is_away_is_waited_for_once_however_many_ask() {
        let (directory, server) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        server.set_nonblocking(true).unwrap();
        let port = server.local_addr().unwrap().port();
        let waits = waits(&directory, &format!("[database]\nurl = \"postgres://a@127.0.0.1:{port}/a\"\n"));
        scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| assert_eq!(waits.left("default", "users.info"), Duration::ZERO));
            }
        });
        assert_eq!(std::iter::from_fn(|| server.accept().ok()).count(), 1);
    }
}
