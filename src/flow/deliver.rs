//! Flow two: `spool ─▶ outbox ─▶ route ─▶ render ─▶ Slack`.
//!
//! Whoever holds the delivery lock runs it: the listener all the time, else a `notify` or `queue flush` for its time
//! budget. Every step is a transaction, so it may be killed anywhere: before the import's commit the spool file is
//! still there; after it the outbox knows the file's name; a message that was being sent is sent again, which is the
//! one way to a duplicate.

mod compose;
mod drain;
mod log_outcome;
mod mentions;
mod renew_token;
mod send;

pub(crate) use compose::{interactivity, message, replacement};
pub(crate) use drain::{complete, local_time, subscriptions};
pub(crate) use mentions::message_mode;
pub(crate) use send::directly;

use crate::config::{Config, Integration, Route};
use crate::monitoring::details::Details;
use crate::monitoring::objects::DisplayNames;
use crate::slack::api::Client;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::{Spool, SpoolError};
use crate::store::{PURGE_BATCH, Store, StoreError};
use crate::system::clock::{SteadyClock, millis};
use crate::system::environment::Environment;
use log::{error, warn};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// A call needs at least this much of the budget, else it is left to the next deliverer.
const CALL_MIN: Duration = Duration::from_millis(500);
/// Without a listener this many old deliveries are forgotten at a time: a transaction costs two syncs.
const TIDY_HERE: usize = 100;
/// How long a process without a listener waits for another one's transaction.
pub(crate) const PATIENCE_SHORT: Duration = Duration::from_secs(5);
/// The same for the listener.
pub(crate) const PATIENCE_LONG: Duration = Duration::from_secs(30);

/// Delivery can't go on now; everything is kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeliverError {
    /// Puts the database aside if this came of its corruption; the waiting messages that can be read go into a new one.
    /// `true` when that was done.
    pub(crate) fn mend(&self, config: &Config, patience: Duration, _lock: &DeliveryLock) -> Result<bool, Self> {
        let Self::Store(e) = self else { return Ok(false) };
        if !e.is_corruption() {
            return Ok(false);
        }
        log_put_aside(&Store::replace(&config.state_dir, patience)?.1);
        Ok(true)
    }

    /// The database was taken away under us.
    pub(crate) fn is_moved(&self) -> bool {
        matches!(self, Self::Store(StoreError::Moved(_)))
    }
}

fn log_put_aside(aside: &Path) {
    error!("database was corrupt aside={:?} action=recover_waiting", aside.display().to_string());
}

/// The result of one round over all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) attempts: usize,
    /// When something is due next, in Unix ms; `None` when nothing waits.
    pub(crate) next: Option<i64>,
}

/// The state of one deliverer: connections, caches, the open outbox.
#[derive(Debug)]
pub(crate) struct Deliverer {
    config: Config,
    /// Routes that channels gave themselves; from the outbox, not from the configuration.
    subscriptions: Vec<Route>,
    env: Environment,
    spool: Spool,
    store: Store,
    clock: SteadyClock,
    names: DisplayNames,
    details: Details,
    /// When to read again what the core may still write about something in the spool, Unix ms.
    awaited: Option<i64>,
    clients: HashMap<String, Client>,
    /// The last reason logged per integration: a failure is logged again only when it differs.
    last_logged: HashMap<String, String>,
    renewals: HashMap<String, renew_token::Renewal>,
}

impl Deliverer {
    /// Opens the outbox and forgets the leases of a dead deliverer. To be called with the delivery lock held.
    pub(crate) fn open(
        config: Config,
        env: Environment,
        patience: Duration,
        _lock: &DeliveryLock,
    ) -> Result<Self, DeliverError> {
        let clock = SteadyClock::start();
        let (store, aside) = Store::open(&config.state_dir, patience)?;
        if let Some(aside) = aside {
            log_put_aside(&aside);
        }
        let orphans = store.recover(clock.now_ms())?;
        if orphans > 0 {
            warn!("messages were being sent when ackbell died count={orphans} action=resend duplicate_possible=true");
        }
        let spool = Spool::new(&config.state_dir);
        let (names, details) = (DisplayNames::default(), Details::default());
        let (clients, last_logged, renewals) = (HashMap::new(), HashMap::new(), HashMap::new());
        let subscriptions = Vec::new();
        Ok(Self {
            config,
            subscriptions,
            env,
            spool,
            store,
            clock,
            names,
            details,
            awaited: None,
            clients,
            last_logged,
            renewals,
        })
    }

    /// Uses a new configuration; waiting messages follow it.
    pub(crate) fn reconfigure(&mut self, config: Config) -> Result<(), DeliverError> {
        self.config = config;
        self.clients.clear();
        Ok(self.store.end_integration_pauses()?)
    }

    /// Removes leftovers of killed processes and forgets some old deliveries, if that is worth it. `true`: there may be
    /// more. In steps, so that no new message waits for it.
    pub(crate) fn tidy(&self, worth: usize) -> Result<bool, DeliverError> {
        self.spool.sweep();
        Ok(self.store.purge(self.now_ms(), worth, |id| self.spool.holds(id))? == PURGE_BATCH)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Sends at most one message per queue, so that no channel waits for another's queue. `until`: Unix ms by which
    /// the caller must be done. `stop` is asked between two messages.
    pub(crate) fn round(&mut self, until: Option<i64>, stop: &dyn Fn() -> bool) -> Result<Round, DeliverError> {
        let mut round = Round { attempts: 0, next: self.awaited };
        self.renew(self.budget(until));
        for queue in self.store.queues()? {
            let budget = self.budget(until);
            if stop() || budget < CALL_MIN {
                round.next.get_or_insert(self.now_ms());
                return Ok(round);
            }
            let mut planned = self.plan(&queue)?;
            if let Some(due) = planned.filter(|planned| planned.ready <= self.now_ms()) {
                self.send(&queue, due, budget)?;
                round.attempts += 1;
                planned = self.plan(&queue)?;
            }
            round.next = [round.next, planned.map(|planned| planned.ready)].into_iter().flatten().min();
        }
        if round.attempts > 0 {
            // A recorded outcome may have opened a queue that this round didn't see.
            round.next = Some(self.now_ms());
        }
        Ok(round)
    }

    fn budget(&self, until: Option<i64>) -> Duration {
        let left = until.map_or(i64::MAX, |until| until.saturating_sub(self.now_ms()));
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    fn integration(&self, name: &str) -> Option<&Integration> {
        self.config.integrations.iter().find(|integration| integration.name == name)
    }
}

/// The result of delivering here, without a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    /// Nothing waits any more.
    Done,
    /// Something waits for a later deliverer: the budget is spent, or it isn't due yet.
    Waiting,
    /// Somebody else has taken the lock meanwhile and delivers.
    SomeoneElse,
}

/// Delivers what there is for up to `budget`, then lets the lock go.
///
/// After letting go it looks at the spool once more: whoever came between our last look and the unlock got no lock
/// and relies on us.
pub(crate) fn here(
    config: &Config,
    env: &Environment,
    mut lock: DeliveryLock,
    budget: Duration,
) -> Result<Here, DeliverError> {
    let clock = SteadyClock::start();
    let until = clock.now_ms().saturating_add(millis(budget));
    let spool = Spool::new(&config.state_dir);
    loop {
        let done = match pass(config, env, &lock, until) {
            Err(e) if e.mend(config, PATIENCE_SHORT, &lock)? => pass(config, env, &lock, until)?,
            other => other?,
        };
        drop(lock);
        if !done || spool.is_empty() || clock.now_ms() >= until {
            return Ok(if done { Here::Done } else { Here::Waiting });
        }
        match DeliveryLock::try_take(&config.state_dir) {
            Ok(Some(again)) => lock = again,
            _ => return Ok(Here::SomeoneElse),
        }
    }
}

/// Drains and delivers until nothing waits (`true`), the time is up, or a listener wants to.
fn pass(config: &Config, env: &Environment, lock: &DeliveryLock, until: i64) -> Result<bool, DeliverError> {
    let mut deliverer = Deliverer::open(config.clone(), env.clone(), PATIENCE_SHORT, lock)?;
    loop {
        deliverer.drain()?;
        let round = deliverer.round(Some(until), &|| lock.is_claimed())?;
        let Some(next) = round.next else {
            deliverer.tidy(TIDY_HERE)?;
            deliverer.store.checkpoint();
            // Whoever came since the last look got no lock and relies on us: tidying takes a while.
            if !deliverer.spool.is_empty() && (deliverer.drain()? > 0 || deliverer.awaited.is_some()) {
                continue;
            }
            // A file that couldn't be imported waits in the spool.
            return Ok(deliverer.config.integrations.is_empty() || deliverer.spool.is_empty());
        };
        let now = deliverer.now_ms();
        if next.max(now).saturating_add(millis(CALL_MIN)) > until || lock.is_claimed() {
            deliverer.store.checkpoint();
            return Ok(false);
        }
        if next > now {
            // Short naps: more may come into the spool meanwhile.
            std::thread::sleep(Duration::from_millis(u64::try_from(next - now).unwrap_or(0).min(200)));
        }
    }
}

#[cfg(test)]
mod tests;
