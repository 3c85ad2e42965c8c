//! Facts about a core's objects and contacts beside their names, from any source.

use std::collections::{BTreeMap, HashMap};

/// The objects that were asked for, with the core's facts: empty where it knows no such object.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By host and service; the service is empty for a host.
    pub(super) objects: HashMap<(String, String), Facts>,
    pub(super) contacts: HashMap<String, Facts>,
}

/// Of a host, a service or a contact; each has only some of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) display_name: String,
    pub(super) alias: String,
    /// A host's address; a contact's first one.
    pub(super) address: String,
    pub(super) email: String,
    pub(super) action_url: String,
    pub(super) notes_url: String,
    pub(super) groups: Vec<String>,
    /// Keys in lower case.
    pub(super) vars: BTreeMap<String, String>,
}
