//! Slack can't be told that a sender was overtaken, so the sender repairs what it did when it finds its claim gone.
//!
//! | what was sent | its repair |
//! |---|---|
//! | an edit of a message or a digest, also for a curve | one more edit, which shows the newest version |
//! | a message, reply, line, list or direct message that nobody sent in the meantime | none: it is recorded as if the claim were there |
//! | the same, sent by somebody else in the meantime, or its row is gone | it is deleted; by a webhook it can't be |
//!
//! What is to be deleted is a row until that is done: a crash in between loses no repair.

use super::claim::{Claimed, Work};
use super::db::{Connection, OptionalExtension, Row, Transaction, params};
use super::record_outcome::{Recorded, RecordedOutcome};
use super::{Store, StoreError};
use crate::model::outcome::Posted;
use crate::rules::digest::DigestStep;
use log::error;

/// So many are tried in one go.
const BATCH: u32 = 20;
/// After so long Slack won't delete it any more.
const AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// A message in Slack that is there twice, and is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repair {
    pub(crate) integration: String,
    pub(crate) channel: String,
    pub(crate) ts: String,
    /// Unix ms.
    pub(crate) since: i64,
}

/// How a claim stands when its outcome is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The message has it, or nobody did anything with the message since it was forgotten.
    Claimed,
    /// This very outcome was recorded: the answer to the COMMIT was lost.
    Recorded,
    /// Somebody else sent the message, or is sending it now, or its row is gone.
    Overtaken,
}

pub(super) fn standing(db: &Connection, claimed: &Claimed) -> Result<Standing, StoreError> {
    let message = &claimed.message;
    let table = message.id.table();
    let sql = format!("SELECT leased, recorded, shown, ts FROM {table} WHERE id = ?1");
    let read = |row: Row<'_>| {
        Ok((row.get::<Option<i64>>(0)?, row.get::<Option<i64>>(1)?, row.get::<i64>(2)?, row.get::<Option<String>>(3)?))
    };
    let Some((leased, recorded, shown, ts)) =
        db.prepare_cached(&sql)?.query_row([message.id.number()], read).optional()?
    else {
        return Ok(Standing::Overtaken);
    };
    if leased == Some(claimed.claim) {
        return Ok(Standing::Claimed);
    }
    if recorded == Some(claimed.claim) {
        return Ok(Standing::Recorded);
    }
    let is_untouched = leased.is_none() && shown == message.shown && ts == message.ts;
    // What was edited since shows something older now, whoever edits next.
    Ok(if is_untouched && !claimed.work.is_edit() && all_wait(db, claimed)? {
        Standing::Claimed
    } else {
        Standing::Overtaken
    })
}

/// Whether nothing of what the message is about has ended since it was claimed.
fn all_wait(db: &Connection, claimed: &Claimed) -> Result<bool, StoreError> {
    let is_waiting = "SELECT state = 'waiting' FROM delivery WHERE id = ?1";
    let ask = |id: i64| db.prepare_cached(is_waiting)?.query_row([id], |row| row.get::<bool>(0)).optional();
    let ids = || claimed.queued.iter().map(|queued| queued.id);
    let all = || ids().try_fold(true, |all, id| Ok(all && ask(id)?.unwrap_or(false)));
    db.ahead(|| ids().for_each(|id| drop(ask(id))), all)
}

/// Somebody else took over while this attempt was made.
pub(super) fn repair(
    db: &Transaction<'_>,
    claimed: &Claimed,
    outcome: &RecordedOutcome,
    now: i64,
) -> Result<Recorded, StoreError> {
    match outcome {
        _ if matches!(claimed.work, Work::Digest(DigestStep::MarkShown, _)) => Ok(Recorded::Nothing),
        // One without an answer may have been taken all the same.
        RecordedOutcome::Delivered { .. } | RecordedOutcome::Retry { .. } if claimed.work.is_edit() => {
            edit_again(db, claimed, now)?;
            Ok(Recorded::Repaired)
        }
        RecordedOutcome::Delivered { posted: Some(posted), .. } => {
            take_back(db, &claimed.queue.integration, posted, now)?;
            Ok(Recorded::Repaired)
        }
        RecordedOutcome::Delivered { posted: None, .. } => Ok(Recorded::ShownTwice),
        _ => Ok(Recorded::Nothing),
    }
}

fn take_back(db: &Connection, integration: &str, posted: &Posted, now: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO repair (integration, channel, ts, since, due) VALUES (?1, ?2, ?3, ?4, ?4)
               ON CONFLICT (integration, channel, ts) DO NOTHING";
    db.prepare_cached(sql)?.execute(params![integration, posted.channel, posted.ts, now])?;
    Ok(())
}

/// Has the message edited once more, for its newest delivery. What waits of it already may end without an edit: somebody
/// sends it now, or has sent it and is yet to record it.
fn edit_again(db: &Connection, claimed: &Claimed, now: i64) -> Result<(), StoreError> {
    let id = claimed.message.id;
    let table = id.table();
    id.update(db, "version = version + 1", &[])?;
    let sql = format!(
        "INSERT INTO delivery (notification, integration, target, object, mentions, state, since, post, digest, line)
         SELECT notification, integration, target, object, '[]', 'waiting', ?2, post, digest, 0 FROM delivery
         WHERE id = (SELECT MAX(id) FROM delivery WHERE {table} = ?1)"
    );
    db.prepare_cached(&sql)?.execute([id.number(), now])?;
    Ok(())
}

impl Store {
    /// The messages that are to be deleted now. Those that are too old are given up.
    pub(crate) fn repairs(&self, now: i64) -> Result<Vec<Repair>, StoreError> {
        let sql = "SELECT integration, channel, ts, since FROM repair WHERE due <= ?1 ORDER BY due LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let read = |row: Row<'_>| {
            Ok(Repair { integration: row.get(0)?, channel: row.get(1)?, ts: row.get(2)?, since: row.get(3)? })
        };
        let (old, due): (Vec<Repair>, Vec<Repair>) = statement
            .query_map([now, i64::from(BATCH)], read)?
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .partition(|repair| now.saturating_sub(repair.since) > AGE_MAX_MS);
        for repair in old {
            let Repair { integration, channel, ts, .. } = &repair;
            error!("message shown twice and not deleted in time integration={integration} channel={channel} ts={ts}");
            self.repaired(&repair)?;
        }
        Ok(due)
    }

    /// It is deleted, or gone anyway.
    pub(crate) fn repaired(&self, repair: &Repair) -> Result<(), StoreError> {
        let sql = "DELETE FROM repair WHERE integration = ?1 AND channel = ?2 AND ts = ?3";
        self.db.execute(sql, params![repair.integration, repair.channel, repair.ts])?;
        Ok(())
    }

    /// It is tried again then.
    pub(crate) fn postpone_repair(&self, repair: &Repair, due: i64) -> Result<(), StoreError> {
        let sql = "UPDATE repair SET due = ?4 WHERE integration = ?1 AND channel = ?2 AND ts = ?3";
        self.db.execute(sql, params![repair.integration, repair.channel, repair.ts, due])?;
        Ok(())
    }
}
