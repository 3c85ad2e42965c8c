//! The delivery lock: whoever holds it delivers, all others leave their notification and go.

use crate::system::beneath::Directory;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Flock, FlockOffsetType, FlockType};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The lock, held until dropped. The kernel lets it go when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct DeliveryLock(File);

impl DeliveryLock {
    /// Takes the lock without waiting; `None` when another process has it, or a listener waits for it.
    pub(crate) fn try_take(state_dir: &Path) -> io::Result<Option<Self>> {
        let file = open(state_dir)?;
        if claimed(&file) {
            return Ok(None);
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Takes the lock for a listener, waiting for whoever has it; `None` when another listener is there.
    ///
    /// Waiting alone would be no way in: the kernel hands a free lock to whoever asks first, and in a storm a
    /// `notify` asks every few milliseconds and then delivers for seconds. So the listener first claims the file with
    /// a lock of the other kind (`fcntl`, which `flock` doesn't see), and everybody else gives way to the claim. It
    /// belongs to the process and goes with it; it also goes when the process closes the file, so it is opened once.
    pub(crate) fn take(state_dir: &Path) -> io::Result<Option<Self>> {
        let file = open(state_dir)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        file.lock()?;
        Ok(Some(Self(file)))
    }

    /// A listener waits for this lock: time to let go.
    pub(crate) fn is_claimed(&self) -> bool {
        claimed(&self.0)
    }
}

/// Whether another process, a listener, has claimed the file. It asks without taking anything.
fn claimed(file: &File) -> bool {
    let asked = Flock { start: 0, length: 0, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
    matches!(rustix::process::fcntl_getlk(file, &asked), Ok(Some(_)))
}

/// The process that holds the lock, as the kernel lists it; `None` when nobody does or it can't be seen from here.
///
/// Without trying: a lock that was taken for a moment would send a `notify` away that should deliver by itself.
pub(crate) fn holder(state_dir: &Path) -> Option<u32> {
    let inode = std::fs::symlink_metadata(state_dir.join("deliver.lock")).ok()?.ino();
    // `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`, proc(5). The device is another one than stat's on some file
    // systems, so the inode alone is compared.
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (kind, pid, file_id) = (fields.next()?, fields.nth(2)?, fields.next()?);
        let is_it = kind == "FLOCK" && file_id.rsplit(':').next()?.parse() == Ok(inode);
        pid.parse().ok().filter(|_| is_it)
    })
}

fn open(state_dir: &Path) -> io::Result<File> {
    Directory::open(state_dir)?.read_or_make("deliver.lock", 0o660)
}
