//! This node, as its threads know it: its name, and whether it leads.

use crate::config::Config;
use crate::monitoring::send;
use crate::store::Leadership;
use std::sync::{Mutex, PoisonError};

/// One of the listeners that share an outbox; or the only one.
#[derive(Debug)]
pub(crate) struct Node {
    /// Empty where the outbox is a file, and this the only one.
    name: String,
    leadership: Mutex<Option<Leadership>>,
}

impl Node {
    /// A listener, before it leads.
    pub(crate) fn new(config: &Config) -> Self {
        let name = if config.database.is_some() { config.listen.node.clone() } else { String::new() };
        Self { name, leadership: Mutex::default() }
    }

    /// Its name among the others; empty where there are none.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether others may share the outbox.
    pub(crate) fn has_others(&self) -> bool {
        !self.name.is_empty()
    }

    /// The cores that this machine has a way to; nobody asks where there is no other.
    pub(crate) fn reaches(&self, config: &Config) -> Vec<String> {
        if !self.has_others() {
            return Vec::new();
        }
        config.cores.iter().filter(|core| send::reaches(core)).map(|core| core.name.clone()).collect()
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
}
