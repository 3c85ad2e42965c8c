//! What a lane is to do next: which message to post, edit, reply to or list, and with what.
//!
//! Nothing here changes what people see; a claim only marks a message as being sent, for whoever comes after a crash.

use super::assign_post::from_json;
use super::outbox::{Lane, WHOLE, channel_of};
use super::{Store, StoreError};
use crate::model::notification::Notification;
use crate::model::problem::Problem;
use crate::rules::digest::{self, Digest, DigestStats, Step, Waiting};
use rusqlite::{OptionalExtension, Row, named_params, params};
use std::time::Duration;

/// The lane of the hold on an integration's edits; no channel is called so.
pub(super) const EDITS: &str = "~edits";
/// How many notifications one message tells of at most; the rest follows.
const SAID_MAX: u32 = 100;
/// How many problems a digest's message names.
const NAMED_MAX: u32 = 20;

/// A lane's next step, and when it may be taken (Unix ms).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) ready: i64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Card(i64),
    Digest(i64, Step),
}

/// A message that is ours to send now.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) post: Post,
    pub(crate) lane: Lane,
    pub(crate) work: Work,
    /// The notifications it is about, oldest first; of a digest those that get a line now.
    pub(crate) said: Vec<Said>,
    /// Unix ms; its age counts from here.
    pub(crate) since: i64,
}

/// The message in Slack, or the one to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) id: i64,
    pub(crate) version: i64,
    /// The version that people see; 0: none.
    pub(crate) shown: i64,
    pub(crate) channel: Option<String>,
    pub(crate) ts: Option<String>,
    pub(crate) is_plain: bool,
    /// Whom a digest has called already, as the outbox keeps mentions.
    pub(crate) called: Vec<String>,
    /// Tries since the last success, this one included.
    pub(crate) attempts: u32,
}

/// A waiting notification.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) id: i64,
    pub(crate) notification: Notification,
    pub(crate) mentions: Vec<String>,
    pub(crate) note: Option<String>,
    /// It wants words of its own in the thread.
    pub(crate) line: bool,
}

/// What is to be done with it.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Post the problem's message.
    Post(Box<Problem>),
    /// Edit it.
    Update(Box<Problem>),
    /// Reply in its thread.
    Reply(Box<Problem>),
    /// Tell it by a message that stays as it is.
    Say(Box<Problem>),
    Digest(Step, Box<DigestStats>),
    /// Tell what came together by a message that stays as it is.
    List(Box<DigestStats>),
}

impl Store {
    /// Until when the lane must hold still, in Unix ms; 0 when it needn't.
    pub(crate) fn held_until(&self, lane: &Lane) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(MAX(until), 0) FROM hold WHERE integration = ?1 AND lane IN (?2, ?3, ?4)";
        let channel = channel_of(&self.db, lane)?.unwrap_or_else(|| lane.target.clone());
        Ok(self
            .db
            .prepare_cached(sql)?
            .query_row(params![lane.integration, lane.target, channel, WHOLE], |r| r.get(0))?)
    }

    fn edits_from(&self, integration: &str) -> Result<i64, StoreError> {
        let sql = "SELECT until FROM hold WHERE integration = ?1 AND lane = ?2";
        let until = self.db.prepare_cached(sql)?.query_row([integration, EDITS], |row| row.get(0)).optional()?;
        Ok(until.unwrap_or(0))
    }

    /// The problems of the lane that wait for a message of their own.
    pub(crate) fn waiting_alone(&self, lane: &Lane, window: Duration) -> Result<Waiting, StoreError> {
        let sql = "WITH alone AS (SELECT MIN(d.since) AS since FROM delivery d JOIN post p ON p.id = d.post
              WHERE d.state = 'waiting' AND d.integration = ?1 AND d.target = ?2 AND d.digest IS NULL
                AND p.shown = 0 AND d.urgency BETWEEN 0 AND 8 GROUP BY p.id)
            SELECT COUNT(*), COALESCE(SUM(since >= (SELECT MAX(since) FROM alone) - ?3), 0) FROM alone";
        let read = |row: &Row<'_>| Ok(Waiting { all: row.get(0)?, recent: row.get(1)? });
        let window = crate::system::clock::millis(window);
        Ok(self.db.prepare_cached(sql)?.query_row(params![lane.integration, lane.target, window], read)?)
    }

    /// Makes a digest of the problems that wait for a message of their own, in one transaction.
    pub(crate) fn begin_digest(&mut self, lane: &Lane, now: i64) -> Result<(), StoreError> {
        let transaction = self.db.transaction()?;
        let sql = "INSERT INTO post (integration, target, object, joined, updated) VALUES (?1, ?2, '', ?3, ?3)";
        transaction.execute(sql, params![lane.integration, lane.target, now])?;
        let digest = transaction.last_insert_rowid();
        transaction.execute(
            "UPDATE post SET digest = ?3 WHERE shown = 0 AND digest IS NULL AND object <> '' AND id IN (
               SELECT d.post FROM delivery d WHERE d.state = 'waiting' AND d.integration = ?1 AND d.target = ?2
                 AND d.digest IS NULL AND d.urgency BETWEEN 0 AND 8)",
            params![lane.integration, lane.target, digest],
        )?;
        // A recovery that waits with its problem needs no line of its own.
        transaction.execute(
            "UPDATE delivery SET digest = ?1, line = (urgency > 0 OR NOT EXISTS (
                 SELECT 1 FROM delivery f WHERE f.post = delivery.post AND f.state = 'waiting' AND f.id < delivery.id))
             WHERE state = 'waiting' AND post IN (SELECT id FROM post WHERE digest = ?1)",
            [digest],
        )?;
        Ok(transaction.commit()?)
    }

    /// The lane's next step: only the oldest of each object may go, so that a recovery never overtakes its problem.
    /// `None`: nothing waits. `quiet`: after so long without a new problem a digest takes no more.
    pub(crate) fn plan(
        &self,
        lane: &Lane,
        lives: bool,
        quiet: Duration,
        now: i64,
    ) -> Result<Option<Planned>, StoreError> {
        let edits_from = self.edits_from(&lane.integration)?;
        let mut next = self.plan_card(lane, lives, edits_from, now)?;
        for id in self.digests(lane)? {
            let digest = self.digest(id, now.saturating_sub(crate::system::clock::millis(quiet)))?;
            let (ready, step) =
                if lives { digest::next(digest, edits_from, now) } else { (digest::next_list(digest), Step::Lines) };
            let planned = Planned { ready, what: What::Digest(id, step) };
            // Of what may go now the digest comes first: many people's problems against one's.
            if next.is_none_or(|card| ready <= now || ready < card.ready) {
                next = Some(planned);
            }
        }
        Ok(next)
    }

    fn plan_card(&self, lane: &Lane, lives: bool, edits_from: i64, now: i64) -> Result<Option<Planned>, StoreError> {
        let sql = "SELECT post, ready FROM (
              SELECT d.post, MIN(d.id) AS id, d.urgency AS urgency,
                MAX(p.due, CASE WHEN :lives AND p.ts IS NOT NULL AND p.shown < p.version THEN :edits ELSE 0 END) AS ready
              FROM delivery d JOIN post p ON p.id = d.post
              WHERE d.state = 'waiting' AND d.integration = :integration AND d.target = :target AND d.digest IS NULL
              GROUP BY d.object)
            ORDER BY MAX(ready, :now), urgency DESC, id LIMIT 1";
        let read = |row: &Row<'_>| Ok(Planned { what: What::Card(row.get(0)?), ready: row.get(1)? });
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_row(
            named_params! { ":lives": lives, ":edits": edits_from, ":integration": lane.integration,
            ":target": lane.target, ":now": now },
            read,
        );
        Ok(found.optional()?)
    }

    fn digests(&self, lane: &Lane) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT DISTINCT digest FROM delivery WHERE state = 'waiting' AND integration = ?1 AND target = ?2
                   AND digest IS NOT NULL ORDER BY digest";
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement.query_map([&lane.integration, &lane.target], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn digest(&self, id: i64, quiet_since: i64) -> Result<Digest, StoreError> {
        let sql = "SELECT p.ts IS NOT NULL, p.shown < p.version,
              p.joined < ?2 AND NOT EXISTS (SELECT 1 FROM post m WHERE m.digest = p.id AND m.open = 1),
              EXISTS (SELECT 1 FROM delivery d WHERE d.digest = p.id AND d.state = 'waiting' AND d.line = 1),
              p.edited, p.due
            FROM post p WHERE p.id = ?1";
        let read = |row: &Row<'_>| {
            Ok(Digest {
                is_posted: row.get(0)?,
                is_stale: row.get(1)?,
                is_over: row.get(2)?,
                has_lines: row.get(3)?,
                edited: row.get(4)?,
                due: row.get(5)?,
            })
        };
        Ok(self.db.prepare_cached(sql)?.query_row([id, quiet_since], read)?)
    }

    /// Takes a planned step, marking the message as being sent.
    pub(crate) fn claim(&self, lane: &Lane, planned: Planned, lives: bool, now: i64) -> Result<Claimed, StoreError> {
        let (What::Card(id) | What::Digest(id, _)) = planned.what;
        let (post, problem) = self.post(id)?;
        let (work, said) = match planned.what {
            What::Card(id) => {
                let problem = Box::new(from_json(&problem)?);
                let said = self.said("d.post = ?1 ORDER BY d.id", id)?;
                (card_work(&post, problem, lives), said)
            }
            What::Digest(id, step) => {
                let tally = Box::new(self.tally(id)?);
                let order = "d.digest = ?1 AND d.line = 1 ORDER BY d.urgency DESC, d.id";
                let order = if lives { order } else { "d.digest = ?1 ORDER BY d.urgency DESC, d.id" };
                let said = if step == Step::Lines {
                    self.said(order, id)?
                } else {
                    self.said("d.digest = ?1 ORDER BY d.id", id)?
                };
                (if lives { Work::Digest(step, tally) } else { Work::List(tally) }, said)
            }
        };
        let since = self.waiting_since(planned.what, now)?;
        self.db
            .prepare_cached("UPDATE post SET leased = ?2, attempts = attempts + 1 WHERE id = ?1")?
            .execute(params![id, now])?;
        Ok(Claimed { post, lane: lane.clone(), work, said, since })
    }

    fn waiting_since(&self, what: What, now: i64) -> Result<i64, StoreError> {
        let (of, id) = match what {
            What::Card(id) => ("post", id),
            What::Digest(id, _) => ("digest", id),
        };
        let sql = format!("SELECT COALESCE(MIN(since), ?2) FROM delivery WHERE {of} = ?1 AND state = 'waiting'");
        Ok(self.db.prepare_cached(&sql)?.query_row([id, now], |row| row.get(0))?)
    }

    fn post(&self, id: i64) -> Result<(Post, String), StoreError> {
        let sql = "SELECT version, shown, channel, ts, plain, attempts, problem FROM post WHERE id = ?1";
        let read = |row: &Row<'_>| {
            let post = Post {
                id,
                version: row.get(0)?,
                shown: row.get(1)?,
                channel: row.get(2)?,
                ts: row.get(3)?,
                is_plain: row.get(4)?,
                called: serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default(),
                attempts: row.get::<_, u32>(5)?.saturating_add(1),
            };
            Ok((post, row.get(6)?))
        };
        Ok(self.db.prepare_cached(sql)?.query_row([id], read)?)
    }

    /// `which` is one of this module's own texts.
    fn said(&self, which: &str, id: i64) -> Result<Vec<Said>, StoreError> {
        let sql = format!(
            "SELECT d.id, n.body, d.mentions, d.note, d.line FROM delivery d JOIN notification n ON n.seq = d.notification
             WHERE d.state = 'waiting' AND {which} LIMIT {SAID_MAX}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([id])?;
        let mut said = Vec::new();
        while let Some(row) = rows.next()? {
            let body: String = row.get(1)?;
            said.push(Said {
                id: row.get(0)?,
                notification: serde_json::from_str(&body).map_err(|e| StoreError::Content(e.to_string()))?,
                mentions: serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default(),
                note: row.get(3)?,
                line: row.get(4)?,
            });
        }
        Ok(said)
    }

    /// The numbers of a digest.
    fn tally(&self, id: i64) -> Result<DigestStats, StoreError> {
        let sql = "SELECT COUNT(*), COUNT(DISTINCT host), COALESCE(SUM(open = 0), 0),
              COALESCE(SUM(open = 1 AND acknowledged = 1), 0), COALESCE(SUM(open = 1 AND rank <= 1), 0),
              COALESCE(SUM(open = 1 AND rank = 2), 0), COALESCE(SUM(open = 1 AND rank = 3), 0),
              (SELECT COALESCE(MIN(since), 0) FROM delivery f JOIN post q ON q.id = f.post WHERE q.digest = ?1),
              COALESCE(MAX(updated), 0),
              (SELECT COALESCE(MAX(id), 0) FROM delivery d WHERE d.digest = ?1 AND d.state = 'waiting')
            FROM post WHERE digest = ?1";
        let mut tally = self.db.prepare_cached(sql)?.query_row([id], |row| {
            Ok(DigestStats {
                problems: row.get(0)?,
                hosts: row.get(1)?,
                recovered: row.get(2)?,
                acknowledged: row.get(3)?,
                ranks: [row.get(4)?, row.get(5)?, row.get(6)?],
                first: row.get(7)?,
                last: row.get(8)?,
                worst: Vec::new(),
                unnamed: 0,
                covers: row.get(9)?,
            })
        })?;
        // The services of a host that is down itself are part of its line.
        let own_line = "m.is_host = 1 OR NOT EXISTS (SELECT 1 FROM post h WHERE h.digest = m.digest AND h.host = m.host
                          AND h.is_host = 1 AND h.open = 1)";
        let count = format!("SELECT COUNT(*) FROM post m WHERE m.digest = ?1 AND m.open = 1 AND ({own_line})");
        let lines: u32 = self.db.prepare_cached(&count)?.query_row([id], |row| row.get(0))?;
        let named = format!(
            "SELECT m.problem, CASE m.is_host WHEN 1 THEN (SELECT COUNT(*) FROM post s WHERE s.digest = m.digest
                 AND s.host = m.host AND s.is_host = 0 AND s.open = 1) ELSE 0 END
             FROM post m WHERE m.digest = ?1 AND m.open = 1 AND ({own_line})
             ORDER BY m.acknowledged, m.rank DESC, m.is_host DESC, m.id LIMIT {NAMED_MAX}"
        );
        let mut statement = self.db.prepare_cached(&named)?;
        let mut rows = statement.query([id])?;
        while let Some(row) = rows.next()? {
            tally.worst.push((from_json(&row.get::<_, String>(0)?)?, row.get(1)?));
        }
        tally.unnamed = lines.saturating_sub(u32::try_from(tally.worst.len()).unwrap_or(u32::MAX));
        Ok(tally)
    }

    /// Why the integration failed last, if that was at or after this time (Unix ms).
    pub(crate) fn outage_since(&self, integration: &str, since: i64) -> Result<Option<String>, StoreError> {
        let sql =
            "SELECT CASE WHEN reason <> '' THEN reason ELSE past END FROM hold WHERE integration = ?1 AND lane = ?2
                   AND ((reason <> '' AND since >= ?3) OR (past <> '' AND past_until >= ?3))";
        Ok(self.db.prepare_cached(sql)?.query_row(params![integration, WHOLE, since], |row| row.get(0)).optional()?)
    }
}

fn card_work(post: &Post, problem: Box<Problem>, lives: bool) -> Work {
    match (&post.ts, lives) {
        (_, false) => Work::Say(problem),
        (None, true) => Work::Post(problem),
        (Some(_), true) if post.shown < post.version => Work::Update(problem),
        (Some(_), true) => Work::Reply(problem),
    }
}
