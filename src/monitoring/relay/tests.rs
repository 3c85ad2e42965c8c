//! The requests that wait for a relay: who gets one, once, and in time.

use super::requests::RELAYS;
use super::wire::{About, Call, Given, Step};
use super::*;
use crate::config::{Core, RelayToken};
use crate::rules::command::tests::command;
use crate::system::clock;
use crate::system::secret::Secret;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

fn core(name: &str) -> Core {
    let token = RelayToken { name: "r".into(), label: name.into(), secret: Secret::new("x".into()) };
    Core { name: name.into(), relay_tokens: vec![token], ..Core::default() }
}

fn speaker(core: &str) -> Speaker {
    Speaker { core: core.into(), relay: "r".into() }
}

fn call(core: &str, step: Step) -> Option<Result<Given, Gone>> {
    called(&speaker(core), Call { now_ms: clock::wall_ms(), about: About::default(), step })
}

fn acknowledge() -> ExternalCommand {
    let action = crate::model::action::Action::RemoveAcknowledgement;
    command(&action, "web01", Some("Disk"), "alice").unwrap()
}

/// The next request, as a relay that waits gets it.
fn next(core: &str) -> Given {
    assert!(call(core, Step::Wait).is_none());
    let speaker = speaker(core);
    let waiting = Waiting::new(&speaker);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(given) = waiting.next(Waker::noop()) {
            return given;
        }
        assert!(Instant::now() < until, "no request");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_relay_that_never_called_is_not_waited_for() {
    let started = Instant::now();
    let e = send(&core("never"), &acknowledge()).unwrap_err();
    assert_eq!(e.to_string(), "the relay of never isn't connected (not seen since ackbell started)");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_command_is_given_when_it_is_taken_and_only_once() {
    call("once", Step::Wait);
    let sending = thread::spawn(|| send(&core("once"), &acknowledge()));
    let given = next("once");
    assert!(given.question.is_none(), "offered, not given");
    let id = given.id;
    let taken = call("once", Step::Take { id }).unwrap().unwrap();
    let Some(Question::Send(parts)) = taken.question else { panic!("{taken:?}") };
    assert_eq!((parts.object.host.as_str(), parts.object.core.as_str()), ("web01", ""));
    assert_eq!(call("once", Step::Take { id }).unwrap().unwrap_err(), Gone, "a second relay, or a repetition");
    assert_eq!(call("another", Step::Take { id }).unwrap().unwrap_err(), Gone, "another core's relay");
    let answer = Box::new(Answer::Sent { transport: "command file".into(), answer: None });
    call("once", Step::Answer { id, answer });
    assert_eq!(sending.join().unwrap().unwrap().transport, "relay");
}

#[test]
fn what_nobody_took_in_time_is_taken_by_nobody_later() {
    call("late", Step::Wait);
    let sending = thread::spawn(|| send(&core("late"), &acknowledge()));
    let id = next("late").id;
    let e = sending.join().unwrap().unwrap_err();
    assert!(e.to_string().starts_with("the relay of late isn't connected (last seen "), "{e}");
    assert_eq!(call("late", Step::Take { id }).unwrap().unwrap_err(), Gone);
}

#[test]
fn one_that_was_taken_and_never_answered_may_be_with_the_core() {
    call("dies", Step::Wait);
    let sending = thread::spawn(|| send(&core("dies"), &acknowledge()));
    let id = next("dies").id;
    call("dies", Step::Take { id }).unwrap().unwrap();
    let receipt = sending.join().unwrap().unwrap();
    assert_eq!(receipt, Receipt { transport: "relay", answer: None, ..Receipt::default() }, "it is looked for");
    // Nothing is expected of it until it calls again.
    assert!(state(&core("dies"), &[]).is_err());
    assert!(!RELAYS.links()[&speaker("dies")].is_connected());
    call("dies", Step::Wait);
    assert!(RELAYS.links()[&speaker("dies")].is_connected());
}

#[test]
fn a_relay_speaks_of_its_own_core_and_of_what_was_asked() {
    call("own", Step::Wait);
    let wanted = Object { core: "own".into(), host: "web01".into(), service: None };
    let asked = wanted.clone();
    let reading = thread::spawn(move || state(&core("own"), &[asked]));
    let given = next("own");
    let other = Object { core: "main".into(), host: "web02".into(), service: None };
    let lie = Object { core: "main".into(), ..wanted.clone() };
    let states = [(other, State::default()), (lie, State { code: 1, ..State::default() })];
    let snapshot = Snapshot { created: 5, states: states.into(), ..Snapshot::default() };
    let answer = Box::new(Answer::State(wire::StateAnswer::new(snapshot, RELAY_SPOOL)));
    call("own", Step::Answer { id: given.id, answer });
    let read = reading.join().unwrap().unwrap();
    assert_eq!(read.states.keys().collect::<Vec<_>>(), [&wanted]);
}

const RELAY_SPOOL: crate::model::core_snapshot::RelaySpool =
    crate::model::core_snapshot::RelaySpool { now: String::new(), oldest: None };
