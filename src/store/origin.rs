//! The hosts that notify for each core.

use super::db::{Connection, params};
use super::{Store, StoreError};
use crate::model::notification::Notification;
use crate::system::order;
use std::collections::BTreeMap;

/// A host of which nothing was heard for so long doesn't notify any more.
const SILENCE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// Remembers who sent these.
pub(super) fn heard<'a>(
    db: &Connection,
    notifications: impl Iterator<Item = &'a Notification>,
    now: i64,
) -> Result<(), StoreError> {
    let heard = notifications.map(|one| (one.core.as_str(), one.origin.as_str())).filter(|(_, name)| !name.is_empty());
    let heard = order::set(heard);
    let sql = "INSERT INTO origin (core, name, heard) VALUES (?1, ?2, ?3)
               ON CONFLICT (core, name) DO UPDATE SET heard = excluded.heard";
    let mut statement = db.prepare_cached(sql)?;
    for (core, name) in heard {
        statement.execute_later(params![core, name, now])?;
    }
    // Whoever makes up names fills no disk with them.
    db.prepare_cached("DELETE FROM origin WHERE heard < ?1")?.execute_later([now.saturating_sub(SILENCE_MAX_MS)])?;
    Ok(())
}

impl Store {
    /// The hosts that notified lately, by core.
    pub(crate) fn origins(&self, now: i64) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let sql = "SELECT core, name FROM origin WHERE heard >= ?1 ORDER BY core, name";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([now.saturating_sub(SILENCE_MAX_MS)])?;
        let mut origins: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            origins.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        Ok(origins)
    }
}
