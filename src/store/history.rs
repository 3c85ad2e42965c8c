//! The memory: one row for each problem that ended, whichever messages showed it.
//!
//! A problem that goes on has a row in `open_problem`, which follows its notifications by the same rules as a card
//! ([`Problem`]). When it ends, its row in `history` is written in the transaction that imports its end. A row of an imported
//! log and one that was heard are the same problem if they overlap: the first that was written stays.

mod rows;

pub(crate) use rows::Verdicts;

use super::db::{Connection, named_params, params};
use super::{StoreError, from_json, to_json};
use crate::model::notification::{Kind, Notification};
use crate::model::object::Object;
use crate::model::past_problem::{Answer, Ending, PastProblem, Worst};
use crate::model::problem::{Novelty, Problem};
use rows::{add, add_object};

/// One more notification, as it is imported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) notification: &'a Notification,
    /// Equal for the runs for several contacts.
    pub(super) duplicate_key: &'a str,
    pub(super) contact: &'a str,
    /// Where it is sent first.
    pub(super) destination: Option<&'a str>,
    /// Unix ms.
    pub(super) now: i64,
}

/// A problem that goes on.
struct OpenProblem {
    began: i64,
    notified: u32,
    has_flapped: bool,
    counted: String,
    counted_contact: String,
    answer: Option<Answer>,
    destination: Option<String>,
    problem: Problem,
}

/// Takes one notification into account. To be used in the transaction that imports it.
pub(super) fn hear(db: &Connection, heard: &Heard<'_>) -> Result<(), StoreError> {
    let notification = heard.notification;
    let object = Object::of(notification);
    let (id, mut open) = match load(db, &object)? {
        Some((id, Some(open))) => (id, open),
        _ if !begins(notification) => return Ok(()),
        Some((id, None)) => return begin(db, id, heard, is_in_the_past(db, &object, notification.time)?),
        // Nothing is known of it.
        None => return begin(db, add_object(db, &object)?, heard, false),
    };
    if open.problem.is_another(notification) {
        // Its end may be the second in which this one begins, which isn't known for that.
        let is_known = is_in_the_past(db, &object, notification.time)?;
        finish(db, id, &open, (notification.time, Ending::Unseen))?;
        return begin(db, id, heard, is_known);
    }
    match open.problem.hear(notification, heard.now / 1000) {
        Novelty::News | Novelty::GoesOn => {
            let _ = open.problem.apply(notification);
            open.count(heard);
        }
        Novelty::Known | Novelty::Older | Novelty::Waits => {}
    }
    if open.problem.is_over() {
        finish(db, id, &open, end(&open.problem, notification))
    } else {
        save(db, id, &open, heard)
    }
}

/// What [`hear`] reads first.
pub(super) fn ask(db: &Connection, notification: &Notification) {
    let object = Object::of(notification);
    let _ = load(db, &object);
    if begins(notification) {
        let _ = is_in_the_past(db, &object, notification.time);
    }
}

fn begins(notification: &Notification) -> bool {
    matches!(notification.kind, Kind::Problem | Kind::FlappingStart)
}

/// A recovery counts that waited for the other cores of a redundant core.
pub(super) fn recovered(db: &Connection, notification: &Notification) -> Result<(), StoreError> {
    match load(db, &Object::of(notification))? {
        Some((id, Some(open))) => finish(db, id, &open, (notification.time, Ending::Recovered)),
        _ => Ok(()),
    }
}

/// Whether a time lies in a problem that ended: the copy for another contact may come after the end.
fn is_in_the_past(db: &Connection, object: &Object, time: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM history WHERE began <= ?4 AND (ended > ?4 OR began = ?4)
                 AND object = (SELECT id FROM history_object WHERE core = ?1 AND host = ?2 AND service = ?3))";
    let values = params![object.core, object.host, object.service.as_deref().unwrap_or_default(), time];
    db.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

fn begin(db: &Connection, id: i64, heard: &Heard<'_>, is_known: bool) -> Result<(), StoreError> {
    let notification = heard.notification;
    if is_known {
        return Ok(());
    }
    let mut problem = Problem::begin(notification);
    let _ = problem.hear(notification, heard.now / 1000);
    let mut open = OpenProblem {
        began: notification.time,
        notified: 0,
        has_flapped: false,
        counted: String::new(),
        counted_contact: String::new(),
        answer: None,
        destination: heard.destination.map(str::to_owned),
        problem,
    };
    open.count(heard);
    save(db, id, &open, heard)
}

/// When and how it ended, by the notification that ended it.
fn end(problem: &Problem, last: &Notification) -> (i64, Ending) {
    match (problem.recovered, &last.kind) {
        (Some(at), _) => (at, Ending::Recovered),
        (None, Kind::FlappingStop | Kind::FlappingDisabled) => (last.time, Ending::Recovered),
        (None, _) => (last.time, Ending::Unseen),
    }
}

impl OpenProblem {
    fn count(&mut self, heard: &Heard<'_>) {
        let Heard { notification, duplicate_key, contact, .. } = *heard;
        let is_for_another = self.counted == duplicate_key && !contact.is_empty() && contact != self.counted_contact;
        if matches!(notification.kind, Kind::Problem | Kind::FlappingStart) && !is_for_another {
            self.notified = self.notified.saturating_add(1);
            duplicate_key.clone_into(&mut self.counted);
            contact.clone_into(&mut self.counted_contact);
        }
        self.has_flapped |= notification.kind == Kind::FlappingStart;
        if self.answer.is_none()
            && let Some(remark) = &self.problem.acknowledged
        {
            self.answer = Some(Answer { at: remark.at, by: remark.author.clone(), remark: remark.comment.clone() });
        }
    }
}

/// The object's number, if it has one, and its problem that goes on.
fn load(db: &Connection, object: &Object) -> Result<Option<(i64, Option<OpenProblem>)>, StoreError> {
    let sql =
        "SELECT o.id, p.began, p.notified, p.flapped, p.counted, p.counted_contact, p.answered, p.person, p.remark,
                 p.destination, p.problem FROM history_object o LEFT JOIN open_problem p ON p.object = o.id
               WHERE o.core = ?1 AND o.host = ?2 AND o.service = ?3";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![object.core, object.host, object.service.as_deref().unwrap_or_default()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let Some(began) = row.get(1)? else { return Ok(Some((row.get(0)?, None))) };
    let at: Option<i64> = row.get(6)?;
    let (by, remark) = (row.get(7)?, row.get(8)?);
    let open = OpenProblem {
        began,
        notified: row.get(2)?,
        has_flapped: row.get(3)?,
        counted: row.get(4)?,
        counted_contact: row.get(5)?,
        answer: at.map(|at| Answer { at, by, remark }),
        destination: row.get(9)?,
        problem: from_json(&row.get::<String>(10)?)?,
    };
    Ok(Some((row.get(0)?, Some(open))))
}

fn save(db: &Connection, id: i64, open: &OpenProblem, heard: &Heard<'_>) -> Result<(), StoreError> {
    let answer = open.answer.as_ref();
    let mut problem = open.problem.clone();
    // What it said is in the messages; here it would only take room.
    for text in [&mut problem.latest.output, &mut problem.latest.long_output, &mut problem.latest.perfdata] {
        text.clear();
    }
    problem.latest.vars.clear();
    problem.curve = None;
    let service = problem.latest.service.as_ref().map_or("", |service| service.name.as_str());
    db.prepare_cached(
        "INSERT INTO open_problem (object, service, began, heard, notified, flapped, counted, counted_contact, answered,
           person, remark, destination, problem) VALUES (:object, :service, :began, :heard, :notified, :flapped, :counted,
           :contact, :answered, :person, :remark, :destination, :problem)
         ON CONFLICT (object) DO UPDATE SET began = excluded.began, heard = excluded.heard, notified = excluded.notified,
           flapped = excluded.flapped, counted = excluded.counted, counted_contact = excluded.counted_contact,
           answered = excluded.answered, person = excluded.person, remark = excluded.remark,
           destination = excluded.destination, problem = excluded.problem",
    )?
    .execute_later(named_params! {
        ":object": id, ":service": service, ":began": open.began, ":heard": heard.now / 1000, ":notified": open.notified,
        ":flapped": open.has_flapped, ":counted": open.counted, ":contact": open.counted_contact,
        ":answered": answer.map(|answer| answer.at), ":person": answer.and_then(|answer| answer.by.as_deref()),
        ":remark": answer.and_then(|answer| answer.remark.as_deref()), ":destination": open.destination,
        ":problem": to_json(&problem)?,
    })?;
    Ok(())
}

/// Moves an open problem into the memory. One of which nothing but an acknowledgement was heard is not kept.
fn finish(db: &Connection, id: i64, open: &OpenProblem, (ended, ending): (i64, Ending)) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM open_problem WHERE object = ?1")?.execute_later([id])?;
    if open.notified == 0 {
        return Ok(());
    }
    let past = PastProblem {
        began: open.began,
        ended: ended.max(open.began),
        worst: open.problem.worst.as_deref().map_or(Worst::NotKnown, Worst::from_state),
        notified: open.notified,
        has_flapped: open.has_flapped,
        ending,
        answer: open.answer.clone(),
        destination: open.destination.clone(),
    };
    add(db, id, &past).map(drop)
}
