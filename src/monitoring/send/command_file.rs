//! The command file: a FIFO that the core made and reads. Nobody answers there.

use crate::monitoring::error::{Receipt, SendError};
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
pub(in crate::monitoring) fn send(path: &Path, command: &ExternalCommand) -> Result<Receipt, SendError> {
    let mut file = open(path)?;
    let lines = command.lines().concat();
    match file.write(lines.as_bytes()) {
        Ok(written) if written == lines.len() => {
            Ok(Receipt { transport: "command file", answer: None, ..Receipt::default() })
        }
        Ok(_) => Err(SendError::Full(path.to_owned())),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Err(SendError::Full(path.to_owned())),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(SendError::Broken(path.to_owned())),
        Err(source) => Err(SendError::Write { path: path.to_owned(), source }),
    }
}

/// Whether a command could be written: opened and closed again without a byte.
pub(in crate::monitoring) fn probe(path: &Path) -> Result<(), SendError> {
    open(path).map(drop)
}

fn open(path: &Path) -> Result<File, SendError> {
    let named = || path.to_owned();
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => SendError::Missing(named()),
        ErrorKind::PermissionDenied => SendError::Forbidden(named()),
        ErrorKind::IsADirectory => SendError::NotAFifo(named()),
        _ if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => SendError::NoReader(named()),
        _ => SendError::Write { path: named(), source: e },
    };
    // Looked at before it is opened, as opening a device may do something; and again after, as it may have changed.
    if !std::fs::metadata(path).map_err(failed)?.file_type().is_fifo() {
        return Err(SendError::NotAFifo(named()));
    }
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.file_type().is_fifo() {
        return Err(SendError::NotAFifo(named()));
    }
    Ok(file)
}
