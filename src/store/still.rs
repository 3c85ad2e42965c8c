//! Acknowledged problems, and when whoever acknowledged is asked whether they are still on it: a row for each.
//!
//! The row is made and goes in the transaction that imports the acknowledgement and its end. The question, and the news that
//! nobody answered it, go into the outbox in the transaction that plans the next time.

use super::db::{Connection, Row, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::escalation::enqueue_notice;
use super::{Store, StoreError, from_json, to_json};
use crate::model::incoming::Incoming;
use crate::model::problem::{ActionTaken, Problem};
use std::time::Duration;

const BATCH: u32 = 200;

/// A row, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Still {
    pub(crate) object: String,
    /// Since when nobody was asked; Unix ms.
    pub(crate) since: i64,
    /// When the person was asked, if they haven't answered yet.
    pub(crate) asked: Option<i64>,
}

/// A question or the news that nobody answered it, about to be told.
#[derive(Debug)]
pub(crate) struct StillNotice<'a> {
    pub(crate) row: &'a Still,
    /// The row afterwards.
    pub(crate) next: (i64, Option<i64>),
    pub(crate) action: ActionTaken,
    pub(crate) mentions: &'a [String],
    /// Only these; else every queue with a message about it.
    pub(crate) only: Option<&'a DeliveryQueue>,
    /// Queues that get a message of their own as well.
    pub(crate) to: &'a [DeliveryQueue],
}

/// A message's problem changed.
pub(super) fn heard(db: &Connection, object: &str, was: &Problem, is: &Problem, now: i64) -> Result<(), StoreError> {
    let acknowledged_at =
        |problem: &Problem| problem.acknowledged.as_ref().filter(|_| problem.is_bad).map(|remark| remark.at);
    match (acknowledged_at(was), acknowledged_at(is)) {
        (before, Some(after)) if before != Some(after) => {
            let sql = "INSERT INTO still (object, since, asked) VALUES (?1, ?2, NULL)
                       ON CONFLICT (object) DO UPDATE SET since = excluded.since, asked = NULL";
            db.prepare_cached(sql)?.execute_later(params![object, now])?;
        }
        (Some(_), None) => {
            db.prepare_cached("DELETE FROM still WHERE object = ?1")?.execute_later([object])?;
        }
        _ => {}
    }
    Ok(())
}

/// The person is still on it.
pub(super) fn answered(db: &Connection, object: &str, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE still SET since = ?2, asked = NULL WHERE object = ?1";
    db.prepare_cached(sql)?.execute_later(params![object, now])?;
    Ok(())
}

/// The clock went back: nobody was asked, and nobody acknowledged, in times to come.
pub(super) fn follow_clock(db: &Connection, now: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE still SET since = CASE WHEN since > ?1 THEN ?1 ELSE since END,
           asked = CASE WHEN asked > ?1 THEN ?1 ELSE asked END WHERE since > ?1 OR asked > ?1",
        [now],
    )?;
    Ok(())
}

impl Store {
    /// The rows whose question, or whose answer, is due.
    pub(crate) fn due_still(&self, asked_since: i64, answered_until: i64) -> Result<Vec<Still>, StoreError> {
        let sql = "SELECT object, since, asked FROM still
                   WHERE (asked IS NULL AND since <= ?1) OR asked <= ?2 ORDER BY since LIMIT ?3";
        let read = |row: Row<'_>| Ok(Still { object: row.get(0)?, since: row.get(1)?, asked: row.get(2)? });
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![asked_since, answered_until, BATCH], read)?;
        rows.collect::<Result<_, _>>()
    }

    /// The oldest question that is to be asked, and the oldest that was and isn't answered; Unix ms.
    pub(crate) fn next_still(&self) -> Result<(Option<i64>, Option<i64>), StoreError> {
        let sql = "SELECT (SELECT MIN(since) FROM still WHERE asked IS NULL), (SELECT MIN(asked) FROM still)";
        self.db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The acknowledged problem of a row; `None`: it isn't acknowledged any more.
    pub(crate) fn acknowledged_problem(&self, object: &str) -> Result<Option<(DeliveryQueue, Problem)>, StoreError> {
        acknowledged_problem(&self.db, object)
    }

    /// Forgets a row.
    pub(crate) fn end_still(&self, row: &Still) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM still WHERE object = ?1 AND since = ?2", params![row.object, row.since])?;
        Ok(())
    }

    /// Tells it, in one transaction with the row. `false`: it was answered, ended or told meanwhile.
    pub(crate) fn record_still_notice(
        &mut self,
        notified: &StillNotice<'_>,
        mode: &dyn Fn(&DeliveryQueue) -> MessageMode,
        quiet: Duration,
        now: i64,
    ) -> Result<bool, StoreError> {
        let Still { object, since, asked } = notified.row;
        let transaction = self.db.write()?;
        let sql = "UPDATE still SET since = ?4, asked = ?5 WHERE object = ?1 AND since = ?2
                     AND COALESCE(asked, -1) = COALESCE(CAST(?3 AS BIGINT), -1)";
        if transaction.execute(sql, params![object, since, asked, notified.next.0, notified.next.1])? == 0 {
            return Ok(false);
        }
        let Some((_, problem)) = acknowledged_problem(&transaction, object)? else {
            return Ok(false);
        };
        let incoming = Incoming::Notification(notified.action.as_notification(&problem.latest));
        let id = format!("still {object} {since} {}", asked.unwrap_or(0));
        let sql = "INSERT INTO notification (id, received, object, duplicate_key, contact, body)
                   VALUES (?1, ?2, ?3, ?1, '', ?4) ON CONFLICT (id) DO NOTHING RETURNING seq";
        let Some(seq) = transaction.insert(sql, params![id, now, object, to_json(&incoming)?])? else {
            return Ok(false);
        };
        let about = (&problem, &incoming, seq);
        let mentions = to_json(&notified.mentions)?;
        let queues = match notified.only {
            Some(_) => Vec::new(),
            None => super::shown_message::queues_of(&transaction, object)?,
        };
        for queue in queues.iter().filter(|queue| !notified.to.contains(queue)) {
            enqueue_notice(&transaction, about, (queue, mode(queue), &mentions, false), quiet, now)?;
        }
        for queue in notified.only.into_iter().chain(notified.to) {
            enqueue_notice(&transaction, about, (queue, mode(queue), super::new_delivery::NOBODY, true), quiet, now)?;
        }
        transaction.commit()?;
        Ok(true)
    }
}

fn acknowledged_problem(db: &Connection, object: &str) -> Result<Option<(DeliveryQueue, Problem)>, StoreError> {
    let sql = "SELECT integration, target, problem FROM post
               WHERE object = ?1 AND open = 1 AND rank > 0 AND acknowledged = 1 ORDER BY follows, id LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([object])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let problem: Problem = from_json(&row.get::<String>(2)?)?;
    Ok(Some((DeliveryQueue::from_row(row)?, problem)))
}
