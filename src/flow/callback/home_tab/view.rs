//! The view of one person: the open problems that they may see, in groups.

use super::{HomeWorker, Next, OWNERS_MAX, PERSON_PACE};
use crate::flow::callback::access_lookup::LookupError;
use crate::flow::callback::request::Requester;
use crate::flow::callback::requester::IdentityError;
use crate::flow::callback::slash_command::on_duty;
use crate::flow::deliver::interactivity;
use crate::model::notification::Severity;
use crate::model::object::Object;
use crate::model::problem::Problem;
use crate::rules::authorise::{Contact, Permission, Person, Right, is_contact};
use crate::rules::render::{RenderContext, problem_card};
use crate::slack::home::{Entry, Home, text_only, view};
use crate::store::{DeliveryQueue, StoreError, Target};
use crate::system::clock;
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// A problem, and its contacts in the core.
pub(super) struct OpenProblem {
    post: i64,
    problem: Problem,
    contacts: Option<Vec<Contact>>,
}

impl HomeWorker {
    /// The view for the person; or how long to wait, while Slack doesn't say who they are.
    pub(super) fn view(&mut self, requester: &Requester) -> Result<Result<Value, Duration>, StoreError> {
        let now = clock::wall_ms() / 1000;
        let config = self.lookup.config();
        let is_there = config.integrations.iter().any(|i| i.name == requester.integration && i.enabled);
        let caller = match self.lookup.caller(requester) {
            Ok(caller) if is_there => caller,
            Err(LookupError::Identity(e @ (IdentityError::Never(_) | IdentityError::Unknown(_)))) => {
                return Ok(Ok(text_only(&e.to_string(), now)));
            }
            Ok(_)
            | Err(
                LookupError::NoIntegration(_) | LookupError::NoClient | LookupError::Identity(IdentityError::Later(_)),
            ) => {
                self.log_failure(&requester.integration, "Slack doesn't say who the person is", Next::Retry);
                return Ok(Err(PERSON_PACE));
            }
        };
        let permission = match caller.admit(&config.access).and_then(|admitted| admitted.ask(Right::View)) {
            Ok(permission) => permission,
            Err(refusal) => return Ok(Ok(text_only(&refusal.to_string(), now))),
        };
        self.learn(&requester.integration, &permission)?;
        let interactivity = interactivity(&config, &requester.integration);
        let waiting = self.store.waiting_for(&direct_messages(&caller.person))?;
        let mut home: [(&str, Vec<Entry>); 6] =
            ["Waiting for you", "Yours", "Critical", "Warning", "Unknown", "Acknowledged or in downtime"]
                .map(|name| (name, Vec::new()));
        let is_partial = permission.differs_by_object();
        for known in self.problems.get(&requester.integration).map(Vec::as_slice).unwrap_or_default() {
            let latest = &known.problem.latest;
            let object = Object::of(latest);
            let core = self.lookup.core(&latest.core);
            let names = self.lookup.names(&core.clone().unwrap_or_default(), &object, Some(latest));
            if permission.may(&names.of(&object), known.contacts.as_deref()).is_err() {
                continue;
            }
            let facts = RenderContext {
                interactivity,
                post: known.post,
                ..RenderContext::bare(&config.message, core.as_ref(), now)
            };
            let entry = Entry { card: problem_card(&known.problem, &facts), since: known.problem.began };
            let is_own = is_contact(&caller.person, &config.access, known.contacts.as_deref());
            let is_waiting = waiting.contains(&latest.object_key());
            home[if is_waiting { 0 } else { group(known, is_own) }].1.push(entry);
        }
        let groups = home.into_iter().filter(|(_, entries)| !entries.is_empty()).collect();
        let on_call = self.store.all_on_duty()?.iter().map(on_duty).collect::<Vec<_>>().join("\n");
        Ok(Ok(view(&Home { groups, on_call, is_partial }, now)))
    }

    /// Reads the open problems, unless they are known.
    fn learn(&mut self, integration: &str, permission: &Permission<'_>) -> Result<(), StoreError> {
        if self.problems.contains_key(integration) {
            return Ok(());
        }
        let mut known: Vec<OpenProblem> = Vec::new();
        for (post, mut problem) in self.store.open_problems(integration, permission)? {
            self.names.fill(&mut problem.latest, &self.lookup.config());
            known.push(OpenProblem { post, problem, contacts: None });
        }
        let mut silent = HashSet::new();
        for known in known.iter_mut().take(OWNERS_MAX) {
            let name = known.problem.latest.core.clone();
            let Some(core) = self.lookup.core(&name) else {
                continue;
            };
            // A core that has no answer once isn't asked again and again.
            if !silent.contains(&name) {
                known.contacts = self.lookup.contacts_of(&core, &Object::of(&known.problem.latest));
                if known.contacts.is_none() {
                    silent.insert(name);
                }
            }
        }
        self.problems.insert(integration.to_owned(), known);
        Ok(())
    }
}

/// The index of the problem's heading, where nothing waits for the person.
fn group(known: &OpenProblem, is_own: bool) -> usize {
    let problem = &known.problem;
    let is_quiet = problem.acknowledged.is_some() || problem.downtime.is_some();
    match problem.latest.severity() {
        _ if is_own => 1,
        _ if is_quiet => 5,
        Severity::Critical => 2,
        Severity::Warning => 3,
        Severity::Unknown | Severity::Good => 4,
    }
}

/// The queues of a person's direct messages: a step or a question may know them by id or by address.
fn direct_messages(person: &Person) -> Vec<DeliveryQueue> {
    let by_email = person.email.clone().map(Target::Email);
    let targets = [Some(Target::Channel(person.user_id.clone())), by_email].into_iter().flatten();
    targets.map(|target| DeliveryQueue { integration: person.integration.clone(), target }).collect()
}
