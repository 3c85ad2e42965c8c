//! Pauses: who holds still, until when, and why.

use super::db::{Connection, OptionalExtension, params};
use super::delivery_queue::DeliveryQueue;
use super::state::PauseScope;
use super::{Store, StoreError};
use crate::model::slack_error::{Reason, SlackError};
use std::collections::BTreeSet;

/// A pause to be written. Times in Unix ms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause<'a> {
    pub(super) until: i64,
    pub(super) now: i64,
    pub(super) reason: Option<&'a Reason>,
}

impl Pause<'_> {
    /// Pauses a channel, under the id that Slack gave it if that is known: `#ops` and its id are one channel.
    pub(super) fn channel(self, db: &Connection, queue: &DeliveryQueue, id: Option<&str>) -> Result<(), StoreError> {
        let known = match id {
            Some(id) => id.to_owned(),
            None => queue.channel_id(db)?.unwrap_or_else(|| queue.target.as_text().into_owned()),
        };
        self.write(db, &queue.integration, PauseScope::Channel, &known, 0)
    }

    /// Pauses an integration's edits.
    pub(super) fn edits(self, db: &Connection, integration: &str) -> Result<(), StoreError> {
        self.write(db, integration, PauseScope::Edits, "", 0)
    }

    /// Pauses an integration and everything with it, after so many more failures.
    pub(super) fn integration(self, db: &Connection, integration: &str, failures: u32) -> Result<(), StoreError> {
        self.write(db, integration, PauseScope::Integration, "", failures)
    }

    fn write(
        self,
        db: &Connection,
        integration: &str,
        scope: PauseScope,
        channel: &str,
        failures: u32,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO pause (integration, scope, channel, until, since, failures, reason, code)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (integration, scope, channel) DO UPDATE SET until = excluded.until, since = excluded.since,
                     failures = pause.failures + excluded.failures, reason = excluded.reason, code = excluded.code";
        let text = self.reason.map_or("", |reason| &reason.text);
        let code = self.reason.and_then(Reason::code);
        let values = params![integration, scope, channel, self.until, self.now, failures, text, code];
        db.prepare_cached(sql)?.execute_later(values)?;
        Ok(())
    }
}

/// Ends the pauses of the integrations that these deliveries go through; the reason stays until something was delivered.
pub(super) fn end_for_deliveries(db: &Connection, id: Option<i64>) -> Result<(), StoreError> {
    let sql = "UPDATE pause SET until = 0 WHERE scope = 'integration' AND integration IN (
                 SELECT integration FROM delivery WHERE state = 'waiting' AND id = COALESCE(?1, id))";
    db.execute(sql, [id])?;
    Ok(())
}

/// The integration works: its failures are past, and remembered as the reason for whatever comes late now.
pub(super) fn end_outage(db: &Connection, integration: &str) -> Result<(), StoreError> {
    let sql = "UPDATE pause SET until = 0, failures = 0, past = reason, past_until = since, reason = '', code = NULL
               WHERE integration = ?1 AND scope = 'integration' AND channel = '' AND reason <> ''";
    db.prepare_cached(sql)?.execute_later([integration])?;
    Ok(())
}

/// The clock went back: a pause lasts as long as it was meant to, from now on.
pub(super) fn follow_clock(db: &Connection, now: i64) -> Result<(), StoreError> {
    db.execute("UPDATE pause SET until = ?1 + (until - since), since = ?1 WHERE since - 2000 > ?1", [now])?;
    Ok(())
}

/// Gives the pauses and dead deliveries of an older database their codes.
pub(super) fn fill_codes(db: &Connection) -> Result<(), StoreError> {
    for (select, update) in [
        ("SELECT reason FROM pause WHERE reason <> ''", "UPDATE pause SET code = ?2 WHERE reason = ?1"),
        (
            "SELECT reason FROM delivery WHERE state = 'dead' AND reason <> ''",
            "UPDATE delivery SET code = ?2 WHERE state = 'dead' AND reason = ?1",
        ),
    ] {
        let reasons = db.prepare(select)?.query_map([], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
        for reason in reasons {
            let error = SlackError::find_in(&reason);
            db.execute(update, params![reason, error.as_ref().map(SlackError::as_str)])?;
        }
    }
    Ok(())
}

impl Store {
    /// Until when the queue must hold still, in Unix ms; 0 when it needn't.
    pub(crate) fn paused_until(&self, queue: &DeliveryQueue) -> Result<i64, StoreError> {
        // Three searches by the whole key: else the pauses of all the integration's channels are read.
        let sql = "SELECT COALESCE(MAX(until), 0) FROM (
              SELECT until FROM pause WHERE integration = ?1 AND scope = 'integration' AND channel = ''
              UNION ALL
              SELECT until FROM pause WHERE integration = ?1 AND scope = 'channel' AND channel = ?2
              UNION ALL
              SELECT until FROM pause WHERE integration = ?1 AND scope = 'channel'
                AND channel = (SELECT id FROM channel WHERE integration = ?1 AND target = ?2)) AS paused";
        self.db.prepare_cached(sql)?.query_row(params![queue.integration, queue.target], |row| row.get(0))
    }

    /// From when on the integration's messages may be edited, in Unix ms.
    pub(super) fn edits_from(&self, integration: &str) -> Result<i64, StoreError> {
        let sql = "SELECT until FROM pause WHERE integration = ?1 AND scope = 'edits' AND channel = ''";
        let until = self.db.prepare_cached(sql)?.query_row([integration], |row| row.get(0)).optional()?;
        Ok(until.unwrap_or(0))
    }

    /// Why the integration failed last, if that was at or after this time (Unix ms).
    pub(crate) fn outage_since(&self, integration: &str, since: i64) -> Result<Option<String>, StoreError> {
        let sql = "SELECT CASE WHEN reason <> '' THEN reason ELSE past END FROM pause
                   WHERE integration = ?1 AND scope = 'integration' AND channel = ''
                     AND ((reason <> '' AND since >= ?2) OR (past <> '' AND past_until >= ?2))";
        self.db.prepare_cached(sql)?.query_row(params![integration, since], |row| row.get(0)).optional()
    }

    /// Temporary failures of the integration in a row.
    pub(crate) fn failures(&self, integration: &str) -> Result<u32, StoreError> {
        let sql = "SELECT failures FROM pause WHERE integration = ?1 AND scope = 'integration' AND channel = ''";
        Ok(self.db.prepare_cached(sql)?.query_row([integration], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// Pauses an integration, and everything with it.
    pub(crate) fn pause_integration(
        &self,
        integration: &str,
        until: i64,
        now: i64,
        reason: &Reason,
    ) -> Result<(), StoreError> {
        Pause { until, now, reason: Some(reason) }.integration(&self.db, integration, 0)
    }

    /// Ends an integration's pause: the configuration changed, so a token that was refused may be good now.
    pub(crate) fn end_integration_pause(&self, integration: &str) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM pause WHERE scope = 'integration' AND integration = ?1", [integration])?;
        Ok(())
    }

    /// The integrations that are paused, or were lately.
    pub(crate) fn paused_integrations(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT integration FROM pause WHERE scope = 'integration'")?;
        let found = statement.query_map([], |row| row.get(0))?;
        found.collect::<Result<_, _>>()
    }
}
