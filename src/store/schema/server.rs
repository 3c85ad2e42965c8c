//! The schema with `PostgreSQL`: made, and brought forward, by the owner alone.
//!
//! Its row of `meta` has the newest version that was applied, and the oldest program that may still work with it: nodes are
//! upgraded one after the other.

use super::super::db::{Connection, Row};
use super::super::{Store, StoreError};
use super::{VERSIONS, known};

/// What an outbox on a server begins with. Never change it once it was released; add a step.
const BASE: &str = include_str!("postgres.sql");
/// The version that is.
const BASE_VERSION: usize = 14;
/// Each brings an outbox one version further, as the file's version of that number does.
pub(in crate::store) const STEPS: [&str; 1] = [include_str!("postgres_15.sql")];
const _: () = assert!(VERSIONS.len() == BASE_VERSION + STEPS.len(), "each version of the file has its step here");
/// Whoever has the rights for daily work has them to new tables, too: nodes that are upgraded next need them at once.
const RIGHTS: &str = "DO $$
DECLARE one RECORD;
BEGIN
    FOR one IN SELECT DISTINCT g.grantee, t.tablename FROM information_schema.role_table_grants g, pg_tables t
        WHERE g.table_schema = current_schema() AND g.table_name = 'lease' AND g.privilege_type = 'UPDATE'
          AND g.grantee NOT IN (current_user, 'PUBLIC')
          AND t.schemaname = current_schema() AND t.tableowner = current_user AND t.tablename <> 'meta'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO %I', one.tablename, one.grantee);
    END LOOP;
END $$";
/// The oldest program that may work with an outbox of the newest version. A step that only adds doesn't raise it.
const OLDEST: i64 = 14;

/// What [`init_server`] found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// There was no outbox.
    New,
    /// It was of an older version, or a row was missing that no node can do without.
    Updated,
    Nothing,
}

struct Meta {
    version: i64,
    oldest: i64,
}

/// Whether this program may use the outbox on that server.
pub(in crate::store) fn check_server(db: &Connection) -> Result<(), StoreError> {
    let Connection::Postgres(link) = db else { return Ok(()) };
    let known = known();
    match meta(db)? {
        meta if meta.oldest > known => Err(StoreError::Newer { found: meta.version, known }),
        meta if meta.version < known => Err(StoreError::NeedsInit(link.server().to_string())),
        _ => Ok(()),
    }
}

fn meta(db: &Connection) -> Result<Meta, StoreError> {
    let read = |row: Row<'_>| Ok(Meta { version: row.get(0)?, oldest: row.get(1)? });
    db.query_row("SELECT version, oldest FROM meta", [], read)
}

/// Makes the outbox on a server, or brings it up to date, in one transaction. For the owner.
pub(in crate::store) fn init_server(db: &Connection) -> Result<Made, StoreError> {
    init_with(db, &STEPS)
}

/// `steps`: of the versions after [`BASE_VERSION`], in order.
pub(in crate::store) fn init_with(db: &Connection, steps: &[&str]) -> Result<Made, StoreError> {
    let Connection::Postgres(link) = db else { return Ok(Made::Nothing) };
    let as_number = |version: usize| i64::try_from(version).unwrap_or(i64::MAX);
    let newest = as_number(BASE_VERSION + steps.len());
    let transaction = db.write_first()?;
    let is_new = !db.query_row("SELECT to_regclass('meta') IS NOT NULL", [], |row| row.get::<bool>(0))?;
    if is_new {
        link.batch(BASE)?;
        db.execute("INSERT INTO meta (version, oldest) VALUES (?1, ?2)", [as_number(BASE_VERSION), OLDEST])?;
    }
    let meta = meta(db)?;
    if meta.oldest > newest {
        return Err(StoreError::Newer { found: meta.version, known: newest });
    }
    let rows = "INSERT INTO lease (name) VALUES ('deliver'), ('write') ON CONFLICT (name) DO NOTHING";
    let has_added = db.execute(rows, [])? > 0;
    // Nodes may be at work: none writes while a step changes its tables.
    db.query_row("SELECT name FROM lease WHERE name = 'write' FOR UPDATE", [], |_| Ok(()))?;
    for (version, step) in (BASE_VERSION + 1..).zip(steps) {
        if meta.version < as_number(version) {
            link.batch(step)?;
        }
    }
    let sql = "UPDATE meta SET version = ?1, oldest = CASE WHEN oldest > ?2 THEN oldest ELSE ?2 END WHERE version < ?1";
    let has_moved = db.execute(sql, [newest, OLDEST])? > 0;
    if has_moved {
        link.batch(RIGHTS)?;
    }
    transaction.commit()?;
    Ok(match (is_new, has_added || has_moved) {
        (true, _) => Made::New,
        (false, true) => Made::Updated,
        (false, false) => Made::Nothing,
    })
}

impl Store {
    /// The statements that give a role of the server the rights for daily work: to read and write rows, and no more.
    pub(crate) fn grants(&self, role: &str) -> Result<Vec<String>, StoreError> {
        let sql =
            "SELECT quote_ident(CAST(?1 AS TEXT)), quote_ident(current_schema()), quote_ident(current_database())";
        self.db.query_row(sql, [role], |row| {
            let (role, schema, database): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(vec![
                format!("GRANT CONNECT ON DATABASE {database} TO {role};"),
                format!("GRANT USAGE ON SCHEMA {schema} TO {role};"),
                format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"),
                format!("REVOKE INSERT, UPDATE, DELETE ON {schema}.meta FROM {role};"),
                format!("GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"),
            ])
        })
    }
}
