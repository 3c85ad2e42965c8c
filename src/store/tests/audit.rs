//! The audit: that it only grows, and that a cut shows.

use super::*;

#[test]
fn the_audit_only_grows_and_shows_what_was_changed() {
    let (_directory, mut store) = store(&[]);
    for entry in ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"] {
        store.advance_requests(&[], &[entry.to_owned()]).unwrap();
    }
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { rows: 3, .. }));
    assert!(store.db.execute("UPDATE audit SET entry = '{}' WHERE seq = 2", []).is_err());
    assert!(store.db.execute("DELETE FROM audit WHERE seq = 2", []).is_err());
    // Somebody with the file in hand takes the triggers away first.
    both::without_trigger(&store, "audit_holds");
    store.db.batch("UPDATE audit SET entry = '{}' WHERE seq = 2").unwrap();
    assert_eq!(store.verify_audit(|_| {}).unwrap(), Chain::Broken { seq: 2 });
    both::without_trigger(&store, "audit_stays");
    store.db.batch("DELETE FROM audit WHERE seq = 2").unwrap();
    assert_eq!(store.verify_audit(|_| {}).unwrap(), Chain::Broken { seq: 3 });
}

#[test]
fn a_cut_end_shows_by_the_head_kept_elsewhere_and_a_new_database_goes_on_from_the_old_one() {
    let (directory, mut store) = store(&[]);
    for entry in ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"] {
        store.advance_requests(&[], &[entry.to_owned()]).unwrap();
    }
    let Chain::Whole { last: head, .. } = store.verify_audit(|_| {}).unwrap() else { panic!("it is whole") };
    assert!(
        store.has_audit_head(&head).unwrap() && !store.has_audit_head(&head.replace(char::is_numeric, "f")).unwrap()
    );
    // Whoever cuts the end off leaves a chain that is whole by itself.
    store
        .db
        .batch(
            "CREATE TEMP TABLE kept AS SELECT * FROM audit; DROP TRIGGER audit_stays; DELETE FROM audit WHERE seq = 3",
        )
        .unwrap();
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { rows: 2, .. }));
    assert!(!store.has_audit_head(&head).unwrap());
    store.db.batch("INSERT INTO audit SELECT * FROM kept WHERE seq = 3").unwrap();
    drop(store);
    let (mut store, aside) = Store::replace(directory.path(), Duration::from_secs(5)).unwrap();
    assert!(store.has_audit_head(&head).unwrap(), "its first row has the old one's head");
    let mut first = String::new();
    store
        .audit(|_, entry| {
            first = entry.to_owned();
            false
        })
        .unwrap();
    assert!(
        first.contains("\"step\":\"continued\"") && first.contains(aside.file_name().unwrap().to_str().unwrap()),
        "{first}"
    );
    store.advance_requests(&[], &["{\"a\":4}".to_owned()]).unwrap();
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { rows: 2, .. }));
}

#[test]
fn refusals_of_one_person_are_one_row_an_hour() {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    let (_directory, mut store) = store(&[]);
    let refused = |store: &mut Store, user: &str, nth: i64, now: i64| {
        let entry = format!("{{\"user\":\"{user}\",\"step\":\"refused\",\"detail\":\"no {nth}\"}}");
        store.refuse(&[(user.to_owned(), entry)], &[], now).unwrap();
    };
    let rows = |store: &Store| {
        let mut rows = Vec::new();
        store
            .audit(|_, entry| {
                let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
                rows.push(format!("{} {}", entry["user"].as_str().unwrap(), entry["detail"].as_str().unwrap()));
                true
            })
            .unwrap();
        rows
    };
    for nth in 0..3600 {
        refused(&mut store, "U1", nth, nth * 500);
    }
    refused(&mut store, "U2", 1, 10);
    store.count_refusals(HOUR_MS - 1).unwrap();
    assert_eq!(rows(&store), ["U1 no 0", "U2 no 1"], "within the hour the first is enough");
    store.count_refusals(HOUR_MS + 20).unwrap();
    assert_eq!(rows(&store)[2..], ["U1 3599 times more within the hour; the last: no 3599"]);
    refused(&mut store, "U1", 7, HOUR_MS + 30);
    refused(&mut store, "U2", 2, HOUR_MS + 30);
    assert_eq!(rows(&store)[3..], ["U2 no 2"], "who goes on is counted on; who was quiet for an hour is new");
    // A clock that was set back by a day doesn't make a day of the hour.
    store.count_refusals(HOUR_MS - DAY_MS).unwrap();
    assert_eq!(rows(&store)[4..], ["U1 once more within the hour: no 7"]);
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { rows: 5, .. }));
}

#[test]
fn old_rows_of_the_audit_go_and_the_rest_still_follows() {
    let (_directory, mut store) = store(&[]);
    let add = |store: &mut Store, from: i64, to: i64| {
        let entries: Vec<String> = (from..to).map(|at| format!("{{\"at\":{at}}}")).collect();
        store.advance_requests(&[], &entries).unwrap();
    };
    add(&mut store, 0, 6000);
    let trim = |store: &mut Store, before: i64| {
        std::iter::from_fn(|| Some(store.trim_audit(before, 9000).unwrap()).filter(|gone| *gone > 0)).sum::<usize>()
    };
    assert_eq!((trim(&mut store, 5500), trim(&mut store, 5500)), (5500, 0));
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { rows: 502, .. }), "two rows tell of it");
    add(&mut store, 6000, 6010);
    assert_eq!(trim(&mut store, 6005), 500, "up to the first that is young enough");
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Whole { rows: 13, .. }));
    assert!(store.db.execute("DELETE FROM audit WHERE seq > (SELECT seq FROM audit_start)", []).is_err());
    // Whoever lets go of more than a row of the chain says is found out.
    let sql = "UPDATE audit_start SET seq = seq + 1, hash = (SELECT hash FROM audit ORDER BY seq LIMIT 1)";
    store.db.execute(sql, []).unwrap();
    store.db.execute("DELETE FROM audit WHERE seq <= (SELECT seq FROM audit_start)", []).unwrap();
    assert!(matches!(store.verify_audit(|_| {}).unwrap(), Chain::Broken { .. }));
}

both::on_postgres! {
    the_audit_only_grows_and_shows_what_was_changed,
    refusals_of_one_person_are_one_row_an_hour,
    old_rows_of_the_audit_go_and_the_rest_still_follows,
}
