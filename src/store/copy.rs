//! Moves an outbox from its file into a database on a server, with the messages that are open in Slack.

use super::db::{Connection, ToSql, Value};
use super::{Store, StoreError};

/// The tables, each after those that it refers to. What only nodes need (`install`, `install_state`,
/// `lease`, `node`, `repair`, `slack_wait`) isn't copied.
pub(super) const TABLES: [&str; 26] = [
    "notification",
    "digest",
    "post",
    "delivery",
    "action_request",
    "audit_start",
    "audit",
    "channel",
    "curve",
    "deadman",
    "escalation",
    "history_object",
    "history_name",
    "history",
    "home",
    "lookup",
    "on_duty",
    "open_problem",
    "origin",
    "pause",
    "refusal",
    "setting_in_force",
    "still",
    "subscription",
    "verdict",
    "weekly",
];
/// The tables whose rows the engine numbers, with that column.
pub(super) const NUMBERED: [(&str, &str); 8] = [
    ("notification", "seq"),
    ("digest", "id"),
    ("post", "id"),
    ("delivery", "id"),
    ("action_request", "id"),
    ("history_object", "id"),
    ("history_name", "id"),
    ("subscription", "id"),
];
/// So many rows go in one statement,
const BATCH: usize = 200;
/// unless their texts are longer than this together: the server has seconds for a statement.
const TEXTS_MAX: usize = 1 << 20;

impl Store {
    /// Copies every row into an empty outbox on a server, in one transaction there; how many of each table. Nobody writes
    /// into the file meanwhile.
    pub(crate) fn copy_to(
        &self,
        target: &Self,
        mut progress: impl FnMut(&str, usize),
    ) -> Result<Vec<(&'static str, usize)>, StoreError> {
        let _source = self.db.write()?;
        let transaction = target.db.write()?;
        for table in TABLES {
            let filled =
                target.db.query_row(&format!("SELECT EXISTS (SELECT 1 FROM {table})"), [], |row| row.get(0))?;
            if filled {
                return Err(StoreError::NotEmpty { table });
            }
        }
        let mut copied = Vec::new();
        for table in TABLES {
            copied.push((table, self.copy_table(&target.db, table, &mut progress)?));
        }
        for (table, column) in NUMBERED {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), COALESCE(MAX({column}), 1), COUNT(*) > 0)
                 FROM {table}"
            );
            target.db.query_row(&sql, [], |_| Ok(()))?;
        }
        transaction.commit()?;
        Ok(copied)
    }

    fn copy_table(
        &self,
        target: &Connection,
        table: &str,
        progress: &mut impl FnMut(&str, usize),
    ) -> Result<usize, StoreError> {
        let columns = self.columns(table)?;
        let names = columns.join(", ");
        let mut statement = self.db.prepare(&format!("SELECT {names} FROM {table}"))?;
        let mut rows = statement.query([])?;
        let (mut values, mut bytes, mut count): (Vec<Value>, usize, usize) = (Vec::new(), 0, 0);
        loop {
            let row = rows.next()?;
            if let Some(row) = row {
                for column in 0..columns.len() {
                    let value = row.get(column)?;
                    bytes += if let Value::Text(text) = &value { text.len() } else { 0 };
                    values.push(value);
                }
            }
            let is_full = values.len() >= BATCH * columns.len() || bytes > TEXTS_MAX;
            if is_full || row.is_none() && !values.is_empty() {
                count += insert(target, table, &names, columns.len(), &values)?;
                values.clear();
                bytes = 0;
                progress(table, count);
            }
            if row.is_none() {
                return Ok(count);
            }
        }
    }

    fn columns(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let mut statement = self.db.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    }
}

/// Writes whole rows; how many.
fn insert(
    target: &Connection,
    table: &str,
    names: &str,
    columns: usize,
    values: &[Value],
) -> Result<usize, StoreError> {
    let row = |first: usize| {
        let numbers: Vec<String> = (first + 1..=first + columns).map(|number| format!("?{number}")).collect();
        format!("({})", numbers.join(", "))
    };
    let rows: Vec<String> = (0..values.len()).step_by(columns).map(row).collect();
    let sql = format!("INSERT INTO {table} ({names}) VALUES {}", rows.join(", "));
    let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    target.prepare_cached(&sql)?.execute(values.as_slice())
}
