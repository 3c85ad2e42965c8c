//! Transactions on a connection: the write lock, the lease in whose name they write, and their end.

use super::question::{Around, Wanted};
use super::{CLOCK, Failure, Link, Session, StoreError, server};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::SimpleQueryMessage;

/// So long the server lets a statement run.
const STATEMENT_MAX: Duration = Duration::from_secs(4);
/// So long it lets a transaction wait for its next statement.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// Whether a transaction is open on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// None is open.
    Idle,
    Open,
    /// One is open, and can only be undone.
    Failed,
}

impl Link {
    /// Writes in the name of a lease from now on, or of none.
    pub(in crate::store::db) fn lead(&self, token: Option<i64>) {
        self.token.set(token);
    }

    /// The number of that lease.
    pub(in crate::store::db) fn token(&self) -> Option<i64> {
        self.token.get()
    }

    /// Begins a transaction and takes the write lock. Where this connection writes in the name of a lease: only while that
    /// is in force. Whoever takes it over needs the write lock for that, so it stays in force until the transaction ends.
    pub(in crate::store::db) fn begin(&self, reads: impl FnOnce()) -> Result<(), StoreError> {
        let Some(token) = self.token.get() else { return self.begin_without_lease(reads) };
        let lock =
            format!("{LOCK}; SELECT name FROM lease WHERE name = 'deliver' AND token = {token} AND until > {CLOCK}");
        let mut leads = false;
        self.begin_with(&lock, reads, |answer| {
            leads = has_row(answer, "deliver");
            has_row(answer, "write")
        })?;
        if leads {
            return Ok(());
        }
        self.roll_back();
        Err(StoreError::Fenced)
    }

    /// The same for what any node may write.
    pub(in crate::store::db) fn begin_without_lease(&self, reads: impl FnOnce()) -> Result<(), StoreError> {
        self.begin_with(LOCK, reads, |answer| has_row(answer, "write"))
    }

    /// Begins a transaction before there are tables, for whoever makes them. A second one waits for its end.
    pub(in crate::store) fn begin_making(&self) -> Result<(), StoreError> {
        self.begin_with("SELECT pg_advisory_xact_lock(7221173)", || {}, |_| true)
    }

    fn begin_with(
        &self,
        lock: &str,
        reads: impl FnOnce(),
        has_lock: impl FnOnce(&[SimpleQueryMessage]) -> bool,
    ) -> Result<(), StoreError> {
        self.check()?;
        if self.transaction.get() != State::Idle {
            return Err(StoreError::Content("a transaction within another one".to_owned()));
        }
        self.ahead.answers.take();
        // The server says so before we give up.
        let lock_ms = (self.limit * 4 / 5).min(STATEMENT_MAX).as_millis();
        let (statement_ms, idle_ms) = (STATEMENT_MAX.as_millis(), IDLE_MAX.as_millis());
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {lock_ms}; SET LOCAL statement_timeout = {statement_ms};
             SET LOCAL idle_in_transaction_session_timeout = {idle_ms}; {BY_INDEX}; {lock}"
        );
        let (reads, counts) = self.rehearse(reads);
        let around = Around { first: &sql, last: "" };
        let begun = self.repeatable(async |session: &mut Session| session.ask(around, &reads, Wanted::Rows).await);
        match begun {
            Ok((answer, answers)) if has_lock(&answer) => {
                self.transaction.set(State::Open);
                self.keep(reads, answers, counts);
                Ok(())
            }
            Ok(_) => {
                self.undo();
                Err(self.server.away("its row of the write lock is missing; `ackbell database init` makes it"))
            }
            // The server may have begun it and failed to lock, as where another node wrote all the while.
            Err(e) => {
                self.undo();
                Err(e)
            }
        }
    }

    /// Makes the transaction durable.
    pub(in crate::store) fn commit(&self) -> Result<(), StoreError> {
        self.check()?;
        let (session, later) = (self.session.take(), self.ahead.later.take());
        self.ahead.answers.take();
        let Some(mut session) = session else { return Err(self.server.away("the connection broke")) };
        // Behind a statement that failed the server takes COMMIT for ROLLBACK, and the statement's error is what counts.
        let commit = Around { first: "", last: "COMMIT" };
        let done = self.waiter.wait(Instant::now() + self.limit, session.ask(commit, &later, Wanted::Rows));
        self.transaction.set(State::Idle);
        match done {
            Ok(_) => {
                self.session.replace(Some(session));
                Ok(())
            }
            Err(failure) => {
                self.close(Some(session));
                Err(self.uncommitted(failure))
            }
        }
    }

    /// The server's own word says that it was undone. After any other answer, and after none, nobody knows.
    pub(super) fn uncommitted(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Postgres(e) if e.as_db_error().is_some_and(server::is_certain) => self.server.error(&e),
            Failure::Other(e) => e,
            _ => StoreError::Unknown(self.server.to_string()),
        }
    }

    /// Undoes the transaction, if one is open.
    pub(in crate::store) fn roll_back(&self) {
        if self.transaction.replace(State::Idle) != State::Idle {
            self.undo();
        }
    }

    /// Undoes whatever the server has begun on this connection.
    pub(super) fn undo(&self) {
        self.ahead.later.take();
        self.ahead.answers.take();
        let Some(session) = self.session.take() else { return };
        let undone = self
            .waiter
            .wait(Instant::now() + self.limit, async { Ok(session.client.batch_execute("ROLLBACK").await?) });
        // Closing the connection undoes it as well.
        match undone {
            Ok(()) => drop(self.session.replace(Some(session))),
            Err(_) => self.close(Some(session)),
        }
    }

    /// An error in a transaction that has failed: a statement of it must never run on another connection, by itself.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.transaction.get() {
            _ if self.ahead.is_rehearsing.get() => Err(StoreError::NoRow),
            State::Idle | State::Open => Ok(()),
            State::Failed => Err(self.server.away("a step before failed, and all of it is undone")),
        }
    }

    /// Does it in the open transaction, or in one of its own.
    pub(super) fn in_transaction<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.check()?;
        if self.transaction.get() == State::Open {
            return work();
        }
        self.begin(|| {})?;
        match work() {
            Ok(done) => self.commit().map(|()| done),
            Err(e) => {
                self.roll_back();
                Err(e)
            }
        }
    }
}

/// A plan that was made while a table was empty reads all of it when it is full, until the server looks at the table: some
/// minutes of a storm. All that is read here has its index. Reads outside of a transaction go without it.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

/// Takes the write lock.
const LOCK: &str = "SELECT name FROM lease WHERE name = 'write' FOR UPDATE";

/// Whether the answer has a row that begins so.
fn has_row(answer: &[SimpleQueryMessage], name: &str) -> bool {
    answer.iter().any(|line| matches!(line, SimpleQueryMessage::Row(row) if row.get(0) == Some(name)))
}
