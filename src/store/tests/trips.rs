//! How often a server's answer is waited for, and that what is sent later or asked ahead counts as if it weren't.

use super::server::{kept, made};
use super::*;
use crate::store::db::params;

/// How often it has waited until now.
fn trips(store: &Store) -> usize {
    let Connection::Postgres(link) = &store.db else { panic!("a server") };
    link.waits()
}

fn later(store: &Store, name: &str, since: Option<i64>) -> Result<(), StoreError> {
    let sql = "INSERT INTO still (object, since) VALUES (?1, ?2)";
    store.db.prepare_cached(sql)?.execute_later(params![name, since])
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn what_is_sent_later_is_there_for_whoever_reads_next_and_fails_with_its_transaction() {
    let (_, store) = made("later");
    let transaction = store.db.write().unwrap();
    let before = trips(&store);
    later(&store, "a", Some(1)).unwrap();
    assert_eq!(trips(&store), before, "not sent yet");
    assert_eq!(kept(&store), ["a"]);
    later(&store, "b", Some(1)).unwrap();
    transaction.commit().unwrap();
    let transaction = store.db.write().unwrap();
    later(&store, "c", Some(1)).unwrap();
    drop(transaction);
    assert_eq!(kept(&store), ["a", "b"], "c was undone");
    let transaction = store.db.write().unwrap();
    later(&store, "d", None).unwrap();
    later(&store, "e", Some(1)).unwrap();
    let error = transaction.commit().unwrap_err();
    assert!(matches!(&error, StoreError::Postgres { code, .. } if code == "23502"), "{error}");
    let transaction = store.db.write().unwrap();
    later(&store, "f", None).unwrap();
    later(&store, "g", Some(1)).unwrap();
    let sql = "SELECT object FROM still";
    let error = store.db.prepare(sql).unwrap().query([]).map(drop).unwrap_err();
    assert!(matches!(&error, StoreError::Postgres { code, .. } if code == "23502"), "{error}");
    assert!(transaction.commit().is_err());
    later(&store, "h", Some(1)).unwrap();
    assert_eq!(kept(&store), ["a", "b", "h"], "outside of a transaction it is one of its own");
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_answer_that_was_asked_ahead_counts_once_and_no_longer_than_the_work() {
    let (_, store) = made("ahead");
    later(&store, "a", Some(1)).unwrap();
    let transaction = store.db.write().unwrap();
    let reads = || {
        let sql = "SELECT object FROM still ORDER BY object";
        assert!(matches!(store.db.prepare(sql).unwrap().query([]), Err(StoreError::NoRow)));
        // A rehearsal changes nothing, and begins nothing.
        assert!(later(&store, "x", Some(1)).is_err() && store.db.write().is_err());
        assert!(store.db.execute("DELETE FROM still", []).is_err());
    };
    later(&store, "b", Some(1)).unwrap();
    let before = trips(&store);
    let work = || {
        assert_eq!(trips(&store), before + 1);
        assert_eq!(kept(&store), ["a", "b"], "what was sent later went before it");
        assert_eq!(trips(&store), before + 1, "it was there already");
        later(&store, "c", Some(1)).unwrap();
        assert_eq!(kept(&store), ["a", "b", "c"], "the second one is asked");
        Ok::<_, StoreError>(())
    };
    store.db.ahead(reads, work).unwrap();
    store.db.ahead(reads, || Ok::<_, StoreError>(())).unwrap();
    later(&store, "d", Some(1)).unwrap();
    assert_eq!(kept(&store), ["a", "b", "c", "d"], "an answer that nobody took is forgotten");
    transaction.commit().unwrap();
    let transaction = store.db.write_ahead(reads).unwrap();
    later(&store, "e", Some(1)).unwrap();
    transaction.commit().unwrap();
    assert_eq!(kept(&store), ["a", "b", "c", "d", "e"], "with its transaction, too");
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_import_and_a_post_wait_seldom_for_a_server() {
    let (_, mut store) = made("trips");
    let (directory, leadership) = (tempfile::tempdir().unwrap(), leadership(&store));
    let spool = Spool::new(directory.path());
    let batch = |number: i64, kind: &str, state: &str| -> Vec<NewEntry> {
        let one = |host: usize| {
            let mut fields = Fields::default();
            let (host, id) = (format!("h{host}"), format!("{number} {host}"));
            let values =
                [("hostname", &*host), ("servicedesc", "Disk"), ("notificationtype", kind), ("servicestate", state)];
            for (name, value) in values.into_iter().chain([("notification-id", &*id)]) {
                fields.put(name, value);
            }
            new_entry(&spool, number, &fields.into_notification(number), waiting(EDITABLE))
        };
        (0..50).map(one).collect()
    };
    let mut counted = Vec::new();
    for (number, kind, state) in [(0, "PROBLEM", "1"), (1, "PROBLEM", "2"), (2, "RECOVERY", "0"), (3, "PROBLEM", "2")] {
        let batch = batch(number, kind, state);
        let before = trips(&store);
        store.import(&batch, QUIET, number).unwrap();
        counted.push(trips(&store) - before);
    }
    let [new, goes_on, ended, again] = counted[..] else { panic!("four") };
    assert!(new <= 110 && goes_on <= 10 && ended <= 110 && again <= 60, "{counted:?}");
    // Whatever a failover forgot comes at once.
    let forgotten: Vec<_> =
        batch(-1, "PROBLEM", "2").into_iter().map(|entry| NewEntry { is_repeated: true, ..entry }).collect();
    let before = trips(&store);
    store.import(&forgotten, QUIET, 4).unwrap();
    let late = trips(&store) - before;
    assert!(late <= 60, "{late}");
    for number in 0..2_i64 {
        let now = number * 10_000 + 100;
        let before = trips(&store);
        let claimed = store.claim(&leadership, &ops(), EDITABLE, QUIET, now).unwrap().unwrap();
        let claim = trips(&store) - before;
        record(&mut store, &claimed, &delivered(), now);
        let all = trips(&store) - before;
        assert!(number == 0 || (claim <= 3 && all <= 5), "{claim} {all}");
    }
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_batch_counts_as_if_each_had_come_alone() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::new(directory.path());
    let said = [("a", "1", "PROBLEM"), ("b", "1", "PROBLEM"), ("a", "2", "ACKNOWLEDGEMENT"), ("a", "3", "RECOVERY")];
    let entries: Vec<NewEntry> = said
        .iter()
        .map(|(contact, id, kind)| {
            let mut fields = Fields::default();
            for (name, value) in [
                ("hostname", "web01"),
                ("hoststate", "1"),
                ("contact", contact),
                ("notification-id", id),
                ("notificationtype", kind),
            ] {
                fields.put(name, value);
            }
            new_entry(&spool, 1, &fields.into_notification(1), waiting(EDITABLE))
        })
        .collect();
    let outcome = |store: &Store| {
        let sql = "SELECT d.state || ' ' || COALESCE(d.reason, '') || ' ' || COALESCE(CAST(d.post AS TEXT), '') || ' '
                     || CAST((SELECT COUNT(*) FROM post) AS TEXT) || ' ' || CAST((SELECT COUNT(*) FROM history) AS TEXT)
                   FROM delivery d ORDER BY d.id";
        server::texts(store, sql)
    };
    let ((_, mut together), (_, mut alone)) = (made("trips_together"), made("trips_alone"));
    together.import(&entries, QUIET, 1).unwrap();
    entries.chunks(1).for_each(|entry| drop(alone.import(entry, QUIET, 1).unwrap()));
    assert_eq!(outcome(&together), outcome(&alone));
    assert_eq!(outcome(&together).len(), 4);
}
