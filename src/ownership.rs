//! Files made by root in a directory of the core's user belong to that user.
//!
//! Else an administrator who tries `sudo ackbell notify` or `sudo ackbell queue flush` leaves files behind that the
//! core's user can't read or lock, and the next real notification waits for nothing anybody sees.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// Gives a file or directory just made to the owner of the directory it is in, when we are root.
///
/// Best effort: a file system that can't do it is no reason to fail.
pub(crate) fn adopt(made: &File, path: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    if let Some(Ok(directory)) = path.parent().map(std::fs::metadata) {
        let _ = fchown(made, Some(directory.uid()), Some(directory.gid()));
    }
}
