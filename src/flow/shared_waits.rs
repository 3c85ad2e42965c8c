//! Slack counts the calls of all nodes together: what it told one of them to wait, all do.

use crate::config::Config;
use crate::slack::api::SharedWaits;
use crate::store::{Store, StoreError};
use log::warn;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// What this node was told to wait and the outbox doesn't have yet: until when, by integration and method.
    unsaved: BTreeMap<(String, String), Instant>,
}

impl WaitsInOutbox {
    pub(crate) fn new(config: &Config) -> Self {
        Self { config: config.clone(), state: Mutex::default() }
    }

    /// `None`: nobody knows, as the database is away. Threads ask one after the other, and the first error sends away all
    /// that wait.
    fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> Option<T> {
        let mut state = self.state();
        if state.rests_until.is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let done = state.store(&self.config).and_then(work);
        let saved = if done.is_ok() { state.save() } else { Ok(()) };
        let (done, failed) = match (done, saved) {
            (Ok(done), saved) => (Some(done), saved.err()),
            (Err(e), _) => (None, Some(e)),
        };
        state.rests_until = failed.is_some().then(|| Instant::now() + REST);
        let was_logged = std::mem::replace(&mut state.is_logged, failed.is_some());
        if let Some(e) = failed.filter(|_| !was_logged) {
            warn!("waits of other nodes not known reason={:?} action=go_on", e.to_string());
        }
        done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The open outbox.
    fn store(&mut self, config: &Config) -> Result<&Store, StoreError> {
        let store = match self.store.take() {
            Some(open) => open,
            None => Store::open(config.outbox_at(), PATIENCE)?.0,
        };
        Ok(self.store.insert(store))
    }

    /// Saves one of the waits that aren't saved yet: a call waits for no more than that.
    fn save(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        self.unsaved.retain(|_, until| *until > now);
        let Some((((integration, method), until), store)) = self.unsaved.first_key_value().zip(self.store.as_ref())
        else {
            return Ok(());
        };
        store.keep_slack_wait(integration, method, until.saturating_duration_since(now))?;
        self.unsaved.pop_first();
        Ok(())
    }
}

impl SharedWaits for WaitsInOutbox {
    fn left(&self, integration: &str, method: &str) -> Duration {
        self.with(|store| store.slack_wait(integration, method)).unwrap_or_default()
    }

    fn keep(&self, integration: &str, method: &str, after: Duration) {
        let until = Instant::now().checked_add(after);
        self.state().unsaved.extend(until.map(|until| ((integration.to_owned(), method.to_owned()), until)));
        self.with(|_| Ok(()));
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

    /// A 429 in the seconds after an error counts for the other nodes as soon as the database is asked again.
    #[test]
    fn what_slack_said_while_the_database_was_away_is_saved_when_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let (here, other) = (waits(&directory, ""), waits(&directory, ""));
        here.state().rests_until = Some(Instant::now() + REST);
        here.keep("default", "chat.update", Duration::from_secs(60));
        here.keep("default", "chat.postMessage", Duration::ZERO);
        assert_eq!(other.left("default", "chat.update"), Duration::ZERO);
        here.state().rests_until = None;
        assert_eq!(here.left("default", "views.open"), Duration::ZERO);
        let left = other.left("default", "chat.update");
        assert!(left > Duration::from_secs(10), "{left:?}");
        assert!(here.state().unsaved.is_empty());
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
