//! A connection to `PostgreSQL` in which every wait has an end.
//!
//! `tokio-postgres` is driven from here, a call at a time: whoever calls waits for its answer, for as long as a step of the
//! outbox may take and no longer. A connection that gave no answer in time isn't used again; the next use makes another one.
//!
//! - A transaction begins with the write lock, which is a row (`lease`, *write*) and not one of the server's session locks:
//!   those get lost behind a pooler and in a failover. Its time limits are set in it, so a session has no state but its
//!   prepared statements.
//! - A node that stops in its transaction holds the others up for [`IDLE_MAX`]; then the server ends it.
//! - Where the answer to COMMIT is lost, nobody here knows whether it was kept: [`StoreError::Unknown`]. Everything else that
//!   fails wasn't kept.
//! - A statement that failed lets its transaction be undone: COMMIT would answer *done* to nothing.

mod cells;
mod server;
mod tls;

pub(in crate::store) use cells::cell;
pub(in crate::store) use server::Server;

use super::{Given, StoreError};
use cells::{Cell as Value, numbered};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, SimpleQueryMessage};

/// So long one call waits for its answer, unless whoever opened the database has less.
const LIMIT: Duration = Duration::from_millis(4500);
/// Whoever wants an answer sooner than this would never get one from a server that is far away.
const LIMIT_MIN: Duration = Duration::from_millis(250);
/// So long the server lets a transaction wait for its next statement, and a statement run.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// The server's clock, in Unix ms: it goes on within a transaction.
pub(super) const CLOCK: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// A connection, made at its first use and anew after each failure.
pub(in crate::store) struct Link {
    server: Arc<Server>,
    runtime: Runtime,
    session: RefCell<Option<Session>>,
    transaction: Cell<State>,
    limit: Duration,
    /// Of the lease in whose name it writes.
    token: Cell<Option<i64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// None is open.
    Idle,
    Open,
    /// One is open, and can only be undone.
    Failed,
}

struct Session {
    client: Client,
    /// By their text: a statement is prepared once.
    statements: HashMap<String, Prepared>,
}

#[derive(Clone)]
struct Prepared {
    statement: tokio_postgres::Statement,
    /// The names of its parameters, in their order; none where they are numbered.
    names: Arc<[String]>,
}

/// A call failed.
enum Failure {
    /// The server said so, or the connection broke.
    Postgres(tokio_postgres::Error),
    Late,
    Other(StoreError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(e: tokio_postgres::Error) -> Self {
        Self::Postgres(e)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("server", &self.server)
            .field("transaction", &self.transaction)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A connection to be. `patience`: how long one call may take at most.
    pub(in crate::store) fn new(server: Arc<Server>, patience: Duration) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| server.away(&format!("this machine gives it no thread: {e}")))?;
        let (session, transaction) = (RefCell::new(None), Cell::new(State::Idle));
        let (limit, token) = (patience.clamp(LIMIT_MIN, LIMIT), Cell::new(None));
        Ok(Self { server, runtime, session, transaction, limit, token })
    }

    /// Another one to the same database.
    pub(in crate::store) fn beside(&self, patience: Duration) -> Result<Self, StoreError> {
        Self::new(self.server.clone(), patience)
    }

    pub(in crate::store) fn server(&self) -> &Server {
        &self.server
    }

    /// The rows of a query that changes nothing.
    pub(super) fn query(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, StoreError> {
        self.check()?;
        let values = Values::of(given)?;
        self.repeatable(async |session: &mut Session| {
            let prepared = session.prepare(sql).await?;
            let values = values.for_statement(&prepared)?;
            Ok(session.client.query(&prepared.statement, &values).await?)
        })
    }

    /// Changes rows; how many.
    pub(super) fn execute(&self, sql: &str, given: Given<'_>) -> Result<usize, StoreError> {
        let values = Values::of(given)?;
        let changed = self.in_transaction(async |session: &mut Session| {
            let prepared = session.prepare(sql).await?;
            let values = values.for_statement(&prepared)?;
            Ok(session.client.execute(&prepared.statement, &values).await?)
        })?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Changes rows, and gives what it returns of them.
    pub(super) fn write_query(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, StoreError> {
        let values = Values::of(given)?;
        self.in_transaction(async |session: &mut Session| {
            let prepared = session.prepare(sql).await?;
            let values = values.for_statement(&prepared)?;
            Ok(session.client.query(&prepared.statement, &values).await?)
        })
    }

    /// Statements without parameters, in the open transaction.
    pub(in crate::store) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction(async |session: &mut Session| Ok(session.client.batch_execute(sql).await?))
    }

    /// What the server takes a statement's parameters for.
    #[cfg(test)]
    pub(in crate::store) fn parameter_types(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        self.repeatable(async |session: &mut Session| {
            let prepared = session.prepare(sql).await?;
            Ok(prepared.statement.params().iter().map(|found| found.name().to_owned()).collect())
        })
    }

    /// Writes in the name of a lease from now on, or of none.
    pub(super) fn lead(&self, token: Option<i64>) {
        self.token.set(token);
    }

    /// Begins a transaction and takes the write lock. Where this connection writes in the name of a lease: only while that
    /// is in force. Whoever takes it over needs the write lock for that, so it stays in force until the transaction ends.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        let Some(token) = self.token.get() else { return self.begin_without_lease() };
        let lock =
            format!("{LOCK}; SELECT name FROM lease WHERE name = 'deliver' AND token = {token} AND until > {CLOCK}");
        let mut leads = false;
        self.begin_with(&lock, |answer| {
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
    pub(super) fn begin_without_lease(&self) -> Result<(), StoreError> {
        self.begin_with(LOCK, |answer| has_row(answer, "write"))
    }

    /// Begins a transaction where there is no write lock yet; others who do so wait.
    pub(in crate::store) fn begin_making(&self) -> Result<(), StoreError> {
        self.begin_with("SELECT pg_advisory_xact_lock(7221173)", |_| true)
    }

    fn begin_with(&self, lock: &str, has_lock: impl FnOnce(&[SimpleQueryMessage]) -> bool) -> Result<(), StoreError> {
        if self.transaction.get() != State::Idle {
            return Err(StoreError::Content("a transaction within another one".to_owned()));
        }
        let lock_ms = self.limit.min(IDLE_MAX).as_millis();
        let idle_ms = IDLE_MAX.as_millis();
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = {lock_ms}; SET LOCAL statement_timeout = {idle_ms};
             SET LOCAL idle_in_transaction_session_timeout = {idle_ms}; {lock}"
        );
        // The server may have begun it and failed to lock: then this session isn't used again, which ends it.
        let begun = self.repeatable(async |session: &mut Session| Ok(session.client.simple_query(&sql).await?));
        match begun {
            Ok(answer) if has_lock(&answer) => {
                self.transaction.set(State::Open);
                Ok(())
            }
            Ok(_) => {
                self.session.take();
                Err(self.server.away("its row of the write lock is missing; `ackbell database init` makes it"))
            }
            Err(e) => {
                self.session.take();
                Err(e)
            }
        }
    }

    /// Makes the transaction durable.
    pub(in crate::store) fn commit(&self) -> Result<(), StoreError> {
        self.check()?;
        let session = self.session.take();
        let Some(session) = session else { return Err(self.server.away("the connection broke")) };
        let done = self.wait(Instant::now() + self.limit, async { Ok(session.client.batch_execute("COMMIT").await?) });
        self.transaction.set(State::Idle);
        match done {
            Ok(()) => {
                self.session.replace(Some(session));
                Ok(())
            }
            // The server's own word: it was undone. After any other answer, and after none, nobody knows.
            Err(Failure::Postgres(e)) if e.as_db_error().is_some_and(server::is_certain) => Err(self.server.error(&e)),
            Err(_) => Err(StoreError::Unknown(self.server.to_string())),
        }
    }

    /// Undoes the transaction, if one is open.
    pub(in crate::store) fn roll_back(&self) {
        if self.transaction.replace(State::Idle) == State::Idle {
            return;
        }
        let Some(session) = self.session.take() else { return };
        let undone =
            self.wait(Instant::now() + self.limit, async { Ok(session.client.batch_execute("ROLLBACK").await?) });
        // Closing the connection undoes it as well.
        if undone.is_ok() {
            self.session.replace(Some(session));
        }
    }

    /// An error in a transaction that has failed: a statement of it must never run on another connection, by itself.
    fn check(&self) -> Result<(), StoreError> {
        match self.transaction.get() {
            State::Idle | State::Open => Ok(()),
            State::Failed => Err(self.server.away("a step before failed, and all of it is undone")),
        }
    }

    /// Does it in the open transaction, or in one of its own.
    fn in_transaction<T>(&self, work: impl AsyncFnMut(&mut Session) -> Result<T, Failure>) -> Result<T, StoreError> {
        self.check()?;
        if self.transaction.get() == State::Open {
            return self.repeatable(work);
        }
        self.begin()?;
        let done = self.repeatable(work);
        match done {
            Ok(done) => self.commit().map(|()| done),
            Err(e) => {
                self.roll_back();
                Err(e)
            }
        }
    }

    /// Does it on the connection that there is, or on a new one. Outside of a transaction it is done once more if the
    /// connection turns out to have been closed meanwhile; so `work` changes nothing, or is within a transaction.
    fn repeatable<T>(&self, mut work: impl AsyncFnMut(&mut Session) -> Result<T, Failure>) -> Result<T, StoreError> {
        let until = Instant::now() + self.limit;
        let is_open = self.transaction.get() != State::Idle;
        let was_connected = self.session.borrow().is_some();
        let first = self.once(until, &mut work);
        let result = match first {
            Err(Failure::Postgres(e)) if was_connected && !is_open && server::is_broken(&e) => {
                self.once(until, &mut work)
            }
            other => other,
        };
        result.map_err(|failure| {
            if is_open {
                self.transaction.set(State::Failed);
            }
            self.explain(failure)
        })
    }

    fn explain(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Postgres(e) => self.server.error(&e),
            Failure::Late => self.server.away(&format!("it gave no answer within {:.1} s", self.limit.as_secs_f32())),
            Failure::Other(e) => e,
        }
    }

    fn once<T>(
        &self,
        until: Instant,
        work: &mut impl AsyncFnMut(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let held = self.session.take().filter(|session| !session.client.is_closed());
        if held.is_none() && self.transaction.get() != State::Idle {
            return Err(Failure::Other(self.server.away("the connection broke")));
        }
        let mut session = match held {
            Some(session) => session,
            None => self.wait(until, async {
                Ok(Session { client: self.server.connect().await?, statements: HashMap::new() })
            })?,
        };
        let done = self.wait(until, work(&mut session));
        // What was sent and not answered could be taken for the answer to the next call.
        let is_sound = match &done {
            Ok(_) | Err(Failure::Other(_)) => true,
            Err(Failure::Postgres(e)) => !server::is_broken(e),
            Err(Failure::Late) => false,
        };
        if is_sound {
            self.session.replace(Some(session));
        }
        done
    }

    fn wait<T>(&self, until: Instant, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime.block_on(async { tokio::time::timeout_at(until, work).await }).unwrap_or(Err(Failure::Late))
    }
}

/// Takes the write lock.
const LOCK: &str = "SELECT name FROM lease WHERE name = 'write' FOR UPDATE";

/// Whether the answer has a row that begins so.
fn has_row(answer: &[SimpleQueryMessage], name: &str) -> bool {
    answer.iter().any(|line| matches!(line, SimpleQueryMessage::Row(row) if row.get(0) == Some(name)))
}

impl Session {
    async fn prepare(&mut self, sql: &str) -> Result<Prepared, Failure> {
        if let Some(prepared) = self.statements.get(sql) {
            return Ok(prepared.clone());
        }
        let (text, names) = numbered(sql);
        let prepared = Prepared { statement: self.client.prepare(&text).await?, names: names.into() };
        self.statements.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

/// The parameters of one call.
struct Values<'a> {
    values: Vec<Value<'a>>,
    /// Of each, where they have names.
    names: Vec<&'a str>,
}

impl<'a> Values<'a> {
    fn of(given: Given<'a>) -> Result<Self, StoreError> {
        let mut all = Values { values: Vec::new(), names: Vec::new() };
        match given {
            Given::Positional(values) => {
                for value in values {
                    all.values.push(Value::of(*value)?);
                }
            }
            Given::Named(values) => {
                for (name, value) in values {
                    all.values.push(Value::of(*value)?);
                    all.names.push(name);
                }
            }
        }
        Ok(all)
    }

    /// In the order in which the statement names them. Values that it doesn't use are left out, as `SQLite` takes more than
    /// a statement's highest number only from us.
    fn for_statement(&self, prepared: &Prepared) -> Result<Vec<&(dyn ToSql + Sync)>, Failure> {
        let missing = |name: &str| Failure::Other(StoreError::Content(format!("no value for the parameter {name}")));
        if prepared.names.is_empty() {
            let wanted = prepared.statement.params().len();
            let values = self.values.get(..wanted).ok_or_else(|| missing(&format!("?{wanted}")))?;
            return Ok(values.iter().map(|value| value as &(dyn ToSql + Sync)).collect());
        }
        let found = prepared.names.iter().map(|name| {
            let at = self.names.iter().position(|given| *given == name.as_str()).ok_or_else(|| missing(name))?;
            self.values.get(at).map(|value| value as &(dyn ToSql + Sync)).ok_or_else(|| missing(name))
        });
        found.collect()
    }
}
