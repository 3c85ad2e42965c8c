//! A core as a whole: what is wrong now, and the names of everything. Asked for by people, not by messages.

use super::{icinga2, livestatus, places, state, status};
use crate::authorise::Leave;
use crate::command::Object;
use crate::config::{Core, CoreKind};
use crate::confirm::snapshot::{Snapshot, State};
use crate::core::state::ReadError;

/// What is asked of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What isn't well, with its state.
    Problems,
    /// Everything, by name; the states are left empty where that is cheaper.
    Names,
}

/// The hosts and services that are not well, in the core's order.
pub(crate) fn problems(core: &Core, _: &Leave<'_>) -> Result<Vec<(Object, State)>, ReadError> {
    read(core, Extent::Problems)
}

/// The names of all hosts and services.
pub(crate) fn names(core: &Core, _: &Leave<'_>) -> Result<Vec<Object>, ReadError> {
    Ok(read(core, Extent::Names)?.into_iter().map(|(object, _)| object).collect())
}

/// The state of the wanted objects, for a person.
pub(crate) fn states(core: &Core, wanted: &[Object], _: &Leave<'_>) -> Result<Snapshot, ReadError> {
    state::read(core, wanted)
}

fn read(core: &Core, extent: Extent) -> Result<Vec<(Object, State)>, ReadError> {
    let mut found = if let (CoreKind::Icinga2, Some(api)) = (core.kind, &core.api) {
        icinga2::state::survey(api, extent)?
    } else {
        let places = places::places(core);
        match (&places.livestatus, &places.status_file) {
            (Some(address), Some(path)) if core.livestatus.is_none() => {
                // Found, not configured: it may be a leftover.
                livestatus::survey(address, extent).or_else(|_| status::survey_file(core.kind, path, extent))?
            }
            (Some(address), _) => livestatus::survey(address, extent)?,
            (None, Some(path)) => status::survey_file(core.kind, path, extent)?,
            (None, None) => return Err(ReadError::Nowhere),
        }
    };
    for (object, _) in &mut found {
        object.core.clone_from(&core.name);
    }
    Ok(found)
}
