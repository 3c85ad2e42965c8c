//! Problems that nobody has answered: a row for each, due at the next step of its escalation.
//!
//! A row is made once people can see the problem, and goes when somebody answers, in the transaction that imports the
//! answer. A step is told in one transaction with the row's next due time, as a notification of our own in the outbox: killed
//! anywhere, it is told once, or late; and never after an answer was imported.

use super::assign_post::PostAssigner;
use super::db::{Connection, OptionalExtension, Row, ToSql, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::message::MessageId;
use super::new_delivery::{NOBODY, NewDeliveryRow};
use super::{Store, StoreError, from_json, to_json};
use crate::model::incoming::Incoming;
use crate::model::notification::Notification;
use crate::model::problem::{ActionTaken, Problem};
use std::time::Duration;

/// How many rows one look makes, or finds due.
const BATCH: u32 = 200;
/// Nothing is to be done until something changes.
const NEVER: i64 = i64::MAX;

/// A row, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Escalation {
    pub(crate) subject: String,
    pub(crate) digest: Option<i64>,
    /// When people could first see it; Unix ms.
    pub(crate) since: i64,
    /// The last step that was done: so many ms later; -1: none.
    pub(crate) done: i64,
}

/// A message about an unanswered problem.
#[derive(Debug, Clone)]
pub(crate) struct UnansweredPost {
    pub(crate) queue: DeliveryQueue,
    pub(crate) problem: Problem,
}

/// A step about to be told.
#[derive(Debug)]
pub(crate) struct StepNotice<'a> {
    pub(crate) row: &'a Escalation,
    /// The problem that it is told of: the object's, or one for all of the digest.
    pub(crate) problem: &'a Problem,
    /// The step's offset.
    pub(crate) offset: i64,
    /// The next step's time; `None` after the last.
    pub(crate) due: Option<i64>,
    pub(crate) action: ActionTaken,
    /// Mentioned in the threads of the messages that there are.
    pub(crate) mentions: &'a [String],
    /// Queues that get a message of their own.
    pub(crate) to: &'a [DeliveryQueue],
}

/// People see a message's newest version.
pub(super) fn seen(db: &Connection, message: MessageId, now: i64) -> Result<(), StoreError> {
    let column = match message {
        MessageId::Post(_) => "id",
        MessageId::Digest(_) => "digest",
    };
    let sql = format!("UPDATE post SET seen = ?2 WHERE {column} = ?1 AND seen IS NULL");
    db.prepare_cached(&sql)?.execute_later([message.number(), now])?;
    Ok(())
}

/// A message's problem changed. One that was answered begins anew when it is unanswered again: its next edit shows that.
pub(super) fn heard(
    db: &Connection,
    post: i64,
    notification: &Notification,
    (was, is): (bool, bool),
) -> Result<(), StoreError> {
    if !is {
        let sql = "DELETE FROM escalation WHERE subject = ?1";
        db.prepare_cached(sql)?.execute_later([notification.object_key()])?;
        db.prepare_cached("UPDATE post SET seen = NULL, watched = 0 WHERE id = ?1")?.execute_later([post])?;
    } else if !was {
        db.prepare_cached("UPDATE post SET seen = NULL, watched = 0 WHERE id = ?1")?.execute_later([post])?;
    }
    Ok(())
}

/// Another problem of the same object began: its steps count from when people can see that one.
pub(super) fn superseded(db: &Connection, notification: &Notification) -> Result<(), StoreError> {
    db.execute("DELETE FROM escalation WHERE subject = ?1", [notification.object_key()])?;
    Ok(())
}

/// Forgets rows whose messages are forgotten.
pub(super) fn purge(db: &Connection) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM escalation WHERE digest IS NULL
           AND NOT EXISTS (SELECT 1 FROM post p WHERE p.object = escalation.subject AND p.open = 1)",
        "DELETE FROM escalation WHERE digest IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM digest g WHERE g.id = escalation.digest AND g.open = 1)",
        "DELETE FROM still WHERE NOT EXISTS (SELECT 1 FROM post p WHERE p.object = still.object AND p.open = 1)",
    ] {
        db.execute(sql, [])?;
    }
    Ok(())
}

/// The clock went back: every span lasts as long as it was meant to, from now on.
pub(super) fn follow_clock(db: &Connection, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE escalation SET since = since + (?1 - due_set), due = CASE WHEN due = ?2 THEN due
                 ELSE due + (?1 - due_set) END, due_set = ?1 WHERE due_set - 2000 > ?1";
    db.execute(sql, [now, NEVER])?;
    db.execute("UPDATE post SET seen = ?1 WHERE seen > ?1 AND open = 1", [now])?;
    Ok(())
}

impl Store {
    /// Since when this part of the configuration is as it is, in Unix ms. Another one begins now, and every row is looked at
    /// by it.
    pub(crate) fn escalation_in_force(&mut self, fingerprint: &str, now: i64) -> Result<i64, StoreError> {
        let known = "SELECT fingerprint, since FROM setting_in_force WHERE name = 'escalate'";
        let read = |row: Row<'_>| Ok((row.get::<String>(0)?, row.get::<i64>(1)?));
        let found = self.db.query_row(known, [], read).optional()?;
        if let Some((_, since)) = found.filter(|(known, _)| known == fingerprint) {
            return Ok(since.min(now));
        }
        let transaction = self.db.write()?;
        transaction.execute(
            "INSERT INTO setting_in_force (name, fingerprint, since) VALUES ('escalate', ?1, ?2)
             ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, since = excluded.since",
            params![fingerprint, now],
        )?;
        transaction.execute("UPDATE escalation SET due = ?1, due_set = ?1", [now])?;
        transaction.commit()?;
        Ok(now)
    }

    /// Makes rows for the problems that people can see and nobody has answered. `floor`: no step counts from before. Those
    /// that came together are one.
    pub(crate) fn watch_unanswered(&mut self, floor: i64, now: i64) -> Result<usize, StoreError> {
        let unwatched = "SELECT id, object, problem, seen,
                 (SELECT MIN(o.digest) FROM post o JOIN digest g ON g.id = o.digest
                  WHERE o.object = post.object AND o.open = 1 AND g.open = 1)
               FROM post WHERE watched = 0 AND open = 1 AND rank > 0 AND seen IS NOT NULL ORDER BY id LIMIT ?1";
        let some =
            "SELECT EXISTS (SELECT 1 FROM post WHERE watched = 0 AND open = 1 AND rank > 0 AND seen IS NOT NULL)";
        if !self.db.prepare_cached(some)?.query_row([], |row| row.get::<bool>(0))? {
            return Ok(0);
        }
        let transaction = self.db.write()?;
        let mut statement = transaction.prepare_cached(unwatched)?;
        let rows = statement.query_map([BATCH], |row| {
            let digest: Option<i64> = row.get(4)?;
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<String>(2)?, row.get::<i64>(3)?, digest))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        for (post, object, problem, seen, digest) in &rows {
            if from_json::<Problem>(problem)?.is_unanswered() {
                let subject = digest.map_or_else(|| object.clone(), |digest| format!("\t{digest}"));
                let sql = "INSERT INTO escalation (subject, digest, since, due, due_set) VALUES (?1, ?2, ?3, ?4, ?4)
                           ON CONFLICT (subject) DO NOTHING";
                transaction.prepare_cached(sql)?.execute(params![subject, digest, seen.max(&floor), now])?;
            }
            transaction.prepare_cached("UPDATE post SET watched = 1 WHERE id = ?1")?.execute([post])?;
        }
        drop(statement);
        transaction.commit()?;
        Ok(rows.len())
    }

    /// The rows that are due.
    pub(crate) fn due_escalations(&self, now: i64) -> Result<Vec<Escalation>, StoreError> {
        let sql = "SELECT subject, digest, since, done FROM escalation WHERE due <= ?1 ORDER BY due LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![now, BATCH], |row| {
            Ok(Escalation { subject: row.get(0)?, digest: row.get(1)?, since: row.get(2)?, done: row.get(3)? })
        })?;
        rows.collect::<Result<_, _>>()
    }

    /// When the next row is due, in Unix ms.
    pub(crate) fn next_escalation(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MIN(due) FROM escalation WHERE due < ?1";
        self.db.prepare_cached(sql)?.query_row([NEVER], |row| row.get(0))
    }

    /// The messages about a row's problems that nobody has answered, the worst first.
    pub(crate) fn unanswered_posts(&self, row: &Escalation) -> Result<Vec<UnansweredPost>, StoreError> {
        unanswered_posts(&self.db, row)
    }

    /// Looks at a row again then; `None`: not before something changes. Nothing happens if somebody answered meanwhile.
    pub(crate) fn postpone_escalation(&self, row: &Escalation, due: Option<i64>, now: i64) -> Result<(), StoreError> {
        let sql = "UPDATE escalation SET due = ?3, due_set = ?4 WHERE subject = ?1 AND since = ?2";
        self.db.execute(sql, params![row.subject, row.since, due.unwrap_or(NEVER), now])?;
        Ok(())
    }

    /// Forgets a row: there is nothing unanswered any more.
    pub(crate) fn end_escalation(&self, row: &Escalation) -> Result<(), StoreError> {
        let sql = "DELETE FROM escalation WHERE subject = ?1 AND since = ?2";
        self.db.execute(sql, params![row.subject, row.since])?;
        Ok(())
    }

    /// Tells a step and plans the next one, in one transaction. `false`: somebody answered, or it was told meanwhile.
    pub(crate) fn record_step(
        &mut self,
        step: &StepNotice<'_>,
        mode: &dyn Fn(&DeliveryQueue) -> MessageMode,
        quiet: Duration,
        now: i64,
    ) -> Result<bool, StoreError> {
        let StepNotice { row, .. } = step;
        let transaction = self.db.write()?;
        let sql =
            "UPDATE escalation SET done = ?4, due = ?5, due_set = ?6 WHERE subject = ?1 AND since = ?2 AND done = ?3";
        let due = step.due.unwrap_or(NEVER);
        let values = params![row.subject, row.since, row.done, step.offset, due, now];
        if transaction.execute(sql, values)? == 0 {
            return Ok(false);
        }
        let posts = unanswered_posts(&transaction, row)?;
        if posts.is_empty() {
            return Ok(false);
        }
        let incoming = Incoming::Notification(step.action.as_notification(&step.problem.latest));
        let object = incoming.object_key();
        let id = format!("step {} {} {}", row.subject, row.since, step.offset);
        let sql = "INSERT INTO notification (id, received, object, duplicate_key, contact, body)
                   VALUES (?1, ?2, ?3, ?1, '', ?4) ON CONFLICT (id) DO NOTHING RETURNING seq";
        let Some(seq) = transaction.insert(sql, params![id, now, object, to_json(&incoming)?])? else {
            return Ok(false);
        };
        let writer = StepWriter { db: &transaction, step, incoming: &incoming, object: &object, seq, quiet, now };
        for queue in writer.threads(&posts) {
            writer.enqueue_notice(queue, mode(queue), &to_json(&step.mentions)?, false)?;
        }
        for queue in step.to {
            let mentions = if queue.target.is_person() { NOBODY.to_owned() } else { to_json(&step.mentions)? };
            writer.enqueue_notice(queue, mode(queue), &mentions, true)?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// The queues that get the news of an object because a step brought its problem there.
    pub(crate) fn followers(&self, object: &str) -> Result<Vec<DeliveryQueue>, StoreError> {
        let sql = "SELECT DISTINCT integration, target FROM post WHERE object = ?1 AND follows = 1 AND open = 1";
        let mut statement = self.db.prepare_cached(sql)?;
        let queues = statement.query_map([object], DeliveryQueue::from_row)?;
        queues.collect::<Result<_, _>>()
    }
}

/// One step that is being told.
struct StepWriter<'a> {
    db: &'a Connection,
    step: &'a StepNotice<'a>,
    incoming: &'a Incoming,
    object: &'a str,
    seq: i64,
    quiet: Duration,
    now: i64,
}

impl StepWriter<'_> {
    /// The queues with a message that has a thread for it, each once, without those that get it anyway. A digest's members
    /// share one.
    fn threads<'p>(&self, posts: &'p [UnansweredPost]) -> Vec<&'p DeliveryQueue> {
        let mut queues: Vec<&DeliveryQueue> = Vec::new();
        let about_it = posts.iter().filter(|post| post.problem.latest.object_key() == self.object);
        for UnansweredPost { queue, .. } in about_it {
            if !queues.contains(&queue) && !self.step.to.contains(queue) {
                queues.push(queue);
            }
        }
        queues
    }

    fn enqueue_notice(
        &self,
        queue: &DeliveryQueue,
        mode: MessageMode,
        mentions: &str,
        follows: bool,
    ) -> Result<(), StoreError> {
        let about = (self.step.problem, self.incoming, self.seq);
        enqueue_notice(self.db, about, (queue, mode, mentions, follows), self.quiet, self.now)
    }
}

/// Puts a notification of ours into a queue. Where that is to follow the problem, its message shows all of it.
pub(super) fn enqueue_notice(
    db: &Connection,
    (problem, incoming, seq): (&Problem, &Incoming, i64),
    (queue, mode, mentions, follows): (&DeliveryQueue, MessageMode, &str, bool),
    quiet: Duration,
    now: i64,
) -> Result<(), StoreError> {
    let object = incoming.object_key();
    let assigner = PostAssigner { db, queue, mode, quiet, now, deferred: None, is_history: false };
    let row = NewDeliveryRow {
        seq,
        queue: queue.clone(),
        object: object.clone(),
        mentions: mentions.to_owned(),
        annotation: None,
        since: now,
    };
    let known =
        "SELECT EXISTS (SELECT 1 FROM post WHERE integration = ?1 AND target = ?2 AND object = ?3 AND open = 1)";
    let is_known: bool = db.query_row(known, params![queue.integration, queue.target, object], |row| row.get(0))?;
    row.enqueue(&assigner, incoming)?;
    if follows && !is_known {
        let mut whole = problem.clone();
        if let Some(notification) = incoming.notification() {
            let _ = whole.apply(notification);
        }
        let sql =
            "UPDATE post SET follows = 1, watched = 1, problem = ?3, open = 1, rank = CASE WHEN rank > 1 THEN rank ELSE 1 END, acknowledged = ?4
                   WHERE id = (SELECT MAX(id) FROM post WHERE integration = ?1 AND target = ?2 AND object = ?5)";
        let is_acknowledged = whole.acknowledged.is_some();
        db.execute(sql, params![queue.integration, queue.target, to_json(&whole)?, is_acknowledged, object])?;
    }
    Ok(())
}

fn unanswered_posts(db: &Connection, row: &Escalation) -> Result<Vec<UnansweredPost>, StoreError> {
    let which = if row.digest.is_some() { "digest = ?2" } else { "object = ?1" };
    let sql = format!(
        "SELECT integration, target, problem FROM post WHERE {which} AND open = 1 AND rank > 0 AND acknowledged = 0
         ORDER BY rank DESC, follows, id LIMIT 1000"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let given = (&row.subject, row.digest);
    let values: &[&dyn ToSql] = &[&given.0, &given.1];
    let values = if row.digest.is_some() { values } else { &values[..1] };
    let mut rows = statement.query(values)?;
    let mut posts = Vec::new();
    while let Some(row) = rows.next()? {
        let post = UnansweredPost { queue: DeliveryQueue::from_row(row)?, problem: from_json(&row.get::<String>(2)?)? };
        if post.problem.is_unanswered() {
            posts.push(post);
        }
    }
    Ok(posts)
}
