//! The thread of the lease, where nodes share an outbox: takes the lease when it is free, renews it, and gives it back at the
//! end. It has a connection of its own, so nothing that is written or sent delays it.
//!
//! Killed, the lease ends by itself and another node takes it. Paused, this node finds that out before its next call to
//! Slack, by its own clock, and before its next claim, by the database.

use super::installs::InstallSync;
use super::reasons::Reasons;
use super::worker::Worker;
use crate::config::Config;
use crate::flow::deliver::{PATIENCE_LONG, log_orphans};
use crate::flow::node::Node;
use crate::rules::lease::RENEW_INTERVAL;
use crate::state_dir::wake;
use crate::store::{Leadership, NodeBeat, Store, StoreError};
use crate::system::clock;
use log::{info, warn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often a node looks at the lease, for requests that it can carry out, and the leader for what others imported.
const LOOK_INTERVAL: Duration = Duration::from_millis(950);
const LEADER_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a node says that it is there.
const BEAT_INTERVAL: Duration = Duration::from_secs(6);
/// For the last word to the others.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How often the leader looks for requests whose owner died.
const TAKE_OVER_INTERVAL: Duration = Duration::from_secs(15);

/// Starts the thread. Dropped, it gives the lease back. `on_requests` is called when somebody's action request waits in the
/// outbox.
pub(super) fn start(config: &Config, node: &Arc<Node>, on_requests: Box<dyn Fn() + Send>) -> io::Result<Worker> {
    let renewer = LeaseRenewer {
        config: config.clone(),
        node: Arc::clone(node),
        on_requests,
        store: None,
        renewed: None,
        beat: None,
        looked: None,
        took_over: None,
        newest_delivery: 0,
        logged: Reasons::default(),
        installs_seen: 0,
        installs: InstallSync::start(config, node),
    };
    Worker::start("lease", move |inbox| renewer.run(inbox))
}

/// The state of the thread.
struct LeaseRenewer {
    config: Config,
    node: Arc<Node>,
    on_requests: Box<dyn Fn() + Send>,
    store: Option<Store>,
    renewed: Option<Instant>,
    beat: Option<Instant>,
    looked: Option<Instant>,
    took_over: Option<Instant>,
    newest_delivery: i64,
    logged: Reasons,
    installs_seen: i64,
    installs: InstallSync,
}

impl LeaseRenewer {
    fn run(mut self, inbox: &Receiver<Config>) {
        loop {
            let leads = self.node.leadership().is_some();
            // Without this thread the node would go on and never deliver again.
            let caught = std::panic::catch_unwind(AssertUnwindSafe(|| self.step()));
            let bug = || Err("a bug of ackbell, please report it".to_owned());
            match caught.map_or_else(|_| bug(), |done| done.map_err(|e| e.to_string())) {
                Ok(()) => self.logged.clear(),
                Err(reason) => {
                    if self.logged.is_new(&reason) {
                        let what = if leads { "lease not renewed" } else { "lease not seen" };
                        warn!("{what} reason={reason:?} action=retry");
                    }
                }
            }
            match inbox.recv_timeout(if leads { LEADER_LOOK_INTERVAL } else { LOOK_INTERVAL }) {
                Ok(config) => {
                    self.installs.reconfigure(&config);
                    self.config = config;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.give_back();
    }

    fn step(&mut self) -> Result<(), StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => Store::open(self.config.outbox_at(), PATIENCE_LONG)?.0,
        };
        let done = self.step_with(&store);
        // It connects anew by itself.
        self.store = Some(store);
        done
    }

    fn step_with(&mut self, store: &Store) -> Result<(), StoreError> {
        let is_able = self.node.is_able();
        if !is_able && let Some(leadership) = self.node.leadership() {
            warn!("delivery left to another node reason=\"nothing can be imported here\"");
            self.node.lead(None);
            store.end_lease(&leadership)?;
        }
        if let Some(leadership) = self.node.leadership()
            && is_due(self.renewed, RENEW_INTERVAL)
        {
            self.renew(store, &leadership)?;
        }
        // Two of one name would carry out the same requests: whoever comes second does nothing.
        if is_due(self.beat, BEAT_INTERVAL) {
            self.beat(store)?;
        }
        // A step may come a little early.
        if is_due(self.looked, LOOK_INTERVAL / 2) {
            self.looked = Some(Instant::now());
            let look = store.look_at_lease(clock::wall_ms())?;
            self.node.others().store(u64::try_from(look.nodes - 1).unwrap_or(0), Ordering::Relaxed);
            if look.has_new_requests {
                (self.on_requests)();
            }
            // What another node imported is sent here.
            if std::mem::replace(&mut self.newest_delivery, look.newest_delivery) != look.newest_delivery
                && self.node.leads()
            {
                wake::hint(&self.config.runtime_dir);
            }
            if std::mem::replace(&mut self.installs_seen, look.installs) != look.installs {
                self.installs.look();
            }
            if look.is_free && is_able && self.node.leadership().is_none() {
                self.take(store)?;
                store.forget_nodes()?;
            }
        }
        if self.node.leads() && is_due(self.took_over, TAKE_OVER_INTERVAL) {
            self.took_over = Some(Instant::now());
            if store.take_over_requests(self.node.name())? > 0 {
                (self.on_requests)();
            }
        }
        Ok(())
    }

    fn beat(&mut self, store: &Store) -> Result<(), StoreError> {
        let attempt_began = clock::since_boot();
        let (node, reaches) = (&self.node, self.node.reaches(&self.config));
        store.beat(&NodeBeat::of(node.name(), node.machine().to_owned(), reaches, self.config.fingerprint()))?;
        node.was_seen(attempt_began);
        self.beat = Some(Instant::now());
        Ok(())
    }

    fn renew(&mut self, store: &Store, leadership: &Leadership) -> Result<(), StoreError> {
        // Also after an error: it is tried again at the next step.
        let is_renewed = store.renew_lease(leadership)?;
        self.renewed = Some(Instant::now());
        if !is_renewed {
            warn!("another node delivers now action=only_import");
            self.node.lead(None);
            wake::hint(&self.config.runtime_dir);
        }
        Ok(())
    }

    fn take(&mut self, store: &Store) -> Result<(), StoreError> {
        let now = store.database_ms()?;
        if let Some((leadership, orphans)) = store.take_lease(self.node.name(), now)? {
            info!("this node delivers now node={}", self.node.name());
            log_orphans(orphans);
            self.renewed = Some(Instant::now());
            self.node.lead(Some(leadership));
            wake::hint(&self.config.runtime_dir);
        }
        Ok(())
    }

    /// The others needn't wait for its end.
    fn give_back(&mut self) {
        if let (Some(store), Some(leadership)) = (&self.store, self.node.leadership())
            && let Err(e) = store.end_lease(&leadership)
        {
            warn!("lease not given back reason={:?} action=let_it_end", e.to_string());
        }
        self.node.lead(None);
    }
}

/// The process ends: nobody misses this node, and its requests are taken over at once.
pub(super) fn end_node(config: &Config, node: &Node) {
    if !node.has_others() {
        return;
    }
    if let Err(e) =
        Store::open(config.outbox_at(), END_PATIENCE).and_then(|(store, _)| store.end_node(node.name(), node.machine()))
    {
        warn!("the other nodes weren't told reason={:?} action=they_see_it_soon", e.to_string());
    }
}

fn is_due(last: Option<Instant>, interval: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= interval)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::spool::Spool;
    use crate::store::NewActionRequest;
    use crate::system::environment::Environment;
    use std::sync::mpsc::channel;

    /// With a file the thread does the same, although nobody needs it there.
    #[test]
    fn a_bug_met_by_the_thread_of_the_lease_doesnt_end_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, "state_dir = \"state\"\n").unwrap();
        let (config, _) = crate::config::load(Some(&path), &Environment::default()).unwrap();
        Spool::new(&config.state_dir).prepare().unwrap();
        let (mut store, _) = Store::open(config.outbox_at(), PATIENCE_LONG).unwrap();
        let request = NewActionRequest {
            key: "x".into(),
            parent: None,
            name: "acknowledge".into(),
            object: "a".into(),
            request: "{}".into(),
            due: 0,
        };
        store.keep_requests(&[request], 0).unwrap();
        let node = Arc::new(Node::new(&config));
        let (tell, told) = channel();
        let mut is_first = true;
        let on_requests = move || {
            tell.send(()).unwrap();
            assert!(!std::mem::take(&mut is_first), "a bug");
        };
        let on_requests = std::sync::Mutex::new(on_requests);
        let worker = start(
            &config,
            &node,
            Box::new(move || on_requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner)()),
        )
        .unwrap();
        for _ in 0..2 {
            told.recv_timeout(Duration::from_secs(60)).expect("a look");
        }
        drop(worker);
        assert!(store.take_lease("b", 0).unwrap().is_some(), "it gave the lease back");
    }
}
