//! Delivery without a listener: by a `notify` or `queue flush`, for its time budget.

use super::mentions::message_mode;
use super::{CALL_MIN, DeliverError, Deliverer, PATIENCE_SHORT, TIDY_HERE, log_orphans};
use crate::config::Config;
use crate::flow::installs;
use crate::rules::lease::RENEW_INTERVAL;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::Spool;
use crate::system::clock::{SteadyClock, millis};
use crate::system::environment::Environment;
use log::warn;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

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

/// Delivers by the delivery lock, or where nodes share the outbox by the lease if none of them has it.
fn pass(config: &Config, env: &Environment, lock: &DeliveryLock, until: i64) -> Result<bool, DeliverError> {
    let mut deliverer = Deliverer::open(config.clone(), env.clone(), PATIENCE_SHORT, lock)?;
    // It has no time to wait for a database that is away: what Slack said is recorded soon or not at all.
    deliverer.watch_exit(&Arc::new(AtomicBool::new(true)));
    if deliverer.leadership.is_some() {
        return deliver_all(&mut deliverer, lock, until);
    }
    deliverer.keep_sent_files(false);
    // What is in the outbox is delivered by the node that leads, if there is one.
    deliverer.drain()?;
    let holder = format!("notify on {}", config.listen.node);
    // Perhaps no listener has run here since an installation was changed at another node.
    for (name, install) in installs::sync(config, &deliverer.store, false)?.changed {
        deliverer.config = deliverer.config.with_installation(&name, &install);
    }
    loop {
        let Some((leadership, orphans)) = deliverer.store.take_lease(&holder, deliverer.now_ms())? else {
            return Ok(deliverer.spool.is_empty());
        };
        log_orphans(orphans);
        deliverer.lead(Some(leadership.clone()))?;
        let done = deliver_all(&mut deliverer, lock, until);
        if let Err(e) = deliverer.store.end_lease(&leadership) {
            warn!("lease not given back reason={:?} action=let_it_end", e.to_string());
            return done;
        }
        // Whoever came since the last look found the lease taken and relies on us.
        let done = done?;
        let has_time = deliverer.now_ms().saturating_add(millis(CALL_MIN)) < until;
        if !done || !has_time || !deliverer.has_more()? {
            return Ok(done);
        }
    }
}

/// Drains and delivers until nothing waits (`true`), the time is up, or a listener wants to.
fn deliver_all(deliverer: &mut Deliverer, lock: &DeliveryLock, until: i64) -> Result<bool, DeliverError> {
    let mut renewed = Instant::now();
    loop {
        if renewed.elapsed() >= RENEW_INTERVAL {
            deliverer.keep_lease()?;
            renewed = Instant::now();
        }
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

impl Deliverer {
    /// Whether something waits that may be sent now or later.
    fn has_more(&self) -> Result<bool, DeliverError> {
        for queue in self.store.queues()? {
            let mode = message_mode(&self.config, &queue);
            if self.store.plan(&queue, mode, self.config.storm.window, self.now_ms())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
