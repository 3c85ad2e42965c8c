//! What comes after the message, when its time is there: steps of an escalation, changes of shift.
//!
//! Each timer is a row of the outbox that is due. What it says is put into the outbox in the transaction that plans the
//! next time, so a crash anywhere loses nothing and says nothing twice; what is late says so.
//!
//! One thread of the listener runs it ([`crate::listen`]): a core's state and Slack are asked here, and neither the import nor
//! the sending waits for that.

mod escalate;
mod on_call;
mod still;

use crate::config::Config;
use crate::flow::callback::clients::Clients;
use crate::store::{DeliveryQueue, Leadership, MessageMode, Store, StoreError};
use crate::system::clock::SteadyClock;
use crate::system::environment::Environment;
use on_call::PlanState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state of the thread.
pub(crate) struct Timers {
    config: Arc<Config>,
    env: Environment,
    store: Store,
    clock: SteadyClock,
    /// Why a core's state could not be read; each reason is logged once.
    logged: BTreeSet<String>,
    clients: Clients,
    /// The shift plans by name.
    plans: BTreeMap<String, PlanState>,
}

/// What one look did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Something was put into the outbox.
    pub(crate) notified: bool,
    /// When something is due next, in Unix ms; `None` when nothing waits.
    pub(crate) next: Option<i64>,
}

impl Timers {
    /// `clock`: the deliverer's, which says when people could see something.
    pub(crate) fn new(
        config: Config,
        env: Environment,
        (store, leadership): (Store, Option<&Leadership>),
        clock: SteadyClock,
    ) -> Self {
        let config = Arc::new(config);
        let clients = Clients::leading(Arc::clone(&config), env.clone(), (&store, leadership));
        Self { config, env, store, clock, logged: BTreeSet::new(), clients, plans: BTreeMap::new() }
    }

    /// Puts a changed configuration in force.
    pub(crate) fn reconfigure(&mut self, config: Config) {
        self.config = Arc::new(config);
        self.clients.reconfigure(&self.config);
        self.logged.clear();
        self.plans.clear();
    }

    /// Whether the configuration has any of it.
    pub(crate) fn are_wanted(&self) -> bool {
        let config = &self.config;
        !config.escalation.is_empty() || !config.on_call.is_empty() || config.acknowledge.still.is_some()
    }

    /// Does everything that is due.
    pub(crate) fn run_due(&mut self) -> Result<Look, StoreError> {
        self.store.check_file_identity()?;
        // Who is on call first: the steps name them.
        let looks = [self.on_call()?, self.escalate()?, self.still()?];
        let next = looks.iter().filter_map(|look| look.next).min();
        Ok(Look { notified: looks.iter().any(|look| look.notified), next })
    }

    /// Unix milliseconds, by the deliverer's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn mode(&self) -> impl Fn(&DeliveryQueue) -> MessageMode + use<> {
        let config = Arc::clone(&self.config);
        move |queue| super::deliver::message_mode(&config, queue)
    }
}
