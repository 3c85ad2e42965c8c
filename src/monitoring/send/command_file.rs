//! The command file: a FIFO that the core made and reads. Nobody answers there.

use crate::monitoring::error::{DoorError, Receipt};
use crate::rules::command::ExternalCommand;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// One write of all lines: they are at most `PIPE_BUF` bytes, so the core reads all of them or none (`pipe(7)`).
///
/// Opened for each command, as the core makes its FIFO anew when it starts. Never created, and without waiting for a
/// reader: without one there is no core, and the command would fire whenever it comes back.
pub(super) fn send(path: &Path, command: &ExternalCommand) -> Result<Receipt, DoorError> {
    let mut file = open(path)?;
    let lines = command.lines().concat();
    match file.write(lines.as_bytes()) {
        Ok(written) if written == lines.len() => Ok(Receipt { door: "command file", answer: None }),
        Ok(_) => Err(DoorError::Full(path.to_owned())),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Err(DoorError::Full(path.to_owned())),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(DoorError::Broken(path.to_owned())),
        Err(source) => Err(DoorError::Write { path: path.to_owned(), source }),
    }
}

/// Whether a command could be written: opened and closed again without a byte.
pub(super) fn probe(path: &Path) -> Result<(), DoorError> {
    open(path).map(drop)
}

fn open(path: &Path) -> Result<File, DoorError> {
    let named = || path.to_owned();
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => DoorError::Missing(named()),
        ErrorKind::PermissionDenied => DoorError::Forbidden(named()),
        ErrorKind::IsADirectory => DoorError::NotAFifo(named()),
        _ if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => DoorError::NoReader(named()),
        _ => DoorError::Write { path: named(), source: e },
    };
    // Looked at before it is opened, as opening a device may do something; and again after, as it may have changed.
    if !std::fs::metadata(path).map_err(failed)?.file_type().is_fifo() {
        return Err(DoorError::NotAFifo(named()));
    }
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.file_type().is_fifo() {
        return Err(DoorError::NotAFifo(named()));
    }
    Ok(file)
}
