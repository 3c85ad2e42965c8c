//! The flow through the outbox: import, claim, settle.

use super::{Store, StoreError};
use crate::notification::Notification;
use crate::slack::outcome::Posted;
use crate::spool::SpoolId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, named_params, params};
use std::time::Duration;

/// How far apart the runs for several contacts may be when the core says no notification id, and when it does.
const TWIN_WINDOW: Duration = Duration::from_secs(60);
const TWIN_WINDOW_BY_ID: Duration = Duration::from_secs(60 * 60);
/// How long a delivered message is remembered.
const HISTORY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many notifications are remembered however old: a clock that jumped ahead must not empty the history.
const HISTORY_ROWS_MIN: i64 = 10_000;
/// The lane of a hold on a whole integration; no channel is called so.
const WHOLE: &str = "*";

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

/// What is written after an attempt. Times in Unix ms.
#[derive(Debug, Clone)]
pub(crate) enum Settlement {
    Delivered {
        posted: Option<Posted>,
    },
    HoldChannel {
        until: i64,
    },
    /// Burns no attempt.
    HoldIntegration {
        until: i64,
        reason: String,
    },
    Retry {
        due: i64,
        rest_until: Option<i64>,
        reason: String,
    },
    RetryPlain {
        reason: String,
    },
    /// Dead here, waiting there.
    Fallback {
        lane: Lane,
        note: String,
        reason: String,
    },
    Dead {
        reason: String,
    },
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

    /// Writes what became of an attempt, in one transaction. The channel then holds still until `pace_until`: Slack
    /// counts what it refuses, too.
    pub(crate) fn settle(
        &mut self,
        claimed: &Claimed,
        settlement: &Settlement,
        pace_until: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let posted = match settlement {
            Settlement::Delivered { posted } => posted.as_ref(),
            _ => None,
        };
        hold(&transaction, &claimed.lane, posted.map(|posted| posted.channel.as_str()), pace_until, now, "")?;
        settle_in(&transaction, claimed, settlement, now)?;
        transaction.commit()?;
        Ok(())
    }

    /// Temporary failures of the integration in a row.
    pub(crate) fn failures(&self, integration: &str) -> Result<u32, StoreError> {
        let sql = "SELECT failures FROM hold WHERE integration = ?1 AND lane = ?2";
        let found = self.db.query_row(sql, [integration, WHOLE], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    }

    /// Lets integrations that rest go on at once: the configuration changed, so a refused token may be good now.
    pub(crate) fn lift_integration_holds(&self) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM hold WHERE lane = ?1", [WHOLE])?;
        Ok(())
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
    /// could not be removed, or it would be imported again.
    pub(crate) fn purge(&self, now: i64, in_spool: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let before = now.saturating_sub(crate::clock::millis(HISTORY));
        let sql = "SELECT n.seq, n.id FROM notification n WHERE n.received < ?1
              AND n.seq <= (SELECT MAX(seq) FROM notification) - ?2
              AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.notification = n.seq
                                AND (d.state IN ('waiting', 'dead') OR d.settled >= ?1))
            ORDER BY n.seq LIMIT 1000";
        let mut statement = self.db.prepare(sql)?;
        let old = statement
            .query_map(params![before, HISTORY_ROWS_MIN], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
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
    let twin = twin_key(notification);
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
            NewDelivery::Waiting { lane, mentions, note } if has_twin(db, notification, seq, received, lane)? => {
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

/// Equal for all runs of one notification, and for no other of the same object within the window.
fn twin_key(notification: &Notification) -> String {
    let state = notification.state_name().unwrap_or_default();
    let what = format!("{}\u{1e}{}\u{1e}{state}", notification.object_key(), notification.kind.name());
    if let Some(id) = &notification.ids.notification {
        return format!("{what}\u{1e}{id}");
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = notification.progress.notification_number.unwrap_or(0);
    format!(
        "{what}\u{1e}\u{1e}{}\u{1e}{number}\u{1e}{}\u{1e}{}\u{1e}{}",
        text(&notification.ids.problem),
        notification.output,
        text(&notification.author),
        text(&notification.comment)
    )
}

/// Whether the same notification already has a delivery in this lane, for another contact.
///
/// With the core's notification id that is certain. Without it, it must be recent, for another contact where contacts
/// are known, and nothing else may have been said about the object in between: a service that fails again within the
/// minute is news.
fn has_twin(
    db: &Transaction<'_>,
    notification: &Notification,
    seq: i64,
    received: i64,
    lane: &Lane,
) -> Result<bool, StoreError> {
    let by_id = notification.ids.notification.is_some();
    let window = crate::clock::millis(if by_id { TWIN_WINDOW_BY_ID } else { TWIN_WINDOW });
    let sql = "SELECT 1 FROM notification n JOIN delivery d ON d.notification = n.seq
        WHERE n.twin = :twin AND n.seq < :seq AND ABS(n.received - :received) <= :window
          AND d.integration = :integration AND d.target = :target AND d.state <> 'merged'
          AND (:by_id OR ((n.contact = '' OR :contact = '' OR n.contact <> :contact)
               AND NOT EXISTS (SELECT 1 FROM notification o WHERE o.object = :object AND o.seq > n.seq
                                 AND o.seq < :seq AND o.twin <> :twin)))
        LIMIT 1";
    let found = db
        .prepare_cached(sql)?
        .query_row(
            named_params! {
                ":twin": twin_key(notification), ":seq": seq, ":received": received, ":window": window,
                ":integration": lane.integration, ":target": lane.target, ":by_id": by_id,
                ":contact": notification.contact.name.as_deref().unwrap_or_default(),
                ":object": notification.object_key(),
            },
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

fn settle_in(db: &Transaction<'_>, claimed: &Claimed, settlement: &Settlement, now: i64) -> Result<(), StoreError> {
    let (id, lane) = (claimed.id, &claimed.lane);
    match settlement {
        Settlement::Delivered { posted } => {
            let (channel, ts) = posted.as_ref().map_or((None, None), |p| (Some(&p.channel), Some(&p.ts)));
            db.execute(
                "UPDATE delivery SET state = 'delivered', leased = NULL, reason = NULL, channel = ?2, ts = ?3, settled = ?4
                 WHERE id = ?1",
                params![id, channel, ts, now],
            )?;
            if let Some(channel) = channel {
                let sql = "INSERT OR REPLACE INTO channel (integration, target, id) VALUES (?1, ?2, ?3)";
                db.execute(sql, params![lane.integration, lane.target, channel])?;
            }
            db.execute("DELETE FROM hold WHERE integration = ?1 AND lane = ?2", params![lane.integration, WHOLE])?;
        }
        Settlement::HoldChannel { until } => {
            let reason = "Slack says: too fast";
            hold(db, lane, None, *until, now, reason)?;
            wait_again(db, id, 1, reason)?;
        }
        Settlement::HoldIntegration { until, reason } => {
            hold_integration(db, lane, *until, now, 0, reason)?;
            wait_again(db, id, 1, reason)?;
        }
        Settlement::Retry { due, rest_until, reason } => {
            hold_integration(db, lane, rest_until.unwrap_or(0), now, 1, reason)?;
            wait_again(db, id, 0, reason)?;
            db.execute("UPDATE delivery SET due = ?2, due_set = ?3 WHERE id = ?1", params![id, due, now])?;
        }
        Settlement::RetryPlain { reason } => {
            wait_again(db, id, 0, reason)?;
            db.execute("UPDATE delivery SET plain = 1 WHERE id = ?1", [id])?;
        }
        Settlement::Fallback { lane: other, note, reason } => {
            db.execute(
                "INSERT INTO delivery (notification, integration, target, object, mentions, state, note, since)
                 SELECT notification, ?2, ?3, object, mentions, 'waiting', ?4, since FROM delivery WHERE id = ?1",
                params![id, other.integration, other.target, note],
            )?;
            let reason = format!("sent elsewhere: {reason}");
            let sql = "UPDATE delivery SET state = 'merged', leased = NULL, reason = ?2, settled = ?3 WHERE id = ?1";
            db.execute(sql, params![id, reason, now])?;
        }
        Settlement::Dead { reason } => {
            let sql = "UPDATE delivery SET state = 'dead', leased = NULL, reason = ?2, settled = ?3 WHERE id = ?1";
            db.execute(sql, params![id, reason, now])?;
        }
    }
    Ok(())
}

/// Gives a delivery back to its lane; `unburned` attempts don't count.
fn wait_again(db: &Transaction<'_>, id: i64, unburned: u32, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE delivery SET leased = NULL, attempts = attempts - ?2, reason = ?3 WHERE id = ?1";
    db.execute(sql, params![id, unburned, reason])?;
    Ok(())
}

/// Lets a channel hold still, under the id Slack gave it where one is known: `#ops` and its id are one channel.
fn hold(
    db: &Transaction<'_>,
    lane: &Lane,
    channel: Option<&str>,
    until: i64,
    now: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let known = match channel {
        Some(channel) => channel.to_owned(),
        None => channel_of(db, lane)?.unwrap_or_else(|| lane.target.clone()),
    };
    let sql = "INSERT INTO hold (integration, lane, until, since, reason) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET until = excluded.until, since = excluded.since, reason = excluded.reason";
    db.execute(sql, params![lane.integration, known, until, now, reason])?;
    Ok(())
}

fn hold_integration(
    db: &Transaction<'_>,
    lane: &Lane,
    until: i64,
    now: i64,
    failures: u32,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO hold (integration, lane, until, since, failures, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT DO UPDATE SET until = excluded.until, since = excluded.since,
                 failures = failures + excluded.failures, reason = excluded.reason";
    db.execute(sql, params![lane.integration, WHOLE, until, now, failures, reason])?;
    Ok(())
}

fn channel_of(db: &Connection, lane: &Lane) -> Result<Option<String>, StoreError> {
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
