//! Flow two: `spool ─▶ outbox ─▶ route ─▶ render ─▶ Slack`.
//!
//! With a file, whoever holds the delivery lock runs it: the listener all the time, else a `notify` or `queue flush` for its
//! time budget. Where nodes share the outbox, each of them imports, and the one that has the lease sends. A listener imports in one thread and sends in others, one for each integration, so that no workspace waits for
//! another; the others do everything in one thread. A queue is never in the [`Share`] of two threads.
//!
//! Every step is a transaction, so it may be killed anywhere: before the import's commit the spool file is still there;
//! after it the outbox knows the file's name; a message that was being sent is sent again. With one node that is the only way
//! to a duplicate: one for each integration that was sending. With several, whoever was overtaken takes its message back
//! (`repair`).

mod cause;
mod compose;
mod drain;
mod earlier;
mod error;
mod here;
mod log_outcome;
mod mentions;
mod renew_token;
mod repair;
mod round;
mod send;
mod sent;
mod share;
mod simulated;

pub(crate) use compose::{interactivity, message, replacement};
pub(crate) use drain::{complete, local_time, subscriptions};
pub(crate) use earlier::{earlier, wall_time};
pub(crate) use error::{DeliverError, log_orphans};
pub(crate) use here::{Here, here};
pub(crate) use mentions::message_mode;
pub(crate) use send::directly;
pub(crate) use share::Share;
pub(crate) use simulated::{CallKind, SimulatedCall};

use crate::config::{Config, Integration, Route};
use crate::flow::curves::Curves;
use crate::flow::timers::Timers;
use crate::monitoring::details::Details;
use crate::monitoring::objects::DisplayNames;
use crate::monitoring::topologies::Topologies;
use crate::rules::lease::Term;
use crate::slack::api::Client;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::Spool;
use crate::store::{DeliveryQueue, Leadership, PURGE_BATCH, Store, StoreError};
use crate::system::clock::{SteadyClock, millis};
use crate::system::environment::Environment;
use error::log_put_aside;
use sent::Sent;
use simulated::Simulated;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A call needs at least this much of the budget, else it is left to the next deliverer.
const CALL_MIN: Duration = Duration::from_millis(500);
/// How often whoever imports asks a server what is due.
const SHARED_LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Without a listener this many old deliveries are forgotten at a time: a transaction costs two syncs.
const TIDY_HERE: usize = 100;
/// How long a process without a listener waits for another one's transaction.
pub(crate) const PATIENCE_SHORT: Duration = Duration::from_secs(5);
/// The same for the listener.
pub(crate) const PATIENCE_LONG: Duration = Duration::from_secs(30);

/// The state of one deliverer: connections, caches, the open outbox.
#[derive(Debug)]
pub(crate) struct Deliverer {
    config: Config,
    /// The queues that it sends from.
    share: Share,
    /// Routes that channels gave themselves; from the outbox, not from the configuration.
    subscriptions: Vec<Route>,
    env: Environment,
    spool: Spool,
    /// What the database may forget again; of a listener whose outbox is on a server.
    sent: Option<Sent>,
    store: Store,
    /// The right to deliver; without it only notifications are imported.
    leadership: Option<Leadership>,
    /// Set when the process ends: what is in memory only is given up soon after.
    exiting: Arc<AtomicBool>,
    /// The channels that hold still after our last message, Unix ms: a database that forgets its last commits in a failover
    /// forgets the pause.
    paces: HashMap<DeliveryQueue, i64>,
    /// How many notifications one transaction imports into an outbox that nodes share.
    batch: usize,
    /// Where nodes share the outbox: when whoever imports looked last for what is due without a sender's doing.
    looked: Option<Instant>,
    clock: SteadyClock,
    names: Arc<Mutex<DisplayNames>>,
    details: Details,
    /// Which hosts hang below which, read by whoever imports.
    topologies: Arc<Mutex<Topologies>>,
    /// When to read again what the core may still write about something in the spool, Unix ms.
    awaited: Option<i64>,
    clients: HashMap<String, Client>,
    /// The last reason logged per integration: a failure is logged again only when it differs.
    last_logged: HashMap<String, String>,
    renewals: HashMap<String, renew_token::Renewal>,
    /// Takes the calls in Slack's place; nothing is sent then.
    simulated: Option<Simulated>,
}

impl Deliverer {
    /// Opens the outbox. To be called with the delivery lock held, by which it delivers, once the claims of a dead deliverer
    /// are forgotten. Where nodes share the outbox, it only imports before it gets the lease ([`Self::lead`]).
    pub(crate) fn open(
        config: Config,
        env: Environment,
        patience: Duration,
        lock: &DeliveryLock,
    ) -> Result<Self, DeliverError> {
        let (store, aside) = Store::open(config.outbox_at(), patience)?;
        if let Some(aside) = aside {
            log_put_aside(&aside);
        }
        let clock = if store.is_shared() { SteadyClock::at(store.database_ms()?) } else { SteadyClock::start() };
        let leadership = (!store.is_shared()).then(|| Leadership::by_lock(lock));
        if leadership.is_some() {
            log_orphans(store.recover(clock.now_ms())?);
        }
        Ok(Self { leadership, ..Self::with(config, env, store, clock) })
    }

    /// One that knows nothing yet, and may not send.
    fn with(config: Config, env: Environment, store: Store, clock: SteadyClock) -> Self {
        let spool = Spool::new(&config.state_dir);
        Self {
            config,
            share: Share::default(),
            subscriptions: Vec::new(),
            env,
            spool,
            sent: None,
            store,
            leadership: None,
            exiting: Arc::default(),
            paces: HashMap::new(),
            batch: drain::BATCH_MIN,
            looked: None,
            clock,
            names: Arc::default(),
            details: Details::default(),
            topologies: Arc::default(),
            awaited: None,
            clients: HashMap::new(),
            last_logged: HashMap::new(),
            renewals: HashMap::new(),
            simulated: None,
        }
    }

    /// Another deliverer that sends a share of the queues in a thread of its own, with a connection to the same outbox.
    /// The two go by one clock, and read a core's names once.
    pub(crate) fn beside(&self, share: Share, patience: Duration) -> Result<Self, DeliverError> {
        let store = self.store.beside(patience)?;
        store.lead(self.leadership.as_ref());
        Ok(Self {
            share,
            leadership: self.leadership.clone(),
            exiting: Arc::clone(&self.exiting),
            names: Arc::clone(&self.names),
            topologies: Arc::clone(&self.topologies),
            ..Self::with(self.config.clone(), self.env.clone(), store, self.clock)
        })
    }

    /// What runs the timers, with a connection to the same outbox, by the same clock.
    pub(crate) fn timers(&self, patience: Duration) -> Result<Timers, DeliverError> {
        let store = (self.store.beside(patience)?, self.leadership.as_ref());
        Ok(Timers::new(self.config.clone(), self.env.clone(), store, self.clock))
    }

    /// What looks up the curves, likewise.
    pub(crate) fn curves(&self, patience: Duration) -> Result<Curves, DeliverError> {
        let store = (self.store.beside(patience)?, self.leadership.as_ref());
        Ok(Curves::new(self.config.clone(), self.env.clone(), store, self.clock))
    }

    /// Delivers in the name of this lease from now on; with none it only imports.
    pub(crate) fn lead(&mut self, leadership: Option<Leadership>) -> Result<(), DeliverError> {
        if self.store.is_shared() && leadership.is_some() {
            // All leaders go by the database's clock, also one whose machine was suspended.
            self.clock = SteadyClock::at(self.store.database_ms()?);
        }
        self.store.lead(leadership.as_ref());
        self.leadership = leadership;
        self.clients.clear();
        Ok(())
    }

    /// Whether nodes may share its outbox.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// The lease in whose name it calls.
    fn term(&self) -> Option<Arc<Term>> {
        self.leadership.as_ref().and_then(Leadership::term).cloned()
    }

    /// Tells it how to learn that the process ends.
    pub(crate) fn watch_exit(&mut self, exiting: &Arc<AtomicBool>) {
        self.exiting = Arc::clone(exiting);
    }

    /// Keeps imported spool files for a while where the outbox is on a server, and offers them again whenever the server
    /// may have forgotten something. `repeats`: not so a process that has only a moment, which leaves that to the next listener.
    pub(crate) fn keep_sent_files(&mut self, repeats: bool) {
        if self.config.database.is_some() {
            let now = self.clock.wall_ms() / 1000;
            self.sent = Some(if repeats { Sent::new(&self.spool, now) } else { Sent::of_a_moment(&self.spool, now) });
        } else {
            // Left from before the outbox was a file again.
            self.spool.sent().iter().for_each(|id| self.spool.forget_sent(id));
        }
    }

    /// Sends from these queues only.
    pub(crate) fn keep_to(&mut self, share: Share) {
        self.share = share;
    }

    /// Uses a new configuration; waiting messages follow it. Each deliverer ends the pauses of its own share: a message
    /// that another one is sending by the old configuration may pause its integration yet.
    pub(crate) fn reconfigure(&mut self, config: Config) -> Result<(), DeliverError> {
        self.config = config;
        self.clients.clear();
        for integration in self.store.paused_integrations()?.iter().filter(|name| self.share.has(name)) {
            self.store.end_integration_pause(integration)?;
        }
        Ok(())
    }

    /// Removes leftovers of killed processes and forgets some old deliveries, if that is worth it. `true`: there may be
    /// more. In steps, so that no new message waits for it. Where nodes share the outbox, only the leader forgets.
    pub(crate) fn tidy(&self, worth: usize) -> Result<bool, DeliverError> {
        self.spool.sweep();
        if self.leadership.is_none() {
            return Ok(false);
        }
        self.forget(worth, |id| self.spool.holds(id))
    }

    /// Forgets some of what was delivered long ago.
    fn forget(&self, worth: usize, in_spool: impl Fn(&str) -> bool) -> Result<bool, DeliverError> {
        let forgotten = self.now_ms().saturating_sub(millis(self.config.history.keep)) / 1000;
        let has_more_history = self.store.purge_history(forgotten, PURGE_BATCH)? == PURGE_BATCH;
        let purged = self.store.purge(self.now_ms(), worth, in_spool)?;
        Ok(purged == PURGE_BATCH || has_more_history)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// When to read again what the core may still write about something in the spool, Unix ms.
    pub(crate) fn awaited(&self) -> Option<i64> {
        self.awaited
    }

    /// Whether whoever imports is to look for what is due. A server is asked less often than a file: the senders look by
    /// themselves.
    pub(crate) fn is_look_due(&self) -> bool {
        self.term().is_none() || self.looked.is_none_or(|last| last.elapsed() >= SHARED_LOOK_INTERVAL)
    }

    /// Without a listener no thread renews the lease.
    fn keep_lease(&mut self) -> Result<(), DeliverError> {
        match &self.leadership {
            Some(leadership) if !self.store.renew_lease(leadership)? => Err(StoreError::Fenced.into()),
            _ => Ok(()),
        }
    }

    fn integration(&self, name: &str) -> Option<&Integration> {
        self.config.integrations.iter().find(|integration| integration.name == name)
    }
}

#[cfg(test)]
mod tests;
