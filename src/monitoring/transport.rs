//! Which ways lead into a core: for commands, and for reading its state. Resolved here alone.

use super::error::{ReadError, Receipt, SendError};
use super::paths::Paths;
use super::send::command_file;
use super::socket::connect_unix;
use super::{livestatus, query_handler};
use crate::config::{self, Api, Core, CoreKind};
use crate::rules::command::ExternalCommand;
use std::path::Path;

/// A core's HTTP API that takes commands. It is configured, never found.
#[derive(Debug, Clone, Copy)]
pub(super) enum CommandApi<'a> {
    Icinga2(&'a Api),
    OpenItCockpit(&'a Api),
}

impl<'a> CommandApi<'a> {
    pub(super) fn from_core(core: &'a Core) -> Option<Self> {
        match (core.kind, &core.api) {
            (CoreKind::Icinga2, Some(api)) => Some(Self::Icinga2(api)),
            (CoreKind::OpenItCockpit, Some(api)) => Some(Self::OpenItCockpit(api)),
            _ => None,
        }
    }
}

/// A transport on this machine or over TCP, by which a core takes a command's lines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transport<'a> {
    QueryHandler(&'a Path),
    CommandFile(&'a Path),
    Livestatus(&'a config::Livestatus, livestatus::Backslashes),
}

impl<'a> Transport<'a> {
    /// Those of this core, the best first: one that answers, then the command file, and Livestatus where there is none.
    pub(super) fn all(core: &Core, paths: &'a Paths) -> Vec<Self> {
        let query = paths.query_socket.as_deref().filter(|path| path.exists()).map(Self::QueryHandler);
        let last = match (&paths.command_file, &paths.livestatus) {
            (Some(path), _) => Some(Self::CommandFile(path)),
            (None, Some(address)) => Some(Self::Livestatus(address, livestatus::Backslashes::from_kind(core.kind))),
            (None, None) => None,
        };
        query.into_iter().chain(last).collect()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::QueryHandler(_) => "query handler",
            Self::CommandFile(_) => "command file",
            Self::Livestatus(..) => "Livestatus",
        }
    }

    pub(super) fn send(self, command: &ExternalCommand) -> Result<Receipt, query_handler::Failure> {
        match self {
            Self::QueryHandler(path) => query_handler::send(path, command),
            Self::CommandFile(path) => Ok(command_file::send(path, command)?),
            Self::Livestatus(address, backslashes) => Ok(livestatus::send(address, backslashes, command)?),
        }
    }

    /// Whether it would take a command now; nothing is written.
    pub(super) fn probe(self) -> Result<(), SendError> {
        match self {
            Self::QueryHandler(path) => connect_unix(path).map(drop).map_err(|e| SendError::Unreachable {
                transport: self.name(),
                reason: format!("{}: {e}", path.display()),
            }),
            Self::CommandFile(path) => command_file::probe(path),
            Self::Livestatus(address, _) => livestatus::probe(address),
        }
    }
}

/// Where a core's state is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum StateSource<'a> {
    Icinga2(&'a Api),
    Livestatus(&'a config::Livestatus),
    /// A Livestatus socket that was found, not configured, may be a leftover: then the status file is read.
    LivestatusElseFile(&'a config::Livestatus, &'a Path),
    StatusFile(&'a Path),
}

impl<'a> StateSource<'a> {
    pub(super) fn new(core: &'a Core, paths: &'a Paths) -> Result<Self, ReadError> {
        if let (CoreKind::Icinga2, Some(api)) = (core.kind, &core.api) {
            return Ok(Self::Icinga2(api));
        }
        match (&paths.livestatus, &paths.status_file) {
            (Some(address), Some(path)) if core.livestatus.is_none() => Ok(Self::LivestatusElseFile(address, path)),
            (Some(address), _) => Ok(Self::Livestatus(address)),
            (None, Some(path)) => Ok(Self::StatusFile(path)),
            (None, None) => Err(ReadError::NoSource),
        }
    }
}
