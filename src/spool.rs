//! The maildrop between `notify` and whoever delivers: one file per notification.
//!
//! # Promises
//! - [`Spool::put`] returns only once the notification survives a crash: the file is written whole in `tmp/`, synced,
//!   renamed into `new/`, and `new/` is synced. A kill before the rename leaves a harmless rest in `tmp/` (swept by
//!   age); a kill after it leaves a complete notification.
//! - No locks: any number of processes put at once, one drainer takes.
//! - A file that can't be read as a notification moves to `bad/` and is told about; it is never deleted.
//!
//! # Format
//! The name is `NANOSECONDS.PID.RANDOM` and sorts by time; it is the notification's id for good. The content is one
//! JSON object: `{"ackbell": 1, "received": MILLISECONDS, "notification": {...}}`, where `notification` is
//! [`Notification`]. `ackbell` is the format's version. Within a version fields are only added, and a reader ignores
//! those it doesn't know, so files written before an upgrade are read after it. A file of a newer version goes to
//! `bad/`, from where `ackbell queue retry NAME` brings it back after the upgrade.

use crate::clock;
use crate::notification::Notification;
use crate::ownership;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BinaryHeap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the format this program writes, and the newest it reads.
const VERSION: u32 = 1;
/// A larger file was not written by [`Spool::put`]: the kernel's limit on arguments lies below.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long a rest in `tmp/` may belong to a process that still runs.
const TMP_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The state directory's `spool/`.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    root: PathBuf,
}

/// The name of a spool file: the notification's id, also in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpoolId(String);

/// What a spool file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When `notify` took it, in Unix milliseconds.
    pub(crate) received: i64,
    pub(crate) notification: Notification,
}

/// The file's envelope. Public to nobody: [`Entry`] is what others see.
#[derive(Serialize, Deserialize)]
struct Envelope<N> {
    ackbell: u32,
    received: i64,
    notification: N,
}

/// Just the version, readable whatever else a newer format holds.
#[derive(Deserialize)]
struct VersionOnly {
    ackbell: u32,
}

/// The spool couldn't be written or listed.
#[derive(Debug, thiserror::Error)]
#[error("can't {what} {}: {source}{}", .path.display(), remedy(.source))]
pub(crate) struct SpoolError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// A spool file couldn't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Somebody else has taken it.
    #[error("it is gone")]
    Gone,
    /// The disk or the permissions refuse this file.
    #[error("can't read it: {0}")]
    Io(#[source] io::Error),
    /// No descriptor or memory is left to read any file with.
    #[error(transparent)]
    Exhausted(SpoolError),
    #[error("it was written by a newer ackbell (format {0}, this one reads up to {VERSION})")]
    Newer(u32),
    #[error("it is not a notification: {0}")]
    Garbage(String),
}

impl SpoolId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was taken, in Unix seconds.
    pub(crate) fn received(&self) -> Option<i64> {
        let nanoseconds: u128 = self.0.split('.').next()?.parse().ok()?;
        i64::try_from(nanoseconds / 1_000_000_000).ok()
    }

    /// A name that sorts after all that were given before, as long as the clock doesn't jump.
    pub(crate) fn fresh() -> Self {
        Self(format!("{:020}.{}.{:016x}", clock::wall_ns(), std::process::id(), clock::random()))
    }
}

impl std::fmt::Display for SpoolId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Spool {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { root: state_dir.join("spool") }
    }

    /// Makes the notification durable. When this returns `Ok`, it survives a crash of the machine.
    pub(crate) fn put(&self, entry: &Entry) -> Result<SpoolId, SpoolError> {
        let envelope = Envelope { ackbell: VERSION, received: entry.received, notification: &entry.notification };
        let mut bytes = serde_json::to_vec(&envelope).map_err(|e| self.error("encode", "tmp", e.into()))?;
        bytes.push(b'\n');
        let id = SpoolId::fresh();
        let (tmp, new) = (self.path("tmp", &id), self.path("new", &id));
        let mut file = self.create(&tmp)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        drop(file);
        let renamed = written.and_then(|()| match fs::rename(&tmp, &new) {
            // Whoever made the directories was killed between `tmp/` and `new/`.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.make_directories().map_err(|e| e.source)?;
                fs::rename(&tmp, &new)
            }
            other => other,
        });
        if let Err(source) = renamed {
            // The rest would be swept anyway; on a full disk its bytes are wanted now.
            let _ = fs::remove_file(&tmp);
            return Err(SpoolError { what: "write the spool file", path: tmp, source });
        }
        // Without this the rename itself may be lost with the power.
        sync_directory(&self.root.join("new")).map_err(|e| self.error("sync the spool directory", "new", e))?;
        Ok(id)
    }

    /// The oldest files in `new/`, at most `most` of them, oldest first. Memory is bounded by `most`.
    pub(crate) fn oldest(&self, most: usize) -> Result<Vec<SpoolId>, SpoolError> {
        let listing = match fs::read_dir(self.root.join("new")) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| self.error("list the spool directory", "new", e))?,
        };
        let mut oldest = BinaryHeap::with_capacity(most.min(1024) + 1);
        for file in listing {
            let file = file.map_err(|e| self.error("list the spool directory", "new", e))?;
            let Ok(name) = file.file_name().into_string() else {
                continue; // not written by us, and not ours to judge
            };
            if name.starts_with('.') {
                continue;
            }
            oldest.push(SpoolId(name));
            if oldest.len() > most {
                oldest.pop();
            }
        }
        Ok(oldest.into_sorted_vec())
    }

    /// Whether anything waits in `new/`.
    pub(crate) fn is_empty(&self) -> bool {
        self.oldest(1).is_ok_and(|ids| ids.is_empty())
    }

    /// Reads one file, without taking it away.
    pub(crate) fn read(&self, id: &SpoolId) -> Result<Entry, ReadError> {
        let mut bytes = Vec::new();
        // O_NONBLOCK: a FIFO somebody put there must not hang the drainer.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.path("new", id));
        let read = file.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::NOENT) => ReadError::Gone,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                ReadError::Exhausted(SpoolError { what: "read the spool file", path: self.path("new", id), source: e })
            }
            _ => ReadError::Io(e),
        })?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(ReadError::Garbage(format!("it is larger than {FILE_BYTES_MAX} bytes")));
        }
        decode(&bytes)
    }

    /// Takes a file out of `new/`, once it is safe in the outbox. Not synced: should the removal be lost with the
    /// power, the outbox recognises the id.
    pub(crate) fn remove(&self, id: &SpoolId) -> Result<(), SpoolError> {
        match fs::remove_file(self.path("new", id)) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(SpoolError { what: "remove the spool file", path: self.path("new", id), source })
            }
            _ => Ok(()),
        }
    }

    /// Moves a file that can't be read to `bad/`, where it is kept and told about.
    pub(crate) fn set_aside(&self, id: &SpoolId) -> Result<(), SpoolError> {
        self.rename(id, "new", "bad")
    }

    /// Brings a file from `bad/` back into `new/`; `false` when there is none of that name.
    pub(crate) fn bring_back(&self, name: &str) -> Result<bool, SpoolError> {
        let id = SpoolId(name.to_owned());
        if name.contains('/') || !self.path("bad", &id).exists() {
            return Ok(false);
        }
        self.rename(&id, "bad", "new").map(|()| true)
    }

    /// The names in `bad/`.
    pub(crate) fn bad(&self) -> Vec<String> {
        let listing = fs::read_dir(self.root.join("bad")).into_iter().flatten();
        let mut names: Vec<_> = listing.flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Whether a file of that name waits in `new/`.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.root.join("new").join(id).exists()
    }

    /// How many files wait in `new/`, and the oldest of them.
    pub(crate) fn waiting(&self) -> (usize, Option<SpoolId>) {
        let files = fs::read_dir(self.root.join("new")).into_iter().flatten().flatten().count();
        (files, self.oldest(1).ok().and_then(|ids| ids.into_iter().next()))
    }

    /// Removes the rests of killed processes from `tmp/`.
    pub(crate) fn sweep(&self) {
        for file in fs::read_dir(self.root.join("tmp")).into_iter().flatten().flatten() {
            let age = file.metadata().and_then(|m| m.modified()).ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > TMP_AGE_MAX) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn rename(&self, id: &SpoolId, from: &str, to: &str) -> Result<(), SpoolError> {
        let target = self.path(to, id);
        fs::rename(self.path(from, id), &target).map_err(|source| SpoolError {
            what: "move the spool file to",
            path: target,
            source,
        })
    }

    /// Opens the file in `tmp/`, making the directories on the first use.
    fn create(&self, tmp: &Path) -> Result<File, SpoolError> {
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o660).open(tmp);
        let opened = match open() {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.make_directories()?;
                open()
            }
            other => other,
        };
        let opened = opened.inspect(|file| ownership::adopt(file, tmp));
        opened.map_err(|source| SpoolError { what: "create the spool file", path: tmp.to_owned(), source })
    }

    /// Makes the directories where they are missing, for a listener that starts before the first notification.
    pub(crate) fn prepare(&self) -> Result<(), SpoolError> {
        self.make_directories()
    }

    /// Makes the state directory and the spool in it, each entry as durable as the files to come.
    fn make_directories(&self) -> Result<(), SpoolError> {
        let state_dir = self.root.parent().unwrap_or(&self.root).to_owned();
        let spool = ["tmp", "new", "bad"].map(|name| self.root.join(name));
        for directory in [&state_dir, &self.root].into_iter().chain(&spool) {
            match DirBuilder::new().mode(0o770).create(directory) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                made => made.and_then(|()| {
                    ownership::adopt(&File::open(directory)?, directory);
                    sync_directory(directory.parent().unwrap_or(Path::new("/")))
                }),
            }
            .map_err(|source| SpoolError {
                what: "create the directory",
                path: directory.clone(),
                source,
            })?;
        }
        Ok(())
    }

    fn path(&self, directory: &str, id: &SpoolId) -> PathBuf {
        self.root.join(directory).join(&id.0)
    }

    fn error(&self, what: &'static str, directory: &str, source: io::Error) -> SpoolError {
        SpoolError { what, path: self.root.join(directory), source }
    }
}

/// Reads what a spool file holds.
pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, ReadError> {
    let version: VersionOnly = serde_json::from_slice(bytes).map_err(|e| ReadError::Garbage(e.to_string()))?;
    if version.ackbell > VERSION {
        return Err(ReadError::Newer(version.ackbell));
    }
    let envelope: Envelope<Notification> =
        serde_json::from_slice(bytes).map_err(|e| ReadError::Garbage(e.to_string()))?;
    Ok(Entry { received: envelope.received, notification: envelope.notification })
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What the reader of the error can do about it.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space there",
        ErrorKind::PermissionDenied => "; the state directory must belong to the user the core runs as",
        ErrorKind::ReadOnlyFilesystem => "; the file system is mounted read-only",
        ErrorKind::NotADirectory => "; something that is no directory stands in its way",
        _ => "",
    }
}
