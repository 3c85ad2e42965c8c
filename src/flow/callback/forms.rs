//! Opens the forms that clicks ask for (<https://docs.slack.dev/reference/methods/views.open>), for whoever may.
//!
//! A thread of its own: it must be found out who asks, and the click's trigger lives 3 s. A form that can't be opened in
//! time is lost, and the person hears of it.

use super::gate::Gate;
use super::request::{Asker, Subject};
use super::whisper::Teller;
use super::{card, locked};
use crate::config::{Acknowledge, Config};
use crate::model::action::Action;
use crate::model::object::Object;
use crate::rules::authorise::{Person, Right};
use crate::rules::render::AvailableAction;
use crate::slack::forms;
use crate::store::{ShownMessage, Store};
use crate::system::clock;
use log::{error, warn};
use serde_json::json;
use std::collections::HashSet;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// For opening a form: its trigger lives 3 s.
const BUDGET: Duration = Duration::from_millis(2500);

/// A form that somebody asked for.
pub(super) struct Form {
    pub(super) config: Arc<Config>,
    pub(super) asker: Asker,
    pub(super) subject: Subject,
    pub(super) offer: AvailableAction,
    pub(super) trigger: String,
}

/// Why there is no form, for the person.
struct NoForm {
    words: String,
    /// Whom nobody allowed it, for the audit.
    refused: Option<Box<Person>>,
}

impl NoForm {
    fn because(words: impl Into<String>) -> Self {
        Self { words: words.into(), refused: None }
    }
}

/// Whose form is waiting or being opened. One at a time of each person: a click's trigger lives 3 s, so nobody may fill
/// the time of all.
#[derive(Clone, Default)]
pub(super) struct Opening(Arc<Mutex<HashSet<String>>>);

impl Opening {
    /// `false` while another one of that person is under way.
    pub(super) fn begin(&self, asker: &Asker) -> bool {
        locked(&self.0).insert(asker.key())
    }

    pub(super) fn end(&self, asker: &Asker) {
        locked(&self.0).remove(&asker.key());
    }
}

/// The state of the thread.
pub(super) struct Opener {
    gate: Gate,
    store: Store,
    teller: Teller,
    opening: Opening,
}

impl Opener {
    pub(super) fn new(gate: Gate, store: Store, teller: Teller, opening: Opening) -> Self {
        Self { gate, store, teller, opening }
    }

    /// Opens what comes, until nobody can click any more.
    pub(super) fn run(&mut self, inbox: &Receiver<Form>) {
        while let Ok(form) = inbox.recv() {
            self.gate.reconfigure(&form.config);
            let opened = open(&form, &mut self.gate, &self.store);
            self.opening.end(&form.asker);
            if let Err(no) = opened {
                self.tell(&form, no);
            }
        }
    }

    fn tell(&mut self, form: &Form, NoForm { words, refused }: NoForm) {
        let asker = &form.asker;
        if let Some(person) = refused {
            let name = action(form.offer, &form.config.acknowledge).name();
            let row = super::refusal(asker, &person, name, &words);
            if let Err(e) = self.store.refuse(&[(asker.key(), row)], &[], clock::wall_ms()) {
                error!("a refusal can't be kept reason={e}");
            }
        }
        // By a thread of its own: Slack may take its time, and the next trigger doesn't wait.
        self.teller.tell(&form.config, asker, &words);
    }
}

fn open(form: &Form, gate: &mut Gate, store: &Store) -> Result<(), NoForm> {
    let Form { config, asker, subject, offer, trigger } = form;
    let caller = gate.caller(asker).map_err(|e| NoForm::because(format!("{e}.")))?;
    let refused = |words: String| NoForm { words, refused: Some(Box::new(caller.person.clone())) };
    let action = action(*offer, &config.acknowledge);
    let leave = caller.admit(&config.access).and_then(|admitted| admitted.ask(Right::Act(&action)));
    let leave = leave.map_err(|refusal| refused(refusal.to_string()))?;
    let found = card::find(store, subject, asker, &leave).map_err(|e| {
        error!("what was clicked on can't be looked up reason={e}");
        NoForm::because("ackbell's database can't be read just now; tap again in a moment.")
    })?;
    let (object, shown) = found.map_err(NoForm::because)?;
    let core = gate.core(&object.core).ok_or_else(|| {
        NoForm::because(format!("There is no [cores.{}] in ackbell's configuration any more.", object.core))
    })?;
    let latest = shown.as_ref().and_then(|shown| shown.problem.as_ref()).map(|problem| &problem.latest);
    let names = gate.names(&core, &object, latest);
    let contacts = gate.contacts_of(&core, &object);
    leave.may(&names.of(&object), contacts.as_deref()).map_err(|refusal| refused(refusal.to_string()))?;
    let label = label(&object, shown.as_ref());
    let about = asker.about(subject.post, object);
    let now = clock::wall_ms() / 1000;
    let Some(view) = forms::form(*offer, &about, &label, &config.acknowledge, now) else {
        warn!("a form can't be made integration={} host=\"{}\"", asker.integration, about.object.host);
        return Err(NoForm::because("There is no form for that: the object's name is too long for one."));
    };
    let client = gate.client(&asker.integration).ok_or_else(|| NoForm::because("ackbell can't talk to Slack."))?;
    client.call("views.open", &json!({ "trigger_id": trigger, "view": view }), BUDGET).map(drop).map_err(|e| {
        warn!("a form wasn't opened integration={} reason={e:?}", asker.integration);
        NoForm::because("The form could not be opened in time; tap again.")
    })
}

/// What the form is for, to ask whether they may: what it will say isn't known yet.
fn action(offer: AvailableAction, rules: &Acknowledge) -> Action {
    match offer {
        AvailableAction::Downtime => {
            Action::Downtime { start: 0, end: 1, flexible: None, comment: String::new(), host_services: false }
        }
        _ => Action::Acknowledge {
            sticky: rules.sticky,
            notify: rules.notify,
            persistent: rules.persistent,
            comment: String::new(),
            expiry: None,
        },
    }
}

/// What people call the object, and its state.
fn label(object: &Object, shown: Option<&ShownMessage>) -> String {
    match shown.and_then(|shown| shown.problem.as_ref()) {
        Some(problem) => {
            let latest = &problem.latest;
            format!("{} ({}) {}", latest.object_label(), latest.state_name().unwrap_or("?"), latest.output)
        }
        None => object.to_string(),
    }
}
