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
//! - Writes that nobody asks back about go with the transaction's next statement, and reads that are known before go
//!   together ([`Link::ahead`]): a server may be far away, and what counts then is how often its answer is waited for.
//! - A statement that failed lets its transaction be undone: COMMIT would answer *done* to nothing.

mod ahead;
mod cells;
mod question;
pub(in crate::store) mod replication;
mod server;
mod tls;
mod transaction;

pub(in crate::store) use cells::cell;
pub(in crate::store) use server::Server;

use super::{Given, StoreError};
use ahead::Ahead;
use cells::numbered;
use question::{Answer, Around, Question, Wanted};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_postgres::{Client, Row};
use transaction::State;

/// So long one call waits for its answer, unless whoever opened the database has less.
const LIMIT: Duration = Duration::from_millis(4500);
/// Whoever wants an answer sooner than this would never get one from a server that is far away.
const LIMIT_MIN: Duration = Duration::from_millis(250);
/// The server's clock, in Unix ms: it goes on within a transaction.
pub(super) const CLOCK: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// A connection, made at its first use and anew after each failure.
pub(in crate::store) struct Link {
    server: Arc<Server>,
    waiter: Waiter,
    session: RefCell<Option<Session>>,
    transaction: Cell<State>,
    /// How many were made.
    connections: Cell<u64>,
    limit: Duration,
    /// Of the lease in whose name it writes.
    token: Cell<Option<i64>>,
    /// What goes with other calls.
    ahead: Ahead,
}

/// Drives a connection while somebody waits for it, on that thread.
struct Waiter {
    runtime: Option<Runtime>,
    /// How often somebody waited.
    #[cfg(test)]
    waits: Cell<usize>,
}

impl Waiter {
    /// What `work` comes to; [`Failure::Late`] if that takes until then.
    fn wait<T>(&self, until: Instant, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        #[cfg(test)]
        self.waits.set(self.waits.get() + 1);
        let Some(runtime) = &self.runtime else { return Err(Failure::Late) };
        runtime.block_on(async { tokio::time::timeout_at(until, work).await }).unwrap_or(Err(Failure::Late))
    }
}

impl Drop for Waiter {
    /// Not waiting for a look-up of the server's name that hangs in a thread of its own.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Session {
    client: Client,
    /// The half that reads and writes. It would wait for the answers that it owes, were it not ended.
    connection: AbortHandle,
    /// By their text: a statement is prepared once.
    statements: HashMap<String, Prepared>,
}

#[derive(Clone)]
struct Prepared {
    statement: tokio_postgres::Statement,
    /// The names of its parameters, in their order; none where they are numbered.
    names: Arc<[String]>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
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
        let runtime = runtime.map_err(|e| server.away(&format!("no connection can be made from here: {e}")))?;
        let (session, transaction) = (RefCell::new(None), Cell::new(State::Idle));
        Ok(Self {
            server,
            waiter: Waiter {
                runtime: Some(runtime),
                #[cfg(test)]
                waits: Cell::new(0),
            },
            session,
            transaction,
            connections: Cell::new(0),
            limit: patience.clamp(LIMIT_MIN, LIMIT),
            token: Cell::new(None),
            ahead: Ahead::default(),
        })
    }

    /// Another one to the same database.
    pub(in crate::store) fn beside(&self, patience: Duration) -> Result<Self, StoreError> {
        Self::new(self.server.clone(), patience)
    }

    pub(in crate::store) fn connections(&self) -> u64 {
        self.connections.get()
    }

    pub(in crate::store) fn server(&self) -> &Server {
        &self.server
    }

    /// The rows of a query that changes nothing.
    pub(super) fn query(&self, sql: &str, given: Given<'_>) -> Result<Arc<Vec<Row>>, StoreError> {
        let question = Question::of(sql, given)?;
        if self.ahead.is_rehearsing.get() {
            *self.ahead.asked.borrow_mut().entry(question).or_default() += 1;
            return Err(StoreError::NoRow);
        }
        self.check()?;
        if let Some(rows) = self.early(&question) {
            return Ok(rows);
        }
        Ok(Arc::new(self.ask(question, Wanted::Rows)?.rows()))
    }

    /// Changes rows; how many.
    pub(super) fn execute(&self, sql: &str, given: Given<'_>) -> Result<usize, StoreError> {
        let question = Question::of(sql, given)?;
        self.in_transaction(|| Ok(self.ask(question, Wanted::Count)?.count()))
    }

    /// See [`super::Connection::write_alone`].
    pub(super) fn write_alone(&self, sql: &str, given: Given<'_>) -> Result<usize, StoreError> {
        self.check()?;
        self.notice();
        let (question, is_sent) = ([Question::of(sql, given)?], Cell::new(false));
        let done = self.attempt(async |session: &mut Session| {
            session.prepare(sql).await?;
            is_sent.set(true);
            session.ask(Around::default(), &question, Wanted::Count).await
        });
        let lost = |failure| if is_sent.get() { self.uncommitted(failure) } else { self.explain(failure) };
        let (_, mut answers) = done.map_err(lost)?;
        Ok(answers.pop().map_or(0, Answer::count))
    }

    /// Lets the connection notice that the server has closed it, while nothing is under way that this could leave unsure.
    fn notice(&self) {
        let look = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        let (Ok(()) | Err(_)) = self.waiter.wait(Instant::now() + self.limit, look);
    }

    /// Changes rows, and gives what it returns of them.
    pub(super) fn write_query(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, StoreError> {
        let question = Question::of(sql, given)?;
        self.in_transaction(|| Ok(self.ask(question, Wanted::Rows)?.rows()))
    }

    /// Statements without parameters, in the open transaction or in one of their own.
    pub(in crate::store) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.in_transaction(|| {
            self.flush()?;
            self.repeatable(async |session: &mut Session| Ok(session.client.batch_execute(sql).await?))
        })
    }

    /// What the server takes a statement's parameters for.
    #[cfg(test)]
    pub(in crate::store) fn parameter_types(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        self.repeatable(async |session: &mut Session| {
            let prepared = session.prepare(sql).await?;
            Ok(prepared.statement.params().iter().map(|found| found.name().to_owned()).collect())
        })
    }

    /// How often it waited for the server until now.
    #[cfg(test)]
    pub(in crate::store) fn waits(&self) -> usize {
        self.waiter.waits.get()
    }

    /// Lets the connection notice what became of it, as while another answer was waited for.
    #[cfg(test)]
    pub(in crate::store) fn pause(&self) {
        let pause = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(())
        };
        let (Ok(()) | Err(_)) = self.waiter.wait(Instant::now() + self.limit, pause);
    }

    /// Does it on the connection that there is, or on a new one. Outside of a transaction it is done once more if the
    /// connection turns out to have been closed meanwhile; so `work` changes nothing, may be repeated, or is within a
    /// transaction.
    fn repeatable<T>(&self, work: impl AsyncFnMut(&mut Session) -> Result<T, Failure>) -> Result<T, StoreError> {
        self.attempt(work).map_err(|failure| {
            if self.transaction.get() != State::Idle {
                self.transaction.set(State::Failed);
            }
            self.explain(failure)
        })
    }

    fn attempt<T>(&self, mut work: impl AsyncFnMut(&mut Session) -> Result<T, Failure>) -> Result<T, Failure> {
        let until = Instant::now() + self.limit;
        let is_open = self.transaction.get() != State::Idle;
        let was_connected = self.session.borrow().is_some();
        match self.once(until, &mut work) {
            Err(Failure::Postgres(e)) if was_connected && !is_open && server::is_broken(&e) => {
                self.once(until, &mut work)
            }
            other => other,
        }
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
        let kept = self.session.take().filter(|session| !session.client.is_closed());
        if kept.is_none() && self.transaction.get() != State::Idle {
            return Err(Failure::Other(self.server.away("the connection broke")));
        }
        let mut session = match kept {
            Some(session) => session,
            None => self.waiter.wait(until, self.connect())?,
        };
        let done = self.waiter.wait(until, work(&mut session));
        // What was sent and not answered could be taken for the answer to the next call.
        let is_sound = match &done {
            Ok(_) | Err(Failure::Other(_)) => true,
            Err(Failure::Postgres(e)) => !server::is_broken(e),
            Err(Failure::Late) => false,
        };
        if is_sound {
            self.session.replace(Some(session));
        } else {
            self.close(Some(session));
        }
        done
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let (client, connection) = self.server.connect().await?;
        self.connections.set(self.connections.get() + 1);
        Ok(Session { client, connection, statements: HashMap::new() })
    }

    /// Closes a connection now, and with it whatever the server holds for it.
    fn close(&self, session: Option<Session>) {
        drop(session);
        let ended = async {
            tokio::task::yield_now().await;
            Ok(())
        };
        let (Ok(()) | Err(_)) = self.waiter.wait(Instant::now() + self.limit, ended);
    }
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
