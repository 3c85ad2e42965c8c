//! Who is on call, as the listener found it last: whatever mentions them reads it here, also while no calendar can be reached.

use super::db::{Connection, Row, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::outbox::keep_direct_message;
use super::{Store, StoreError, from_json, to_json};
use crate::model::incoming::DirectMessage;
use crate::model::problem::Problem;
use std::time::Duration;

/// One plan's people now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnDuty {
    pub(crate) name: String,
    /// E-mail addresses or Slack ids.
    pub(crate) people: Vec<String>,
    pub(crate) is_fallback: bool,
    /// Since when, and until when it holds, in Unix seconds.
    pub(crate) since: i64,
    pub(crate) until: Option<i64>,
    /// What is wrong with the plan, in words.
    pub(crate) problem: Option<String>,
}

/// A handover to be told in the transaction that makes the change.
#[derive(Debug, Clone)]
pub(crate) struct Handover {
    pub(crate) message: DirectMessage,
    pub(crate) queue: DeliveryQueue,
    pub(crate) mentions: Vec<String>,
}

impl Store {
    /// A plan's people; `None` where the listener hasn't found out yet.
    pub(crate) fn on_duty(&self, name: &str) -> Result<Option<OnDuty>, StoreError> {
        Ok(self.all_on_duty()?.into_iter().find(|duty| duty.name == name))
    }

    /// All plans' people, by name.
    pub(crate) fn all_on_duty(&self) -> Result<Vec<OnDuty>, StoreError> {
        all_on_duty(&self.db)
    }

    /// Writes who is on call now. Where that changes somebody's turn, the handover goes into the outbox with it: told once,
    /// whenever the process dies. `was`: the row that the change was decided by.
    pub(crate) fn put_on_duty(
        &mut self,
        duty: &OnDuty,
        was: Option<&OnDuty>,
        handover: Option<&Handover>,
        (mode, quiet): (&dyn Fn(&DeliveryQueue) -> MessageMode, Duration),
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql =
            "INSERT INTO on_duty (name, people, is_fallback, since, until, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (name) DO UPDATE SET people = excluded.people, is_fallback = excluded.is_fallback,
                     since = excluded.since, until = excluded.until, problem = excluded.problem";
        let transaction = self.db.write()?;
        if all_on_duty(&transaction)?.into_iter().find(|other| other.name == duty.name).as_ref() != was {
            return Ok(false);
        }
        let people = to_json(&duty.people)?;
        let values = params![duty.name, people, duty.is_fallback, duty.since, duty.until, duty.problem];
        transaction.execute(sql, values)?;
        if let Some(Handover { message, queue, mentions }) = handover {
            keep_direct_message(&transaction, message, (queue, mode(queue), mentions), quiet, now)?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Forgets the plans that the configuration no longer has.
    pub(crate) fn keep_plans(&self, names: &[&str]) -> Result<(), StoreError> {
        for duty in self.all_on_duty()? {
            if !names.contains(&duty.name.as_str()) {
                self.db.execute("DELETE FROM on_duty WHERE name = ?1", [&duty.name])?;
            }
        }
        Ok(())
    }

    /// The problems that go on, each once, the worst first; and how many more there are.
    pub(crate) fn problems_going_on(&self, most: usize) -> Result<(Vec<Problem>, usize), StoreError> {
        let sql = "SELECT problem FROM post WHERE open = 1 AND rank > 0 AND id IN (
                     SELECT MIN(id) FROM post WHERE open = 1 AND rank > 0 GROUP BY object)
                   ORDER BY acknowledged, rank DESC, id LIMIT 2000";
        let mut statement = self.db.prepare_cached(sql)?;
        let texts = statement.query_map([], |row| row.get::<String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let more = texts.len().saturating_sub(most);
        let problems = texts.iter().take(most).map(|text| from_json(text)).collect::<Result<_, _>>()?;
        Ok((problems, more))
    }
}

fn all_on_duty(db: &Connection) -> Result<Vec<OnDuty>, StoreError> {
    let sql = "SELECT name, people, is_fallback, since, until, problem FROM on_duty ORDER BY name";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let read = |row: Row<'_>| -> Result<OnDuty, StoreError> {
        let people = from_json(&row.get::<String>(1)?)?;
        Ok(OnDuty {
            name: row.get(0)?,
            people,
            is_fallback: row.get(2)?,
            since: row.get(3)?,
            until: row.get(4)?,
            problem: row.get(5)?,
        })
    };
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}
