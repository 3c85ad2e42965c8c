//! Subscriptions: routes that channels gave themselves in Slack.

use super::{Store, StoreError};
use rusqlite::{TransactionBehavior, params};

/// So many subscriptions one channel may have: each is looked at for each notification.
pub(crate) const PER_CHANNEL_MAX: usize = 50;

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) integration: String,
    /// Slack's id.
    pub(crate) channel: String,
    /// As it was written; [`crate::slash::Filter::of`] reads it.
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
        let sql = "SELECT integration, channel, filter, user, name, at FROM subscription ORDER BY id";
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
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps one, with its row of the audit; `false` when the channel has it already.
    pub(crate) fn subscribe(&mut self, new: &Subscription, entry: &str) -> Result<bool, StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "INSERT OR IGNORE INTO subscription (integration, channel, filter, user, name, at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![new.integration, new.channel, new.filter, new.user, new.name, new.at];
        let is_new = transaction.execute(sql, values)? > 0;
        if is_new {
            super::audit::append(&transaction, &[entry.to_owned()])?;
        }
        transaction.commit()?;
        Ok(is_new)
    }

    /// Ends a channel's subscription with that filter, or all of them, with a row of the audit; how many there were.
    pub(crate) fn unsubscribe(
        &mut self,
        integration: &str,
        channel: &str,
        filter: Option<&str>,
        entry: &str,
    ) -> Result<usize, StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "DELETE FROM subscription WHERE integration = ?1 AND channel = ?2 AND filter = COALESCE(?3, filter)";
        let gone = transaction.execute(sql, params![integration, channel, filter])?;
        if gone > 0 {
            super::audit::append(&transaction, &[entry.to_owned()])?;
        }
        transaction.commit()?;
        Ok(gone)
    }
}
