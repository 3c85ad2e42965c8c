//! Files made by root in a directory of the core's user belong to that user.
//!
//! Else an administrator who tries `sudo ackbell notify` or `sudo ackbell queue flush` leaves files behind that the
//! core's user can't read or lock, and the next real notification waits for nothing anybody sees.

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat};
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

/// The same for a socket that was just bound; it can't be opened as a file can. Nothing else is given away, should
/// somebody have put it in the socket's place meanwhile.
pub(crate) fn adopt_socket(path: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(Ok(directory)) = path.parent().map(std::fs::metadata) else { return };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(socket) = openat(CWD, path, flags, Mode::empty()) else { return };
    if fstat(&socket).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Socket) {
        let (owner, group) = (Uid::from_raw(directory.uid()), Gid::from_raw(directory.gid()));
        let _ = chownat(&socket, "", Some(owner), Some(group), AtFlags::EMPTY_PATH);
    }
}
