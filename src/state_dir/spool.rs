//! The maildrop between `notify` and whoever delivers: one file per notification or direct message.
//!
//! # Promises
//! - [`Spool::put`] returns only once the notification survives a crash: the file is written whole in `tmp/`, synced,
//!   renamed into `new/`, and `new/` is synced. If killed before the rename, a leftover stays in `tmp/` until it is a
//!   day old and swept; if killed after it, the notification is complete.
//! - No locks: any number of processes write at once, one reads and removes.
//! - A file that can't be read as a notification moves to `bad/`, and `check` and the log say so; it is never deleted.
//!
//! # Format
//! The name is `NANOSECONDS.PID.RANDOM` and sorts by time; it is the notification's id for good. The content is one
//! JSON object: `{"ackbell": 1, "received": MILLISECONDS, "notification": {...}}`, where `notification` is an
//! [`Incoming`]. `ackbell` is the format's version. Within a version fields are only added, and a reader ignores
//! those it doesn't know, so files written before an upgrade are read after it. A file of a newer version goes to
//! `bad/`, from where `ackbell queue retry NAME` brings it back after the upgrade.

use crate::model::incoming::{DirectMessagePart, Incoming};
use crate::system::beneath::Directory;
use crate::system::clock;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BinaryHeap;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version of the format this program writes, and the newest it reads.
const VERSION: u32 = 1;
/// A larger file was not written by [`Spool::put`]: the kernel's limit on arguments lies below.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long a leftover in `tmp/` may belong to a process that still runs.
const TMP_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The state directory's `spool/`.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    root: PathBuf,
}

/// The name of a spool file: its content's id, also in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SpoolId(String);

/// The content of a spool file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When `notify` or the message API received it, in Unix milliseconds.
    pub(crate) received: i64,
    pub(crate) incoming: Incoming,
}

/// The file's envelope. Private: others see an [`Entry`].
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
    #[error("it isn't a notification: {0}")]
    Garbage(String),
}

impl SpoolId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was received, in Unix seconds.
    pub(crate) fn received(&self) -> Option<i64> {
        let nanoseconds: u128 = self.0.split('.').next()?.parse().ok()?;
        i64::try_from(nanoseconds / 1_000_000_000).ok()
    }

    /// A name that came from another machine; `None` where it is no spool file's.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let [time, pid, random] = [parts.next()?, parts.next()?, parts.next()?];
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_hex = random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_whole = time.len() == 20 && is_number(time) && pid.len() <= 10 && is_number(pid);
        (is_whole && is_hex && random.len() == 16 && parts.next().is_none()).then(|| Self(name.to_owned()))
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

    /// Makes the entry durable. When this returns `Ok`, it survives a crash of the machine.
    pub(crate) fn put(&self, entry: &Entry) -> Result<SpoolId, SpoolError> {
        let id = SpoolId::fresh();
        let new = self.write(entry, &id)?;
        // Without this the rename itself may be lost with the power.
        new.sync().map_err(|e| self.error("sync the spool directory", "new", e))?;
        Ok(id)
    }

    /// Makes entries durable under the names that they have on another machine, all with one sync of the directory. One
    /// that is there already stays. After an error some may be durable: the whole may be put again.
    pub(crate) fn put_all(&self, entries: &[(SpoolId, Entry)]) -> Result<(), SpoolError> {
        let mut new = None;
        for (id, entry) in entries {
            if !self.holds(id.as_str()) {
                new = Some(self.write(entry, id)?);
            }
        }
        new.map_or(Ok(()), |new| new.sync()).map_err(|e| self.error("sync the spool directory", "new", e))
    }

    /// Writes a file into `new/`, whole or not at all; the caller syncs the directory, which it returns.
    fn write(&self, entry: &Entry, id: &SpoolId) -> Result<Directory, SpoolError> {
        let mut bytes = encode(entry).map_err(|e| self.error("encode", "tmp", e.into()))?;
        bytes.push(b'\n');
        // A name of its own: another process may be writing the same entry.
        let leftover = SpoolId::fresh();
        let (tmp, mut file) = self.create(&leftover)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        drop(file);
        let renamed = written.and_then(|()| match self.move_to_new(&tmp, &leftover, id) {
            // Whoever made the directories was killed between `tmp/` and `new/`.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.make_directories().map_err(|e| e.source)?;
                self.move_to_new(&tmp, &leftover, id)
            }
            other => other,
        });
        renamed.map_err(|source| {
            // The leftover would be swept anyway; on a full disk its bytes are wanted now.
            let _ = tmp.remove(leftover.as_str());
            SpoolError { what: "write the spool file", path: self.path("tmp", id), source }
        })
    }

    /// The oldest files in `new/`, at most `most` of them, oldest first. Memory is bounded by `most`.
    pub(crate) fn oldest(&self, most: usize) -> Result<Vec<SpoolId>, SpoolError> {
        let names = match self.directory("new").and_then(|new| new.names()) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| self.error("list the spool directory", "new", e))?,
        };
        let mut oldest = BinaryHeap::with_capacity(most.min(1024) + 1);
        for name in names {
            let name = name.map_err(|e| self.error("list the spool directory", "new", e))?;
            let Ok(name) = String::from_utf8(name) else {
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
        self.read_in("new", id)
    }

    /// The same of one in `sent/`.
    pub(crate) fn read_sent(&self, id: &SpoolId) -> Result<Entry, ReadError> {
        self.read_in("sent", id)
    }

    fn read_in(&self, directory: &str, id: &SpoolId) -> Result<Entry, ReadError> {
        let mut bytes = Vec::new();
        let file = self.directory(directory).and_then(|directory| directory.read(id.as_str()));
        let read = file.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::NOENT) => ReadError::Gone,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => ReadError::Exhausted(SpoolError {
                what: "read the spool file",
                path: self.path(directory, id),
                source: e,
            }),
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
        match self.directory("new").and_then(|new| new.remove(id.as_str())) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(SpoolError { what: "remove the spool file", path: self.path("new", id), source })
            }
            _ => Ok(()),
        }
    }

    /// Takes a file out of `new/` likewise, but keeps it in `sent/`: the outbox's server may forget it in a failover.
    pub(crate) fn keep_sent(&self, id: &SpoolId) -> Result<(), SpoolError> {
        match self.rename(id, "new", "sent") {
            Err(e) if e.source.kind() == ErrorKind::NotFound && self.holds(id.as_str()) => {
                self.make("sent")?;
                self.rename(id, "new", "sent")
            }
            // On a disk that refuses it, there is nothing to be gained by keeping it.
            Err(_) => self.remove(id),
            Ok(()) => Ok(()),
        }
    }

    /// The names in `sent/`, oldest first.
    pub(crate) fn sent(&self) -> Vec<SpoolId> {
        let names = self.names("sent").into_iter().filter_map(|name| SpoolId::parse(std::str::from_utf8(&name).ok()?));
        let mut ids: Vec<SpoolId> = names.collect();
        ids.sort();
        ids
    }

    /// Removes a file that was sent long enough ago.
    pub(crate) fn forget_sent(&self, id: &SpoolId) {
        if let Ok(sent) = self.directory("sent") {
            let _ = sent.remove(id.as_str());
        }
    }

    /// Whether its file system is nearly full.
    pub(crate) fn is_cramped(&self) -> bool {
        super::is_nearly_full(self.state_dir())
    }

    /// Moves a file that can't be read to `bad/`, where it is kept and `check` counts it.
    pub(crate) fn set_aside(&self, id: &SpoolId) -> Result<(), SpoolError> {
        self.rename(id, "new", "bad")
    }

    /// Brings a file from `bad/` back into `new/`; `false` when there is none of that name.
    pub(crate) fn bring_back(&self, name: &str) -> Result<bool, SpoolError> {
        let id = SpoolId(name.to_owned());
        let is_there = || self.directory("bad").is_ok_and(|bad| bad.holds(name));
        if name.contains('/') || !is_there() {
            return Ok(false);
        }
        self.rename(&id, "bad", "new").map(|()| true)
    }

    /// The names in `bad/`.
    pub(crate) fn bad(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.names("bad").into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
        names.sort();
        names
    }

    /// Whether a file of that name waits in `new/`.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.directory("new").is_ok_and(|new| new.holds(id))
    }

    /// How many files wait in `new/`, and the oldest of them.
    pub(crate) fn waiting(&self) -> (usize, Option<SpoolId>) {
        (self.count(), self.oldest(1).ok().and_then(|ids| ids.into_iter().next()))
    }

    /// How many files wait in `new/`; 0 where it can't be read.
    pub(crate) fn count(&self) -> usize {
        let names = self.directory("new").and_then(|new| new.names());
        names.map_or(0, |names| names.flatten().count())
    }

    /// Removes leftovers of killed processes from `tmp/`.
    pub(crate) fn sweep(&self) {
        let Ok(tmp) = self.directory("tmp") else { return };
        for name in self.names("tmp").into_iter().filter_map(|name| String::from_utf8(name).ok()) {
            let age = tmp.read(&name).and_then(|file| file.metadata()?.modified()).ok();
            if age.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > TMP_AGE_MAX) {
                let _ = tmp.remove(&name);
            }
        }
    }

    /// The names in one of its directories; none where it can't be read.
    fn names(&self, directory: &str) -> Vec<Vec<u8>> {
        let names = self.directory(directory).and_then(|directory| Ok(directory.names()?.flatten().collect()));
        names.unwrap_or_default()
    }

    /// One of its directories, held.
    fn directory(&self, name: &str) -> io::Result<Directory> {
        Directory::open(self.state_dir())?.enter("spool")?.enter(name)
    }

    fn state_dir(&self) -> &Path {
        self.root.parent().unwrap_or(&self.root)
    }

    /// Renames a file that is written whole into `new/`.
    fn move_to_new(&self, tmp: &Directory, leftover: &SpoolId, id: &SpoolId) -> io::Result<Directory> {
        let new = self.directory("new")?;
        tmp.rename(leftover.as_str(), &new, id.as_str())?;
        Ok(new)
    }

    fn rename(&self, id: &SpoolId, from: &str, to: &str) -> Result<(), SpoolError> {
        let moved = self.directory(from).and_then(|from| from.rename(id.as_str(), &self.directory(to)?, id.as_str()));
        moved.map_err(|source| SpoolError { what: "move the spool file to", path: self.path(to, id), source })
    }

    /// Opens the file in `tmp/`, making the directories on the first use.
    fn create(&self, id: &SpoolId) -> Result<(Directory, File), SpoolError> {
        let open = || {
            let tmp = self.directory("tmp")?;
            let file = tmp.create(id.as_str(), 0o660)?;
            io::Result::Ok((tmp, file))
        };
        let opened = match open() {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.make_directories()?;
                open()
            }
            other => other,
        };
        opened.map_err(|source| SpoolError { what: "create the spool file", path: self.path("tmp", id), source })
    }

    /// Makes the directories where they are missing, for a listener that starts before the first notification.
    pub(crate) fn prepare(&self) -> Result<(), SpoolError> {
        self.make_directories()
    }

    /// Makes the state directory and the spool in it, each entry as durable as the files to come.
    fn make_directories(&self) -> Result<(), SpoolError> {
        let fail = |path: &Path, source| SpoolError { what: "create the directory", path: path.to_owned(), source };
        let state_dir = self.state_dir();
        match DirBuilder::new().mode(0o770).create(state_dir) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => made
                .and_then(|()| File::open(state_dir.parent().unwrap_or(Path::new("/")))?.sync_all())
                .map_err(|e| fail(state_dir, e))?,
        }
        let state = Directory::open(state_dir).map_err(|e| fail(state_dir, e))?;
        let spool = make(&state, "spool").map_err(|e| fail(&self.root, e))?;
        for name in ["tmp", "new", "bad"] {
            make(&spool, name).map_err(|e| fail(&self.root.join(name), e))?;
        }
        Ok(())
    }

    /// Makes one more of its directories.
    fn make(&self, name: &str) -> Result<(), SpoolError> {
        let spool = Directory::open(self.state_dir()).and_then(|state| state.enter("spool"));
        let made = spool.and_then(|spool| make(&spool, name));
        made.map(drop).map_err(|e| self.error("create the directory", name, e))
    }

    fn path(&self, directory: &str, id: &SpoolId) -> PathBuf {
        self.root.join(directory).join(&id.0)
    }

    fn error(&self, what: &'static str, directory: &str, source: io::Error) -> SpoolError {
        SpoolError { what, path: self.root.join(directory), source }
    }
}

/// Makes a directory in another one, unless it is there; its entry is as durable as the files to come.
fn make(directory: &Directory, name: &str) -> io::Result<Directory> {
    if directory.make(name, 0o770)? {
        directory.sync()?;
    }
    directory.enter(name)
}

/// The content of a spool file, without its newline.
pub(crate) fn encode(entry: &Entry) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Envelope { ackbell: VERSION, received: entry.received, notification: &entry.incoming })
}

/// Reads the content of a spool file.
pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, ReadError> {
    // Not `from_slice`: what the database keeps is read from text as well, and a second reader would be 60 kB of the program.
    let text = std::str::from_utf8(bytes).map_err(|e| ReadError::Garbage(e.to_string()))?;
    let version: VersionOnly = serde_json::from_str(text).map_err(|e| ReadError::Garbage(e.to_string()))?;
    if version.ackbell > VERSION {
        return Err(ReadError::Newer(version.ackbell));
    }
    let garbage = |e: serde_json::Error| ReadError::Garbage(e.to_string());
    let Envelope { received, notification, .. } = serde_json::from_str(text).map_err(garbage)?;
    let part = if Incoming::may_be_direct_message(bytes) {
        let envelope: Envelope<DirectMessagePart> = serde_json::from_str(text).map_err(garbage)?;
        Some(envelope.notification)
    } else {
        None
    };
    Ok(Entry { received, incoming: Incoming::from_parts(notification, part) })
}

/// What the reader of the error can do about it.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space there",
        ErrorKind::PermissionDenied => "; the state directory must belong to the user the core runs as",
        ErrorKind::ReadOnlyFilesystem => "; the file system is mounted read-only",
        ErrorKind::NotADirectory => "; a file stands where a directory should be",
        _ => "",
    }
}
