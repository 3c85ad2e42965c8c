//! Curves that are to be added to messages: a row for each, made in the transaction that notes the message as shown.
//!
//! The curve and the edit that shows it are written in the transaction that ends the row: whoever dies before does it once
//! more within its time, and nobody does it twice. A row that is too late goes.

use super::db::{Connection, Row, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::message::MessageId;
use super::pause::Pause;
use super::{Store, StoreError, from_json, to_json};
use crate::model::curve::Curve;
use crate::model::incoming::Incoming;
use crate::model::notification::Notification;
use crate::model::problem::Problem;
use serde::{Deserialize, Serialize};

/// A card without its curve after this time stays without.
pub(crate) const BUDGET_MS: i64 = 60_000;
/// So many are looked at in one go.
const BATCH: u32 = 50;
/// So many notifications of an object are looked at for their values.
const NOTIFICATIONS_MAX: u32 = 1000;
/// After all that people wait for.
const URGENCY: i64 = -2;

/// A message that wants a curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedCurve {
    pub(crate) post: i64,
    /// Unix ms.
    pub(crate) until: i64,
    pub(crate) queue: DeliveryQueue,
    /// As the message knows it now.
    pub(crate) problem: Problem,
}

/// What a picture shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drawn {
    /// The host, and its service. Rows of an older program have none; they last a minute.
    #[serde(default)]
    pub(crate) object: (String, Option<String>),
    pub(crate) perfdata: String,
    /// Unix seconds, and how far back it goes.
    pub(crate) times: (i64, i64),
    /// None where no source has values: Grafana's picture, or none.
    pub(crate) points: Vec<(i64, f64)>,
    /// For who can't see it.
    pub(crate) text: String,
}

/// A picture that is to be uploaded into a message's thread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WantedPicture {
    pub(crate) post: i64,
    /// Unix ms.
    pub(crate) until: i64,
    pub(crate) queue: DeliveryQueue,
    /// Where Slack has the message.
    pub(crate) channel: String,
    pub(crate) ts: String,
    pub(crate) drawn: Drawn,
}

/// The message was shown, and a curve of its problem's value is wanted.
pub(super) fn want(db: &Connection, message: MessageId, now: i64) -> Result<(), StoreError> {
    let MessageId::Post(post) = message else { return Ok(()) };
    let sql = "INSERT INTO curve (post, due, until) VALUES (?1, ?2, ?3)
               ON CONFLICT (post) DO UPDATE SET due = excluded.due, until = excluded.until, picture = NULL";
    db.prepare_cached(sql)?.execute_later(params![post, now, now.saturating_add(BUDGET_MS)])?;
    Ok(())
}

/// Another edit of the message is on its way, which shows the curve as well.
pub(super) fn covered(db: &Connection, post: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM delivery WHERE post = ?1 AND curve = 1 AND state = 'waiting'";
    db.prepare_cached(sql)?.execute_later([post])?;
    Ok(())
}

impl Store {
    /// The messages that want a curve now, the oldest first. Rows that are too late, or from times to come because the clock
    /// went back, go: a curve comes at once or not at all.
    pub(crate) fn wanted_curves(&self, now: i64) -> Result<Vec<WantedCurve>, StoreError> {
        self.drop_late_curves(now)?;
        let sql = "SELECT p.integration, p.target, c.post, c.until, p.problem FROM curve c JOIN post p ON p.id = c.post
                   WHERE c.due <= ?1 AND c.picture IS NULL ORDER BY c.due, c.post LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let read = |row: Row<'_>| Ok((row.get(2)?, row.get(3)?, DeliveryQueue::from_row(row)?, row.get::<String>(4)?));
        let rows = statement.query_map(params![now, BATCH], read)?;
        rows.map(|row| {
            let (post, until, queue, problem) = row?;
            Ok(WantedCurve { post, until, queue, problem: from_json(&problem)? })
        })
        .collect()
    }

    /// Also where no listener runs, which would look for them.
    pub(super) fn drop_late_curves(&self, now: i64) -> Result<(), StoreError> {
        let rows = "curve WHERE until <= ?1 OR until > ?2";
        let edits = "delivery WHERE curve = 1 AND state = 'waiting' AND (since + ?3 <= ?1 OR since > ?2)
                       AND NOT EXISTS (SELECT 1 FROM post p WHERE p.id = delivery.post AND p.leased IS NOT NULL)";
        let some = format!("SELECT EXISTS (SELECT 1 FROM {rows}) OR EXISTS (SELECT 1 FROM {edits})");
        let times = params![now, now.saturating_add(BUDGET_MS), BUDGET_MS];
        // Most looks find nothing, and take no lock.
        if self.db.prepare_cached(&some)?.query_row(times, |row| row.get(0))? {
            self.db.execute(&format!("DELETE FROM {rows}"), [now, now.saturating_add(BUDGET_MS)])?;
            self.db.execute(&format!("DELETE FROM {edits}"), times)?;
        }
        Ok(())
    }

    /// There is no curve for it.
    pub(crate) fn end_curve(&self, wanted: &WantedCurve) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM curve WHERE post = ?1 AND until = ?2", params![wanted.post, wanted.until])?;
        Ok(())
    }

    /// Lets the message show the curve, in one transaction with the row. `false`: it is over, or was done meanwhile.
    pub(crate) fn show_curve(
        &mut self,
        wanted: &WantedCurve,
        (curve, picture): (&Curve, Option<&Drawn>),
        mode: MessageMode,
        now: i64,
    ) -> Result<bool, StoreError> {
        let transaction = self.db.write()?;
        let ended = "DELETE FROM curve WHERE post = ?1 AND until = ?2 AND picture IS NULL";
        if transaction.execute(ended, params![wanted.post, wanted.until])? == 0 {
            return Ok(false);
        }
        let is_shown = show(&transaction, wanted.post, curve, mode, now)?;
        if let Some(picture) = picture.filter(|_| is_shown) {
            let sql = "INSERT INTO curve (post, due, until, picture) VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(sql, params![wanted.post, now, wanted.until, to_json(picture)?])?;
        }
        transaction.commit()?;
        Ok(is_shown)
    }

    /// The pictures that are to be uploaded now.
    pub(crate) fn wanted_pictures(&self, now: i64) -> Result<Vec<WantedPicture>, StoreError> {
        let sql = "SELECT p.integration, p.target, c.post, c.until, p.channel, p.ts, c.picture
                   FROM curve c JOIN post p ON p.id = c.post
                   WHERE c.due <= ?1 AND c.until > ?1 AND c.picture IS NOT NULL AND p.channel IS NOT NULL AND p.ts IS NOT NULL
                   ORDER BY c.due, c.post LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let read = |row: Row<'_>| {
            let (queue, drawn) = (DeliveryQueue::from_row(row)?, row.get::<String>(6)?);
            Ok((row.get(2)?, row.get(3)?, queue, row.get(4)?, row.get(5)?, drawn))
        };
        let rows = statement.query_map(params![now, BATCH], read)?;
        rows.map(|row| {
            let (post, until, queue, channel, ts, drawn) = row?;
            Ok(WantedPicture { post, until, queue, channel, ts, drawn: from_json(&drawn)? })
        })
        .collect()
    }

    /// The picture was given up.
    pub(crate) fn end_picture(&self, wanted: &WantedPicture) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM curve WHERE post = ?1 AND until = ?2", params![wanted.post, wanted.until])?;
        Ok(())
    }

    /// Ends the row of a picture that is about to be shown in its thread, and takes the channel's turn for it: whoever dies
    /// now leaves the thread without a picture, never with two. `false`: the channel holds still, or something is being sent
    /// in it; ask again.
    pub(crate) fn take_picture(&mut self, wanted: &WantedPicture, pace: i64, now: i64) -> Result<bool, StoreError> {
        let transaction = self.db.write()?;
        let busy = "SELECT EXISTS (SELECT 1 FROM post WHERE leased IS NOT NULL AND integration = ?1)
                      OR EXISTS (SELECT 1 FROM digest WHERE leased IS NOT NULL AND integration = ?1)
                      OR EXISTS (SELECT 1 FROM pause WHERE integration = ?1 AND until > ?4 AND (scope = 'integration'
                           OR (scope = 'channel' AND channel IN (?2, ?3))))";
        let WantedPicture { queue, channel, .. } = wanted;
        let values = params![queue.integration, queue.target, channel, now];
        if transaction.query_row(busy, values, |row| row.get(0))? {
            return Ok(false);
        }
        Pause { until: now.saturating_add(pace), now, reason: None }.channel(&transaction, queue, Some(channel))?;
        transaction.execute("DELETE FROM curve WHERE post = ?1 AND until = ?2", params![wanted.post, wanted.until])?;
        transaction.commit()?;
        Ok(true)
    }

    /// The newest notification of a problem that `is_wanted` takes, of the last thousand.
    pub(crate) fn newest_measured(
        &self,
        is_wanted: impl Fn(&Notification) -> bool,
    ) -> Result<Option<Notification>, StoreError> {
        let mut statement = self.db.prepare("SELECT body FROM notification ORDER BY seq DESC LIMIT ?1")?;
        for body in statement.query_map([NOTIFICATIONS_MAX], |row| row.get::<String>(0))? {
            if let Incoming::Notification(notification) = super::incoming(&body?)?
                && is_wanted(&notification)
            {
                return Ok(Some(notification));
            }
        }
        Ok(None)
    }

    /// The perfdata of an object's notifications since then, with their times in Unix seconds.
    pub(crate) fn notified_perfdata(&self, object: &str, since: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = "SELECT body FROM notification WHERE object = ?1 AND received >= ?2 ORDER BY seq DESC LIMIT ?3";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![object, since, NOTIFICATIONS_MAX], |row| row.get::<String>(0))?;
        let mut found = Vec::new();
        for body in rows {
            if let Incoming::Notification(notification) = super::incoming(&body?)?
                && !crate::model::problem::is_action_taken(&notification.kind)
            {
                found.push((notification.time, notification.perfdata));
            }
        }
        Ok(found)
    }
}

/// Keeps the curve with the problem, and has the message edited: by whatever is on its way to it, else by the same delivery
/// as before once more.
fn show(db: &Connection, post: i64, curve: &Curve, mode: MessageMode, now: i64) -> Result<bool, StoreError> {
    let sql = "SELECT problem FROM post WHERE id = ?1 AND ts IS NOT NULL AND digest IS NULL AND problem <> ''";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([post])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let mut problem: Problem = from_json(&row.get::<String>(0)?)?;
    if !problem.is_bad || !mode.is_editable() {
        return Ok(false);
    }
    problem.curve = Some(curve.clone());
    if !curve.has_text() {
        // It is kept in mind alone: the message looks as before.
        let sql = "UPDATE post SET problem = ?2 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![post, to_json(&problem)?])?;
        return Ok(true);
    }
    let sql = "UPDATE post SET problem = ?2, version = version + 1 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![post, to_json(&problem)?])?;
    let sql =
        "INSERT INTO delivery (notification, integration, target, object, mentions, annotation, state, since, post,
                 line, urgency, curve)
               SELECT notification, integration, target, object, mentions, annotation, 'waiting', ?2, post, 0, ?3, 1
               FROM delivery WHERE id = (SELECT MAX(id) FROM delivery WHERE post = ?1 AND state = 'delivered')
                 AND NOT EXISTS (SELECT 1 FROM delivery WHERE post = ?1 AND state = 'waiting')";
    db.prepare_cached(sql)?.execute(params![post, now, URGENCY])?;
    Ok(true)
}
