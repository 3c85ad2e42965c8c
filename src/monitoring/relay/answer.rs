//! Beside the core: a centre's question, and its answer from the functions of this room.

use super::super::contacts::Contacts;
use super::super::labels::Labels;
use super::super::object_list;
use super::super::{dialect, knows_expiry, log, paths, send, state, wording};
use super::wire::{About, Answer, LabelsAnswer, Question, StateAnswer};
use crate::config::Core;
use crate::model::core_snapshot::RelaySpool;
use crate::rules::command::{CommandParts, ExternalCommand};
use crate::system::clock;
use std::time::{Duration, Instant};

/// How often a command file that is full is tried again, and the time between two tries.
const FULL_RETRIES: u32 = 20;
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// What one thread remembers of its core.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    contacts: Contacts,
    labels: Labels,
}

impl Answers {
    /// Answers a question. A command is sent only before `until`: later the centre has told the person that it wasn't.
    /// `spool`: how the spool is now, read after the state.
    pub(crate) fn answer(
        &mut self,
        core: &Core,
        question: Question,
        until: Instant,
        spool: impl FnOnce() -> RelaySpool,
    ) -> Answer {
        let failed = |reason: String| Answer::Failed { reason, is_verdict: false };
        match question {
            Question::Send(parts) => command(core, parts, until),
            Question::Probe => match send::probe(core) {
                Ok(transport) => Answer::Sent { transport: transport.to_owned(), answer: None },
                Err(e) => failed(e.to_string()),
            },
            Question::State(objects) => match state::read(core, &objects) {
                Ok(snapshot) => Answer::State(StateAnswer::new(snapshot, spool())),
                Err(e) => failed(e.to_string()),
            },
            Question::Written => Answer::Written(state::written(core)),
            Question::Problems => object_list::all(core, true).map_or_else(|e| failed(e.to_string()), Answer::Objects),
            Question::Names => object_list::all(core, false).map_or_else(|e| failed(e.to_string()), Answer::Objects),
            Question::Contacts(object) => Answer::Contacts(self.contacts.of(core, &object)),
            Question::Labels => Answer::Labels(self.labels.of_core(core).map(|names| {
                let labels = names.labels.iter();
                let labels = labels.map(|((host, service), label)| (host.clone(), service.clone(), label.clone()));
                let aliases = names.aliases().map(|(host, alias)| (host.clone(), alias.clone())).collect();
                LabelsAnswer { labels: labels.collect(), aliases }
            })),
            Question::CommandResult { line, since } => Answer::CommandResult(log::command_result(core, &line, since)),
        }
    }
}

/// Makes the command anew, in this core's words, and hands it over.
fn command(core: &Core, parts: CommandParts, until: Instant) -> Answer {
    let failed = |reason: String, is_verdict| Answer::Failed { reason, is_verdict };
    if !parts.object.core.is_empty() {
        return failed("the command is for another core".to_owned(), true);
    }
    let made = ExternalCommand::from_centre(parts, wording(core), clock::wall_ms() / 1000);
    let command = match made {
        Ok(command) => {
            let dialect = dialect(core, command.action());
            command.towards(dialect)
        }
        Err(e) => return failed(e.to_string(), true),
    };
    for _ in 0..FULL_RETRIES {
        if Instant::now() >= until {
            return failed("the command came too late to the relay".to_owned(), false);
        }
        match send::send(core, &command) {
            Err(super::super::error::SendError::Full(_)) => std::thread::sleep(FULL_PAUSE),
            Ok(receipt) => return Answer::Sent { transport: receipt.transport.to_owned(), answer: receipt.answer },
            Err(e) => return failed(e.to_string(), e.is_verdict()),
        }
    }
    failed("the monitoring core is busy or hangs: its command file is full; try again".to_owned(), false)
}

/// The core as it is now; the spool's part is the caller's.
pub(crate) fn about(core: &Core) -> About {
    About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: core.kind.name().to_owned(),
        knows_expiry: knows_expiry(core),
        status_update_interval: paths::Paths::find(core).status_update_interval,
        ..About::default()
    }
}
