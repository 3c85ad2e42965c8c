//! The part of the queues that one deliverer sends from.

use std::collections::BTreeSet;

/// Whole integrations: the pace of a channel and that of an integration's edits are kept by one thread each. Two
/// shares of one process never overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Share {
    /// These integrations' queues.
    Only(BTreeSet<String>),
    /// All but these integrations' queues; also those of an integration that is gone or disabled.
    AllBut(BTreeSet<String>),
}

/// Everything.
impl Default for Share {
    fn default() -> Self {
        Self::AllBut(BTreeSet::new())
    }
}

impl Share {
    /// Whether an integration's queues belong to it.
    pub(crate) fn has(&self, integration: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(integration),
            Self::AllBut(names) => !names.contains(integration),
        }
    }
}
