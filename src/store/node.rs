//! The nodes: who shares the outbox, as each said last.

use super::db::{Row, params};
use super::{Store, StoreError, from_json, schema, to_json};
use crate::system::clock::millis;
use std::time::Duration;

/// How long a node that went away is waited for.
pub(super) const NODE_MAX: Duration = Duration::from_secs(15);
/// After so long the row of a node that went away is removed.
const FORGET_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeBeat {
    pub(crate) name: String,
    /// The machine that has this name: two may have the same by mistake.
    pub(crate) machine: String,
    pub(crate) version: String,
    /// The newest schema that its program knows.
    pub(crate) schema: i64,
    /// The cores that it can send commands to.
    pub(crate) reaches: Vec<String>,
    /// A hash of the configuration that must be the same on all nodes.
    pub(crate) config: String,
}

/// A node as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownNode {
    pub(crate) beat: NodeBeat,
    /// How long ago it said so, by the database's clock.
    pub(crate) age_ms: i64,
    /// Whether it has the lease.
    pub(crate) leads: bool,
}

impl NodeBeat {
    pub(crate) fn of(name: &str, machine: String, reaches: Vec<String>, config: String) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { name: name.to_owned(), machine, version, schema: schema::known(), reaches, config }
    }
}

impl KnownNode {
    /// Whether it is taken for dead.
    pub(crate) fn is_gone(&self) -> bool {
        self.age_ms > millis(NODE_MAX)
    }
}

impl Store {
    /// Says that a node is there. An error where a living one of another machine has the same name.
    pub(crate) fn beat(&self, beat: &NodeBeat) -> Result<(), StoreError> {
        let NodeBeat { name, machine, version, schema, reaches, config } = beat;
        let clock = self.db.clock();
        let sql = format!(
            "INSERT INTO node (name, machine, version, schema, seen, reaches, config)
               VALUES (?1, ?2, ?3, ?4, {clock}, ?5, ?6)
             ON CONFLICT (name) DO UPDATE SET machine = excluded.machine, version = excluded.version,
               schema = excluded.schema, seen = excluded.seen, reaches = excluded.reaches, config = excluded.config
               WHERE node.machine = excluded.machine OR node.seen < {clock} - ?7"
        );
        let values = params![name, machine, version, schema, to_json(reaches)?, config, millis(NODE_MAX)];
        match self.db.write_alone(&sql, values)? {
            0 => Err(StoreError::NameTaken(name.clone())),
            _ => Ok(()),
        }
    }

    /// It ends in good order: nobody misses it, and its requests are taken over at once.
    pub(crate) fn end_node(&self, name: &str, machine: &str) -> Result<(), StoreError> {
        self.db.write_alone("DELETE FROM node WHERE name = ?1 AND machine = ?2", params![name, machine]).map(drop)
    }

    /// Removes the rows of nodes that went away long ago.
    pub(crate) fn forget_nodes(&self) -> Result<(), StoreError> {
        let clock = self.db.clock();
        self.db.execute(&format!("DELETE FROM node WHERE seen < {clock} - ?1"), [FORGET_MS])?;
        Ok(())
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        let clock = self.db.clock();
        let sql = format!(
            "SELECT n.name, n.version, n.schema, n.reaches, n.config, n.machine, {clock} - n.seen, EXISTS (SELECT 1 FROM lease l
               WHERE l.name = 'deliver' AND l.holder = n.name AND l.until > {clock}) FROM node n ORDER BY n.name"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let read = |row: Row<'_>| {
            let (name, version, reaches) = (row.get(0)?, row.get(1)?, from_json(&row.get::<String>(3)?)?);
            let (schema, config, machine) = (row.get(2)?, row.get(4)?, row.get(5)?);
            let beat = NodeBeat { name, machine, version, schema, reaches, config };
            Ok(KnownNode { beat, age_ms: row.get(6)?, leads: row.get(7)? })
        };
        statement.query_map([], read)?.collect()
    }
}
