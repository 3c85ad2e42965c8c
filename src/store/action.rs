//! What people asked for in Slack, from the click to the core's own word.
//!
//! An act is durable before Slack is answered. It is `sending` before its command is written: one found so after a
//! crash may have reached the core, so it is never sent again, only looked for.

use super::assign_post::{Voice, from_json};
use super::{Store, StoreError};
use crate::model::problem::{ActionTaken, Problem};
use crate::rules::authorise::Permission;
use crate::rules::confirm::Expectation;
use crate::store::Lane;
use crate::store::outbox::NewRow;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::time::Duration;

/// An act that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) id: i64,
    pub(crate) parent: Option<i64>,
    /// Unix ms.
    pub(crate) at: i64,
    /// JSON; opaque to the store, as are the others.
    pub(crate) request: String,
    pub(crate) expectation: String,
    /// Unix ms.
    pub(crate) due: i64,
    pub(crate) reply: Option<String>,
}

/// An act about to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewAct {
    pub(crate) key: String,
    pub(crate) parent: Option<i64>,
    /// The key of its object; empty for one about many.
    pub(crate) object: String,
    pub(crate) request: String,
    /// Unix ms; not before.
    pub(crate) due: i64,
}

/// Where an act has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Sent,
    /// It waits for those it asked for.
    Parent,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Sent => "sent",
            Self::Parent => "parent",
        }
    }
}

/// What an act is moved to.
#[derive(Debug, Clone)]
pub(crate) enum Move {
    Sending {
        expectation: String,
        until: i64,
    },
    Sent,
    Parent,
    Done {
        outcome: String,
        reply: Option<String>,
    },
    /// Nothing of it came near the core; it is soon forgotten.
    Refused {
        reply: String,
    },
}

/// A message that somebody clicked on, as the outbox knows it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) lane: Lane,
    /// Of a card; a digest has none.
    pub(crate) problem: Option<Problem>,
    /// Where it is: channel and `ts`, once Slack has it and said so.
    pub(crate) place: Option<(String, String)>,
}

// SQLite takes a partial index only where its very condition stands: hence `state <> 'done'` beside another state.
const COLUMNS: &str = "id, parent, at, request, expectation, due, reply";

impl Store {
    /// Keeps acts, in one transaction. Those whose key is known are not kept again. Returns how many are new.
    pub(crate) fn keep_acts(&mut self, acts: &[NewAct], now: i64) -> Result<usize, StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut kept = 0;
        for act in acts {
            let sql = "INSERT OR IGNORE INTO act (key, parent, at, state, object, request, due)
                       VALUES (?1, ?2, ?3, 'new', ?4, ?5, ?6)";
            let values = params![act.key, act.parent, now, act.object, act.request, act.due];
            kept += transaction.prepare_cached(sql)?.execute(values)?;
        }
        transaction.commit()?;
        Ok(kept)
    }

    /// The acts of a stage that are due, oldest first.
    pub(crate) fn acts(&self, stage: Stage, due: i64, most: u32) -> Result<Vec<Act>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM act WHERE state <> 'done' AND state = ?1 AND due <= ?2 ORDER BY id LIMIT ?3"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let acts = statement.query_map(params![stage.name(), due, most], read)?;
        Ok(acts.collect::<Result<_, _>>()?)
    }

    /// When the next new act is due, in Unix ms.
    pub(crate) fn next_act(&self) -> Result<Option<i64>, StoreError> {
        Ok(self
            .db
            .query_row("SELECT MIN(due) FROM act WHERE state <> 'done' AND state = 'new'", [], |row| row.get(0))?)
    }

    /// Whether another act of the same name on the same object is under way.
    pub(crate) fn is_under_way(&self, id: i64, object: &str, name: &str) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 FROM act WHERE state <> 'done' AND object = ?1 AND state IN ('sending', 'sent') AND id <> ?2
                   AND json_extract(request, '$.name') = ?3 LIMIT 1";
        Ok(self.db.query_row(sql, params![object, id, name], |_| Ok(())).optional()?.is_some())
    }

    /// Moves acts on and adds to the audit, in one transaction.
    pub(crate) fn move_acts(&mut self, moves: &[(i64, Move)], entries: &[String]) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        move_on(&transaction, moves)?;
        super::audit::append(&transaction, entries)?;
        Ok(transaction.commit()?)
    }

    /// An act that named its object by a message only is about this one.
    pub(crate) fn resolve_act(&self, id: i64, object: &str, request: &str) -> Result<(), StoreError> {
        let sql = "UPDATE act SET object = ?2, request = ?3 WHERE id = ?1";
        self.db.execute(sql, params![id, object, request])?;
        Ok(())
    }

    /// After a start: what was being sent may have reached the core, so it counts as sent.
    pub(crate) fn recover_acts(&self) -> Result<usize, StoreError> {
        Ok(self.db.execute("UPDATE act SET state = 'sent' WHERE state <> 'done' AND state = 'sending'", [])?)
    }

    /// Until when an act waits, in Unix ms.
    pub(crate) fn postpone_act(&self, id: i64, due: i64) -> Result<(), StoreError> {
        self.db.execute("UPDATE act SET due = ?2 WHERE id = ?1", params![id, due])?;
        Ok(())
    }

    /// Of an act that asked for many: how many there are, how many are still under way, and the outcomes of the others.
    pub(crate) fn children(&self, parent: i64) -> Result<(u32, Vec<String>), StoreError> {
        let sql = "SELECT COUNT(*) FROM act WHERE parent = ?1 AND state <> 'done'";
        let open = self.db.query_row(sql, [parent], |row| row.get(0))?;
        let sql = "SELECT COALESCE(outcome, '') FROM act WHERE parent = ?1 AND state = 'done' ORDER BY id";
        let mut statement = self.db.prepare_cached(sql)?;
        let outcomes = statement.query_map([parent], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok((open, outcomes))
    }

    /// Acts with words for a person that were not said yet.
    pub(crate) fn replies(&self) -> Result<Vec<Act>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM act WHERE reply IS NOT NULL ORDER BY id LIMIT 100");
        let mut statement = self.db.prepare_cached(&sql)?;
        let acts = statement.query_map([], read)?;
        Ok(acts.collect::<Result<_, _>>()?)
    }

    /// The words were said, or can't be any more.
    pub(crate) fn reply_said(&self, id: i64) -> Result<(), StoreError> {
        self.db.execute("UPDATE act SET reply = NULL WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Forgets what was done long ago, and sooner what was refused: it costs whoever may not nothing, and the audit
    /// keeps it.
    pub(crate) fn purge_acts(&self, before: i64, refused_before: i64) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM act WHERE state = 'done' AND reply IS NULL AND at < ?1", [before])?;
        let sql = "DELETE FROM act WHERE state = 'done' AND due = -1 AND reply IS NULL AND at < ?1";
        self.db.execute(sql, [refused_before])?;
        Ok(())
    }

    /// A message of ours by its number.
    pub(crate) fn shown(&self, post: i64, _: &Permission<'_>) -> Result<Option<Shown>, StoreError> {
        let sql = "SELECT integration, target, problem, channel, ts FROM post WHERE id = ?1";
        let found = self.db.query_row(sql, [post], read_shown).optional()?;
        found.map(parse_shown).transpose()
    }

    /// The message that stands for an object's open problem, whichever it is.
    pub(crate) fn shown_of(&self, object: &str, _: &Permission<'_>) -> Result<Option<Shown>, StoreError> {
        shown_of(&self.db, object)
    }

    /// The same, of what a command was sent about.
    pub(crate) fn shown_after(&self, sent: &Expectation) -> Result<Option<Shown>, StoreError> {
        shown_of(&self.db, &sent.object.key())
    }

    /// Who a message shows to have acknowledged an object's open problem: for the end of that, which is nobody's request.
    pub(crate) fn acknowledged_by(&self, object: &str) -> Result<Option<String>, StoreError> {
        let problem = shown_of(&self.db, object)?.and_then(|shown| shown.problem);
        Ok(problem.and_then(|problem| problem.acknowledged).and_then(|word| word.author))
    }

    /// The problems of a digest that go on and are not acknowledged.
    pub(crate) fn unacknowledged(&self, digest: i64, _: &Permission<'_>) -> Result<Vec<(i64, Problem)>, StoreError> {
        let sql =
            "SELECT id, problem FROM post WHERE digest = ?1 AND open = 1 AND acknowledged = 0 AND rank > 0 ORDER BY id";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([digest], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        rows.map(|row| row.map_err(StoreError::from).and_then(|(id, text)| Ok((id, from_json(&text)?)))).collect()
    }

    /// Lets every message about the objects, by their keys, show what the core holds now: as notifications of our own,
    /// each under a name that is kept once. `voice` says how a lane speaks; where messages can't be edited only what is known
    /// changes, and whoever was clicked on is replaced by its response URL.
    pub(crate) fn tell(
        &mut self,
        deeds: &[(String, String, ActionTaken)],
        voice: &dyn Fn(&Lane) -> Voice,
        quiet: Duration,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (name, object, deed) in deeds {
            // As of now: what the core says meanwhile is imported by another thread.
            let Some(problem) = shown_of(&transaction, object)?.and_then(|shown| shown.problem) else {
                continue;
            };
            let notification = deed.told_of(&problem.latest);
            let body = serde_json::to_string(&notification).map_err(|e| StoreError::Content(e.to_string()))?;
            let sql = "INSERT OR IGNORE INTO notification (id, received, object, twin, contact, body)
                       VALUES (?1, ?2, ?3, ?1, '', ?4)";
            if transaction.prepare_cached(sql)?.execute(params![name, now, object, body])? == 0 {
                continue;
            }
            let seq = transaction.last_insert_rowid();
            let lanes = {
                let sql = "SELECT DISTINCT integration, target FROM post WHERE object = ?1 AND open = 1";
                let mut statement = transaction.prepare_cached(sql)?;
                let lanes =
                    statement.query_map([object], |row| Ok(Lane { integration: row.get(0)?, target: row.get(1)? }))?;
                lanes.collect::<Result<Vec<_>, _>>()?
            };
            for lane in &lanes {
                let voice = voice(lane);
                let row = NewRow { seq, lane, object, mentions: "[]", note: None, since: now };
                row.place(&transaction, &notification, voice, quiet, now)?;
                if voice == Voice::Fixed {
                    let sql = "UPDATE delivery SET state = 'merged', reason = 'shown by the click', settled = ?2
                               WHERE notification = ?1 AND state = 'waiting' AND integration = ?3 AND target = ?4";
                    transaction.execute(sql, params![seq, now, lane.integration, lane.target])?;
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

/// Moves acts on, in the caller's transaction.
pub(super) fn move_on(transaction: &Connection, moves: &[(i64, Move)]) -> Result<(), StoreError> {
    for (id, step) in moves {
        match step {
            Move::Sending { expectation, until } => transaction
                .prepare_cached("UPDATE act SET state = 'sending', expectation = ?2, due = ?3 WHERE id = ?1")?
                .execute(params![id, expectation, until])?,
            Move::Sent => transaction
                .prepare_cached("UPDATE act SET state = 'sent' WHERE id = ?1 AND state = 'sending'")?
                .execute([id])?,
            Move::Parent => {
                transaction.prepare_cached("UPDATE act SET state = 'parent' WHERE id = ?1")?.execute([id])?
            }
            Move::Done { outcome, reply } => transaction
                .prepare_cached("UPDATE act SET state = 'done', outcome = ?2, reply = ?3 WHERE id = ?1")?
                .execute(params![id, outcome, reply])?,
            Move::Refused { reply } => transaction
                .prepare_cached("UPDATE act SET state = 'done', outcome = ?2, reply = ?2, due = -1 WHERE id = ?1")?
                .execute(params![id, reply])?,
        };
    }
    Ok(())
}

/// Whether an order that is carried out at once comes for the first time: a replay after a restart does nothing.
pub(super) fn is_first(db: &Connection, key: &str, now: i64) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO act (key, at, state, request, outcome) VALUES (?1, ?2, 'done', '', 'done')";
    Ok(db.prepare_cached(sql)?.execute(params![key, now])? > 0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Act> {
    Ok(Act {
        id: row.get(0)?,
        parent: row.get(1)?,
        at: row.get(2)?,
        request: row.get(3)?,
        expectation: row.get(4)?,
        due: row.get(5)?,
        reply: row.get(6)?,
    })
}

fn shown_of(db: &Connection, object: &str) -> Result<Option<Shown>, StoreError> {
    let sql = "SELECT integration, target, problem, channel, ts FROM post WHERE object = ?1
               ORDER BY open DESC, id DESC LIMIT 1";
    let found = db.query_row(sql, [object], read_shown).optional()?;
    found.map(parse_shown).transpose()
}

type ShownRow = (Lane, String, Option<(String, String)>);

fn parse_shown((lane, problem, place): ShownRow) -> Result<Shown, StoreError> {
    // A digest keeps a list there: whom it has called.
    let problem = if problem.starts_with('{') { Some(from_json(&problem)?) } else { None };
    Ok(Shown { lane, problem, place })
}

fn read_shown(row: &Row<'_>) -> rusqlite::Result<ShownRow> {
    let lane = Lane { integration: row.get(0)?, target: row.get(1)? };
    let (channel, ts): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok((lane, row.get(2)?, channel.zip(ts)))
}
