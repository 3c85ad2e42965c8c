//! Recoveries that wait for the other cores of a redundant core.
//!
//! Such a recovery is kept as a delivery that has ended, and its message knows it. When all other cores have recovered, the
//! last one's notification is shown and this one isn't. When they are silent for too long (one may have died), it is put
//! into its queue after all.

use super::db::{Connection, Row, params};
use super::digest::problem_changed;
use super::{Store, StoreError, from_json, history, incoming, to_json};
use crate::model::problem::Problem;

/// So long the others may be silent before one core's recovery counts.
const SILENCE_MAX_MS: i64 = 5 * 60 * 1000;

/// Why such a delivery ended.
pub(super) const WAITS: &str = "another core still called it bad";

/// A message whose recovery counts now.
struct Due {
    post: i64,
    digest: Option<i64>,
    problem: Problem,
    delivery: i64,
    body: String,
}

/// Lets a recovery wait, instead of an earlier one of the same message.
pub(super) fn wait(db: &Connection, post: i64, delivery: i64, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE post SET recovers = ?2, recovery = ?3 WHERE id = ?1";
    db.prepare_cached(sql)?.execute_later([post, now.saturating_add(SILENCE_MAX_MS), delivery])?;
    Ok(())
}

/// A word about a message was heard. While the cores disagree it is a sign of life: the silence begins anew. Else nothing
/// waits any more.
pub(super) fn heard(db: &Connection, post: i64, is_disputed: bool, now: i64) -> Result<(), StoreError> {
    let until = is_disputed.then(|| now.saturating_add(SILENCE_MAX_MS));
    let sql = "UPDATE post SET recovers = ?2 WHERE id = ?1 AND recovers IS NOT NULL";
    db.prepare_cached(sql)?.execute_later(params![post, until])?;
    Ok(())
}

/// The clock went back: no silence is longer than it may be, from now on.
pub(super) fn follow_clock(db: &Connection, now: i64) -> Result<(), StoreError> {
    db.execute("UPDATE post SET recovers = ?1 WHERE recovers > ?1", [now.saturating_add(SILENCE_MAX_MS)])?;
    Ok(())
}

impl Store {
    /// Lets the recoveries count whose time has come; how many those were.
    pub(crate) fn count_recoveries(&self, now: i64) -> Result<usize, StoreError> {
        let next = "SELECT EXISTS (SELECT 1 FROM post WHERE recovers <= ?1)";
        if !self.db.prepare_cached(next)?.query_row([now], |row| row.get::<bool>(0))? {
            return Ok(0);
        }
        let transaction = self.db.write()?;
        let due = due(&transaction, now)?;
        for one in &due {
            count(&transaction, one, now)?;
        }
        // One whose delivery was dropped or forgotten.
        transaction.execute("UPDATE post SET recovers = NULL WHERE recovers <= ?1", [now])?;
        transaction.commit()?;
        Ok(due.len())
    }
}

fn due(db: &Connection, now: i64) -> Result<Vec<Due>, StoreError> {
    let sql = "SELECT p.id, p.digest, p.problem, d.id, n.body FROM post p JOIN delivery d ON d.id = p.recovery
                 JOIN notification n ON n.seq = d.notification WHERE p.recovers <= ?1 AND d.state = 'merged'";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([now])?;
    let read = |row: Row<'_>| -> Result<Due, StoreError> {
        let problem = from_json(&row.get::<String>(2)?)?;
        Ok(Due { post: row.get(0)?, digest: row.get(1)?, problem, delivery: row.get(3)?, body: row.get(4)? })
    };
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(read(row)?);
    }
    Ok(due)
}

fn count(db: &Connection, due: &Due, now: i64) -> Result<(), StoreError> {
    let mut problem = due.problem.clone();
    if let Some(notification) = incoming(&due.body)?.notification() {
        let _ = problem.apply(notification);
        history::recovered(db, notification)?;
    }
    let sql = "UPDATE post SET problem = ?2, open = ?3, rank = 0, version = version + 1, updated = ?4, recovers = NULL
               WHERE id = ?1";
    db.execute(sql, params![due.post, to_json(&problem)?, !problem.is_over(), now])?;
    let sql = "UPDATE delivery SET state = 'waiting', reason = NULL, recorded = NULL, attempts = 0, since = ?2,
                 digest = (SELECT digest FROM post WHERE id = ?3) WHERE id = ?1";
    db.execute(sql, [due.delivery, now, due.post])?;
    if let Some(digest) = due.digest {
        problem_changed(db, digest)?;
    }
    Ok(())
}
