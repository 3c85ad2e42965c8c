//! A database with a week in it, as the last release before schema 8 made it: every row arrives, whatever happens on the
//! way.

use super::*;
use rusqlite::Connection as File;
use rusqlite::types::Value;
use std::collections::BTreeMap;

/// Problems that are over and that go on, of a bot and of a webhook; digests of both kinds, with lines that wait; pauses of
/// each kind; waiting, leased, delivered, merged and dead deliveries; direct messages; action requests in each state; an
/// audit whose first rows were let go.
const WEEK: &str = include_str!("../../../tests/samples/outbox-schema-7.sql");

pub(super) const WEEK_MS: i64 = 1_795_000_000_000;

pub(super) fn week() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    File::open(&path).unwrap().execute_batch(WEEK).unwrap();
    (directory, path)
}

fn file(store: &Store) -> &File {
    let Connection::Sqlite(file) = &store.db else { panic!("the week is in a file") };
    file
}

/// The rows of a query as text, in order.
fn rows(db: &File, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |i| match row.get::<_, Value>(i).unwrap() {
            Value::Null => "-".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        Ok((0..columns).map(cell).collect::<Vec<_>>().join("|"))
    };
    statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What the old database says in the old words, what the new one says in the new words: both must be the same.
const SAME: [(&str, &str, &str); 14] = [
    (
        "notifications",
        "SELECT seq, id, received, object, twin, contact, body FROM notification ORDER BY seq",
        "SELECT seq, id, received, object, duplicate_key, contact, body FROM notification ORDER BY seq",
    ),
    (
        "deliveries",
        "SELECT id, notification, integration, target, object, mentions, since, state, attempts, note, reason, channel, ts,
           settled, post, digest, line, urgency FROM delivery ORDER BY id",
        "SELECT id, notification, integration, target, object, mentions, since, state, attempts, annotation, reason,
           channel, ts, recorded, post, digest, line, urgency FROM delivery ORDER BY id",
    ),
    (
        "messages of problems",
        "SELECT id, integration, target, object, open, digest,
           CASE WHEN object LIKE '%letter k_%' THEN '' ELSE problem END, host, is_host, rank, acknowledged, version, shown,
           edited, channel, ts, plain, attempts, due, due_set, leased, reason, updated FROM post WHERE object <> ''
         ORDER BY id",
        "SELECT id, integration, target, object, open, digest, problem, host, is_host, rank, acknowledged, version, shown,
           edited, channel, ts, plain, attempts, due, due_set, leased, reason, updated FROM post ORDER BY id",
    ),
    (
        "digests",
        "SELECT id, integration, target, open, problem, joined, version, shown, edited, channel, ts, plain, attempts, due,
           due_set, leased, reason, updated FROM post WHERE object = '' ORDER BY id",
        "SELECT id, integration, target, open, mentioned, joined, version, shown, edited, channel, ts, plain, attempts,
           due, due_set, leased, reason, updated FROM digest ORDER BY id",
    ),
    (
        "pauses of integrations",
        "SELECT integration, until, since, failures, reason, past, past_until FROM hold WHERE lane = '*' ORDER BY 1",
        "SELECT integration, until, since, failures, reason, past, past_until FROM pause WHERE scope = 'integration' ORDER BY 1",
    ),
    (
        "pauses of edits",
        "SELECT integration, until, since FROM hold WHERE lane = '~edits' ORDER BY 1",
        "SELECT integration, until, since FROM pause WHERE scope = 'edits' ORDER BY 1",
    ),
    (
        "pauses of channels",
        "SELECT integration, lane, until, since, reason FROM hold WHERE lane NOT IN ('*', '~edits') ORDER BY 1, 2",
        "SELECT integration, channel, until, since, reason FROM pause WHERE scope = 'channel' ORDER BY 1, 2",
    ),
    (
        "action requests",
        "SELECT id, key, parent, at, state, IIF(json_valid(request), json_extract(request, '$.name'), ''), object, request,
           expectation, MAX(due, 0), reply, IIF(due = -1, 'refused', IIF(outcome = 'confirmed', outcome,
           IIF(state = 'done', 'ended', NULL))), NULLIF(outcome, 'confirmed') FROM act ORDER BY id",
        "SELECT id, key, parent, at, state, name, object, request, expectation, due, reply, outcome, detail
         FROM action_request ORDER BY id",
    ),
    ("audit", "SELECT seq, entry, hash FROM audit ORDER BY seq", "SELECT seq, entry, hash FROM audit ORDER BY seq"),
    ("audit's start", "SELECT * FROM audit_start", "SELECT * FROM audit_start"),
    ("refusals", "SELECT * FROM refusal", "SELECT * FROM refusal"),
    ("subscriptions", "SELECT * FROM subscription", "SELECT * FROM subscription"),
    ("Homes", "SELECT * FROM home ORDER BY user", "SELECT * FROM home ORDER BY person"),
    (
        "look-ups and channels",
        "SELECT integration, name, id, until FROM lookup UNION ALL SELECT integration, target, id, 0 FROM channel ORDER BY 1, 2",
        "SELECT integration, name, id, until FROM lookup UNION ALL SELECT integration, target, id, 0 FROM channel ORDER BY 1, 2",
    ),
];

#[test]
fn every_row_of_a_week_arrives() {
    let (directory, path) = week();
    let old = File::open(&path).unwrap();
    let before: Vec<Vec<String>> = SAME.iter().map(|(_, sql, _)| rows(&old, sql)).collect();
    drop(old);
    let (store, aside) = Store::open(directory.path(), Duration::from_secs(1)).unwrap();
    assert_eq!(aside, None);
    for ((name, _, sql), before) in SAME.iter().zip(before) {
        assert!(!before.is_empty(), "{name}: the week has none");
        assert_eq!(rows(file(&store), sql), before, "{name}");
    }
    assert_eq!(rows(file(&store), "PRAGMA foreign_key_check"), [""; 0]);
    assert_eq!(rows(file(&store), "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(rows(file(&store), "PRAGMA foreign_keys"), ["1"]);
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { .. }));
    let codes = "SELECT integration, code FROM pause WHERE code IS NOT NULL UNION ALL
                 SELECT target, code FROM delivery WHERE code IS NOT NULL ORDER BY 1";
    assert_eq!(rows(file(&store), codes), ["#nowhere|not_in_channel", "broken|invalid_auth", "gone|app_uninstalled"]);
    let refused = store.health(WEEK_MS + DAY_MS).unwrap().pauses.into_iter().map(|paused| paused.integration);
    assert_eq!(refused.collect::<Vec<_>>(), ["broken", "gone"], "who must be repaired stays paused");
    assert_eq!(
        store.recover(WEEK_MS + DAY_MS).unwrap(),
        2,
        "the one that was being sent, and one that was sent elsewhere then"
    );
    assert_eq!(store.recover_requests().unwrap(), 1);
    store.purge_requests(0, WEEK_MS + 602_000).unwrap();
    assert_eq!(rows(file(&store), "SELECT key FROM action_request WHERE reply IS NOT NULL"), ["failed", "refused"]);
}

/// Every queue until nothing waits; the steps it took.
pub(super) fn deliver_all(store: &mut Store) -> BTreeMap<String, Vec<&'static str>> {
    let mut steps: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let mut now = WEEK_MS + DAY_MS;
    for _ in 0..200 {
        for queue in store.queues().unwrap() {
            if store.paused_until(&queue).unwrap() > now {
                continue;
            }
            if let Some(claimed) = store.claim(&leadership(store), &queue, EDITABLE, QUIET, now).unwrap() {
                steps.entry(format!("{} {}", queue.integration, queue.target)).or_default().push(step(&claimed));
                record(store, &claimed, &delivered(), now);
            }
        }
        now += 5000;
    }
    steps
}

#[test]
fn a_week_goes_on_where_it_was() {
    let (directory, _) = week();
    let (mut store, _) = Store::open(directory.path(), Duration::from_secs(1)).unwrap();
    let steps = deliver_all(&mut store);
    let of = |queue: &str| steps.get(queue).cloned().unwrap_or_default();
    assert_eq!(of("default #storm"), ["edit", "lines"], "the digest that is posted is edited, and gets its new line");
    assert_eq!(of("default @bob@example.com"), ["direct message"], "the one that was delivered isn't sent again");
    assert_eq!(of("default @alice@example.com"), ["post"], "that was being sent");
    assert_eq!(of("down #down"), ["post", "post"]);
    assert_eq!(of("default #past"), [""; 0]);
    assert!(store.queues().unwrap().is_empty(), "{steps:?}");
    // The next recovery edits the message that the old version posted.
    let spool = Spool::new(directory.path());
    let entry = new_entry(&spool, WEEK_MS + 2 * DAY_MS, &of_host("open", "RECOVERY", "0"), waiting(EDITABLE));
    store.import(&[entry], QUIET, WEEK_MS + 2 * DAY_MS).unwrap();
    assert_eq!(deliver_all(&mut store)["default #ops"], ["update", "reply"]);
}

#[test]
fn a_migration_that_ends_at_any_statement_leaves_the_week_as_it_was() {
    let all = schema::after(7);
    let statements: Vec<&str> = all.split_inclusive(";\n").collect();
    assert!(statements.len() > 20, "{}", statements.len());
    let (directory, path) = week();
    let whole = |db: &File| SAME.map(|(_, sql, _)| rows(db, sql));
    let before = whole(&File::open(&path).unwrap());
    for end in 1..=statements.len() {
        let db = File::open(&path).unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        let transaction = rusqlite::Transaction::new_unchecked(&db, rusqlite::TransactionBehavior::Immediate).unwrap();
        transaction.execute_batch(&statements[..end].concat()).unwrap();
        // The connection is closed within the transaction, as by the process's death.
        std::mem::forget(transaction);
        drop(db);
        let db = File::open(&path).unwrap();
        assert_eq!(whole(&db), before, "after {end} statements");
        assert_eq!(rows(&db, "PRAGMA user_version"), ["7"]);
    }
    // A statement that fails ends the migration with an error, and nothing of it stays.
    let db = File::open(&path).unwrap();
    db.execute_batch("CREATE TABLE action_request (in_the_way)").unwrap();
    assert!(Store::open(directory.path(), Duration::from_secs(1)).is_err());
    drop(db);
    let db = File::open(&path).unwrap();
    assert_eq!(whole(&db), before);
    db.execute_batch("DROP TABLE action_request").unwrap();
    Store::open(directory.path(), Duration::from_secs(1)).unwrap();
    assert_eq!(rows(&db, "PRAGMA user_version"), [schema::known().to_string()]);
}

#[test]
fn a_corrupt_database_of_the_old_schema_gives_its_waiting_messages() {
    let (directory, path) = week();
    let waiting = rows(&File::open(&path).unwrap(), "SELECT id FROM delivery WHERE state = 'waiting'").len();
    let (store, _) = Store::replace(directory.path(), Duration::from_secs(1)).unwrap();
    let found = rows(file(&store), "SELECT id FROM delivery WHERE state = 'waiting'").len();
    assert!(waiting > 5 && found == waiting, "{found} of {waiting}");
}

#[test]
fn a_newer_schema_is_refused() {
    let (directory, path) = week();
    let newer = schema::known() + 1;
    File::open(&path).unwrap().pragma_update(None, "user_version", newer).unwrap();
    assert!(matches!(
        Store::open(directory.path(), Duration::from_secs(1)),
        Err(StoreError::Newer { found, known }) if found == newer && known == schema::known()
    ));
    assert!(matches!(
        Store::open_for_reading(directory.path(), Duration::from_secs(1)),
        Err(StoreError::Newer { found, known }) if found == newer && known == schema::known()
    ));
}
