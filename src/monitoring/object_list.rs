//! A core as a whole: its problems, and the names of all its objects. For people who ask; messages don't need it.

use super::paths::Paths;
use super::scope::Scope;
use super::transport::StateSource;
use super::{icinga2, livestatus, members, relay, state, status};
use crate::config::Core;
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

/// For a relay: whose permission this needs, its centre has asked.
pub(super) fn all(core: &Core, are_problems: bool) -> Result<Vec<(Object, State)>, ReadError> {
    read(core, if are_problems { Scope::Problems } else { Scope::Names })
}

fn read(core: &Core, scope: Scope) -> Result<Vec<(Object, State)>, ReadError> {
    if let Some(members) = members::several(core) {
        return members::objects(core, &members, |member| read(member, scope));
    }
    if core.is_remote() {
        return relay::objects(core, scope == Scope::Problems);
    }
    let paths = Paths::find(core);
    let mut found = match StateSource::new(core, &paths)? {
        StateSource::Icinga2(api) => icinga2::state::list(api, scope)?,
        StateSource::Livestatus(address) => livestatus::list(address, scope)?,
        StateSource::LivestatusElseFile(address, path) => {
            livestatus::list(address, scope).or_else(|_| status::list_file(core.kind, path, scope))?
        }
        StateSource::StatusFile(path) => status::list_file(core.kind, path, scope)?,
    };
    for (object, _) in &mut found {
        object.core.clone_from(&core.name);
    }
    Ok(found)
}
