//! The flow through the outbox: import, claim, settle.

use super::assign_post::{Placing, Voice, place};
use super::{Store, StoreError, duplicate};
use crate::model::notification::Notification;
use crate::state_dir::spool::SpoolId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::time::Duration;

/// How long a delivered message is remembered.
pub(super) const HISTORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A problem of which nothing more is heard is remembered so long: its object may be gone from the core.
const PROBLEM_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);
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
        voice: Voice,
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

impl Store {
    /// Imports one batch of spool files with their deliveries, in one transaction. `quiet`: see [`super::place`].
    pub(crate) fn import(
        &mut self,
        batch: &[(SpoolId, i64, Notification, Vec<NewDelivery>)],
        quiet: Duration,
        now: i64,
    ) -> Result<Vec<Imported>, StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let imported = batch
            .iter()
            .map(|(id, received, notification, deliveries)| {
                import_one(&transaction, id.as_str(), *received, notification, deliveries, (quiet, now))
            })
            .collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(imported)
    }

    /// Forgets leases of processes that died, and holds and due times that lie further ahead than they were set for
    /// because the clock went back. To be called by who has just got the delivery lock.
    pub(crate) fn recover(&self, now: i64) -> Result<usize, StoreError> {
        let orphans = self.db.execute("UPDATE post SET leased = NULL WHERE leased IS NOT NULL", [])?;
        self.db.execute("UPDATE hold SET until = ?1 + (until - since), since = ?1 WHERE since > ?1 + 2000", [now])?;
        self.db.execute("UPDATE post SET due = ?1 + (due - due_set), due_set = ?1 WHERE due_set > ?1 + 2000", [now])?;
        // An hour ahead is more than any two clocks differ: it went back, and a digest must still be edited and end.
        self.db.execute(
            "UPDATE post SET edited = MIN(edited, ?1), joined = MIN(joined, ?1) WHERE object = '' AND open = 1",
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

    /// Forgets what was delivered long ago, [`PURGE_BATCH`] of it at most, in one transaction. Waiting and dead messages
    /// stay, and so does anything whose spool file could not be removed, or it would be imported again. Does nothing when
    /// there are fewer than `worth`. Returns how many: [`PURGE_BATCH`] when there may be more.
    pub(crate) fn purge(&self, now: i64, worth: usize, in_spool: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let before = now.saturating_sub(crate::system::clock::millis(HISTORY));
        let sql = "SELECT n.seq, n.id FROM notification n WHERE n.received < ?1
              AND n.seq <= (SELECT MAX(seq) FROM notification) - ?2
              AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.notification = n.seq
                                AND (d.state IN ('waiting', 'dead') OR d.settled >= ?1))
            ORDER BY n.received LIMIT ?3";
        let most = i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX);
        let mut statement = self.db.prepare(sql)?;
        let old = statement
            .query_map(params![before, HISTORY_ROWS_MIN, most], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        if old.len() < worth {
            return Ok(0);
        }
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let mut purged = 0;
        for (seq, _) in old.iter().filter(|(_, id)| !in_spool(id)) {
            purged += transaction.prepare_cached("DELETE FROM notification WHERE seq = ?1")?.execute([seq])?;
        }
        let ended = "DELETE FROM post WHERE id IN (SELECT p.id FROM post p
              WHERE p.updated < ?1 AND (p.open = 0 OR p.updated < ?2)
                AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.post = p.id)
                AND NOT EXISTS (SELECT 1 FROM post m WHERE m.digest = p.id) LIMIT ?3)";
        let forgotten = now.saturating_sub(crate::system::clock::millis(PROBLEM_MAX));
        transaction.execute(ended, params![before, forgotten, most])?;
        transaction.commit()?;
        Ok(purged)
    }
}

fn import_one(
    db: &Transaction<'_>,
    id: &str,
    received: i64,
    notification: &Notification,
    deliveries: &[NewDelivery],
    (quiet, now): (Duration, i64),
) -> Result<Imported, StoreError> {
    let body = serde_json::to_string(notification).map_err(|e| StoreError::Content(e.to_string()))?;
    let contact = notification.contact.name.as_deref().unwrap_or_default();
    let object = notification.object_key();
    let twin = duplicate::key(notification);
    let added = db.prepare_cached(
        "INSERT OR IGNORE INTO notification (id, received, object, twin, contact, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![id, received, object, twin, contact, body])?;
    if added == 0 {
        return Ok(Imported::Known);
    }
    let seq = db.last_insert_rowid();
    for delivery in deliveries {
        match delivery {
            NewDelivery::Waiting { lane, mentions, note, voice } => {
                let row = NewRow { seq, lane, object: &object, mentions, note: note.as_deref(), since: now };
                if duplicate::exists(db, notification, seq, received, lane)? {
                    row.merged(
                        db,
                        if notification.letter.is_some() { "known already" } else { "shown once for all contacts" },
                        now,
                    )?;
                } else {
                    row.place(db, notification, *voice, quiet, now)?;
                }
            }
            NewDelivery::Dead { lane, reason } => {
                let row = NewRow { seq, lane, object: &object, mentions: "[]", note: None, since: now };
                row.settled(db, ("dead", 0), reason, now)?;
            }
        }
    }
    Ok(Imported::New)
}

/// A delivery about to be written.
pub(super) struct NewRow<'a> {
    pub(super) seq: i64,
    pub(super) lane: &'a Lane,
    pub(super) object: &'a str,
    pub(super) mentions: &'a str,
    pub(super) note: Option<&'a str>,
    /// Unix ms.
    pub(super) since: i64,
}

impl NewRow<'_> {
    /// Gives it its place among the messages of its lane and lets it wait there.
    pub(super) fn place(
        &self,
        db: &Connection,
        notification: &Notification,
        voice: Voice,
        quiet: Duration,
        now: i64,
    ) -> Result<(), StoreError> {
        match place(db, self.lane, notification, voice, quiet, now)? {
            // It counts as tried: its twins for other contacts are known, too.
            Placing::Known => self.settled(db, ("merged", 1), "known already", now),
            Placing::Waiting { post, digest, line, urgency, calls, superseded } => {
                if let Some(old) = superseded {
                    self.waiting(db, "[]", (old, None, false, urgency))?;
                }
                self.waiting(db, if calls { self.mentions } else { "[]" }, (post, digest, line, urgency))
            }
        }
    }

    fn waiting(
        &self,
        db: &Connection,
        mentions: &str,
        (post, digest, line, urgency): (i64, Option<i64>, bool, i64),
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO delivery (notification, integration, target, object, mentions, note, state, since, post,
                     digest, line, urgency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?8, ?9, ?10, ?11)";
        let Lane { integration, target } = self.lane;
        db.prepare_cached(sql)?.execute(params![
            self.seq,
            integration,
            target,
            self.object,
            mentions,
            self.note,
            self.since,
            post,
            digest,
            line,
            urgency
        ])?;
        Ok(())
    }

    fn merged(&self, db: &Connection, reason: &str, now: i64) -> Result<(), StoreError> {
        self.settled(db, ("merged", 0), reason, now)
    }

    fn settled(&self, db: &Connection, end: (&str, u32), reason: &str, now: i64) -> Result<(), StoreError> {
        let (state, attempts) = end;
        let sql =
            "INSERT INTO delivery (notification, integration, target, object, mentions, note, state, reason, settled,
                     since, attempts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let Lane { integration, target } = self.lane;
        db.prepare_cached(sql)?.execute(params![
            self.seq,
            integration,
            target,
            self.object,
            self.mentions,
            self.note,
            state,
            reason,
            now,
            self.since,
            attempts
        ])?;
        Ok(())
    }
}

/// Gives waiting deliveries that have none their place: of an older version's database, of a corrupt one, or dead ones
/// that never had any.
pub(super) fn adopt(db: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT d.id, d.notification, d.integration, d.target, d.object, d.mentions, d.note, d.since, n.body
               FROM delivery d JOIN notification n ON n.seq = d.notification
               WHERE d.state = 'waiting' AND d.post IS NULL ORDER BY d.id LIMIT 1";
    while db.prepare_cached(sql)?.query_row([], |row| Ok(adopt_one(db, row))).optional()?.transpose()?.is_some() {}
    Ok(())
}

fn adopt_one(db: &Connection, row: &Row<'_>) -> Result<(), StoreError> {
    let lane = Lane { integration: row.get(2)?, target: row.get(3)? };
    let (object, mentions, note): (String, String, Option<String>) = (row.get(4)?, row.get(5)?, row.get(6)?);
    let (seq, since, body): (i64, i64, String) = (row.get(1)?, row.get(7)?, row.get(8)?);
    let notification = serde_json::from_str(&body).map_err(|e| StoreError::Content(e.to_string()))?;
    let new = NewRow { seq, lane: &lane, object: &object, mentions: &mentions, note: note.as_deref(), since };
    new.place(db, &notification, Voice::Fixed, Duration::ZERO, since)?;
    db.execute("DELETE FROM delivery WHERE id = ?1", [row.get::<_, i64>(0)?])?;
    Ok(())
}

pub(super) fn channel_of(db: &Connection, lane: &Lane) -> Result<Option<String>, StoreError> {
    let sql = "SELECT id FROM channel WHERE integration = ?1 AND target = ?2";
    Ok(db.prepare_cached(sql)?.query_row([&lane.integration, &lane.target], |row| row.get(0)).optional()?)
}

/// Writes one waiting message of a corrupt database into this one.
pub(super) fn take_over(db: &Connection, row: &Row<'_>) -> Result<(), StoreError> {
    let text = |i| row.get::<_, String>(i);
    let (id, received, object, body): (_, i64, _, _) = (text(0)?, row.get(1)?, text(2)?, text(5)?);
    // What can't be read would stand in the way of all that comes after it.
    serde_json::from_str::<Notification>(&body).map_err(|e| StoreError::Content(e.to_string()))?;
    db.execute(
        "INSERT OR IGNORE INTO notification (id, received, object, twin, contact, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, received, object, text(3)?, text(4)?, body],
    )?;
    db.execute(
        "INSERT INTO delivery (notification, integration, target, object, mentions, state, since)
         SELECT seq, ?2, ?3, ?4, ?5, 'waiting', received FROM notification WHERE id = ?1",
        params![id, text(6)?, text(7)?, object, text(8)?],
    )?;
    // Its place is found by `adopt`.
    Ok(())
}
