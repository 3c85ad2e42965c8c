//! Slack counts the calls of all nodes together: what it told one of them to wait, all do.

use crate::config::Config;
use crate::slack::api::SharedWaits;
use crate::store::{Store, StoreError};
use log::warn;
use std::sync::{Mutex, TryLockError};
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

    /// `None`: nobody knows, as another thread asks just now or the database is away.
    fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> Option<T> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
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
    use crate::system::environment::Environment;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    /// The waits in a database whose server takes connections and says nothing, and that server.
    fn silent() -> (WaitsInOutbox, TcpListener) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        let port = server.local_addr().unwrap().port();
        std::fs::write(&path, format!("[database]\nurl = \"postgres://ackbell@127.0.0.1:{port}/ackbell\"\n")).unwrap();
        let (config, _) = crate::config::load(Some(&path), &Environment::default()).unwrap();
        (WaitsInOutbox::new(&config), server)
    }

    #[test]
    fn a_database_that_says_nothing_is_asked_once_and_then_left_alone() {
        let (waits, server) = silent();
        for _ in 0..20 {
            assert_eq!(waits.left("default", "chat.postMessage"), Duration::ZERO);
            waits.keep("default", "chat.postMessage", Duration::from_secs(3));
        }
        let connections = std::iter::from_fn(|| server.accept().ok()).count();
        assert!(connections <= 2, "{connections} connections: each would have cost a click half a second");
    }

    #[test]
    fn nobody_waits_for_another_threads_look() {
        let (waits, server) = silent();
        let waits = Arc::new(waits);
        let busy = waits.state.lock().unwrap();
        let (tell, told) = channel();
        let other = Arc::clone(&waits);
        std::thread::spawn(move || tell.send(other.left("default", "views.open")));
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(Duration::ZERO));
        drop(busy);
        assert!(server.accept().is_err(), "it went on without the database");
    }
}
