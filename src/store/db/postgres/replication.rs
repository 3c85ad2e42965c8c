//! What the server says of itself to whoever may connect: for `doctor`.

use super::{CLOCK, Given, Link, StoreError, cell};

/// The server and its standbys, as a plain role sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerFacts {
    /// `15.14`
    pub(crate) version: String,
    /// It can't be written to.
    pub(crate) is_standby: bool,
    /// How many standbys are connected.
    pub(crate) standbys: i64,
    /// `synchronous_standby_names` and `synchronous_commit`.
    pub(crate) synchronous_names: String,
    pub(crate) synchronous_commit: String,
    /// Its clock, Unix ms.
    pub(crate) clock_ms: i64,
    /// The connections to it, and how many it takes.
    pub(crate) connections: i64,
    pub(crate) connections_max: i64,
}

impl Link {
    /// Asks it.
    pub(in crate::store) fn server_facts(&self) -> Result<ServerFacts, StoreError> {
        // `pg_stat_replication` shows a role without `pg_monitor` that a standby is there, and nothing else of it.
        let sql = format!(
            "SELECT current_setting('server_version'), pg_is_in_recovery(),
                (SELECT COUNT(*) FROM pg_stat_replication WHERE application_name <> 'pg_basebackup'
                   OR application_name IS NULL),
                current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),
                {CLOCK},
                (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend' OR backend_type IS NULL),
                CAST(current_setting('max_connections') AS BIGINT)"
        );
        let rows = self.query(&sql, Given::Positional(&[]))?;
        let row = rows.first().ok_or(StoreError::NoRow)?;
        Ok(ServerFacts {
            version: cell(row, 0)?,
            is_standby: cell(row, 1)?,
            standbys: cell(row, 2)?,
            synchronous_names: cell(row, 3)?,
            synchronous_commit: cell(row, 4)?,
            clock_ms: cell(row, 5)?,
            connections: cell(row, 6)?,
            connections_max: cell(row, 7)?,
        })
    }
}
