//! A core that consists of several: each behind a relay of its own, or one on this machine and the others behind relays.
//!
//! Redundant ones check each by themselves: a command goes to all of them, and what one of them knows counts. Else they
//! speak for one core, and the first that answers is asked; a command goes to one of them only.
//!
//! Imports the room's other files. Never in here: a transport.

use super::error::{ReadError, Receipt, SendError};
use super::{relay, send, state};
use crate::config::Core;
use crate::model::core_snapshot::{Acknowledged, Acknowledgement, Downtime, Snapshot, State};
use crate::model::object::Object;
use crate::rules::command::ExternalCommand;
use crate::system::order;
use std::collections::HashMap;

/// Two cores carry out the same command within this time.
const SAME_TIME_SECONDS: i64 = 60;

/// The members where there are several, the connected ones first.
pub(super) fn several(core: &Core) -> Option<Vec<Core>> {
    if !core.is_remote() {
        return None;
    }
    let mut members = core.members();
    order::by_key(&mut members, |member| member.is_remote() && !relay::is_connected(member));
    (members.len() > 1).then_some(members)
}

fn label(member: &Core) -> &str {
    member.relay_tokens.first().map_or(&member.name, |token| &token.label)
}

/// Asks all at once: one that is silent costs its time limit once.
fn all<T: Send>(members: &[Core], ask: impl Fn(&Core) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let ask = &ask;
        // Where no thread can be started it is asked here.
        let started: Vec<_> = members
            .iter()
            .map(|member| std::thread::Builder::new().spawn_scoped(scope, move || ask(member)).map_err(|_| member))
            .collect();
        let answer = |thread: Result<std::thread::ScopedJoinHandle<'_, T>, &Core>| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(member) => ask(member),
        };
        started.into_iter().map(answer).collect()
    })
}

pub(super) fn send(core: &Core, members: &[Core], command: &ExternalCommand) -> Result<Receipt, SendError> {
    if core.redundant != Some(true) {
        // Nothing is written by a probe, so that the command goes to one of them only.
        let taker = members.iter().find(|member| send::probe(member).is_ok());
        return send::send(taker.unwrap_or(&members[0]), command);
    }
    let sent = all(members, |member| send::send(member, command));
    let mut receipt = None;
    let (mut missed, mut failures) = (Vec::new(), Vec::new());
    for (member, sent) in members.iter().zip(sent) {
        match sent {
            Ok(own) => drop(receipt.get_or_insert(own)),
            Err(e) => {
                let (which, is_relays) = (label(member), matches!(e, SendError::Relay(_)));
                missed.push(if is_relays { e.to_string() } else { format!("{which}: {e}") });
                failures.push(e);
            }
        }
    }
    match receipt {
        Some(receipt) => Ok(Receipt { missed, ..receipt }),
        None if failures.iter().any(SendError::is_verdict) => Err(SendError::Refused(missed.join("; "))),
        None => Err(SendError::Relay(missed.join("; "))),
    }
}

pub(super) fn probe(members: &[Core]) -> Result<&'static str, SendError> {
    first(members, send::probe)
}

/// The state of each that can be read; the first error if none can.
pub(super) fn states(core: &Core, members: &[Core], wanted: &[Object]) -> Result<Vec<Snapshot>, ReadError> {
    if core.redundant != Some(true) {
        return first(members, |member| state::read(member, wanted)).map(|snapshot| vec![snapshot]);
    }
    let (mut read, mut failure) = (Vec::new(), None);
    for snapshot in all(members, |member| state::read(member, wanted)) {
        match snapshot {
            Ok(snapshot) => read.push(snapshot),
            Err(e) => drop(failure.get_or_insert(e)),
        }
    }
    failure.filter(|_| read.is_empty()).map_or(Ok(read), Err)
}

/// The state as one: the worse of each object, with all that people did to it anywhere.
pub(super) fn state(core: &Core, members: &[Core], wanted: &[Object]) -> Result<Snapshot, ReadError> {
    let mut snapshots = states(core, members, wanted)?.into_iter();
    let mut merged = snapshots.next().unwrap_or_default();
    for other in snapshots {
        merged.created = merged.created.max(other.created);
        for (object, state) in other.states {
            merge(&mut merged.states, object, state);
        }
    }
    Ok(merged)
}

pub(super) fn objects(
    core: &Core,
    members: &[Core],
    list: impl Fn(&Core) -> Result<Vec<(Object, State)>, ReadError> + Sync,
) -> Result<Vec<(Object, State)>, ReadError> {
    if core.redundant != Some(true) {
        return first(members, list);
    }
    let (mut found, mut order, mut failure, mut is_read) = (HashMap::new(), Vec::new(), None, false);
    for listed in all(members, list) {
        match listed {
            Ok(listed) => {
                is_read = true;
                for (object, state) in listed {
                    if !found.contains_key(&object) {
                        order.push(object.clone());
                    }
                    merge(&mut found, object, state);
                }
            }
            Err(e) => drop(failure.get_or_insert(e)),
        }
    }
    let in_order = order.into_iter().filter_map(|object| found.remove_entry(&object)).collect();
    failure.filter(|_| !is_read).map_or(Ok(in_order), Err)
}

fn merge(states: &mut HashMap<Object, State>, object: Object, state: State) {
    let Some(known) = states.get_mut(&object) else {
        states.insert(object, state);
        return;
    };
    let is_worse = badness(&object, &state) > badness(&object, known);
    let (mut worse, other) = if is_worse { (state, known.clone()) } else { (known.clone(), state) };
    worse.acknowledged = match worse.acknowledged {
        Acknowledged::No => other.acknowledged,
        own => own,
    };
    add(&mut worse.acknowledgements, other.acknowledgements);
    add(&mut worse.comments, other.comments);
    add(&mut worse.unplaced, other.unplaced);
    let is_same =
        |a: &Downtime, b: &Downtime| (a.start, a.end, &a.author, &a.comment) == (b.start, b.end, &b.author, &b.comment);
    for downtime in other.downtimes {
        if !worse.downtimes.iter().any(|known| is_same(known, &downtime)) {
            worse.downtimes.push(downtime);
        }
    }
    worse.downtime_depth = worse.downtime_depth.max(other.downtime_depth);
    worse.notifications_enabled |= other.notifications_enabled;
    *known = worse;
}

/// What one person wrote at one time is one text, though both cores have it. The latest stays the last.
fn add(texts: &mut Vec<Acknowledgement>, others: Vec<Acknowledgement>) {
    for other in others {
        let is_same = |one: &Acknowledgement| {
            (&one.author, &one.comment) == (&other.author, &other.comment)
                && one.time.saturating_sub(other.time).saturating_abs() <= SAME_TIME_SECONDS
        };
        if !texts.iter().any(is_same) {
            texts.push(other);
        }
    }
    order::by_key(texts, |one| one.time);
}

/// A host that is down is worse than one that can't be reached; a service that is critical than one of which nothing is
/// known.
fn badness(object: &Object, state: &State) -> u8 {
    match (&object.service, state.code) {
        (_, 0) => 0,
        (Some(_), 2) | (None, 1) => 3,
        (Some(_), 1) => 1,
        _ => 2,
    }
}

/// The first that answers; else the error of the first, the likeliest.
fn first<T, E>(members: &[Core], ask: impl Fn(&Core) -> Result<T, E>) -> Result<T, E> {
    let mut answer = ask(&members[0]);
    for member in &members[1..] {
        if answer.is_ok() {
            break;
        }
        answer = ask(member).or(answer);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        Object { core: "main".into(), host: "web01".into(), service: Some("Disk".into()) }
    }

    #[test]
    fn of_two_states_the_worse_counts_with_all_that_people_did() {
        let mut states = HashMap::new();
        merge(&mut states, object(), State { code: 1, acknowledged: Acknowledged::Sticky, ..State::default() });
        merge(&mut states, object(), State { code: 2, output: "full".into(), ..State::default() });
        let own = |time| Acknowledgement { author: "alice".into(), comment: "on it".into(), time };
        for time in [100, 101, 9000] {
            merge(&mut states, object(), State { acknowledgements: vec![own(time)], ..State::default() });
        }
        let merged = &states[&object()];
        assert_eq!(merged.acknowledgements, [own(100), own(9000)]);
        assert_eq!((merged.code, &*merged.output, merged.acknowledged), (2, "full", Acknowledged::Sticky));
    }

    #[test]
    fn the_first_that_answers_is_enough() {
        let member = |name: &str| Core { name: name.into(), ..Core::default() };
        let asked = |core: &Core| if core.name == "b" { Ok("b") } else { Err(core.name.clone()) };
        assert_eq!(first(&[member("a"), member("b"), member("c")], asked), Ok("b"));
        assert_eq!(first(&[member("a"), member("c")], asked), Err("a".to_owned()));
    }
}
