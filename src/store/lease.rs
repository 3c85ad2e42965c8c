//! Who delivers: with a file whoever holds the delivery lock, with a shared outbox the node that has the lease.
//!
//! The lease is a row with a random number (its token), another one for every holder, and a time by the database's clock:
//! a number that was counted up could be given twice, where a failover forgets the last holder. Whoever takes it over does so
//! under the write lock, and forgets all claims in the same transaction. So what an earlier holder claimed can be recorded
//! only as long as nobody took over, and it can claim nothing more.

use super::db::{Row, params};
use super::node::NODE_MAX;
use super::{Store, StoreError, outbox};
use crate::rules::lease::{TTL, Term};
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::system::clock::{self, millis};
use std::sync::Arc;

/// A lease that ends further ahead than this has ended: after a failover the new server's clock may be behind, and its
/// holder dead. One that is alive renews it long before two clocks differ so much unnoticed.
const AHEAD_MS: i64 = 20_000;

/// The right to deliver: nothing is claimed without it.
#[derive(Debug, Clone)]
pub(crate) struct Leadership(Option<Arc<Term>>);

impl Leadership {
    /// By the delivery lock. A shared outbox lets nobody claim by it.
    pub(crate) fn by_lock(_lock: &DeliveryLock) -> Self {
        Self(None)
    }

    /// Of an outbox in memory, which nobody else sees.
    pub(crate) fn of_a_temporary_outbox() -> Self {
        Self(None)
    }

    /// Whatever lease there is, for a test that has but one.
    #[cfg(test)]
    pub(crate) fn of_current_lease(store: &Store) -> Self {
        let sql = "SELECT token FROM lease WHERE name = 'deliver'";
        let token = store.db.query_row(sql, [], |row| row.get(0)).unwrap();
        Self(Some(Arc::new(Term::new(token, clock::since_boot()))))
    }

    /// The lease; `None`: the delivery lock needs none.
    pub(crate) fn term(&self) -> Option<&Arc<Term>> {
        self.0.as_ref()
    }

    /// Whether nobody else delivers now.
    pub(crate) fn is_sure(&self) -> bool {
        self.0.as_ref().is_none_or(|term| term.is_sure(clock::since_boot()))
    }

    /// Whether both are of the same lease.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.token() == other.token()
    }

    fn token(&self) -> Option<i64> {
        self.0.as_ref().map(|term| term.token())
    }
}

/// The lease as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseLook {
    /// It has ended, so whoever asks may take it.
    pub(crate) is_free: bool,
    /// There are action requests that nobody has begun.
    pub(crate) has_new_requests: bool,
    /// Grows with every delivery, whichever node wrote it.
    pub(crate) newest_delivery: i64,
    /// How many nodes live.
    pub(crate) nodes: i64,
    /// Another number than before: an installation was changed, or the database forgot a change.
    pub(crate) installs: i64,
}

impl Store {
    /// This connection writes as the leader from now on, or as any node does.
    pub(crate) fn lead(&self, leadership: Option<&Leadership>) {
        self.db.lead(leadership.and_then(Leadership::token));
    }

    /// Whether nodes may share this outbox, so that a lease says who delivers.
    pub(crate) fn is_shared(&self) -> bool {
        self.db.is_shared()
    }

    /// An error where somebody would claim without the right to, or on a connection that doesn't lead by it.
    pub(super) fn check_leadership(&self, leadership: &Leadership) -> Result<(), StoreError> {
        if self.db.leads_by(leadership.token()) { Ok(()) } else { Err(StoreError::Fenced) }
    }

    /// The database's clock, in Unix ms.
    pub(crate) fn database_ms(&self) -> Result<i64, StoreError> {
        let clock = self.db.clock();
        self.db.query_row(&format!("SELECT {clock}"), [], |row| row.get(0))
    }

    /// Takes the lease if it has ended, and forgets the claims of whoever had it; also gives how many those were. `now`: of the
    /// deliverer's clock.
    pub(crate) fn take_lease(&self, holder: &str, now: i64) -> Result<Option<(Leadership, usize)>, StoreError> {
        let attempt_began = clock::since_boot();
        let transaction = self.db.write_without_lease()?;
        let clock = self.db.clock();
        let sql = format!(
            "UPDATE lease SET holder = ?1, token = ?2, until = {clock} + ?3
             WHERE name = 'deliver' AND (until <= {clock} OR until > {clock} + ?4) RETURNING token"
        );
        let values = params![holder, fresh_claim(), millis(TTL), AHEAD_MS];
        let Some(token) = transaction.insert(&sql, values)? else { return Ok(None) };
        let orphans = outbox::recover(&transaction, now)?;
        transaction.commit()?;
        Ok(Some((Leadership(Some(Arc::new(Term::new(token, attempt_began)))), orphans)))
    }

    /// Renews the lease. `false`: another node has it. It waits for no writer.
    pub(crate) fn renew_lease(&self, leadership: &Leadership) -> Result<bool, StoreError> {
        let Some(term) = &leadership.0 else { return Ok(true) };
        let attempt_began = clock::since_boot();
        let clock = self.db.clock();
        let sql = format!("UPDATE lease SET until = {clock} + ?2 WHERE name = 'deliver' AND token = ?1");
        if self.db.write_alone(&sql, [term.token(), millis(TTL)])? == 0 {
            term.end();
            return Ok(false);
        }
        term.renewed(attempt_began);
        Ok(true)
    }

    /// Gives the lease back: another node may take it at once.
    pub(crate) fn end_lease(&self, leadership: &Leadership) -> Result<(), StoreError> {
        let Some(term) = &leadership.0 else { return Ok(()) };
        term.end();
        let sql = "UPDATE lease SET until = 0 WHERE name = 'deliver' AND token = ?1";
        self.db.write_alone(sql, [term.token()]).map(drop)
    }

    /// Looks at the lease, and whether there is something to do for whoever reaches a core.
    pub(crate) fn look_at_lease(&self, now: i64) -> Result<LeaseLook, StoreError> {
        let clock = self.db.clock();
        let sql = format!(
            "SELECT until <= {clock} OR until > {clock} + ?2, EXISTS (SELECT 1 FROM action_request WHERE state <> 'done'
               AND state = 'new' AND due <= ?1), (SELECT COALESCE(MAX(id), 0) FROM delivery),
               (SELECT COUNT(*) FROM node WHERE seen > {clock} - ?3),
               (SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM install) FROM lease WHERE name = 'deliver'"
        );
        let read = |row: Row<'_>| {
            let (is_free, has_new_requests) = (row.get(0)?, row.get(1)?);
            let (newest_delivery, nodes, installs) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(LeaseLook { is_free, has_new_requests, newest_delivery, nodes, installs })
        };
        self.db.query_row(&sql, [now, AHEAD_MS, millis(NODE_MAX)], read)
    }
}

/// A number for a claim or a lease, which no other one has.
pub(super) fn fresh_claim() -> i64 {
    i64::try_from(clock::random() >> 1).unwrap_or(i64::MAX).max(1)
}
