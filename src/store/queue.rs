//! What people ask of the outbox: what waits, what is dead, try it again, drop it.

use super::{Store, StoreError};
use crate::model::notification::Notification;
use rusqlite::{OptionalExtension, params};

/// One delivery as `queue` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    /// `waiting`, `delivered`, `merged` or `dead`.
    pub(crate) state: String,
    pub(crate) integration: String,
    pub(crate) target: String,
    /// Unix ms.
    pub(crate) received: i64,
    /// Unix ms; the later of its own time and its channel's or integration's hold. 0: at once.
    pub(crate) due: i64,
    pub(crate) attempts: u32,
    pub(crate) reason: Option<String>,
    pub(crate) spool_id: String,
    pub(crate) notification: Notification,
    pub(crate) channel: Option<String>,
    pub(crate) ts: Option<String>,
}

/// The outbox in a few numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Summary {
    pub(crate) waiting: i64,
    pub(crate) dead: i64,
    /// When the oldest waiting notification was received, in Unix ms.
    pub(crate) oldest: Option<i64>,
    /// Acts of people that are not done.
    pub(crate) acts: i64,
}

/// How the outbox is, for `check`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) summary: Summary,
    /// Why the last one died.
    pub(crate) dead_reason: Option<String>,
    /// Integrations that can't deliver now.
    pub(crate) holds: Vec<Hold>,
}

/// An integration that rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) integration: String,
    pub(crate) reason: String,
    /// Somebody must mend its token or webhook.
    pub(crate) is_hopeless: bool,
}

const COLUMNS: &str = "SELECT d.id, d.state, d.integration, d.target, n.received,
    MAX(COALESCE(p.due, 0), COALESCE((SELECT MAX(until) FROM hold h WHERE h.integration = d.integration
                           AND h.lane IN ('*', d.target)), 0)),
    MAX(d.attempts, CASE d.state WHEN 'waiting' THEN COALESCE(p.attempts, 0) ELSE 0 END),
    COALESCE(d.reason, CASE d.state WHEN 'waiting' THEN COALESCE(p.reason, NULLIF(
      (SELECT reason FROM hold h WHERE h.integration = d.integration AND h.lane = '*'), '')) END),
    n.id, n.body, d.channel, d.ts
    FROM delivery d JOIN notification n ON n.seq = d.notification LEFT JOIN post p ON p.id = COALESCE(d.digest, d.post)";

impl Store {
    /// Deliveries that wait or are dead and are wanted, oldest first, at most `most`; with `all` the settled ones too.
    pub(crate) fn rows(&self, all: bool, most: usize, wanted: impl Fn(&Row) -> bool) -> Result<Vec<Row>, StoreError> {
        let which = if all { "" } else { "WHERE d.state IN ('waiting', 'dead')" };
        let mut statement = self.db.prepare(&format!("{COLUMNS} {which} ORDER BY d.id"))?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()?.filter(|_| found.len() < most) {
            found.extend(Some(read(row)?).filter(&wanted));
        }
        Ok(found)
    }

    /// One delivery by its number.
    pub(crate) fn row(&self, id: i64) -> Result<Option<Row>, StoreError> {
        let mut statement = self.db.prepare(&format!("{COLUMNS} WHERE d.id = ?1"))?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(read).transpose()
    }

    pub(crate) fn summary(&self) -> Result<Summary, StoreError> {
        let count = |state: &str| {
            // Written out, as only then an index of that state alone is taken.
            let sql = format!("SELECT COUNT(*) FROM delivery WHERE state = '{state}'");
            self.db.query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        let oldest = "SELECT MIN(n.received) FROM delivery d JOIN notification n ON n.seq = d.notification
                      WHERE d.state = 'waiting'";
        Ok(Summary {
            waiting: count("waiting")?,
            dead: count("dead")?,
            oldest: self.db.query_row(oldest, [], |row| row.get(0)).optional()?.flatten(),
            acts: self.db.query_row("SELECT COUNT(*) FROM act WHERE state <> 'done'", [], |row| row.get(0))?,
        })
    }

    /// How it is at `now` (Unix ms).
    pub(crate) fn health(&self, now: i64) -> Result<Health, StoreError> {
        let dead = "SELECT reason FROM delivery WHERE state = 'dead' ORDER BY id DESC LIMIT 1";
        let dead_reason = self.db.query_row(dead, [], |row| row.get(0)).optional()?.flatten();
        let holds = "SELECT integration, reason, until FROM hold WHERE lane = '*' AND reason <> ''";
        let mut statement = self.db.prepare(holds)?;
        let holds = statement.query_map([], |row| {
            let reason: String = row.get(1)?;
            let is_hopeless = crate::model::slack_error::SlackError::find_in(&reason)
                .is_some_and(|error| error.is_about_credentials());
            Ok((Hold { integration: row.get(0)?, reason, is_hopeless }, row.get::<_, i64>(2)?))
        })?;
        let holds = holds.collect::<Result<Vec<_>, _>>()?;
        // A refused token is refused until something was delivered, or the configuration changed.
        let is_on = |(hold, until): (Hold, i64)| (hold.is_hopeless || until > now).then_some(hold);
        let holds = holds.into_iter().filter_map(is_on).collect();
        Ok(Health { summary: self.summary()?, dead_reason, holds })
    }

    /// Lets dead and waiting deliveries go at once: one, or all of them. Returns how many. One that never had a place
    /// stays dead: [`Store::unplaced`] is for those.
    pub(crate) fn retry(&self, id: Option<i64>, now: i64) -> Result<usize, StoreError> {
        let transaction = rusqlite::Transaction::new_unchecked(&self.db, rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE post SET due = 0, due_set = 0, attempts = 0, plain = 0, reason = NULL WHERE id IN (
               SELECT COALESCE(digest, post) FROM delivery
               WHERE state IN ('waiting', 'dead') AND (?1 IS NULL OR id = ?1))",
            params![id],
        )?;
        let sql = "UPDATE delivery SET state = 'waiting', attempts = 0, reason = NULL, settled = NULL, since = ?2
                   WHERE state IN ('waiting', 'dead') AND integration <> '' AND (?1 IS NULL OR id = ?1)";
        let count = transaction.execute(sql, params![id, now])?;
        lift_rests(&transaction, id)?;
        super::outbox::adopt(&transaction)?;
        transaction.commit()?;
        Ok(count)
    }

    /// Lets all that waits go at once, for a person who ordered it: without its own pause after a failure, and without the
    /// integrations'. Slack's Retry-After holds: that one is no guess.
    pub(crate) fn hurry(&self) -> Result<(), StoreError> {
        let transaction = rusqlite::Transaction::new_unchecked(&self.db, rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE post SET due = 0, due_set = 0 WHERE leased IS NULL AND due <> 0", [])?;
        lift_rests(&transaction, None)?;
        transaction.commit()?;
        Ok(())
    }

    /// Dead deliveries that found no place when they were routed.
    pub(crate) fn unplaced(&self, id: Option<i64>) -> Result<Vec<Row>, StoreError> {
        let sql = format!("{COLUMNS} WHERE d.state = 'dead' AND d.integration = '' AND (?1 IS NULL OR d.id = ?1)");
        let mut statement = self.db.prepare(&sql)?;
        let mut rows = statement.query(params![id])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// Forgets one delivery for good; `false` when there is none that waits or is dead under that number.
    pub(crate) fn drop_row(&self, id: i64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM delivery WHERE id = ?1 AND state IN ('waiting', 'dead') AND NOT EXISTS (
                     SELECT 1 FROM post p WHERE p.id = COALESCE(delivery.digest, delivery.post) AND p.leased IS NOT NULL)";
        Ok(self.db.execute(sql, [id])? > 0)
    }
}

/// Ends the rest of the integrations that these deliveries go through; the reason stays until something was delivered.
fn lift_rests(db: &rusqlite::Connection, id: Option<i64>) -> Result<(), StoreError> {
    let sql = "UPDATE hold SET until = 0 WHERE lane = ?2 AND integration IN (
                 SELECT integration FROM delivery WHERE state = 'waiting' AND (?1 IS NULL OR id = ?1))";
    db.execute(sql, params![id, super::outbox::WHOLE])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> Result<Row, StoreError> {
    let body: String = row.get(9)?;
    Ok(Row {
        id: row.get(0)?,
        state: row.get(1)?,
        integration: row.get(2)?,
        target: row.get(3)?,
        received: row.get(4)?,
        due: row.get(5)?,
        attempts: row.get(6)?,
        reason: row.get(7)?,
        spool_id: row.get(8)?,
        notification: serde_json::from_str(&body).map_err(|e| StoreError::Content(e.to_string()))?,
        channel: row.get(10)?,
        ts: row.get(11)?,
    })
}
