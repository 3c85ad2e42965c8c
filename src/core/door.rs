//! Handing a command to the core: by the best door it has. A door that answers comes first.
//!
//! A command never waits: what can't be handed over now is told to the person, who may try again.

mod fifo;
mod socket;

pub(super) use socket::{End, connect_tcp, connect_unix, exchange};

use super::{icinga2, livestatus, openitcockpit, places, query_handler};
use crate::command::ExternalCommand;
use crate::config::{Core, CoreKind};
use crate::notification::clean_line;
use std::path::PathBuf;

/// The core, or the door before it, has the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Which door: `command file`, `query handler`, `Livestatus`, `Icinga 2 API`, `openITCOCKPIT API`.
    pub(crate) door: &'static str,
    /// What it said, where it speaks; a door that is silent may still lead nowhere.
    pub(crate) answer: Option<String>,
}

/// The core doesn't have the command. The text is for the person who wanted it and says what helps.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    #[error("nothing says how the monitoring core takes commands; set command_file or api_url in [core]")]
    NoDoor,
    #[error("the monitoring core isn't running, or takes no commands: there is no command file {}", .0.display())]
    Missing(PathBuf),
    #[error(
        "the monitoring core takes no commands: check_external_commands=0 in its main configuration; set it to 1 and restart the core"
    )]
    Disabled,
    #[error("the monitoring core isn't running: nobody reads its command file {}; start it and try again", .0.display())]
    NoReader(PathBuf),
    #[error("the monitoring core is busy or hangs: its command file {} is full; try again", .0.display())]
    Full(PathBuf),
    #[error("the monitoring core stopped while it was told: {}; try again", .0.display())]
    Broken(PathBuf),
    #[error("ackbell may not write to the command file {}; its user must be in the file's group, see `ls -l`", .0.display())]
    Forbidden(PathBuf),
    #[error("{} is no command file (no FIFO); set command_file in [core]", .0.display())]
    NotAFifo(PathBuf),
    #[error("can't write to the command file {}: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the monitoring core can't be reached by its {door}: {reason}")]
    Unreachable { door: &'static str, reason: String },
    #[error("the {door} doesn't let ackbell in ({reason}); check api_user, api_password or api_key in [core]")]
    Login { door: &'static str, reason: String },
    #[error(
        "\"{name}\" can't be named through the {door}: fields end at a semicolon there; rename it in the monitoring{}",
        .api.then_some(", or let ackbell use the core's API: api_url in [core]").unwrap_or_default()
    )]
    Unsayable { name: String, door: &'static str, api: bool },
    /// The core's own verdict.
    #[error("the monitoring core refused it: {0}")]
    Refused(String),
    #[error("the second part of it couldn't be handed over, the first was: {0}")]
    Half(Box<DoorError>),
}

impl DoorError {
    /// Whether the core was there and said no, so that the door is sound.
    pub(crate) fn is_verdict(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Unsayable { .. } => true,
            Self::Half(inner) => inner.is_verdict(),
            _ => false,
        }
    }
}

/// Hands the command over.
pub(crate) fn send(core: &Core, command: &ExternalCommand) -> Result<Receipt, DoorError> {
    match (core.kind, &core.api) {
        (CoreKind::Icinga2, Some(api)) => return icinga2::send(api, command),
        (CoreKind::OpenItCockpit, Some(api)) if openitcockpit::takes(command) => {
            return openitcockpit::send(api, command);
        }
        _ => {}
    }
    let places = places::places(core);
    if let Some(name) = command.unsayable() {
        let door = match (&places.query_socket, &places.command_file) {
            (Some(path), _) if path.exists() => "query handler",
            (_, Some(_)) => "command file",
            (_, None) => "Livestatus",
        };
        let api = core.kind == CoreKind::Icinga2;
        return Err(DoorError::Unsayable { name: clean_line(name), door, api });
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
        (Some(path), _) => fifo::send(path, command).map_err(|e| disabled(e, &places)),
        (None, Some(address)) => livestatus::send(address, livestatus::Backslashes::of(core.kind), command),
        (None, None) => Err(DoorError::NoDoor),
    }
}

/// Whether the core's door would take a command now, and which one; nothing is written.
pub(crate) fn probe(core: &Core) -> Result<&'static str, DoorError> {
    match (core.kind, &core.api) {
        (CoreKind::Icinga2, Some(api)) => return icinga2::probe(api).map(|()| "Icinga 2 API"),
        (CoreKind::OpenItCockpit, Some(api)) => openitcockpit::probe(api)?,
        _ => {}
    }
    let places = places::places(core);
    if places.query_socket.as_ref().is_some_and(|path| connect_unix(path).is_ok()) {
        return Ok("query handler");
    }
    match (&places.command_file, &places.livestatus) {
        (Some(path), _) => fifo::probe(path).map(|()| "command file").map_err(|e| disabled(e, &places)),
        (None, Some(address)) => livestatus::probe(address).map(|()| "Livestatus"),
        (None, None) => Err(DoorError::NoDoor),
    }
}

/// A core that is told not to listen has no command file, or nobody reads it.
fn disabled(error: DoorError, places: &places::Places) -> DoorError {
    match (error, places.external_commands_checked) {
        (DoorError::Missing(_) | DoorError::NoReader(_), Some(false)) => DoorError::Disabled,
        (e, _) => e,
    }
}

#[cfg(test)]
pub(crate) mod tests;
