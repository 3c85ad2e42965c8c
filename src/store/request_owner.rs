//! Which node carries out an action request, where nodes share the outbox.
//!
//! Any node keeps a click. One that has a way to the core takes it: it is the owner then, authorises it, sends the command
//! and confirms it. Only the owner changes a request, so no two send its command. A request whose owner died is taken over:
//! one that wasn't sent yet by any node, the others by the leader, which looks for their effect only.
//!
//! With a file there is one process, and the owner is empty.

use super::action::Transition;
use super::db::{Connection, OptionalExtension, Row, params};
use super::node::NODE_MAX;
use super::{Store, StoreError};
use crate::system::clock::millis;

/// So long a request waits for a node that has a way to its core; then the leader ends it.
const WAIT_MS: i64 = 5000;
/// So many are taken in one go.
const BATCH: u32 = 100;

/// A request that nobody carries out.
struct Unowned {
    id: i64,
    core: Option<String>,
    waits_long: bool,
}

impl Store {
    /// Carries out action requests in the name of this node.
    pub(crate) fn carry_out_as(&mut self, node: &str) {
        node.clone_into(&mut self.owner);
    }

    /// Takes the requests that are due and that nobody alive has taken: those of these cores, those of which only the
    /// outbox knows what they are about, and for the leader whatever has waited long enough.
    pub(crate) fn take_requests(&self, cores: &[String], leads: bool, now: i64) -> Result<(), StoreError> {
        if !self.db.is_shared() {
            return Ok(());
        }
        let is_ours =
            |one: &Unowned| one.core.as_ref().is_none_or(|core| cores.contains(core)) || leads && one.waits_long;
        // Most looks find nothing, and take no lock.
        if !self.unowned(now)?.iter().any(is_ours) {
            return Ok(());
        }
        let transaction = self.db.write_without_lease()?;
        let clock = self.db.clock();
        let sql = format!("UPDATE action_request SET owner = ?2, owned = {clock} WHERE id = ?1");
        for one in self.unowned(now)?.iter().filter(|one| is_ours(one)) {
            transaction.prepare_cached(&sql)?.execute(params![one.id, self.owner])?;
        }
        transaction.commit()
    }

    fn unowned(&self, now: i64) -> Result<Vec<Unowned>, StoreError> {
        let clock = self.db.clock();
        let sql = format!(
            "SELECT id, object, CASE WHEN due > owned THEN due ELSE owned END < {clock} - ?3 FROM action_request
             WHERE state <> 'done' AND state = 'new' AND due <= ?1 AND owner <> ?4
               AND (owner = '' OR owner NOT IN (SELECT name FROM node WHERE seen > {clock} - ?5)) ORDER BY id LIMIT ?2"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let read = |row: Row<'_>| {
            let object: String = row.get(1)?;
            let core = object.split_once('\u{1f}').map(|(core, _)| core.to_owned());
            Ok(Unowned { id: row.get(0)?, core, waits_long: row.get(2)? })
        };
        let values = params![now, BATCH, WAIT_MS, self.owner, millis(NODE_MAX)];
        statement.query_map(values, read)?.collect()
    }

    /// Leaves a request to a node that has a way to its core.
    pub(crate) fn release_request(&self, id: i64) -> Result<(), StoreError> {
        let clock = self.db.clock();
        let sql = format!("UPDATE action_request SET owner = '', owned = {clock} WHERE id = ?1 AND owner = ?2");
        self.db.execute(&sql, params![id, self.owner])?;
        Ok(())
    }

    /// Takes over the requests whose owner died, or that came with a file and have none: nobody knows whether their commands
    /// were sent. For the leader; how many.
    pub(crate) fn take_over_requests(&self, node: &str) -> Result<usize, StoreError> {
        if !self.db.is_shared() {
            return Ok(0);
        }
        let clock = self.db.clock();
        let of_the_dead = format!(
            "(state <> 'done' AND state IN ('sending', 'sent', 'parent') OR reply IS NOT NULL) AND owner <> ?1
               AND owner NOT IN (SELECT name FROM node WHERE seen > {clock} - ?2)"
        );
        let some = format!("SELECT EXISTS (SELECT 1 FROM action_request WHERE {of_the_dead})");
        let values = params![node, millis(NODE_MAX)];
        if !self.db.query_row(&some, values, |row| row.get::<bool>(0))? {
            return Ok(0);
        }
        let sql = format!(
            "UPDATE action_request SET owner = ?1, state = CASE WHEN state = 'sending' THEN 'sent' ELSE state END
             WHERE {of_the_dead}"
        );
        self.db.execute(&sql, values)
    }
}

/// An error where a request isn't this node's any more, or its command is being sent already for another request of the
/// same name: nothing of the step is kept, and the next look sees how things stand. The write lock makes it sure.
pub(super) fn check(db: &Connection, owner: &str, id: i64, transition: &Transition) -> Result<(), StoreError> {
    if !db.is_shared() {
        return Ok(());
    }
    let sql = "SELECT owner = ?2 FROM action_request WHERE id = ?1";
    let is_ours = db.prepare_cached(sql)?.query_row(params![id, owner], |row| row.get::<bool>(0)).optional()?;
    let may_send = !matches!(transition, Transition::Sending { .. }) || {
        let sql = "SELECT mine.state = 'new' AND NOT EXISTS (SELECT 1 FROM action_request other
                     WHERE other.state <> 'done' AND other.state IN ('sending', 'sent') AND other.id <> mine.id
                       AND other.object = mine.object AND other.name = mine.name)
                   FROM action_request mine WHERE mine.id = ?1";
        db.prepare_cached(sql)?.query_row([id], |row| row.get::<bool>(0)).optional()? == Some(true)
    };
    if is_ours == Some(true) && may_send { Ok(()) } else { Err(StoreError::Fenced) }
}
