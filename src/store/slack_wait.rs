//! Until when Slack wants no call of a method, as it told one of the nodes.

use super::db::{OptionalExtension, params};
use super::{Store, StoreError};
use crate::system::clock::millis;
use std::time::Duration;

impl Store {
    /// How long Slack wants no call of a method yet.
    pub(crate) fn slack_wait(&self, integration: &str, method: &str) -> Result<Duration, StoreError> {
        let clock = self.db.clock();
        let sql = format!(
            "SELECT until - {clock} FROM slack_wait WHERE integration = ?1 AND method = ?2 AND until > {clock}"
        );
        let left = self.db.query_row(&sql, [integration, method], |row| row.get::<i64>(0)).optional()?;
        Ok(Duration::from_millis(left.and_then(|left| u64::try_from(left).ok()).unwrap_or(0)))
    }

    /// Slack wants no call of it for so long. What it told another node, and ends later, counts on.
    pub(crate) fn keep_slack_wait(&self, integration: &str, method: &str, after: Duration) -> Result<(), StoreError> {
        let transaction = self.db.write_without_lease()?;
        let clock = self.db.clock();
        let sql = format!(
            "INSERT INTO slack_wait (integration, method, until) VALUES (?1, ?2, {clock} + ?3)
             ON CONFLICT (integration, method) DO UPDATE
               SET until = CASE WHEN excluded.until > slack_wait.until THEN excluded.until ELSE slack_wait.until END"
        );
        transaction.execute(&sql, params![integration, method, millis(after)])?;
        transaction.execute(&format!("DELETE FROM slack_wait WHERE until < {clock}"), [])?;
        transaction.commit()
    }
}
