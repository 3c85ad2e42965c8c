//! The errors of sending a command and reading a state, by any transport.

use std::path::PathBuf;

/// The core, or the program before it, has the command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Which transport took it: `command file`, `query handler`, `Livestatus`, `Icinga 2 API`, `openITCOCKPIT API`.
    pub(crate) transport: &'static str,
    /// The answer, from a transport that answers; without one the command may still get lost.
    pub(crate) answer: Option<String>,
    /// Of several cores of that name: why others don't have it.
    pub(crate) missed: Vec<String>,
}

/// The core doesn't have the command. The text is for the person who wanted it and says what helps.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("ackbell doesn't know how the monitoring core takes commands; set command_file or api_url in [core]")]
    NoTransport,
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
    #[error("the monitoring core stopped while the command was being written: {}; try again", .0.display())]
    Broken(PathBuf),
    #[error("ackbell may not write to the command file {}; its user must be in the file's group, see `ls -l`", .0.display())]
    Forbidden(PathBuf),
    #[error("{} isn't a command file (a FIFO); set command_file in [core]", .0.display())]
    NotAFifo(PathBuf),
    #[error("can't write to the command file {}: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the monitoring core can't be reached by its {transport}: {reason}")]
    Unreachable { transport: &'static str, reason: String },
    #[error("the {transport} refuses ackbell's login ({reason}); check api_user, api_password or api_key in [core]")]
    Login { transport: &'static str, reason: String },
    #[error(
        "\"{name}\" can't be named through the {transport}: fields end at a semicolon there; rename it in the monitoring{}",
        .has_api.then_some(", or let ackbell use the core's API: api_url in [core]").unwrap_or_default()
    )]
    Unsayable { name: String, transport: &'static str, has_api: bool },
    #[error("ackbell was held up for {0} s before it could send the command, so it sent nothing; ask again")]
    Late(u64),
    /// The core's own verdict.
    #[error("the monitoring core refused it: {0}")]
    Refused(String),
    /// The relay isn't connected, or this is what it said.
    #[error("{0}")]
    Relay(String),
    #[error("only the first of two commands could be submitted: {0}")]
    Half(Box<SendError>),
}

impl SendError {
    /// Whether the core was there and refused: then the transport works.
    pub(crate) fn is_verdict(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Unsayable { .. } => true,
            Self::Half(inner) => inner.is_verdict(),
            _ => false,
        }
    }
}

/// The state can't be read now. The text is for whoever runs the monitoring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("ackbell doesn't know where the core's state is; set status_file, livestatus or api_url in [core]")]
    NoSource,
    #[error("can't read the core's state {}: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} isn't a core's status file, or is cut off", .0.display())]
    NoStatus(PathBuf),
    /// The relay isn't connected, or this is what it said.
    #[error("{0}")]
    Relay(String),
    #[error("can't get the core's state from {origin}: {reason}")]
    Unreadable { origin: String, reason: String },
}
