//! The outbox when clocks jump and histories grow; the flows are tested from outside.

mod audit;
mod both;
mod curve;
mod history;
mod install;
mod lease;
mod migration;
mod origin;
mod requests;
mod server;
mod statements;
mod tables;
mod trips;

use super::*;
use crate::model::notification::{Fields, Notification};
use crate::model::outcome::Posted;
use crate::model::slack_error::{Reason, SlackError};
use crate::rules::digest::DigestStep;
use crate::state_dir::spool::{Entry, Spool};
use crate::system::environment::Environment;
use std::collections::BTreeSet;

const DAY_MS: i64 = 86_400_000;
const QUIET: Duration = Duration::from_secs(30);

fn notification(contact: &str, id: &str) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in [("hostname", "web01"), ("hoststate", "1"), ("contact", contact), ("notification-id", id)] {
        fields.put(name, value);
    }
    fields.into_notification(0)
}

fn ops() -> DeliveryQueue {
    DeliveryQueue { integration: "default".into(), target: Target::Channel("#ops".into()) }
}

const EDITABLE: MessageMode = MessageMode::Editable { threaded: true };

fn waiting(mode: MessageMode) -> NewDelivery {
    NewDelivery::Waiting { queue: ops(), mentions: Vec::new(), annotation: None, mode, deferred: None }
}

/// The right to deliver: of the file's only process, or the lease.
fn leadership(store: &Store) -> Leadership {
    if !store.is_shared() {
        return Leadership::of_a_temporary_outbox();
    }
    let taken = store.take_lease("test", 0).unwrap();
    let leadership = taken.map_or_else(|| Leadership::of_current_lease(store), |(leadership, _)| leadership);
    store.lead(Some(&leadership));
    leadership
}

/// The next step that may be taken.
fn claim(store: &Store, now: i64) -> Option<Claimed> {
    let is_paused = store.paused_until(&ops()).unwrap() > now;
    if is_paused { None } else { store.claim(&leadership(store), &ops(), EDITABLE, QUIET, now).unwrap() }
}

fn record(store: &mut Store, claimed: &Claimed, outcome: &RecordedOutcome, now: i64) {
    let pace = Pace { posts_from: now + 1000, edits_from: now + 1000 };
    store.record_outcome(claimed, outcome, pace, QUIET, now).unwrap();
}

fn delivered() -> RecordedOutcome {
    RecordedOutcome::Delivered { posted: Some(Posted { channel: "C1".into(), ts: "1.2".into() }), covered: usize::MAX }
}

fn new_entry(spool: &Spool, received: i64, notification: &Notification, delivery: NewDelivery) -> NewEntry {
    let incoming = Incoming::Notification(notification.clone());
    let id = spool.put(&Entry { received, incoming: incoming.clone() }).unwrap();
    NewEntry { id, received, incoming, deliveries: vec![delivery], behind: BTreeSet::new(), is_repeated: false }
}

/// A store with these notifications in it, received at those times.
fn store(entries: &[(i64, Notification)]) -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = both::open(directory.path());
    let spool = Spool::new(directory.path());
    for (received, notification) in entries {
        let batch = [new_entry(&spool, *received, notification, waiting(EDITABLE))];
        // Twice, as after a crash between the commit and the removal.
        store.import(&batch, QUIET, *received).unwrap();
        store.import(&batch, QUIET, *received).unwrap();
    }
    (directory, store)
}

#[test]
fn a_clock_that_goes_back_makes_nothing_early_and_nothing_wait_for_ever() {
    let (_directory, mut store) = store(&[(DAY_MS, notification("a", "1"))]);
    let claimed = claim(&store, DAY_MS).unwrap();
    let retry = RecordedOutcome::Retry { due: DAY_MS + 60_000, pause_until: None, reason: "x".to_owned().into() };
    record(&mut store, &claimed, &retry, DAY_MS);
    store.recover(0).unwrap();
    let planned = store.plan(&ops(), EDITABLE, QUIET, 0).unwrap().unwrap();
    assert_eq!(planned.ready, 60_000, "the same wait, from now on");
    assert_eq!(store.paused_until(&ops()).unwrap(), 1000);
    assert!(claim(&store, 59_999).is_none());
}

#[test]
fn a_token_that_ended_is_told_until_something_is_delivered() {
    let (_directory, mut store) = store(&[(0, notification("alice", "1"))]);
    let paused = |store: &Store, now| store.health(now).unwrap().pauses.into_iter().map(|one| one.reason).collect();
    store.pause_integration("default", 1000, 0, &"timed out".to_owned().into()).unwrap();
    let (during, after): (Vec<_>, Vec<_>) = (paused(&store, 999), paused(&store, 1001));
    assert_eq!((during.len(), after.len()), (1, 0), "what mends by itself is over with its rest");
    store
        .pause_integration(
            "default",
            1000,
            0,
            &Reason::new(SlackError::AppUninstalled, "gone (app_uninstalled)".to_owned()),
        )
        .unwrap();
    assert_eq!(paused(&store, DAY_MS), ["gone (app_uninstalled)"]);
    let claimed = claim(&store, 2000).unwrap();
    record(&mut store, &claimed, &delivered(), 2000);
    assert_eq!(paused(&store, 2001), [""; 0]);
}

#[test]
fn what_was_given_back_waits_and_says_nothing_of_slack() {
    let (_directory, mut store) = store(&[(0, notification("alice", "1"))]);
    let claimed = claim(&store, 2000).unwrap();
    record(&mut store, &claimed, &RecordedOutcome::GiveBack { due: 9000 }, 2000);
    assert!(store.health(2001).unwrap().pauses.is_empty(), "a card would say later that Slack was unreachable");
    assert_eq!(store.plan(&ops(), EDITABLE, QUIET, 2001).unwrap().unwrap().ready, 9000);
    assert_eq!(claim(&store, 9000).unwrap().message.attempts, claimed.message.attempts);
}

#[test]
fn who_opened_home_is_kept_for_a_day() {
    let (_directory, store) = store(&[]);
    let by = |user: &str, at| Opened { integration: "default".into(), user: user.into(), team: None, at };
    for (user, at) in [("U1", 1), ("U2", 2), ("U1", 3), ("U3", DAY_MS)] {
        store.home_opened(&by(user, at), at - DAY_MS).unwrap();
    }
    let users = |since, most| store.homes(since, most).unwrap().into_iter().map(|o| o.user).collect::<Vec<_>>();
    assert_eq!(users(0, 9), ["U3", "U1", "U2"]);
    assert_eq!((users(3, 9), users(0, 1)), (vec!["U3".into(), "U1".into()], vec!["U3".into()]));
    store.home_opened(&by("U4", DAY_MS + 3), 3).unwrap();
    assert_eq!(users(0, 9), ["U4", "U3", "U1"], "who opened it longer ago is forgotten");
}

#[test]
fn a_claim_of_a_dead_process_is_taken_up() {
    let (_directory, store) = store(&[(0, notification("a", "1"))]);
    assert_eq!(claim(&store, 0).unwrap().message.attempts, 1);
    assert_eq!(store.recover(1).unwrap(), 1);
    assert_eq!(claim(&store, 1).unwrap().message.attempts, 2);
}

#[test]
fn contacts_share_one_delivery_and_an_import_repeated_adds_none() {
    let (_directory, store) =
        store(&[(0, notification("a", "1")), (5, notification("b", "1")), (9, notification("a", "2"))]);
    let states: Vec<_> = store.rows(true, 9, |_| true).unwrap().into_iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Waiting, DeliveryState::Merged, DeliveryState::Waiting]);
}

#[test]
fn a_file_that_comes_again_after_its_delivery_is_not_sent_again() {
    let (directory, mut store) = store(&[(0, notification("a", "1"))]);
    let claimed = claim(&store, 0).unwrap();
    record(&mut store, &claimed, &delivered(), 0);
    let id = Spool::new(directory.path()).oldest(1).unwrap().remove(0);
    let incoming = Incoming::Notification(notification("a", "1"));
    let deliveries = vec![waiting(MessageMode::WriteOnce)];
    store
        .import(
            &[NewEntry { id, received: 0, incoming, deliveries, behind: BTreeSet::new(), is_repeated: false }],
            QUIET,
            9,
        )
        .unwrap();
    assert_eq!(store.queues().unwrap(), []);
}

#[test]
fn a_clock_that_jumped_ahead_purges_nothing_fresh() {
    let (_directory, mut store) = store(&[(0, notification("a", "1"))]);
    let claimed = claim(&store, 0).unwrap();
    record(&mut store, &claimed, &delivered(), 0);
    assert_eq!(store.purge(400 * DAY_MS, 0, |_| false).unwrap(), 0);
    assert_eq!(store.rows(true, 9, |_| true).unwrap().len(), 1);
}

#[test]
fn what_is_long_past_is_forgotten_in_steps_and_what_waits_stays() {
    let (_directory, mut store) = store(&[(0, notification("a", "1")), (0, notification("a", "2"))]);
    let claimed = claim(&store, 0).unwrap();
    record(&mut store, &claimed, &delivered(), 0);
    store
        .db
        .batch(
            "INSERT INTO notification (seq, id, received, object, duplicate_key, contact, body, origin)
               SELECT n + 10, 'x' || CAST(n AS TEXT), n, object, duplicate_key, contact, body, origin FROM notification,
               (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 11500) SELECT n FROM c) AS numbers
               WHERE seq = 1;
             INSERT INTO delivery (notification, integration, target, object, mentions, since, state, recorded)
               SELECT seq, 'default', '#ops', object, '[]', received, 'delivered', received FROM notification WHERE seq > 10;
             UPDATE delivery SET state = 'waiting' WHERE notification = 11",
        )
        .unwrap();
    assert_eq!(store.purge(DAY_MS, 0, |_| false).unwrap(), 0, "a week is kept");
    let late = 400 * DAY_MS;
    assert_eq!(store.purge(late, PURGE_BATCH + 1, |_| false).unwrap(), 0, "it isn't worth it yet");
    assert_eq!(store.purge(late, 0, |_| false).unwrap(), PURGE_BATCH);
    assert!(store.purge(late, 0, |_| false).unwrap() < PURGE_BATCH);
    let left = store.db.query_row("SELECT COUNT(*) FROM notification WHERE seq > 10", [], |row| row.get::<i64>(0));
    assert_eq!(left.unwrap(), 10_001, "the last ones, and the one that waits");
}

/// A notification of a host, of some type and state.
fn of_host(host: &str, kind: &str, state: &str) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in [("hostname", host), ("notificationtype", kind), ("hoststate", state)] {
        fields.put(name, value);
    }
    fields.into_notification(0)
}

fn step(claimed: &Claimed) -> &'static str {
    match &claimed.work {
        Work::Post(_) => "post",
        Work::Update(_) => "update",
        Work::Reply(_) => "reply",
        Work::PostOnce(_) => "say",
        Work::DirectMessage(_) => "direct message",
        Work::Digest(DigestStep::Post, _) => "head",
        Work::Digest(DigestStep::Edit, _) => "edit",
        Work::Digest(DigestStep::Lines, _) => "lines",
        Work::Digest(DigestStep::Close, _) => "close",
        Work::Digest(DigestStep::MarkShown, _) => "mark shown",
        Work::List(_) => "list",
    }
}

/// Delivers until nothing waits; the steps it took.
fn run(store: &mut Store, mut now: i64) -> Vec<&'static str> {
    let mut steps = Vec::new();
    while !store.queues().unwrap().is_empty() {
        if let Some(claimed) = claim(store, now) {
            steps.push(step(&claimed));
            record(store, &claimed, &delivered(), now);
        }
        now += 500;
        assert!(steps.len() < 100, "{steps:?}");
    }
    steps
}

fn add(directory: &tempfile::TempDir, store: &mut Store, notifications: &[Notification], now: i64) {
    let spool = Spool::new(directory.path());
    let batch: Vec<_> =
        notifications.iter().map(|notification| new_entry(&spool, now, notification, waiting(EDITABLE))).collect();
    store.import(&batch, QUIET, now).unwrap();
}

#[test]
fn a_problem_is_posted_once_and_then_edited_and_replied_to() {
    let (directory, mut store) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
    assert_eq!(run(&mut store, 0), ["post"]);
    add(&directory, &mut store, &[of_host("a", "ACKNOWLEDGEMENT", "1")], 5000);
    assert_eq!(run(&mut store, 5000), ["update", "reply"]);
    add(&directory, &mut store, &[of_host("a", "RECOVERY", "0"), of_host("a", "PROBLEM", "1")], 9000);
    assert_eq!(run(&mut store, 9000), ["update", "reply", "post"], "the next problem is another message");
}

#[test]
fn notifications_that_waited_together_are_one_message() {
    let (_directory, mut store) = store(&[
        (0, of_host("a", "PROBLEM", "1")),
        (5, of_host("a", "RECOVERY", "0")),
        (9, of_host("a", "PROBLEM", "2")),
    ]);
    assert_eq!(run(&mut store, 100), ["post", "reply"]);
}

#[test]
fn nothing_overtakes_what_waits_of_the_same_object() {
    let (directory, mut store) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
    assert_eq!(run(&mut store, 0), ["post"]);
    add(&directory, &mut store, &[of_host("a", "RECOVERY", "0"), of_host("a", "PROBLEM", "1")], 5000);
    let claimed = claim(&store, 5000).unwrap();
    assert_eq!(step(&claimed), "update", "the recovery first, although the next problem is more urgent");
    let retry = RecordedOutcome::Retry { due: 30_000, pause_until: None, reason: "x".to_owned().into() };
    record(&mut store, &claimed, &retry, 5000);
    add(&directory, &mut store, &[of_host("b", "PROBLEM", "1")], 9000);
    assert_eq!(
        run(&mut store, 9000),
        ["post", "update", "reply", "post"],
        "the other's, then the recovery, then its next"
    );
}

#[test]
fn a_message_that_is_gone_is_posted_anew() {
    let (directory, mut store) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
    assert_eq!(run(&mut store, 0), ["post"]);
    add(&directory, &mut store, &[of_host("a", "RECOVERY", "0")], 5000);
    let claimed = claim(&store, 5000).unwrap();
    record(&mut store, &claimed, &RecordedOutcome::PostAnew { reason: "message_not_found".to_owned().into() }, 5000);
    assert_eq!(run(&mut store, 9000), ["post"]);
}

#[test]
fn a_storm_is_one_message_with_lines_and_an_end() {
    let hosts: Vec<String> = (0..7).map(|i| format!("h{i}")).collect();
    let problems: Vec<_> = hosts.iter().map(|host| of_host(host, "PROBLEM", "1")).collect();
    let (directory, mut store) = store(&[]);
    add(&directory, &mut store, &problems, 0);
    assert_eq!(
        store.problems_without_message(&ops(), QUIET).unwrap(),
        crate::rules::digest::Waiting { all: 7, recent: 7 }
    );
    store.begin_digest(&ops(), 0).unwrap();
    assert_eq!(run(&mut store, 0), ["head", "lines"]);
    add(&directory, &mut store, &[of_host("late", "PROBLEM", "1")], 20_000);
    let recoveries: Vec<_> = hosts.iter().map(|host| of_host(host, "RECOVERY", "0")).collect();
    add(&directory, &mut store, &recoveries, 20_000);
    assert_eq!(run(&mut store, 30_000), ["edit", "lines"], "one that comes soon joins it");
    add(&directory, &mut store, &[of_host("later", "PROBLEM", "1")], 60_000);
    assert_eq!(run(&mut store, 60_000), ["post"], "one that comes when it is calm has its own");
    add(&directory, &mut store, &[of_host("late", "RECOVERY", "0")], 90_000);
    assert_eq!(run(&mut store, 90_000), ["edit", "close"]);
    assert_eq!(
        store.rows(true, 99, |_| true).unwrap().iter().filter(|row| row.state == DeliveryState::Merged).count(),
        16
    );
}

#[test]
fn an_acknowledgement_that_is_known_is_shown_once() {
    let (directory, mut store) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
    add(&directory, &mut store, &[of_host("a", "ACKNOWLEDGEMENT", "1"), of_host("a", "ACKNOWLEDGEMENT", "1")], 10);
    assert_eq!(run(&mut store, 20), ["post", "reply"]);
}

#[test]
fn a_database_of_the_first_version_keeps_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    schema::first_version(&db);
    let body = serde_json::to_string(&of_host("a", "PROBLEM", "1")).unwrap();
    db.execute("INSERT INTO notification VALUES (1, 'x', 5, 'a', 't', '', ?1)", [&body]).unwrap();
    let sql = "INSERT INTO delivery (notification, integration, target, object, mentions, since, state, leased)
               VALUES (1, 'default', '#ops', 'a', '[]', 5, 'waiting', 6)";
    db.execute(sql, []).unwrap();
    drop(db);
    let (mut store, _) = Store::open(directory.path(), Duration::from_secs(1)).unwrap();
    assert_eq!(run(&mut store, 100), ["post"]);
}

fn request(key: &str) -> NewActionRequest {
    NewActionRequest {
        key: key.into(),
        parent: None,
        name: "acknowledge".into(),
        object: "a".into(),
        request: "{}".into(),
        due: 0,
    }
}

/// What another thread imports while a message is being sent is no part of that attempt, however it ends.
#[test]
fn what_comes_while_a_message_is_sent_is_left_to_the_next_step() {
    let dead = || RecordedOutcome::Dead { reason: "no".to_owned().into() };
    let (directory, mut store) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
    let claimed = claim(&store, 0).unwrap();
    add(&directory, &mut store, &[of_host("a", "RECOVERY", "0")], 1);
    record(&mut store, &claimed, &dead(), 2);
    let states = |store: &Store| store.rows(true, 99, |_| true).unwrap().into_iter().map(|row| row.state).collect();
    let left: Vec<DeliveryState> = states(&store);
    assert_eq!(left, [DeliveryState::Dead, DeliveryState::Waiting]);
    assert_eq!(run(&mut store, 10_000), ["post"]);

    add(&directory, &mut store, &[of_host("b", "PROBLEM", "1")], 20_000);
    let claimed = claim(&store, 20_000).unwrap();
    add(&directory, &mut store, &[of_host("b", "RECOVERY", "0")], 20_001);
    record(&mut store, &claimed, &delivered(), 20_002);
    assert_eq!(run(&mut store, 30_000), ["update", "reply"], "its end is shown, too");

    add(&directory, &mut store, &[of_host("c", "PROBLEM", "1")], 40_000);
    let claimed = claim(&store, 40_000).unwrap();
    add(&directory, &mut store, &[of_host("c", "RECOVERY", "0")], 40_001);
    let queue = DeliveryQueue { integration: "default".to_owned(), target: Target::Webhook };
    let elsewhere = RecordedOutcome::Reroute {
        queue: queue.clone(),
        mode: MessageMode::WriteOnce,
        annotation: String::new(),
        reason: "gone".to_owned().into(),
    };
    record(&mut store, &claimed, &elsewhere, 40_002);
    assert_eq!(store.queues().unwrap(), [queue, ops()], "the one goes elsewhere, the other is tried here first");
}

#[test]
fn a_problem_that_comes_back_while_its_digest_is_closed_keeps_it_open() {
    let hosts: Vec<String> = (0..7).map(|i| format!("h{i}")).collect();
    let all = |kind, state| hosts.iter().map(|host| of_host(host, kind, state)).collect::<Vec<_>>();
    let (directory, mut store) = store(&[]);
    add(&directory, &mut store, &all("PROBLEM", "1"), 0);
    store.begin_digest(&ops(), 0).unwrap();
    assert_eq!(run(&mut store, 0), ["head", "lines"]);
    add(&directory, &mut store, &all("RECOVERY", "0"), 20_000);
    let edit = claim(&store, 90_000).unwrap();
    record(&mut store, &edit, &delivered(), 90_000);
    let close = claim(&store, 100_000).unwrap();
    assert_eq!(step(&close), "close");
    add(&directory, &mut store, &[of_host("h3", "PROBLEM", "1")], 100_001);
    record(&mut store, &close, &delivered(), 100_002);
    assert_eq!(run(&mut store, 120_000), ["edit", "lines"], "it is told");
    add(&directory, &mut store, &[of_host("h3", "RECOVERY", "0")], 180_000);
    assert_eq!(run(&mut store, 200_000), ["edit", "close"]);
}

both::on_postgres! {
    what_was_given_back_waits_and_says_nothing_of_slack,
    a_clock_that_goes_back_makes_nothing_early_and_nothing_wait_for_ever,
    a_token_that_ended_is_told_until_something_is_delivered,
    who_opened_home_is_kept_for_a_day,
    a_claim_of_a_dead_process_is_taken_up,
    contacts_share_one_delivery_and_an_import_repeated_adds_none,
    a_file_that_comes_again_after_its_delivery_is_not_sent_again,
    a_clock_that_jumped_ahead_purges_nothing_fresh,
    what_is_long_past_is_forgotten_in_steps_and_what_waits_stays,
    a_problem_is_posted_once_and_then_edited_and_replied_to,
    notifications_that_waited_together_are_one_message,
    nothing_overtakes_what_waits_of_the_same_object,
    a_message_that_is_gone_is_posted_anew,
    a_storm_is_one_message_with_lines_and_an_end,
    an_acknowledgement_that_is_known_is_shown_once,
    what_comes_while_a_message_is_sent_is_left_to_the_next_step,
    a_problem_that_comes_back_while_its_digest_is_closed_keeps_it_open,
}
