//! The outcome of an attempt: the deliveries that end by it, and the pauses that it causes.

mod delivered;

use super::assign_post::PostAssigner;
use super::claim::{Claimed, Message, Work};
use super::db::{OptionalExtension, Transaction, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::message::MessageId;
use super::new_delivery::NewDeliveryRow;
use super::outbox::runs;
use super::pause::Pause;
use super::repair::{self, Standing};
use super::state::DeliveryState;
use super::{Store, StoreError};
use crate::model::incoming::Incoming;
use crate::model::outcome::Posted;
use crate::model::slack_error::Reason;
use crate::rules::digest::DigestStep;
use std::time::Duration;

/// What is written after an attempt. Times in Unix ms.
#[derive(Debug, Clone)]
pub(crate) enum RecordedOutcome {
    /// `covered`: how many of the claimed notifications the message has; the others wait for the next.
    Delivered {
        posted: Option<Posted>,
        covered: usize,
    },
    /// It wasn't sent. Burns no attempt, as do the next two.
    GiveBack {
        due: i64,
    },
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
    /// The message is gone from Slack: another one is posted.
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

/// What was done about an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It was recorded.
    Done,
    /// Somebody else had taken over: what this attempt did to Slack is taken back, or edited once more.
    Repaired,
    /// Likewise, but it was a message that can't be taken back.
    ShownTwice,
    /// Likewise, and the attempt did nothing.
    Nothing,
}

impl Store {
    /// Writes what became of an attempt, in one transaction. The channel (or, after an edit, the integration's edits)
    /// then holds still: Slack counts calls that it refuses, too. `quiet`: see [`PostAssigner`].
    ///
    /// The claim says whether it may be recorded, not the lease: as long as the message has the claim, nobody took over. So
    /// it may be repeated where the answer was lost, also by a node that doesn't lead any more.
    pub(crate) fn record_outcome(
        &mut self,
        claimed: &Claimed,
        outcome: &RecordedOutcome,
        pace: Pace,
        quiet: Duration,
        now: i64,
    ) -> Result<Recorded, StoreError> {
        let ask = || {
            let _ = (repair::standing(&self.db, claimed), claimed.queue.channel_id(&self.db));
        };
        let transaction = self.db.write_without_lease_ahead(ask)?;
        let recorder = Recorder { db: &transaction, claimed, quiet, now };
        recorder.pace(outcome, pace)?;
        let done = match repair::standing(&transaction, claimed)? {
            Standing::Claimed if claimed.is_only_a_curve() => {
                recorder.record_curve(outcome).map(|()| Recorded::Done)?
            }
            Standing::Claimed => recorder.record(outcome).map(|()| Recorded::Done)?,
            Standing::Recorded => Recorded::Done,
            Standing::Overtaken => repair::repair(&transaction, claimed, outcome, now)?,
        };
        if done == Recorded::Done && transaction.is_shared() {
            claimed.message.id.update(&transaction, "recorded = ?2", &[&claimed.claim])?;
        }
        transaction.commit()?;
        Ok(done)
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

    /// An edit for a curve alone: Slack's wishes are kept, and what isn't done now is not done at all. Nothing of it is dead,
    /// waits, is posted elsewhere, or keeps the message's next edit waiting.
    fn record_curve(self, outcome: &RecordedOutcome) -> Result<(), StoreError> {
        let Claimed { message: Message { id, .. }, newest, .. } = self.claimed;
        match outcome {
            RecordedOutcome::Delivered { .. }
            | RecordedOutcome::GiveBack { .. }
            | RecordedOutcome::PauseChannel { .. }
            | RecordedOutcome::PauseIntegration { .. }
            | RecordedOutcome::Retry { .. } => self.record(outcome)?,
            RecordedOutcome::RetryPlain { .. }
            | RecordedOutcome::PostAnew { .. }
            | RecordedOutcome::Reroute { .. }
            | RecordedOutcome::Dead { .. } => {}
        }
        id.update(self.db, "leased = NULL, attempts = 0, due = 0, reason = NULL", &[])?;
        let sql = "DELETE FROM delivery WHERE post = ?1 AND curve = 1 AND id <= ?2";
        self.db.prepare_cached(sql)?.execute_later(params![id.number(), newest])?;
        Ok(())
    }

    fn record(self, outcome: &RecordedOutcome) -> Result<(), StoreError> {
        let Self { db, claimed, now, .. } = self;
        let (id, queue) = (claimed.message.id, &claimed.queue);
        match outcome {
            RecordedOutcome::Delivered { posted, covered } => self.delivered(posted.as_ref(), *covered)?,
            RecordedOutcome::GiveBack { due } => {
                id.give_back(db, 1, "not sent: another node may deliver now")?;
                id.update(db, "due = ?2, due_set = ?3", &[due, &now])?;
            }
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
                self.end_waiting(DeliveryState::Merged, &Reason { text, error: reason.error.clone() })?;
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

    /// Everything of a message that waited when it was claimed ends: all lines of a digest, or all that waited of a
    /// problem.
    fn end_waiting(self, state: DeliveryState, reason: &Reason) -> Result<(), StoreError> {
        let Claimed { message, newest, .. } = self.claimed;
        let sql = format!(
            "UPDATE delivery SET state = ?2, reason = ?3, code = ?4, recorded = ?5, attempts = ?6
             WHERE state = 'waiting' AND {} = ?1 AND id <= ?7",
            message.id.table()
        );
        let values =
            params![message.id.number(), state, reason.text, reason.code(), self.now, message.attempts, newest];
        self.db.prepare_cached(&sql)?.execute_later(values)
    }

    /// Puts everything that waits of a message into another queue, in the order in which it happened: what a failover forgot
    /// came behind what it preceded.
    fn reroute(self, queue: &DeliveryQueue, mode: MessageMode, annotation: &str) -> Result<(), StoreError> {
        let id = self.claimed.message.id;
        let sql = format!(
            "SELECT n.seq, d.object, d.mentions, d.since, n.body FROM delivery d JOIN notification n ON n.seq = d.notification
             WHERE d.state = 'waiting' AND d.{} = ?1 AND d.id <= ?2
             ORDER BY n.received, d.id",
            id.table()
        );
        let mut statement = self.db.prepare(&sql)?;
        let rows = statement
            .query_map([id.number(), self.claimed.newest], |row| {
                Ok((
                    NewDeliveryRow {
                        seq: row.get(0)?,
                        queue: queue.clone(),
                        object: row.get(1)?,
                        mentions: row.get(2)?,
                        annotation: Some(annotation.to_owned()),
                        since: row.get(3)?,
                    },
                    super::incoming(&row.get::<String>(4)?)?,
                ))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let there =
            "SELECT 1 FROM delivery WHERE notification = ?1 AND integration = ?2 AND target = ?3 AND state <> 'dead'";
        let assigner = PostAssigner {
            db: self.db,
            queue,
            mode,
            quiet: self.quiet,
            now: self.now,
            deferred: None,
            is_history: false,
        };
        let is_there = |row: &NewDeliveryRow| {
            let values = params![row.seq, queue.integration, queue.target];
            self.db.query_row(there, values, |_| Ok(())).optional()
        };
        for run in runs(&rows, |(row, _): &(NewDeliveryRow, Incoming)| row.object.clone()) {
            let ask = || {
                for (row, incoming) in run {
                    let _ = is_there(row);
                    assigner.ask(incoming);
                }
            };
            self.db.ahead(ask, || {
                run.iter().try_for_each(|(row, incoming)| match is_there(row)? {
                    Some(()) => Ok(()),
                    None => row.enqueue(&assigner, incoming),
                })
            })?;
        }
        Ok(())
    }
}
