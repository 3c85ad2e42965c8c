//! The outbox: which notification goes where, and its state there. All SQL is here. It is a file of `SQLite` in the state
//! directory, or a database of `PostgreSQL` that several listeners share; [`db`] has the drivers, and each statement is one text.
//!
//! # Promises
//! - Only the holder of the delivery lock imports and delivers. Where nodes share the outbox ([`lease`]), each imports, and the
//!   one with the lease delivers. `queue retry` and `queue drop` write too, a row each.
//!   A listener imports in one thread and sends an integration's messages in another, each with a connection of its own: a
//!   step of sending takes what is there when it begins, and ends no more than that.
//! - Each step is one transaction, synced (`SQLite`: WAL, `synchronous=FULL`). A crash leaves a state from before or after a step,
//!   never between.
//! - A message that was being sent when the process died is found by its claim and sent again. Whoever was paused meanwhile
//!   finds its claim gone, and repairs what it did ([`repair`]).
//! - Importing a notification updates its problem (`assign_post`); messages are brought up to date afterwards (`claim`,
//!   `record_outcome`).
//! - A notification stays until its deliveries are delivered or merged and a week old. A dead one stays until dropped.
//! - The schema only grows. A file of a newer version is refused, and a database on a server whose `meta` says that programs
//!   as old as this one may not use it; a corrupt file is put aside under another name, its
//!   waiting messages are recovered as far as they can be read, and the program goes on.
//!
//! Imports `slack` and below. Never in here: a call to Slack or to a core.

mod action;
mod assign_post;
mod audit;
mod cause;
mod claim;
mod copy;
mod curve;
mod db;
mod deadman;
mod delivery_queue;
mod digest;
mod duplicate;
mod escalation;
mod history;
mod home;
mod install;
mod lease;
mod message;
mod new_delivery;
mod node;
mod on_call;
mod origin;
mod outbox;
mod pause;
mod queue;
mod record_outcome;
mod recovery;
mod refusal;
mod repair;
mod request_owner;
mod schema;
mod shown_message;
mod slack_wait;
mod state;
mod still;
mod subscription;
mod weekly;

pub(crate) use action::{ActionOutcome, ActionRequest, Children, NewActionRequest, Transition};
pub(crate) use audit::{Chain, Head};
pub(crate) use cause::HostProblem;
pub(crate) use claim::{Claimed, Planned, QueueLook, Work};
pub(crate) use curve::{Drawn, WantedCurve, WantedPicture};
pub(crate) use db::postgres::replication::ServerFacts;
pub(crate) use delivery_queue::{DeliveryQueue, MessageMode, Target};
pub(crate) use escalation::{Escalation, StepNotice};
pub(crate) use history::Verdicts;
pub(crate) use home::Opened;
pub(crate) use install::StateUse;
pub(crate) use lease::Leadership;
pub(crate) use message::MessageId;
pub(crate) use node::{KnownNode, NodeBeat};
pub(crate) use on_call::{Handover, OnDuty};
pub(crate) use outbox::{Imported, NewDelivery, NewEntry, PURGE_BATCH};
#[cfg(test)]
pub(crate) use queue::PausedIntegration;
pub(crate) use queue::{Health, Row, Summary};
pub(crate) use record_outcome::{Pace, Recorded, RecordedOutcome};
pub(crate) use repair::Repair;
pub(crate) use schema::Made;
pub(crate) use shown_message::{NewActionTaken, ShownMessage};
pub(crate) use state::{ActionState, AuditStep, DeliveryState};
pub(crate) use still::{Still, StillNotice};
pub(crate) use subscription::{PER_CHANNEL_MAX, Subscription};
pub(crate) use weekly::WeeklyPost;

use crate::config::{Database, OutboxAt};
use crate::model::incoming::Incoming;
use db::sqlite::{self, OpenedFile};
use db::{Connection, postgres};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "ackbell.db";
/// How long a delivered message is remembered.
const HISTORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The open outbox.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    /// The file that was opened; `None` if it was opened for reading, or is a database on a server.
    file: Option<OpenedFile>,
    /// The node in whose name it carries out action requests; empty with a file.
    owner: String,
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
    /// The server refused a statement.
    #[error("database: {message} (SQLSTATE {code})")]
    Postgres { message: String, code: String },
    /// The server isn't reached, or can't work: nothing of the step was kept, and it may work later. With the remedy.
    #[error("{0}")]
    Away(String),
    /// Nobody here knows whether the last step was kept.
    #[error("the database {0} didn't say whether it kept the last change; it is looked at again")]
    Unknown(String),
    /// Somebody else has the lease: nothing of the step was kept.
    #[error("another node delivers now; nothing was changed")]
    Fenced,
    #[error("the database {0} is from an older ackbell; run `ackbell database init` as its owner")]
    NeedsInit(String),
    #[error("the database isn't empty: there are rows in {table}; copy into a new one")]
    NotEmpty { table: &'static str },
    #[error("another listener has the name \"{0}\", too: give each a name of its own in [listen] node")]
    NameTaken(String),
    #[error(
        "the installation of \"{0}\" in the database can't be opened: it was sealed with another key than those of this \
         listener's [database] key_file, or changed since"
    )]
    Sealed(String),
    #[error("no such row")]
    NoRow,
    #[error("the database {} was taken away", .0.display())]
    Moved(PathBuf),
    #[error("can't put the database aside: {0}")]
    PutAside(#[source] std::io::Error),
    #[error("a stored row can't be read: {0}")]
    Content(String),
}

impl StoreError {
    /// Whether its server isn't reached, or can't work now.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Unknown(_))
    }

    /// Whether the same may work later, with the same database on its server.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Away(_) | Self::Unknown(_) => true,
            // Class 40: undone because of another transaction.
            Self::Postgres { code, .. } => code.starts_with("40"),
            _ => false,
        }
    }

    /// Whether a server takes no text of that length, of which an index has a part: about 2,700 bytes.
    fn is_too_long(&self) -> bool {
        matches!(self, Self::Postgres { code, .. } if code == "54000")
    }

    /// Whether the database can't be relied on any more, and [`Store::replace`] is due.
    pub(crate) fn is_corruption(&self) -> bool {
        match self {
            Self::Content(_) => true,
            Self::Sqlite(e) => sqlite::is_corruption(e),
            _ => false,
        }
    }
}

impl Store {
    /// Opens the outbox, making it in the state directory or bringing its schema up to date.
    ///
    /// `patience`: how long to wait for another writer. A corrupt file is put aside; the `Some` beside the store is where
    /// it went.
    pub(crate) fn open<'a>(
        at: impl Into<OutboxAt<'a>>,
        patience: Duration,
    ) -> Result<(Self, Option<PathBuf>), StoreError> {
        let state_dir = match at.into() {
            OutboxAt::StateDir(state_dir) => state_dir,
            OutboxAt::Database(database) => return Ok((Self::open_server(database, patience)?, None)),
        };
        match Self::open_file(&state_dir.join(NAME), patience) {
            Err(e) if e.is_corruption() => {
                Self::replace(state_dir, patience).map(|(store, aside)| (store, Some(aside)))
            }
            opened => opened.map(|store| (store, None)),
        }
    }

    /// Puts a corrupt file aside, and opens a new one with what could be read of the waiting messages. Noise in the middle
    /// of the file shows only when it is read, long after the opening. Also gives where the old one went.
    pub(crate) fn replace(state_dir: &Path, patience: Duration) -> Result<(Self, PathBuf), StoreError> {
        let path = state_dir.join(NAME);
        let aside = sqlite::put_aside(&path, "corrupt")?;
        let store = Self::open_file(&path, patience)?;
        store.recover_rows(&aside);
        Ok((store, aside))
    }

    /// Puts a file aside whose rows are all in a database now; else a listener without `[database]` would send what waits
    /// in it a second time. Where it went.
    pub(crate) fn put_copied_aside(self, state_dir: &Path) -> Result<PathBuf, StoreError> {
        drop(self);
        sqlite::put_aside(&state_dir.join(NAME), "copied")
    }

    /// An error when the file was removed or replaced since it was opened: what is written then is lost with this
    /// process.
    pub(crate) fn check_file_identity(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) if !file.is_there() => Err(StoreError::Moved(file.path.clone())),
            _ => Ok(()),
        }
    }

    /// How often this connection to a server was made: another number than before says that the server may be another one,
    /// or have come back without its last commits.
    pub(crate) fn connections(&self) -> u64 {
        match &self.db {
            Connection::Postgres(link) => link.connections(),
            Connection::Sqlite(_) => 0,
        }
    }

    /// What a server says of itself; `None` of a file.
    pub(crate) fn server_facts(&self) -> Result<Option<ServerFacts>, StoreError> {
        match &self.db {
            Connection::Postgres(link) => link.server_facts().map(Some),
            Connection::Sqlite(_) => Ok(None),
        }
    }

    /// Another connection to the same database, for another thread; an error if its file isn't there any more.
    pub(crate) fn beside(&self, patience: Duration) -> Result<Self, StoreError> {
        if let Connection::Postgres(link) = &self.db {
            let db = Connection::Postgres(Box::new(link.beside(patience)?));
            return Ok(Self { owner: self.owner.clone(), ..Self::of(db, None) });
        }
        self.check_file_identity()?;
        let file = self.file.as_ref();
        let file = file.ok_or_else(|| StoreError::Content("the database is open for reading only".to_owned()))?;
        let beside = Self::open_file(&file.path, patience)?;
        if beside.file == self.file { Ok(beside) } else { Err(StoreError::Moved(file.path.clone())) }
    }

    /// Opens an outbox that exists for looking at it; `None` when there is none yet.
    pub(crate) fn open_existing<'a>(at: impl Into<OutboxAt<'a>>) -> Result<Option<Self>, StoreError> {
        let patience = Duration::from_secs(30);
        match at.into() {
            OutboxAt::StateDir(state_dir) if !state_dir.join(NAME).exists() => Ok(None),
            OutboxAt::StateDir(state_dir) => Self::open_file(&state_dir.join(NAME), patience).map(Some),
            OutboxAt::Database(database) => Self::open_server(database, patience).map(Some),
        }
    }

    /// Opens an outbox that exists without changing anything, with read rights alone; `None` when there is none yet.
    pub(crate) fn open_for_reading<'a>(
        at: impl Into<OutboxAt<'a>>,
        patience: Duration,
    ) -> Result<Option<Self>, StoreError> {
        match at.into() {
            OutboxAt::StateDir(state_dir) => {
                Ok(sqlite::open_for_reading(state_dir, patience)?.map(|db| Self::of(db, None)))
            }
            OutboxAt::Database(database) => Self::open_server(database, patience).map(Some),
        }
    }

    /// An outbox that nobody else sees and that is gone with the process, however that ends.
    pub(crate) fn temporary() -> Result<Self, StoreError> {
        Ok(Self::of(sqlite::temporary()?, None))
    }

    fn of(db: Connection, file: Option<OpenedFile>) -> Self {
        Self { db, file, owner: String::new() }
    }

    /// Makes the outbox on a server or brings it up to date. For the owner.
    pub(crate) fn init(database: &Database) -> Result<(Self, Made), StoreError> {
        let server = Arc::new(postgres::Server::new(database)?);
        let db = Connection::Postgres(Box::new(postgres::Link::new(server, Duration::from_secs(30))?));
        let made = schema::init_server(&db)?;
        Ok((Self::of(db, None), made))
    }

    fn open_file(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let (db, file) = sqlite::open(path, patience)?;
        Ok(Self::of(db, Some(file)))
    }

    /// Connects to the server and looks whether its outbox is one that this program may use. It makes nothing there:
    /// that is for the owner, by `ackbell database init`.
    fn open_server(database: &Database, patience: Duration) -> Result<Self, StoreError> {
        let server = Arc::new(postgres::Server::new(database)?);
        let db = Connection::Postgres(Box::new(postgres::Link::new(server, patience)?));
        schema::check_server(&db)?;
        Ok(Self::of(db, None))
    }

    /// Does `work`. Where the outbox is on a server, what `reads` begins with is asked before, all of it in one round trip, and
    /// the same reads of the work get these answers. `reads` itself finds nothing.
    pub(crate) fn ahead<T, E: From<StoreError>>(
        &self,
        reads: impl FnOnce(),
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.db.ahead(reads, work)
    }

    /// Moves the log's content into the database file; done after a pass by short-lived processes.
    pub(crate) fn checkpoint(&self) {
        if let Connection::Sqlite(db) = &self.db {
            let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }

    /// Recovers the waiting messages of a corrupt database, row by row, as far as they can be read.
    fn recover_rows(&self, aside: &Path) {
        let Some(old) = sqlite::open_corrupt(aside) else { return };
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

#[cfg(test)]
mod tests;
