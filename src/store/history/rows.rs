//! The rows of the memory: written once, read for cards, lists and the week's summary, and forgotten after a while.

use crate::model::notification::Notification;
use crate::model::object::Object;
use crate::model::past_problem::{Answer, Ending, PastProblem, Worst};
use crate::model::problem::Problem;
use crate::store::db::{Connection, OptionalExtension, Row, named_params, params};
use crate::store::{DeliveryQueue, Store, StoreError, from_json};

/// So much of a comment and of a name is kept.
const REMARK_CHARS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 200;
/// How many open problems of one service, the newest of all cores, are looked at for a card's neighbours.
const NEIGHBOURS_LOOKED_AT: i64 = 200;

/// Writes a row, unless one that overlaps is there; whether it was written.
pub(super) fn add(db: &Connection, object: i64, past: &PastProblem) -> Result<bool, StoreError> {
    let answer = past.answer.as_ref();
    let person = answer.and_then(|answer| answer.by.as_deref()).map(|name| name_id(db, name)).transpose()?;
    let destination = past.destination.as_deref().map(|name| name_id(db, name)).transpose()?;
    // Rows of one object don't overlap, so that the last one that began before the end decides.
    let added = db
        .prepare_cached(
            "INSERT INTO history (object, began, ended, worst, notified, flapped, unseen, answered, person, remark, destination)
             SELECT :object, :began, :ended, :worst, :notified, :flapped, :unseen, :answered, :person, :remark, :destination
             WHERE COALESCE((SELECT h.ended FROM history h WHERE h.object = :object AND h.began < :ended
                             ORDER BY h.began DESC LIMIT 1), :began) <= :began
             ON CONFLICT (object, began) DO NOTHING",
        )?
        .execute(named_params! {
            ":object": object, ":began": past.began, ":ended": past.ended, ":worst": past.worst.code(),
            ":notified": past.notified, ":flapped": past.has_flapped, ":unseen": past.ending == Ending::Unseen,
            ":answered": answer.map(|answer| answer.at), ":person": person,
            ":remark": answer.and_then(|answer| answer.remark.as_deref()).map(|text| first(text, REMARK_CHARS_MAX)),
            ":destination": destination,
        })?;
    Ok(added > 0)
}

/// An acknowledgement of which the core notifies nobody is only in its log: it is added to the row that is there.
fn add_answer(db: &Connection, object: i64, past: &PastProblem) -> Result<(), StoreError> {
    let Some(answer) = &past.answer else { return Ok(()) };
    let person = answer.by.as_deref().map(|name| name_id(db, name)).transpose()?;
    db.prepare_cached(
        "UPDATE history SET answered = :answered, person = :person, remark = :remark
         WHERE object = :object AND answered IS NULL AND ended >= :answered
           AND began = (SELECT h.began FROM history h WHERE h.object = :object AND h.began <= :answered
                        ORDER BY h.began DESC LIMIT 1)",
    )?
    .execute(named_params! {
        ":object": object, ":answered": answer.at, ":person": person,
        ":remark": answer.remark.as_deref().map(|text| first(text, REMARK_CHARS_MAX)),
    })?;
    Ok(())
}

fn first(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn known_object(db: &Connection, object: &Object) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id FROM history_object WHERE core = ?1 AND host = ?2 AND service = ?3";
    let values = params![object.core, object.host, object.service.as_deref().unwrap_or_default()];
    db.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()
}

fn object_id(db: &Connection, object: &Object) -> Result<i64, StoreError> {
    if let Some(known) = known_object(db, object)? {
        return Ok(known);
    }
    add_object(db, object)
}

/// Writes an object that isn't known yet; its number.
pub(super) fn add_object(db: &Connection, object: &Object) -> Result<i64, StoreError> {
    let sql = "INSERT INTO history_object (core, host, service) VALUES (?1, ?2, ?3) RETURNING id";
    let values = params![object.core, object.host, object.service.as_deref().unwrap_or_default()];
    db.insert(sql, values)?.ok_or(StoreError::NoRow)
}

fn name_id(db: &Connection, name: &str) -> Result<i64, StoreError> {
    let name = first(name, NAME_CHARS_MAX);
    let known = "SELECT id FROM history_name WHERE name = ?1";
    if let Some(known) = db.prepare_cached(known)?.query_row([&name], |row| row.get(0)).optional()? {
        return Ok(known);
    }
    db.insert("INSERT INTO history_name (name) VALUES (?1) RETURNING id", [&name])?.ok_or(StoreError::NoRow)
}

/// The columns that [`past`] decodes, from `history h`.
const COLUMNS: &str = "h.began, h.ended, h.worst, h.notified, h.flapped, h.unseen, h.answered, h.remark,
    (SELECT n.name FROM history_name n WHERE n.id = h.person), (SELECT n.name FROM history_name n WHERE n.id = h.destination)";

fn past(row: Row<'_>) -> Result<PastProblem, StoreError> {
    let at: Option<i64> = row.get(6)?;
    let (remark, by) = (row.get(7)?, row.get(8)?);
    Ok(PastProblem {
        began: row.get(0)?,
        ended: row.get(1)?,
        worst: Worst::from_code(row.get(2)?),
        notified: row.get(3)?,
        has_flapped: row.get(4)?,
        ending: if row.get(5)? { Ending::Unseen } else { Ending::Recovered },
        answer: at.map(|at| Answer { at, by, remark }),
        destination: row.get(9)?,
    })
}

impl Store {
    /// The problems of an object that began before `before`, the newest first.
    pub(crate) fn past_problems(
        &self,
        object: &Object,
        before: i64,
        most: usize,
    ) -> Result<Vec<PastProblem>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM history h WHERE h.object = (SELECT id FROM history_object
               WHERE core = ?1 AND host = ?2 AND service = ?3) AND h.began < ?4 ORDER BY h.began DESC LIMIT ?5"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let service = object.service.as_deref().unwrap_or_default();
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params![object.core, object.host, service, before, most], past)?;
        rows.collect::<Result<_, _>>()
    }

    /// The objects with these names, in any core or in the named one.
    pub(crate) fn remembered_objects(&self, host: &str, service: Option<&str>) -> Result<Vec<Object>, StoreError> {
        let sql = "SELECT core, host, service FROM history_object WHERE host = ?1 AND service = ?2 ORDER BY core";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([host, service.unwrap_or_default()], object)?;
        rows.collect::<Result<_, _>>()
    }

    /// The ended problems that began within a time, of all objects.
    pub(crate) fn each_past_problem(
        &self,
        from: i64,
        to: i64,
        mut each: impl FnMut(Object, PastProblem, Verdicts),
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, o.core, o.host, o.service,
               (SELECT COUNT(*) FROM verdict v WHERE v.object = h.object AND v.began = h.began AND v.noise = 1),
               (SELECT COUNT(*) FROM verdict v WHERE v.object = h.object AND v.began = h.began AND v.noise = 0)
             FROM history h JOIN history_object o ON o.id = h.object
             WHERE h.ended >= ?1 AND h.began >= ?1 AND h.began < ?2 ORDER BY h.object, h.began"
        );
        let mut statement = self.db.prepare(&sql)?;
        let mut rows = statement.query([from, to])?;
        while let Some(row) = rows.next()? {
            let service: String = row.get(12)?;
            let service = Some(service).filter(|service| !service.is_empty());
            let object = Object { core: row.get(10)?, host: row.get(11)?, service };
            each(object, past(row)?, Verdicts { noise: row.get(13)?, worth_it: row.get(14)? });
        }
        Ok(())
    }

    /// The latest notifications of the same service on other hosts whose problem this queue shows now.
    pub(crate) fn neighbours(
        &self,
        queue: &DeliveryQueue,
        object: &Object,
        most: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        let Some(service) = object.service.as_deref() else { return Ok(Vec::new()) };
        // One row after the other, so that a server that doesn't know yet how much there is has only one way to do it.
        let sql = "SELECT m.problem FROM (SELECT n.name, (SELECT q.problem FROM post q WHERE q.integration = ?4 AND q.target = ?5
                       AND q.object = n.name AND q.open = 1 AND q.rank > 0 LIMIT 1) AS problem
                     FROM (SELECT (SELECT o.core || ?6 || o.host || ?6 || o.service FROM history_object o WHERE o.id = p.object) AS name
                           FROM open_problem p WHERE p.service = ?1 AND p.service <> '' ORDER BY p.began DESC LIMIT ?7) n
                     WHERE substr(n.name, 1, length(?2) + 1) = ?2 || ?6 AND n.name <> ?3) m
                   WHERE m.problem IS NOT NULL ORDER BY m.name LIMIT ?8";
        let mut statement = self.db.prepare_cached(sql)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let values = params![
            service,
            object.core,
            object.key(),
            queue.integration,
            queue.target,
            "\u{1f}",
            NEIGHBOURS_LOOKED_AT,
            most
        ];
        let texts = statement.query_map(values, |row| row.get::<String>(0))?.collect::<Result<Vec<_>, _>>()?;
        texts.iter().map(|text| from_json::<Problem>(text).map(|problem| problem.latest)).collect()
    }

    /// Adds problems of an imported log, in one transaction; how many were not there yet.
    pub(crate) fn add_past(&mut self, batch: &[(Object, PastProblem)]) -> Result<usize, StoreError> {
        let transaction = self.db.write()?;
        let mut added = 0;
        for (object, past) in batch {
            let id = object_id(&transaction, object)?;
            if add(&transaction, id, past)? {
                added += 1;
            } else {
                add_answer(&transaction, id, past)?;
            }
        }
        transaction.commit()?;
        Ok(added)
    }

    /// Forgets problems that ended before, so many at most; how many.
    pub(crate) fn purge_history(&self, before: i64, most: usize) -> Result<usize, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let sql = "DELETE FROM history WHERE (object, began) IN
                     (SELECT h.object, h.began FROM history h WHERE h.ended < ?1 ORDER BY h.ended LIMIT ?2)";
        let purged = self.db.prepare_cached(sql)?.execute([before, most])?;
        if purged == 0 {
            return Ok(0);
        }
        for table in ["verdict WHERE at < ?1", "open_problem WHERE heard < ?1"] {
            self.db.execute(&format!("DELETE FROM {table}"), [before])?;
        }
        Ok(purged)
    }

    /// Keeps a person's verdict on the last problem of an object that began before; a second one replaces the first. The
    /// verdicts on it so far, or `None` where no problem is known.
    pub(crate) fn judge(
        &self,
        object: &Object,
        before: i64,
        person: &str,
        is_noise: bool,
        now: i64,
    ) -> Result<Option<Verdicts>, StoreError> {
        let Some(id) = known_object(&self.db, object)? else { return Ok(None) };
        let sql = "SELECT began FROM history WHERE object = ?1 AND began <= ?2 ORDER BY began DESC LIMIT 1";
        let Some(began) = self.db.prepare_cached(sql)?.query_row([id, before], |row| row.get::<i64>(0)).optional()?
        else {
            return Ok(None);
        };
        let sql = "INSERT INTO verdict (object, began, person, noise, at) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (object, began, person) DO UPDATE SET noise = excluded.noise, at = excluded.at";
        self.db.prepare_cached(sql)?.execute(params![id, began, first(person, NAME_CHARS_MAX), is_noise, now])?;
        let sql = "SELECT COUNT(*) FILTER (WHERE noise = 1), COUNT(*) FILTER (WHERE noise = 0) FROM verdict
                   WHERE object = ?1 AND began = ?2";
        let verdicts = |row: Row<'_>| Ok(Verdicts { noise: row.get(0)?, worth_it: row.get(1)? });
        Ok(Some(self.db.prepare_cached(sql)?.query_row([id, began], verdicts)?))
    }
}

/// How many people found a notification worth it, and how many found it noise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) noise: u32,
    pub(crate) worth_it: u32,
}

fn object(row: Row<'_>) -> Result<Object, StoreError> {
    let service: String = row.get(2)?;
    Ok(Object { core: row.get(0)?, host: row.get(1)?, service: Some(service).filter(|service| !service.is_empty()) })
}
