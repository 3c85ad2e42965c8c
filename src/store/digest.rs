//! Digests: one message for the many problems that came together.

use super::db::{Connection, OptionalExtension, Row, params};
use super::delivery_queue::DeliveryQueue;
use super::{Store, StoreError, from_json};
use crate::rules::digest::{Below, Digest, DigestStats, Waiting};
use crate::system::clock::millis;
use std::time::Duration;

/// How many problems are read for a digest's message: it names fewer, as some stand for others.
const READ_MAX: u32 = 200;

/// The digest of the queue that takes new problems, if there is one: it took the last one at or after `since`.
pub(super) fn taking_new_problems(
    db: &Connection,
    queue: &DeliveryQueue,
    since: i64,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id FROM digest WHERE integration = ?1 AND target = ?2 AND open = 1 AND joined >= ?3
                 AND deferred_until IS NULL ORDER BY id DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    statement.query_row(params![queue.integration, queue.target, since], |row| row.get(0)).optional()
}

/// The queue's digest that waits until then, made where there is none.
pub(super) fn deferred_digest(db: &Connection, queue: &DeliveryQueue, until: i64, now: i64) -> Result<i64, StoreError> {
    let sql = "SELECT id FROM digest WHERE integration = ?1 AND target = ?2 AND deferred_until = ?3 AND open = 1 AND shown = 0";
    let known = params![queue.integration, queue.target, until];
    if let Some(known) = db.prepare_cached(sql)?.query_row(known, |row| row.get(0)).optional()? {
        return Ok(known);
    }
    let sql = "INSERT INTO digest (integration, target, joined, updated, deferred_until) VALUES (?1, ?2, ?3, ?3, ?4)
               RETURNING id";
    db.insert(sql, params![queue.integration, queue.target, now, until])?.ok_or(StoreError::NoRow)
}

/// A problem waits no longer: it gets a message of its own.
pub(super) fn release(db: &Connection, post: i64) -> Result<(), StoreError> {
    let sql = "UPDATE digest SET version = version + 1 WHERE id = (SELECT digest FROM post WHERE id = ?1)";
    db.prepare_cached(sql)?.execute_later([post])?;
    db.prepare_cached("UPDATE post SET digest = NULL WHERE id = ?1")?.execute_later([post])?;
    let sql = "UPDATE delivery SET digest = NULL, line = 1, annotation = NULL WHERE post = ?1 AND state = 'waiting'";
    db.prepare_cached(sql)?.execute_later([post])?;
    // One that holds nothing any more is no message.
    let sql = "UPDATE digest SET open = 0 WHERE deferred_until IS NOT NULL AND shown = 0
                 AND NOT EXISTS (SELECT 1 FROM post m WHERE m.digest = digest.id)";
    db.prepare_cached(sql)?.execute_later([])?;
    Ok(())
}

/// One of its problems changed.
pub(super) fn problem_changed(db: &Connection, digest: i64) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE digest SET version = version + 1 WHERE id = ?1")?.execute_later([digest])?;
    Ok(())
}

/// It took one more problem.
pub(super) fn problem_joined(db: &Connection, digest: i64, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE digest SET version = version + 1, joined = ?2, updated = ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute_later([digest, now])?;
    Ok(())
}

impl Store {
    /// The problems of the queue that wait for a message of their own.
    pub(crate) fn problems_without_message(
        &self,
        queue: &DeliveryQueue,
        window: Duration,
    ) -> Result<Waiting, StoreError> {
        let sql = "WITH alone AS (SELECT MIN(d.since) AS since FROM delivery d JOIN post p ON p.id = d.post
              WHERE d.state = 'waiting' AND d.integration = ?1 AND d.target = ?2 AND d.digest IS NULL
                AND p.shown = 0 AND d.urgency BETWEEN 0 AND 8 GROUP BY p.id)
            SELECT COUNT(*), COUNT(*) FILTER (WHERE since >= (SELECT MAX(since) FROM alone) - ?3) FROM alone";
        let read = |row: Row<'_>| Ok(Waiting { all: row.get(0)?, recent: row.get(1)? });
        let values = params![queue.integration, queue.target, millis(window)];
        self.db.prepare_cached(sql)?.query_row(values, read)
    }

    /// Makes a digest of the problems that wait for a message of their own, in one transaction.
    pub(crate) fn begin_digest(&mut self, queue: &DeliveryQueue, now: i64) -> Result<(), StoreError> {
        let transaction = self.db.write()?;
        let sql = "INSERT INTO digest (integration, target, joined, updated) VALUES (?1, ?2, ?3, ?3) RETURNING id";
        let digest = transaction.insert(sql, params![queue.integration, queue.target, now])?;
        let digest = digest.ok_or(StoreError::NoRow)?;
        transaction.execute(
            "UPDATE post SET digest = ?3 WHERE shown = 0 AND digest IS NULL AND id IN (
               SELECT d.post FROM delivery d WHERE d.state = 'waiting' AND d.integration = ?1 AND d.target = ?2
                 AND d.digest IS NULL AND d.urgency BETWEEN 0 AND 8)",
            params![queue.integration, queue.target, digest],
        )?;
        // A recovery that waits with its problem needs no line of its own.
        transaction.execute(
            "UPDATE delivery SET digest = ?1, line = CASE WHEN urgency > 0 OR NOT EXISTS (
                 SELECT 1 FROM delivery f WHERE f.post = delivery.post AND f.state = 'waiting' AND f.id < delivery.id)
               THEN 1 ELSE 0 END
             WHERE state = 'waiting' AND post IN (SELECT id FROM post WHERE digest = ?1)",
            [digest],
        )?;
        transaction.commit()
    }

    /// The digests of the queue in which something waits.
    pub(super) fn waiting_digests(&self, queue: &DeliveryQueue) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT DISTINCT digest FROM delivery WHERE state = 'waiting' AND integration = ?1 AND target = ?2
                   AND digest IS NOT NULL ORDER BY digest";
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_map(params![queue.integration, queue.target], |row| row.get(0))?;
        found.collect::<Result<_, _>>()
    }

    /// What is known of a digest for the decision about its next step.
    pub(super) fn digest(&self, id: i64, quiet_since: i64) -> Result<Digest, StoreError> {
        let sql = "SELECT g.ts IS NOT NULL, g.shown < g.version,
              g.joined < ?2 AND NOT EXISTS (SELECT 1 FROM post m WHERE m.digest = g.id AND m.open = 1),
              EXISTS (SELECT 1 FROM delivery d WHERE d.digest = g.id AND d.state = 'waiting' AND d.line = 1),
              g.edited, CASE WHEN g.deferred_until > g.due THEN g.deferred_until ELSE g.due END
            FROM digest g WHERE g.id = ?1";
        let read = |row: Row<'_>| {
            Ok(Digest {
                is_posted: row.get(0)?,
                is_stale: row.get(1)?,
                is_over: row.get(2)?,
                has_lines: row.get(3)?,
                edited: row.get(4)?,
                due: row.get(5)?,
            })
        };
        self.db.prepare_cached(sql)?.query_row([id, quiet_since], read)
    }

    /// The numbers of a digest, and its worst problems.
    pub(super) fn digest_stats(&self, id: i64) -> Result<DigestStats, StoreError> {
        let mut stats = self.digest_numbers(id)?;
        // The services of a host that is down itself are part of its line.
        let own_line = "m.is_host = 1 OR NOT EXISTS (SELECT 1 FROM post h WHERE h.digest = m.digest AND h.host = m.host
                          AND h.is_host = 1 AND h.open = 1)";
        let count = format!("SELECT COUNT(*) FROM post m WHERE m.digest = ?1 AND m.open = 1 AND ({own_line})");
        let lines: u32 = self.db.prepare_cached(&count)?.query_row([id], |row| row.get(0))?;
        let named = format!(
            "SELECT m.problem, CASE m.is_host WHEN 1 THEN (SELECT COUNT(*) FROM post s WHERE s.digest = m.digest
                 AND s.host = m.host AND s.is_host = 0 AND s.open = 1) ELSE 0 END
             FROM post m WHERE m.digest = ?1 AND m.open = 1 AND ({own_line})
             ORDER BY m.acknowledged, m.rank DESC, m.is_host DESC, m.id LIMIT {READ_MAX}"
        );
        let mut statement = self.db.prepare_cached(&named)?;
        let mut rows = statement.query([id])?;
        while let Some(row) = rows.next()? {
            let below = Below { hosts: 0, services: row.get(1)? };
            stats.worst.push((from_json(&row.get::<String>(0)?)?, below));
        }
        stats.unnamed = lines.saturating_sub(u32::try_from(stats.worst.len()).unwrap_or(u32::MAX));
        Ok(stats)
    }

    fn digest_numbers(&self, id: i64) -> Result<DigestStats, StoreError> {
        let sql = "SELECT COUNT(*), COUNT(DISTINCT host), COUNT(*) FILTER (WHERE open = 0),
              COUNT(*) FILTER (WHERE open = 1 AND acknowledged = 1), COUNT(*) FILTER (WHERE open = 1 AND rank <= 1),
              COUNT(*) FILTER (WHERE open = 1 AND rank = 2), COUNT(*) FILTER (WHERE open = 1 AND rank = 3),
              (SELECT COALESCE(MIN(since), 0) FROM delivery f JOIN post q ON q.id = f.post WHERE q.digest = ?1),
              COALESCE(MAX(updated), 0),
              (SELECT COALESCE(MAX(id), 0) FROM delivery d WHERE d.digest = ?1 AND d.state = 'waiting'),
              (SELECT deferred_until IS NOT NULL FROM digest WHERE id = ?1)
            FROM post WHERE digest = ?1";
        let read = |row: Row<'_>| {
            Ok(DigestStats {
                problems: row.get(0)?,
                hosts: row.get(1)?,
                recovered: row.get(2)?,
                acknowledged: row.get(3)?,
                ranks: [row.get(4)?, row.get(5)?, row.get(6)?],
                first: row.get(7)?,
                last: row.get(8)?,
                worst: Vec::new(),
                unnamed: 0,
                covers: row.get(9)?,
                was_deferred: row.get(10)?,
            })
        };
        self.db.prepare_cached(sql)?.query_row([id], read)
    }
}
