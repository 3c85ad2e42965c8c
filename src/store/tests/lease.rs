//! Two deliverers of one outbox, of which each may be paused anywhere.

use super::*;
use crate::store::db::params;
use crate::store::{Recorded, Repair, Work};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The other node's connection to the outbox.
fn beside(store: &Store) -> Store {
    store.beside(Duration::from_secs(5)).unwrap()
}

/// The lease ends now, as after a pause of its holder.
fn expire(store: &Store) {
    store.lead(None);
    store.db.execute("UPDATE lease SET until = 0 WHERE name = 'deliver'", []).unwrap();
}

fn take(store: &Store, holder: &str) -> Leadership {
    expire(store);
    store.take_lease(holder, 0).unwrap().expect("it is free").0
}

fn claim_by(store: &Store, leadership: &Leadership, now: i64) -> Option<Claimed> {
    store.lead(Some(leadership));
    store.claim(leadership, &ops(), EDITABLE, QUIET, now).unwrap()
}

fn as_posted(ts: &str) -> RecordedOutcome {
    RecordedOutcome::Delivered { posted: Some(Posted { channel: "C1".into(), ts: ts.into() }), covered: usize::MAX }
}

fn record_by(store: &mut Store, claimed: &Claimed, ts: &str, now: i64) -> Recorded {
    store.record_outcome(claimed, &as_posted(ts), Pace { posts_from: 0, edits_from: 0 }, QUIET, now).unwrap()
}

fn to_delete(store: &Store) -> Vec<String> {
    store.repairs(80_000_000).unwrap().into_iter().map(|Repair { ts, .. }| ts).collect()
}

/// Any write of a connection that leads.
fn beside_fenced(store: &Store) -> Result<(), StoreError> {
    store.remember("default", "@a", None, 9)
}

fn problem(id: &str) -> Notification {
    notification("a", id)
}

#[test]
fn a_lease_is_taken_when_it_has_ended_and_whoever_had_it_is_fenced() {
    let (_directory, store) = store(&[(0, problem("1"))]);
    let other = beside(&store);
    let (first, orphans) = store.take_lease("a", 0).unwrap().unwrap();
    assert_eq!(orphans, 0);
    assert!(first.is_sure() && store.renew_lease(&first).unwrap());
    assert!(other.take_lease("b", 0).unwrap().is_none(), "it hasn't ended");
    assert!(!other.look_at_lease(0).unwrap().is_free);
    let claimed = claim_by(&store, &first, 0).unwrap();
    expire(&store);
    assert!(other.look_at_lease(0).unwrap().is_free);
    store.lead(Some(&first));
    if store.is_shared() {
        // Nobody took it yet; all the same nothing is claimed by a lease that has ended.
        assert!(matches!(store.claim(&first, &ops(), EDITABLE, QUIET, 0), Err(StoreError::Fenced)));
    }
    let (second, orphans) = other.take_lease("b", 0).unwrap().unwrap();
    assert_eq!(orphans, 1, "the claim is forgotten with the takeover");
    assert!(!store.renew_lease(&first).unwrap() && !first.is_sure(), "the first has lost it");
    if store.is_shared() {
        assert!(matches!(store.claim(&first, &ops(), EDITABLE, QUIET, 0), Err(StoreError::Fenced)));
        assert!(matches!(beside_fenced(&store), Err(StoreError::Fenced)), "nothing is written by it");
        assert!(store.claim(&Leadership::of_a_temporary_outbox(), &ops(), EDITABLE, QUIET, 0).is_err());
        assert!(store.claim(&second, &ops(), EDITABLE, QUIET, 0).is_err(), "its connection leads by another one");
    }
    drop(claimed);
    other.end_lease(&second).unwrap();
    assert!(!second.is_sure());
    assert!(store.take_lease("a", 0).unwrap().is_some(), "it was given back");
}

#[test]
fn whoever_was_overtaken_takes_its_message_back() {
    let (_directory, mut store) = store(&[(0, problem("1"))]);
    let mut other = beside(&store);
    let late = claim_by(&store, &take(&store, "a"), 0).unwrap();
    let taken = claim_by(&other, &take(&other, "b"), 0).unwrap();
    // While the other one sends, and after that.
    assert_eq!(record_by(&mut store, &late, "1.1", 1), Recorded::Repaired);
    assert_eq!(record_by(&mut other, &taken, "2.2", 2), Recorded::Done);
    assert_eq!(record_by(&mut store, &late, "1.1", 3), Recorded::Repaired, "asked again, it is one row");
    assert_eq!(to_delete(&other), ["1.1"]);
    let shown = other.db.query_row("SELECT ts FROM post", [], |row| row.get::<String>(0)).unwrap();
    assert_eq!(shown, "2.2");
    let repair = other.repairs(9).unwrap().remove(0);
    other.postpone_repair(&repair, 50).unwrap();
    assert_eq!(other.repairs(49).unwrap(), []);
    other.repaired(&repair).unwrap();
    assert_eq!(to_delete(&other), [""; 0]);
}

/// One sends, another takes over and sends the same, then the first records: the step, and what came of it.
fn overtaken(late: &mut Store, other: &mut Store, ts: &str, now: i64) -> (&'static str, Recorded) {
    let first = claim_by(late, &take(late, "a"), now).unwrap();
    let second = claim_by(other, &take(other, "b"), now).unwrap();
    assert_eq!(step(&first), step(&second));
    assert_eq!(record_by(other, &second, "5.5", now), Recorded::Done);
    (step(&first), record_by(late, &first, ts, now))
}

#[test]
fn whoever_was_overtaken_takes_back_what_is_a_digests_and_edits_that_once_more() {
    let (directory, mut store) = store(&[]);
    let (mut late, mut other) = (beside(&store), beside(&store));
    let hosts: Vec<String> = (0..7).map(|i| format!("h{i}")).collect();
    let all = |kind: &str, state: &str| hosts.iter().map(|host| of_host(host, kind, state)).collect::<Vec<_>>();
    add(&directory, &mut store, &all("PROBLEM", "1"), 0);
    store.begin_digest(&ops(), 0).unwrap();
    assert_eq!(overtaken(&mut late, &mut other, "1.1", 0), ("head", Recorded::Repaired));
    assert_eq!(overtaken(&mut late, &mut other, "1.2", 5000), ("lines", Recorded::Repaired));
    add(&directory, &mut store, &all("RECOVERY", "0"), 30_000);
    let versions = |store: &Store| {
        let read = |row: db::Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        store.db.query_row("SELECT version, shown FROM digest", [], read).unwrap()
    };
    assert_eq!(overtaken(&mut late, &mut other, "5.5", 30_000), ("edit", Recorded::Repaired));
    let (version, shown) = versions(&store);
    assert!(version > shown, "what the first one showed last may be older");
    let again = claim_by(&other, &take(&other, "b"), 60_000).unwrap();
    assert_eq!((step(&again), record_by(&mut other, &again, "5.5", 60_000)), ("edit", Recorded::Done));
    assert_eq!(overtaken(&mut late, &mut other, "1.3", 90_000), ("close", Recorded::Repaired));
    assert_eq!(to_delete(&store), ["1.1", "1.2", "1.3"]);
    assert!(claim_by(&other, &take(&other, "b"), 400_000).is_none() && store.queues().unwrap().is_empty());
    let (version, shown) = versions(&store);
    assert_eq!(version, shown);
}

#[test]
fn what_a_webhook_posted_twice_stays_and_is_said() {
    let (directory, mut store) = store(&[]);
    let (mut late, mut other) = (beside(&store), beside(&store));
    let queue = DeliveryQueue { integration: "default".to_owned(), target: Target::Webhook };
    let delivery = NewDelivery::Waiting {
        queue: queue.clone(),
        mentions: Vec::new(),
        annotation: None,
        mode: MessageMode::WriteOnce,
        deferred: None,
    };
    let entry = new_entry(&Spool::new(directory.path()), 0, &of_host("a", "PROBLEM", "1"), delivery);
    store.import(&[entry], QUIET, 0).unwrap();
    let claim = |store: &Store, holder: &str| {
        let leadership = take(store, holder);
        store.lead(Some(&leadership));
        store.claim(&leadership, &queue, MessageMode::WriteOnce, QUIET, 0).unwrap().unwrap()
    };
    let (first, second) = (claim(&late, "a"), claim(&other, "b"));
    let posted = RecordedOutcome::Delivered { posted: None, covered: usize::MAX };
    let record = |store: &mut Store, claimed: &Claimed| {
        store.record_outcome(claimed, &posted, Pace { posts_from: 0, edits_from: 0 }, QUIET, 1).unwrap()
    };
    assert_eq!(record(&mut other, &second), Recorded::Done);
    assert_eq!(record(&mut late, &first), Recorded::ShownTwice);
    assert_eq!((to_delete(&store), store.queues().unwrap()), (Vec::new(), Vec::new()));
}

#[test]
fn what_nobody_sent_meanwhile_is_recorded_as_if_nothing_had_happened() {
    let (_directory, mut store) = store(&[(0, problem("1"))]);
    let other = beside(&store);
    let late = claim_by(&store, &take(&store, "a"), 0).unwrap();
    let now = take(&other, "b");
    assert_eq!(record_by(&mut store, &late, "1.1", 1), Recorded::Done);
    assert_eq!((to_delete(&store), claim_by(&other, &now, 9999).is_none()), (vec![], true), "it was sent once");
}

#[test]
fn an_outcome_whose_answer_was_lost_is_recorded_once() {
    let (_directory, mut store) = store(&[(0, problem("1"))]);
    let claimed = claim(&store, 0).unwrap();
    assert_eq!(record_by(&mut store, &claimed, "1.1", 1), Recorded::Done);
    // A file's COMMIT always has its answer.
    if store.is_shared() {
        assert_eq!(record_by(&mut store, &claimed, "1.1", 2), Recorded::Done);
        assert_eq!(to_delete(&store), [""; 0]);
    }
}

#[test]
fn a_message_that_an_overtaken_sender_edited_is_edited_once_more() {
    let (directory, mut store) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
    let mut other = beside(&store);
    let claimed = claim_by(&store, &take(&store, "a"), 0).unwrap();
    record_by(&mut store, &claimed, "1.1", 0);
    add(&directory, &mut store, &[of_host("a", "ACKNOWLEDGEMENT", "1")], 10);
    let late = claim_by(&store, &take(&store, "a"), 5000).unwrap();
    assert!(matches!(late.work, Work::Update(_)), "{:?}", late.work);
    let now = take(&other, "b");
    let update = claim_by(&other, &now, 5000).unwrap();
    record_by(&mut other, &update, "1.1", 5000);
    while let Some(rest) = claim_by(&other, &now, 9000) {
        record_by(&mut other, &rest, "1.9", 9000);
    }
    assert_eq!(record_by(&mut store, &late, "1.1", 9500), Recorded::Repaired);
    let again = claim_by(&other, &now, 20_000).expect("the newest version is shown again");
    assert!(matches!(again.work, Work::Update(_)), "{:?}", again.work);
    record_by(&mut other, &again, "1.1", 20_000);
    assert!(claim_by(&other, &now, 40_000).is_none(), "once");
    assert_eq!(to_delete(&other), [""; 0]);
}

#[test]
fn a_claim_whose_answer_was_lost_gives_way_to_the_next_one() {
    let (_directory, mut store) = store(&[(0, problem("1"))]);
    let leadership = take(&store, "a");
    let lost = claim_by(&store, &leadership, 0).unwrap().claim;
    let next = claim_by(&store, &leadership, 0).unwrap();
    assert_ne!(lost, next.claim);
    assert_eq!(record_by(&mut store, &next, "1.1", 1), Recorded::Done);
    assert_eq!((claim_by(&store, &leadership, 9999).is_none(), store.recover(0).unwrap()), (true, 0));
}

#[test]
fn a_takeover_that_a_failover_forgot_gives_no_right_beside_the_next_one() {
    let (_directory, store) = store(&[(0, problem("1"))]);
    let other = beside(&store);
    let first = take(&store, "a");
    let forgotten = take(&other, "b");
    // The new primary never heard of it.
    let row = "UPDATE lease SET holder = 'a', token = ?1, until = 0 WHERE name = 'deliver'";
    store.db.execute(row, [first.term().unwrap().token()]).unwrap();
    let second = take(&store, "a");
    other.lead(Some(&forgotten));
    assert!(!store.is_shared() || matches!(beside_fenced(&other), Err(StoreError::Fenced)));
    assert!(!other.renew_lease(&forgotten).unwrap(), "it isn't the other one's lease");
    assert!(store.renew_lease(&second).unwrap() && !forgotten.is_sure());
}

#[test]
fn a_lease_that_ends_further_ahead_than_clocks_differ_has_ended() {
    let (_directory, store) = store(&[]);
    let until = |ahead: i64| {
        let at = store.database_ms().unwrap() + ahead;
        store.db.execute("UPDATE lease SET until = ?1 WHERE name = 'deliver'", [at]).unwrap();
    };
    until(15_000);
    assert!(!store.look_at_lease(0).unwrap().is_free && store.take_lease("b", 0).unwrap().is_none());
    // The server that took over has a clock that is an hour behind.
    until(3_600_000);
    assert!(store.look_at_lease(0).unwrap().is_free && store.take_lease("b", 0).unwrap().is_some());
    assert!(!store.look_at_lease(0).unwrap().is_free);
}

#[test]
fn a_click_has_one_owner_and_two_taps_for_the_same_are_one_command() {
    let (_directory, mut store) = store(&[]);
    if !store.is_shared() {
        return;
    }
    let mut other = beside(&store);
    store.carry_out_as("a");
    other.carry_out_as("b");
    for (node, cores) in [("a", vec![String::new()]), ("b", vec![String::new()])] {
        store.beat(&NodeBeat::of(node, String::new(), cores, String::new())).unwrap();
    }
    let of = |key: &str| NewActionRequest { object: "\u{1f}web01\u{1f}".into(), ..request(key) };
    assert_eq!(store.keep_requests(&[of("x")], 0).unwrap(), 1);
    assert_eq!(other.keep_requests(&[of("x"), of("y")], 0).unwrap(), 1, "the same click at another node is known");
    let mine = [String::new()];
    store.take_requests(&["branch".to_owned()], false, 0).unwrap();
    assert_eq!(store.requests(ActionState::New, 0, 9).unwrap(), [], "no way to its core");
    store.take_requests(&mine, false, 0).unwrap();
    let all = store.requests(ActionState::New, 0, 9).unwrap();
    other.take_requests(&mine, false, 0).unwrap();
    assert_eq!((all.len(), other.requests(ActionState::New, 0, 9).unwrap().len()), (2, 0), "each has one owner");
    // The second is released, and taken by the other node: a tap there.
    store.release_request(all[1].id).unwrap();
    other.take_requests(&mine, false, 0).unwrap();
    let sending = |id| [(id, Transition::Sending { expectation: "{}".into(), until: 9 })];
    store.advance_requests(&sending(all[0].id), &[]).unwrap();
    assert!(matches!(other.advance_requests(&sending(all[1].id), &["row".into()]), Err(StoreError::Fenced)));
    assert!(matches!(other.advance_requests(&sending(all[0].id), &[]), Err(StoreError::Fenced)), "not its own");
    assert!(matches!(store.advance_requests(&sending(all[0].id), &[]), Err(StoreError::Fenced)), "not twice");
    // Its owner dies while it is sent.
    store.db.execute("UPDATE node SET seen = seen - 60000 WHERE name = 'a'", []).unwrap();
    assert_eq!(other.take_over_requests("b").unwrap(), 1);
    let sent = other.requests(ActionState::Sent, i64::MAX, 9).unwrap();
    assert_eq!(sent.iter().map(|kept| kept.id).collect::<Vec<_>>(), [all[0].id], "it is only looked for");
    assert!(store.advance_requests(&[(all[0].id, Transition::Sent)], &[]).is_err());
}

/// What goes wrong as a statement ends is its error, also where a row came before.
#[test]
fn a_row_that_refers_to_nothing_is_an_error() {
    let (_directory, store) = store(&[]);
    let sql = "INSERT INTO delivery (notification, integration, target, object, mentions, since, state)
               VALUES (99, 'default', '#ops', '', '[]', 0, 'waiting') RETURNING id";
    if !store.is_shared() {
        // A file's COMMIT finds it then.
        store.db.batch("PRAGMA defer_foreign_keys = ON").unwrap();
    }
    assert!(store.db.insert(sql, []).is_err());
    assert!(store.db.insert("INSERT INTO still (object, since) VALUES (?1, ?2)", params!["a", 1, 2]).is_err());
    assert!(store.queues().unwrap().is_empty());
}

#[test]
fn what_slack_told_one_node_to_wait_all_do() {
    let (_directory, store) = store(&[]);
    let other = beside(&store);
    assert_eq!(other.slack_wait("default", "users.info").unwrap(), Duration::ZERO);
    store.keep_slack_wait("default", "users.info", Duration::from_secs(30)).unwrap();
    let left = other.slack_wait("default", "users.info").unwrap();
    assert!(left > Duration::from_secs(20) && left <= Duration::from_secs(30), "{left:?}");
    assert_eq!(other.slack_wait("default", "views.open").unwrap(), Duration::ZERO);
    other.keep_slack_wait("default", "users.info", Duration::from_secs(5)).unwrap();
    assert!(store.slack_wait("default", "users.info").unwrap() > Duration::from_secs(10), "the longer one counts on");
}

#[test]
fn the_nodes_are_known_with_what_they_reach_and_who_leads() {
    let (_directory, store) = store(&[]);
    store.beat(&NodeBeat::of("a", String::new(), vec!["branch".into()], "1".into())).unwrap();
    store.beat(&NodeBeat::of("a", String::new(), vec!["branch".into(), "main".into()], "2".into())).unwrap();
    store.take_lease("a", 0).unwrap().unwrap();
    let nodes = store.nodes().unwrap();
    assert_eq!(nodes.len(), 1);
    assert!(nodes[0].leads && !nodes[0].is_gone() && nodes[0].age_ms < 15_000, "{nodes:?}");
    assert_eq!((nodes[0].beat.reaches.len(), nodes[0].beat.config.as_str()), (2, "2"));
    // Another machine's listener of that name.
    let namesake = NodeBeat::of("a", "copy".into(), Vec::new(), "3".into());
    assert!(matches!(store.beat(&namesake), Err(StoreError::NameTaken(name)) if name == "a"));
    store.end_node("a", "copy").unwrap();
    assert_eq!(store.nodes().unwrap()[0].beat, nodes[0].beat, "nothing changed");
    store.db.execute("UPDATE node SET seen = seen - 60000", []).unwrap();
    assert!(store.nodes().unwrap()[0].is_gone());
    store.beat(&namesake).unwrap();
    assert_eq!(store.nodes().unwrap()[0].beat.config, "3", "a dead one's name is free");
    store.db.execute("UPDATE node SET seen = 0", []).unwrap();
    store.forget_nodes().unwrap();
    assert_eq!(store.nodes().unwrap(), []);
}

/// What one of the two does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Notify,
    /// The lease ends, and this one takes it.
    Take(usize),
    Claim(usize),
    Call(usize),
    Record(usize),
}

/// Slack, as far as one channel goes: what is shown of each message, by its `ts`.
#[derive(Debug, Default)]
struct Channel {
    /// The version, and of a reply the deliveries that it shows.
    shown: BTreeMap<String, (Option<i64>, Vec<i64>)>,
}

/// One of the deliverers, perhaps in the middle of something.
struct Sender {
    store: Store,
    leadership: Option<Leadership>,
    claimed: Option<Claimed>,
    posted: Option<String>,
}

impl Channel {
    fn call(&mut self, claimed: &Claimed) -> String {
        let (message, queued) = (&claimed.message, claimed.queued.iter().map(|queued| queued.id).collect());
        let fresh = format!("{}.0", self.shown.len() + 1);
        match (&claimed.work, &message.ts) {
            (Work::Update(_), Some(ts)) => {
                self.shown.insert(ts.clone(), (Some(message.version), Vec::new()));
                ts.clone()
            }
            (Work::Reply(_), _) => {
                self.shown.insert(fresh.clone(), (None, queued));
                fresh
            }
            _ => {
                self.shown.insert(fresh.clone(), (Some(message.version), Vec::new()));
                fresh
            }
        }
    }
}

impl Sender {
    /// Whether the lease is its own, as the fence asks.
    fn leads(&self) -> bool {
        let sql = "SELECT token FROM lease WHERE name = 'deliver'";
        let token = self.store.db.query_row(sql, [], |row| row.get::<i64>(0)).unwrap();
        self.leadership.as_ref().is_some_and(|leadership| leadership.term().unwrap().token() == token)
    }

    fn step(&mut self, step: Step, channel: &mut Channel, now: i64) {
        match step {
            Step::Take(_) if !self.leads() => self.leadership = Some(take(&self.store, "x")),
            Step::Claim(_) if self.claimed.is_none() && self.leads() => {
                self.claimed = claim_by(&self.store, self.leadership.as_ref().unwrap(), now);
            }
            Step::Call(_) if self.posted.is_none() => self.posted = self.claimed.as_ref().map(|c| channel.call(c)),
            Step::Record(_) => {
                if let (Some(claimed), Some(ts)) = (&self.claimed, &self.posted) {
                    record_by(&mut self.store, claimed, ts, now);
                    (self.claimed, self.posted) = (None, None);
                }
            }
            _ => {}
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let of = |node: usize| {
        prop_oneof![
            1 => Just(Step::Take(node)), 3 => Just(Step::Claim(node)), 3 => Just(Step::Call(node)),
            3 => Just(Step::Record(node))
        ]
    };
    proptest::collection::vec(prop_oneof![1 => Just(Step::Notify), 5 => of(0), 5 => of(1)], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn two_deliverers_with_pauses_anywhere_leave_each_message_once_and_its_newest_version(steps in steps()) {
        let (directory, mut importer) = store(&[(0, of_host("a", "PROBLEM", "1"))]);
        let sender = |store| Sender { store, leadership: None, claimed: None, posted: None };
        let mut senders = [sender(beside(&importer)), sender(beside(&importer))];
        let (mut channel, mut now, mut said) = (Channel::default(), 10_000, 0);
        let finish = |node| [Step::Record(node), Step::Call(node), Step::Record(node)];
        let rest = [finish(0), finish(1)].concat();
        let drain = std::iter::once(Step::Take(1)).chain((0..60).flat_map(|_| [Step::Claim(1), Step::Call(1), Step::Record(1)]));
        for step in steps.into_iter().chain(rest).chain(drain) {
            now += 5000;
            match step {
                Step::Notify => {
                    said += 1;
                    let kinds = ["ACKNOWLEDGEMENT", "PROBLEM", "RECOVERY"];
                    let kind = kinds[said % 3];
                    add(&directory, &mut importer, &[of_host("a", kind, if kind == "RECOVERY" { "0" } else { "1" })], now);
                }
                Step::Take(node) | Step::Claim(node) | Step::Call(node) | Step::Record(node) => {
                    senders[node].step(step, &mut channel, now);
                }
            }
        }
        for ts in to_delete(&importer) {
            channel.shown.remove(&ts);
        }
        let sql = "SELECT ts, version, shown FROM post WHERE digest IS NULL";
        let mut statement = importer.db.prepare(sql).unwrap();
        let posts: Vec<(String, i64, i64)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().collect::<Result<_, _>>().unwrap();
        let heads: BTreeMap<&String, i64> =
            channel.shown.iter().filter_map(|(ts, (version, _))| Some((ts, (*version)?))).collect();
        prop_assert_eq!(heads.len(), posts.len(), "{:?} {:?}", &heads, &posts);
        for (ts, version, shown) in &posts {
            prop_assert_eq!(heads.get(ts), Some(version), "{:?}", &heads);
            prop_assert_eq!(version, shown);
        }
        let mut lines: Vec<i64> = channel.shown.values().flat_map(|(_, lines)| lines.clone()).collect();
        let all = lines.len();
        lines.sort_unstable();
        lines.dedup();
        prop_assert_eq!(lines.len(), all, "a line is there twice: {:?}", &channel);
    }
}

both::on_postgres! {
    a_lease_is_taken_when_it_has_ended_and_whoever_had_it_is_fenced,
    whoever_was_overtaken_takes_its_message_back,
    whoever_was_overtaken_takes_back_what_is_a_digests_and_edits_that_once_more,
    what_a_webhook_posted_twice_stays_and_is_said,
    what_nobody_sent_meanwhile_is_recorded_as_if_nothing_had_happened,
    an_outcome_whose_answer_was_lost_is_recorded_once,
    a_message_that_an_overtaken_sender_edited_is_edited_once_more,
    a_claim_whose_answer_was_lost_gives_way_to_the_next_one,
    a_takeover_that_a_failover_forgot_gives_no_right_beside_the_next_one,
    a_lease_that_ends_further_ahead_than_clocks_differ_has_ended,
    a_row_that_refers_to_nothing_is_an_error,
    a_click_has_one_owner_and_two_taps_for_the_same_are_one_command,
    what_slack_told_one_node_to_wait_all_do,
    the_nodes_are_known_with_what_they_reach_and_who_leads,
}
