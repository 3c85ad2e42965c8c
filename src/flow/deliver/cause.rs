//! What a problem hangs below, by the core's parents and by the hosts that are down in the same channel.
//!
//! Nothing is suppressed by it: it is a sentence on a card, and lines of a digest that stand for others.

use super::Deliverer;
use crate::model::notification::{HostState, Notification};
use crate::model::object::Object;
use crate::model::problem::Problem;
use crate::model::topology::Topology;
use crate::rules::digest::{Below, DigestStats};
use crate::rules::render::cause::{Above, Cause, message_link};
use crate::store::{Claimed, DeliveryQueue, HostProblem, Work};
use crate::system::order;
use log::warn;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

/// A core may see that a host is down so much later than what is behind it.
const SEEN_LATER_SECONDS: i64 = 600;

impl Deliverer {
    /// Reads the parents anew of the cores whose hosts these notifications are about, if they changed. The lock isn't held
    /// meanwhile: whoever sends goes on.
    pub(super) fn read_topologies<'a>(&self, notifications: impl Iterator<Item = &'a Notification>) {
        let hosts = notifications.filter(|notification| notification.service.is_none());
        for core in order::set(hosts.map(|notification| notification.core.as_str())) {
            let stale = self.topologies.lock().unwrap_or_else(PoisonError::into_inner).stale(&self.config, core);
            let Some(unread) = stale else { continue };
            let found = unread.read();
            if found.is_none() {
                warn!("parents of hosts not read core={core:?} effect=no_cause_on_cards");
            }
            self.topologies.lock().unwrap_or_else(PoisonError::into_inner).put(unread, found);
        }
    }

    /// The hosts that have no way but through this notification's.
    pub(super) fn behind(&self, notification: &Notification) -> BTreeSet<String> {
        if notification.service.is_some() {
            return BTreeSet::new();
        }
        let topology = self.topologies.lock().unwrap_or_else(PoisonError::into_inner).of_core(&notification.core);
        topology.behind(&notification.host.name).into_iter().map(str::to_owned).collect()
    }

    /// What a card says of it.
    pub(super) fn cause(&self, claimed: &Claimed) -> Option<Cause> {
        match &claimed.work {
            Work::Post(problem) | Work::Update(problem) | Work::PostOnce(problem) if problem.is_bad => {
                Some(self.cause_of(problem, &claimed.queue))
            }
            _ => None,
        }
    }

    /// Folds the lines of a digest by it.
    pub(super) fn fold_causes(&self, claimed: &mut Claimed) {
        if let Work::Digest(_, stats) = &mut claimed.work {
            self.fold(stats, &claimed.queue);
        }
    }

    fn topology(&self, core: &str) -> Arc<Topology> {
        self.topologies.lock().unwrap_or_else(PoisonError::into_inner).of_core(core)
    }

    fn cause_of(&self, problem: &Problem, queue: &DeliveryQueue) -> Cause {
        let (core, host) = (&problem.latest.core, &problem.latest.host.name);
        let topology = self.topology(core);
        let is_host = problem.latest.service.is_none();
        let mut behind = Below::default();
        if is_host && is_down(problem) {
            (behind.hosts, behind.services) = topology.count_behind(host);
        }
        let began = problem.began.unwrap_or(problem.latest.time);
        let mut found: HashMap<String, HostProblem> = HashMap::new();
        let mut look = |name: &str| {
            let object = Object { core: core.clone(), host: name.to_owned(), service: None };
            // A database that can't be read makes a card without a cause.
            let Ok(Some(above)) = self.store.host_problem(queue, &object.key()) else { return false };
            let since = above.problem.began.unwrap_or(above.problem.latest.time);
            let is_cause = is_down(&above.problem) && since <= began.saturating_add(SEEN_LATER_SECONDS);
            if is_cause {
                found.insert(name.to_owned(), above);
            }
            is_cause
        };
        let name = if !is_host && look(host) { Some(host.as_str()) } else { topology.cause(host, &mut look) };
        let above = name.and_then(|name| found.remove(name)).map(|mut above| {
            self.names.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut above.problem.latest, &self.config);
            Above {
                name: above.problem.latest.host_label().into_owned(),
                link: above.message.map(|(channel, ts)| message_link(&channel, &ts)),
            }
        });
        Cause { behind, above }
    }

    /// Lets hosts that are down stand for what hangs below them in a digest; one that has a message of its own gets a line
    /// there, too.
    fn fold(&self, stats: &mut DigestStats, queue: &DeliveryQueue) {
        let key = |problem: &Problem| (problem.latest.core.clone(), problem.latest.host.name.clone());
        let own = stats.worst.iter().filter(|(problem, _)| problem.latest.service.is_none());
        let own: HashMap<(String, String), bool> = own.map(|(problem, _)| (key(problem), is_down(problem))).collect();
        let mut others: HashMap<(String, String), Option<Problem>> = HashMap::new();
        let mut above: HashMap<(String, String, bool), String> = HashMap::new();
        for (problem, _) in &stats.worst {
            let ((core, host), is_service) = (key(problem), problem.latest.service.is_some());
            let mut look = |name: &str| {
                let object = Object { core: core.clone(), host: name.to_owned(), service: None };
                let name = (core.clone(), name.to_owned());
                own.get(&name).copied().unwrap_or_else(|| {
                    let other = others.entry(name).or_insert_with(|| self.host_that_is_down(queue, &object));
                    other.is_some()
                })
            };
            let found = if is_service && look(&host) {
                Some(host.clone())
            } else {
                self.topology(&core).cause(&host, &mut look).map(str::to_owned)
            };
            above.extend(found.map(|found| ((core, host, is_service), found)));
        }
        let is_named = |problem: &Problem| {
            let (core, host) = key(problem);
            above.iter().any(|((of, _, _), found)| *of == core && *found == host)
        };
        let mut others: Vec<Problem> = others.into_values().flatten().filter(is_named).collect();
        order::by_key(&mut others, |problem| (problem.acknowledged.is_some(), problem.latest.time, key(problem)));
        stats.worst.splice(0..0, others.into_iter().map(|problem| (problem, Below::default())));
        stats.fold(&|problem| {
            let (core, host) = key(problem);
            above.get(&(core, host, problem.latest.service.is_some())).cloned()
        });
    }

    fn host_that_is_down(&self, queue: &DeliveryQueue, host: &Object) -> Option<Problem> {
        let found = self.store.host_problem(queue, &host.key()).ok().flatten()?;
        is_down(&found.problem).then_some(found.problem)
    }
}

/// Whether it is a host's that is down, not only out of reach itself.
fn is_down(problem: &Problem) -> bool {
    problem.is_bad && problem.latest.host.state == Some(HostState::Down)
}
