//! Who did what from Slack: rows that are only added, each with a hash over itself and the one before.

use super::{Store, StoreError};
use crate::clock;
use rusqlite::{Connection, OptionalExtension};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The hash before the first row's.
const GENESIS: &str = "ackbell audit";

/// What a check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chain {
    Whole {
        rows: u64,
        last: String,
    },
    /// The first row that doesn't follow from the one before.
    Broken {
        seq: i64,
    },
}

/// The last row, which vouches for all before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) hash: String,
}

/// Adds entries (JSON, one line each) in the caller's transaction.
pub(super) fn append(db: &Connection, entries: &[String]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let sql = "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1";
    let mut last: String = db.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or_else(|| GENESIS.to_owned());
    let mut insert = db.prepare_cached("INSERT INTO audit (entry, hash) VALUES (?1, ?2)")?;
    for entry in entries {
        last = hash(&last, entry);
        insert.execute([entry, &last])?;
    }
    Ok(())
}

fn head(db: &Connection) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    Ok(db.query_row(sql, [], |row| Ok(Head { seq: row.get(0)?, hash: row.get(1)? })).optional()?)
}

/// Begins the chain of a new database with the head of the old one's: what was in that stays as it is, or it shows.
pub(super) fn go_on(new: &Connection, old: &Connection, name: &str) -> Result<(), StoreError> {
    let before = head(old).ok().flatten();
    let detail = match &before {
        Some(Head { seq, hash }) => {
            format!("a new database; the rows before are in {name}, {seq} with the last one's hash {hash}")
        }
        None => format!("a new database; what was in {name} before can't be read"),
    };
    let entry = json!({ "at": clock::wall_ms() / 1000, "step": "continued", "action": "audit", "user": "ackbell",
        "object": { "host": name }, "detail": detail, "head": before.map(|head| head.hash) });
    append(new, &[entry.to_string()])
}

fn hash(before: &str, entry: &str) -> String {
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update("\n");
    sha.update(entry);
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// The entries, oldest first, each given to `each` with its number until it says stop (`false`).
    pub(crate) fn audit(&self, mut each: impl FnMut(i64, &str) -> bool) -> Result<(), StoreError> {
        let mut statement = self.db.prepare("SELECT seq, entry FROM audit ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let entry: String = row.get(1)?;
            if !each(row.get(0)?, &entry) {
                break;
            }
        }
        Ok(())
    }

    /// The last row; `None` when there is none yet.
    pub(crate) fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        head(&self.db)
    }

    /// Whether a row with this hash is there: a head that was kept elsewhere, so nothing up to it was cut off. The first
    /// row of a database that goes on from another one holds that one's head.
    pub(crate) fn has_audit_head(&self, hash: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS(SELECT 1 FROM audit WHERE hash = ?1 OR seq = 1 AND INSTR(entry, '\"head\":\"' || ?1 || '\"') > 0)";
        Ok(self.db.query_row(sql, [hash], |row| row.get(0))?)
    }

    /// Whether every row follows from the one before. Cutting off the end can't be seen from inside: the last hash is
    /// worth keeping elsewhere.
    ///
    /// `tell` hears of each row's number on the way.
    pub(crate) fn verify_audit(&self, mut tell: impl FnMut(i64)) -> Result<Chain, StoreError> {
        let mut statement = self.db.prepare("SELECT seq, entry, hash FROM audit ORDER BY seq")?;
        let mut rows = statement.query([])?;
        let (mut last, mut count, mut expected_seq) = (GENESIS.to_owned(), 0, 1);
        while let Some(row) = rows.next()? {
            let (seq, entry, found): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            last = hash(&last, &entry);
            if found != last || seq != expected_seq {
                return Ok(Chain::Broken { seq });
            }
            tell(seq);
            (count, expected_seq) = (count + 1, seq + 1);
        }
        Ok(Chain::Whole { rows: count, last })
    }
}
