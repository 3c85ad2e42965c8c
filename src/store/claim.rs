//! The next step of a queue: which message to post, edit, reply to or list, and with which notifications.
//!
//! Nothing here changes what people see; a claim only marks a message as being sent, for whoever comes after a crash.

use super::db::{OptionalExtension, Row, named_params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::lease::{self, Leadership};
use super::message::MessageId;
use super::{Store, StoreError, from_json};
use crate::model::incoming::{DirectMessage, Incoming};
use crate::model::notification::Notification;
use crate::model::problem::Problem;
use crate::rules::digest::{self, DigestStats, DigestStep, Waiting};
use crate::system::clock::millis;
use std::time::Duration;

/// How many notifications one message covers at most; the rest follows.
const COVERED_MAX: u32 = 100;

/// A queue's next step, and when it may be done (Unix ms).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) ready: i64,
    step: PlannedStep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlannedStep {
    Post(i64),
    Digest(i64, DigestStep),
}

/// A message that is ours to send now.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) message: Message,
    pub(crate) queue: DeliveryQueue,
    pub(crate) work: Work,
    /// What it is about, oldest first; of a digest those that get a line now.
    pub(crate) queued: Vec<QueuedNotification>,
    /// Unix ms; its age counts from here.
    pub(crate) since: i64,
    /// The newest delivery that waited for the message when it was claimed. What another thread imported since then is
    /// no part of this attempt.
    pub(crate) newest: i64,
    /// The message gets a curve when it was shown.
    pub(crate) wants_curve: bool,
    /// When people saw its last version, in Unix ms.
    pub(crate) edited: i64,
    /// A random number. The share and the lease keep others out; this tells who was overtaken.
    pub(super) claim: i64,
}

/// A message with when people saw its last version, the call, what it is about, and [`Store::waiting_span`].
type Claim = ((Message, i64), Work, Vec<QueuedNotification>, (i64, i64));

/// A queue, as whoever may send from it sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLook {
    /// The problems that wait for a message of their own.
    pub(crate) waiting: Waiting,
    /// The next step.
    pub(crate) next: Option<Planned>,
    /// Nothing is sent before; Unix ms.
    pub(crate) paused_until: i64,
}

/// The message in Slack, or the one to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) version: i64,
    /// The version that people see; 0: none.
    pub(crate) shown: i64,
    pub(crate) channel: Option<String>,
    pub(crate) ts: Option<String>,
    pub(crate) is_plain: bool,
    /// The people that a digest mentioned already, as the outbox keeps mentions.
    pub(crate) mentioned: Vec<String>,
    /// Tries since the last success, this one included.
    pub(crate) attempts: u32,
}

/// A notification or direct message that waits.
#[derive(Debug, Clone)]
pub(crate) struct QueuedNotification {
    pub(crate) id: i64,
    pub(crate) incoming: Incoming,
    pub(crate) mentions: Vec<String>,
    /// Shown with the message.
    pub(crate) annotation: Option<String>,
    /// It gets a line of its own in the thread.
    pub(crate) has_line: bool,
    /// Its message shows it already: only a curve is added.
    pub(crate) is_curve: bool,
}

/// The call to be made.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Post the problem's message.
    Post(Box<Problem>),
    /// Edit it.
    Update(Box<Problem>),
    /// Reply in its thread.
    Reply(Box<Problem>),
    /// Post a message about the problem that stays as it is.
    PostOnce(Box<Problem>),
    /// Post a message of another program.
    DirectMessage(Box<DirectMessage>),
    Digest(DigestStep, Box<DigestStats>),
    /// Post a list of the problems that came together; it stays as it is.
    List(Box<DigestStats>),
}

impl Work {
    /// Whether it edits what Slack has; else it makes something new there.
    pub(crate) fn is_edit(&self) -> bool {
        matches!(self, Self::Update(_) | Self::Digest(DigestStep::Edit | DigestStep::MarkShown, _))
    }
}

impl Claimed {
    /// The notifications it is about; a direct message has none.
    pub(crate) fn notifications(&self) -> Vec<&Notification> {
        self.queued.iter().filter_map(|queued| queued.incoming.notification()).collect()
    }

    /// Whether the message is edited for a curve alone: done at once, or not at all.
    pub(crate) fn is_only_a_curve(&self) -> bool {
        !self.queued.is_empty() && self.queued.iter().all(|queued| queued.is_curve)
    }
}

impl Store {
    /// Looks at queues, each with how its messages can be changed.
    pub(crate) fn look_at_queues(
        &self,
        queues: &[(DeliveryQueue, MessageMode)],
        quiet: Duration,
        now: i64,
    ) -> Result<Vec<QueueLook>, StoreError> {
        let look = |(queue, mode): &(DeliveryQueue, MessageMode)| {
            Ok(QueueLook {
                waiting: self.problems_without_message(queue, quiet)?,
                next: self.plan(queue, *mode, quiet, now)?,
                paused_until: self.paused_until(queue)?,
            })
        };
        let ask = || {
            for (queue, mode) in queues {
                let _ = (self.problems_without_message(queue, quiet), self.paused_until(queue));
                let _ = self.plan(queue, *mode, quiet, now);
            }
        };
        self.db.ahead(ask, || queues.iter().map(look).collect())
    }

    /// The queue's next step: only the oldest of each object may go, so that a recovery never overtakes its problem.
    /// `None`: nothing waits. `quiet`: after so long without a new problem a digest takes no more.
    pub(crate) fn plan(
        &self,
        queue: &DeliveryQueue,
        mode: MessageMode,
        quiet: Duration,
        now: i64,
    ) -> Result<Option<Planned>, StoreError> {
        let mut next = self.plan_post(queue, mode, now)?;
        let digests = self.waiting_digests(queue)?;
        let edits_from = if digests.is_empty() { 0 } else { self.edits_from(&queue.integration)? };
        for id in digests {
            let digest = self.digest(id, now.saturating_sub(millis(quiet)))?;
            let (ready, step) = match mode {
                MessageMode::Editable { .. } => digest::next(digest, edits_from, now),
                MessageMode::WriteOnce => (digest::next_list(digest), DigestStep::Lines),
            };
            // Of all that may go now the digest comes first: many people's problems against one's.
            if next.is_none_or(|post| ready <= now || ready < post.ready) {
                next = Some(Planned { ready, step: PlannedStep::Digest(id, step) });
            }
        }
        Ok(next)
    }

    fn plan_post(&self, queue: &DeliveryQueue, mode: MessageMode, now: i64) -> Result<Option<Planned>, StoreError> {
        let sql = "SELECT post, ready FROM (
              SELECT d.post, d.id, d.urgency,
                CASE WHEN :editable AND p.ts IS NOT NULL AND p.shown < p.version AND p.due < edits.until THEN edits.until
                  ELSE p.due END AS ready
              FROM (SELECT COALESCE(MAX(until), 0) AS until FROM pause
                    WHERE integration = :integration AND scope = 'edits' AND channel = '') AS edits
                CROSS JOIN delivery d JOIN post p ON p.id = d.post
              WHERE d.id IN (SELECT MIN(w.id) FROM delivery w WHERE w.state = 'waiting' AND w.integration = :integration
                  AND w.target = :target AND w.digest IS NULL GROUP BY w.object)) AS oldest
            ORDER BY CASE WHEN ready > :now THEN ready ELSE :now END, urgency DESC, id LIMIT 1";
        let read = |row: Row<'_>| Ok(Planned { step: PlannedStep::Post(row.get(0)?), ready: row.get(1)? });
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_row(
            named_params! { ":editable": mode.is_editable(), ":integration": queue.integration,
            ":target": queue.target, ":now": now },
            read,
        );
        found.optional()
    }

    /// Plans the queue's next step and claims it, marking the message as being sent; `None` when nothing may be done now.
    ///
    /// One transaction, as another thread imports: what comes meanwhile is either all in the message or all left to the
    /// step after it. Where its answer is lost, the claim may be kept, and nobody sends by it: the message's next claim
    /// takes its place.
    pub(crate) fn claim(
        &self,
        leadership: &Leadership,
        queue: &DeliveryQueue,
        mode: MessageMode,
        quiet: Duration,
        now: i64,
    ) -> Result<Option<Claimed>, StoreError> {
        self.check_leadership(leadership)?;
        let ask = || {
            let _ = (self.paused_until(queue), self.plan(queue, mode, quiet, now));
        };
        let transaction = self.db.write_ahead(ask)?;
        // Whoever planned it before did so outside of the transaction.
        if self.paused_until(queue)? > now {
            return Ok(None);
        }
        let Some(planned) = self.plan(queue, mode, quiet, now)?.filter(|planned| planned.ready <= now) else {
            return Ok(None);
        };
        let ((message, edited), work, queued, (since, newest)) = match planned.step {
            PlannedStep::Post(number) => self.claim_post(number, mode, now)?,
            PlannedStep::Digest(number, step) => self.claim_digest(number, step, mode, now)?,
        };
        let claim = lease::fresh_claim();
        message.id.update(&self.db, "leased = ?2, attempts = attempts + 1", &[&claim])?;
        transaction.commit()?;
        let queue = queue.clone();
        Ok(Some(Claimed { message, queue, work, queued, since, newest, wants_curve: false, edited, claim }))
    }

    fn claim_post(&self, number: i64, mode: MessageMode, now: i64) -> Result<Claim, StoreError> {
        let (id, which) = (MessageId::Post(number), "d.post = ?1 ORDER BY d.id");
        let ask = || {
            let _ = (self.message(id), self.queued(which, number), self.waiting_span(id, now));
        };
        let read =
            || Ok::<_, StoreError>((self.message(id)?, self.queued(which, number)?, self.waiting_span(id, now)?));
        let ((message, edited, problem), queued, span) = self.db.ahead(ask, read)?;
        let work = match queued.first().map(|queued| &queued.incoming) {
            Some(Incoming::DirectMessage(message)) => Work::DirectMessage(Box::new(message.clone())),
            _ => post_work(&message, Box::new(from_json(&problem)?), mode),
        };
        Ok(((message, edited), work, queued, span))
    }

    fn claim_digest(&self, number: i64, step: DigestStep, mode: MessageMode, now: i64) -> Result<Claim, StoreError> {
        let (mut message, edited, mentioned) = self.message(MessageId::Digest(number))?;
        message.mentioned = serde_json::from_str(&mentioned).unwrap_or_default();
        let stats = Box::new(self.digest_stats(number)?);
        let which = match (step, mode) {
            (DigestStep::Lines, MessageMode::Editable { .. }) => {
                "d.digest = ?1 AND d.line = 1 ORDER BY d.urgency DESC, d.id"
            }
            (DigestStep::Lines, MessageMode::WriteOnce) => "d.digest = ?1 ORDER BY d.urgency DESC, d.id",
            _ => "d.digest = ?1 ORDER BY d.id",
        };
        let queued = self.queued(which, number)?;
        let work = if mode.is_editable() { Work::Digest(step, stats) } else { Work::List(stats) };
        let span = self.waiting_span(message.id, now)?;
        Ok(((message, edited), work, queued, span))
    }

    /// Since when something waits of a message, and the newest delivery that does.
    fn waiting_span(&self, message: MessageId, now: i64) -> Result<(i64, i64), StoreError> {
        let sql = format!(
            "SELECT COALESCE(MIN(since), ?2), COALESCE(MAX(id), 0) FROM delivery WHERE {} = ?1 AND state = 'waiting'",
            message.table()
        );
        let read = |row: Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.db.prepare_cached(&sql)?.query_row([message.number(), now], read)
    }

    /// A message, when people saw its last version (Unix ms), and the JSON that goes with it: a post's problem, or the people
    /// that a digest mentioned.
    fn message(&self, id: MessageId) -> Result<(Message, i64, String), StoreError> {
        let json = match id {
            MessageId::Post(_) => "problem",
            MessageId::Digest(_) => "mentioned",
        };
        let table = id.table();
        let sql =
            format!("SELECT version, shown, channel, ts, plain, attempts, {json}, edited FROM {table} WHERE id = ?1");
        let read = |row: Row<'_>| {
            let message = Message {
                id,
                version: row.get(0)?,
                shown: row.get(1)?,
                channel: row.get(2)?,
                ts: row.get(3)?,
                is_plain: row.get(4)?,
                mentioned: Vec::new(),
                attempts: row.get::<u32>(5)?.saturating_add(1),
            };
            Ok((message, row.get(7)?, row.get(6)?))
        };
        self.db.prepare_cached(&sql)?.query_row([id.number()], read)
    }

    /// `which` is one of this module's own texts.
    fn queued(&self, which: &str, number: i64) -> Result<Vec<QueuedNotification>, StoreError> {
        let sql = format!(
            "SELECT d.id, n.body, d.mentions, d.annotation, d.line, d.curve FROM delivery d JOIN notification n ON n.seq = d.notification
             WHERE d.state = 'waiting' AND {which} LIMIT {COVERED_MAX}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([number])?;
        let mut queued = Vec::new();
        while let Some(row) = rows.next()? {
            queued.push(QueuedNotification {
                id: row.get(0)?,
                incoming: super::incoming(&row.get::<String>(1)?)?,
                mentions: serde_json::from_str(&row.get::<String>(2)?).unwrap_or_default(),
                annotation: row.get(3)?,
                has_line: row.get(4)?,
                is_curve: row.get(5)?,
            });
        }
        Ok(queued)
    }
}

fn post_work(message: &Message, problem: Box<Problem>, mode: MessageMode) -> Work {
    match (&message.ts, mode) {
        (_, MessageMode::WriteOnce) => Work::PostOnce(problem),
        (None, MessageMode::Editable { .. }) => Work::Post(problem),
        (Some(_), MessageMode::Editable { .. }) if message.shown < message.version => Work::Update(problem),
        (Some(_), MessageMode::Editable { .. }) => Work::Reply(problem),
    }
}
