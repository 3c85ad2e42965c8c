//! Subscriptions: routes that channels gave themselves in Slack.

use super::db::params;
use super::{Store, StoreError};

/// So many subscriptions one channel may have: each is looked at for each notification.
pub(crate) const PER_CHANNEL_MAX: usize = 50;

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) integration: String,
    /// Slack's id.
    pub(crate) channel: String,
    /// As it was written; [`crate::rules::slash::Filter::of`] reads it.
    pub(crate) filter: String,
    /// Who subscribed the channel: Slack's id, and the name then.
    pub(crate) user: String,
    pub(crate) name: String,
    /// Unix ms.
    pub(crate) at: i64,
}

impl Store {
    /// All subscriptions, in the order they were made.
    pub(crate) fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let sql = "SELECT integration, channel, filter, person, name, at FROM subscription ORDER BY id";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Subscription {
                integration: row.get(0)?,
                channel: row.get(1)?,
                filter: row.get(2)?,
                user: row.get(3)?,
                name: row.get(4)?,
                at: row.get(5)?,
            })
        })?;
        rows.collect::<Result<_, _>>()
    }

    /// Keeps one, with its row of the audit; 0 when the channel has it already. `None`: this very order was carried
    /// out before, and comes again; `key` is its own.
    pub(crate) fn subscribe(
        &mut self,
        new: &Subscription,
        key: &str,
        entry: &str,
    ) -> Result<Option<usize>, StoreError> {
        let transaction = self.db.write()?;
        if !super::action::is_first(&transaction, key, new.at)? {
            return Ok(None);
        }
        let sql = "INSERT INTO subscription (integration, channel, filter, person, name, at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (integration, channel, filter) DO NOTHING";
        let values = params![new.integration, new.channel, new.filter, new.user, new.name, new.at];
        let added = transaction.execute(sql, values)?;
        if added > 0 {
            super::audit::append(&transaction, &[entry.to_owned()])?;
        }
        transaction.commit()?;
        Ok(Some(added))
    }

    /// Ends the subscriptions of two places with that filter, or all of them, with a row of the audit; how many there were.
    /// `None`: this very order, by its `key`, comes again.
    pub(crate) fn unsubscribe(
        &mut self,
        (integration, [channel, own]): (&str, [&str; 2]),
        filter: Option<&str>,
        (key, now): (&str, i64),
        entry: &str,
    ) -> Result<Option<usize>, StoreError> {
        let transaction = self.db.write()?;
        if !super::action::is_first(&transaction, key, now)? {
            return Ok(None);
        }
        let sql = "DELETE FROM subscription WHERE integration = ?1 AND channel IN (?2, ?4)
                     AND filter = COALESCE(?3, filter)";
        let gone = transaction.execute(sql, params![integration, channel, filter, own])?;
        if gone > 0 {
            super::audit::append(&transaction, &[entry.to_owned()])?;
        }
        transaction.commit()?;
        Ok(Some(gone))
    }
}
