//! Who delivers: with a file whoever holds the delivery lock, with a shared outbox the node that has the lease.
//!
//! The lease is a row with a number (its token) that grows with every holder, and a time by the database's clock. Whoever
//! takes it over does so under the write lock, and forgets all claims in the same transaction. So what an earlier holder
//! claimed can be recorded only as long as nobody took over, and it can claim nothing more.

use super::claim::Claimed;
use super::db::{OptionalExtension, Row, params};
use super::{Store, StoreError, message, outbox};
use crate::rules::lease::{TTL, Term};
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::system::clock::{self, millis};
use std::sync::Arc;
use std::time::Duration;

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

    /// Nobody records this attempt any more: with the lease's next renewal its message may be sent again.
    pub(crate) fn lose_claim(&self, claimed: &Claimed) {
        if let Some(term) = &self.0 {
            term.lose_claim(claimed.claim);
        }
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
    /// Action requests that nobody has begun.
    pub(crate) new_requests: i64,
    /// Grows with every delivery, whichever node wrote it.
    pub(crate) newest_delivery: i64,
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

    /// An error where somebody would claim without the right to.
    pub(super) fn check_leadership(&self, leadership: &Leadership) -> Result<(), StoreError> {
        self.lead(Some(leadership));
        if self.db.is_shared() && leadership.0.is_none() { Err(StoreError::Fenced) } else { Ok(()) }
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
            "UPDATE lease SET holder = ?1, token = token + 1, until = {clock} + ?2
             WHERE name = 'deliver' AND until <= {clock} RETURNING token"
        );
        let Some(token) = transaction.insert(&sql, params![holder, millis(TTL)])? else { return Ok(None) };
        let orphans = outbox::recover(&transaction, now)?;
        transaction.commit()?;
        Ok(Some((Leadership(Some(Arc::new(Term::new(token, attempt_began)))), orphans)))
    }

    /// Renews the lease, and forgets the claims whose fate is unknown. `false`: another node has it. It waits for no writer.
    pub(crate) fn renew_lease(&self, leadership: &Leadership) -> Result<bool, StoreError> {
        let Some(term) = &leadership.0 else { return Ok(true) };
        let attempt_began = clock::since_boot();
        let clock = self.db.clock();
        let sql =
            format!("UPDATE lease SET until = {clock} + ?2 WHERE name = 'deliver' AND token = ?1 RETURNING token");
        let renewed =
            self.db.query_row(&sql, [term.token(), millis(TTL)], |row| row.get::<i64>(0)).optional()?.is_some();
        if !renewed {
            term.end();
            return Ok(false);
        }
        term.renewed(attempt_began);
        for claim in term.take_lost_claims() {
            if let Err(e) = self.forget_claim(claim) {
                term.lose_claim(claim);
                return Err(e);
            }
        }
        Ok(true)
    }

    /// Gives the lease back: another node may take it at once.
    pub(crate) fn end_lease(&self, leadership: &Leadership) -> Result<(), StoreError> {
        let Some(term) = &leadership.0 else { return Ok(()) };
        term.end();
        let sql = "UPDATE lease SET until = 0 WHERE name = 'deliver' AND token = ?1 RETURNING token";
        self.db.query_row(sql, [term.token()], |_| Ok(())).optional()?;
        Ok(())
    }

    /// Looks at the lease, and whether there is something to do for whoever reaches a core.
    pub(crate) fn look_at_lease(&self, now: i64) -> Result<LeaseLook, StoreError> {
        let clock = self.db.clock();
        let sql = format!(
            "SELECT until <= {clock}, (SELECT COUNT(*) FROM action_request WHERE state <> 'done' AND state = 'new'
               AND due <= ?1), (SELECT COALESCE(MAX(id), 0) FROM delivery) FROM lease WHERE name = 'deliver'"
        );
        let read = |row: Row<'_>| {
            Ok(LeaseLook { is_free: row.get(0)?, new_requests: row.get(1)?, newest_delivery: row.get(2)? })
        };
        self.db.query_row(&sql, [now], read)
    }

    /// A claim of our own of which nobody knew whether it was kept: whatever it holds may be sent again.
    fn forget_claim(&self, claim: i64) -> Result<(), StoreError> {
        let transaction = self.db.write_without_lease()?;
        message::forget_claim(&transaction, claim)?;
        transaction.commit()
    }
}

/// A number for a claim, which no other one has.
pub(crate) fn fresh_claim() -> i64 {
    i64::try_from(clock::random() >> 1).unwrap_or(i64::MAX).max(1)
}

/// How long a node that went away is waited for.
pub(crate) const NODE_MAX: Duration = Duration::from_secs(15);
