//! Action requests: actions that people asked for in Slack, from the click to the confirmation by the core.
//!
//! A request is durable before Slack is answered. It is `sending` before its command is written: one found in that state
//! after a crash may have reached the core, so its command is never sent again, only looked for.

use super::db::{Connection, OptionalExtension, Row, params};
use super::db::{FromSql, FromSqlError, FromSqlResult, ToSql, ValueRef};
use super::state::ActionState;
use super::{Store, StoreError, audit, request_owner};

/// An action request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActionRequest {
    pub(crate) id: i64,
    pub(crate) parent: Option<i64>,
    /// Unix ms.
    pub(crate) at: i64,
    /// JSON; opaque to the store, as is the expectation.
    pub(crate) request: String,
    pub(crate) expectation: String,
    /// Unix ms.
    pub(crate) due: i64,
    pub(crate) reply: Option<String>,
}

/// An action request about to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewActionRequest {
    /// The click's own: one that comes twice is one request.
    pub(crate) key: String,
    pub(crate) parent: Option<i64>,
    /// The action's name in rules and in the audit.
    pub(crate) name: String,
    /// The key of its object; empty for one about many.
    pub(crate) object: String,
    pub(crate) request: String,
    /// Unix ms; not before.
    pub(crate) due: i64,
}

/// How an action request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ActionOutcome {
    /// The core's state shows it.
    Confirmed,
    /// For this reason.
    NotConfirmed(String),
}

/// The next state of an action request.
#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Sending {
        expectation: String,
        until: i64,
    },
    Sent,
    Parent,
    Done {
        outcome: ActionOutcome,
        reply: Option<String>,
    },
    /// Nothing of it came near the core; it is soon forgotten.
    Refused {
        reply: String,
    },
}

/// The outcomes of the requests that one was split into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Children {
    /// How many aren't done.
    pub(crate) open: u32,
    pub(crate) outcomes: Vec<ActionOutcome>,
}

/// Whether a request ended as it was meant to, as the column has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IsConfirmed(bool);

impl FromSql for IsConfirmed {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "confirmed" => Ok(Self(true)),
            "refused" | "ended" => Ok(Self(false)),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl NewActionRequest {
    fn values<R>(&self, now: i64, to: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        to(params![self.key, self.parent, now, self.name, self.object, self.request, self.due])
    }
}

// SQLite uses a partial index only where its very condition stands: hence `state <> 'done'` beside another state.
const COLUMNS: &str = "id, parent, at, request, expectation, due, reply";

impl Store {
    /// Keeps requests, in one transaction. Those whose key is known are not kept again. Returns how many are new.
    ///
    /// One alone is a click that Slack waits for, and waits for no writer.
    pub(crate) fn keep_requests(&mut self, requests: &[NewActionRequest], now: i64) -> Result<usize, StoreError> {
        let clock = self.db.clock();
        let sql = format!(
            "INSERT INTO action_request (key, parent, at, state, name, object, request, due, owned)
             VALUES (?1, ?2, ?3, 'new', ?4, ?5, ?6, ?7, {clock}) ON CONFLICT (key) DO NOTHING"
        );
        if let [one] = requests {
            return one.values(now, |values| self.db.write_alone(&sql, values));
        }
        let transaction = self.db.write()?;
        let mut kept = 0;
        for new in requests {
            kept += new.values(now, |values| transaction.prepare_cached(&sql)?.execute(values))?;
        }
        transaction.commit()?;
        Ok(kept)
    }

    /// This node's requests in a state that are due, oldest first.
    pub(crate) fn requests(&self, state: ActionState, due: i64, most: u32) -> Result<Vec<ActionRequest>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM action_request WHERE state <> 'done' AND state = ?1 AND due <= ?2 AND owner = ?4
             ORDER BY id LIMIT ?3"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let requests = statement.query_map(params![state, due, most, self.owner], read)?;
        requests.collect::<Result<_, _>>()
    }

    /// When the next new request is due, in Unix ms.
    pub(crate) fn next_request(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MIN(due) FROM action_request WHERE state <> 'done' AND state = 'new' AND owner = ?1";
        self.db.query_row(sql, params![self.owner], |row| row.get(0))
    }

    /// Whether another request of the same name about the same object is under way.
    pub(crate) fn is_under_way(&self, id: i64, object: &str, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM action_request WHERE state <> 'done' AND object = ?1 AND state IN ('sending', 'sent')
                     AND id <> ?2 AND name = ?3 LIMIT 1";
        Ok(self.db.query_row(sql, params![object, id, name], |_| Ok(())).optional()?.is_some())
    }

    /// Moves requests to their next states and adds to the audit, in one transaction.
    pub(crate) fn advance_requests(
        &mut self,
        transitions: &[(i64, Transition)],
        entries: &[String],
    ) -> Result<(), StoreError> {
        let transaction = self.db.write()?;
        advance(&transaction, &self.owner, transitions)?;
        audit::append(&transaction, entries)?;
        transaction.commit()
    }

    /// Gives a request that named its object by a message only the object that the message is about.
    pub(crate) fn resolve_request(&self, id: i64, object: &str, request: &str) -> Result<(), StoreError> {
        let sql = "UPDATE action_request SET object = ?2, request = ?3 WHERE id = ?1";
        self.db.execute(sql, params![id, object, request])?;
        Ok(())
    }

    /// After a start: a command that was being sent may have reached the core, so it counts as sent.
    pub(crate) fn recover_requests(&self) -> Result<usize, StoreError> {
        let sql = "UPDATE action_request SET state = 'sent' WHERE state <> 'done' AND state = 'sending' AND owner = ?1";
        self.db.execute(sql, params![self.owner])
    }

    /// Lets a request wait until then, in Unix ms.
    pub(crate) fn postpone_request(&self, id: i64, due: i64) -> Result<(), StoreError> {
        self.db.execute("UPDATE action_request SET due = ?2 WHERE id = ?1", params![id, due])?;
        Ok(())
    }

    /// What the requests came to that this one was split into.
    pub(crate) fn children(&self, parent: i64) -> Result<Children, StoreError> {
        let sql = "SELECT COUNT(*) FROM action_request WHERE parent = ?1 AND state <> 'done'";
        let open = self.db.query_row(sql, [parent], |row| row.get(0))?;
        let sql =
            "SELECT outcome, COALESCE(detail, '') FROM action_request WHERE parent = ?1 AND state = 'done' ORDER BY id";
        let mut statement = self.db.prepare_cached(sql)?;
        let outcomes = statement.query_map([parent], |row| {
            let IsConfirmed(is_confirmed) = row.get(0)?;
            Ok(if is_confirmed { ActionOutcome::Confirmed } else { ActionOutcome::NotConfirmed(row.get(1)?) })
        })?;
        Ok(Children { open, outcomes: outcomes.collect::<Result<_, _>>()? })
    }

    /// Requests with a reply for the person that wasn't sent yet.
    pub(crate) fn unsent_replies(&self) -> Result<Vec<ActionRequest>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM action_request WHERE reply IS NOT NULL AND owner = ?1 ORDER BY id LIMIT 100"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let requests = statement.query_map(params![self.owner], read)?;
        requests.collect::<Result<_, _>>()
    }

    /// The reply was sent, or can't be any more.
    pub(crate) fn reply_sent(&self, id: i64) -> Result<(), StoreError> {
        self.db.execute("UPDATE action_request SET reply = NULL WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Forgets requests that were done long ago, and refused ones sooner: they cost whoever may not nothing, and the audit
    /// keeps them.
    pub(crate) fn purge_requests(&self, before: i64, refused_before: i64) -> Result<(), StoreError> {
        let done = "action_request WHERE state = 'done' AND reply IS NULL AND at < ?1";
        let refused = "action_request WHERE outcome = 'refused' AND reply IS NULL AND at < ?1";
        for (rows, before) in [(done, before), (refused, refused_before)] {
            // Most looks find nothing, and take no lock.
            let some = format!("SELECT EXISTS (SELECT 1 FROM {rows})");
            if self.db.prepare_cached(&some)?.query_row([before], |row| row.get(0))? {
                self.db.execute(&format!("DELETE FROM {rows}"), [before])?;
            }
        }
        Ok(())
    }
}

/// Moves requests to their next states, in the caller's transaction.
pub(super) fn advance(db: &Connection, owner: &str, transitions: &[(i64, Transition)]) -> Result<(), StoreError> {
    for (id, transition) in transitions {
        request_owner::check(db, owner, *id, transition)?;
        match transition {
            Transition::Sending { expectation, until } => db
                .prepare_cached(
                    "UPDATE action_request SET state = 'sending', expectation = ?2, due = ?3 WHERE id = ?1",
                )?
                .execute(params![id, expectation, until])?,
            Transition::Sent => db
                .prepare_cached("UPDATE action_request SET state = 'sent' WHERE id = ?1 AND state = 'sending'")?
                .execute([id])?,
            Transition::Parent => {
                db.prepare_cached("UPDATE action_request SET state = 'parent' WHERE id = ?1")?.execute([id])?
            }
            Transition::Done { outcome: ActionOutcome::Confirmed, reply } => db
                .prepare_cached(
                    "UPDATE action_request SET state = 'done', outcome = 'confirmed', reply = ?2 WHERE id = ?1",
                )?
                .execute(params![id, reply])?,
            Transition::Done { outcome: ActionOutcome::NotConfirmed(reason), reply } => db
                .prepare_cached(
                    "UPDATE action_request SET state = 'done', outcome = 'ended', detail = ?2, reply = ?3 WHERE id = ?1",
                )?
                .execute(params![id, reason, reply])?,
            Transition::Refused { reply } => db
                .prepare_cached(
                    "UPDATE action_request SET state = 'done', outcome = 'refused', detail = ?2, reply = ?2 WHERE id = ?1",
                )?
                .execute(params![id, reply])?,
        };
    }
    Ok(())
}

/// Whether an order that is carried out at once comes for the first time: a replay after a restart does nothing.
pub(super) fn is_first(db: &Connection, key: &str, now: i64) -> Result<bool, StoreError> {
    let sql = "INSERT INTO action_request (key, at, state, name, request, outcome)
               VALUES (?1, ?2, 'done', '', '', 'ended') ON CONFLICT (key) DO NOTHING";
    Ok(db.prepare_cached(sql)?.execute(params![key, now])? > 0)
}

fn read(row: Row<'_>) -> Result<ActionRequest, StoreError> {
    Ok(ActionRequest {
        id: row.get(0)?,
        parent: row.get(1)?,
        at: row.get(2)?,
        request: row.get(3)?,
        expectation: row.get(4)?,
        due: row.get(5)?,
        reply: row.get(6)?,
    })
}
