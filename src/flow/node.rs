//! This node, as its threads know it: its name, whether it leads, and whether the others know that it is there.

use crate::config::Config;
use crate::monitoring::{paths, send};
use crate::state_dir::machine::machine;
use crate::store::Leadership;
use crate::system::clock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The others take a node for dead after 15 s without a sign of life, and carry out its action requests then. Until so long
/// after its last one it sends commands: each takes two seconds at most.
const SIGN_MAX: Duration = Duration::from_secs(10);

/// One of the listeners that share an outbox; or the only one.
#[derive(Debug)]
pub(crate) struct Node {
    name: String,
    /// The machine that has this name: two may have the same by mistake.
    machine: String,
    /// Whether the outbox is on a server.
    has_others: bool,
    leadership: Mutex<Option<Leadership>>,
    /// Whether it can deliver: a leader that can't leaves that to another node.
    is_able: AtomicBool,
    /// When the attempt began to give the last sign of life that the outbox has, since boot.
    last_sign: Mutex<Option<Duration>>,
    /// How many other nodes live.
    others: Arc<AtomicU64>,
}

impl Node {
    /// A listener, before it leads.
    pub(crate) fn new(config: &Config) -> Self {
        Self::named(&config.listen.node, machine(&config.state_dir), config.database.is_some())
    }

    fn named(name: &str, machine: String, has_others: bool) -> Self {
        Self {
            name: name.to_owned(),
            machine,
            has_others,
            leadership: Mutex::default(),
            is_able: AtomicBool::new(true),
            last_sign: Mutex::default(),
            others: Arc::default(),
        }
    }

    /// Its name among the others; empty where there are none.
    pub(crate) fn name(&self) -> &str {
        if self.has_others { &self.name } else { "" }
    }

    /// The machine that has this name: two may have the same by mistake.
    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    /// Whether others may share the outbox.
    pub(crate) fn has_others(&self) -> bool {
        self.has_others
    }

    /// How many other nodes live.
    pub(crate) fn others(&self) -> &Arc<AtomicU64> {
        &self.others
    }

    /// The cores that commands can be sent to from this machine, for the other nodes to know; none where the outbox is a file.
    pub(crate) fn reaches(&self, config: &Config) -> Vec<String> {
        if !self.has_others() {
            return Vec::new();
        }
        paths::cores(config).into_iter().filter(send::reaches).map(|core| core.name).collect()
    }

    /// The lease in whose name it delivers, if it has it.
    pub(crate) fn leadership(&self) -> Option<Leadership> {
        self.leadership.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it delivers now; the only one does.
    pub(crate) fn leads(&self) -> bool {
        !self.has_others() || self.leadership().is_some_and(|leadership| leadership.is_sure())
    }

    /// It got the lease, or lost it.
    pub(crate) fn lead(&self, leadership: Option<Leadership>) {
        *self.leadership.lock().unwrap_or_else(PoisonError::into_inner) = leadership;
    }

    /// It lost this lease; one that it got meanwhile stays.
    pub(crate) fn lose(&self, lost: &Leadership) {
        let mut leadership = self.leadership.lock().unwrap_or_else(PoisonError::into_inner);
        if leadership.as_ref().is_some_and(|leadership| leadership.is_same(lost)) {
            *leadership = None;
        }
    }

    /// Whether its disk lets it deliver.
    pub(crate) fn is_able(&self) -> bool {
        self.is_able.load(Ordering::Relaxed)
    }

    pub(crate) fn set_able(&self, is_able: bool) {
        self.is_able.store(is_able, Ordering::Relaxed);
    }

    /// The outbox has a sign of life; the attempt to give it began then.
    pub(crate) fn was_seen(&self, attempt_began: Duration) {
        *self.last_sign.lock().unwrap_or_else(PoisonError::into_inner) = Some(attempt_began);
    }

    /// Why it may send no command now: for how long the others may not have seen it. `None`: it may.
    pub(crate) fn unseen(&self) -> Option<Duration> {
        if !self.has_others() {
            return None;
        }
        let last = *self.last_sign.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = clock::since_boot().saturating_sub(last.unwrap_or_default());
        (last.is_none() || unseen > SIGN_MAX).then_some(unseen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_the_others_may_take_for_dead_sends_no_command() {
        let (alone, shared) = (Node::named("a", String::new(), false), Node::named("a", String::new(), true));
        assert_eq!(alone.unseen(), None);
        assert!(shared.unseen().is_some(), "not there yet");
        let now = clock::since_boot();
        for (ago, is_seen) in [(0, true), (9, true), (11, false)] {
            let Some(then) = now.checked_sub(Duration::from_secs(ago)) else { continue };
            shared.was_seen(then);
            assert_eq!(shared.unseen().is_none(), is_seen, "{ago}");
        }
    }
}
