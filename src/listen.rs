//! The daemon: holds the delivery lock and delivers, woken by `notify`'s hint and by scanning the spool; and receives the
//! requests of Slack, over HTTP and Socket Mode. The main thread imports; a thread for each integration sends (`senders`).
//!
//! It may be killed at any time: a message being sent is a row with a lease, and the next deliverer takes it up. A
//! clean stop (SIGTERM) finishes the messages in progress, as a courtesy. SIGHUP, or a change of the configuration or of
//! a secret file, reloads; a configuration that is refused changes nothing.
//!
//! Imports `flow` and below. Never in here: the handling of a click, the delivery of a message.

mod address_watch;
mod audit_head;
mod curves;
mod database_watch;
mod deadman;
mod endpoints;
mod http;
mod installs;
mod leading;
mod lease;
mod listeners;
pub(crate) mod message_api;
mod metrics;
pub(crate) mod oauth;
mod outage;
mod reasons;
mod relay;
mod relays;
mod senders;
mod signals;
mod sockets;
mod timers;
mod worker;

use crate::config::{self, Config, Stamp};
use crate::flow::deliver::{DeliverError, Deliverer, PATIENCE_LONG};
use crate::flow::node::Node;
use crate::flow::shared_waits::WaitsInOutbox;
use crate::slack::api::share_waits;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::listener_status::{StatusNote, StatusWriter};
use crate::state_dir::spool::{Spool, SpoolError};
use crate::state_dir::wake;
use crate::store::Leadership;
use crate::system::environment::Environment;
use crate::system::systemd::Notifier;
use address_watch::AddressWatch;
use audit_head::AuditHeadLog;
use database_watch::DatabaseWatch;
use endpoints::Endpoints;
use leading::LeadingThreads;
use listeners::Listeners;
use log::{error, info, warn};
use signals::{Signals, wait_for_lock};
use std::cell::RefCell;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use worker::{DetachedWorker, Worker};

/// How often the spool and the configuration are looked at without a hint.
const SCAN_INTERVAL: Duration = Duration::from_secs(2);
/// After an error of the disk or the database.
const ERROR_PAUSE: Duration = Duration::from_secs(5);
/// How long a `notify` that delivers by itself is waited for at the start.
const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How often old rows are removed.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// The listener couldn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("another listener runs: it holds {0}; see who: `fuser -v {0}`")]
    AnotherRuns(String),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("can't lock {path}: {source}")]
    Lock { path: String, source: std::io::Error },
    #[error("can't start a thread: {0}")]
    Thread(#[source] std::io::Error),
    #[error("can't set up signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error("[relay] was taken out of the configuration; start ackbell again, as its systemd unit does")]
    NoRelayAnyMore,
    #[error("{0}; start ackbell again, as its systemd unit does: it continues with a new database")]
    Database(#[source] DeliverError),
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(config: Config, env: &Environment, notifier: &Notifier) -> Result<(), ListenError> {
    let signals = Signals::catch().map_err(ListenError::Signals)?;
    Spool::new(&config.state_dir).prepare()?;
    let Some(lock) = wait_for_lock(&config, &signals)? else {
        return Ok(());
    };
    let wake = wake::bind(&config.runtime_dir)
        .inspect_err(|e| {
            warn!("no wake-up socket reason={:?} scan_every_seconds={}", e.to_string(), SCAN_INTERVAL.as_secs());
        })
        .ok();
    if config.relay.is_some() {
        let ended = relay::run(config, env, (&signals, wake.as_ref()), notifier);
        drop(lock);
        return ended;
    }
    let status = StatusWriter::new(&config.runtime_dir);
    let (database, node) = (DatabaseWatch::default(), Arc::new(Node::new(&config)));
    let outage = outage::start(&config, env, &database);
    let endpoints = Arc::new(Endpoints::new(&config, env, status.clone(), (Arc::clone(&node), &database)));
    endpoints.start_callback(&config, env);
    let listeners = Listeners::open(&config, env, Arc::clone(&endpoints), status.clone());
    info!("listening state_dir={} integrations={}", config.state_dir.display(), config.integrations.len());
    notifier.say("READY=1\nSTATUS=delivering");
    let mut ended = Ok(());
    let addresses = AddressWatch::default();
    let (deadman, lease) =
        keep_leadership(&config, env, (&node, &lock), (&endpoints, &status)).map_err(ListenError::Thread)?;
    let stamp = config::stamp(&config);
    let mut current =
        Current { config, stamp, listeners, status, endpoints, addresses, node, deadman, lease, database, outage };
    while !signals.stopped() {
        // After an error the outbox is opened again: somebody else makes room on the disk or restores the database.
        if let Err(e) = deliver(&mut current, env, &lock, &signals, wake.as_ref(), notifier) {
            // Every thread has the old database open: only a new process is sure to use the new one.
            if e.is_moved() || e.mend(&current.config, PATIENCE_LONG, &lock).unwrap_or(false) {
                ended = Err(ListenError::Database(e));
                break;
            }
            current.interrupted(&e, &signals, wake.as_ref(), notifier);
        }
    }
    notifier.say("STOPPING=1");
    let Current { listeners, endpoints, status, lease, config, node, .. } = current;
    // Another node delivers from now on.
    drop(lease);
    endpoints.relays().end();
    // Until the listeners are closed requests are still accepted; they are kept, and done by the next process.
    drop(listeners);
    endpoints.stop();
    lease::end_node(&config, &node);
    status.remove();
    info!("stopped");
    ended
}

/// The configuration in force, the state of its files, and everything that follows the configuration.
struct Current {
    config: Config,
    stamp: Stamp,
    listeners: Listeners,
    status: StatusWriter,
    endpoints: Arc<Endpoints>,
    addresses: AddressWatch,
    node: Arc<Node>,
    /// Where the outbox is a file.
    deadman: Option<DetachedWorker>,
    /// Where nodes share it.
    lease: Option<Worker>,
    database: DatabaseWatch,
    outage: DetachedWorker,
}

/// By the delivery lock this process delivers as long as it runs; where nodes share the outbox, a thread gets the lease.
fn keep_leadership(
    config: &Config,
    env: &Environment,
    (node, lock): (&Arc<Node>, &DeliveryLock),
    (endpoints, status): (&Arc<Endpoints>, &StatusWriter),
) -> std::io::Result<(Option<DetachedWorker>, Option<Worker>)> {
    if !node.has_others() {
        let leadership = Leadership::by_lock(lock);
        let deadman = deadman::start(config, env, status, &leadership);
        node.lead(Some(leadership));
        return Ok((Some(deadman), None));
    }
    share_waits(Box::new(WaitsInOutbox::new(config)));
    let endpoints = Arc::clone(endpoints);
    Ok((None, Some(lease::start(config, node, Box::new(move || endpoints.requests_wait()))?)))
}

/// Delivers until a signal to stop (`Ok`) or until the disk or the database fails.
fn deliver(
    current: &mut Current,
    env: &Environment,
    lock: &DeliveryLock,
    signals: &Signals,
    wake: Option<&UnixDatagram>,
    notifier: &Notifier,
) -> Result<(), DeliverError> {
    let mut deliverer = Deliverer::open(current.config.clone(), env.clone(), PATIENCE_LONG, lock)?;
    deliverer.keep_sent_files(true);
    current.endpoints.start_callback(&current.config, env);
    deliverer.watch_exit(&signals.stop);
    let mut leading = LeadingThreads::default();
    let (mut housekeeping, mut is_changed): (Option<Instant>, _) = (None, false);
    let audit_head = RefCell::new(AuditHeadLog::new(&current.config));
    while !signals.stopped() {
        if current.reload(env, signals) {
            is_changed = true;
            leading.reconfigure(&current.config);
        }
        let beat = || {
            current.status.beat();
            audit_head.borrow_mut().log_changes();
            signals.stopped()
        };
        let leadership = current.node.leadership();
        let changed = if is_changed { deliverer.reconfigure(current.config.clone()) } else { Ok(()) };
        is_changed &= changed.is_err();
        let beside = (&current.config, env, &current.status);
        let followed = changed.and_then(|()| leading.follow(leadership.clone(), &mut deliverer, beside));
        let done = followed.and_then(|()| work(&mut deliverer, &mut leading, &mut housekeeping, &beat));
        let (next, is_tidy) = match done {
            Ok(done) => done,
            Err(e) if e.is_fenced() => {
                // What it may still do, any node may. A lease that came meanwhile is another one.
                leadership.inspect(|lost| current.node.lose(lost));
                continue;
            }
            Err(e) if current.node.has_others() && e.is_passing() => {
                // Whoever sends keeps in mind what Slack said until the database is back.
                leading.rest(&mut deliverer)?;
                current.interrupted(&e, signals, wake, notifier);
                continue;
            }
            Err(e) => return Err(e),
        };
        current.database.reached();
        current.node.set_able(true);
        current.listeners.check(&current.config);
        current.addresses.check(&current.config, &current.status);
        let interrupted = leading.senders().and_then(|senders| senders.interrupted().cloned());
        current.status.update(|status| status.interrupted = interrupted);
        audit_head.borrow_mut().log_changes();
        // Neither `check` nor systemd is told that all is well while a thread that sends hangs.
        if leading.are_alive() {
            current.status.beat();
            notifier.say("WATCHDOG=1");
        }
        let until_next = next.map_or(i64::MAX, |next| next.saturating_sub(deliverer.now_ms()));
        let longest = if is_tidy { SCAN_INTERVAL } else { Duration::ZERO };
        let pause = Duration::from_millis(u64::try_from(until_next).unwrap_or(0)).min(longest);
        // A hint may be about something else than the spool: a click, or `queue retry`.
        if !pause.is_zero() && (signals.wait(wake, pause) || wake.is_none()) {
            leading.ring();
        }
    }
    current.endpoints.relays().end();
    leading.finish_sending();
    // Another node delivers from now on, however long a calendar takes here.
    current.lease = None;
    Ok(())
}

/// One pass of the main thread: when something is due next, and whether nothing old is left to be removed.
fn work(
    deliverer: &mut Deliverer,
    leading: &mut LeadingThreads,
    housekeeping: &mut Option<Instant>,
    stop: &dyn Fn() -> bool,
) -> Result<(Option<i64>, bool), DeliverError> {
    if housekeeping.is_none_or(|last| last.elapsed() > HOUSEKEEPING) {
        *housekeeping = (!deliverer.tidy(0)?).then(Instant::now);
    }
    let looks = deliverer.is_look_due();
    if deliverer.drain()? > 0 {
        leading.ring();
    }
    if let Some(senders) = leading.senders() {
        senders.check(deliverer)?;
    }
    if !looks {
        return Ok((deliverer.awaited(), housekeeping.is_some()));
    }
    let round = deliverer.round(None, stop)?;
    if round.rerouted {
        leading.ring();
    }
    Ok((round.next, housekeeping.is_some()))
}

impl Current {
    /// Says why nothing is delivered, and waits until it may be tried again.
    fn interrupted(&self, e: &DeliverError, signals: &Signals, wake: Option<&UnixDatagram>, notifier: &Notifier) {
        let reason = e.to_string();
        // A database that is away is away for the other nodes, too: the lease outlasts its restart.
        if !e.is_passing() {
            self.node.set_able(false);
        }
        let away = e.is_away().then(|| self.database.failed(&reason));
        if away.as_ref().is_none_or(|failure| failure.is_new) {
            error!("delivery interrupted reason={reason:?} action=retry kept=all");
        }
        self.status.update(|status| status.interrupted_by(reason));
        self.status.beat();
        match away {
            Some(failure) => {
                // A new process wouldn't reach it either. Nor is it tried again for each notification that comes.
                notifier.say("WATCHDOG=1");
                signals.wait(None, failure.pause);
            }
            None => drop(signals.wait(wake, ERROR_PAUSE)),
        }
    }

    /// Loads a changed configuration; `true` when another one is in force now. A broken one is refused and logged.
    fn reload(&mut self, env: &Environment, signals: &Signals) -> bool {
        let asked = signals.reload.swap(false, Ordering::Relaxed);
        let stamp = config::stamp(&self.config);
        if !asked && stamp == self.stamp {
            return false;
        }
        self.stamp = stamp;
        match config::load(self.config.path.as_deref(), env) {
            Ok((config, warnings)) => {
                for warning in warnings {
                    warn!("{warning}");
                }
                self.status.update(|status| status.refused = None);
                let has_same_database = match (&config.database, &self.config.database) {
                    (Some(new), Some(old)) => new.is_same(old),
                    (new, old) => new == old,
                };
                let has_moved = config.state_dir != self.config.state_dir
                    || config.runtime_dir != self.config.runtime_dir
                    || !has_same_database;
                if has_moved {
                    let reason = "state_dir, runtime_dir and [database] change only with a restart";
                    error!("configuration refused reason={reason:?}");
                    self.status.update(|status| status.refused = Some(StatusNote::now(reason)));
                    return false;
                }
                info!("configuration reloaded");
                self.stamp = config::stamp(&config);
                self.config = config;
                self.endpoints.reconfigure(&self.config);
                self.listeners.reconfigure(&self.config);
                if let Some(deadman) = &self.deadman {
                    deadman.reconfigure(&self.config);
                }
                if let Some(lease) = &self.lease {
                    lease.reconfigure(&self.config);
                }
                self.outage.reconfigure(&self.config);
                true
            }
            Err(e) => {
                error!("configuration refused in_force=old reason={:?}", e.to_string());
                self.status.update(|status| status.refused = Some(StatusNote::now(e.to_string())));
                false
            }
        }
    }
}
