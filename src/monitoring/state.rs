//! Reading back what the core holds: from its memory by Livestatus or the Icinga 2 API where there is one, else from
//! the status file.

use super::error::ReadError;
use super::{icinga2, livestatus, paths, status};
use crate::config::{Core, CoreKind};
use crate::model::core_snapshot::Snapshot;
use crate::model::object::Object;

/// When the core wrote the state file that is there now, in Unix seconds by its clock; `None` without one.
pub(crate) fn written(core: &Core) -> Option<i64> {
    paths::places(core).status_file.and_then(|path| status::created(&path))
}

/// The version of a Naemon, its first two numbers; `None` where neither its state file nor Livestatus says it.
pub(super) fn version(core: &Core) -> Option<(u32, u32)> {
    let places = paths::places(core);
    let by_file = places.status_file.and_then(|path| status::version(&path));
    let said = by_file.or_else(|| livestatus::version(&places.livestatus?))?;
    let mut numbers = said.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Reads the state of the wanted objects of one core, all at once; the core's name in them is not looked at.
pub(crate) fn read(core: &Core, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    if let (CoreKind::Icinga2, Some(api)) = (core.kind, &core.api) {
        return icinga2::state::read(api, wanted);
    }
    let places = paths::places(core);
    let mut snapshot = match (&places.livestatus, &places.status_file) {
        (Some(address), Some(path)) if core.livestatus.is_none() => {
            // Found, not configured: it may be a leftover.
            livestatus::read(address, wanted).or_else(|_| status::read_file(core.kind, path, wanted))?
        }
        (Some(address), _) => livestatus::read(address, wanted)?,
        (None, Some(path)) => status::read_file(core.kind, path, wanted)?,
        (None, None) => return Err(ReadError::Nowhere),
    };
    let program = &mut snapshot.program;
    program.external_commands_checked = program.external_commands_checked.or(places.external_commands_checked);
    Ok(snapshot)
}
