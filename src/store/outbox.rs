//! The flow through the outbox: import, recovery after a crash, and the history that is forgotten.

use super::assign_post::PostAssigner;
use super::cause::CauseChange;
use super::db::{Connection, OptionalExtension, ToSql, Transaction, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::history::{self, Heard};
use super::new_delivery::{Ended, NOBODY, NewDeliveryRow};
use super::state::DeliveryState;
use super::{HISTORY, Store, StoreError, duplicate, escalation, message, origin, pause, recovery, still, to_json};
use crate::model::incoming::{DirectMessage, Incoming};
use crate::state_dir::spool::SpoolId;
use crate::system::clock::millis;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// A problem of which nothing more is heard is remembered so long: its object may be gone from the core.
const PROBLEM_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// So many notifications are remembered however old: a clock that jumped ahead must not empty the history.
const HISTORY_ROWS_MIN: i64 = 10_000;
/// How many notifications one purge forgets at most,
pub(crate) const PURGE_BATCH: usize = 1000;
/// and how many one of its statements does: others wait for it to write, and a server may be far away.
const PURGE_STATEMENT: usize = 100;
/// So many entries are imported at once at most.
const RUN_MAX: usize = 50;

/// A spool file about to be imported, with its deliveries.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    pub(crate) id: SpoolId,
    /// Unix ms.
    pub(crate) received: i64,
    pub(crate) incoming: Incoming,
    pub(crate) deliveries: Vec<NewDelivery>,
    /// The hosts that have no way but through this one, if it is about a host.
    pub(crate) behind: BTreeSet<String>,
    /// It was imported before, and is offered again as a failover may have forgotten it.
    pub(crate) is_repeated: bool,
}

/// A delivery to be made of an imported entry.
#[derive(Debug, Clone)]
pub(crate) enum NewDelivery {
    Waiting {
        queue: DeliveryQueue,
        mentions: Vec<String>,
        /// Shown with the message.
        annotation: Option<String>,
        mode: MessageMode,
        /// It can wait until then, with others; Unix ms.
        deferred: Option<i64>,
    },
    /// It has no destination: kept and alarmed.
    Dead { reason: String },
}

impl NewDelivery {
    /// Where it goes, as people know it.
    fn destination(&self) -> Option<String> {
        match self {
            Self::Waiting { queue, .. } => Some(queue.label()),
            Self::Dead { .. } => None,
        }
    }
}

/// A remembered look-up: the id, or that nobody has that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RememberedLookup(pub(crate) Option<String>);

/// What an import made of a spool file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Imported {
    New,
    /// The outbox had it: the process died between the commit and the removal.
    Known,
    /// The server never takes it, for this reason.
    Refused(String),
}

impl Store {
    /// Imports one batch of spool files with their deliveries, in one transaction. `quiet`: see [`PostAssigner`].
    ///
    /// Where a server refuses one of them for ever, each has a transaction of its own, so that the others get in.
    pub(crate) fn import(
        &mut self,
        batch: &[NewEntry],
        quiet: Duration,
        now: i64,
    ) -> Result<Vec<Imported>, StoreError> {
        let alone = |entry: &NewEntry| match self.import_together(std::slice::from_ref(entry), quiet, now) {
            Err(e) if e.is_too_long() => Ok(Imported::Refused(e.to_string())),
            imported => imported?.pop().ok_or(StoreError::NoRow),
        };
        match self.import_together(batch, quiet, now) {
            Err(e) if e.is_too_long() => batch.iter().map(alone).collect(),
            imported => imported,
        }
    }

    fn import_together(&self, batch: &[NewEntry], quiet: Duration, now: i64) -> Result<Vec<Imported>, StoreError> {
        let transaction = self.db.write()?;
        let import = Import { db: &transaction, quiet, now };
        let mut imported = Vec::with_capacity(batch.len());
        for entries in runs(batch, |entry: &NewEntry| entry.incoming.object_key()) {
            imported.extend(import.entries(entries)?);
        }
        origin::heard(&transaction, batch.iter().filter_map(|entry| entry.incoming.notification()), now)?;
        transaction.commit()?;
        Ok(imported)
    }

    /// See [`recover`]. To be called by whoever has just got the delivery lock.
    pub(crate) fn recover(&self, now: i64) -> Result<usize, StoreError> {
        recover(&self.db, now)
    }

    /// The queues in which something waits.
    pub(crate) fn queues(&self) -> Result<Vec<DeliveryQueue>, StoreError> {
        // Steps from queue to queue over the index; the number of waiting rows doesn't matter.
        let sql = "WITH RECURSIVE queue (integration, target) AS (
                SELECT integration, target FROM (SELECT integration, target FROM delivery WHERE state = 'waiting'
                               ORDER BY integration, target LIMIT 1) AS first
                UNION ALL
                SELECT (SELECT d.integration FROM delivery d WHERE d.state = 'waiting'
                          AND (d.integration, d.target) > (queue.integration, queue.target)
                          ORDER BY d.integration, d.target LIMIT 1),
                       (SELECT d.target FROM delivery d WHERE d.state = 'waiting'
                          AND (d.integration, d.target) > (queue.integration, queue.target)
                          ORDER BY d.integration, d.target LIMIT 1)
                FROM queue WHERE queue.integration IS NOT NULL)
            SELECT integration, target FROM queue WHERE integration IS NOT NULL";
        let mut statement = self.db.prepare_cached(sql)?;
        let queues = statement.query_map([], DeliveryQueue::from_row)?;
        queues.collect::<Result<_, _>>()
    }

    /// The result of an earlier look-up that still counts.
    pub(crate) fn looked_up(
        &self,
        integration: &str,
        name: &str,
        now: i64,
    ) -> Result<Option<RememberedLookup>, StoreError> {
        let sql = "SELECT id FROM lookup WHERE integration = ?1 AND name = ?2 AND until > ?3";
        self.db.query_row(sql, params![integration, name, now], |row| Ok(RememberedLookup(row.get(0)?))).optional()
    }

    /// Remembers the result of a look-up.
    pub(crate) fn remember(
        &self,
        integration: &str,
        name: &str,
        id: Option<&str>,
        until: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO lookup (integration, name, id, until) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (integration, name) DO UPDATE SET id = excluded.id, until = excluded.until";
        self.db.execute(sql, params![integration, name, id, until])?;
        Ok(())
    }

    /// Forgets notifications that were delivered long ago, [`PURGE_BATCH`] of them at most, in one transaction. Waiting and
    /// dead messages stay, and so does anything whose spool file could not be removed, or it would be imported again. Does
    /// nothing when there are fewer than `worth`. Returns how many: [`PURGE_BATCH`] when there may be more.
    pub(crate) fn purge(&self, now: i64, worth: usize, in_spool: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        self.drop_late_curves(now)?;
        let before = now.saturating_sub(millis(HISTORY));
        let sql = "SELECT n.seq, n.id FROM notification n WHERE n.received < ?1
              AND n.seq <= (SELECT MAX(seq) FROM notification) - ?2
              AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.notification = n.seq
                                AND (d.state IN ('waiting', 'dead') OR d.recorded >= ?1))
            ORDER BY n.received LIMIT ?3";
        let most = i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX);
        let mut statement = self.db.prepare(sql)?;
        let old = statement
            .query_map(params![before, HISTORY_ROWS_MIN, most], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        if old.len() < worth {
            return Ok(0);
        }
        let forgettable: Vec<i64> = old.iter().filter(|(_, id)| !in_spool(id)).map(|(seq, _)| *seq).collect();
        let transaction = self.db.write()?;
        let purged = forget_notifications(&transaction, &forgettable)?;
        let forgotten = now.saturating_sub(millis(PROBLEM_MAX));
        for table_and_use in [
            "post WHERE id IN (SELECT p.id FROM post p
               WHERE p.updated < ?1 AND (p.open = 0 OR p.updated < ?2)
                 AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.post = p.id) LIMIT ?3)",
            "digest WHERE id IN (SELECT g.id FROM digest g
               WHERE g.updated < ?1 AND (g.open = 0 OR g.updated < ?2)
                 AND NOT EXISTS (SELECT 1 FROM post m WHERE m.digest = g.id) LIMIT ?3)",
        ] {
            transaction.execute(&format!("DELETE FROM {table_and_use}"), params![before, forgotten, most])?;
        }
        escalation::purge(&transaction)?;
        transaction.commit()?;
        Ok(purged)
    }
}

fn forget_notifications(db: &Connection, seqs: &[i64]) -> Result<usize, StoreError> {
    let numbers = (1..=PURGE_STATEMENT).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ");
    let sql = format!("DELETE FROM notification WHERE seq IN ({numbers})");
    let mut statement = db.prepare_cached(&sql)?;
    let mut forgotten = 0;
    for some in seqs.chunks(PURGE_STATEMENT) {
        // The last ones are filled up, so that it is one statement.
        let filled = some.iter().chain(some.iter().cycle()).take(PURGE_STATEMENT);
        let values: Vec<&dyn ToSql> = filled.map(|seq| seq as &dyn ToSql).collect();
        forgotten += statement.execute(values.as_slice())?;
    }
    Ok(forgotten)
}

/// Forgets claims of processes that died or were overtaken, and pauses and due times that lie further ahead than they were
/// set for because the clock went back. For whoever has just begun to deliver.
pub(super) fn recover(db: &Connection, now: i64) -> Result<usize, StoreError> {
    let orphans = message::forget_claims(db)?;
    pause::follow_clock(db, now)?;
    message::follow_clock(db, now)?;
    recovery::follow_clock(db, now)?;
    escalation::follow_clock(db, now)?;
    still::follow_clock(db, now)?;
    Ok(orphans)
}

/// Keeps a message of our own, in the caller's transaction. Two with one key are one message.
pub(super) fn keep_direct_message(
    db: &Transaction<'_>,
    message: &DirectMessage,
    (queue, mode, mentions): (&DeliveryQueue, MessageMode, &[String]),
    quiet: Duration,
    now: i64,
) -> Result<(), StoreError> {
    let waiting = NewDelivery::Waiting {
        queue: queue.clone(),
        mentions: mentions.to_vec(),
        annotation: None,
        mode,
        deferred: None,
    };
    let incoming = Incoming::DirectMessage(message.clone());
    let entry = NewEntry {
        id: SpoolId::fresh(),
        received: now,
        incoming,
        deliveries: vec![waiting],
        behind: BTreeSet::new(),
        is_repeated: false,
    };
    Import { db, quiet, now }.entries(&[entry]).map(drop)
}

/// The entries in their order, in parts in which no object is twice: what one of them writes is nothing that another one reads.
pub(super) fn runs<T>(batch: &[T], object: impl Fn(&T) -> String) -> impl Iterator<Item = &[T]> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        let mut objects = HashSet::new();
        let is_another = |entry: &&T| objects.insert(object(entry));
        let (entries, others) = rest.split_at(rest.iter().take(RUN_MAX).take_while(is_another).count());
        rest = others;
        (!entries.is_empty()).then_some(entries)
    })
}

/// A batch that is being imported.
#[derive(Clone, Copy)]
struct Import<'a> {
    db: &'a Transaction<'a>,
    quiet: Duration,
    now: i64,
}

impl Import<'_> {
    /// Of these no two are about one object. A server is asked together what is to be known of all of them.
    fn entries(self, entries: &[NewEntry]) -> Result<Vec<Imported>, StoreError> {
        let sql = "INSERT INTO notification (id, received, object, duplicate_key, contact, body, origin)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING RETURNING seq";
        let seqs = self.db.insert_each(sql, entries, |NewEntry { id, received, incoming, .. }, write| {
            write(params![
                id.as_str(),
                received,
                incoming.object_key(),
                duplicate::key(incoming),
                duplicate::contact(incoming),
                to_json(incoming)?,
                duplicate::origin(incoming)
            ])
        })?;
        let numbered = || entries.iter().zip(&seqs);
        let reads = || numbered().for_each(|(entry, seq)| seq.iter().for_each(|seq| self.ask(entry, *seq)));
        let import = |(entry, seq): (_, &Option<i64>)| match seq {
            Some(seq) => self.entry(entry, *seq).map(|()| Imported::New),
            None => Ok(Imported::Known),
        };
        self.db.ahead(reads, || numbered().map(import).collect())
    }

    /// What [`Self::entry`] reads, as far as it is known before.
    fn ask(self, entry: &NewEntry, seq: i64) {
        if let Incoming::Notification(notification) = &entry.incoming {
            history::ask(self.db, notification);
        }
        let _ = duplicate::is_history(self.db, entry, seq, None, self.now);
        let mut queues = HashSet::new();
        for delivery in &entry.deliveries {
            let NewDelivery::Waiting { queue, mode, deferred, .. } = delivery else { continue };
            // One that is there twice reads then what was written for the first.
            if queues.insert(queue) {
                let _ = duplicate::exists(self.db, &entry.incoming, seq, entry.received, queue);
                let _ = CauseChange::watch(self.db, queue, entry, *mode);
                let _ = duplicate::is_history(self.db, entry, seq, Some(queue), self.now);
                let assigner = PostAssigner {
                    db: self.db,
                    queue,
                    mode: *mode,
                    quiet: self.quiet,
                    now: self.now,
                    deferred: *deferred,
                    is_history: false,
                };
                assigner.ask(&entry.incoming);
            }
        }
    }

    fn entry(self, entry: &NewEntry, seq: i64) -> Result<(), StoreError> {
        let NewEntry { incoming, deliveries, .. } = entry;
        let object = incoming.object_key();
        if let Incoming::Notification(notification) = incoming
            && !duplicate::is_history(self.db, entry, seq, None, self.now)?
        {
            let first = deliveries.iter().find_map(NewDelivery::destination);
            let heard = Heard {
                notification,
                duplicate_key: &duplicate::key(incoming),
                contact: duplicate::contact(incoming),
                destination: first.as_deref(),
                now: self.now,
            };
            history::hear(self.db, &heard)?;
        }
        for delivery in deliveries {
            self.delivery(entry, seq, &object, delivery)?;
        }
        Ok(())
    }

    fn delivery(self, entry: &NewEntry, seq: i64, object: &str, delivery: &NewDelivery) -> Result<(), StoreError> {
        let Self { db, quiet, now } = self;
        let row = |queue: &DeliveryQueue, mentions: String, annotation: &Option<String>| NewDeliveryRow {
            seq,
            queue: queue.clone(),
            object: object.to_owned(),
            mentions,
            annotation: annotation.clone(),
            since: now,
        };
        match delivery {
            NewDelivery::Waiting { queue, mentions, annotation, mode, deferred } => {
                let mut row = row(queue, to_json(mentions)?, annotation);
                // Nothing is late, and nothing given up, because it could wait.
                row.since = deferred.unwrap_or(row.since);
                if duplicate::exists(db, &entry.incoming, seq, entry.received, queue)? {
                    let reason = match entry.incoming {
                        Incoming::Notification(_) => "shown once for all contacts",
                        Incoming::DirectMessage(_) => "known already",
                    };
                    let ended = Ended { state: DeliveryState::Merged, attempts: 0, reason };
                    return row.write_ended(db, ended, now);
                }
                let cause = CauseChange::watch(db, queue, entry, *mode)?;
                let is_history = duplicate::is_history(db, entry, seq, Some(queue), now)?;
                row.enqueue(
                    &PostAssigner { db, queue, mode: *mode, quiet, now, deferred: *deferred, is_history },
                    &entry.incoming,
                )?;
                cause.map_or(Ok(()), |cause| cause.show(&row, now))
            }
            NewDelivery::Dead { reason } => {
                let row = row(&DeliveryQueue::nowhere(), NOBODY.to_owned(), &None);
                row.write_ended(db, Ended { state: DeliveryState::Dead, attempts: 0, reason }, now)
            }
        }
    }
}
