//! What became of an attempt, and who holds still because of it.

use super::assign_post::Voice;
use super::claim::{Claimed, EDITS, Work};
use super::outbox::{Lane, NewRow, WHOLE, channel_of};
use super::{Store, StoreError};
use crate::model::notification::Notification;
use crate::model::outcome::Posted;
use crate::model::slack_error::Reason;
use crate::rules::digest::Step;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::time::Duration;

/// What is written after an attempt. Times in Unix ms.
#[derive(Debug, Clone)]
pub(crate) enum Settlement {
    /// `told`: how many of the claimed notifications the message told of; the others wait for the next.
    Delivered {
        posted: Option<Posted>,
        told: usize,
    },
    HoldChannel {
        until: i64,
    },
    /// Burns no attempt.
    HoldIntegration {
        until: i64,
        reason: Reason,
    },
    Retry {
        due: i64,
        rest_until: Option<i64>,
        reason: Reason,
    },
    RetryPlain {
        reason: Reason,
    },
    /// The message is gone from Slack: another one takes its place.
    Anew {
        reason: Reason,
    },
    /// Dead here, waiting there.
    Fallback {
        lane: Lane,
        voice: Voice,
        note: String,
        reason: Reason,
    },
    Dead {
        reason: Reason,
    },
}

/// Who holds still after a call, because Slack counts it: Unix ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) posts_from: i64,
    pub(crate) edits_from: i64,
}

impl Store {
    /// Writes what became of an attempt, in one transaction. The channel (or, after an edit, the integration's edits)
    /// then holds still: Slack counts what it refuses, too. `quiet`: see [`super::place`].
    pub(crate) fn settle(
        &mut self,
        claimed: &Claimed,
        settlement: &Settlement,
        pace: Pace,
        quiet: Duration,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let posted = match settlement {
            Settlement::Delivered { posted, .. } => posted.as_ref(),
            _ => None,
        };
        match claimed.work {
            Work::Update(_) | Work::Digest(Step::Edit, _) => {
                hold_lane(&transaction, &claimed.lane.integration, EDITS, pace.edits_from, now, "")?;
            }
            Work::Digest(Step::Settle, _) => {}
            _ => {
                let channel = posted.map(|posted| posted.channel.as_str());
                hold(&transaction, &claimed.lane, channel, pace.posts_from, now, "")?;
            }
        }
        settle_in(&transaction, claimed, settlement, quiet, now)?;
        transaction.commit()?;
        Ok(())
    }

    /// Temporary failures of the integration in a row.
    pub(crate) fn failures(&self, integration: &str) -> Result<u32, StoreError> {
        let sql = "SELECT failures FROM hold WHERE integration = ?1 AND lane = ?2";
        let found = self.db.query_row(sql, [integration, WHOLE], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    }

    /// Lets an integration rest, and everything with it.
    pub(crate) fn rest(&self, integration: &str, until: i64, now: i64, reason: &str) -> Result<(), StoreError> {
        let lane = Lane { integration: integration.to_owned(), target: String::new() };
        hold_integration(&self.db, &lane, until, now, 0, reason)
    }

    /// Lets integrations that rest go on at once: the configuration changed, so a refused token may be good now.
    pub(crate) fn lift_integration_holds(&self) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM hold WHERE lane = ?1", [WHOLE])?;
        Ok(())
    }
}

fn settle_in(
    db: &Transaction<'_>,
    claimed: &Claimed,
    settlement: &Settlement,
    quiet: Duration,
    now: i64,
) -> Result<(), StoreError> {
    let (id, lane) = (claimed.post.id, &claimed.lane);
    match settlement {
        Settlement::Delivered { posted, told } => delivered(db, claimed, posted.as_ref(), *told, now)?,
        Settlement::HoldChannel { until } => {
            let reason = "Slack says: too fast";
            hold(db, lane, None, *until, now, reason)?;
            if matches!(claimed.work, Work::Update(_) | Work::Digest(Step::Edit, _)) {
                hold_lane(db, &lane.integration, EDITS, *until, now, reason)?;
            }
            wait_again(db, id, 1, reason)?;
        }
        Settlement::HoldIntegration { until, reason } => {
            hold_integration(db, lane, *until, now, 0, reason)?;
            wait_again(db, id, 1, reason)?;
        }
        Settlement::Retry { due, rest_until, reason } => {
            hold_integration(db, lane, rest_until.unwrap_or(0), now, 1, reason)?;
            wait_again(db, id, 0, reason)?;
            db.execute("UPDATE post SET due = ?2, due_set = ?3 WHERE id = ?1", params![id, due, now])?;
        }
        Settlement::RetryPlain { reason } => {
            wait_again(db, id, 0, reason)?;
            db.execute("UPDATE post SET plain = 1 WHERE id = ?1", [id])?;
        }
        Settlement::Anew { reason } => {
            wait_again(db, id, 1, reason)?;
            db.execute("UPDATE post SET channel = NULL, ts = NULL, shown = 0 WHERE id = ?1", [id])?;
        }
        Settlement::Fallback { lane: other, voice, note, reason } => {
            elsewhere(db, claimed, other, *voice, note, quiet, now)?;
            end_waiting(db, claimed, "merged", &format!("sent elsewhere: {reason}"), now)?;
            db.execute("UPDATE post SET open = 0 WHERE id = ?1 OR digest = ?1", [id])?;
        }
        Settlement::Dead { reason } => {
            end_waiting(db, claimed, "dead", reason, now)?;
            wait_again(db, id, 0, reason)?;
        }
    }
    Ok(())
}

fn delivered(
    db: &Transaction<'_>,
    claimed: &Claimed,
    posted: Option<&Posted>,
    told: usize,
    now: i64,
) -> Result<(), StoreError> {
    let (post, lane) = (&claimed.post, &claimed.lane);
    let (channel, ts) = posted.map_or((None, None), |posted| (Some(&posted.channel), Some(&posted.ts)));
    if let Some(channel) = channel {
        let sql = "INSERT OR REPLACE INTO channel (integration, target, id) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![lane.integration, lane.target, channel])?;
    }
    end_outage(db, &lane.integration)?;
    let mut ends: Vec<i64> = match (&claimed.work, ts) {
        // Its message tells what it is; what more was said goes into its thread. Without a ts there is none.
        (Work::Post(_), Some(_)) if claimed.said.len() > 1 => {
            claimed.said.iter().filter(|said| !said.line).map(|said| said.id).collect()
        }
        (Work::Update(_), _) => claimed.said.iter().filter(|said| !said.line).map(|said| said.id).collect(),
        _ => claimed.said.iter().take(told).map(|said| said.id).collect(),
    };
    let state = if matches!(claimed.work, Work::Digest(..) | Work::List(_)) { "merged" } else { "delivered" };
    let is_head = matches!(
        claimed.work,
        Work::Post(_) | Work::Update(_) | Work::Say(_) | Work::List(_) | Work::Digest(Step::Head | Step::Edit, _)
    );
    let keeps_place = matches!(claimed.work, Work::Post(_) | Work::Digest(Step::Head, _));
    if is_head {
        db.prepare_cached("UPDATE post SET shown = ?2, edited = ?3, plain = 0 WHERE id = ?1")?.execute(params![
            post.id,
            post.version,
            now
        ])?;
    }
    if matches!(claimed.work, Work::Digest(Step::Head | Step::Lines, _)) {
        remember_called(db, claimed, told)?;
    }
    if keeps_place {
        db.prepare_cached("UPDATE post SET channel = ?2, ts = ?3 WHERE id = ?1")?
            .execute(params![post.id, channel, ts])?;
    }
    let (channel, ts) = match (channel, ts) {
        (Some(channel), Some(ts)) => (Some(channel), Some(ts)),
        _ => (post.channel.as_ref(), post.ts.as_ref()),
    };
    match &claimed.work {
        // What needs no line is told by the numbers. When all is over, the last words are still to come.
        Work::Digest(Step::Head | Step::Edit, tally) if tally.recovered < tally.problems => {
            db.execute(
                "UPDATE delivery SET state = 'merged', reason = 'shown in a digest', channel = ?3, ts = ?4, settled = ?5,
                   attempts = attempts + 1 WHERE state = 'waiting' AND digest = ?1 AND line = 0 AND id <= ?2",
                params![post.id, tally.covers, channel, ts, now],
            )?;
        }
        Work::Digest(step @ (Step::Close | Step::Settle), _) => {
            end_waiting(db, claimed, state, "shown in a digest", now)?;
            db.execute("UPDATE post SET open = ?2 WHERE id = ?1", params![post.id, *step == Step::Settle])?;
        }
        Work::Digest(Step::Head | Step::Edit, _) => {}
        _ => {
            if matches!(claimed.work, Work::Digest(Step::Lines, _)) {
                keep_for_the_edit(db, post.id, &mut ends)?;
            }
            let reason = if state == "merged" { Some("shown in a digest") } else { None };
            let sql = "UPDATE delivery SET state = ?2, reason = ?3, channel = ?4, ts = ?5, settled = ?6, attempts = ?7
                       WHERE id = ?1";
            let mut statement = db.prepare_cached(sql)?;
            for id in ends {
                statement.execute(params![id, state, reason, channel, ts, now, post.attempts])?;
            }
        }
    }
    let sql = "UPDATE post SET leased = NULL, attempts = 0, due = 0, reason = NULL WHERE id = ?1";
    db.prepare_cached(sql)?.execute([post.id])?;
    Ok(())
}

/// Whom a digest has called, so that it calls nobody twice.
fn remember_called(db: &Transaction<'_>, claimed: &Claimed, told: usize) -> Result<(), StoreError> {
    let mut called = claimed.post.called.clone();
    called.extend(claimed.said.iter().take(told).flat_map(|said| said.mentions.clone()));
    called.sort();
    called.dedup();
    let called = serde_json::to_string(&called).map_err(|e| StoreError::Content(e.to_string()))?;
    db.prepare_cached("UPDATE post SET problem = ?2 WHERE id = ?1")?.execute(params![claimed.post.id, called])?;
    Ok(())
}

/// The thread has these lines, the numbers above it may not: then the last one waits for the edit that tells it.
fn keep_for_the_edit(db: &Transaction<'_>, digest: i64, ends: &mut Vec<i64>) -> Result<(), StoreError> {
    let is_stale = db.query_row("SELECT shown < version FROM post WHERE id = ?1", [digest], |row| row.get(0))?;
    if let Some(last) = ends.pop_if(|_| is_stale) {
        db.execute("UPDATE delivery SET line = 0 WHERE id = ?1", [last])?;
    }
    Ok(())
}

/// Everything of a message that waits ends: of a digest all its lines, of a card what was claimed.
fn end_waiting(db: &Transaction<'_>, claimed: &Claimed, state: &str, reason: &str, now: i64) -> Result<(), StoreError> {
    let of = if matches!(claimed.work, Work::Digest(..) | Work::List(_)) { "digest" } else { "post" };
    let sql = format!(
        "UPDATE delivery SET state = ?2, reason = ?3, settled = ?4, attempts = ?5 WHERE state = 'waiting' AND {of} = ?1"
    );
    db.execute(&sql, params![claimed.post.id, state, reason, now, claimed.post.attempts])?;
    Ok(())
}

/// Gives what waits of a message a place in another lane, in order.
fn elsewhere(
    db: &Transaction<'_>,
    claimed: &Claimed,
    lane: &Lane,
    voice: Voice,
    note: &str,
    quiet: Duration,
    now: i64,
) -> Result<(), StoreError> {
    let of = if matches!(claimed.work, Work::Digest(..) | Work::List(_)) { "digest" } else { "post" };
    let sql = format!(
        "SELECT n.seq, d.object, d.mentions, d.since, n.body FROM delivery d JOIN notification n ON n.seq = d.notification
         WHERE d.state = 'waiting' AND d.{of} = ?1 ORDER BY d.id"
    );
    let mut statement = db.prepare(&sql)?;
    let rows = statement
        .query_map([claimed.post.id], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get::<_, String>(4)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let there =
        "SELECT 1 FROM delivery WHERE notification = ?1 AND integration = ?2 AND target = ?3 AND state <> 'dead'";
    for (seq, object, mentions, since, body) in rows {
        let seq: i64 = seq;
        if db.query_row(there, params![seq, lane.integration, lane.target], |_| Ok(())).optional()?.is_some() {
            continue;
        }
        let notification: Notification = serde_json::from_str(&body).map_err(|e| StoreError::Content(e.to_string()))?;
        let row = NewRow { seq, lane, object: &object, mentions: &mentions, note: Some(note), since };
        row.place(db, &notification, voice, quiet, now)?;
    }
    Ok(())
}

/// Gives a message back to its lane; `unburned` attempts don't count.
fn wait_again(db: &Transaction<'_>, id: i64, unburned: u32, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE post SET leased = NULL, attempts = attempts - ?2, reason = ?3 WHERE id = ?1";
    db.execute(sql, params![id, unburned, reason])?;
    Ok(())
}

/// The integration works: its failures are past, and remembered as the reason for what comes late now.
fn end_outage(db: &Transaction<'_>, integration: &str) -> Result<(), StoreError> {
    let sql = "UPDATE hold SET until = 0, failures = 0, past = reason, past_until = since, reason = ''
               WHERE integration = ?1 AND lane = ?2 AND reason <> ''";
    db.prepare_cached(sql)?.execute([integration, WHOLE])?;
    Ok(())
}

/// Lets a channel hold still, under the id Slack gave it where one is known: `#ops` and its id are one channel.
fn hold(
    db: &Transaction<'_>,
    lane: &Lane,
    channel: Option<&str>,
    until: i64,
    now: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let known = match channel {
        Some(channel) => channel.to_owned(),
        None => channel_of(db, lane)?.unwrap_or_else(|| lane.target.clone()),
    };
    hold_lane(db, &lane.integration, &known, until, now, reason)
}

fn hold_lane(
    db: &Transaction<'_>,
    integration: &str,
    lane: &str,
    until: i64,
    now: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO hold (integration, lane, until, since, reason) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET until = excluded.until, since = excluded.since, reason = excluded.reason";
    db.prepare_cached(sql)?.execute(params![integration, lane, until, now, reason])?;
    Ok(())
}

fn hold_integration(
    db: &Connection,
    lane: &Lane,
    until: i64,
    now: i64,
    failures: u32,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO hold (integration, lane, until, since, failures, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT DO UPDATE SET until = excluded.until, since = excluded.since,
                 failures = failures + excluded.failures, reason = excluded.reason";
    db.execute(sql, params![lane.integration, WHOLE, until, now, failures, reason])?;
    Ok(())
}
