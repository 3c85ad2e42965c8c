//! For App Home: the open problems as our messages know them, as people must not wait for a core; and who has it open.

use super::db::params;
use super::delivery_queue::DeliveryQueue;
use super::{Store, StoreError, from_json};
use crate::model::problem::Problem;
use crate::rules::authorise::Permission;
use std::collections::HashSet;

/// So many are read: whoever has more problems needs another view.
const PROBLEMS_MAX: u32 = 2000;

/// Somebody who opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) integration: String,
    pub(crate) user: String,
    pub(crate) team: Option<String>,
    /// Unix ms.
    pub(crate) at: i64,
}

impl Store {
    /// Keeps that somebody opened it; who did so before `since` (Unix ms) is forgotten.
    pub(crate) fn home_opened(&self, by: &Opened, since: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO home (integration, person, team, opened) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (integration, person) DO UPDATE SET team = excluded.team, opened = excluded.opened";
        self.db.prepare_cached(sql)?.execute(params![by.integration, by.user, by.team, by.at])?;
        self.db.prepare_cached("DELETE FROM home WHERE opened < ?1")?.execute([since])?;
        Ok(())
    }

    /// The last that opened it, at most `most`, none before `since` (Unix ms).
    pub(crate) fn homes(&self, since: i64, most: usize) -> Result<Vec<Opened>, StoreError> {
        let sql = "SELECT integration, person, team, opened FROM home WHERE opened >= ?1 ORDER BY opened DESC LIMIT ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![since, i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            Ok(Opened { integration: row.get(0)?, user: row.get(1)?, team: row.get(2)?, at: row.get(3)? })
        })?;
        rows.collect::<Result<_, _>>()
    }

    /// Differs when anybody else wrote since the last look; with a server perhaps also when nobody did.
    pub(crate) fn changes(&self) -> Result<i64, StoreError> {
        self.db.changes()
    }

    /// Every object that isn't well, once, with the number of a message about it: the integration's own where it has
    /// one. The worst that nobody has acknowledged comes first.
    pub(crate) fn open_problems(
        &self,
        integration: &str,
        _: &Permission<'_>,
    ) -> Result<Vec<(i64, Problem)>, StoreError> {
        let sql = format!(
            "SELECT id, problem FROM (
               SELECT id, problem, acknowledged, rank, updated,
                 ROW_NUMBER() OVER (PARTITION BY object ORDER BY CASE WHEN integration = ?1 THEN 0 ELSE 1 END, updated DESC, id DESC) AS nth
               FROM post WHERE open = 1 AND rank > 0) AS numbered
             WHERE nth = 1 ORDER BY acknowledged, rank DESC, updated DESC, id DESC LIMIT {PROBLEMS_MAX}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([integration], |row| Ok((row.get(0)?, row.get::<String>(1)?)))?;
        rows.map(|row| row.and_then(|(id, text)| Ok((id, from_json(&text)?)))).collect()
    }

    /// The objects that wait for this person's answer: a step named them and nobody has answered, or they were asked whether
    /// they are still on it. Both came as a message of their own, which is still open.
    pub(crate) fn waiting_for(&self, person: &[DeliveryQueue]) -> Result<HashSet<String>, StoreError> {
        let sql = "SELECT DISTINCT p.object, p.problem,
                     EXISTS (SELECT 1 FROM still s WHERE s.object = p.object AND s.asked IS NOT NULL)
                   FROM post p WHERE p.integration = ?1 AND p.target = ?2 AND p.follows = 1 AND p.open = 1 AND p.rank > 0
                   LIMIT ?3";
        let mut found = HashSet::new();
        let mut statement = self.db.prepare_cached(sql)?;
        for queue in person {
            let mut rows = statement.query(params![queue.integration, queue.target, PROBLEMS_MAX])?;
            while let Some(row) = rows.next()? {
                let (problem, is_asked): (Problem, bool) = (from_json(&row.get::<String>(1)?)?, row.get(2)?);
                if problem.is_unanswered() || is_asked && problem.acknowledged.is_some() {
                    found.insert(row.get(0)?);
                }
            }
        }
        Ok(found)
    }
}
