//! What became of an attempt, and who holds still because of it.

use super::assign_post::PostAssigner;
use super::claim::{Claimed, Work};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::message::MessageId;
use super::new_delivery::NewDeliveryRow;
use super::pause::{Pause, Reason, end_outage};
use super::state::DeliveryState;
use super::{Store, StoreError, to_json};
use crate::model::outcome::Posted;
use crate::rules::digest::{DigestStats, DigestStep};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use std::time::Duration;

/// The text beside what a digest's message covers.
const IN_A_DIGEST: &str = "shown in a digest";

/// What is written after an attempt. Times in Unix ms.
#[derive(Debug, Clone)]
pub(crate) enum RecordedOutcome {
    /// `covered`: how many of the claimed notifications the message has; the others wait for the next.
    Delivered {
        posted: Option<Posted>,
        covered: usize,
    },
    /// Burns no attempt, as does the next.
    PauseChannel {
        until: i64,
    },
    PauseIntegration {
        until: i64,
        reason: Reason,
    },
    Retry {
        due: i64,
        /// The integration pauses too.
        pause_until: Option<i64>,
        reason: Reason,
    },
    RetryPlain {
        reason: Reason,
    },
    /// The message is gone from Slack: another one takes its place.
    PostAnew {
        reason: Reason,
    },
    /// Ended in this queue, waiting in that one.
    Reroute {
        queue: DeliveryQueue,
        mode: MessageMode,
        annotation: String,
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
    /// then holds still: Slack counts calls that it refuses, too. `quiet`: see [`PostAssigner`].
    pub(crate) fn record_outcome(
        &mut self,
        claimed: &Claimed,
        outcome: &RecordedOutcome,
        pace: Pace,
        quiet: Duration,
        now: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let recorder = Recorder { db: &transaction, claimed, quiet, now };
        recorder.pace(outcome, pace)?;
        recorder.record(outcome)?;
        transaction.commit()?;
        Ok(())
    }
}

/// One attempt that is being recorded.
#[derive(Clone, Copy)]
struct Recorder<'a> {
    db: &'a Transaction<'a>,
    claimed: &'a Claimed,
    quiet: Duration,
    now: i64,
}

impl Recorder<'_> {
    /// Slack counted the call: whoever made it holds still.
    fn pace(self, outcome: &RecordedOutcome, pace: Pace) -> Result<(), StoreError> {
        let queue = &self.claimed.queue;
        let pause = |until: i64| Pause { until, now: self.now, reason: None };
        match self.claimed.work {
            Work::Update(_) | Work::Digest(DigestStep::Edit, _) => {
                pause(pace.edits_from).edits(self.db, &queue.integration)
            }
            Work::Digest(DigestStep::MarkShown, _) => Ok(()),
            _ => {
                let channel = match outcome {
                    RecordedOutcome::Delivered { posted, .. } => posted.as_ref().map(|posted| posted.channel.as_str()),
                    _ => None,
                };
                pause(pace.posts_from).channel(self.db, queue, channel)
            }
        }
    }

    fn record(self, outcome: &RecordedOutcome) -> Result<(), StoreError> {
        let Self { db, claimed, now, .. } = self;
        let (id, queue) = (claimed.message.id, &claimed.queue);
        match outcome {
            RecordedOutcome::Delivered { posted, covered } => self.delivered(posted.as_ref(), *covered)?,
            RecordedOutcome::PauseChannel { until } => {
                let reason = Reason::from("Slack says: too fast".to_owned());
                let pause = Pause { until: *until, now, reason: Some(&reason) };
                pause.channel(db, queue, None)?;
                if matches!(claimed.work, Work::Update(_) | Work::Digest(DigestStep::Edit, _)) {
                    pause.edits(db, &queue.integration)?;
                }
                id.give_back(db, 1, &reason.text)?;
            }
            RecordedOutcome::PauseIntegration { until, reason } => {
                Pause { until: *until, now, reason: Some(reason) }.integration(db, &queue.integration, 0)?;
                id.give_back(db, 1, &reason.text)?;
            }
            RecordedOutcome::Retry { due, pause_until, reason } => {
                let pause = Pause { until: pause_until.unwrap_or(0), now, reason: Some(reason) };
                pause.integration(db, &queue.integration, 1)?;
                id.give_back(db, 0, &reason.text)?;
                id.update(db, "due = ?2, due_set = ?3", &[due, &now])?;
            }
            RecordedOutcome::RetryPlain { reason } => {
                id.give_back(db, 0, &reason.text)?;
                id.update(db, "plain = 1", &[])?;
            }
            RecordedOutcome::PostAnew { reason } => {
                id.give_back(db, 1, &reason.text)?;
                id.update(db, "channel = NULL, ts = NULL, shown = 0", &[])?;
            }
            RecordedOutcome::Reroute { queue, mode, annotation, reason } => {
                self.reroute(queue, *mode, annotation)?;
                let text = format!("sent elsewhere: {}", reason.text);
                self.end_waiting(DeliveryState::Merged, &Reason { text, code: reason.code.clone() })?;
                id.update(db, "open = 0, leased = NULL", &[])?;
                if let MessageId::Digest(digest) = id {
                    db.execute("UPDATE post SET open = 0 WHERE digest = ?1", [digest])?;
                }
            }
            RecordedOutcome::Dead { reason } => {
                self.end_waiting(DeliveryState::Dead, reason)?;
                id.give_back(db, 0, &reason.text)?;
            }
        }
        Ok(())
    }

    /// Slack has it. What ends by that depends on the work; the message's failures end in any case.
    fn delivered(self, posted: Option<&Posted>, covered: usize) -> Result<(), StoreError> {
        let Claimed { message, queue, work, queued, .. } = self.claimed;
        if let Some(Posted { channel, .. }) = posted {
            let sql = "INSERT OR REPLACE INTO channel (integration, target, id) VALUES (?1, ?2, ?3)";
            self.db.prepare_cached(sql)?.execute(params![queue.integration, queue.target, channel])?;
        }
        end_outage(self.db, &queue.integration)?;
        match work {
            Work::Post(_) => {
                self.mark_shown()?;
                self.keep_message_ref(posted)?;
                // What more was said goes into the message's thread. Without a ts there is none.
                let has_thread = posted.is_some() && queued.len() > 1;
                let ends = if has_thread { self.without_lines() } else { self.first(covered) };
                self.end(&ends, DeliveryState::Delivered, posted)?;
            }
            Work::DirectMessage(_) => {
                self.mark_shown()?;
                self.keep_message_ref(posted)?;
                self.end(&self.first(covered), DeliveryState::Delivered, posted)?;
            }
            Work::PostOnce(_) => {
                self.mark_shown()?;
                self.end(&self.first(covered), DeliveryState::Delivered, posted)?;
            }
            Work::Update(_) => {
                self.mark_shown()?;
                self.end(&self.without_lines(), DeliveryState::Delivered, posted)?;
            }
            Work::Reply(_) => self.end(&self.first(covered), DeliveryState::Delivered, posted)?,
            Work::List(_) => {
                self.mark_shown()?;
                self.end(&self.first(covered), DeliveryState::Merged, posted)?;
            }
            Work::Digest(step, stats) => self.digest_step_done(*step, stats, posted, covered)?,
        }
        message.id.update(self.db, "leased = NULL, attempts = 0, due = 0, reason = NULL", &[])
    }

    fn digest_step_done(
        self,
        step: DigestStep,
        stats: &DigestStats,
        posted: Option<&Posted>,
        covered: usize,
    ) -> Result<(), StoreError> {
        let id = self.claimed.message.id;
        match step {
            DigestStep::Post | DigestStep::Edit => {
                self.mark_shown()?;
                if step == DigestStep::Post {
                    self.remember_mentioned(covered)?;
                    self.keep_message_ref(posted)?;
                }
                // When all is over, the closing line is still to come.
                if stats.recovered < stats.problems { self.end_counted(stats.covers, posted) } else { Ok(()) }
            }
            DigestStep::Lines => {
                self.remember_mentioned(covered)?;
                let mut ends = self.first(covered);
                self.keep_for_the_edit(&mut ends)?;
                self.end(&ends, DeliveryState::Merged, posted)
            }
            DigestStep::Close | DigestStep::MarkShown => {
                let reason = Reason { text: IN_A_DIGEST.to_owned(), code: None };
                self.end_waiting(DeliveryState::Merged, &reason)?;
                id.update(self.db, "open = ?2", &[&(step == DigestStep::MarkShown)])
            }
        }
    }

    /// People see the newest version now.
    fn mark_shown(self) -> Result<(), StoreError> {
        let message = &self.claimed.message;
        message.id.update(self.db, "shown = ?2, edited = ?3, plain = 0", &[&message.version, &self.now])
    }

    fn keep_message_ref(self, posted: Option<&Posted>) -> Result<(), StoreError> {
        let (channel, ts) = posted.map(|posted| (&posted.channel, &posted.ts)).unzip();
        self.claimed.message.id.update(self.db, "channel = ?2, ts = ?3", &[&channel, &ts])
    }

    /// The claimed deliveries that need no line of their own in the thread.
    fn without_lines(self) -> Vec<i64> {
        self.claimed.queued.iter().filter(|queued| !queued.has_line).map(|queued| queued.id).collect()
    }

    /// The first claimed deliveries, as many as the message covers.
    fn first(self, covered: usize) -> Vec<i64> {
        self.claimed.queued.iter().take(covered).map(|queued| queued.id).collect()
    }

    /// Where the message is that covers the deliveries: where Slack put it now, else where it was already.
    fn message_ref<'a>(self, posted: Option<&'a Posted>) -> (Option<&'a str>, Option<&'a str>)
    where
        Self: 'a,
    {
        let message = &self.claimed.message;
        match posted {
            Some(posted) => (Some(&posted.channel), Some(&posted.ts)),
            None => (message.channel.as_deref(), message.ts.as_deref()),
        }
    }

    /// Ends deliveries.
    fn end(self, ids: &[i64], state: DeliveryState, posted: Option<&Posted>) -> Result<(), StoreError> {
        let (channel, ts) = self.message_ref(posted);
        let reason = (state == DeliveryState::Merged).then_some(IN_A_DIGEST);
        let sql = "UPDATE delivery SET state = ?2, reason = ?3, code = NULL, channel = ?4, ts = ?5, recorded = ?6,
                     attempts = ?7 WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        for id in ids {
            statement.execute(params![id, state, reason, channel, ts, self.now, self.claimed.message.attempts])?;
        }
        Ok(())
    }

    /// Ends the deliveries of a digest that need no line: its numbers cover them, up to the last that was counted.
    fn end_counted(self, last: i64, posted: Option<&Posted>) -> Result<(), StoreError> {
        let (channel, ts) = self.message_ref(posted);
        let sql = "UPDATE delivery SET state = 'merged', reason = ?6, channel = ?3, ts = ?4, recorded = ?5,
                     attempts = attempts + 1 WHERE state = 'waiting' AND digest = ?1 AND line = 0 AND id <= ?2";
        let digest = self.claimed.message.id.number();
        self.db.prepare_cached(sql)?.execute(params![digest, last, channel, ts, self.now, IN_A_DIGEST])?;
        Ok(())
    }

    /// Keeps the people that a digest has mentioned, so that it mentions nobody twice.
    fn remember_mentioned(self, covered: usize) -> Result<(), StoreError> {
        let Claimed { message, queued, .. } = self.claimed;
        let mut mentioned = message.mentioned.clone();
        mentioned.extend(queued.iter().take(covered).flat_map(|queued| queued.mentions.clone()));
        mentioned.sort();
        mentioned.dedup();
        message.id.update(self.db, "mentioned = ?2", &[&to_json(&mentioned)?])
    }

    /// The thread has these lines, the numbers above it may not: then the last one waits for the edit that counts it.
    fn keep_for_the_edit(self, ends: &mut Vec<i64>) -> Result<(), StoreError> {
        let digest = self.claimed.message.id.number();
        let sql = "SELECT shown < version FROM digest WHERE id = ?1";
        let is_stale = self.db.query_row(sql, [digest], |row| row.get(0))?;
        if let Some(last) = ends.pop_if(|_| is_stale) {
            self.db.execute("UPDATE delivery SET line = 0 WHERE id = ?1", [last])?;
        }
        Ok(())
    }

    /// Everything of a message that waits ends: all lines of a digest, or all that waits of a problem.
    fn end_waiting(self, state: DeliveryState, reason: &Reason) -> Result<(), StoreError> {
        let message = &self.claimed.message;
        let sql = format!(
            "UPDATE delivery SET state = ?2, reason = ?3, code = ?4, recorded = ?5, attempts = ?6
             WHERE state = 'waiting' AND {} = ?1",
            message.id.table()
        );
        let values = params![message.id.number(), state, reason.text, reason.code, self.now, message.attempts];
        self.db.execute(&sql, values)?;
        Ok(())
    }

    /// Puts everything that waits of a message into another queue, in order.
    fn reroute(self, queue: &DeliveryQueue, mode: MessageMode, annotation: &str) -> Result<(), StoreError> {
        let id = self.claimed.message.id;
        let sql = format!(
            "SELECT n.seq, d.object, d.mentions, d.since, n.body FROM delivery d JOIN notification n ON n.seq = d.notification
             WHERE d.state = 'waiting' AND d.{} = ?1 ORDER BY d.id",
            id.table()
        );
        let mut statement = self.db.prepare(&sql)?;
        let rows = statement
            .query_map([id.number()], |row| {
                Ok((
                    NewDeliveryRow {
                        seq: row.get(0)?,
                        queue: queue.clone(),
                        object: row.get(1)?,
                        mentions: row.get(2)?,
                        annotation: Some(annotation.to_owned()),
                        since: row.get(3)?,
                    },
                    row.get::<_, String>(4)?,
                ))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let there =
            "SELECT 1 FROM delivery WHERE notification = ?1 AND integration = ?2 AND target = ?3 AND state <> 'dead'";
        let assigner = PostAssigner { db: self.db, queue, mode, quiet: self.quiet, now: self.now };
        for (row, body) in rows {
            let values = params![row.seq, queue.integration, queue.target];
            if self.db.query_row(there, values, |_| Ok(())).optional()?.is_none() {
                row.enqueue(&assigner, &super::incoming(&body)?)?;
            }
        }
        Ok(())
    }
}
