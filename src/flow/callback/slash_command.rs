//! Answers slash commands: lists of problems, states, subscriptions, and orders.
//!
//! Threads of their own, as a core may take seconds to show its state while Slack waits three. Orders become a
//! [`Request`](super::request::Request) like a click's, which survives a restart; questions don't.

mod find;
mod history;
mod orders;
mod phrases;
mod problems;
mod subscriptions;

pub(super) use phrases::on_duty;

use super::access_lookup::AccessLookup;
use super::action::WorkerMessage;
use super::ephemeral::own_url;
use super::slash_queue::SlashQueue;
use super::slash_request::SlashRequest;
use crate::config::Core;
use crate::model::core_snapshot::State;
use crate::model::object::Object;
use crate::model::outcome::Outcome;
use crate::monitoring::error::ReadError;
use crate::monitoring::object_list;
use crate::rules::authorise::{Admitted, Caller, Contact, Permission, Refusal, Right};
use crate::rules::slash::SlashOrder;
use crate::slack::mrkdwn;
use crate::slack::slash_reply::{self, Page};
use crate::store::{Store, StoreError};
use crate::system::clock;
use log::{error, info, warn};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// For one call.
const BUDGET: Duration = Duration::from_secs(5);

/// The state of one of the threads.
pub(super) struct SlashWorker {
    store: Store,
    actions: Sender<WorkerMessage>,
    lookup: AccessLookup,
}

/// The answer for the person.
enum SlashAnswer {
    Text(String),
    List(Page),
    /// The action worker replies later, or the command was answered before.
    Nothing,
}

/// Why there is no answer, for the person.
enum NoAnswer {
    Sentence(String),
    Refused(Refusal),
}

impl From<String> for NoAnswer {
    fn from(sentence: String) -> Self {
        Self::Sentence(sentence)
    }
}

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl SlashWorker {
    pub(super) fn new(lookup: AccessLookup, store: Store, actions: Sender<WorkerMessage>) -> Self {
        Self { store, actions, lookup }
    }

    /// Works until the process ends.
    pub(super) fn run(mut self, queue: &SlashQueue) {
        while let Some(request) = queue.next() {
            self.lookup.reconfigure(&request.config);
            match self.answer(&request) {
                Ok(answer) => {
                    self.reply(&request, &answer, request.order.is_public && !request.replaces, request.replaces);
                }
                // An error never replaces the message: others may be reading it.
                Err(sentence) => {
                    self.reply(&request, &SlashAnswer::Text(mrkdwn::sentence(&sentence)), false, false);
                }
            }
        }
    }

    /// First who asks, then whether they may at all; only then is anything looked up. An error is a sentence for the
    /// person.
    fn answer(&mut self, request: &SlashRequest) -> Result<SlashAnswer, String> {
        let config = Arc::clone(&request.config);
        let caller = self.lookup.caller(&request.requester).map_err(|e| format!("{e}."))?;
        let admitted = caller.admit(&config.access);
        if request.order.what == SlashOrder::Whoami {
            return Ok(SlashAnswer::Text(self.whoami(&caller, admitted)));
        }
        let answered = admitted.map_err(NoAnswer::from).and_then(|admitted| self.answer_one(request, admitted));
        answered.map_err(|no| match no {
            NoAnswer::Sentence(sentence) => sentence,
            NoAnswer::Refused(refusal) => {
                self.record_refusal(request, &caller, &refusal);
                refusal.to_string()
            }
        })
    }

    fn answer_one(&mut self, request: &SlashRequest, admitted: Admitted<'_>) -> Result<SlashAnswer, NoAnswer> {
        let config = Arc::clone(&request.config);
        let named = request.order.core.as_deref();
        match &request.order.what {
            SlashOrder::Help | SlashOrder::Whoami => Ok(SlashAnswer::Text(slash_reply::help(&request.order.command))),
            SlashOrder::Problems(filter) => {
                let permission = admitted.ask(Right::View)?;
                let cores = find::cores(&config, named)?;
                self.problems(request, &permission, &cores, filter)
            }
            SlashOrder::Status(tokens) => {
                let permission = admitted.ask(Right::View)?;
                let cores = find::cores(&config, named)?;
                self.status(&permission, &cores, tokens).map(SlashAnswer::Text)
            }
            SlashOrder::History(tokens) => {
                let permission = admitted.ask(Right::View)?;
                let cores = find::cores(&config, named)?;
                self.history(request, &permission, &cores, tokens).map(SlashAnswer::Text)
            }
            SlashOrder::Clicked(question, subject) => {
                let permission = admitted.ask(Right::View)?;
                self.clicked(request, &permission, (*question, subject)).map(SlashAnswer::Text)
            }
            SlashOrder::Action(verb, name) => {
                let action = verb.stand_in();
                let permission = admitted.ask(Right::Act(&action))?;
                let cores = find::cores(&config, named)?;
                self.order(request, &permission, &cores, (*verb, name))
            }
            SlashOrder::Subscribe(filter) => {
                let permission = admitted.ask(Right::Subscribe)?;
                let channel = self.channel_of(&request.requester)?;
                self.subscribe(request, &permission, filter, ("This channel", channel))
            }
            SlashOrder::Me(filter) => {
                let permission = admitted.ask(Right::Subscribe)?;
                self.subscribe(request, &permission, filter, ("You", request.requester.user.clone()))
            }
            SlashOrder::Unsubscribe(filter) => {
                let permission = admitted.ask(Right::Subscribe)?;
                self.unsubscribe(request, &permission, filter.as_ref())
            }
            SlashOrder::OnCall => {
                admitted.ask(Right::View)?;
                let duties = self.store.all_on_duty().map_err(|e| not_kept(&e))?;
                Ok(SlashAnswer::Text(phrases::on_call(&config, &duties)))
            }
            SlashOrder::Subscriptions => {
                admitted.ask(Right::View)?;
                Ok(SlashAnswer::Text(self.subscriptions(&request.requester)?))
            }
        }
    }

    /// A refused command that would have changed something is in the audit.
    fn record_refusal(&mut self, request: &SlashRequest, caller: &Caller, refusal: &Refusal) {
        let name = match &request.order.what {
            SlashOrder::Action(verb, _) => verb.stand_in().name(),
            SlashOrder::Subscribe(_) | SlashOrder::Me(_) => "subscribe",
            SlashOrder::Unsubscribe(_) => "unsubscribe",
            SlashOrder::Help
            | SlashOrder::Problems(_)
            | SlashOrder::Status(_)
            | SlashOrder::History(_)
            | SlashOrder::Clicked(..)
            | SlashOrder::Subscriptions
            | SlashOrder::OnCall
            | SlashOrder::Whoami => return,
        };
        let row = super::refusal_row(&request.requester, &caller.person, name, &refusal.to_string());
        if let Err(e) = self.store.refuse(&[(request.requester.key(), row)], &[], clock::wall_ms()) {
            error!("can't record a refusal reason={:?}", e.to_string());
        }
    }

    /// Who the person is in Slack; and for people of the workspace, who they are in the monitoring.
    fn whoami(&mut self, caller: &Caller, admitted: Result<Admitted<'_>, Refusal>) -> String {
        let config = self.lookup.config();
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return phrases::outsider(caller, &refusal),
        };
        let anything = Object::default();
        let cores = find::cores(&config, None).unwrap_or_default();
        let contacts: Option<Vec<Contact>> = cores.iter().find_map(|core| self.lookup.contacts_of(core, &anything));
        phrases::whoami(admitted, &config, contacts.as_deref())
    }

    /// Replies privately, or to everybody in the channel where that was asked for.
    fn reply(&mut self, request: &SlashRequest, answer: &SlashAnswer, is_public: bool, replaces: bool) {
        let requester = &request.requester;
        let mut message = match answer {
            SlashAnswer::Nothing => return,
            SlashAnswer::Text(text) => json!({ "text": text }),
            SlashAnswer::List(page) => slash_reply::problems(page, clock::wall_ms() / 1000),
        };
        message["response_type"] = Value::from(if is_public { "in_channel" } else { "ephemeral" });
        if replaces {
            message["replace_original"] = Value::from(true);
        }
        let (integration, user) = (&requester.integration, &requester.user);
        let url = own_url(&self.lookup.config(), requester);
        let (Some(url), Some(client)) = (url, self.lookup.client(integration)) else {
            warn!("no usable response URL integration={integration} user={user} dropped=answer");
            return;
        };
        match client.respond(&url, &message, BUDGET) {
            Outcome::Delivered(_) => info!("slash command answered integration={integration} user={user}"),
            outcome => {
                warn!("can't send an answer integration={integration} dropped=answer reason={:?}", outcome.reason());
            }
        }
    }
}

fn core_of<'a>(cores: &'a [Core], object: &Object) -> Result<&'a Core, String> {
    cores.iter().find(|core| core.name == object.core).ok_or_else(|| format!("Unknown core \"{}\".", object.core))
}

fn state_of(core: &Core, object: &Object, permission: &Permission<'_>) -> Result<State, String> {
    let snapshot = object_list::states(core, std::slice::from_ref(object), permission);
    let mut snapshot = snapshot.map_err(|e| not_readable(&e))?;
    snapshot.states.remove(object).ok_or_else(|| format!("The monitoring no longer has {object}."))
}

/// The core's state can't be read.
fn not_readable(e: &ReadError) -> String {
    format!("ackbell can't read the monitoring's state: {e}.")
}

fn not_kept(e: &StoreError) -> String {
    error!("can't keep a slash command reason={:?}", e.to_string());
    let sentence = super::not_kept(e);
    sentence.unwrap_or("ackbell can't save this: its disk or database has an error; see ackbell's log.").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_done_isnt_told_as_not_saved() {
        let unknown = not_kept(&StoreError::Unknown("a at b".to_owned()));
        assert!(unknown.contains("may be done when it is back"), "{unknown}");
        let away = not_kept(&StoreError::Away("no route".to_owned()));
        assert!(away.starts_with("ackbell can't reach its database now, so nothing was done."), "{away}");
        assert!(not_kept(&StoreError::NoRow).starts_with("ackbell can't save this"));
    }
}
