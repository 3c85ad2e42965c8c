//! What runs only on the node that delivers: the threads that send, the timers, the curves and the dead man's switch.
//!
//! Where the outbox is a file, that is this process for as long as it runs.

use super::curves::CurveThread;
use super::deadman::DeadManThread;
use super::senders::Senders;
use super::timers::TimerThread;
use crate::config::Config;
use crate::flow::deliver::{DeliverError, Deliverer};
use crate::state_dir::listener_status::StatusWriter;
use crate::store::Leadership;
use crate::system::environment::Environment;

/// The threads of one lease.
#[derive(Debug)]
pub(super) struct Leading {
    leadership: Leadership,
    pub(super) senders: Senders,
    timers: TimerThread,
    curves: CurveThread,
    /// With a file the listener has one of its own, which lives longer.
    deadman: Option<DeadManThread>,
}

/// The threads, if this node delivers, and those of an earlier lease that still have to record what Slack said.
#[derive(Debug, Default)]
pub(super) struct LeadingThreads {
    now: Option<Leading>,
    ending: Vec<Senders>,
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
        if !is_same && let Some(Leading { mut senders, timers, curves, deadman, .. }) = self.now.take() {
            deliverer.lead(None)?;
            senders.end();
            self.ending.push(senders);
            drop((timers, curves, deadman));
        }
        self.ending.retain(|senders| !senders.have_ended());
        let Some(leadership) = leadership.filter(|_| self.now.is_none() && self.ending.is_empty()) else {
            return Ok(());
        };
        deliverer.lead(Some(leadership.clone()))?;
        let deadman = leadership.term().map(|_| DeadManThread::start(config, env, status, &leadership));
        self.now = Some(Leading {
            senders: Senders::new(config),
            timers: TimerThread::start(deliverer, config)?,
            curves: CurveThread::start(deliverer, config)?,
            deadman,
            leadership,
        });
        Ok(())
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        if let Some(leading) = &mut self.now {
            leading.senders.reconfigure(config);
            leading.timers.reconfigure(config);
            leading.curves.reconfigure(config);
            if let Some(deadman) = &leading.deadman {
                deadman.reconfigure(config);
            }
        }
    }

    /// The threads that send.
    pub(super) fn senders(&mut self) -> Option<&mut Senders> {
        self.now.as_mut().map(|leading| &mut leading.senders)
    }

    /// There may be something to send.
    pub(super) fn ring(&self) {
        if let Some(leading) = &self.now {
            leading.senders.ring();
        }
    }
}
