//! A delivery about to be written: into its queue, or as one that has ended already.

use super::assign_post::{Assignment, PostAssigner, PostPlacement};
use super::db::{Connection, OptionalExtension, Row, ToSql, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::state::DeliveryState;
use super::{StoreError, curve, duplicate, recovery};
use crate::model::incoming::Incoming;
use std::time::Duration;

/// The mentions of a delivery that mentions nobody.
pub(super) const NOBODY: &str = "[]";

/// A delivery about to be written.
#[derive(Debug, Clone)]
pub(super) struct NewDeliveryRow {
    /// The notification's number.
    pub(super) seq: i64,
    pub(super) queue: DeliveryQueue,
    pub(super) object: String,
    /// JSON.
    pub(super) mentions: String,
    pub(super) annotation: Option<String>,
    /// Unix ms.
    pub(super) since: i64,
}

/// How a delivery ends that never waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    pub(super) state: DeliveryState,
    pub(super) attempts: u32,
    pub(super) reason: &'a str,
}

impl NewDeliveryRow {
    /// Assigns it to a message of its queue, and lets it wait there.
    pub(super) fn enqueue(&self, assigner: &PostAssigner<'_>, incoming: &Incoming) -> Result<(), StoreError> {
        let db = assigner.db;
        match assigner.assign(incoming)? {
            // It counts as tried: then the same notification for other contacts counts as known, too.
            PostPlacement::Known => {
                let known = Ended { state: DeliveryState::Merged, attempts: 1, reason: "known already" };
                self.write_ended(db, known, assigner.now)
            }
            PostPlacement::Recovers(assignment) => {
                let waits = Ended { state: DeliveryState::Merged, attempts: 1, reason: recovery::WAITS };
                let delivery = self.write_ended_numbered(db, waits, assigner.now)?;
                let sql = "UPDATE delivery SET post = ?2, line = ?3, urgency = ?4 WHERE id = ?1";
                let Assignment { post, has_line, urgency, .. } = assignment;
                db.prepare_cached(sql)?.execute_later(params![delivery, post, has_line, urgency])?;
                recovery::wait(db, post, delivery, assigner.now)
            }
            PostPlacement::Waiting { assignment, has_mentions, superseded } => {
                if let Some(post) = superseded {
                    let urgency = assignment.urgency;
                    let old = Assignment { post, is_new: false, digest: None, has_line: false, urgency };
                    self.write_waiting(db, NOBODY, &old)?;
                }
                let mentions = if has_mentions { &self.mentions } else { NOBODY };
                self.write_waiting(db, mentions, &assignment)
            }
        }
    }

    pub(super) fn write_waiting(
        &self,
        db: &Connection,
        mentions: &str,
        assignment: &Assignment,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO delivery (notification, integration, target, object, mentions, annotation, state, since,
                     post, digest, line, urgency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?8, ?9, ?10, ?11)";
        let DeliveryQueue { integration, target } = &self.queue;
        let Assignment { post, is_new, digest, has_line, urgency } = assignment;
        if !is_new {
            curve::covered(db, *post)?;
        }
        db.prepare_cached(sql)?.execute_later(params![
            self.seq,
            integration,
            target,
            self.object,
            mentions,
            self.annotation,
            self.since,
            post,
            digest,
            has_line,
            urgency
        ])?;
        Ok(())
    }

    /// Writes it as one that has ended already.
    pub(super) fn write_ended(&self, db: &Connection, ended: Ended<'_>, now: i64) -> Result<(), StoreError> {
        self.with_ended(ended, now, |values| db.prepare_cached(WRITE_ENDED)?.execute_later(values))
    }

    /// The same; its number.
    fn write_ended_numbered(&self, db: &Connection, ended: Ended<'_>, now: i64) -> Result<i64, StoreError> {
        let sql = format!("{WRITE_ENDED} RETURNING id");
        self.with_ended(ended, now, |values| db.insert(&sql, values))?.ok_or(StoreError::NoRow)
    }

    /// The values of [`WRITE_ENDED`].
    fn with_ended<T>(&self, ended: Ended<'_>, now: i64, write: impl FnOnce(&[&dyn ToSql]) -> T) -> T {
        let DeliveryQueue { integration, target } = &self.queue;
        write(params![
            self.seq,
            integration,
            target,
            self.object,
            self.mentions,
            self.annotation,
            ended.state,
            ended.reason,
            now,
            self.since,
            ended.attempts
        ])
    }
}

const WRITE_ENDED: &str =
    "INSERT INTO delivery (notification, integration, target, object, mentions, annotation, state, reason,
    recorded, since, attempts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// Assigns waiting deliveries that belong to no message yet: those of an older version's database or of a corrupt one, and
/// dead ones that are tried again and never belonged to any.
pub(super) fn assign_orphans(db: &Connection) -> Result<(), StoreError> {
    let sql =
        "SELECT d.id, d.notification, d.integration, d.target, d.object, d.mentions, d.annotation, d.since, n.body
               FROM delivery d JOIN notification n ON n.seq = d.notification
               WHERE d.state = 'waiting' AND d.post IS NULL ORDER BY d.id LIMIT 1";
    while db.prepare_cached(sql)?.query_row([], |row| Ok(assign_orphan(db, row))).optional()?.transpose()?.is_some() {}
    Ok(())
}

fn assign_orphan(db: &Connection, row: Row<'_>) -> Result<(), StoreError> {
    let queue = DeliveryQueue { integration: row.get(2)?, target: row.get(3)? };
    let since = row.get(7)?;
    let incoming = super::incoming(&row.get::<String>(8)?)?;
    let assigner = PostAssigner {
        db,
        queue: &queue,
        mode: MessageMode::WriteOnce,
        quiet: Duration::ZERO,
        now: since,
        deferred: None,
        is_history: false,
    };
    let new = NewDeliveryRow {
        seq: row.get(1)?,
        queue: queue.clone(),
        object: row.get(4)?,
        mentions: row.get(5)?,
        annotation: row.get(6)?,
        since,
    };
    new.enqueue(&assigner, &incoming)?;
    db.execute("DELETE FROM delivery WHERE id = ?1", [row.get::<i64>(0)?])?;
    Ok(())
}

/// Writes one waiting message of a corrupt database into this one; [`assign_orphans`] finds the message it belongs to.
pub(super) fn recover_row(db: &Connection, row: Row<'_>) -> Result<(), StoreError> {
    let text = |i| row.get::<String>(i);
    let (id, received, object, body): (_, i64, _, _) = (text(0)?, row.get(1)?, text(2)?, text(5)?);
    // One that can't be read would stand in the way of all that come after it.
    let incoming = super::incoming(&body)?;
    db.execute(
        "INSERT INTO notification (id, received, object, duplicate_key, contact, body, origin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
        params![id, received, object, text(3)?, text(4)?, body, duplicate::origin(&incoming)],
    )?;
    db.execute(
        "INSERT INTO delivery (notification, integration, target, object, mentions, state, since)
         SELECT seq, ?2, ?3, ?4, ?5, 'waiting', received FROM notification WHERE id = ?1",
        params![id, text(6)?, text(7)?, object, text(8)?],
    )?;
    Ok(())
}
