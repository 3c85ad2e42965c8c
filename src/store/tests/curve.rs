//! Curves: a row for each shown message that wants one, done once or not at all.

use super::*;
use crate::model::curve::Curve;
use crate::model::object::Object;
use crate::store::curve::BUDGET_MS;
use crate::store::{Drawn, WantedCurve};

const NOW: i64 = DAY_MS;

fn curve() -> Curve {
    Curve { at: NOW / 1000, state: "DOWN".into(), bars: "rta ▁▂▃▅▇".into(), sentence: "Last 6 h.".into() }
}

/// A card that was posted and wants a curve.
fn posted() -> (tempfile::TempDir, Store, WantedCurve) {
    let (directory, mut store) = store(&[(NOW, notification("a", "1"))]);
    let mut claimed = claim(&store, NOW).unwrap();
    claimed.wants_curve = true;
    record(&mut store, &claimed, &delivered(), NOW);
    let wanted = store.wanted_curves(NOW).unwrap();
    assert_eq!(wanted.len(), 1);
    let wanted = wanted.into_iter().next().unwrap();
    (directory, store, wanted)
}

fn show(store: &mut Store, wanted: &WantedCurve) -> bool {
    store.show_curve(wanted, (&curve(), None), EDITABLE, NOW + 100).unwrap()
}

fn count(store: &Store, sql: &str) -> i64 {
    store.db.query_row(&format!("SELECT COUNT(*) FROM {sql}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_curve_is_one_edit_however_often_it_is_tried() {
    let (_directory, mut store, wanted) = posted();
    assert!(show(&mut store, &wanted));
    assert!(!show(&mut store, &wanted), "the row ended with the first");
    let later = NOW + 5000;
    let claimed = claim(&store, later).unwrap();
    assert!(claimed.is_only_a_curve());
    let Work::Update(problem) = &claimed.work else { panic!("{:?}", claimed.work) };
    assert_eq!(problem.curve, Some(curve()));
    assert_eq!(claimed.edited, NOW, "it is as late as it was");
    record(&mut store, &claimed, &delivered(), later);
    assert_eq!(count(&store, "delivery WHERE curve = 1"), 0, "it isn't counted as a delivery");
    assert!(claim(&store, later + 5000).is_none());
    assert_eq!(store.wanted_curves(later).unwrap(), []);
}

#[test]
fn an_edit_that_fails_leaves_nothing_dead_or_waiting() {
    let reason = || Reason::from("x".to_owned());
    for outcome in [
        RecordedOutcome::Dead { reason: reason() },
        RecordedOutcome::PostAnew { reason: reason() },
        RecordedOutcome::RetryPlain { reason: reason() },
        RecordedOutcome::Retry { due: NOW + DAY_MS, pause_until: None, reason: reason() },
        RecordedOutcome::PauseChannel { until: NOW + 30_000 },
    ] {
        let (directory, mut store, wanted) = posted();
        assert!(show(&mut store, &wanted));
        let later = NOW + 5000;
        let claimed = claim(&store, later).unwrap();
        record(&mut store, &claimed, &outcome, later);
        assert_eq!(count(&store, "delivery WHERE state <> 'delivered'"), 0, "{outcome:?}");
        // The problem's next news goes as ever: to the same message, at once when the channel's pause is over.
        let is_paused = matches!(outcome, RecordedOutcome::PauseChannel { .. });
        let soon = later + 2000;
        add(&directory, &mut store, &[of_host("web01", "RECOVERY", "0")], soon);
        let claimed = claim(&store, soon);
        assert_eq!(claimed.is_none(), is_paused, "Slack's wish is kept: {outcome:?}");
        let claimed = claimed.or_else(|| claim(&store, soon + 60_000)).unwrap();
        assert!(matches!(claimed.work, Work::Update(_)) && !claimed.is_only_a_curve(), "{outcome:?}");
        assert_eq!(claimed.message.attempts, 1);
    }
}

#[test]
fn news_on_their_way_take_the_curve_with_them() {
    let (directory, mut store, wanted) = posted();
    assert!(show(&mut store, &wanted));
    add(&directory, &mut store, &[of_host("web01", "ACKNOWLEDGEMENT", "1")], NOW + 200);
    assert_eq!(count(&store, "delivery WHERE curve = 1"), 0);
    let claimed = claim(&store, NOW + 5000).unwrap();
    let Work::Update(problem) = &claimed.work else { panic!("{:?}", claimed.work) };
    assert!(problem.curve.is_some() && problem.acknowledged.is_some() && !claimed.is_only_a_curve());
    // The other way round as well: no edit of its own where one waits.
    let (directory, mut store, wanted) = posted();
    add(&directory, &mut store, &[of_host("web01", "ACKNOWLEDGEMENT", "1")], NOW + 50);
    assert!(show(&mut store, &wanted));
    assert_eq!(count(&store, "delivery WHERE curve = 1"), 0);
    // One that is over gets none.
    let (directory, mut store, wanted) = posted();
    add(&directory, &mut store, &[of_host("web01", "RECOVERY", "0")], NOW + 50);
    assert!(!show(&mut store, &wanted));
}

#[test]
fn what_is_late_or_of_another_time_is_dropped() {
    for now in [NOW + BUDGET_MS, NOW - 3_600_000, NOW + 3_600_000] {
        let (_directory, mut store, wanted) = posted();
        // By the listener's look, or where none runs by whoever delivers.
        store.purge(now, 0, |_| false).unwrap();
        assert_eq!(count(&store, "curve"), 0, "a row at {now}");
        assert_eq!(store.wanted_curves(now).unwrap(), []);
        assert!(!show(&mut store, &wanted));
        let (_directory, mut store, wanted) = posted();
        assert!(show(&mut store, &wanted));
        assert_eq!(store.wanted_curves(now + 200).unwrap(), []);
        assert_eq!(count(&store, "delivery WHERE curve = 1"), 0, "an edit at {now}");
    }
}

#[test]
fn a_picture_is_taken_once_and_takes_its_channels_turn() {
    let (_directory, mut store, wanted) = posted();
    let drawn = Drawn {
        object: ("a".into(), None),
        perfdata: String::new(),
        times: (0, 1),
        points: vec![(0, 1.0)],
        text: String::new(),
    };
    assert!(store.show_curve(&wanted, (&curve(), Some(&drawn)), EDITABLE, NOW + 100).unwrap());
    let later = NOW + 5000;
    let pictures = store.wanted_pictures(later).unwrap();
    assert_eq!((pictures[0].channel.as_str(), pictures[0].ts.as_str()), ("C1", "1.2"));
    let claimed = claim(&store, later).unwrap();
    assert!(!store.take_picture(&pictures[0], 1000, later).unwrap(), "something is being sent");
    record(&mut store, &claimed, &delivered(), later);
    assert!(store.take_picture(&pictures[0], 1000, later + 2000).unwrap());
    assert_eq!(store.wanted_pictures(later + 2000).unwrap(), []);
    assert!(store.paused_until(&ops()).unwrap() >= later + 3000, "it is a message of the channel");
    assert_eq!(count(&store, "curve"), 0);
}

#[test]
fn the_values_of_an_objects_own_notifications_are_found() {
    let (_directory, mut store, _) = posted();
    let directory = tempfile::tempdir().unwrap();
    let mut one = of_host("web01", "PROBLEM", "1");
    (one.perfdata, one.time) = ("rta=5ms".into(), 77);
    add(&directory, &mut store, &[one, of_host("web02", "PROBLEM", "1")], NOW + 50);
    let object = Object::of(&of_host("web01", "PROBLEM", "1"));
    let found = store.notified_perfdata(&object.key(), NOW).unwrap();
    assert_eq!(found, [(77, "rta=5ms".to_owned()), (0, String::new())]);
}

both::on_postgres! {
    a_curve_is_one_edit_however_often_it_is_tried,
    an_edit_that_fails_leaves_nothing_dead_or_waiting,
    news_on_their_way_take_the_curve_with_them,
    what_is_late_or_of_another_time_is_dropped,
    a_picture_is_taken_once_and_takes_its_channels_turn,
    the_values_of_an_objects_own_notifications_are_found,
}
