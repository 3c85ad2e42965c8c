//! Which message a notification belongs to: the open problem of its object, or a new one.
//!
//! It is decided at the import, in its transaction, so that what is known of a problem is always the newest, however
//! long the messages about it wait. What people see lags behind by `post.version - post.shown`.

use super::StoreError;
use super::outbox::Lane;
use crate::model::notification::{Kind, Notification, Severity};
use crate::model::problem::{Change, Problem};
use crate::system::clock::millis;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use std::time::Duration;

/// What a person sent by hand goes before all else.
const URGENCY_CUSTOM: i64 = 9;
/// What another program wrote comes after all that a core says, and never goes into a digest.
const URGENCY_LETTER: i64 = -1;

/// How a place shows what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Messages that are edited, with or without replies in their threads.
    Living { threaded: bool },
    /// Each message stays as it was sent: an incoming webhook.
    Fixed,
}

/// What there is to do about one more notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placing {
    Waiting {
        post: i64,
        digest: Option<i64>,
        /// It wants words of its own in the thread.
        line: bool,
        urgency: i64,
        /// People are to be called: it is new, or worse than before.
        calls: bool,
        /// A message that shows a problem which this one replaces.
        superseded: Option<i64>,
    },
    /// People know it already.
    Known,
}

/// The newest message about an object in a lane.
struct Last {
    id: i64,
    is_open: bool,
    /// Where it is a line of a digest that goes on.
    digest: Option<i64>,
    was_shown: bool,
    is_waiting: bool,
    problem: Problem,
}

/// Where the notification belongs in this lane; folds it into what is known there. `quiet`: after so long without a
/// new problem a digest takes no more. To be called inside a transaction.
pub(super) fn place(
    db: &Connection,
    lane: &Lane,
    notification: &Notification,
    voice: Voice,
    quiet: Duration,
    now: i64,
) -> Result<Placing, StoreError> {
    let taking = taking_digest(db, lane, now.saturating_sub(millis(quiet)))?;
    match newest(db, lane, &notification.object_key())? {
        Some(mut last) => {
            // A digest in a fixed voice is a list of what came together; what comes later speaks for itself.
            last.digest = last.digest.filter(|id| voice != Voice::Fixed || taking == Some(*id));
            if last.takes(notification, voice) {
                return join(db, last, notification, voice, now);
            }
            let old = last.id;
            let supersedes = last.is_open && last.was_shown && last.problem.is_another(notification);
            if supersedes {
                last.problem.is_superseded = true;
                let sql = "UPDATE post SET problem = ?2, open = 0, rank = 0, version = version + 1, updated = ?3 WHERE id = ?1";
                db.execute(sql, params![last.id, to_json(&last.problem)?, now])?;
            }
            fresh(db, lane, notification, voice, taking, supersedes.then_some(old), now)
        }
        None => fresh(db, lane, notification, voice, taking, None, now),
    }
}

impl Last {
    fn takes(&self, notification: &Notification, voice: Voice) -> bool {
        if notification.kind == Kind::Custom {
            return self.is_open && voice == Voice::Living { threaded: true };
        }
        let other = self.was_shown && self.digest.is_none() && self.problem.is_another(notification);
        // Nobody has seen anything of it yet: it is told together with what follows.
        let is_unseen = !self.was_shown && self.is_waiting && self.problem.latest.kind != Kind::Custom;
        (self.is_open && !other) || self.digest.is_some() || is_unseen
    }
}

/// Whether the core's word is that of a click which is being confirmed: the clicked message itself will say so.
fn is_clicked(db: &Connection, notification: &Notification) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM act WHERE state <> 'done' AND object = ?1 AND state IN ('sending', 'sent')
                 AND json_extract(request, '$.name') = 'acknowledge')";
    Ok(db.prepare_cached(sql)?.query_row([notification.object_key()], |row| row.get(0))?)
}

fn join(
    db: &Connection,
    last: Last,
    notification: &Notification,
    voice: Voice,
    now: i64,
) -> Result<Placing, StoreError> {
    let mut problem = last.problem;
    let is_turn = problem.is_turn(notification);
    let change = problem.take(notification);
    let is_custom = notification.kind == Kind::Custom;
    if change == Change::None && !is_custom {
        return Ok(Placing::Known);
    }
    db.prepare_cached(
        "UPDATE post SET problem = :problem, open = :open, digest = :digest, rank = :rank, acknowledged = :acknowledged,
           version = version + :newer, updated = :now WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": last.id, ":problem": to_json(&problem)?, ":open": !problem.is_over(), ":digest": last.digest,
        ":rank": rank(&problem), ":acknowledged": problem.acknowledged.is_some(), ":newer": !is_custom, ":now": now,
    })?;
    if let Some(digest) = last.digest {
        db.prepare_cached("UPDATE post SET version = version + 1 WHERE id = ?1")?.execute([digest])?;
    }
    if voice == Voice::Fixed && notification.kind == Kind::Acknowledgement && is_clicked(db, notification)? {
        return Ok(Placing::Known);
    }
    let line = match (last.digest, voice) {
        (Some(_), _) => is_turn && notification.kind == Kind::Problem,
        (None, Voice::Living { threaded }) => threaded,
        (None, Voice::Fixed) => true,
    };
    Ok(Placing::Waiting {
        post: last.id,
        digest: last.digest,
        line,
        urgency: urgency(notification),
        calls: change == Change::Worse,
        superseded: None,
    })
}

fn fresh(
    db: &Connection,
    lane: &Lane,
    notification: &Notification,
    voice: Voice,
    taking: Option<i64>,
    superseded: Option<i64>,
    now: i64,
) -> Result<Placing, StoreError> {
    let digest = taking.filter(|_| notification.kind != Kind::Custom);
    let problem = Problem::begin(notification);
    db.prepare_cached(
        "INSERT INTO post (integration, target, object, open, digest, problem, host, is_host, rank, acknowledged, updated)
         VALUES (:integration, :target, :object, :open, :digest, :problem, :host, :is_host, :rank, :acknowledged, :now)",
    )?
    .execute(named_params! {
        ":integration": lane.integration, ":target": lane.target, ":object": notification.object_key(),
        ":open": !problem.is_over(), ":digest": digest, ":problem": to_json(&problem)?,
        ":host": notification.host.name, ":is_host": notification.service.is_none(), ":rank": rank(&problem),
        ":acknowledged": problem.acknowledged.is_some(), ":now": now,
    })?;
    let post = db.last_insert_rowid();
    if let Some(digest) = digest {
        let sql = "UPDATE post SET version = version + 1, joined = ?2, updated = ?2 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![digest, now])?;
    }
    let is_line = digest.is_some() || voice != Voice::Living { threaded: false };
    Ok(Placing::Waiting { post, digest, line: is_line, urgency: urgency(notification), calls: true, superseded })
}

/// The open one, else the last that was.
fn newest(db: &Connection, lane: &Lane, object: &str) -> Result<Option<Last>, StoreError> {
    let sql = "SELECT p.id, p.open, (SELECT d.id FROM post d WHERE d.id = p.digest AND d.open = 1), p.shown > 0,
          EXISTS (SELECT 1 FROM delivery w WHERE w.post = p.id AND w.state = 'waiting'), p.problem
        FROM post p WHERE p.integration = ?1 AND p.target = ?2 AND p.object = ?3 ORDER BY p.open DESC, p.id DESC LIMIT 1";
    let read =
        |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get::<_, String>(5)?));
    let found = db.prepare_cached(sql)?.query_row([&lane.integration, &lane.target, object], read).optional()?;
    let Some((id, is_open, digest, was_shown, is_waiting, problem)) = found else {
        return Ok(None);
    };
    Ok(Some(Last { id, is_open, digest, was_shown, is_waiting, problem: from_json(&problem)? }))
}

/// The digest of the lane that takes new problems, if there is one.
fn taking_digest(db: &Connection, lane: &Lane, since: i64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id FROM post WHERE integration = ?1 AND target = ?2 AND object = '' AND open = 1 AND joined >= ?3
               ORDER BY id DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row(params![lane.integration, lane.target, since], |row| row.get(0)).optional()?)
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
        _ if notification.letter.is_some() => URGENCY_LETTER,
        Kind::Custom => URGENCY_CUSTOM,
        Kind::Problem => severity_rank(notification.severity()),
        _ => 0,
    }
}

pub(super) fn to_json(problem: &Problem) -> Result<String, StoreError> {
    serde_json::to_string(problem).map_err(|e| StoreError::Content(e.to_string()))
}

pub(super) fn from_json(text: &str) -> Result<Problem, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Content(e.to_string()))
}
