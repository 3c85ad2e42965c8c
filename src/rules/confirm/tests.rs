use super::*;
use crate::model::core_snapshot::{Downtime, Program};

const SENT: i64 = 1_795_240_000;

fn expected(effect: Effect) -> Expectation {
    let object = Object { core: String::new(), host: "web01".into(), service: Some("Disk".into()) };
    Expectation { object, author: "alice".into(), sent_at: SENT, before: Some(SENT - 7), effect, lines: Vec::new() }
}

fn acknowledged() -> Effect {
    Effect::Acknowledged { comment: "on it".into(), expires: false }
}

fn critical() -> State {
    State { code: 2, is_hard: true, notifications_enabled: true, last_check: SENT - 60, ..State::default() }
}

fn by(author: &str, comment: &str, time: i64) -> Acknowledgement {
    Acknowledgement { author: author.into(), comment: comment.into(), time }
}

fn snapshot(created: i64, state: State) -> Snapshot {
    let object = expected(acknowledged()).object;
    Snapshot { created, program: Program::default(), states: [(object, state)].into(), relay: None }
}

fn confirmed() -> Confirmation {
    Confirmation::Confirmed { author: "alice".into() }
}

#[test]
fn an_acknowledgement_is_held_when_the_core_names_us() {
    let state = State {
        acknowledged: Acknowledged::Sticky,
        acknowledgements: vec![by("bob", "mine", SENT - 100), by("alice", "on it", SENT)],
        ..critical()
    };
    assert_eq!(judge(&expected(acknowledged()), &snapshot(SENT + 1, state.clone()), false), confirmed());
    // An effect that is there counts, whatever the file's time.
    assert_eq!(judge(&expected(acknowledged()), &snapshot(SENT, state), false), confirmed());
}

#[test]
fn a_leftover_comment_is_no_acknowledgement() {
    let old = State { acknowledgements: vec![by("alice", "on it", SENT)], ..critical() };
    assert_eq!(judge(&expected(acknowledged()), &snapshot(SENT + 1, old), false), Confirmation::NotYet);
    // The same person, the same words, a day before: not this one.
    let yesterday = State {
        acknowledged: Acknowledged::Normal,
        acknowledgements: vec![by("alice", "on it", SENT - 86_400)],
        ..critical()
    };
    assert_eq!(judge(&expected(acknowledged()), &snapshot(SENT + 1, yesterday), false), Confirmation::NotYet);
}

/// Centreon Engine without the numbers of its objects: comments say only themselves.
#[test]
fn where_a_comment_names_no_object_only_our_own_words_count() {
    let acked = |unplaced: Vec<Acknowledgement>| State { acknowledged: Acknowledged::Sticky, unplaced, ..critical() };
    let judged = |state: State, is_last| judge(&expected(acknowledged()), &snapshot(SENT + 30, state), is_last);
    assert_eq!(judged(acked(vec![by("bob", "mine", SENT + 1), by("alice", "on it", SENT + 1)]), false), confirmed());
    // There before, or somebody else's since: not ours, and nobody says whose.
    for others in [vec![], vec![by("alice", "on it", SENT - 86_400)], vec![by("bob", "mine", SENT + 1)]] {
        assert_eq!(judged(acked(others.clone()), false), Confirmation::NotYet);
        let Confirmation::Never(why) = judged(acked(others), true) else { panic!() };
        assert_eq!(why, "Disk on web01 was acknowledged already; the core doesn't say by whom");
    }
    // The command was taken, and the acknowledgement removed since.
    let removed = State { unplaced: vec![by("alice", "on it", SENT + 1)], ..critical() };
    assert_eq!(judged(removed, false), Confirmation::NotYet);
    let commented = snapshot(SENT + 30, State { unplaced: vec![by("alice", "hi", SENT)], ..critical() });
    assert_eq!(judge(&expected(Effect::Comment { comment: "hi".into() }), &commented, false), confirmed());
}

#[test]
fn an_older_state_says_nothing_until_the_end() {
    let older = snapshot(SENT, State { code: 0, ..critical() });
    assert_eq!(judge(&expected(acknowledged()), &older, false), Confirmation::NotYet);
    let Confirmation::Never(why) = judge(&expected(acknowledged()), &older, true) else { panic!() };
    assert_eq!(why, "the monitoring core hasn't written its state since then; is it running?");
}

#[test]
fn a_state_from_before_says_nothing_although_a_clock_set_back_makes_it_look_later() {
    let mut expected = expected(acknowledged());
    expected.before = Some(SENT + 30);
    let good = State { code: 0, ..critical() };
    assert_eq!(judge(&expected, &snapshot(SENT + 30, good.clone()), false), Confirmation::NotYet);
    expected.effect = Effect::NotAcknowledged;
    assert_eq!(judge(&expected, &snapshot(SENT + 30, good.clone()), false), Confirmation::NotYet);
    assert_eq!(judge(&expected, &snapshot(SENT + 1, good), false), confirmed());
}

#[test]
fn what_forbids_it_is_said() {
    let never = |snapshot: &Snapshot, is_last| match judge(&expected(acknowledged()), snapshot, is_last) {
        Confirmation::Never(why) => why,
        other => panic!("{other:?}"),
    };
    let unknown = Snapshot { created: SENT + 1, ..Snapshot::default() };
    assert_eq!(never(&unknown, false), "the monitoring core doesn't know Disk on web01");
    let recovered = snapshot(SENT + 1, State { code: 0, ..critical() });
    let judged = judge(&expected(acknowledged()), &recovered, false);
    assert_eq!(judged, Confirmation::Recovered("Disk on web01 has already recovered".into()));
    let mut deaf = snapshot(SENT + 1, critical());
    deaf.program.external_commands_checked = Some(false);
    assert_eq!(never(&deaf, false), "the monitoring core takes no external commands (check_external_commands=0)");
    let theirs = State {
        acknowledged: Acknowledged::Normal,
        acknowledgements: vec![by("bob", "mine", SENT - 100)],
        ..critical()
    };
    let theirs = snapshot(SENT + 1, theirs);
    assert_eq!(judge(&expected(acknowledged()), &theirs, false), Confirmation::NotYet);
    assert_eq!(never(&theirs, true), "Disk on web01 was acknowledged already, by bob at 2026-11-21 05:45 UTC: mine");
    assert_eq!(never(&snapshot(SENT + 1, critical()), true), "the monitoring core did not apply the command");
}

#[test]
fn every_other_effect_is_seen() {
    let ours = Downtime {
        id: "7".into(),
        author: "alice".into(),
        comment: "upgrade".into(),
        start: SENT,
        end: SENT + 60,
        is_fixed: true,
    };
    let downtime =
        |comment: &str| Effect::Downtime { start: SENT, end: SENT + 60, comment: comment.into(), flexible: None };
    let in_downtime = || State { downtimes: vec![ours.clone()], ..critical() };
    let acked = || State { acknowledged: Acknowledged::Normal, ..critical() };
    let checked = |last_check, next_check| State { last_check, next_check, ..critical() };
    for (effect, state, is_confirmed) in [
        (Effect::NotAcknowledged, critical(), true),
        (Effect::NotAcknowledged, acked(), false),
        (downtime("upgrade"), in_downtime(), true),
        (downtime("other"), in_downtime(), false),
        (Effect::NoDowntime { id: "7".into() }, critical(), true),
        (Effect::NoDowntime { id: "7".into() }, in_downtime(), false),
        (Effect::Checked { at: SENT }, checked(SENT, SENT + 60), true),
        (Effect::Checked { at: SENT }, checked(SENT - 60, SENT), false),
        (Effect::Checked { at: SENT }, checked(SENT - 60, SENT + 60), false),
        (Effect::Notifications { enabled: true }, critical(), true),
        (Effect::Notifications { enabled: false }, critical(), false),
        (
            Effect::Comment { comment: "hi".into() },
            State { comments: vec![by("alice", "hi", SENT)], ..critical() },
            true,
        ),
        (
            Effect::Comment { comment: "hi".into() },
            State { comments: vec![by("bob", "hi", SENT)], ..critical() },
            false,
        ),
    ] {
        let found = judge(&expected(effect.clone()), &snapshot(SENT + 1, state), false);
        assert_eq!(found, if is_confirmed { confirmed() } else { Confirmation::NotYet }, "{effect:?}");
    }
    let planned = snapshot(SENT + 1, checked(SENT - 60, SENT));
    assert_eq!(
        judge(&expected(Effect::Checked { at: SENT }), &planned, true),
        confirmed(),
        "in the end that has to do"
    );
}

#[test]
fn what_is_gone_is_gone_only_in_a_later_state() {
    // Written before the acknowledgement that is to be removed.
    let effects =
        [Effect::NotAcknowledged, Effect::NoDowntime { id: "7".into() }, Effect::Notifications { enabled: true }];
    for effect in effects.map(expected) {
        assert_eq!(judge(&effect, &snapshot(SENT, critical()), false), Confirmation::NotYet, "{effect:?}");
        assert_eq!(judge(&effect, &snapshot(SENT + 1, critical()), false), confirmed(), "{effect:?}");
    }
}

#[test]
fn an_expectation_survives_a_restart() {
    let comment = "on;it".to_owned();
    let action = Action::Acknowledge { sticky: true, notify: true, persistent: false, comment, expiry: None };
    let command = crate::rules::command::tests::command(&action, "web01", Some("Disk"), "alice").unwrap();
    let expected = Expectation::from_command(&command, None);
    assert_eq!(expected.effect, Effect::Acknowledged { comment: "on,it".into(), expires: false });
    assert_eq!((expected.sent_at, expected.lines.len()), (command.time(), 1));
    let kept = serde_json::to_string(&expected).unwrap();
    assert_eq!(serde_json::from_str::<Expectation>(&kept).unwrap(), expected);
}

/// Two cores of one name that check each by themselves.
#[test]
fn of_several_cores_one_that_shows_our_mark_is_enough() {
    let mark =
        State { acknowledged: Acknowledged::Sticky, acknowledgements: vec![by("alice", "on it", SENT)], ..critical() };
    let shows = snapshot(SENT + 1, mark);
    let [not_yet, well, resting] = [
        snapshot(SENT + 1, critical()),
        snapshot(SENT + 1, State { code: 0, ..critical() }),
        snapshot(SENT - 9000, critical()),
    ];
    let ack = expected(acknowledged());
    let judged = |snapshots: &[&Snapshot], is_last| {
        judge_all(&ack, &snapshots.iter().map(|one| (*one).clone()).collect::<Vec<_>>(), is_last)
    };
    assert_eq!(judged(&[&well, &shows], false), (1, confirmed()));
    assert_eq!(judged(&[&resting, &shows], false), (1, confirmed()));
    assert_eq!(judged(&[&well, &not_yet], false), (1, Confirmation::NotYet), "one may still come to it");
    assert!(matches!(judged(&[&well, &well], false), (0, Confirmation::Recovered(_))));
    assert!(matches!(judged(&[&resting, &not_yet], true), (_, Confirmation::Never(_))));
    assert_eq!(judge_all(&ack, &[], true), (0, Confirmation::NotYet));
}

#[test]
fn of_several_cores_one_that_never_had_it_does_not_say_that_it_is_gone() {
    let removal = expected(Effect::NotAcknowledged);
    let still = snapshot(SENT + 1, State { acknowledged: Acknowledged::Sticky, ..critical() });
    let [never, gone] = [snapshot(SENT + 1, critical()), snapshot(SENT + 2, critical())];
    let resting = Snapshot { created: SENT - 9000, ..still.clone() };
    assert_eq!(judge_all(&removal, &[never.clone(), still], false), (1, Confirmation::NotYet));
    assert_eq!(judge_all(&removal, &[never, gone.clone()], false), (0, confirmed()));
    assert_eq!(judge_all(&removal, &[resting, gone], false), (1, confirmed()), "a standby whose core rests");
}
