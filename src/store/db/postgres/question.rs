//! Statements on their way to the server: many are sent before the first answer comes, so that they cost one round trip.

use super::cells::Cell;
use super::{Failure, Given, Prepared, Session, StoreError};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage};

/// A statement with its values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    sql: String,
    values: Vec<Cell>,
    /// Of each, where they have names.
    names: Vec<String>,
}

/// What of its answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Rows,
    Count,
}

/// What the server said.
#[derive(Debug)]
pub(super) enum Answer {
    Rows(Vec<Row>),
    Count(u64),
}

impl Answer {
    pub(super) fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Count(_) => Vec::new(),
        }
    }

    pub(super) fn count(self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
        }
    }
}

impl Question {
    pub(super) fn of(sql: &str, given: Given<'_>) -> Result<Self, StoreError> {
        let mut question = Self { sql: sql.to_owned(), values: Vec::new(), names: Vec::new() };
        match given {
            Given::Positional(values) => {
                question.values = values.iter().map(|value| Cell::of(*value)).collect::<Result<_, _>>()?;
            }
            Given::Named(values) => {
                for (name, value) in values {
                    question.values.push(Cell::of(*value)?);
                    question.names.push((*name).to_owned());
                }
            }
        }
        Ok(question)
    }

    /// About so many bytes wait with it.
    pub(super) fn size(&self) -> usize {
        self.values.iter().map(Cell::size).sum()
    }

    /// Its values in the order in which the statement names them, each as the type that it takes: the driver's own word for one
    /// that doesn't fit looks like a broken connection.
    fn for_statement(&self, prepared: &Prepared) -> Result<Vec<&(dyn ToSql + Sync)>, Failure> {
        let wrong = |text: String| Failure::Other(StoreError::Content(text));
        let wanted = prepared.statement.params();
        if wanted.len() != self.values.len() {
            return Err(wrong(format!("{} values for {} parameters", self.values.len(), wanted.len())));
        }
        let position = |number: usize| match prepared.names.get(number) {
            Some(name) => {
                let found = self.names.iter().position(|given| given == name);
                found.ok_or_else(|| wrong(format!("no value for the parameter {name}")))
            }
            None => Ok(number),
        };
        let found = wanted.iter().enumerate().map(|(number, wanted)| {
            let value = &self.values[position(number)?];
            if !value.fits(wanted) {
                return Err(wrong(format!("parameter {}: a value of another type than {wanted}", number + 1)));
            }
            Ok(value as &(dyn ToSql + Sync))
        });
        found.collect()
    }
}

/// Statements without parameters before and behind others; empty: none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around<'a> {
    pub(super) first: &'a str,
    pub(super) last: &'a str,
}

impl Session {
    /// Asks all of them in their order, and gives what each came to in that order, with what the first ones around them said.
    /// What `wanted` says is of the last; of those before it the rows.
    pub(super) async fn ask(
        &mut self,
        around: Around<'_>,
        questions: &[Question],
        wanted: Wanted,
    ) -> Result<(Vec<SimpleQueryMessage>, Vec<Answer>), Failure> {
        let mut prepared = Vec::with_capacity(questions.len());
        for question in questions {
            prepared.push(self.prepare(&question.sql).await?);
        }
        let values = questions.iter().zip(&prepared).map(|(question, prepared)| question.for_statement(prepared));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let client = &self.client;
        let first = Sent::begin(simple(client, around.first)).await;
        let mut sent = Vec::with_capacity(questions.len());
        for (number, (prepared, values)) in prepared.iter().zip(&values).enumerate() {
            let wanted = if number + 1 == questions.len() { wanted } else { Wanted::Rows };
            sent.push(Sent::begin(call(client, prepared, values, wanted)).await);
        }
        let last = Sent::begin(simple(client, around.last)).await;
        // The first one that failed is why those behind it did.
        let first = first.answer().await?;
        let mut answers = Vec::with_capacity(questions.len());
        for one in sent {
            answers.push(one.answer().await?);
        }
        last.answer().await?;
        Ok((first, answers))
    }
}

async fn simple(client: &Client, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
    if sql.is_empty() { Ok(Vec::new()) } else { client.simple_query(sql).await }
}

async fn call(
    client: &Client,
    prepared: &Prepared,
    values: &[&(dyn ToSql + Sync)],
    wanted: Wanted,
) -> Result<Answer, Error> {
    Ok(match wanted {
        Wanted::Rows => Answer::Rows(client.query(&prepared.statement, values).await?),
        Wanted::Count => Answer::Count(client.execute(&prepared.statement, values).await?),
    })
}

/// A call that was sent, and how it ended if it has.
struct Sent<F: Future>(Pin<Box<F>>, Option<F::Output>);

impl<F: Future> Sent<F> {
    /// A call is sent when it is asked for the first time.
    async fn begin(call: F) -> Self {
        let mut call = Box::pin(call);
        let asked = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        let ended = if let Poll::Ready(ended) = asked { Some(ended) } else { None };
        Self(call, ended)
    }

    async fn answer(self) -> F::Output {
        match self.1 {
            Some(ended) => ended,
            None => self.0.await,
        }
    }
}
