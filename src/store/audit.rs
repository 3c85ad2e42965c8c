//! The audit of all actions from Slack: rows that are only added, each with a hash over itself and the one before.

use super::db::{Connection, OptionalExtension, params};
use super::state::AuditStep;
use super::{Store, StoreError};
use crate::system::clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The hash before the first row's.
const GENESIS: &str = "ackbell audit";

/// The field of a row that says which rows were removed.
const CUT: &str = "let_go";
/// So many rows are removed at once: the database is locked meanwhile.
const TRIM_BATCH: i64 = 5_000;

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
    let last = head(db)?.map(|head| (head.seq, head.hash));
    let (mut seq, mut last) = last.map_or_else(|| start(db), Ok)?;
    // Numbered here, as an engine's own numbers have gaps after a transaction that was undone.
    let mut insert = db.prepare_cached("INSERT INTO audit (seq, entry, hash) VALUES (?1, ?2, ?3)")?;
    for entry in entries {
        (seq, last) = (seq + 1, hash(&last, entry));
        insert.execute(params![seq, entry, last])?;
    }
    Ok(())
}

fn head(db: &Connection) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    db.query_row(sql, [], |row| Ok(Head { seq: row.get(0)?, hash: row.get(1)? })).optional()
}

/// Begins the chain of a new database with the head of the old one's: a change of the old rows would show.
pub(super) fn continue_from(new: &Connection, old: &Connection, name: &str) -> Result<(), StoreError> {
    let before = head(old).ok().flatten();
    let detail = match &before {
        Some(Head { seq, hash }) => {
            format!("a new database; the rows before are in {name}, {seq} with the last one's hash {hash}")
        }
        None => format!("a new database; what was in {name} before can't be read"),
    };
    let entry = json!({ "at": clock::wall_ms() / 1000, "step": AuditStep::Continued.name(), "action": "audit", "user": "ackbell",
        "object": { "host": name }, "detail": detail, "head": before.map(|head| head.hash) });
    append(new, &[entry.to_string()])
}

/// The row before the first that is kept, and its hash.
fn start(db: &Connection) -> Result<(i64, String), StoreError> {
    let found =
        db.query_row("SELECT seq, hash FROM audit_start", [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.unwrap_or_else(|| (0, GENESIS.to_owned())))
}

fn hash(before: &str, entry: &str) -> String {
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update("\n");
    sha.update(entry);
    data_encoding::HEXLOWER.encode(&sha.finalize()[..])
}

impl Store {
    /// The entries, oldest first, each given to `each` with its number until it says stop (`false`).
    pub(crate) fn audit(&self, mut each: impl FnMut(i64, &str) -> bool) -> Result<(), StoreError> {
        self.each_audit_row(|seq, entry, _| each(seq, entry))
    }

    /// The rows, oldest first, each given to `each` with its number and hash until it says stop (`false`).
    fn each_audit_row(&self, mut each: impl FnMut(i64, &str, &str) -> bool) -> Result<(), StoreError> {
        let (piece, mut after) = (self.db.piece(), i64::MIN);
        let sql = "SELECT seq, entry, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut statement = self.db.prepare(sql)?;
        loop {
            let mut rows = statement.query([after, piece])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let (seq, entry, hash): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                if !each(seq, &entry, &hash) {
                    return Ok(());
                }
                (after, count) = (seq, count + 1);
            }
            if count < piece {
                return Ok(());
            }
        }
    }

    /// The last row; `None` when there is none yet.
    pub(crate) fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        head(&self.db)
    }

    /// Whether a row with this hash is there: a head that was kept elsewhere, so nothing up to it was cut off. The first
    /// row of a database that goes on from another one holds that one's head.
    pub(crate) fn has_audit_head(&self, hash: &str) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS(SELECT 1 FROM audit WHERE hash = ?1 OR seq = 1 AND entry LIKE '%\"head\":\"' || ?1 || '\"%')
                   OR EXISTS(SELECT 1 FROM audit_start WHERE hash = ?1)";
        self.db.query_row(sql, [hash], |row| row.get(0))
    }

    /// Whether every row follows from the one before. Cutting off the end can't be seen from inside: the last hash is
    /// worth keeping elsewhere.
    ///
    /// `progress` is called with each row's number.
    pub(crate) fn verify_audit(&self, mut progress: impl FnMut(i64)) -> Result<Chain, StoreError> {
        loop {
            let began = start(&self.db)?;
            let chain = self.verify_audit_from(&began, &mut progress)?;
            // Rows that another process let go of meanwhile are no break.
            if matches!(chain, Chain::Whole { .. }) || start(&self.db)? == began {
                return Ok(chain);
            }
        }
    }

    fn verify_audit_from(&self, start: &(i64, String), progress: &mut impl FnMut(i64)) -> Result<Chain, StoreError> {
        let (mut last, mut count, mut expected_seq) = (start.1.clone(), 0, start.0 + 1);
        // A later row of the chain says which rows were removed before the first.
        let mut start_is_known = start.0 == 0;
        let mut broken = None;
        self.each_audit_row(|seq, entry, found| {
            last = hash(&last, entry);
            if found != last || seq != expected_seq {
                broken = Some(seq);
                return false;
            }
            start_is_known |= entry.contains(CUT) && cut_of(entry).as_ref() == Some(start);
            progress(seq);
            (count, expected_seq) = (count + 1, seq + 1);
            true
        })?;
        match broken {
            Some(seq) => Ok(Chain::Broken { seq }),
            None if !start_is_known => Ok(Chain::Broken { seq: start.0 + 1 }),
            None => Ok(Chain::Whole { rows: count, last }),
        }
    }

    /// Removes the rows from before a time (Unix seconds), a batch at most; how many. The remaining rows still follow each
    /// other: the number and hash of the last removed row are kept, and a row of the audit says so.
    pub(crate) fn trim_audit(&mut self, before: i64, now: i64) -> Result<usize, StoreError> {
        let transaction = self.db.write()?;
        let mut last: Option<(i64, String)> = None;
        {
            let mut statement =
                transaction.prepare_cached("SELECT seq, entry, hash FROM audit ORDER BY seq LIMIT ?1")?;
            let mut rows = statement.query([TRIM_BATCH])?;
            while let Some(row) = rows.next()? {
                let entry: Value = serde_json::from_str(&row.get::<String>(1)?).unwrap_or_default();
                if entry["at"].as_i64().unwrap_or(0) >= before {
                    break;
                }
                last = Some((row.get(0)?, row.get(2)?));
            }
        }
        let Some((seq, hash)) = last else { return Ok(0) };
        let entry = json!({
            "at": now, "action": "audit", "commands": [], "step": AuditStep::LetGo.name(),
            "detail": format!("the rows up to {seq}, as [audit] keep says; the last one's hash is {hash}"),
            (CUT): { "seq": seq, "hash": hash },
        });
        append(&transaction, &[entry.to_string()])?;
        let sql = "INSERT INTO audit_start (id, seq, hash) VALUES (1, ?1, ?2)
                   ON CONFLICT (id) DO UPDATE SET seq = ?1, hash = ?2";
        transaction.execute(sql, params![seq, hash])?;
        let gone = transaction.execute("DELETE FROM audit WHERE seq <= ?1", [seq])?;
        transaction.commit()?;
        Ok(gone)
    }
}

/// Where a row about letting go says until where.
fn cut_of(entry: &str) -> Option<(i64, String)> {
    let entry: Value = serde_json::from_str(entry).ok()?;
    Some((entry[CUT]["seq"].as_i64()?, entry[CUT]["hash"].as_str()?.to_owned()))
}
