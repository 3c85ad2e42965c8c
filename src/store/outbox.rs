//! The flow through the outbox: import, claim, settle.

use super::{Store, StoreError, twin};
use crate::notification::Notification;
use crate::spool::SpoolId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::time::Duration;

/// How long a delivered message is remembered.
const HISTORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many notifications are remembered however old: a clock that jumped ahead must not empty the history.
const HISTORY_ROWS_MIN: i64 = 10_000;
/// How many notifications one purge forgets at most.
pub(crate) const PURGE_BATCH: usize = 1000;
/// The lane of a hold on a whole integration; no channel is called so.
pub(super) const WHOLE: &str = "*";

/// Where deliveries queue: an integration and the place within it as the routes named it (empty: its webhook).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) integration: String,
    pub(crate) target: String,
}

/// A delivery to be made of an imported notification.
#[derive(Debug, Clone)]
pub(crate) enum NewDelivery {
    Waiting {
        lane: Lane,
        /// JSON; opaque to the store.
        mentions: String,
        /// Shown with the message.
        note: Option<String>,
    },
    /// No place to go: kept and alarmed.
    Dead { lane: Lane, reason: String },
}

/// A remembered look-up: the id, or that nobody has that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known(pub(crate) Option<String>);

/// What an import made of a spool file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Imported {
    New,
    /// It was there already: the process died between the commit and the removal.
    Known,
}

/// A delivery that is ours to send now.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) id: i64,
    pub(crate) lane: Lane,
    pub(crate) notification: Notification,
    /// Unix ms; its age counts from here.
    pub(crate) since: i64,
    pub(crate) mentions: String,
    pub(crate) is_plain: bool,
    /// This one included.
    pub(crate) attempts: u32,
    pub(crate) note: Option<String>,
}

impl Store {
    /// Imports one batch of spool files with their deliveries, in one transaction.
    pub(crate) fn import(
        &mut self,
        batch: &[(SpoolId, i64, Notification, Vec<NewDelivery>)],
        now: i64,
    ) -> Result<Vec<Imported>, StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let imported = batch
            .iter()
            .map(|(id, received, notification, deliveries)| {
                import_one(&transaction, id.as_str(), *received, notification, deliveries, now)
            })
            .collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(imported)
    }

    /// Forgets leases of processes that died, and holds and due times that lie further ahead than they were set for
    /// because the clock went back. To be called by who has just got the delivery lock.
    pub(crate) fn recover(&self, now: i64) -> Result<usize, StoreError> {
        let orphans = self.db.execute("UPDATE delivery SET leased = NULL WHERE leased IS NOT NULL", [])?;
        self.db.execute("UPDATE hold SET until = ?1 + (until - since), since = ?1 WHERE since > ?1 + 2000", [now])?;
        self.db.execute(
            "UPDATE delivery SET due = ?1 + (due - due_set), due_set = ?1 WHERE state = 'waiting' AND due_set > ?1 + 2000",
            [now],
        )?;
        Ok(orphans)
    }

    /// The lanes in which something waits.
    pub(crate) fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        // Steps from lane to lane over the index; the number of waiting rows doesn't matter.
        let sql = "WITH RECURSIVE lane (integration, target) AS (
                SELECT * FROM (SELECT integration, target FROM delivery WHERE state = 'waiting'
                               ORDER BY integration, target LIMIT 1)
                UNION ALL
                SELECT (SELECT d.integration FROM delivery d WHERE d.state = 'waiting'
                          AND (d.integration, d.target) > (lane.integration, lane.target)
                          ORDER BY d.integration, d.target LIMIT 1),
                       (SELECT d.target FROM delivery d WHERE d.state = 'waiting'
                          AND (d.integration, d.target) > (lane.integration, lane.target)
                          ORDER BY d.integration, d.target LIMIT 1)
                FROM lane WHERE lane.integration IS NOT NULL)
            SELECT integration, target FROM lane WHERE integration IS NOT NULL";
        let mut statement = self.db.prepare_cached(sql)?;
        let lanes = statement.query_map([], |row| Ok(Lane { integration: row.get(0)?, target: row.get(1)? }))?;
        Ok(lanes.collect::<Result<_, _>>()?)
    }

    /// Until when the lane must hold still, in Unix ms; 0 when it needn't.
    pub(crate) fn held_until(&self, lane: &Lane) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(MAX(until), 0) FROM hold WHERE integration = ?1 AND lane IN (?2, ?3, ?4)";
        let channel = channel_of(&self.db, lane)?.unwrap_or_else(|| lane.target.clone());
        Ok(self
            .db
            .prepare_cached(sql)?
            .query_row(params![lane.integration, lane.target, channel, WHOLE], |r| r.get(0))?)
    }

    /// When the next delivery of the lane is due, in Unix ms: only the oldest of each object may go, so that a
    /// recovery never overtakes its problem. `None`: nothing waits.
    pub(crate) fn next_due(&self, lane: &Lane) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MIN(due) FROM (SELECT due, MIN(id) FROM delivery
                   WHERE state = 'waiting' AND integration = ?1 AND target = ?2 GROUP BY object)";
        Ok(self.db.prepare_cached(sql)?.query_row([&lane.integration, &lane.target], |row| row.get(0))?)
    }

    /// Takes the oldest delivery of the lane that may go now, marking it as being sent.
    pub(crate) fn claim(&self, lane: &Lane, now: i64) -> Result<Option<Claimed>, StoreError> {
        let sql = "SELECT d.id, d.since, n.body, d.mentions, d.plain, d.attempts, d.note
            FROM delivery d JOIN notification n ON n.seq = d.notification
            WHERE d.state = 'waiting' AND d.integration = ?1 AND d.target = ?2 AND d.due <= ?3
              AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.state = 'waiting' AND e.integration = d.integration
                                AND e.target = d.target AND e.object = d.object AND e.id < d.id)
            ORDER BY d.id LIMIT 1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![lane.integration, lane.target, now])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let body: String = row.get(2)?;
        let claimed = Claimed {
            id: row.get(0)?,
            lane: lane.clone(),
            since: row.get(1)?,
            notification: serde_json::from_str(&body).map_err(|e| StoreError::Content(e.to_string()))?,
            mentions: row.get(3)?,
            is_plain: row.get(4)?,
            attempts: row.get::<_, u32>(5)?.saturating_add(1),
            note: row.get(6)?,
        };
        drop(rows);
        self.db.execute(
            "UPDATE delivery SET leased = ?2, attempts = attempts + 1 WHERE id = ?1",
            params![claimed.id, now],
        )?;
        Ok(Some(claimed))
    }

    /// What was looked up before and still counts.
    pub(crate) fn looked_up(&self, integration: &str, name: &str, now: i64) -> Result<Option<Known>, StoreError> {
        let sql = "SELECT id FROM lookup WHERE integration = ?1 AND name = ?2 AND until > ?3";
        Ok(self.db.query_row(sql, params![integration, name, now], |row| Ok(Known(row.get(0)?))).optional()?)
    }

    /// Remembers what a look-up found.
    pub(crate) fn remember(
        &self,
        integration: &str,
        name: &str,
        id: Option<&str>,
        until: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO lookup (integration, name, id, until) VALUES (?1, ?2, ?3, ?4)";
        self.db.execute(sql, params![integration, name, id, until])?;
        Ok(())
    }

    /// Forgets what was delivered long ago. Waiting and dead messages stay, and so does anything whose spool file
    /// could not be removed, or it would be imported again. Returns how many: [`PURGE_BATCH`] when there may be more.
    pub(crate) fn purge(&self, now: i64, in_spool: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let before = now.saturating_sub(crate::clock::millis(HISTORY));
        let sql = "SELECT n.seq, n.id FROM notification n WHERE n.received < ?1
              AND n.seq <= (SELECT MAX(seq) FROM notification) - ?2
              AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.notification = n.seq
                                AND (d.state IN ('waiting', 'dead') OR d.settled >= ?1))
            ORDER BY n.seq LIMIT ?3";
        let mut statement = self.db.prepare(sql)?;
        let old = statement
            .query_map(params![before, HISTORY_ROWS_MIN, i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let mut purged = 0;
        for (seq, _) in old.iter().filter(|(_, id)| !in_spool(id)) {
            purged += self.db.execute("DELETE FROM notification WHERE seq = ?1", [seq])?;
        }
        Ok(purged)
    }
}

fn import_one(
    db: &Transaction<'_>,
    id: &str,
    received: i64,
    notification: &Notification,
    deliveries: &[NewDelivery],
    now: i64,
) -> Result<Imported, StoreError> {
    let body = serde_json::to_string(notification).map_err(|e| StoreError::Content(e.to_string()))?;
    let contact = notification.contact.name.as_deref().unwrap_or_default();
    let object = notification.object_key();
    let twin = twin::key(notification);
    let added = db.prepare_cached(
        "INSERT OR IGNORE INTO notification (id, received, object, twin, contact, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![id, received, object, twin, contact, body])?;
    if added == 0 {
        return Ok(Imported::Known);
    }
    let seq = db.last_insert_rowid();
    for delivery in deliveries {
        let (lane, mentions, note, state, reason) = match delivery {
            NewDelivery::Waiting { lane, mentions, note } if twin::exists(db, notification, seq, received, lane)? => {
                (lane, mentions.as_str(), note, "merged", Some("shown once for all contacts"))
            }
            NewDelivery::Waiting { lane, mentions, note } => (lane, mentions.as_str(), note, "waiting", None),
            NewDelivery::Dead { lane, reason } => (lane, "[]", &None, "dead", Some(reason.as_str())),
        };
        db.prepare_cached(
            "INSERT INTO delivery (notification, integration, target, object, mentions, note, state, reason, settled, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, CASE ?7 WHEN 'waiting' THEN NULL ELSE ?9 END, ?9)",
        )?
        .execute(params![seq, lane.integration, lane.target, object, mentions, note, state, reason, now])?;
    }
    Ok(Imported::New)
}

pub(super) fn channel_of(db: &Connection, lane: &Lane) -> Result<Option<String>, StoreError> {
    let sql = "SELECT id FROM channel WHERE integration = ?1 AND target = ?2";
    Ok(db.prepare_cached(sql)?.query_row([&lane.integration, &lane.target], |row| row.get(0)).optional()?)
}

/// Writes one waiting message of a corrupt database into this one.
pub(super) fn take_over(db: &Connection, row: &Row<'_>) -> Result<(), StoreError> {
    let texts = (0..9).map(|i| row.get::<_, rusqlite::types::Value>(i)).collect::<Result<Vec<_>, _>>()?;
    let [id, received, object, twin, contact, body, integration, target, mentions] = texts.as_slice() else {
        return Ok(());
    };
    db.execute(
        "INSERT OR IGNORE INTO notification (id, received, object, twin, contact, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, received, object, twin, contact, body],
    )?;
    db.execute(
        "INSERT INTO delivery (notification, integration, target, object, mentions, state, since)
         SELECT seq, ?2, ?3, ?4, ?5, 'waiting', received FROM notification WHERE id = ?1",
        params![id, integration, target, object, mentions],
    )?;
    Ok(())
}
