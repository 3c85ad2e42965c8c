//! Handing a command to the core: by the best transport it has. One that answers comes first.
//!
//! A command never waits: when none takes it now, the person learns it and may try again.

pub(super) mod command_file;

use super::error::{Receipt, SendError};
use super::paths::Paths;
use super::transport::{CommandApi, Transport};
use super::{icinga2, members, openitcockpit, query_handler, relay};
use crate::config::{Core, CoreKind, LivestatusAddress};
use crate::model::notification::clean_line;
use crate::rules::command::ExternalCommand;

/// Hands the command over.
pub(crate) fn send(core: &Core, command: &ExternalCommand) -> Result<Receipt, SendError> {
    if let Some(members) = members::several(core) {
        return members::send(core, &members, command);
    }
    if core.is_remote() {
        return relay::send(core, command);
    }
    match CommandApi::from_core(core) {
        Some(CommandApi::Icinga2(api)) => return icinga2::send(api, command),
        Some(CommandApi::OpenItCockpit(api)) if openitcockpit::takes(command) => {
            return openitcockpit::send(api, command);
        }
        Some(CommandApi::OpenItCockpit(_)) | None => {}
    }
    let paths = Paths::find(core);
    let mut transports = Transport::all(core, &paths).into_iter().peekable();
    if let (Some(name), Some(best)) = (command.unsayable(), transports.peek()) {
        let has_api = core.kind == CoreKind::Icinga2;
        return Err(SendError::Unsayable { name: clean_line(name), transport: best.name(), has_api });
    }
    while let Some(transport) = transports.next() {
        match transport.send(command) {
            // Another core's socket, an old one's, or a dead one's leftover: the next transport knows better.
            Err(query_handler::Failure::NoHandler | query_handler::Failure::Unreachable(_))
                if transports.peek().is_some() => {}
            Ok(receipt) => return Ok(receipt),
            Err(failure) => return Err(disabled(failure.into(), &paths)),
        }
    }
    Err(SendError::NoTransport)
}

/// Whether one of the core's transports would take a command now, and which; nothing is written.
pub(crate) fn probe(core: &Core) -> Result<&'static str, SendError> {
    if let Some(members) = members::several(core) {
        return members::probe(&members);
    }
    if core.is_remote() {
        return relay::probe(core).map(|()| "relay");
    }
    match CommandApi::from_core(core) {
        Some(CommandApi::Icinga2(api)) => return icinga2::probe(api).map(|()| "Icinga 2 API"),
        // Comments take another one, which is probed as well.
        Some(CommandApi::OpenItCockpit(api)) => openitcockpit::probe(api)?,
        None => {}
    }
    let paths = Paths::find(core);
    let mut outcome = Err(SendError::NoTransport);
    for transport in Transport::all(core, &paths) {
        match transport.probe() {
            Ok(()) => return Ok(transport.name()),
            Err(e) => outcome = Err(disabled(e, &paths)),
        }
    }
    outcome
}

/// Whether this machine has a way to the core; nobody is asked, so the core may be down all the same.
pub(crate) fn reaches(core: &Core) -> bool {
    if let Some(members) = members::several(core) {
        return members.iter().any(reaches);
    }
    if core.is_remote() {
        return relay::is_connected(core);
    }
    let paths = Paths::find(core);
    CommandApi::from_core(core).is_some()
        || Transport::all(core, &paths).into_iter().any(|transport| match transport {
            Transport::QueryHandler(path) | Transport::CommandFile(path) => path.exists(),
            Transport::Livestatus(addresses, _) => addresses.0.iter().any(LivestatusAddress::may_answer),
        })
}

/// A core with external commands disabled has no command file, or doesn't read it.
fn disabled(error: SendError, paths: &Paths) -> SendError {
    match (error, paths.external_commands_checked) {
        (SendError::Missing(_) | SendError::NoReader(_), Some(false)) => SendError::Disabled,
        (e, _) => e,
    }
}

#[cfg(test)]
pub(crate) mod tests;
