//! The tables on a server: the same as in a file, made and brought forward by `init`, filled by a copy.

use super::server::{keep, kept, made, opened, texts};
use super::*;
use crate::store::copy::{NUMBERED, TABLES};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of each table its columns, each with its type, whether it may be empty and its default.
fn columns(store: &Store) -> BTreeMap<String, Vec<String>> {
    let sql = match store.db {
        Connection::Sqlite(_) => {
            "SELECT m.name, c.name || ' ' || LOWER(c.type) || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN ' not null ' ELSE ' ' END
               || COALESCE(c.dflt_value, '')
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid"
        }
        Connection::Postgres(_) => {
            "SELECT CAST(table_name AS TEXT), column_name || ' ' || CASE data_type WHEN 'bigint' THEN 'integer' ELSE data_type END
               || CASE is_nullable WHEN 'NO' THEN ' not null ' ELSE ' ' END || COALESCE(REPLACE(column_default, '::text', ''), '')
             FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        }
    };
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut statement = store.db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?))).unwrap();
    for row in rows {
        let (table, column) = row.unwrap();
        all.entry(table).or_default().push(column.replace("'-1'::integer", "-1").replace("'-1'", "-1"));
    }
    all
}

/// The indexes: their names, or for keys their tables, each with its columns in order.
fn indexes(store: &Store) -> Vec<String> {
    let sql = match store.db {
        Connection::Sqlite(_) => {
            "SELECT CASE WHEN l.origin = 'c' THEN l.name ELSE 'unique ' || m.name END || ' ' ||
               (SELECT GROUP_CONCAT(i.name, ', ') FROM pragma_index_info(l.name) i) FROM sqlite_master m, pragma_index_list(m.name) l
             WHERE m.type = 'table'
             UNION ALL SELECT 'unique ' || m.name || ' ' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND c.pk > 0 AND c.type = 'INTEGER'
               AND (SELECT COUNT(*) FROM pragma_table_info(m.name) k WHERE k.pk > 0) = 1"
        }
        Connection::Postgres(_) => {
            "SELECT CASE WHEN x.indisunique THEN 'unique ' || CAST(t.relname AS TEXT) ELSE CAST(i.relname AS TEXT) END || ' ' ||
               (SELECT STRING_AGG(CAST(a.attname AS TEXT), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = i.oid)
             FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
             WHERE t.relnamespace = CAST(current_schema() AS regnamespace)"
        }
    };
    let mut all = texts(store, sql);
    all.sort();
    all.dedup();
    all
}

fn sorted(store: &Store, of_file: &str, of_server: &str) -> Vec<String> {
    let mut all = texts(store, if store.is_shared() { of_server } else { of_file });
    all.sort();
    assert!(!all.is_empty());
    all
}

/// The columns that refer to others, and what happens to a row whose other one goes.
fn references(store: &Store) -> Vec<String> {
    let of_file = "SELECT m.name || ' ' || f.\"from\" || ' ' || f.\"table\" || ' ' || f.\"to\" || ' ' || f.on_delete
                   FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
    let of_server = "SELECT CAST(t.relname AS TEXT) || ' ' || a.attname || ' ' || r.relname || ' ' || b.attname || ' '
           || CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'a' THEN 'NO ACTION' ELSE 'another' END
         FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
           JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = c.confkey[1]
         WHERE c.contype = 'f' AND t.relnamespace = CAST(current_schema() AS regnamespace)";
    sorted(store, of_file, of_server)
}

/// The indexes of some rows only, with the condition.
fn conditions(store: &Store) -> Vec<String> {
    let of_file = "SELECT name || ' ' || SUBSTR(sql, INSTR(sql, ' WHERE ') + 7) FROM sqlite_master
                   WHERE type = 'index' AND sql LIKE '% WHERE %'";
    let of_server = "SELECT CAST(i.relname AS TEXT) || ' ' || pg_get_expr(x.indpred, x.indrelid)
                     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                     WHERE x.indpred IS NOT NULL AND i.relnamespace = CAST(current_schema() AS regnamespace)";
    let plain = |text: String| text.replace("::text", "").replace(['(', ')'], "");
    sorted(store, of_file, of_server).into_iter().map(plain).collect()
}

/// What the tables check of a row: the columns and the values that each condition names.
fn checks(store: &Store) -> Vec<String> {
    let of_file = "SELECT name || ' ' || sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK (%'";
    let of_server = "SELECT CAST(t.relname AS TEXT) || ' ' || pg_get_constraintdef(c.oid)
                     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
                     WHERE c.contype = 'c' AND t.relnamespace = CAST(current_schema() AS regnamespace)";
    let mut all = Vec::new();
    for text in sorted(store, of_file, of_server) {
        let table = text.split(' ').next().unwrap();
        for condition in text.split("CHECK (").skip(1) {
            let mut depth = 1;
            let end = condition.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let words = condition[..end.unwrap()].split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let named: Vec<&str> = words.filter(|word| !["", "IN", "ANY", "ARRAY", "text"].contains(word)).collect();
            all.push(format!("{table} {}", named.join(" ")));
        }
    }
    all.sort();
    all
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn both_engines_have_the_same_tables() {
    let (file, (_, server)) = (Store::temporary().unwrap(), made("same"));
    let mut tables = columns(&server);
    assert!(tables.remove("meta").is_some(), "SQLite has user_version");
    assert_eq!(columns(&file), tables);
    // By its hash alone: its text is longer than what a tree's page takes.
    let plain = |all: Vec<String>| all.into_iter().map(|one| one.replace("duplicate_key, seq", "duplicate_key"));
    assert!(plain(indexes(&file)).eq(plain(indexes(&server))), "{:#?}\n{:#?}", indexes(&file), indexes(&server));
    assert_eq!(references(&file), references(&server));
    assert_eq!(conditions(&file), conditions(&server));
    assert_eq!(checks(&file), checks(&server));
    assert_eq!(
        texts(&file, "SELECT name FROM lease ORDER BY name"),
        texts(&server, "SELECT name FROM lease ORDER BY name")
    );
    let not_copied = ["install", "install_state", "lease", "node", "repair", "slack_wait"];
    let known: Vec<&str> = tables.keys().map(String::as_str).filter(|name| !not_copied.contains(name)).collect();
    let mut copied = TABLES.to_vec();
    copied.sort_unstable();
    assert_eq!(copied, known, "what `database copy` copies");
    let numbered = "SELECT CAST(table_name AS TEXT) FROM information_schema.columns
                    WHERE table_schema = current_schema() AND is_identity = 'YES' ORDER BY table_name";
    let mut set: Vec<&str> = NUMBERED.iter().map(|(table, _)| *table).collect();
    set.sort_unstable();
    assert_eq!(texts(&server, numbered), set);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_outbox_moves_whole_and_goes_on_where_it_was() {
    let (directory, _) = migration::week();
    let (source, _) = Store::open(directory.path(), Duration::from_secs(1)).unwrap();
    let (database, target) = made("moved");
    let long = "x".repeat(300_000);
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let sql = "INSERT INTO setting_in_force (name, fingerprint, since) VALUES (?1, ?2, 0)";
        source.db.execute(sql, [name, &long]).unwrap();
    }
    let mut pieces = Vec::new();
    let copied =
        source.copy_to(&target, |table, rows| pieces.extend((table == "setting_in_force").then_some(rows))).unwrap();
    assert_eq!(pieces, [4, 8], "no statement is longer than the server may take for it");
    let rows = |store: &Store, table: &str| {
        // Every column as text, in any order: the engines name no row the same way but by its content.
        let names: Vec<String> =
            columns(&source)[table].iter().map(|c| c.split(' ').next().unwrap().to_owned()).collect();
        let all = names
            .iter()
            .map(|name| format!("COALESCE(CAST({name} AS TEXT), '-')"))
            .collect::<Vec<_>>()
            .join(" || '|' || ");
        let mut rows = texts(store, &format!("SELECT {all} FROM {table}"));
        rows.sort();
        rows
    };
    for (table, count) in &copied {
        assert_eq!(rows(&source, table), rows(&target, table), "{table}");
        assert_eq!(rows(&source, table).len(), *count, "{table}");
    }
    assert!(copied.iter().filter(|(_, count)| *count > 0).count() > 8, "{copied:?}");
    let again = source.copy_to(&target, |_, _| {}).unwrap_err();
    assert!(matches!(&again, StoreError::NotEmpty { table: "notification", .. }), "{again}");
    let mut store = opened(&database).unwrap();
    assert_eq!(store.recover(migration::WEEK_MS + DAY_MS).unwrap(), 2);
    migration::deliver_all(&mut store);
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { .. }));
    // The next recovery edits the message that was posted from the file.
    let spool = Spool::new(directory.path());
    let at = migration::WEEK_MS + 2 * DAY_MS;
    let entry = new_entry(&spool, at, &of_host("open", "RECOVERY", "0"), waiting(EDITABLE));
    store.import(&[entry], QUIET, at).unwrap();
    assert_eq!(migration::deliver_all(&mut store)["default #ops"], ["update", "reply"]);
    store.advance_requests(&[], &["{}".to_owned()]).unwrap();
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { .. }));
    // What was asked for before is gone on with, too.
    store.carry_out_as("a");
    store.beat(&NodeBeat::of("a", String::new(), Vec::new(), String::new())).unwrap();
    let open = "SELECT key FROM action_request WHERE state IN ('sending', 'sent', 'parent') OR reply IS NOT NULL";
    let open = texts(&store, open).len();
    assert!(open > 2, "{open}");
    assert_eq!(store.take_over_requests("a").unwrap(), open);
    assert_eq!(texts(&store, "SELECT DISTINCT owner FROM action_request WHERE state = 'sent'"), ["a"]);
    assert!(!store.unsent_replies().unwrap().is_empty());
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_outbox_that_is_made_anew_or_brought_forward_is_the_same_and_nothing_is_done_twice() {
    let (database, store) = made("forward");
    let more = ["ALTER TABLE still ADD COLUMN one BIGINT", "ALTER TABLE still ADD COLUMN two BIGINT"];
    let steps = [&schema::STEPS[..], &more].concat();
    let first = steps.len() - 1;
    let versions = || texts(&store, "SELECT CAST(version AS TEXT) || ' ' || CAST(oldest AS TEXT) FROM meta");
    let known = schema::known();
    keep(&store, "a").unwrap();
    assert_eq!(schema::init_with(&store.db, &steps[..first]).unwrap(), Made::Updated);
    let oldest = 14;
    assert_eq!(versions(), [format!("{} {oldest}", known + 1)]);
    // A step that fails leaves all as it was.
    let fails = [&steps[..first], &["ALTER TABLE gone ADD COLUMN two BIGINT"]].concat();
    assert!(schema::init_with(&store.db, &fails).is_err());
    assert_eq!(versions(), [format!("{} {oldest}", known + 1)]);
    assert_eq!(schema::init_with(&store.db, &steps).unwrap(), Made::Updated);
    assert_eq!(schema::init_with(&store.db, &steps).unwrap(), Made::Nothing);
    assert_eq!(versions(), [format!("{} {oldest}", known + 2)]);
    assert_eq!(kept(&store), ["a"]);
    opened(&database).unwrap();
    let fresh = opened(&both::database("forwardnew")).unwrap_err();
    assert!(matches!(fresh, StoreError::Away(_)));
    let server = Arc::new(postgres::Server::new(&both::database("forwardnew")).unwrap());
    let fresh = Connection::Postgres(Box::new(postgres::Link::new(server, Duration::from_secs(30)).unwrap()));
    assert_eq!(schema::init_with(&fresh, &steps).unwrap(), Made::New);
    let fresh = Store::of(fresh, None);
    assert_eq!(columns(&fresh), columns(&store));
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn rows_of_the_lease_that_are_missing_are_made_by_init() {
    let (database, store) = made("rows");
    store.db.execute("DELETE FROM lease WHERE name = 'deliver'", []).unwrap();
    assert!(store.look_at_lease(0).is_err());
    store.db.execute("DELETE FROM lease", []).unwrap();
    let error = keep(&store, "a").unwrap_err().to_string();
    assert!(error.ends_with("its row of the write lock is missing; `ackbell database init` makes it"), "{error}");
    assert_eq!(Store::init(&database).unwrap().1, Made::Updated);
    keep(&store, "a").unwrap();
    assert!(store.take_lease("a", 0).unwrap().is_some());
    assert_eq!(Store::init(&database).unwrap().1, Made::Nothing);
    assert!(!store.look_at_lease(0).unwrap().is_free, "a lease that is there stays");
}
