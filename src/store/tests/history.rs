//! The memory: what the notifications of an object leave behind.

use super::*;
use crate::model::object::Object;
use crate::model::past_problem::{Answer, Ending, PastProblem, Worst};
use crate::model::problem::ActionTaken;
use crate::store::shown_message::NewActionTaken;

/// A notification about `Disk` on a host, of a time in seconds.
fn disk(host: &str, at: i64, kind: &str, state: &str, more: &[(&'static str, &str)]) -> (i64, Notification) {
    let mut fields = Fields::default();
    for (name, value) in
        [("hostname", host), ("servicedesc", "Disk"), ("notificationtype", kind), ("servicestate", state)]
    {
        fields.put(name, value);
    }
    for (name, value) in more {
        fields.put(name, value);
    }
    let mut notification = fields.into_notification(at);
    notification.time = at;
    (at * 1000, notification)
}

fn object(host: &str) -> Object {
    Object { core: String::new(), host: host.into(), service: Some("Disk".into()) }
}

/// The rows of an object as text, the newest first.
fn remembered(store: &Store, host: &str) -> Vec<String> {
    let past = store.past_problems(&object(host), i64::MAX, 100).unwrap();
    past.into_iter()
        .map(|past| {
            let answer = past.answer.map(|answer| {
                format!(" {}@{}:{}", answer.by.unwrap_or_default(), answer.at, answer.remark.unwrap_or_default())
            });
            let unseen = if past.ending == Ending::Unseen { " unseen" } else { "" };
            let flapped = if past.has_flapped { " flapped" } else { "" };
            let PastProblem { began, ended, worst, notified, .. } = past;
            format!("{began}-{ended} {} x{notified}{unseen}{flapped}{}", worst.name(), answer.unwrap_or_default())
        })
        .collect()
}

fn past(began: i64, ended: i64) -> PastProblem {
    PastProblem {
        began,
        ended,
        worst: Worst::Critical,
        notified: 1,
        has_flapped: false,
        ending: Ending::Recovered,
        answer: None,
        destination: None,
    }
}

#[test]
fn a_problem_that_ends_leaves_one_row_however_many_were_notified() {
    let contacts = |at, kind, state| {
        ["alice", "bob"].map(|contact| disk("web01", at, kind, state, &[("contact", contact), ("output", "full")]))
    };
    let entries = [
        contacts(100, "PROBLEM", "1"),
        contacts(200, "PROBLEM", "2"),
        [
            disk("web01", 240, "ACKNOWLEDGEMENT", "2", &[("author", "alice"), ("comment", "on it")]),
            disk("web01", 250, "ACKNOWLEDGEMENT", "2", &[("author", "bob"), ("comment", "me too")]),
        ],
        contacts(400, "RECOVERY", "0"),
    ]
    .concat();
    let (_directory, store) = store(&entries[..6]);
    assert_eq!(remembered(&store, "web01"), [""; 0], "it goes on");
    drop(store);
    let (_directory, store) = self::store(&entries);
    assert_eq!(remembered(&store, "web01"), ["100-400 CRITICAL x2 alice@240:on it"]);
    let row = &store.past_problems(&object("web01"), i64::MAX, 9).unwrap()[0];
    assert_eq!(row.destination.as_deref(), Some("#ops"));
    let open: i64 = store.db.query_row("SELECT COUNT(*) FROM open_problem", [], |row| row.get(0)).unwrap();
    assert_eq!(open, 0, "and nothing else");
}

#[test]
fn an_answer_from_slack_counts_as_one_of_the_core() {
    let (directory, mut store) = store(&[disk("web01", 100, "PROBLEM", "2", &[])]);
    let action = ActionTaken {
        kind: crate::model::notification::Kind::Acknowledgement,
        time: 160,
        author: "Alice (Slack U1)".into(),
        comment: Some("restarted".into()),
        vars: std::collections::BTreeMap::new(),
    };
    let taken = [NewActionTaken { id: "a1".into(), object: object("web01").key(), action }];
    for _ in 0..2 {
        store.show_actions_taken(&taken, &|_| EDITABLE, QUIET, 161_000).unwrap();
    }
    let spool = Spool::new(directory.path());
    let recovery = disk("web01", 300, "RECOVERY", "0", &[]);
    store.import(&[new_entry(&spool, 300_000, &recovery.1, waiting(EDITABLE))], QUIET, 300_000).unwrap();
    assert_eq!(remembered(&store, "web01"), ["100-300 CRITICAL x1 Alice (Slack U1)@160:restarted"]);
}

#[test]
fn what_was_never_notified_as_a_problem_is_not_remembered() {
    let (_directory, store) = store(&[
        disk("web01", 100, "RECOVERY", "0", &[]),
        disk("web01", 200, "ACKNOWLEDGEMENT", "2", &[("author", "alice")]),
        disk("web01", 300, "DOWNTIMESTART", "0", &[]),
        disk("web01", 400, "DOWNTIMEEND", "0", &[]),
        disk("web01", 500, "CUSTOM", "2", &[]),
    ]);
    assert_eq!(remembered(&store, "web01"), [""; 0]);
}

#[test]
fn an_end_that_nobody_reported_and_flapping_are_told_apart() {
    let (_directory, store) = store(&[
        disk("web01", 100, "PROBLEM", "2", &[("problem-id", "7")]),
        disk("web01", 900, "PROBLEM", "2", &[("problem-id", "8")]),
        disk("web01", 950, "FLAPPINGSTART", "2", &[]),
        disk("web01", 990, "FLAPPINGSTOP", "0", &[]),
    ]);
    assert_eq!(remembered(&store, "web01"), ["900-990 CRITICAL x2 flapped", "100-900 CRITICAL x1 unseen"]);
}

#[test]
fn an_import_adds_no_row_that_overlaps_one_that_is_there() {
    let (_directory, mut store) =
        store(&[disk("web01", 100, "PROBLEM", "2", &[]), disk("web01", 400, "RECOVERY", "0", &[])]);
    let batch: Vec<_> = [(101, 400), (50, 120), (390, 500), (400, 450), (10, 20)]
        .map(|(from, to)| (object("web01"), past(from, to)))
        .into();
    assert_eq!(store.add_past(&batch).unwrap(), 2);
    assert_eq!(store.add_past(&batch).unwrap(), 0, "a second time adds nothing");
    let rows = ["400-450 CRITICAL x1", "100-400 CRITICAL x1", "10-20 CRITICAL x1"];
    assert_eq!(remembered(&store, "web01"), rows);
}

#[test]
fn an_import_adds_the_acknowledgement_that_nobody_was_notified_of() {
    let (_directory, mut store) =
        store(&[disk("web01", 100, "PROBLEM", "2", &[]), disk("web01", 400, "RECOVERY", "0", &[])]);
    let answer = |at: i64, by: &str| Some(Answer { at, by: Some(by.into()), remark: Some("on it".into()) });
    for (at, by) in [(200, "carol"), (201, "eve")] {
        let imported = PastProblem { answer: answer(at, by), ..past(101, 400) };
        assert_eq!(store.add_past(&[(object("web01"), imported)]).unwrap(), 0);
        assert_eq!(remembered(&store, "web01"), ["100-400 CRITICAL x1 carol@200:on it"], "the first stays");
    }
}

#[test]
fn what_is_older_than_it_is_to_be_kept_is_forgotten_in_steps() {
    let (_directory, mut store) = store(&[]);
    let batch: Vec<_> = (0..10).map(|i| (object("web01"), past(i * 100, i * 100 + 50))).collect();
    assert_eq!(store.add_past(&batch).unwrap(), 10);
    assert_eq!([3, 3, 3].map(|most| store.purge_history(500, most).unwrap()), [3, 2, 0]);
    assert_eq!(remembered(&store, "web01").len(), 5);
}

#[test]
fn a_neighbour_is_named_only_where_its_own_card_is() {
    let (directory, mut store) = store(&[
        disk("web01", 100, "PROBLEM", "2", &[]),
        disk("web02", 110, "PROBLEM", "1", &[]),
        disk("web03", 120, "PROBLEM", "2", &[]),
        disk("web03", 130, "RECOVERY", "0", &[]),
    ]);
    let secret = DeliveryQueue { integration: "default".into(), target: Target::Channel("#board".into()) };
    let elsewhere =
        NewDelivery::Waiting { queue: secret, mentions: Vec::new(), annotation: None, mode: EDITABLE, deferred: None };
    let spool = Spool::new(directory.path());
    let other = disk("board01", 140, "PROBLEM", "2", &[]);
    store.import(&[new_entry(&spool, 140_000, &other.1, elsewhere)], QUIET, 140_000).unwrap();
    let hosts = |queue: &DeliveryQueue| -> Vec<String> {
        let found = store.neighbours(queue, &object("web01"), 5).unwrap();
        found.into_iter().map(|latest| latest.host.name).collect()
    };
    assert_eq!(hosts(&ops()), ["web02"]);
}

#[test]
fn each_person_has_one_verdict_on_a_problem() {
    let (_directory, mut store) = store(&[]);
    store.add_past(&[(object("web01"), past(100, 200)), (object("web01"), past(300, 400))]).unwrap();
    let judge = |person: &str, is_noise| store.judge(&object("web01"), 400, person, is_noise, 500).unwrap();
    assert_eq!(judge("default U1", true), Some(Verdicts { noise: 1, worth_it: 0 }));
    assert_eq!(judge("default U2", false), Some(Verdicts { noise: 1, worth_it: 1 }));
    assert_eq!(judge("default U1", false), Some(Verdicts { noise: 0, worth_it: 2 }), "the second replaces the first");
    assert_eq!(store.judge(&object("web09"), 400, "default U1", true, 500).unwrap(), None);
    let mut seen = Vec::new();
    store.each_past_problem(0, 1000, |_, past, verdicts| seen.push((past.began, verdicts.worth_it))).unwrap();
    assert_eq!(seen, [(100, 0), (300, 2)]);
}

/// A million rows a year: 10,000 objects, with names and comments as long as people write them.
#[test]
#[ignore = "slow: tests/run"]
fn a_million_rows_take_less_than_150_megabytes() {
    let (directory, mut store) = store(&[]);
    for batch in 0..1000_i64 {
        let rows: Vec<_> = (0..1000_i64)
            .map(|i| {
                let host = format!("web{:04}.example.com", (batch * 1000 + i) % 10_000 / 10);
                let service = Some(format!("Disk /srv/data{}", i % 10));
                let began = 1_700_000_000 + batch * 30_000 + i;
                let answer = (i % 3 == 0).then(|| Answer {
                    at: began + 240,
                    by: Some(format!("person{}", i % 40)),
                    remark: Some("restarted mysqld, was out of file handles again".into()),
                });
                (Object { core: String::new(), host, service }, PastProblem { answer, ..past(began, began + 700) })
            })
            .collect();
        store.add_past(&rows).unwrap();
    }
    store.db.batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let rows: i64 = store.db.query_row("SELECT COUNT(*) FROM history", [], |row| row.get(0)).unwrap();
    let bytes = std::fs::metadata(directory.path().join(NAME)).unwrap().len();
    assert!(rows == 1_000_000 && bytes < 150_000_000, "{rows} rows, {bytes} bytes");
}

both::on_postgres! {
    a_problem_that_ends_leaves_one_row_however_many_were_notified,
    an_answer_from_slack_counts_as_one_of_the_core,
    what_was_never_notified_as_a_problem_is_not_remembered,
    an_end_that_nobody_reported_and_flapping_are_told_apart,
    an_import_adds_no_row_that_overlaps_one_that_is_there,
    an_import_adds_the_acknowledgement_that_nobody_was_notified_of,
    what_is_older_than_it_is_to_be_kept_is_forgotten_in_steps,
    a_neighbour_is_named_only_where_its_own_card_is,
    each_person_has_one_verdict_on_a_problem,
}
