//! The outbox for people: list the deliveries that wait or are dead, try them again, drop one.

use super::db::{self, OptionalExtension, params};
use super::delivery_queue::DeliveryQueue;
use super::state::DeliveryState;
use super::{Store, StoreError, new_delivery, pause};
use crate::model::incoming::Incoming;
use crate::model::slack_error::SlackError;

/// One delivery as `queue` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) state: DeliveryState,
    pub(crate) queue: DeliveryQueue,
    /// Unix ms.
    pub(crate) received: i64,
    /// Unix ms; the later of its own time and the end of its channel's or integration's pause. 0: at once.
    pub(crate) due: i64,
    pub(crate) attempts: u32,
    pub(crate) reason: Option<String>,
    /// Slack's error code, of one that is dead.
    pub(crate) code: Option<String>,
    pub(crate) spool_id: String,
    pub(crate) incoming: Incoming,
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
    /// Action requests of people that are not done.
    pub(crate) action_requests: i64,
}

/// How the outbox is, for `check`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    pub(crate) summary: Summary,
    /// Why the last one died.
    pub(crate) dead_reason: Option<String>,
    /// Integrations that can't deliver now.
    pub(crate) pauses: Vec<PausedIntegration>,
}

/// An integration that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PausedIntegration {
    pub(crate) integration: String,
    pub(crate) reason: String,
    /// Somebody must mend its token or webhook.
    pub(crate) needs_repair: bool,
}

const COLUMNS: &str = "SELECT d.id, d.state, d.integration, d.target, n.received,
    (SELECT MAX(time) FROM (
       SELECT COALESCE(g.due, p.due, 0) AS time
       UNION ALL SELECT COALESCE(g.deferred_until, 0)
       UNION ALL SELECT until FROM pause h WHERE h.integration = d.integration AND h.scope = 'integration' AND h.channel = ''
       UNION ALL SELECT until FROM pause h WHERE h.integration = d.integration AND h.scope = 'channel'
         AND h.channel = d.target) AS times),
    CASE WHEN d.state = 'waiting' AND COALESCE(g.attempts, p.attempts, 0) > d.attempts
      THEN COALESCE(g.attempts, p.attempts, 0) ELSE d.attempts END,
    COALESCE(d.reason, CASE d.state WHEN 'waiting' THEN COALESCE(g.reason, p.reason,
      CASE WHEN g.deferred_until IS NOT NULL AND g.shown = 0 THEN d.annotation END, NULLIF(
      (SELECT reason FROM pause h WHERE h.integration = d.integration AND h.scope = 'integration'
        AND h.channel = ''), '')) END),
    n.id, n.body, d.channel, d.ts, d.code
    FROM delivery d JOIN notification n ON n.seq = d.notification LEFT JOIN digest g ON g.id = d.digest
      LEFT JOIN post p ON p.id = d.post AND d.digest IS NULL";

impl Store {
    /// Deliveries that wait or are dead and are wanted, oldest first, at most `most`; with `all` the ones that ended too.
    pub(crate) fn rows(&self, all: bool, most: usize, wanted: impl Fn(&Row) -> bool) -> Result<Vec<Row>, StoreError> {
        let which = if all { "" } else { "AND d.state IN ('waiting', 'dead')" };
        let (piece, mut after, mut found) = (self.db.piece(), i64::MIN, Vec::new());
        let mut statement = self.db.prepare(&format!("{COLUMNS} WHERE d.id > ?1 {which} ORDER BY d.id LIMIT ?2"))?;
        loop {
            let mut rows = statement.query([after, piece])?;
            let mut count = 0;
            while let Some(row) = rows.next()?.filter(|_| found.len() < most) {
                let row = read(row)?;
                (after, count) = (row.id, count + 1);
                found.extend(Some(row).filter(&wanted));
            }
            if count < piece || found.len() >= most {
                return Ok(found);
            }
        }
    }

    /// One delivery by its number.
    pub(crate) fn row(&self, id: i64) -> Result<Option<Row>, StoreError> {
        let mut statement = self.db.prepare(&format!("{COLUMNS} WHERE d.id = ?1"))?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(read).transpose()
    }

    pub(crate) fn summary(&self) -> Result<Summary, StoreError> {
        let count = |state: DeliveryState| {
            // Written out, as SQLite uses the index of that state alone only then.
            let sql = format!("SELECT COUNT(*) FROM delivery WHERE state = '{}'", state.name());
            self.db.query_row(&sql, [], |row| row.get::<i64>(0))
        };
        // What can wait until its route's time isn't late before.
        let oldest = "SELECT MIN(CASE WHEN g.deferred_until > n.received THEN g.deferred_until ELSE n.received END)
                      FROM delivery d JOIN notification n ON n.seq = d.notification LEFT JOIN digest g ON g.id = d.digest
                      WHERE d.state = 'waiting'";
        Ok(Summary {
            waiting: count(DeliveryState::Waiting)?,
            dead: count(DeliveryState::Dead)?,
            oldest: self.db.query_row(oldest, [], |row| row.get(0)).optional()?.flatten(),
            action_requests: self.db.query_row(
                "SELECT COUNT(*) FROM action_request WHERE state <> 'done'",
                [],
                |row| row.get(0),
            )?,
        })
    }

    /// How it is at `now` (Unix ms).
    pub(crate) fn health(&self, now: i64) -> Result<Health, StoreError> {
        let dead = "SELECT reason FROM delivery WHERE state = 'dead' ORDER BY id DESC LIMIT 1";
        let dead_reason = self.db.query_row(dead, [], |row| row.get(0)).optional()?.flatten();
        let sql = "SELECT integration, reason, code, until FROM pause WHERE scope = 'integration' AND reason <> ''";
        let mut statement = self.db.prepare(sql)?;
        let found = statement.query_map([], |row| {
            let needs_repair = row
                .get::<Option<String>>(2)?
                .is_some_and(|code| SlackError::from(code.as_str()).is_about_credentials());
            let integration = PausedIntegration { integration: row.get(0)?, reason: row.get(1)?, needs_repair };
            Ok((integration, row.get::<i64>(3)?))
        })?;
        let found = found.collect::<Result<Vec<_>, _>>()?;
        // A refused token is refused until something was delivered, or the configuration changed.
        let goes_on =
            |(paused, until): (PausedIntegration, i64)| (paused.needs_repair || until > now).then_some(paused);
        let pauses = found.into_iter().filter_map(goes_on).collect();
        Ok(Health { summary: self.summary()?, dead_reason, pauses })
    }

    /// Lets dead and waiting deliveries go at once: one, or all of them. Returns how many. One that never had a
    /// destination stays dead: [`Store::without_destination`] is for those.
    pub(crate) fn retry(&self, id: Option<i64>, now: i64) -> Result<usize, StoreError> {
        let transaction = self.db.write()?;
        for table in ["post", "digest"] {
            let sql = format!(
                "UPDATE {table} SET due = 0, due_set = 0, attempts = 0, plain = 0, reason = NULL WHERE id IN (
                   SELECT {table} FROM delivery WHERE state IN ('waiting', 'dead') AND id = COALESCE(?1, id))"
            );
            transaction.execute(&sql, params![id])?;
        }
        let sql = "UPDATE delivery SET state = 'waiting', attempts = 0, reason = NULL, code = NULL, recorded = NULL,
                     since = ?2
                   WHERE state IN ('waiting', 'dead') AND integration <> '' AND id = COALESCE(?1, id)";
        let count = transaction.execute(sql, params![id, now])?;
        pause::end_for_deliveries(&transaction, id)?;
        new_delivery::assign_orphans(&transaction)?;
        transaction.commit()?;
        Ok(count)
    }

    /// Lets everything that waits go at once, for a person who ordered it: pauses after failures end, its own and the
    /// integrations'. Slack's Retry-After stays: it isn't a guess.
    pub(crate) fn hurry(&self) -> Result<(), StoreError> {
        let transaction = self.db.write()?;
        for table in ["post", "digest"] {
            let sql = format!("UPDATE {table} SET due = 0, due_set = 0 WHERE leased IS NULL AND due <> 0");
            transaction.execute(&sql, [])?;
        }
        pause::end_for_deliveries(&transaction, None)?;
        transaction.commit()?;
        Ok(())
    }

    /// Dead deliveries for which no destination was found when they were routed.
    pub(crate) fn without_destination(&self, id: Option<i64>) -> Result<Vec<Row>, StoreError> {
        let sql = format!("{COLUMNS} WHERE d.state = 'dead' AND d.integration = '' AND d.id = COALESCE(?1, d.id)");
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
        let sql = "DELETE FROM delivery WHERE id = ?1 AND state IN ('waiting', 'dead') AND CASE
                     WHEN digest IS NOT NULL
                       THEN NOT EXISTS (SELECT 1 FROM digest g WHERE g.id = delivery.digest AND g.leased IS NOT NULL)
                     ELSE NOT EXISTS (SELECT 1 FROM post p WHERE p.id = delivery.post AND p.leased IS NOT NULL) END";
        Ok(self.db.execute(sql, [id])? > 0)
    }
}

fn read(row: db::Row<'_>) -> Result<Row, StoreError> {
    Ok(Row {
        id: row.get(0)?,
        state: row.get(1)?,
        queue: DeliveryQueue { integration: row.get(2)?, target: row.get(3)? },
        received: row.get(4)?,
        due: row.get(5)?,
        attempts: row.get(6)?,
        reason: row.get(7)?,
        code: row.get(12)?,
        spool_id: row.get(8)?,
        incoming: super::incoming(&row.get::<String>(9)?)?,
        channel: row.get(10)?,
        ts: row.get(11)?,
    })
}
