//! Refusals: whoever is refused again and again is one row of the audit an hour.

use super::action::{Transition, advance};
use super::audit::append;
use super::db::{Connection, params};
use super::{Store, StoreError};
use serde_json::{Value, json};

const HOUR_MS: i64 = 60 * 60 * 1000;

impl Store {
    /// Keeps refusals, each with the person and its entry: the first of a person is a row, and those of the hour after
    /// it are counted. Their requests are moved on in the same transaction.
    pub(crate) fn refuse(
        &mut self,
        refusals: &[(String, String)],
        transitions: &[(i64, Transition)],
        now: i64,
    ) -> Result<(), StoreError> {
        if refusals.is_empty() && transitions.is_empty() {
            return Ok(());
        }
        let transaction = self.db.write()?;
        for (person, entry) in refusals {
            close(&transaction, Some(person), now)?;
            let sql = "INSERT INTO refusal (person, until, last) VALUES (?1, ?2, ?3)
                       ON CONFLICT (person) DO UPDATE SET more = refusal.more + 1, last = excluded.last RETURNING more";
            let values = params![person, now.saturating_add(HOUR_MS), entry];
            let more = transaction.insert(sql, values)?.unwrap_or(0);
            if more == 0 {
                append(&transaction, std::slice::from_ref(entry))?;
            }
        }
        advance(&transaction, &self.owner, transitions)?;
        transaction.commit()
    }

    /// Writes the rows of the hours that are over.
    pub(crate) fn count_refusals(&mut self, now: i64) -> Result<(), StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM refusal WHERE until <= ?1 OR until > ?2)";
        if self.db.prepare_cached(sql)?.query_row(params![now, now.saturating_add(HOUR_MS)], |row| row.get(0))? {
            let transaction = self.db.write()?;
            close(&transaction, None, now)?;
            transaction.commit()?;
        }
        Ok(())
    }
}

/// Ends the hours that are over, of one person or of all: with a row where somebody was refused again, and then another
/// hour begins.
fn close(db: &Connection, person: Option<&str>, now: i64) -> Result<(), StoreError> {
    // A clock that was set back would let an hour last for days.
    let due = "(until <= ?1 OR until > ?2) AND person = COALESCE(?3, person)";
    let values = params![now, now.saturating_add(HOUR_MS), person];
    let counted: Vec<(i64, String)> = {
        let mut statement =
            db.prepare_cached(&format!("SELECT more, last FROM refusal WHERE {due} AND more > 0 ORDER BY person"))?;
        let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    let rows: Vec<String> = counted.iter().map(|(more, last)| summed_up(*more, last)).collect();
    append(db, &rows)?;
    db.prepare_cached(&format!("DELETE FROM refusal WHERE {due} AND more = 0"))?.execute(values)?;
    let sql = format!("UPDATE refusal SET more = 0, until = ?1 + {HOUR_MS} WHERE {due}");
    db.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

/// The row for so many more refusals, of which that is the last.
fn summed_up(more: i64, last: &str) -> String {
    let mut entry: Value = serde_json::from_str(last).unwrap_or_default();
    let detail = entry["detail"].as_str().unwrap_or_default().to_owned();
    entry["times"] = json!(more);
    entry["detail"] = json!(match more {
        1 => format!("once more within the hour: {detail}"),
        more => format!("{more} times more within the hour; the last: {detail}"),
    });
    entry.to_string()
}
