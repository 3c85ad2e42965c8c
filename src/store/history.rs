//! The memory: one row for each problem that ended, whichever messages showed it.
//!
//! A problem that goes on has a row in `open_problem`, which follows its notifications by the same rules as a card
//! ([`Problem`]). When it ends, its row in `history` is written in the transaction that imports its end. A row of an imported
//! log and one that was heard are the same problem if they overlap: the first that was written stays.

mod rows;

pub(crate) use rows::Verdicts;

use super::db::{Connection, named_params};
use super::{StoreError, from_json, to_json};
use crate::model::notification::{Kind, Notification};
use crate::model::object::Object;
use crate::model::past_problem::{Answer, Ending, PastProblem, Worst};
use crate::model::problem::{Novelty, Problem};
use rows::{add, known_object, object_id};

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
    let begins = matches!(notification.kind, Kind::Problem | Kind::FlappingStart);
    let Some(id) = (if begins { Some(object_id(db, &object)?) } else { known_object(db, &object)? }) else {
        return Ok(());
    };
    let Some(mut open) = load(db, id)? else {
        return if begins { begin(db, id, heard) } else { Ok(()) };
    };
    if open.problem.is_another(notification) {
        finish(db, id, &open, (notification.time, Ending::Unseen))?;
        return begin(db, id, heard);
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

/// A recovery counts that waited for the other cores of a redundant core.
pub(super) fn recovered(db: &Connection, notification: &Notification) -> Result<(), StoreError> {
    let Some(id) = known_object(db, &Object::of(notification))? else { return Ok(()) };
    match load(db, id)? {
        Some(open) => finish(db, id, &open, (notification.time, Ending::Recovered)),
        None => Ok(()),
    }
}

fn begin(db: &Connection, id: i64, heard: &Heard<'_>) -> Result<(), StoreError> {
    let notification = heard.notification;
    // The copy for another contact may come after the end.
    let sql = "SELECT COUNT(*) FROM history WHERE object = ?1 AND began <= ?2 AND (ended > ?2 OR began = ?2)";
    if db.prepare_cached(sql)?.query_row([id, notification.time], |row| row.get::<i64>(0))? > 0 {
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

fn load(db: &Connection, id: i64) -> Result<Option<OpenProblem>, StoreError> {
    let sql =
        "SELECT began, notified, flapped, counted, counted_contact, answered, person, remark, destination, problem
               FROM open_problem WHERE object = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let at: Option<i64> = row.get(5)?;
    let (by, remark) = (row.get(6)?, row.get(7)?);
    Ok(Some(OpenProblem {
        began: row.get(0)?,
        notified: row.get(1)?,
        has_flapped: row.get(2)?,
        counted: row.get(3)?,
        counted_contact: row.get(4)?,
        answer: at.map(|at| Answer { at, by, remark }),
        destination: row.get(8)?,
        problem: from_json(&row.get::<String>(9)?)?,
    }))
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
    .execute(named_params! {
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
    db.prepare_cached("DELETE FROM open_problem WHERE object = ?1")?.execute([id])?;
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
