//! Installations by a browser, where nodes share the outbox: a sealed row for each, so whoever reads the database, or a backup
//! of it, has no token. A row opens for its own integration only, and each change is made under the write lock, from what the
//! row holds then.
//!
//! Also the states that came back from Slack's page: each works once, at whichever node.

use super::db::{OptionalExtension, Row, params};
use super::{Store, StoreError};
use crate::state_dir::installation::Install;
use crate::system::seal::SealKeys;

/// So many used states are remembered.
const STATES_MAX: i64 = 10_000;

/// An installation as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptInstall {
    pub(crate) install: Install,
    /// It is sealed with the first key.
    pub(crate) by_first: bool,
    /// How long ago it was changed, by the database's clock.
    pub(crate) age_ms: i64,
}

/// All of them.
type ByIntegration = Vec<(String, Result<KeptInstall, StoreError>)>;

/// What became of a state that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateUse {
    First,
    /// It was used before; or so many were that nobody knows.
    Again,
}

impl Store {
    /// All of them, by integration. One that doesn't open is an error by itself.
    pub(crate) fn installs(&self, keys: &SealKeys) -> Result<ByIntegration, StoreError> {
        let clock = self.db.clock();
        let sql = format!("SELECT integration, body, {clock} - changed FROM install ORDER BY integration");
        let mut statement = self.db.prepare_cached(&sql)?;
        let read = |row: Row<'_>| {
            let (integration, body, age_ms): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let kept = opened(keys, &integration, &body, age_ms);
            Ok((integration, kept))
        };
        statement.query_map([], read)?.collect()
    }

    /// One of them, if it is there.
    pub(crate) fn install(&self, keys: &SealKeys, integration: &str) -> Result<Option<KeptInstall>, StoreError> {
        let clock = self.db.clock();
        let sql = format!("SELECT body, {clock} - changed FROM install WHERE integration = ?1");
        let read = |row: Row<'_>| Ok((row.get::<String>(0)?, row.get::<i64>(1)?));
        let row = self.db.prepare_cached(&sql)?.query_row([integration], read).optional()?;
        row.map(|(body, age_ms)| opened(keys, integration, &body, age_ms)).transpose()
    }

    /// Changes one: `change` is given what is there now and says what is to be there, or `None` to leave it. By the time it
    /// returns that is durable. A connection that leads does it only while it has the lease.
    pub(crate) fn change_install(
        &self,
        keys: &SealKeys,
        integration: &str,
        change: impl FnOnce(Option<Install>) -> Option<Install>,
    ) -> Result<(), StoreError> {
        let transaction = self.db.write()?;
        let known = self.install(keys, integration)?.map(|kept| kept.install);
        let Some(wanted) = change(known) else { return Ok(()) };
        let body = wanted.to_text().map_err(|e| StoreError::Content(e.to_string()))?;
        let body = keys.seal(&purpose(integration), &body).map_err(|e| StoreError::Content(e.to_string()))?;
        let clock = self.db.clock();
        let sql = format!(
            "INSERT INTO install (integration, version, changed, body) VALUES (?1, ?2, {clock}, ?3)
             ON CONFLICT (integration) DO UPDATE SET version = excluded.version, changed = excluded.changed,
               body = excluded.body"
        );
        transaction.execute(&sql, params![integration, wanted.version, body])?;
        transaction.commit()
    }

    /// Uses a state, known by its nonce, that is valid until then in Unix ms, with time to spare for a node whose clock is
    /// behind. One that isn't remembered any more isn't taken either: both go by the database's clock.
    pub(crate) fn use_state(&self, nonce: &str, until: i64) -> Result<StateUse, StoreError> {
        let clock = self.db.clock();
        self.db.write_alone(&format!("DELETE FROM install_state WHERE until <= {clock}"), [])?;
        let sql = format!(
            "INSERT INTO install_state (nonce, until) SELECT CAST(?1 AS TEXT), CAST(?2 AS BIGINT)
             WHERE ?2 > {clock} AND (SELECT COUNT(*) FROM install_state) < ?3 ON CONFLICT (nonce) DO NOTHING"
        );
        match self.db.write_alone(&sql, params![nonce, until, STATES_MAX])? {
            0 => Ok(StateUse::Again),
            _ => Ok(StateUse::First),
        }
    }
}

fn purpose(integration: &str) -> String {
    format!("installation of {integration}")
}

fn opened(keys: &SealKeys, integration: &str, body: &str, age_ms: i64) -> Result<KeptInstall, StoreError> {
    let sealed = |_| StoreError::Sealed(integration.to_owned());
    let opened = keys.open(&purpose(integration), body).map_err(sealed)?;
    let install = Install::from_text(opened.text.expose()).map_err(|e| StoreError::Content(e.to_string()))?;
    Ok(KeptInstall { install, by_first: opened.by_first, age_ms })
}
