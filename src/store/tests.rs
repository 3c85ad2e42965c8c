//! What must hold when clocks jump and histories grow; the flows are tested from outside.

use super::*;
use crate::notification::{Fields, Notification};
use crate::spool::{Entry, Spool};

const DAY_MS: i64 = 86_400_000;

fn notification(contact: &str, id: &str) -> Notification {
    let mut fields = Fields::default();
    for (name, value) in [("hostname", "web01"), ("hoststate", "1"), ("contact", contact), ("notification-id", id)] {
        fields.put(name, value);
    }
    fields.into_notification(0)
}

fn lane() -> Lane {
    Lane { integration: "default".into(), target: "#ops".into() }
}

/// A store with these notifications in it, received at those times.
fn store(entries: &[(i64, Notification)]) -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, aside) = Store::open(directory.path(), Duration::from_secs(1)).unwrap();
    assert_eq!(aside, None);
    let spool = Spool::new(directory.path());
    for (received, notification) in entries {
        let entry = Entry { received: *received, notification: notification.clone() };
        let id = spool.put(&entry).unwrap();
        let waiting = NewDelivery::Waiting { lane: lane(), mentions: "[]".into(), note: None };
        let batch = [(id, *received, notification.clone(), vec![waiting])];
        // Twice, as after a crash between the commit and the removal.
        store.import(&batch, *received).unwrap();
        store.import(&batch, *received).unwrap();
    }
    (directory, store)
}

#[test]
fn a_clock_that_goes_back_makes_nothing_early_and_nothing_wait_for_ever() {
    let (_directory, mut store) = store(&[(DAY_MS, notification("a", "1"))]);
    let claimed = store.claim(&lane(), DAY_MS).unwrap().unwrap();
    let retry = Settlement::Retry { due: DAY_MS + 60_000, rest_until: None, reason: "x".into() };
    store.settle(&claimed, &retry, DAY_MS + 1000, DAY_MS).unwrap();
    store.recover(0).unwrap();
    assert_eq!(store.next_due(&lane()).unwrap(), Some(60_000), "the same wait, from now on");
    assert_eq!(store.held_until(&lane()).unwrap(), 1000);
    assert!(store.claim(&lane(), 59_999).unwrap().is_none());
}

#[test]
fn a_lease_of_a_dead_process_is_taken_up() {
    let (_directory, store) = store(&[(0, notification("a", "1"))]);
    assert_eq!(store.claim(&lane(), 0).unwrap().unwrap().attempts, 1);
    assert_eq!(store.recover(1).unwrap(), 1);
    assert_eq!(store.claim(&lane(), 1).unwrap().unwrap().attempts, 2);
}

#[test]
fn contacts_share_one_delivery_and_an_import_repeated_adds_none() {
    let (_directory, store) =
        store(&[(0, notification("a", "1")), (5, notification("b", "1")), (9, notification("a", "2"))]);
    let states: Vec<String> = store.rows(true, 9).unwrap().into_iter().map(|row| row.state).collect();
    assert_eq!(states, ["waiting", "merged", "waiting"]);
}

#[test]
fn a_file_that_comes_again_after_its_delivery_is_not_sent_again() {
    let (directory, mut store) = store(&[(0, notification("a", "1"))]);
    let claimed = store.claim(&lane(), 0).unwrap().unwrap();
    store.settle(&claimed, &Settlement::Delivered { posted: None }, 0, 0).unwrap();
    let id = Spool::new(directory.path()).oldest(1).unwrap().remove(0);
    let waiting = NewDelivery::Waiting { lane: lane(), mentions: "[]".into(), note: None };
    store.import(&[(id, 0, notification("a", "1"), vec![waiting])], 9).unwrap();
    assert_eq!(store.lanes().unwrap(), []);
}

#[test]
fn a_clock_that_jumped_ahead_purges_nothing_fresh() {
    let (_directory, mut store) = store(&[(0, notification("a", "1"))]);
    let claimed = store.claim(&lane(), 0).unwrap().unwrap();
    store.settle(&claimed, &Settlement::Delivered { posted: None }, 0, 0).unwrap();
    assert_eq!(store.purge(400 * DAY_MS, |_| false).unwrap(), 0);
    assert_eq!(store.rows(true, 9).unwrap().len(), 1);
}
