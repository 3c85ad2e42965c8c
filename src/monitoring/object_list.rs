//! A core as a whole: what is wrong now, and the names of everything. Asked for by people, not by messages.

use super::scope::Scope;
use super::{icinga2, livestatus, paths, state, status};
use crate::config::{Core, CoreKind};
use crate::model::core_snapshot::{Snapshot, State};
use crate::model::object::Object;
use crate::monitoring::error::ReadError;
use crate::rules::authorise::Permission;

/// The hosts and services that are not well, in the core's order.
pub(crate) fn problems(core: &Core, _: &Permission<'_>) -> Result<Vec<(Object, State)>, ReadError> {
    read(core, Scope::Problems)
}

/// The names of all hosts and services.
pub(crate) fn names(core: &Core, _: &Permission<'_>) -> Result<Vec<Object>, ReadError> {
    Ok(read(core, Scope::Names)?.into_iter().map(|(object, _)| object).collect())
}

/// The state of the wanted objects, for a person.
pub(crate) fn states(core: &Core, wanted: &[Object], _: &Permission<'_>) -> Result<Snapshot, ReadError> {
    state::read(core, wanted)
}

fn read(core: &Core, scope: Scope) -> Result<Vec<(Object, State)>, ReadError> {
    let mut found = if let (CoreKind::Icinga2, Some(api)) = (core.kind, &core.api) {
        icinga2::state::survey(api, scope)?
    } else {
        let places = paths::places(core);
        match (&places.livestatus, &places.status_file) {
            (Some(address), Some(path)) if core.livestatus.is_none() => {
                // Found, not configured: it may be a leftover.
                livestatus::survey(address, scope).or_else(|_| status::survey_file(core.kind, path, scope))?
            }
            (Some(address), _) => livestatus::survey(address, scope)?,
            (None, Some(path)) => status::survey_file(core.kind, path, scope)?,
            (None, None) => return Err(ReadError::Nowhere),
        }
    };
    for (object, _) in &mut found {
        object.core.clone_from(&core.name);
    }
    Ok(found)
}
