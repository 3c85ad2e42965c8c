//! The outbox in `SQLite`: which notification goes where, and its state there. All SQL is here.
//!
//! # Promises
//! - Only the holder of the delivery lock imports and delivers. `queue retry` and `queue drop` write too, a row each.
//!   A listener imports in one thread and sends an integration's messages in another, each with a connection of its own: a
//!   step of sending takes what is there when it begins, and ends no more than that.
//! - Each step is one transaction, synced (WAL, `synchronous=FULL`). A crash leaves a state from before or after a step,
//!   never between.
//! - A message that was being sent when the process died is found by its lease and sent again.
//! - Importing a notification updates its problem (`assign_post`); messages are brought up to date afterwards (`claim`,
//!   `record_outcome`).
//! - A notification stays until its deliveries are delivered or merged and a week old. A dead one stays until dropped.
//! - The schema only grows. A database of a newer version is refused; a corrupt one is put aside under another name, its
//!   waiting messages are recovered as far as they can be read, and the program goes on.
//!
//! Imports `slack` and below. Never in here: a call to Slack or to a core.

mod action;
mod assign_post;
mod audit;
mod cause;
mod claim;
mod curve;
mod deadman;
mod delivery_queue;
mod digest;
mod duplicate;
mod escalation;
mod history;
mod home;
mod message;
mod new_delivery;
mod on_call;
mod origin;
mod outbox;
mod pause;
mod queue;
mod record_outcome;
mod recovery;
mod refusal;
mod schema;
mod shown_message;
mod state;
mod still;
mod subscription;
mod weekly;

pub(crate) use action::{ActionOutcome, ActionRequest, Children, NewActionRequest, Transition};
pub(crate) use audit::{Chain, Head};
pub(crate) use cause::HostProblem;
pub(crate) use claim::{Claimed, Planned, Work};
pub(crate) use curve::{Drawn, WantedCurve, WantedPicture};
pub(crate) use delivery_queue::{DeliveryQueue, MessageMode, Target};
pub(crate) use escalation::{Escalation, StepNotice};
pub(crate) use history::Verdicts;
pub(crate) use home::Opened;
pub(crate) use message::MessageId;
pub(crate) use on_call::{Handover, OnDuty};
pub(crate) use outbox::{NewDelivery, NewEntry, PURGE_BATCH};
#[cfg(test)]
pub(crate) use queue::PausedIntegration;
pub(crate) use queue::{Health, Row, Summary};
pub(crate) use record_outcome::{Pace, RecordedOutcome};
pub(crate) use shown_message::{NewActionTaken, ShownMessage};
pub(crate) use state::{ActionState, AuditStep, DeliveryState};
pub(crate) use still::{Still, StillNotice};
pub(crate) use subscription::{PER_CHANNEL_MAX, Subscription};
pub(crate) use weekly::WeeklyPost;

use crate::model::incoming::Incoming;
use crate::system::beneath::Directory;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "ackbell.db";
/// How long a delivered message is remembered.
const HISTORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The open outbox.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    /// The file that was opened, with its identity; `None` if it was opened for reading.
    file: Option<(PathBuf, (u64, u64))>,
}

/// The outbox can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("can't create the database {}: {source}", .path.display())]
    Create { path: PathBuf, source: std::io::Error },
    #[error("can't read the database {}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the database is from an older ackbell; the next delivery brings it up to date")]
    Older,
    #[error(
        "the database is from a newer ackbell (schema {found}, this one knows {known}); upgrade ackbell or move the database away"
    )]
    Newer { found: i64, known: i64 },
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database {} was taken away", .0.display())]
    Moved(PathBuf),
    #[error("can't put the corrupt database aside: {0}")]
    PutAside(#[source] std::io::Error),
    #[error("a stored row can't be read: {0}")]
    Content(String),
}

impl StoreError {
    /// Whether the database can't be relied on any more, and [`Store::replace`] is due.
    pub(crate) fn is_corruption(&self) -> bool {
        match self {
            // SQLite keeps no checksums: noise in a text shows where it no longer reads as what was written.
            Self::Content(_) | Self::Sqlite(rusqlite::Error::Utf8Error(..)) => true,
            Self::Sqlite(e) => {
                matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            }
            _ => false,
        }
    }
}

impl Store {
    /// Opens the outbox in the state directory, making it or bringing its schema up to date.
    ///
    /// `patience`: how long to wait for another writer. A corrupt database is put aside; the `Some` beside the store
    /// is where it went.
    pub(crate) fn open(state_dir: &Path, patience: Duration) -> Result<(Self, Option<PathBuf>), StoreError> {
        let path = state_dir.join(NAME);
        match Self::open_checked(&path, patience) {
            Err(e) if e.is_corruption() => {
                Self::replace(state_dir, patience).map(|(store, aside)| (store, Some(aside)))
            }
            opened => opened.map(|store| (store, None)),
        }
    }

    /// Puts a corrupt database aside, and opens a new one with what could be read of the waiting messages. Noise in the
    /// middle of the file shows only when it is read, long after the opening. Also gives where the old one went.
    pub(crate) fn replace(state_dir: &Path, patience: Duration) -> Result<(Self, PathBuf), StoreError> {
        let path = state_dir.join(NAME);
        let aside = put_aside(&path)?;
        let store = Self::open_checked(&path, patience)?;
        store.recover_rows(&aside);
        Ok((store, aside))
    }

    /// An error when the file was removed or replaced since it was opened: what is written then is lost with this
    /// process.
    pub(crate) fn check_file_identity(&self) -> Result<(), StoreError> {
        match &self.file {
            Some((path, identity))
                if std::fs::metadata(path).ok().map(|found| file_identity(&found)) != Some(*identity) =>
            {
                Err(StoreError::Moved(path.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Another connection to the same file, for another thread; an error if that isn't there any more.
    pub(crate) fn beside(&self, patience: Duration) -> Result<Self, StoreError> {
        self.check_file_identity()?;
        let opened = self.file.as_ref().map(|(path, _)| path);
        let path = opened.ok_or_else(|| StoreError::Content("the database is open for reading only".to_owned()))?;
        let beside = Self::open_checked(path, patience)?;
        if beside.file == self.file { Ok(beside) } else { Err(StoreError::Moved(path.to_owned())) }
    }

    /// Opens an outbox that exists for looking at it; `None` when there is none yet.
    pub(crate) fn open_existing(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = state_dir.join(NAME);
        if path.exists() { Self::open_checked(&path, Duration::from_secs(30)).map(Some) } else { Ok(None) }
    }

    /// Opens an outbox that exists without changing anything, with read rights alone; `None` when there is none yet.
    pub(crate) fn open_for_reading(state_dir: &Path, patience: Duration) -> Result<Option<Self>, StoreError> {
        let path = database_path(state_dir)?;
        match rustix::fs::access(&path, rustix::fs::Access::READ_OK) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(e) => return Err(StoreError::Read { path, source: e.into() }),
            Ok(()) => {}
        }
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(patience)?;
        schema::check(&db)?;
        Ok(Some(Self { db, file: None }))
    }

    /// An outbox that nobody else sees and that is gone with the process, however that ends: `SQLite` keeps what doesn't fit
    /// into memory in a file without a name.
    pub(crate) fn temporary() -> Result<Self, StoreError> {
        let db = Connection::open("")?;
        db.pragma_update(None, "synchronous", "OFF")?;
        schema::migrate(&db)?;
        db.pragma_update(None, "foreign_keys", true)?;
        Ok(Self { db, file: None })
    }

    fn open_checked(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        // SQLite would create it by its own mode; its -wal and -shm copy ours. Opened by us only to be made: closing any
        // descriptor of a file lets go of all locks that this process has on it, those of other connections too, and
        // then whoever looks with `sqlite3` takes the log away (<https://sqlite.org/howtocorrupt.html>, section 2.2).
        let made = Directory::open(path.parent().unwrap_or(path)).and_then(|directory| directory.create(NAME, 0o660));
        match made.map(drop) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Create { path: path.to_owned(), source: e });
            }
            _ => {}
        }
        let path = &database_path(path.parent().unwrap_or(path))?;
        let metadata = std::fs::metadata(path).map_err(|source| StoreError::Read { path: path.clone(), source })?;
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(patience)?;
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        // Noise in a page is rather found than believed.
        db.pragma_update(None, "cell_size_check", true)?;
        schema::migrate(&db)?;
        db.pragma_update(None, "foreign_keys", true)?;
        Ok(Self { db, file: Some((path.to_owned(), file_identity(&metadata))) })
    }

    /// Moves the log's content into the database file; done after a pass by short-lived processes.
    pub(crate) fn checkpoint(&self) {
        let _ = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }

    /// Recovers the waiting messages of a corrupt database, row by row, as far as they can be read.
    fn recover_rows(&self, aside: &Path) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let Some(Ok(old)) = std::fs::canonicalize(aside).ok().map(|aside| Connection::open_with_flags(aside, flags))
        else {
            return;
        };
        let name = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Whether that works or not, delivery goes on.
        let _ = audit::continue_from(&self.db, &old, &name);
        // A database that was never opened by this version has the key under its first name.
        let of_version = |key: &str| {
            format!(
                "SELECT n.id, n.received, n.object, n.{key}, n.contact, n.body, d.integration, d.target, d.mentions
                 FROM delivery d JOIN notification n ON n.seq = d.notification WHERE d.state = 'waiting' ORDER BY d.id"
            )
        };
        let waiting = old.prepare(&of_version("duplicate_key")).or_else(|_| old.prepare(&of_version("twin")));
        let Ok(mut waiting) = waiting else {
            return;
        };
        let Ok(mut rows) = waiting.query([]) else {
            return;
        };
        while let Ok(Some(row)) = rows.next() {
            // One unreadable row doesn't end it; a broken page does, as nothing is known behind it.
            let _ = new_delivery::recover_row(&self.db, row);
        }
        let _ = new_delivery::assign_orphans(&self.db);
    }
}

/// Writes a value of the store's own as JSON.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Content(e.to_string()))
}

/// Reads a value of the store's own.
fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Content(e.to_string()))
}

/// Reads what was imported.
fn incoming(text: &str) -> Result<Incoming, StoreError> {
    Incoming::from_json(text).map_err(|e| StoreError::Content(e.to_string()))
}

/// Where `SQLite` is to open the database: the real path of the directory, as `SQLITE_OPEN_NOFOLLOW` refuses a link
/// anywhere on the way, and the file there, if it is a plain one. `SQLite` itself opens the side files without following.
fn database_path(state_dir: &Path) -> Result<PathBuf, StoreError> {
    let given = state_dir.join(NAME);
    let read = |source| StoreError::Read { path: given.clone(), source };
    let directory = match Directory::open(state_dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(given),
        opened => opened.map_err(read)?,
    };
    for side in ["-wal", "-shm"] {
        directory.inspect(&format!("{NAME}{side}")).map_err(read)?;
    }
    let path = match directory.inspect(NAME) {
        Ok(true) => std::fs::canonicalize(&given),
        Ok(false) => std::fs::canonicalize(state_dir).map(|directory| directory.join(NAME)),
        Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => {
            return Err(StoreError::Create { path: given.clone(), source: e });
        }
        Err(e) => Err(e),
    };
    path.map_err(read)
}

/// Device and inode: no two files share them.
fn file_identity(file: &std::fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Renames the database and its side files to `.corrupt-N`, with the first N that is free.
fn put_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let named = |n: u32, suffix: &str| PathBuf::from(format!("{}.corrupt-{n}{suffix}", path.display()));
    let n = (1..u32::MAX).find(|&n| !named(n, "").exists()).unwrap_or(u32::MAX);
    for suffix in ["-wal", "-shm", ""] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        match std::fs::rename(&from, named(n, suffix)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(StoreError::PutAside(e)),
            _ => {}
        }
    }
    Ok(named(n, ""))
}

#[cfg(test)]
mod tests;
