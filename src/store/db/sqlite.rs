//! The `SQLite` file in the state directory: opened with care, and put aside when it is corrupt.

use super::Connection;
use crate::store::{NAME, StoreError, schema};
use crate::system::beneath::Directory;
use rusqlite::{ErrorCode, OpenFlags};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So many statements are kept prepared: an import and a delivery have some dozens.
const STATEMENTS: usize = 100;

/// The file that was opened, with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct OpenedFile {
    pub(in crate::store) path: PathBuf,
    identity: (u64, u64),
}

impl OpenedFile {
    /// Whether the file is still the one at its path.
    pub(in crate::store) fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).ok().map(|found| file_identity(&found)) == Some(self.identity)
    }
}

/// Opens it for reading and writing, making it or bringing its schema up to date. `patience`: how long to wait for another
/// writer.
pub(in crate::store) fn open(path: &Path, patience: Duration) -> Result<(Connection, OpenedFile), StoreError> {
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
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = rusqlite::Connection::open_with_flags(path, flags)?;
    db.busy_timeout(patience)?;
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // Noise in a page is rather found than believed.
    db.pragma_update(None, "cell_size_check", true)?;
    Ok((migrated(db)?, OpenedFile { path: path.to_owned(), identity: file_identity(&metadata) }))
}

/// Opens one that exists without changing anything, with read rights alone; `None` when there is none yet.
pub(in crate::store) fn open_for_reading(
    state_dir: &Path,
    patience: Duration,
) -> Result<Option<Connection>, StoreError> {
    let path = database_path(state_dir)?;
    match rustix::fs::access(&path, rustix::fs::Access::READ_OK) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(e) => return Err(StoreError::Read { path, source: e.into() }),
        Ok(()) => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = rusqlite::Connection::open_with_flags(path, flags)?;
    db.busy_timeout(patience)?;
    schema::check(&db)?;
    Ok(Some(Connection::Sqlite(db)))
}

/// One that nobody else sees and that is gone with the process, however that ends: `SQLite` keeps what doesn't fit into
/// memory in a file without a name.
pub(in crate::store) fn temporary() -> Result<Connection, StoreError> {
    let db = rusqlite::Connection::open("")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    migrated(db)
}

/// A corrupt one that was put aside, with whatever can be read of it.
pub(in crate::store) fn open_corrupt(aside: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let path = std::fs::canonicalize(aside).ok()?;
    rusqlite::Connection::open_with_flags(path, flags).ok().map(Connection::Sqlite)
}

fn migrated(db: rusqlite::Connection) -> Result<Connection, StoreError> {
    let db = Connection::Sqlite(db);
    schema::migrate(&db)?;
    if let Connection::Sqlite(db) = &db {
        db.pragma_update(None, "foreign_keys", true)?;
    }
    Ok(db)
}

/// Whether it can't be relied on any more.
pub(in crate::store) fn is_corruption(e: &rusqlite::Error) -> bool {
    // SQLite keeps no checksums: noise in a text shows where it no longer reads as what was written.
    matches!(e, rusqlite::Error::Utf8Error(..))
        || matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
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

/// Renames the database and its side files to `.REASON-N`, with the first N that is free.
pub(in crate::store) fn put_aside(path: &Path, reason: &str) -> Result<PathBuf, StoreError> {
    let named = |n: u32, suffix: &str| PathBuf::from(format!("{}.{reason}-{n}{suffix}", path.display()));
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
