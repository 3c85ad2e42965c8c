//! When the week's summary is due, and its message: one row that moves on in the transaction that enqueues the message.

use super::assign_post::PostAssigner;
use super::db::{OptionalExtension, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::new_delivery::{NOBODY, NewDeliveryRow};
use super::{Store, StoreError, duplicate, to_json};
use crate::model::incoming::{DirectMessage, Incoming};
use std::time::Duration;

/// A summary about to be enqueued.
#[derive(Debug, Clone)]
pub(crate) struct WeeklyPost {
    pub(crate) message: DirectMessage,
    pub(crate) queue: DeliveryQueue,
    pub(crate) mode: MessageMode,
    /// When it was due, and when the next one is; Unix seconds.
    pub(crate) due: i64,
    pub(crate) next: i64,
}

impl Store {
    /// When the summary is due; Unix seconds. With another schedule than before, or with none before, it is due at `next`.
    pub(crate) fn weekly_due(&self, schedule: &str, next: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT due FROM weekly WHERE id = 1 AND schedule = ?1";
        let known: Option<i64> = self.db.prepare_cached(sql)?.query_row([schedule], |row| row.get(0)).optional()?;
        // A clock that was set back must not let it wait for longer than a week.
        if let Some(due) = known.filter(|&due| due <= next) {
            return Ok(Some(due));
        }
        let sql = "INSERT INTO weekly (id, due, schedule) VALUES (1, ?1, ?2)
                   ON CONFLICT (id) DO UPDATE SET due = excluded.due, schedule = excluded.schedule";
        self.db.prepare_cached(sql)?.execute(params![next, schedule])?;
        Ok(Some(next))
    }

    /// Enqueues the summary, unless somebody has done so since it was looked at; whether it was done.
    pub(crate) fn post_weekly(&mut self, post: &WeeklyPost, now: i64) -> Result<bool, StoreError> {
        let transaction = self.db.write()?;
        let moved =
            transaction.execute("UPDATE weekly SET due = ?2 WHERE id = 1 AND due = ?1", [post.due, post.next])?;
        if moved == 0 {
            return Ok(false);
        }
        let incoming = Incoming::DirectMessage(post.message.clone());
        let object = incoming.object_key();
        let sql = "INSERT INTO notification (id, received, object, duplicate_key, contact, body, origin)
                   VALUES (?1, ?2, ?3, ?4, '', ?5, '') ON CONFLICT (id) DO NOTHING RETURNING seq";
        let values = params![post.message.key, now, object, duplicate::key(&incoming), to_json(&incoming)?];
        if let Some(seq) = transaction.insert(sql, values)? {
            let row = NewDeliveryRow {
                seq,
                queue: post.queue.clone(),
                object,
                mentions: NOBODY.to_owned(),
                annotation: None,
                since: now,
            };
            let assigner = PostAssigner {
                db: &transaction,
                queue: &post.queue,
                mode: post.mode,
                quiet: Duration::ZERO,
                now,
                deferred: None,
                is_history: false,
            };
            row.enqueue(&assigner, &incoming)?;
        }
        transaction.commit()?;
        Ok(true)
    }
}
