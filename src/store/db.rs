//! The database below the outbox: `SQLite` in the state directory, or `PostgreSQL` for several listeners.
//!
//! There is one text of each statement. It names its parameters `?1` or `:name`, and what it says must mean the same to both:
//! no scalar `MIN` or `MAX`, no sum of conditions, no `INSERT OR …`, names for subselects, `RETURNING` for a row's number, and
//! columns that neither engine takes for a word of its own. `tests::statements` prepares each on both.
//!
//! Whoever writes holds the write lock: `SQLite` has one for the file ([`Connection::write`] takes it at its beginning), with
//! `PostgreSQL` it is a row of `lease`. So there is one writer at a time, and what a transaction has read stays true until it
//! commits, whatever the engine.

pub(super) mod postgres;
pub(super) mod sqlite;

use super::StoreError;
pub(super) use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
pub(super) use rusqlite::{named_params, params};
use std::sync::Arc;

/// What a conversion to a stored value gives.
pub(super) type ToSqlResult<'a> = rusqlite::Result<ToSqlOutput<'a>>;

/// An open database.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Link>),
}

/// A statement's parameters.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    Positional(&'a [&'a dyn ToSql]),
    Named(&'a [(&'a str, &'a dyn ToSql)]),
}

/// Whatever can be a statement's parameters: an array of one type, `params!` or `named_params!`.
pub(super) trait Params {
    fn give<R>(self, to: impl FnOnce(Given<'_>) -> R) -> R;
}

impl Params for &[&dyn ToSql] {
    fn give<R>(self, to: impl FnOnce(Given<'_>) -> R) -> R {
        to(Given::Positional(self))
    }
}

impl Params for &[(&str, &dyn ToSql)] {
    fn give<R>(self, to: impl FnOnce(Given<'_>) -> R) -> R {
        to(Given::Named(self))
    }
}

impl Params for [&dyn ToSql; 0] {
    fn give<R>(self, to: impl FnOnce(Given<'_>) -> R) -> R {
        to(Given::Positional(&[]))
    }
}

macro_rules! array_params {
    ($($n:literal)+) => {$(
        impl<T: ToSql> Params for [T; $n] {
            fn give<R>(self, to: impl FnOnce(Given<'_>) -> R) -> R {
                to(Given::Positional(&self.each_ref().map(|value| value as &dyn ToSql)))
            }
        }
    )+};
}
array_params!(1 2 3 4);

impl Connection {
    /// A statement that is prepared once and kept.
    pub(super) fn prepare_cached(&self, sql: &str) -> Result<Statement<'_>, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => Statement::Sqlite(FileStatement::Cached(db.prepare_cached(sql)?)),
            Self::Postgres(link) => Statement::Postgres(link, sql.to_owned()),
        })
    }

    /// A statement that is rarely needed.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => Statement::Sqlite(FileStatement::Once(db.prepare(sql)?)),
            Self::Postgres(link) => Statement::Postgres(link, sql.to_owned()),
        })
    }

    /// Changes rows; how many. Outside of a transaction it is one of its own.
    pub(super) fn execute(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        self.prepare(sql)?.execute(values)
    }

    /// Writes a row and gives its number; `None` where it was there already. The statement ends with `RETURNING` and the
    /// number's column.
    pub(super) fn insert(&self, sql: &str, values: impl Params) -> Result<Option<i64>, StoreError> {
        self.prepare_cached(sql)?.insert(values)
    }

    /// Writes a row for each entry and gives their numbers as [`Self::insert`] does. A server is asked once for many of them.
    pub(super) fn insert_each<T>(
        &self,
        sql: &str,
        entries: &[T],
        values: impl Fn(&T, &mut dyn FnMut(&[&dyn ToSql]) -> Result<(), StoreError>) -> Result<(), StoreError>,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        match self {
            Self::Sqlite(_) => {
                let (mut statement, mut numbers) = (self.prepare_cached(sql)?, Vec::with_capacity(entries.len()));
                for entry in entries {
                    values(entry, &mut |values| {
                        numbers.push(statement.insert(values)?);
                        Ok(())
                    })?;
                }
                Ok(numbers)
            }
            Self::Postgres(link) => {
                let each = link.write_queries(sql, |ask| {
                    entries.iter().try_for_each(|entry| values(entry, &mut |values| ask(Given::Positional(values))))
                })?;
                each.iter().map(|rows| rows.first().map(|row| postgres::cell(row, 0)).transpose()).collect()
            }
        }
    }

    /// Does `work`. On a server `reads` runs first, as a rehearsal: it changes nothing, every query in it finds no row, and its
    /// queries are only collected and then sent together. Where `work` makes the same query with the same values it gets that
    /// answer, once for each time it was rehearsed. So `work` must write nothing that changes one of these answers.
    pub(super) fn ahead<T, E: From<StoreError>>(
        &self,
        reads: impl FnOnce(),
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(_) => work(),
            Self::Postgres(link) => link.ahead(reads, work),
        }
    }

    /// Runs one statement that commits by itself; how many rows it changed. With a server it waits for no writer and asks for no
    /// lease. Where the connection breaks it may run twice, so that must come to the same (the number may be 0 then). Where its
    /// answer is lost: [`StoreError::Unknown`].
    pub(super) fn write_alone(&self, sql: &str, values: impl Params) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(_) => self.prepare_cached(sql)?.execute(values),
            Self::Postgres(link) => values.give(|given| link.write_alone(sql, given)),
        }
    }

    /// The first row.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.prepare(sql)?.query_row(values, read)
    }

    /// How many rows of a growing table are read at once. `SQLite` streams them; a server sends them all.
    pub(super) fn piece(&self) -> i64 {
        match self {
            Self::Sqlite(_) => i64::MAX,
            Self::Postgres(_) => 2000,
        }
    }

    /// Begins a transaction that may write: nobody else writes until it ends. Where this is a connection of a node that leads
    /// ([`Self::lead`]), it begins only while that node has the lease.
    pub(super) fn write(&self) -> Result<Transaction<'_>, StoreError> {
        self.write_ahead(|| {})
    }

    /// The same; see [`Self::ahead`] for `reads`, whose answers count until the transaction ends or asks ahead itself.
    pub(super) fn write_ahead(&self, reads: impl FnOnce()) -> Result<Transaction<'_>, StoreError> {
        match self {
            Self::Sqlite(_) => return self.write_without_lease(),
            Self::Postgres(link) => link.begin(reads)?,
        }
        Ok(Transaction(self))
    }

    /// A transaction for what any node may write.
    pub(super) fn write_without_lease(&self) -> Result<Transaction<'_>, StoreError> {
        self.write_without_lease_ahead(|| {})
    }

    /// The same; `reads` as with [`Self::write_ahead`].
    pub(super) fn write_without_lease_ahead(&self, reads: impl FnOnce()) -> Result<Transaction<'_>, StoreError> {
        match self {
            Self::Sqlite(db) => db.execute_batch("BEGIN IMMEDIATE")?,
            Self::Postgres(link) => link.begin_without_lease(reads)?,
        }
        Ok(Transaction(self))
    }

    /// From now on it writes as the holder of the lease with this number, or as any node does.
    pub(super) fn lead(&self, token: Option<i64>) {
        if let Self::Postgres(link) = self {
            link.lead(token);
        }
    }

    /// Whether what it writes now it writes as the holder of that lease. A file knows no lease.
    pub(super) fn leads_by(&self, token: Option<i64>) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(link) => token.is_some() && link.token() == token,
        }
    }

    /// Whether nodes may share it.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The database's own clock, in Unix ms, as a part of a statement.
    pub(super) fn clock(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            Self::Postgres(_) => postgres::CLOCK,
        }
    }

    /// Begins a transaction where no outbox may be yet, and so no write lock: two that make one wait for each other.
    pub(super) fn write_first(&self) -> Result<Transaction<'_>, StoreError> {
        match self {
            Self::Sqlite(_) => return self.write(),
            Self::Postgres(link) => link.begin_making()?,
        }
        Ok(Transaction(self))
    }

    /// Several statements without parameters.
    #[cfg(test)]
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => Ok(db.execute_batch(sql)?),
            Self::Postgres(link) => link.batch(sql),
        }
    }

    /// Differs when anybody else wrote since the last look. With a server it also differs when nothing of ours changed: the
    /// lease's renewal counts, and so do other databases there.
    pub(super) fn changes(&self) -> Result<i64, StoreError> {
        match self {
            // <https://sqlite.org/pragma.html#pragma_data_version>
            Self::Sqlite(db) => Ok(db.query_row("PRAGMA data_version", [], |row| row.get(0))?),
            // The next transaction's number grows with every one that writes.
            Self::Postgres(_) => {
                self.query_row("SELECT txid_snapshot_xmax(txid_current_snapshot())", [], |row| row.get(0))
            }
        }
    }
}

/// A transaction that writes; whatever is not committed is undone when it is dropped.
#[derive(Debug)]
pub(super) struct Transaction<'a>(&'a Connection);

impl Transaction<'_> {
    /// Makes it durable.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Connection::Sqlite(db) => Ok(db.execute_batch("COMMIT")?),
            Connection::Postgres(link) => link.commit(),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        match self.0 {
            // An error of COMMIT may leave it open.
            Connection::Sqlite(db) if !db.is_autocommit() => {
                let _ = db.execute_batch("ROLLBACK");
            }
            Connection::Sqlite(_) => {}
            Connection::Postgres(link) => link.roll_back(),
        }
    }
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

/// A prepared statement.
pub(super) enum Statement<'a> {
    Sqlite(FileStatement<'a>),
    Postgres(&'a postgres::Link, String),
}

/// One of `SQLite`'s: kept, or not.
pub(super) enum FileStatement<'a> {
    Cached(rusqlite::CachedStatement<'a>),
    Once(rusqlite::Statement<'a>),
}

impl<'a> FileStatement<'a> {
    fn get(&mut self) -> &mut rusqlite::Statement<'a> {
        match self {
            Self::Cached(statement) => statement,
            Self::Once(statement) => statement,
        }
    }

    fn query(&mut self, given: Given<'_>) -> Result<rusqlite::Rows<'_>, StoreError> {
        Ok(match given {
            Given::Positional(values) => self.get().query(values)?,
            Given::Named(values) => self.get().query(values)?,
        })
    }

    fn execute(&mut self, given: Given<'_>) -> Result<usize, StoreError> {
        Ok(match given {
            Given::Positional(values) => self.get().execute(values)?,
            Given::Named(values) => self.get().execute(values)?,
        })
    }
}

impl Statement<'_> {
    /// Its rows, to be read one after the other. All of them are in memory with `PostgreSQL`: whoever reads a table that
    /// grows for ever asks for a piece at a time.
    pub(super) fn query(&mut self, values: impl Params) -> Result<Rows<'_>, StoreError> {
        values.give(|given| {
            Ok(match self {
                Self::Sqlite(statement) => Rows::Sqlite(statement.query(given)?),
                Self::Postgres(link, sql) => Rows::Postgres { rows: link.query(sql, given)?, next: 0 },
            })
        })
    }

    /// Its rows, each read by `read`.
    pub(super) fn query_map<T, F: FnMut(Row<'_>) -> Result<T, StoreError>>(
        &mut self,
        values: impl Params,
        read: F,
    ) -> Result<MappedRows<'_, F>, StoreError> {
        Ok(MappedRows { rows: self.query(values)?, read })
    }

    /// The first row.
    pub(super) fn query_row<T>(
        &mut self,
        values: impl Params,
        read: impl FnOnce(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut rows = self.query(values)?;
        read(rows.next()?.ok_or(StoreError::NoRow)?)
    }

    /// Changes rows; how many.
    pub(super) fn execute(&mut self, values: impl Params) -> Result<usize, StoreError> {
        values.give(|given| match self {
            Self::Sqlite(statement) => statement.execute(given),
            Self::Postgres(link, sql) => link.execute(sql, given),
        })
    }

    /// Changes rows; how many isn't asked. With a server it is sent with the transaction's next statement or its COMMIT, which
    /// then has its error.
    pub(super) fn execute_later(&mut self, values: impl Params) -> Result<(), StoreError> {
        values.give(|given| match self {
            Self::Sqlite(statement) => statement.execute(given).map(drop),
            Self::Postgres(link, sql) => link.execute_later(sql, given),
        })
    }

    /// See [`Connection::insert`].
    pub(super) fn insert(&mut self, values: impl Params) -> Result<Option<i64>, StoreError> {
        values.give(|given| {
            let mut rows = match self {
                Self::Sqlite(statement) => Rows::Sqlite(statement.query(given)?),
                Self::Postgres(link, sql) => Rows::Postgres { rows: Arc::new(link.write_query(sql, given)?), next: 0 },
            };
            let number = rows.next()?.map(|row| row.get(0)).transpose()?;
            // SQLite ends the statement with the last row: what is wrong with it, or with its COMMIT, shows only then.
            if number.is_some() {
                rows.next()?;
            }
            Ok(number)
        })
    }
}

/// The rows of a query.
pub(super) enum Rows<'a> {
    Sqlite(rusqlite::Rows<'a>),
    Postgres { rows: Arc<Vec<tokio_postgres::Row>>, next: usize },
}

impl Rows<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, StoreError> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres { rows, next } => {
                let row = rows.get(*next);
                *next += 1;
                Ok(row.map(Row::Postgres))
            }
        }
    }
}

/// The rows of a query, each read by a function.
pub(super) struct MappedRows<'a, F> {
    rows: Rows<'a>,
    read: F,
}

impl<T, F: FnMut(Row<'_>) -> Result<T, StoreError>> Iterator for MappedRows<'_, F> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next() {
            Ok(None) => None,
            Ok(Some(row)) => Some((self.read)(row)),
            Err(e) => Some(Err(e)),
        }
    }
}

/// One row of a query.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of a column, counted from 0.
    pub(super) fn get<T: FromSql>(self, column: usize) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => postgres::cell(row, column),
        }
    }
}

/// For a row that may not be there.
pub(super) trait OptionalExtension<T> {
    fn optional(self) -> Result<Option<T>, StoreError>;
}

impl<T> OptionalExtension<T> for Result<T, StoreError> {
    fn optional(self) -> Result<Option<T>, StoreError> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(StoreError::NoRow) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
