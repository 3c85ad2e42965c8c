//! What people ask for: each counts once.

use super::*;

#[test]
fn a_click_that_comes_twice_is_one_request_and_is_never_sent_twice() {
    let (_directory, mut store) = store(&[]);
    assert_eq!(store.keep_requests(&[request("x"), request("x")], 0).unwrap(), 1);
    let id = store.requests(ActionState::New, 0, 9).unwrap()[0].id;
    store.advance_requests(&[(id, Transition::Sending { expectation: "{}".into(), until: 9 })], &[]).unwrap();
    assert_eq!(store.keep_requests(&[request("x")], 0).unwrap(), 0);
    // The process dies here; the next one only looks for it.
    assert_eq!(store.recover_requests().unwrap(), 1);
    assert!(store.requests(ActionState::New, i64::MAX, 9).unwrap().is_empty());
    assert_eq!(store.requests(ActionState::Sent, i64::MAX, 9).unwrap().len(), 1);
}

#[test]
fn a_subscription_that_is_ordered_again_by_a_recording_is_not_made_again() {
    let (_directory, mut store) = store(&[]);
    let new = Subscription {
        integration: "default".into(),
        channel: "C1".into(),
        filter: "db*".into(),
        user: "U1".into(),
        name: "Alice".into(),
        at: 1,
    };
    assert_eq!(store.subscribe(&new, "order 1", "{}").unwrap(), Some(1));
    let channels = ("default", ["C1", "C1"]);
    assert_eq!(store.unsubscribe(channels, None, ("order 2", 2), "{}").unwrap(), Some(1));
    assert_eq!(store.subscribe(&new, "order 1", "{}").unwrap(), None, "a replay, after whatever restart");
    assert_eq!(store.subscribe(&new, "order 3", "{}").unwrap(), Some(1));
    assert_eq!(store.unsubscribe(channels, None, ("order 2", 4), "{}").unwrap(), None);
    assert_eq!(store.subscriptions().unwrap().len(), 1);
}

#[test]
fn what_was_refused_is_soon_forgotten() {
    let (_directory, mut store) = store(&[]);
    store.keep_requests(&[request("done"), request("refused")], 1000).unwrap();
    let requests = store.requests(ActionState::New, 1000, 9).unwrap();
    store
        .advance_requests(&[(requests[0].id, Transition::Done { outcome: ActionOutcome::Confirmed, reply: None })], &[])
        .unwrap();
    store.refuse(&[], &[(requests[1].id, Transition::Refused { reply: "no".into() })], 1000).unwrap();
    let count =
        |store: &Store| store.db.query_row("SELECT COUNT(*) FROM action_request", [], |row| row.get::<i64>(0)).unwrap();
    store.purge_requests(0, 2000).unwrap();
    assert_eq!(count(&store), 2, "the person must hear of it first");
    store.reply_sent(requests[1].id).unwrap();
    store.purge_requests(0, 2000).unwrap();
    assert_eq!(count(&store), 1);
}

both::on_postgres! {
    a_click_that_comes_twice_is_one_request_and_is_never_sent_twice,
    a_subscription_that_is_ordered_again_by_a_recording_is_not_made_again,
    what_was_refused_is_soon_forgotten,
}
