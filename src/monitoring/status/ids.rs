//! Which object a comment belongs to in Centreon Engine's status file, which names a comment's host and service by number
//! (`engine/src/xsddefault.cc`).
//!
//! An object's own block has its number as a custom variable, `_HOST_ID=0;12` and `_SERVICE_ID=0;34`: Centreon's web page
//! writes them into every object (`www/class/config-generate/host.class.php`, `service.class.php`). Services on several hosts
//! may share one. In a configuration that was written by hand they are missing; then a comment says only itself.

use super::{ACKNOWLEDGEMENT, Block, Part, USER, number, push};
use crate::model::core_snapshot::{Acknowledgement, State};
use crate::model::object::Object;
use crate::system::order;
use std::collections::HashMap;

pub(super) const HOST: &[u8] = b"_HOST_ID";
pub(super) const SERVICE: &[u8] = b"_SERVICE_ID";

/// The numbers of wanted objects, as far as their blocks have them.
#[derive(Default)]
pub(super) struct Ids<'a> {
    hosts: HashMap<&'a str, u64>,
    /// By host and service; a host's service is 0, which no service is.
    objects: HashMap<(u64, u64), &'a Object>,
    /// Comments of objects with other numbers, or of a wanted one without: of hosts, of services.
    unplaced: [Vec<Acknowledgement>; 2],
    is_numbered: bool,
}

impl<'a> Ids<'a> {
    pub(super) fn host(&mut self, object: &'a Object, value: &[u8]) {
        let id = variable(value);
        self.hosts.insert(&object.host, id);
        if object.service.is_none() {
            self.objects.insert((id, 0), object);
        }
    }

    pub(super) fn service(&mut self, object: &'a Object, value: &[u8]) {
        if let Some(host) = self.hosts.get(object.host.as_str()) {
            self.objects.insert((*host, variable(value)), object);
        }
    }

    /// The object of a block with these numbers.
    pub(super) fn block_of(&mut self, host: u64, service: u64, part: Part) -> Block<'a> {
        self.is_numbered = true;
        match self.objects.get(&(host, service)) {
            Some(object) => Block::Known { object, part },
            None => Block::Unplaced { has_service: service != 0, part },
        }
    }

    pub(super) fn keep(&mut self, has_service: bool, part: Part) {
        if let Part::Comment { entry_type: ACKNOWLEDGEMENT | USER, comment } = part {
            push(&mut self.unplaced[usize::from(has_service)], comment);
        }
    }

    /// At the file's end. Comments stand there in no order, and their numbers are used again: the latest is known by its time.
    pub(super) fn finish(self, states: &mut HashMap<Object, State>) {
        if !self.is_numbered {
            return;
        }
        for (object, state) in states {
            order::by_key(&mut state.acknowledgements, |comment| comment.time);
            order::by_key(&mut state.comments, |comment| comment.time);
            if !self.objects.values().any(|known| *known == object) {
                state.unplaced.clone_from(&self.unplaced[usize::from(object.service.is_some())]);
            }
        }
    }
}

/// A custom variable is written as `MODIFIED;VALUE`.
fn variable(value: &[u8]) -> u64 {
    value.split(|byte| *byte == b';').nth(1).map(number).unwrap_or_default()
}
