//! The end of an attempt: what became of it, and who holds still because of it.

use super::outbox::{Claimed, Lane, WHOLE, channel_of};
use super::{Store, StoreError};
use crate::slack::outcome::Posted;
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

/// What is written after an attempt. Times in Unix ms.
#[derive(Debug, Clone)]
pub(crate) enum Settlement {
    Delivered {
        posted: Option<Posted>,
    },
    HoldChannel {
        until: i64,
    },
    /// Burns no attempt.
    HoldIntegration {
        until: i64,
        reason: String,
    },
    Retry {
        due: i64,
        rest_until: Option<i64>,
        reason: String,
    },
    RetryPlain {
        reason: String,
    },
    /// Dead here, waiting there.
    Fallback {
        lane: Lane,
        note: String,
        reason: String,
    },
    Dead {
        reason: String,
    },
}

impl Store {
    /// Writes what became of an attempt, in one transaction. The channel then holds still until `pace_until`: Slack
    /// counts what it refuses, too.
    pub(crate) fn settle(
        &mut self,
        claimed: &Claimed,
        settlement: &Settlement,
        pace_until: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let posted = match settlement {
            Settlement::Delivered { posted } => posted.as_ref(),
            _ => None,
        };
        hold(&transaction, &claimed.lane, posted.map(|posted| posted.channel.as_str()), pace_until, now, "")?;
        settle_in(&transaction, claimed, settlement, now)?;
        transaction.commit()?;
        Ok(())
    }

    /// Temporary failures of the integration in a row.
    pub(crate) fn failures(&self, integration: &str) -> Result<u32, StoreError> {
        let sql = "SELECT failures FROM hold WHERE integration = ?1 AND lane = ?2";
        let found = self.db.query_row(sql, [integration, WHOLE], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    }

    /// Lets integrations that rest go on at once: the configuration changed, so a refused token may be good now.
    pub(crate) fn lift_integration_holds(&self) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM hold WHERE lane = ?1", [WHOLE])?;
        Ok(())
    }
}

fn settle_in(db: &Transaction<'_>, claimed: &Claimed, settlement: &Settlement, now: i64) -> Result<(), StoreError> {
    let (id, lane) = (claimed.id, &claimed.lane);
    match settlement {
        Settlement::Delivered { posted } => {
            let (channel, ts) = posted.as_ref().map_or((None, None), |p| (Some(&p.channel), Some(&p.ts)));
            db.execute(
                "UPDATE delivery SET state = 'delivered', leased = NULL, reason = NULL, channel = ?2, ts = ?3, settled = ?4
                 WHERE id = ?1",
                params![id, channel, ts, now],
            )?;
            if let Some(channel) = channel {
                let sql = "INSERT OR REPLACE INTO channel (integration, target, id) VALUES (?1, ?2, ?3)";
                db.execute(sql, params![lane.integration, lane.target, channel])?;
            }
            db.execute("DELETE FROM hold WHERE integration = ?1 AND lane = ?2", params![lane.integration, WHOLE])?;
        }
        Settlement::HoldChannel { until } => {
            let reason = "Slack says: too fast";
            hold(db, lane, None, *until, now, reason)?;
            wait_again(db, id, 1, reason)?;
        }
        Settlement::HoldIntegration { until, reason } => {
            hold_integration(db, lane, *until, now, 0, reason)?;
            wait_again(db, id, 1, reason)?;
        }
        Settlement::Retry { due, rest_until, reason } => {
            hold_integration(db, lane, rest_until.unwrap_or(0), now, 1, reason)?;
            wait_again(db, id, 0, reason)?;
            db.execute("UPDATE delivery SET due = ?2, due_set = ?3 WHERE id = ?1", params![id, due, now])?;
        }
        Settlement::RetryPlain { reason } => {
            wait_again(db, id, 0, reason)?;
            db.execute("UPDATE delivery SET plain = 1 WHERE id = ?1", [id])?;
        }
        Settlement::Fallback { lane: other, note, reason } => {
            db.execute(
                "INSERT INTO delivery (notification, integration, target, object, mentions, state, note, since)
                 SELECT notification, ?2, ?3, object, mentions, 'waiting', ?4, since FROM delivery WHERE id = ?1",
                params![id, other.integration, other.target, note],
            )?;
            let reason = format!("sent elsewhere: {reason}");
            let sql = "UPDATE delivery SET state = 'merged', leased = NULL, reason = ?2, settled = ?3 WHERE id = ?1";
            db.execute(sql, params![id, reason, now])?;
        }
        Settlement::Dead { reason } => {
            let sql = "UPDATE delivery SET state = 'dead', leased = NULL, reason = ?2, settled = ?3 WHERE id = ?1";
            db.execute(sql, params![id, reason, now])?;
        }
    }
    Ok(())
}

/// Gives a delivery back to its lane; `unburned` attempts don't count.
fn wait_again(db: &Transaction<'_>, id: i64, unburned: u32, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE delivery SET leased = NULL, attempts = attempts - ?2, reason = ?3 WHERE id = ?1";
    db.execute(sql, params![id, unburned, reason])?;
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
    let sql = "INSERT INTO hold (integration, lane, until, since, reason) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET until = excluded.until, since = excluded.since, reason = excluded.reason";
    db.execute(sql, params![lane.integration, known, until, now, reason])?;
    Ok(())
}

fn hold_integration(
    db: &Transaction<'_>,
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
