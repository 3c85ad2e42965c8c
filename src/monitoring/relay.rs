//! A core behind a relay, as its centre sees it: the requests that wait for the relay, and the functions that ask.
//!
//! The relay opens every connection. It waits at `/v1/core-request` until there is a request for its core, and brings the
//! answer there ([`wire`]). Requests live in the listener's memory only: after a crash of the listener a command that
//! wasn't taken was never sent, and one that was taken is looked for in the core's state, as any other.
//!
//! A command is offered first and given only when the relay takes it, with a time by the relay's own clock of waiting:
//! what was lost or late on the way is never sent, so "isn't connected" is certain. A command is taken once.

pub(crate) mod answer;
pub(crate) mod centre;
pub(crate) mod clocks;
mod requests;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub(crate) use requests::{Gone, RelayStatus, Speaker, Waiting, called, handed_in, statuses};

use super::error::{ReadError, Receipt, SendError};
use super::log::CommandLogResult;
use super::objects::Names;
use crate::config::Core;
use crate::model::core_snapshot::{Snapshot, State};
use crate::model::object::Object;
use crate::rules::authorise::Contact;
use crate::rules::command::ExternalCommand;
use requests::{NoAnswer, ask, known};
use wire::{Answer, LabelsAnswer, Question};

/// The names of cores in what a relay says mean nothing.
fn own(core: &Core, mut object: Object) -> Object {
    object.core.clone_from(&core.name);
    object
}

fn bare(object: &Object) -> Object {
    Object { core: String::new(), ..object.clone() }
}

fn unexpected(core: &Core) -> ReadError {
    ReadError::Relay(format!("the relay of {} gave an answer of another kind; is it newer?", core.name))
}

pub(super) fn send(core: &Core, command: &ExternalCommand) -> Result<Receipt, SendError> {
    let (_, ahead) = known(core);
    let mut parts = command.parts();
    parts.object.core = String::new();
    ahead.action_to_relay(&mut parts.action);
    match ask(core, Question::Send(parts)) {
        Ok(Answer::Sent { answer, .. }) => Ok(Receipt { transport: "relay", answer, ..Receipt::default() }),
        Ok(Answer::Failed { reason, is_verdict: true }) => Err(SendError::Refused(reason)),
        Ok(Answer::Failed { reason, .. }) => Err(SendError::Relay(reason)),
        // The core may have it: it is looked for.
        Ok(_) | Err(NoAnswer::Unanswered { .. }) => {
            Ok(Receipt { transport: "relay", answer: None, ..Receipt::default() })
        }
        Err(e @ NoAnswer::NotConnected { .. }) => Err(SendError::Relay(e.to_string())),
    }
}

pub(super) fn probe(core: &Core) -> Result<(), SendError> {
    match ask(core, Question::Probe) {
        Ok(Answer::Failed { reason, .. }) => Err(SendError::Relay(reason)),
        Ok(_) => Ok(()),
        Err(e) => Err(SendError::Relay(e.to_string())),
    }
}

pub(super) fn state(core: &Core, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    match ask(core, Question::State(wanted.iter().map(bare).collect()))? {
        Answer::State(state) => {
            let mut snapshot = state.into_snapshot();
            snapshot.states = snapshot.states.into_iter().map(|(object, state)| (own(core, object), state)).collect();
            snapshot.states.retain(|object, _| wanted.iter().any(|wanted| own(core, wanted.clone()) == *object));
            known(core).1.snapshot_to_own(&mut snapshot);
            Ok(snapshot)
        }
        Answer::Failed { reason, .. } => Err(ReadError::Relay(reason)),
        _ => Err(unexpected(core)),
    }
}

pub(super) fn written(core: &Core) -> Option<i64> {
    match ask(core, Question::Written) {
        Ok(Answer::Written(at)) => at.map(|at| known(core).1.to_own(at)),
        _ => None,
    }
}

pub(super) fn objects(core: &Core, are_problems: bool) -> Result<Vec<(Object, State)>, ReadError> {
    let question = if are_problems { Question::Problems } else { Question::Names };
    match ask(core, question)? {
        Answer::Objects(mut found) => {
            let ahead = known(core).1;
            for (object, state) in &mut found {
                object.core.clone_from(&core.name);
                ahead.state_to_own(state);
            }
            Ok(found)
        }
        Answer::Failed { reason, .. } => Err(ReadError::Relay(reason)),
        _ => Err(unexpected(core)),
    }
}

pub(super) fn contacts(core: &Core, object: &Object) -> Option<Vec<Contact>> {
    match ask(core, Question::Contacts(bare(object))) {
        Ok(Answer::Contacts(contacts)) => contacts,
        _ => None,
    }
}

pub(super) fn labels(core: &Core) -> Option<Names> {
    match ask(core, Question::Labels) {
        Ok(Answer::Labels(Some(LabelsAnswer { labels, aliases }))) => {
            let mut names = Names::default();
            for (host, service, label) in labels {
                names.put((host, service), &label);
            }
            for (host, alias) in aliases {
                names.put_alias(&host, &alias);
            }
            Some(names)
        }
        _ => None,
    }
}

/// A line with times in it differs from the one that was sent where the clocks do: then nothing is found.
pub(super) fn command_result(core: &Core, line: &str, since: i64) -> Option<CommandLogResult> {
    let since = known(core).1.to_relay(since);
    match ask(core, Question::CommandResult { line: line.to_owned(), since }) {
        Ok(Answer::CommandResult(result)) => result,
        _ => None,
    }
}

pub(super) fn is_connected(core: &Core) -> bool {
    requests::is_connected(core)
}

pub(super) fn knows_expiry(core: &Core) -> bool {
    known(core).0.knows_expiry
}

pub(crate) fn status_update_interval(core: &Core) -> Option<u64> {
    known(core).0.status_update_interval
}
