//! What is sent with other statements: writes that nobody asks back about, and reads that are known before they are made.

use super::question::{Answer, Around, Question, Wanted};
use super::{Given, Link, Session, State, StoreError};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::Row;

/// So many writes, or bytes of them, wait at most until they are sent.
const LATER_MAX: usize = 200;
const LATER_BYTES_MAX: usize = 1 << 20;

/// The rows of an answer, and how often it counts.
type Early = (Arc<Vec<Row>>, usize);

/// What a connection keeps for it.
#[derive(Default)]
pub(super) struct Ahead {
    /// Writes of the open transaction that weren't sent yet.
    pub(super) later: RefCell<Vec<Question>>,
    /// While reads are rehearsed they are only noted, each with how often; and nothing is written.
    pub(super) is_rehearsing: Cell<bool>,
    pub(super) asked: RefCell<HashMap<Question, usize>>,
    /// Answers to reads that were asked ahead, each with how often it counts.
    pub(super) answers: RefCell<HashMap<Question, Early>>,
}

impl Link {
    /// Changes rows, in an open transaction at the latest with its next statement or its COMMIT.
    pub(in crate::store::db) fn execute_later(&self, sql: &str, given: Given<'_>) -> Result<(), StoreError> {
        if self.transaction.get() != State::Open {
            return self.execute(sql, given).map(drop);
        }
        self.check()?;
        let mut later = self.ahead.later.borrow_mut();
        later.push(Question::of(sql, given)?);
        let is_much = is_much(&later);
        drop(later);
        if is_much { self.flush() } else { Ok(()) }
    }

    /// Writes a row for each of these values, in few round trips; the rows that come back of each.
    pub(in crate::store::db) fn write_queries(
        &self,
        sql: &str,
        values: impl Fn(&mut dyn FnMut(Given<'_>) -> Result<(), StoreError>) -> Result<(), StoreError>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.in_transaction(|| {
            self.flush()?;
            let (mut some, mut found) = (Vec::new(), Vec::new());
            values(&mut |given| {
                some.push(Question::of(sql, given)?);
                if is_much(&some) {
                    found.extend(self.ask_all(&std::mem::take(&mut some), Wanted::Rows)?);
                }
                Ok(())
            })?;
            found.extend(self.ask_all(&some, Wanted::Rows)?);
            Ok(found.into_iter().map(Answer::rows).collect())
        })
    }

    /// See [`Connection::ahead`](crate::store::db::Connection::ahead).
    pub(in crate::store::db) fn ahead<T, E: From<StoreError>>(
        &self,
        reads: impl FnOnce(),
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.check()?;
        let (reads, counts) = self.rehearse(reads);
        let mut all = self.ahead.later.take();
        let writes = all.len();
        all.extend(reads);
        let answers = self.ask_all(&all, Wanted::Rows)?.split_off(writes);
        self.keep(all.split_off(writes), answers, counts);
        let done = work();
        self.ahead.answers.take();
        done
    }

    /// What `reads` asks first, and how often each.
    pub(super) fn rehearse(&self, reads: impl FnOnce()) -> (Vec<Question>, Vec<usize>) {
        self.ahead.is_rehearsing.set(true);
        reads();
        self.ahead.is_rehearsing.set(false);
        self.ahead.asked.take().into_iter().unzip()
    }

    /// Keeps answers for the reads that are still to come.
    pub(super) fn keep(&self, reads: Vec<Question>, answers: Vec<Answer>, counts: Vec<usize>) {
        let answers = answers.into_iter().map(|answer| Arc::new(answer.rows()));
        self.ahead.answers.replace(reads.into_iter().zip(answers.zip(counts)).collect());
    }

    /// The answer to a read that was asked ahead, once for each time that it was.
    pub(super) fn early(&self, question: &Question) -> Option<Arc<Vec<Row>>> {
        let mut answers = self.ahead.answers.borrow_mut();
        let (rows, count) = answers.get_mut(question)?;
        *count -= 1;
        let (rows, is_last) = (Arc::clone(rows), *count == 0);
        if is_last {
            answers.remove(question);
        }
        Some(rows)
    }

    /// Sends what waits to be sent.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.ask_all(&self.ahead.later.take(), Wanted::Rows).map(drop)
    }

    /// Asks behind what waits to be sent.
    pub(super) fn ask(&self, question: Question, wanted: Wanted) -> Result<Answer, StoreError> {
        let mut all = self.ahead.later.take();
        all.push(question);
        self.ask_all(&all, wanted)?.pop().ok_or(StoreError::NoRow)
    }

    pub(super) fn ask_all(&self, questions: &[Question], wanted: Wanted) -> Result<Vec<Answer>, StoreError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let around = Around::default();
        self.repeatable(async |session: &mut Session| Ok(session.ask(around, questions, wanted).await?.1))
    }
}

/// Whether as much waits as is sent at once.
fn is_much(waiting: &[Question]) -> bool {
    waiting.len() >= LATER_MAX || waiting.iter().map(Question::size).sum::<usize>() >= LATER_BYTES_MAX
}
