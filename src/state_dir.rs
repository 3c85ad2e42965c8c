//! The files in the state and runtime directories, but for the database: spool, locks, wake-up socket, the
//! listener's status, the message about an outage, the tokens of installations; and whose they are.
//!
//! Imports `system` and `model`. Never in here: SQL, and what to do with a notification.

pub(crate) mod delivery_lock;
pub(crate) mod installation;
pub(crate) mod listener_status;
pub(crate) mod machine;
pub(crate) mod outage;
pub(crate) mod owner;
pub(crate) mod spool;
pub(crate) mod wake;

use std::path::{Path, PathBuf};

/// The two directories that `notify` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateDirs {
    pub(crate) state_dir: PathBuf,
    /// Holds the wake-up socket.
    pub(crate) runtime_dir: PathBuf,
    /// Why the configuration couldn't be asked, so that these are the defaults.
    pub(crate) problem: Option<String>,
}

/// Whether so little is free on its file system that what can wait elsewhere should: a twentieth is left to this machine.
pub(crate) fn is_nearly_full(state_dir: &Path) -> bool {
    rustix::fs::statvfs(state_dir).is_ok_and(|found| found.f_bavail < found.f_blocks / 20)
}
