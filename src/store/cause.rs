//! Hosts that are down, and the cards of what hangs below them.
//!
//! A card says what it hangs below when it is sent. When that changes without a word of the core about the card's own object, the
//! card is brought up to date in the import's transaction, so that no crash leaves a cause on it that is over.

use super::assign_post::Assignment;
use super::db::{Connection, OptionalExtension, Transaction, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::new_delivery::{NOBODY, NewDeliveryRow};
use super::outbox::NewEntry;
use super::{Store, StoreError, from_json};
use crate::model::notification::Kind;
use crate::model::problem::Problem;
use std::collections::BTreeSet;

/// So many cards are edited when a host above them goes down or comes back: Slack takes about one edit a second, and more
/// together are a storm, which has a message of its own.
const CARDS_MAX: usize = 100;

/// The open problem of a host, and where its message is.
#[derive(Debug, Clone)]
pub(crate) struct HostProblem {
    pub(crate) problem: Problem,
    /// Channel and `ts`; of a message that can't be named, or isn't sent yet, neither.
    pub(crate) message: Option<(String, String)>,
}

impl Store {
    /// The open problem of a host in a queue, by the host's key.
    pub(crate) fn host_problem(&self, queue: &DeliveryQueue, host: &str) -> Result<Option<HostProblem>, StoreError> {
        let sql = "SELECT p.problem, COALESCE(g.channel, p.channel), COALESCE(g.ts, p.ts)
            FROM post p LEFT JOIN digest g ON g.id = p.digest
            WHERE p.integration = ?1 AND p.target = ?2 AND p.object = ?3 AND p.open = 1 ORDER BY p.id DESC LIMIT 1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![queue.integration, queue.target, host])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let message: Option<String> = row.get(1)?;
        let problem = from_json(&row.get::<String>(0)?)?;
        Ok(Some(HostProblem { problem, message: message.zip(row.get(2)?) }))
    }
}

/// A host's notification that may change the cause of others.
pub(super) struct CauseChange<'a> {
    db: &'a Transaction<'a>,
    queue: &'a DeliveryQueue,
    object: String,
    host: &'a str,
    behind: &'a BTreeSet<String>,
    /// How bad the host was before.
    rank: i64,
}

impl<'a> CauseChange<'a> {
    /// Looks at the host before the notification counts; `None` where nothing can change.
    pub(super) fn watch(
        db: &'a Transaction<'a>,
        queue: &'a DeliveryQueue,
        entry: &'a NewEntry,
        mode: MessageMode,
    ) -> Result<Option<Self>, StoreError> {
        let Some(notification) = entry.incoming.notification() else { return Ok(None) };
        let is_state = matches!(notification.kind, Kind::Problem | Kind::Recovery) && notification.service.is_none();
        if !is_state || !mode.is_editable() {
            return Ok(None);
        }
        let object = notification.object_key();
        let rank = rank(db, queue, &object)?;
        Ok(Some(Self { db, queue, object, host: &notification.host.name, behind: &entry.behind, rank }))
    }

    /// Lets the cards below it be edited, if it is better or worse now. `row` is the notification's.
    pub(super) fn show(self, row: &NewDeliveryRow, now: i64) -> Result<(), StoreError> {
        if rank(self.db, self.queue, &self.object)? == self.rank {
            return Ok(());
        }
        // By the index of objects: a storm of hosts must not look at every card of the channel each time.
        let sql = "SELECT id, object FROM post WHERE integration = ?1 AND target = ?2 AND object >= ?3 AND object < ?4
                     AND open = 1 AND digest IS NULL AND shown > 0 AND ts IS NOT NULL AND object <> ?5";
        let core = self.object.split('\u{1f}').next().unwrap_or_default();
        let mut cards: Vec<(i64, String)> = Vec::new();
        for host in std::iter::once(self.host).chain(self.behind.iter().map(String::as_str)) {
            if cards.len() >= CARDS_MAX {
                break;
            }
            // The host's own key and those of its services: a blank is the first sign behind the separator.
            let (from, to) = (format!("{core}\u{1f}{host}\u{1f}"), format!("{core}\u{1f}{host}\u{20}"));
            let mut statement = self.db.prepare_cached(sql)?;
            let values = params![self.queue.integration, self.queue.target, from, to, self.object];
            let found = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
            cards.extend(found.collect::<Result<Vec<_>, _>>()?);
        }
        for (post, object) in cards {
            let sql = "UPDATE post SET version = version + 1, updated = ?2 WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute_later(params![post, now])?;
            let below = NewDeliveryRow { object, annotation: None, ..row.clone() };
            below.write_waiting(
                self.db,
                NOBODY,
                &Assignment { post, is_new: false, digest: None, has_line: false, urgency: 0 },
            )?;
        }
        Ok(())
    }
}

/// How bad an object's open problem is; 0 where it has none.
fn rank(db: &Connection, queue: &DeliveryQueue, object: &str) -> Result<i64, StoreError> {
    let sql = "SELECT rank FROM post WHERE integration = ?1 AND target = ?2 AND object = ?3 AND open = 1
               ORDER BY id DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_row(params![queue.integration, queue.target, object], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}
