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
            Self::Sqlite(db) => Statement::Cached(db.prepare_cached(sql)?),
            Self::Postgres(link) => Statement::Postgres(link, sql.to_owned()),
        })
    }

    /// A statement that is rarely needed.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'_>, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => Statement::Once(db.prepare(sql)?),
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

    /// The first row.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.prepare(sql)?.query_row(values, read)
    }

    /// So many rows of a table that grows are asked for at once: `SQLite` gives one after the other, a server all of them.
    pub(super) fn piece(&self) -> i64 {
        match self {
            Self::Sqlite(_) => i64::MAX,
            Self::Postgres(_) => 2000,
        }
    }

    /// Begins a transaction that may write: nobody else writes until it ends. Where this is a connection of a node that leads
    /// ([`Self::lead`]), it begins only while that node has the lease.
    pub(super) fn write(&self) -> Result<Transaction<'_>, StoreError> {
        match self {
            Self::Sqlite(_) => self.write_without_lease(),
            Self::Postgres(link) => {
                link.begin()?;
                Ok(Transaction { db: self, sqlite: None })
            }
        }
    }

    /// The same for what any node may write.
    pub(super) fn write_without_lease(&self) -> Result<Transaction<'_>, StoreError> {
        Ok(match self {
            Self::Sqlite(db) => {
                let immediate = rusqlite::TransactionBehavior::Immediate;
                Transaction { db: self, sqlite: Some(rusqlite::Transaction::new_unchecked(db, immediate)?) }
            }
            Self::Postgres(link) => {
                link.begin_without_lease()?;
                Transaction { db: self, sqlite: None }
            }
        })
    }

    /// From now on it writes as the holder of the lease with this number, or as any node does.
    pub(super) fn lead(&self, token: Option<i64>) {
        if let Self::Postgres(link) = self {
            link.lead(token);
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
            Self::Sqlite(_) => self.write(),
            Self::Postgres(link) => {
                link.begin_making()?;
                Ok(Transaction { db: self, sqlite: None })
            }
        }
    }

    /// Several statements without parameters.
    #[cfg(test)]
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => Ok(db.execute_batch(sql)?),
            Self::Postgres(link) => link.batch(sql),
        }
    }

    /// As people know it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sqlite(db) => db.path().unwrap_or_default().to_owned(),
            Self::Postgres(link) => link.server().to_string(),
        }
    }

    /// Differs when anybody else wrote since the last look.
    pub(super) fn changes(&self) -> Result<i64, StoreError> {
        match self {
            // <https://sqlite.org/pragma.html#pragma_data_version>
            Self::Sqlite(db) => Ok(db.query_row("PRAGMA data_version", [], |row| row.get(0))?),
            // The next transaction's number grows with every one that writes.
            Self::Postgres(_) => {
                let sql = "SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)";
                self.query_row(sql, [], |row| row.get(0))
            }
        }
    }
}

/// A transaction that writes; whatever is not committed is undone when it is dropped.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    db: &'a Connection,
    sqlite: Option<rusqlite::Transaction<'a>>,
}

impl Transaction<'_> {
    /// Makes it durable.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        match (self.db, self.sqlite.take()) {
            (_, Some(transaction)) => Ok(transaction.commit()?),
            (Connection::Postgres(link), None) => link.commit(),
            (Connection::Sqlite(_), None) => Ok(()),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Connection::Postgres(link) = self.db {
            link.roll_back();
        }
    }
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}

/// A prepared statement.
pub(super) enum Statement<'a> {
    Cached(rusqlite::CachedStatement<'a>),
    Once(rusqlite::Statement<'a>),
    Postgres(&'a postgres::Link, String),
}

impl<'a> Statement<'a> {
    /// Its rows, to be read one after the other. All of them are in memory with `PostgreSQL`: whoever reads a table that
    /// grows for ever asks for a piece at a time.
    pub(super) fn query(&mut self, values: impl Params) -> Result<Rows<'_>, StoreError> {
        values.give(|given| match self {
            Self::Postgres(link, sql) => Ok(Rows::Postgres { rows: link.query(sql, given)?, next: 0 }),
            _ => self.sqlite_query(given),
        })
    }

    fn sqlite_query(&mut self, given: Given<'_>) -> Result<Rows<'_>, StoreError> {
        let statement: &mut rusqlite::Statement<'a> = match self {
            Self::Cached(statement) => statement,
            Self::Once(statement) => statement,
            Self::Postgres(..) => return Ok(Rows::Postgres { rows: Vec::new(), next: 0 }),
        };
        Ok(Rows::Sqlite(match given {
            Given::Positional(values) => statement.query(values)?,
            Given::Named(values) => statement.query(values)?,
        }))
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
        values.give(|given| {
            let statement: &mut rusqlite::Statement<'_> = match self {
                Self::Cached(statement) => statement,
                Self::Once(statement) => statement,
                Self::Postgres(link, sql) => return link.execute(sql, given),
            };
            Ok(match given {
                Given::Positional(values) => statement.execute(values)?,
                Given::Named(values) => statement.execute(values)?,
            })
        })
    }

    /// See [`Connection::insert`].
    pub(super) fn insert(&mut self, values: impl Params) -> Result<Option<i64>, StoreError> {
        values.give(|given| {
            let mut rows = match self {
                Self::Postgres(link, sql) => Rows::Postgres { rows: link.write_query(sql, given)?, next: 0 },
                _ => self.sqlite_query(given)?,
            };
            rows.next()?.map(|row| row.get(0)).transpose()
        })
    }
}

/// The rows of a query.
pub(super) enum Rows<'a> {
    Sqlite(rusqlite::Rows<'a>),
    Postgres { rows: Vec<tokio_postgres::Row>, next: usize },
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
