//! What runs only on the node that delivers: the threads that send, the timers, the curves and the dead man's switch.
//!
//! Where the outbox is a file, that is this process for as long as it runs.

use super::senders::Senders;
use super::worker::{DetachedWorker, Worker};
use super::{curves, deadman, timers};
use crate::config::Config;
use crate::flow::deliver::{DeliverError, Deliverer};
use crate::state_dir::listener_status::StatusWriter;
use crate::store::Leadership;
use crate::system::environment::Environment;

/// The threads of one lease.
#[derive(Debug)]
struct Leading {
    leadership: Leadership,
    /// None while the database is away.
    senders: Option<Senders>,
    /// The timers and the curves.
    workers: Vec<Worker>,
    /// With a file the listener has one of its own, which lives longer.
    deadman: Option<DetachedWorker>,
}

/// The threads, if this node delivers, and those of earlier leases.
#[derive(Debug, Default)]
pub(super) struct LeadingThreads {
    now: Option<Leading>,
    /// They still have to record what Slack said, and nobody sends before they have.
    ending: Vec<Senders>,
    /// They may do nothing more, and hold up nobody.
    ending_workers: Vec<Worker>,
}

impl LeadingThreads {
    /// Starts or ends them as the lease came or went. A node without it imports, and nothing more.
    pub(super) fn follow(
        &mut self,
        leadership: Option<Leadership>,
        deliverer: &mut Deliverer,
        (config, env, status): (&Config, &Environment, &StatusWriter),
    ) -> Result<(), DeliverError> {
        let is_same = match (&self.now, &leadership) {
            (Some(leading), Some(leadership)) => leading.leadership.is_same(leadership),
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            self.end_senders();
        }
        if !is_same && let Some(Leading { mut workers, .. }) = self.now.take() {
            // A calendar that is slow takes a while, and what is notified meanwhile is imported all the same.
            workers.iter_mut().for_each(Worker::end);
            self.ending_workers.append(&mut workers);
            deliverer.lead(None)?;
        }
        self.ending.retain(|senders| !senders.have_ended());
        self.ending_workers.retain(|worker| !worker.has_ended());
        if let Some(leading) = &mut self.now {
            if leading.senders.is_none() {
                // It asks the database, so nobody takes it for reached before it answers.
                deliverer.lead(leadership)?;
                leading.senders = self.ending.is_empty().then(|| Senders::new(config));
            }
            return Ok(());
        }
        let Some(leadership) = leadership.filter(|_| self.ending.is_empty()) else {
            return Ok(());
        };
        deliverer.lead(Some(leadership.clone()))?;
        let workers = [timers::start(deliverer, config)?, curves::start(deliverer, config)?];
        let deadman = leadership.term().map(|_| deadman::start(config, env, status, &leadership));
        let (senders, workers) = (Some(Senders::new(config)), workers.into_iter().flatten().collect());
        self.now = Some(Leading { leadership, senders, workers, deadman });
        Ok(())
    }

    /// The database is away: nothing is sent until [`Self::follow`] has heard of it. The timers and curves wait by themselves,
    /// as two of them would do the same twice.
    pub(super) fn rest(&mut self, deliverer: &mut Deliverer) -> Result<(), DeliverError> {
        self.end_senders();
        if self.now.is_none() { deliverer.lead(None) } else { Ok(()) }
    }

    fn end_senders(&mut self) {
        if let Some(mut senders) = self.now.as_mut().and_then(|leading| leading.senders.take()) {
            senders.end();
            self.ending.push(senders);
        }
    }

    /// Whether something was heard lately of each thread that sends, or has yet to record what Slack said.
    pub(super) fn are_alive(&self) -> bool {
        self.now.iter().flat_map(|leading| &leading.senders).chain(&self.ending).all(Senders::are_alive)
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        if let Some(leading) = &mut self.now {
            if let Some(senders) = &mut leading.senders {
                senders.reconfigure(config);
            }
            leading.workers.iter().for_each(|worker| worker.reconfigure(config));
            if let Some(deadman) = &leading.deadman {
                deadman.reconfigure(config);
            }
        }
    }

    /// Ends the threads that send after the message in hand, when what Slack said of it is recorded. The other ones end
    /// when this is dropped.
    pub(super) fn finish_sending(&mut self) {
        self.end_senders();
        if let Some(Leading { workers, .. }) = self.now.take() {
            self.ending_workers.extend(workers);
        }
        self.ending_workers.iter_mut().for_each(Worker::end);
        self.ending.clear();
    }

    /// The threads that send.
    pub(super) fn senders(&mut self) -> Option<&mut Senders> {
        self.now.as_mut().and_then(|leading| leading.senders.as_mut())
    }

    /// There may be something to send.
    pub(super) fn ring(&self) {
        if let Some(senders) = self.now.as_ref().and_then(|leading| leading.senders.as_ref()) {
            senders.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::deliver::PATIENCE_LONG;
    use crate::state_dir::delivery_lock::DeliveryLock;
    use crate::state_dir::spool::Spool;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// A calendar that takes its time must not keep this node from importing when another one delivers.
    #[test]
    fn whoever_lost_the_lease_waits_for_no_timer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, "state_dir = \"state\"\n").unwrap();
        let env = Environment::default();
        let (config, _) = crate::config::load(Some(&path), &env).unwrap();
        Spool::new(&config.state_dir).prepare().unwrap();
        let lock = DeliveryLock::try_take(&config.state_dir).unwrap().unwrap();
        let mut deliverer = Deliverer::open(config.clone(), env.clone(), PATIENCE_LONG, &lock).unwrap();
        let (go_on, calendar) = channel::<()>();
        let has_ended = Arc::new(AtomicBool::new(false));
        let slow = {
            let has_ended = Arc::clone(&has_ended);
            Worker::start("slow", move |_| {
                let _ = calendar.recv_timeout(Duration::from_secs(10));
                has_ended.store(true, Ordering::Relaxed);
            })
        };
        let leading = Leading {
            leadership: Leadership::by_lock(&lock),
            senders: Some(Senders::new(&config)),
            workers: vec![slow.unwrap()],
            deadman: None,
        };
        let mut threads = LeadingThreads { now: Some(leading), ..LeadingThreads::default() };
        let status = StatusWriter::new(&config.runtime_dir);
        threads.follow(None, &mut deliverer, (&config, &env, &status)).unwrap();
        assert!(!has_ended.load(Ordering::Relaxed), "it was waited for");
        assert!(threads.now.is_none() && threads.ending_workers.len() == 1);
        go_on.send(()).unwrap();
    }
}
