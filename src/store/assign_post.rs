//! Which message a notification belongs to: the open problem of its object, or a new one.
//!
//! It is decided at the import, in its transaction, so that what is known of a problem is always the newest, however
//! long the messages about it wait. What people see lags behind by `post.version - post.shown`.

use super::db::{Connection, Row, named_params, params};
use super::delivery_queue::{DeliveryQueue, MessageMode};
use super::digest::{deferred_digest, problem_changed, problem_joined, release, taking_new_problems};
use super::{StoreError, escalation, from_json, recovery, still, to_json};
use crate::model::incoming::{DirectMessage, Incoming};
use crate::model::notification::{Kind, Notification, Severity};
use crate::model::problem::{Change, Novelty, Problem};
use crate::system::clock::millis;
use std::time::Duration;

/// A notification that a person sent by hand goes before all else.
const URGENCY_CUSTOM: i64 = 9;
/// Another program's message comes after everything that a core says, and never goes into a digest.
const URGENCY_DIRECT_MESSAGE: i64 = -1;

/// What there is to do about one more notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PostPlacement {
    Waiting {
        assignment: Assignment,
        /// People are mentioned: it is new, or worse than before.
        has_mentions: bool,
        /// A message that shows a problem which this one replaces.
        superseded: Option<i64>,
    },
    /// People know it already.
    Known,
    /// A recovery that waits for the other cores.
    Recovers(Assignment),
}

/// The message that a delivery belongs to, and its rank there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) post: i64,
    /// It was made for this delivery.
    pub(super) is_new: bool,
    pub(super) digest: Option<i64>,
    /// It gets a line of its own in the thread.
    pub(super) has_line: bool,
    pub(super) urgency: i64,
}

/// Finds the message for each notification of one queue. To be used inside a transaction.
#[derive(Clone, Copy)]
pub(super) struct PostAssigner<'a> {
    pub(super) db: &'a Connection,
    pub(super) queue: &'a DeliveryQueue,
    pub(super) mode: MessageMode,
    /// After so long without a new problem a digest takes no more.
    pub(super) quiet: Duration,
    /// Unix ms.
    pub(super) now: i64,
    /// A new problem can wait until then, with others; Unix ms.
    pub(super) deferred: Option<i64>,
    /// Later words about the object are known: where it has a message, this one changes nothing of that.
    pub(super) is_history: bool,
}

/// The newest message about an object in a queue.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Newest {
    id: i64,
    is_open: bool,
    /// The digest that it is a line of, if that goes on.
    digest: Option<i64>,
    was_shown: bool,
    is_waiting: bool,
    /// Its digest waits for its time.
    is_deferred: bool,
    problem: Problem,
}

impl PostAssigner<'_> {
    /// The message that this belongs to; a notification is taken into account there.
    pub(super) fn assign(self, incoming: &Incoming) -> Result<PostPlacement, StoreError> {
        let notification = match incoming {
            Incoming::Notification(notification) => notification,
            Incoming::DirectMessage(message) => return self.assign_direct_message(message),
        };
        let taking = match self.deferred {
            Some(until) => Some(deferred_digest(self.db, self.queue, until, self.now)?),
            None => self.taking()?,
        };
        let Some(mut newest) = self.newest(&notification.object_key())? else {
            return self.begin(notification, taking, None);
        };
        if self.is_history {
            return self.record(&newest, notification, Novelty::Older);
        }
        // A digest that can't be edited is a list of the problems that came together; a later one has its own message.
        newest.digest = newest.digest.filter(|id| self.mode.is_editable() || newest.is_deferred || taking == Some(*id));
        let is_another = newest.problem.is_another(notification);
        let novelty = if is_another { Novelty::News } else { newest.problem.hear(notification, self.now / 1000) };
        match novelty {
            Novelty::News if newest.accepts(notification, self.mode, is_another) => {
                if is_another {
                    // One message for both, as nobody has seen anything of the first: from now on it is the second's.
                    let _ = newest.problem.hear(notification, self.now / 1000);
                }
                return self.join(&newest, notification);
            }
            Novelty::News => {}
            Novelty::GoesOn => return self.join(&newest, notification),
            Novelty::Known | Novelty::Older | Novelty::Waits => return self.record(&newest, notification, novelty),
        }
        let old = newest.id;
        let supersedes = newest.is_open && newest.was_shown && is_another;
        if supersedes {
            newest.problem.is_superseded = true;
            let sql =
                "UPDATE post SET problem = ?2, open = 0, rank = 0, version = version + 1, updated = ?3 WHERE id = ?1";
            self.db.prepare_cached(sql)?.execute_later(params![newest.id, to_json(&newest.problem)?, self.now])?;
            escalation::superseded(self.db, notification)?;
        }
        self.begin(notification, taking, supersedes.then_some(old))
    }

    /// What [`Self::assign`] reads first. A digest that it may make is nothing to be asked before.
    pub(super) fn ask(self, incoming: &Incoming) {
        let Incoming::Notification(notification) = incoming else { return };
        if self.deferred.is_none() {
            let _ = self.taking();
        }
        let _ = self.newest(&notification.object_key());
    }

    /// The digest that takes new problems.
    fn taking(self) -> Result<Option<i64>, StoreError> {
        taking_new_problems(self.db, self.queue, self.now.saturating_sub(millis(self.quiet)))
    }

    /// A direct message is always a message of its own, and nothing more is to be expected of it.
    fn assign_direct_message(self, message: &DirectMessage) -> Result<PostPlacement, StoreError> {
        let sql = "INSERT INTO post (integration, target, object, open, problem, updated)
                   VALUES (?1, ?2, ?3, 0, '', ?4) RETURNING id";
        let values = params![self.queue.integration, self.queue.target, message.object_key(), self.now];
        let post = self.db.insert(sql, values)?.ok_or(StoreError::NoRow)?;
        let assignment =
            Assignment { post, is_new: true, digest: None, has_line: true, urgency: URGENCY_DIRECT_MESSAGE };
        Ok(PostPlacement::Waiting { assignment, has_mentions: true, superseded: None })
    }

    /// A word that changes nothing of what its message shows: only who said it is kept.
    fn record(
        self,
        newest: &Newest,
        notification: &Notification,
        novelty: Novelty,
    ) -> Result<PostPlacement, StoreError> {
        let sql = "UPDATE post SET problem = ?2 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute_later(params![newest.id, to_json(&newest.problem)?])?;
        recovery::heard(self.db, newest.id, newest.problem.is_disputed(), self.now)?;
        let has_line = self.has_line(newest, notification, true);
        let assignment = newest.assignment(has_line, notification);
        let is_threaded = self.mode == MessageMode::Editable { threaded: true };
        match novelty {
            Novelty::Waits => Ok(PostPlacement::Recovers(assignment)),
            // A line of its own tells it; without a thread it would look like news.
            Novelty::Older if is_threaded && newest.digest.is_none() => {
                Ok(PostPlacement::Waiting { assignment, has_mentions: false, superseded: None })
            }
            _ => Ok(PostPlacement::Known),
        }
    }

    /// Whether it gets a line of its own in the thread of the problem's message or of its digest.
    fn has_line(self, newest: &Newest, notification: &Notification, is_turn: bool) -> bool {
        match (newest.digest, self.mode) {
            (Some(_), _) => (is_turn && notification.kind == Kind::Problem) || notification.kind == Kind::Unanswered,
            (None, MessageMode::Editable { threaded }) => threaded,
            (None, MessageMode::WriteOnce) => true,
        }
    }

    fn join(self, newest: &Newest, notification: &Notification) -> Result<PostPlacement, StoreError> {
        let mut problem = newest.problem.clone();
        let is_worse = notification.kind == Kind::Problem && notification.severity() > problem.latest.severity();
        if newest.is_deferred && notification.kind == Kind::Problem && (is_worse || self.deferred.is_none()) {
            release(self.db, newest.id)?;
            return self.join(&Newest { digest: None, is_deferred: false, problem, ..*newest }, notification);
        }
        let was_unanswered = problem.is_unanswered();
        let is_turn = problem.is_turn(notification);
        let change = problem.apply(notification);
        let is_custom = notification.kind == Kind::Custom;
        if change == Change::None && !is_custom {
            return Ok(PostPlacement::Known);
        }
        self.db
            .prepare_cached(
                "UPDATE post SET problem = :problem, open = :open, digest = :digest, rank = :rank,
                   acknowledged = :acknowledged, version = version + :newer, updated = :now WHERE id = :id",
            )?
            .execute_later(named_params! {
                ":id": newest.id, ":problem": to_json(&problem)?, ":open": !problem.is_over(), ":digest": newest.digest,
                ":rank": rank(&problem), ":acknowledged": problem.acknowledged.is_some(), ":newer": !is_custom,
                ":now": self.now,
            })?;
        recovery::heard(self.db, newest.id, problem.is_disputed(), self.now)?;
        escalation::heard(self.db, newest.id, notification, (was_unanswered, problem.is_unanswered()))?;
        let object = notification.object_key();
        still::heard(self.db, &object, &newest.problem, &problem, self.now)?;
        if notification.kind == Kind::StillOnIt {
            still::answered(self.db, &object, self.now)?;
        }
        if let Some(digest) = newest.digest {
            problem_changed(self.db, digest)?;
        }
        if !self.mode.is_editable() && self.is_being_acknowledged(notification)? {
            return Ok(PostPlacement::Known);
        }
        let has_line = self.has_line(newest, notification, is_turn);
        let assignment = newest.assignment(has_line, notification);
        Ok(PostPlacement::Waiting { assignment, has_mentions: change == Change::Worse, superseded: None })
    }

    /// A new message; `taking`: the digest that takes new problems.
    fn begin(
        self,
        notification: &Notification,
        taking: Option<i64>,
        superseded: Option<i64>,
    ) -> Result<PostPlacement, StoreError> {
        let digest = taking.filter(|_| notification.kind != Kind::Custom);
        let mut problem = Problem::begin(notification);
        let _ = problem.hear(notification, self.now / 1000);
        let sql =
            "INSERT INTO post (integration, target, object, open, digest, problem, host, is_host, rank, acknowledged,
                     updated) VALUES (:integration, :target, :object, :open, :digest, :problem, :host, :is_host, :rank,
                     :acknowledged, :now) RETURNING id";
        let post = self.db.insert(
            sql,
            named_params! {
                ":integration": self.queue.integration, ":target": self.queue.target,
                ":object": notification.object_key(), ":open": !problem.is_over(), ":digest": digest,
                ":problem": to_json(&problem)?, ":host": notification.host.name,
                ":is_host": notification.service.is_none(), ":rank": rank(&problem),
                ":acknowledged": problem.acknowledged.is_some(), ":now": self.now,
            },
        )?;
        let post = post.ok_or(StoreError::NoRow)?;
        if let Some(digest) = digest {
            problem_joined(self.db, digest, self.now)?;
        }
        let has_line = digest.is_some() || self.mode != MessageMode::Editable { threaded: false };
        let assignment = Assignment { post, is_new: true, digest, has_line, urgency: urgency(notification) };
        Ok(PostPlacement::Waiting { assignment, has_mentions: true, superseded })
    }

    /// The open one, else the last that was.
    fn newest(self, object: &str) -> Result<Option<Newest>, StoreError> {
        let sql = "SELECT p.id, p.open, (SELECT g.id FROM digest g WHERE g.id = p.digest AND g.open = 1), p.shown > 0,
              EXISTS (SELECT 1 FROM delivery w WHERE w.post = p.id AND w.state = 'waiting'), p.problem,
              EXISTS (SELECT 1 FROM digest g WHERE g.id = p.digest AND g.deferred_until IS NOT NULL AND g.shown = 0)
            FROM post p WHERE p.integration = ?1 AND p.target = ?2 AND p.object = ?3
            ORDER BY p.open DESC, p.id DESC LIMIT 1";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.queue.integration, self.queue.target, object])?;
        let read = |row: Row<'_>| {
            Ok(Newest {
                id: row.get(0)?,
                is_open: row.get(1)?,
                digest: row.get(2)?,
                was_shown: row.get(3)?,
                is_waiting: row.get(4)?,
                problem: from_json(&row.get::<String>(5)?)?,
                is_deferred: row.get(6)?,
            })
        };
        rows.next()?.map(read).transpose()
    }

    /// Whether it is the core's notification of a click that is being confirmed: the clicked message itself will show it.
    fn is_being_acknowledged(self, notification: &Notification) -> Result<bool, StoreError> {
        if notification.kind != Kind::Acknowledgement {
            return Ok(false);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM action_request WHERE state <> 'done' AND object = ?1
                     AND state IN ('sending', 'sent') AND name = 'acknowledge')";
        self.db.prepare_cached(sql)?.query_row([notification.object_key()], |row| row.get(0))
    }
}

impl Newest {
    fn assignment(&self, has_line: bool, notification: &Notification) -> Assignment {
        let urgency = urgency(notification);
        Assignment { post: self.id, is_new: false, digest: self.digest, has_line, urgency }
    }

    fn accepts(&self, notification: &Notification, mode: MessageMode, is_another: bool) -> bool {
        if notification.kind == Kind::Custom {
            return self.is_open && mode == MessageMode::Editable { threaded: true };
        }
        let other = self.was_shown && self.digest.is_none() && is_another;
        // Nobody has seen anything of it yet: one message covers it and what follows.
        let is_unseen = !self.was_shown && self.is_waiting && self.problem.latest.kind != Kind::Custom;
        (self.is_open && !other) || self.digest.is_some() || is_unseen
    }
}

fn rank(problem: &Problem) -> i64 {
    if !problem.is_bad {
        return 0;
    }
    severity_rank(problem.latest.severity()).max(1)
}

fn severity_rank(severity: Severity) -> i64 {
    match severity {
        Severity::Good => 0,
        Severity::Unknown => 1,
        Severity::Warning => 2,
        Severity::Critical => 3,
    }
}

fn urgency(notification: &Notification) -> i64 {
    match notification.kind {
        Kind::Custom => URGENCY_CUSTOM,
        Kind::Problem | Kind::Unanswered => severity_rank(notification.severity()),
        _ => 0,
    }
}
