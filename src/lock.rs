//! The delivery lock: whoever holds it delivers, all others leave their notification and go.

use crate::ownership;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock, held until dropped. The kernel lets it go when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct DeliveryLock(#[expect(dead_code, reason = "held, not read")] File);

impl DeliveryLock {
    /// Takes the lock without waiting; `None` when another process has it.
    pub(crate) fn try_take(state_dir: &Path) -> io::Result<Option<Self>> {
        let file = open(state_dir)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Takes the lock, waiting for whoever has it. The kernel wakes who waits: in a storm of processes that only try,
    /// it is the next.
    pub(crate) fn take(state_dir: &Path) -> io::Result<Self> {
        let file = open(state_dir)?;
        file.lock()?;
        Ok(Self(file))
    }
}

fn open(state_dir: &Path) -> io::Result<File> {
    let path = state_dir.join("deliver.lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o660).open(&path)?;
    ownership::adopt(&file, &path);
    Ok(file)
}
