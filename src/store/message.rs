//! A message in Slack, or one to be: of a problem, of another program, or a digest. Each kind has its table, and the
//! columns that say how far it came are the same in both.

use super::StoreError;
use super::db::{Connection, ToSql, params};

/// A message by its number. Cards and digests are numbered apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageId {
    /// About one problem; or a direct message.
    Post(i64),
    Digest(i64),
}

impl MessageId {
    pub(crate) fn number(self) -> i64 {
        let (Self::Post(number) | Self::Digest(number)) = self;
        number
    }

    /// Its table, and the column by which a delivery refers to it.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Post(_) => "post",
            Self::Digest(_) => "digest",
        }
    }

    /// Gives the message back to its queue; `unburned` attempts don't count.
    pub(super) fn give_back(self, db: &Connection, unburned: u32, reason: &str) -> Result<(), StoreError> {
        let table = self.table();
        let sql = format!("UPDATE {table} SET leased = NULL, attempts = attempts - ?2, reason = ?3 WHERE id = ?1");
        db.prepare_cached(&sql)?.execute_later(params![self.number(), unburned, reason])?;
        Ok(())
    }

    /// Sets columns of the message. `assignments` is one of the store's own texts, with parameters from `?2` on.
    pub(super) fn update(self, db: &Connection, assignments: &str, values: &[&dyn ToSql]) -> Result<(), StoreError> {
        let sql = format!("UPDATE {} SET {assignments} WHERE id = ?1", self.table());
        let number = self.number();
        let mut all: Vec<&dyn ToSql> = vec![&number];
        all.extend(values);
        db.prepare_cached(&sql)?.execute_later(all.as_slice())?;
        Ok(())
    }
}

/// Claims of processes that died are forgotten; how many there were.
pub(super) fn forget_claims(db: &Connection) -> Result<usize, StoreError> {
    let mut orphans = 0;
    for table in ["post", "digest"] {
        orphans += db.execute(&format!("UPDATE {table} SET leased = NULL WHERE leased IS NOT NULL"), [])?;
    }
    Ok(orphans)
}

/// The clock went back: a message waits as long as it was meant to, from now on.
pub(super) fn follow_clock(db: &Connection, now: i64) -> Result<(), StoreError> {
    for table in ["post", "digest"] {
        let sql = format!("UPDATE {table} SET due = ?1 + (due - due_set), due_set = ?1 WHERE due_set - 2000 > ?1");
        db.execute(&sql, [now])?;
    }
    // An hour ahead is more than any two clocks differ: it went back, and a digest must still be edited and end.
    db.execute(
        "UPDATE digest SET edited = CASE WHEN edited > ?1 THEN ?1 ELSE edited END,
                  joined = CASE WHEN joined > ?1 THEN ?1 ELSE joined END WHERE open = 1",
        [now],
    )?;
    Ok(())
}
