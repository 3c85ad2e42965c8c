//! Reading back what the core holds: from its memory by Livestatus or the Icinga 2 API where there is one, else from
//! the status file.

use super::error::ReadError;
use super::paths::Paths;
use super::transport::StateSource;
use super::{icinga2, livestatus, members, relay, status};
use crate::config::{Core, LivestatusAddress};
use crate::model::core_snapshot::Snapshot;
use crate::model::object::Object;

/// When the core wrote the state file that is there now, in Unix seconds by its clock; `None` without one.
pub(crate) fn written(core: &Core) -> Option<i64> {
    // Each of several writes its own.
    if members::several(core).is_some() {
        return None;
    }
    if core.is_remote() {
        return relay::written(core);
    }
    Paths::find(core).status_file.and_then(|path| status::created(&path))
}

/// When the core lived last, by its own clock: when it wrote its state file, else the moment at which its memory
/// answered. Unix seconds.
pub(crate) fn sign_of_life(core: &Core) -> Result<i64, ReadError> {
    if core.is_remote() {
        return read(core, &[]).map(|snapshot| snapshot.created);
    }
    let paths = Paths::find(core);
    let source = StateSource::new(core, &paths)?;
    match (&paths.status_file, source) {
        // The process behind a Livestatus may answer while the core itself hangs.
        (Some(path), StateSource::LivestatusElseFile(..) | StateSource::StatusFile(_)) => {
            status::created(path).ok_or_else(|| ReadError::NoStatus(path.clone()))
        }
        _ => read(core, &[]).map(|snapshot| snapshot.created),
    }
}

/// Whether this machine has the core's status file, or another way to its state than files of this machine.
pub(crate) fn is_here(core: &Core) -> bool {
    let paths = Paths::find(core);
    core.is_remote()
        || core.api.is_some()
        || paths.status_file.is_some_and(|path| path.exists())
        || paths.livestatus.is_some_and(|livestatus| livestatus.0.iter().any(LivestatusAddress::may_answer))
}

/// The version of a Naemon, its first two numbers; `None` where neither its state file nor Livestatus says it.
pub(super) fn version(core: &Core) -> Option<(u32, u32)> {
    let paths = Paths::find(core);
    let by_file = paths.status_file.and_then(|path| status::version(&path));
    let reported = by_file.or_else(|| livestatus::version(&paths.livestatus?))?;
    let mut numbers = reported.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Reads the state of the wanted objects as each core of that name has it: one where there is one core.
pub(crate) fn read_each(core: &Core, wanted: &[Object]) -> Result<Vec<Snapshot>, ReadError> {
    match members::several(core) {
        Some(members) => members::states(core, &members, wanted),
        None => read(core, wanted).map(|snapshot| vec![snapshot]),
    }
}

/// Reads the state of the wanted objects of one core, all at once; the core's name in them is not looked at.
pub(crate) fn read(core: &Core, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    if let Some(members) = members::several(core) {
        return members::state(core, &members, wanted);
    }
    if core.is_remote() {
        return relay::state(core, wanted);
    }
    let paths = Paths::find(core);
    let mut snapshot = match StateSource::new(core, &paths)? {
        StateSource::Icinga2(api) => return icinga2::state::read(api, wanted),
        StateSource::Livestatus(address) => livestatus::read(address, wanted)?,
        StateSource::LivestatusElseFile(address, path) => {
            livestatus::read(address, wanted).or_else(|_| status::read_file(core.kind, path, wanted))?
        }
        StateSource::StatusFile(path) => status::read_file(core.kind, path, wanted)?,
    };
    let program = &mut snapshot.program;
    program.external_commands_checked = program.external_commands_checked.or(paths.external_commands_checked);
    Ok(snapshot)
}
