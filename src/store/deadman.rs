//! The dead man's switch: what is known of the messages that lie scheduled at Slack, one row for each channel.

use super::db::params;
use super::{Store, StoreError, from_json};
use crate::rules::deadman::Switch;

impl Store {
    /// Each integration and channel that has or had a switch, with what is known of it.
    pub(crate) fn switches(&self) -> Result<Vec<([String; 2], Switch)>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT integration, channel, switch FROM deadman")?;
        let rows = statement.query_map([], |row| Ok(([row.get(0)?, row.get(1)?], row.get::<String>(2)?)))?;
        rows.map(|row| row.and_then(|(key, text)| Ok((key, from_json(&text)?)))).collect()
    }

    /// Keeps it; durable when this returns.
    pub(crate) fn keep_switch(&self, [integration, channel]: &[String; 2], switch: &Switch) -> Result<(), StoreError> {
        let text = serde_json::to_string(switch).map_err(|e| StoreError::Content(e.to_string()))?;
        let sql = "INSERT INTO deadman (integration, channel, switch) VALUES (?1, ?2, ?3)
                   ON CONFLICT (integration, channel) DO UPDATE SET switch = excluded.switch";
        self.db.prepare_cached(sql)?.execute(params![integration, channel, text])?;
        Ok(())
    }

    /// Nothing of it lies at Slack any more, and nobody wants it.
    pub(crate) fn drop_switch(&self, [integration, channel]: &[String; 2]) -> Result<(), StoreError> {
        let sql = "DELETE FROM deadman WHERE integration = ?1 AND channel = ?2";
        self.db.prepare_cached(sql)?.execute([integration, channel])?;
        Ok(())
    }

    /// How many notifications came between two times, Unix ms.
    pub(crate) fn received_between(&self, from: i64, to: i64) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM notification WHERE received >= ?1 AND received < ?2";
        self.db.prepare_cached(sql)?.query_row([from, to], |row| row.get(0))
    }
}
