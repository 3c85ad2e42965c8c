//! Several hosts that notify for one core.

use super::*;

/// A word of a core about one service, told by one of its hosts, with that host's own id of the problem.
fn told_by(origin: &str, kind: &str, state: &str, problem: &str, time: i64) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in [
        ("hostname", "web01"),
        ("servicedesc", "Disk"),
        ("notificationtype", kind),
        ("servicestate", state),
        ("problem-id", problem),
        ("output", &format!("as {origin} has it")),
        ("notification-number", &time.to_string()),
    ] {
        fields.put(name, value);
    }
    let mut notified = fields.into_notification(time).with_origin(origin);
    // As it comes from the core: the time is that of the word.
    notified.time = time;
    notified
}

/// What two hosts say about one problem, one word a second from `now` on, and the steps that people see.
fn hears(words: &[Notification]) -> Vec<&'static str> {
    let (directory, mut store) = store(&[]);
    let (mut now, mut steps) = (1_000_000, Vec::new());
    for word in words {
        add(&directory, &mut store, std::slice::from_ref(word), now);
        now += 5000;
        steps.extend(run(&mut store, now));
        now += 5000;
    }
    steps
}

#[test]
fn two_hosts_that_notify_for_one_core_make_one_card() {
    let both = |kind, state, time| [told_by("m1", kind, state, "1", time), told_by("m2", kind, state, "77", time)];
    let pair = [both("PROBLEM", "2", 100), both("RECOVERY", "0", 110)].concat();
    assert_eq!(hears(&pair), ["post", "update", "reply"], "the second one's words add nothing");
    let reminded = [both("PROBLEM", "2", 100), both("PROBLEM", "2", 110)].concat();
    assert_eq!(hears(&reminded), ["post", "update", "reply"], "a reminder of both shows once");
    let again = [both("PROBLEM", "2", 100), both("RECOVERY", "0", 110), both("PROBLEM", "2", 120)].concat();
    assert_eq!(hears(&again), ["post", "update", "reply", "post"], "the next problem is news");
    let m1 = |kind, state, time| told_by("m1", kind, state, "1", time);
    let other = told_by("m2", "PROBLEM", "2", "77", 105);
    let news = [m1("PROBLEM", "2", 100), other, m1("RECOVERY", "0", 110), told_by("m1", "PROBLEM", "2", "2", 120)];
    assert_eq!(hears(&news), ["post", "update", "reply", "post"], "the second one's old word covers no new problem");
}

#[test]
fn a_problem_that_comes_again_through_a_third_worker_is_news() {
    let words = [("w1", "PROBLEM", "2"), ("w2", "RECOVERY", "0"), ("w3", "PROBLEM", "2"), ("w1", "RECOVERY", "0")];
    let notified = |((worker, kind, state), time)| told_by(worker, kind, state, "", time);
    let words: Vec<Notification> = words.into_iter().zip(100..).map(notified).collect();
    assert_eq!(hears(&words), ["post", "update", "reply", "post", "update", "reply"]);
}

#[test]
fn ids_are_compared_within_one_host_only() {
    let word = |origin, id, time| told_by(origin, "PROBLEM", "2", id, time);
    assert_eq!(hears(&[word("m1", "1", 100), word("m1", "2", 110)]), ["post", "update", "post"], "its end was lost");
    assert_eq!(hears(&[word("m1", "1", 100), word("m2", "2", 110)]), ["post"]);
    // Both before anybody saw anything: one message, and the reminder of the second belongs to it.
    let (directory, mut store) = store(&[]);
    add(&directory, &mut store, &[word("m1", "1", 100), word("m1", "2", 110)], 1_000_000);
    assert_eq!(run(&mut store, 1_010_000), ["post", "reply"]);
    add(&directory, &mut store, &[word("m1", "2", 120)], 1_020_000);
    assert_eq!(run(&mut store, 1_030_000), ["update", "reply"]);
}

#[test]
fn what_a_worker_tells_late_is_history() {
    let late = [
        told_by("w1", "RECOVERY", "0", "", 90),
        told_by("w1", "PROBLEM", "2", "1", 100),
        told_by("w1", "RECOVERY", "0", "", 110),
        told_by("w2", "PROBLEM", "1", "1", 105),
    ];
    assert_eq!(hears(&late), ["post", "post", "update", "reply", "reply"], "a line in the thread, and no red card");
    // A clock that is ahead proves nothing.
    let ahead = [told_by("w1", "PROBLEM", "1", "1", 9_000_000), told_by("w2", "PROBLEM", "2", "1", 105)];
    assert_eq!(hears(&ahead), ["post", "update", "reply"]);
}

#[test]
fn the_hosts_that_notify_for_a_core_are_known_for_a_day() {
    let (directory, mut store) = store(&[]);
    add(&directory, &mut store, &[told_by("m1", "PROBLEM", "2", "1", 100)], 0);
    add(&directory, &mut store, &[told_by("m2", "PROBLEM", "2", "1", 100)], 1000);
    let names = |now| store.origins(now).unwrap().remove("").unwrap_or_default();
    assert_eq!((names(1000), names(DAY_MS + 500)), (vec!["m1".to_owned(), "m2".into()], vec!["m2".to_owned()]));
}

#[test]
fn what_a_failover_forgot_changes_nothing_that_came_since() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, spool) = (both::open(directory.path()), Spool::new(directory.path()));
    let word = |kind: &str, state: &str, at: i64| {
        new_entry(&spool, at, &told_by("mon1", kind, state, "7", at / 1000), waiting(EDITABLE))
    };
    let mut import = |entry: NewEntry, now: i64| store.import(&[entry], QUIET, now).unwrap();
    import(word("RECOVERY", "0", 20_000), 20_000);
    import(NewEntry { is_repeated: true, ..word("PROBLEM", "2", 10_000) }, 30_000);
    let newest = "SELECT problem FROM post ORDER BY id DESC LIMIT 1";
    let shown = |store: &Store| {
        from_json::<crate::model::problem::Problem>(
            &store.db.query_row(newest, [], |row| row.get::<String>(0)).unwrap(),
        )
    };
    assert!(!shown(&store).unwrap().is_bad, "it has recovered since");
    assert_eq!(store.db.query_row("SELECT COUNT(*) FROM open_problem", [], |row| row.get::<i64>(0)).unwrap(), 0);
    // It is told, in the thread.
    let waiting = "SELECT COUNT(*) FROM delivery WHERE state = 'waiting'";
    assert_eq!(store.db.query_row(waiting, [], |row| row.get::<i64>(0)).unwrap(), 2);
    // One of which nothing newer is known counts, and so does one that comes for the first time, whatever the clock said.
    store.import(&[NewEntry { is_repeated: true, ..word("PROBLEM", "2", 40_000) }], QUIET, 50_000).unwrap();
    assert!(shown(&store).unwrap().is_bad);
    store.import(&[word("RECOVERY", "0", 5000)], QUIET, 60_000).unwrap();
    assert!(!shown(&store).unwrap().is_bad);
}

/// Kind, state, time, and whether it goes to #ops.
type Word<'a> = (&'a str, &'a str, i64, bool);

/// What is offered again is old news only where its own queue has the later word, and only behind one that settles it.
#[test]
fn what_a_failover_forgot_is_news_where_nothing_settles_it() {
    let elsewhere = DeliveryQueue { target: Target::Channel("#other".into()), ..ops() };
    // One night each: what the outbox has, what is offered again then, and whether the card in #ops is bad at last.
    let nights: [(&str, &[Word], Word, bool); 6] = [
        (
            "a problem, known only where another contact was told of it",
            &[("PROBLEM", "2", 1000, true), ("RECOVERY", "0", 2000, true), ("PROBLEM", "1", 12_000, false)],
            ("PROBLEM", "2", 10_000, true),
            true,
        ),
        (
            "a recovery, known only elsewhere",
            &[("PROBLEM", "2", 1000, true), ("PROBLEM", "2", 1000, false), ("RECOVERY", "0", 12_000, false)],
            ("RECOVERY", "0", 10_000, true),
            false,
        ),
        (
            "a time that is yet to come",
            &[("PROBLEM", "2", 1000, true), ("RECOVERY", "0", 7_200_000, true)],
            ("PROBLEM", "2", 40_000, true),
            true,
        ),
        (
            "the end of a downtime, all well",
            &[("DOWNTIMEEND", "0", 20_000, true)],
            ("PROBLEM", "2", 10_000, true),
            false,
        ),
        (
            "the end of a downtime, still bad",
            &[("DOWNTIMEEND", "2", 20_000, true)],
            ("PROBLEM", "2", 10_000, true),
            true,
        ),
        ("a word by hand", &[("CUSTOM", "0", 20_000, true)], ("PROBLEM", "2", 10_000, true), true),
    ];
    for (night, had, again, is_bad) in nights {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, spool) = (both::open(directory.path()), Spool::new(directory.path()));
        let entry = |(kind, state, at, here): Word| {
            let delivery = match waiting(EDITABLE) {
                NewDelivery::Waiting { mentions, annotation, mode, deferred, .. } if !here => {
                    NewDelivery::Waiting { queue: elsewhere.clone(), mentions, annotation, mode, deferred }
                }
                delivery => delivery,
            };
            new_entry(&spool, at, &told_by("mon1", kind, state, "", at / 1000), delivery)
        };
        for word in had {
            store.import(&[entry(*word)], QUIET, word.2.min(30_000)).unwrap();
        }
        store.import(&[NewEntry { is_repeated: true, ..entry(again) }], QUIET, 50_000).unwrap();
        let newest = "SELECT problem FROM post WHERE target = '#ops' ORDER BY id DESC LIMIT 1";
        let problem = store.db.query_row(newest, [], |row| row.get::<String>(0)).unwrap();
        let problem = from_json::<crate::model::problem::Problem>(&problem).unwrap();
        assert_eq!(problem.is_bad, is_bad, "{night}: {problem:?}");
    }
}

#[test]
fn a_problem_that_was_forgotten_ends_no_acknowledgement_and_a_word_by_hand_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, spool) = (both::open(directory.path()), Spool::new(directory.path()));
    let word =
        |kind: &str, at: i64| new_entry(&spool, at, &told_by("mon1", kind, "2", "", at / 1000), waiting(EDITABLE));
    store.import(&[word("ACKNOWLEDGEMENT", 20_000)], QUIET, 20_000).unwrap();
    store.import(&[NewEntry { is_repeated: true, ..word("PROBLEM", 10_000) }], QUIET, 30_000).unwrap();
    let count = |store: &Store, sql: &str| store.db.query_row(sql, [], |row| row.get::<i64>(0)).unwrap();
    assert_eq!(count(&store, "SELECT COUNT(*) FROM post WHERE acknowledged = 1"), 1);
    assert_eq!(count(&store, "SELECT COUNT(*) FROM escalation"), 0, "nobody is called for it");
    store.import(&[NewEntry { is_repeated: true, ..word("CUSTOM", 15_000) }], QUIET, 30_000).unwrap();
    assert_eq!(count(&store, "SELECT COUNT(*) FROM delivery WHERE state = 'waiting'"), 3);
}

both::on_postgres! {
    what_a_failover_forgot_is_news_where_nothing_settles_it,
    a_problem_that_was_forgotten_ends_no_acknowledgement_and_a_word_by_hand_is_told,
    what_a_failover_forgot_changes_nothing_that_came_since,
    two_hosts_that_notify_for_one_core_make_one_card,
    a_problem_that_comes_again_through_a_third_worker_is_news,
    ids_are_compared_within_one_host_only,
    what_a_worker_tells_late_is_history,
    the_hosts_that_notify_for_a_core_are_known_for_a_day,
}
