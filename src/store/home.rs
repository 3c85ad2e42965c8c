//! What is wrong now, as the messages about it know it: for App Home, which must not wait for a core.

use super::place::from_json;
use super::{Store, StoreError};
use crate::problem::Problem;

/// So many are read; with more, people have other things to look at.
const PROBLEMS_MAX: u32 = 2000;

impl Store {
    /// Differs when anybody else wrote since the last look (<https://sqlite.org/pragma.html#pragma_data_version>).
    pub(crate) fn changes(&self) -> Result<i64, StoreError> {
        Ok(self.db.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }

    /// Every object that isn't well, once, with the number of a message about it: the integration's own where it has
    /// one. What nobody knows of and is worst comes first.
    pub(crate) fn open_problems(&self, integration: &str) -> Result<Vec<(i64, Problem)>, StoreError> {
        let sql = format!(
            "SELECT id, problem FROM (
               SELECT id, problem, acknowledged, rank, updated,
                 ROW_NUMBER() OVER (PARTITION BY object ORDER BY integration = ?1 DESC, updated DESC, id DESC) AS nth
               FROM post WHERE open = 1 AND rank > 0 AND object <> '')
             WHERE nth = 1 ORDER BY acknowledged, rank DESC, updated DESC, id DESC LIMIT {PROBLEMS_MAX}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([integration], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        rows.map(|row| row.map_err(StoreError::from).and_then(|(id, text)| Ok((id, from_json(&text)?)))).collect()
    }
}
