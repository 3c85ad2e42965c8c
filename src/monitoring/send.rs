//! Handing a command to the core: by the best door it has. A door that answers comes first.
//!
//! A command never waits: what can't be handed over now is told to the person, who may try again.

mod command_file;

use super::error::{Receipt, SendError};
use super::socket::connect_unix;
use super::{icinga2, livestatus, openitcockpit, paths, query_handler};
use crate::config::{Core, CoreKind};
use crate::model::notification::clean_line;
use crate::rules::command::ExternalCommand;

/// Hands the command over.
pub(crate) fn send(core: &Core, command: &ExternalCommand) -> Result<Receipt, SendError> {
    match (core.kind, &core.api) {
        (CoreKind::Icinga2, Some(api)) => return icinga2::send(api, command),
        (CoreKind::OpenItCockpit, Some(api)) if openitcockpit::takes(command) => {
            return openitcockpit::send(api, command);
        }
        _ => {}
    }
    let places = paths::places(core);
    if let Some(name) = command.unsayable() {
        let door = match (&places.query_socket, &places.command_file) {
            (Some(path), _) if path.exists() => "query handler",
            (_, Some(_)) => "command file",
            (_, None) => "Livestatus",
        };
        let api = core.kind == CoreKind::Icinga2;
        return Err(SendError::Unsayable { name: clean_line(name), door, api });
    }
    if let Some(path) = places.query_socket.as_ref().filter(|path| path.exists()) {
        match query_handler::send(path, command) {
            // Another core's socket, an old one's, or a dead one's leftover: the next door knows better.
            Err(query_handler::Failure::NoHandler | query_handler::Failure::Unreachable(_))
                if places.command_file.is_some() || places.livestatus.is_some() => {}
            other => return Ok(other?),
        }
    }
    match (&places.command_file, &places.livestatus) {
        (Some(path), _) => command_file::send(path, command).map_err(|e| disabled(e, &places)),
        (None, Some(address)) => livestatus::send(address, livestatus::Backslashes::of(core.kind), command),
        (None, None) => Err(SendError::NoDoor),
    }
}

/// Whether the core's door would take a command now, and which one; nothing is written.
pub(crate) fn probe(core: &Core) -> Result<&'static str, SendError> {
    match (core.kind, &core.api) {
        (CoreKind::Icinga2, Some(api)) => return icinga2::probe(api).map(|()| "Icinga 2 API"),
        (CoreKind::OpenItCockpit, Some(api)) => openitcockpit::probe(api)?,
        _ => {}
    }
    let places = paths::places(core);
    if places.query_socket.as_ref().is_some_and(|path| connect_unix(path).is_ok()) {
        return Ok("query handler");
    }
    match (&places.command_file, &places.livestatus) {
        (Some(path), _) => command_file::probe(path).map(|()| "command file").map_err(|e| disabled(e, &places)),
        (None, Some(address)) => livestatus::probe(address).map(|()| "Livestatus"),
        (None, None) => Err(SendError::NoDoor),
    }
}

/// A core that is told not to listen has no command file, or nobody reads it.
fn disabled(error: SendError, places: &paths::Places) -> SendError {
    match (error, places.external_commands_checked) {
        (SendError::Missing(_) | SendError::NoReader(_), Some(false)) => SendError::Disabled,
        (e, _) => e,
    }
}

#[cfg(test)]
pub(crate) mod tests;
