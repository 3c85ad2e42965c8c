//! The messages that people click on, as the outbox knows them.

use super::assign_post::PostAssigner;
use super::db::{Connection, Row, params};
use super::delivery_queue::{DeliveryQueue, MessageMode, Target};
use super::history::{self, Heard};
use super::new_delivery::{NOBODY, NewDeliveryRow};
use super::{Store, StoreError, escalation, from_json, to_json};
use crate::model::incoming::Incoming;
use crate::model::notification::Kind;
use crate::model::problem::{ActionTaken, NEW_OWNER, Problem};
use crate::rules::authorise::Permission;
use crate::rules::confirm::Expectation;
use std::time::Duration;

/// A message that somebody clicked on, as the outbox knows it.
#[derive(Debug, Clone)]
pub(crate) struct ShownMessage {
    pub(crate) queue: DeliveryQueue,
    pub(crate) message_ref: Option<MessageRef>,
    /// A card's; a digest and a direct message have none.
    pub(crate) problem: Option<Problem>,
}

/// Where Slack has a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRef {
    pub(crate) channel: String,
    pub(crate) ts: String,
}

/// An action that a person took and the core's state shows.
#[derive(Debug, Clone)]
pub(crate) struct NewActionTaken {
    /// Its own: one that comes twice is shown once.
    pub(crate) id: String,
    /// The object's key.
    pub(crate) object: String,
    pub(crate) action: ActionTaken,
}

impl Store {
    /// A message about a problem, by its number.
    pub(crate) fn shown(&self, post: i64, _: &Permission<'_>) -> Result<Option<ShownMessage>, StoreError> {
        let sql = "SELECT integration, target, channel, ts, problem FROM post WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([post])?;
        rows.next()?.map(read).transpose()
    }

    /// A digest's message, by its number.
    pub(crate) fn shown_digest(&self, digest: i64, _: &Permission<'_>) -> Result<Option<ShownMessage>, StoreError> {
        let sql = "SELECT integration, target, channel, ts, '' FROM digest WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([digest])?;
        rows.next()?.map(read).transpose()
    }

    /// The message about a problem that Slack has there: its channel and `ts`.
    pub(crate) fn post_at(&self, message: [&str; 2], _: &Permission<'_>) -> Result<Option<i64>, StoreError> {
        self.at("SELECT id FROM post WHERE ts = ?2 AND channel = ?1 ORDER BY id DESC LIMIT 1", message)
    }

    /// The digest that Slack has there.
    pub(crate) fn digest_at(&self, message: [&str; 2], _: &Permission<'_>) -> Result<Option<i64>, StoreError> {
        self.at("SELECT id FROM digest WHERE ts = ?2 AND channel = ?1 ORDER BY id DESC LIMIT 1", message)
    }

    /// Whether Slack has a message of ours there. It says nothing of what it is about, so no permission is needed: an
    /// emoji on anybody's message comes here.
    pub(crate) fn is_ours(&self, message: [&str; 2]) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM post WHERE ts = ?2 AND channel = ?1
                   UNION ALL SELECT id FROM digest WHERE ts = ?2 AND channel = ?1 LIMIT 1";
        Ok(self.at(sql, message)?.is_some())
    }

    fn at(&self, sql: &str, message: [&str; 2]) -> Result<Option<i64>, StoreError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(message)?;
        rows.next()?.map(|row| row.get(0)).transpose()
    }

    /// The message that stands for an object's open problem, whichever it is.
    pub(crate) fn shown_of(&self, object: &str, _: &Permission<'_>) -> Result<Option<ShownMessage>, StoreError> {
        shown_of(&self.db, object)
    }

    /// The same, of the object that a command was sent about.
    pub(crate) fn shown_after(&self, sent: &Expectation) -> Result<Option<ShownMessage>, StoreError> {
        shown_of(&self.db, &sent.object.key())
    }

    /// Who acknowledged an object's open problem, as a message shows it: for the end of an acknowledgement, which nobody
    /// asks for.
    pub(crate) fn acknowledged_by(&self, object: &str) -> Result<Option<String>, StoreError> {
        let problem = shown_of(&self.db, object)?.and_then(|shown| shown.problem);
        Ok(problem.and_then(|problem| problem.acknowledged).and_then(|remark| remark.author))
    }

    /// The problems of a digest that go on and are not acknowledged.
    pub(crate) fn unacknowledged(&self, digest: i64, _: &Permission<'_>) -> Result<Vec<(i64, Problem)>, StoreError> {
        let sql =
            "SELECT id, problem FROM post WHERE digest = ?1 AND open = 1 AND acknowledged = 0 AND rank > 0 ORDER BY id";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([digest], |row| Ok((row.get(0)?, row.get::<String>(1)?)))?;
        rows.map(|row| row.and_then(|(id, text)| Ok((id, from_json(&text)?)))).collect()
    }

    /// Lets every message about the objects show the actions that people took: as notifications of our own, each of which
    /// is kept once. `mode` says for each queue whether its messages can be edited. Where they can't, only the known state
    /// changes, and the message that was clicked on is replaced through its response URL.
    pub(crate) fn show_actions_taken(
        &mut self,
        taken: &[NewActionTaken],
        mode: &dyn Fn(&DeliveryQueue) -> MessageMode,
        quiet: Duration,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.write()?;
        for NewActionTaken { id, object, action } in taken {
            // As of now: a notification that the core sends meanwhile is imported by another thread.
            let Some(problem) = shown_of(&transaction, object)?.and_then(|shown| shown.problem) else {
                continue;
            };
            let incoming = Incoming::Notification(action.as_notification(&problem.latest));
            let sql = "INSERT INTO notification (id, received, object, duplicate_key, contact, body)
                       VALUES (?1, ?2, ?3, ?1, '', ?4) ON CONFLICT (id) DO NOTHING RETURNING seq";
            let values = params![id, now, object, to_json(&incoming)?];
            let Some(seq) = transaction.insert(sql, values)? else { continue };
            if let Incoming::Notification(notification) = &incoming {
                let heard = Heard { notification, duplicate_key: id, contact: "", destination: None, now };
                history::hear(&transaction, &heard)?;
            }
            let owner = new_owner(&incoming);
            let queues = queues_of(&transaction, object)?;
            for queue in &queues {
                let assigner = PostAssigner {
                    db: &transaction,
                    queue,
                    mode: mode(queue),
                    quiet,
                    now,
                    deferred: None,
                    is_history: false,
                };
                show_in(&assigner, seq, object, &incoming, owner.as_deref())?;
            }
            if let (Some(owner), Some(first)) = (owner, queues.first()) {
                let queue = DeliveryQueue { target: Target::Channel(owner), ..first.clone() };
                let about = (&problem, &incoming, seq);
                if !queues.contains(&queue) {
                    escalation::enqueue_notice(&transaction, about, (&queue, mode(&queue), NOBODY, true), quiet, now)?;
                }
            }
        }
        transaction.commit()
    }
}

/// The queues with a message about the object's open problem.
pub(super) fn queues_of(db: &Connection, object: &str) -> Result<Vec<DeliveryQueue>, StoreError> {
    let sql = "SELECT DISTINCT integration, target FROM post WHERE object = ?1 AND open = 1";
    let mut statement = db.prepare_cached(sql)?;
    let queues = statement.query_map([object], DeliveryQueue::from_row)?;
    queues.collect::<Result<_, _>>()
}

/// The Slack id of the person whom a problem was handed over to: they are mentioned, and get it as a direct message.
fn new_owner(incoming: &Incoming) -> Option<String> {
    let notification = incoming.notification().filter(|one| one.kind == Kind::HandedOver)?;
    let id = notification.vars.get(NEW_OWNER)?.strip_suffix(')')?.rsplit('(').next()?;
    Some(id.to_owned())
}

fn show_in(
    assigner: &PostAssigner<'_>,
    seq: i64,
    object: &str,
    incoming: &Incoming,
    mention: Option<&str>,
) -> Result<(), StoreError> {
    let PostAssigner { db, queue, mode, now, .. } = *assigner;
    let mentions = match mention {
        Some(person) => to_json(&[person])?,
        None => NOBODY.to_owned(),
    };
    let row =
        NewDeliveryRow { seq, queue: queue.clone(), object: object.to_owned(), mentions, annotation: None, since: now };
    row.enqueue(assigner, incoming)?;
    if !mode.is_editable() {
        let sql = "UPDATE delivery SET state = 'merged', reason = 'shown by the click', recorded = ?2
                   WHERE notification = ?1 AND state = 'waiting' AND integration = ?3 AND target = ?4";
        db.execute(sql, params![seq, now, queue.integration, queue.target])?;
    }
    Ok(())
}

fn shown_of(db: &Connection, object: &str) -> Result<Option<ShownMessage>, StoreError> {
    let sql = "SELECT integration, target, channel, ts, problem FROM post WHERE object = ?1
               ORDER BY open DESC, id DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([object])?;
    rows.next()?.map(read).transpose()
}

fn read(row: Row<'_>) -> Result<ShownMessage, StoreError> {
    let (channel, ts): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
    let problem: String = row.get(4)?;
    Ok(ShownMessage {
        queue: DeliveryQueue::from_row(row)?,
        message_ref: channel.zip(ts).map(|(channel, ts)| MessageRef { channel, ts }),
        problem: if problem.is_empty() { None } else { Some(from_json(&problem)?) },
    })
}
