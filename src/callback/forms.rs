//! Opens the forms that clicks ask for (<https://docs.slack.dev/reference/methods/views.open>), for whoever may.
//!
//! A thread of its own: it must be found out who asks, and the click's trigger lives 3 s. A form that can't be opened in
//! time is lost, and the person hears of it.

use super::card;
use super::gate::Gate;
use super::request::{About, Asker, Subject};
use super::whisper::whisper;
use crate::authorise::{Person, Right};
use crate::clock;
use crate::command::{Action, Object};
use crate::config::{Acknowledge, Config};
use crate::render::Offer;
use crate::slack::forms;
use crate::slack::outcome::Outcome;
use crate::store::{Shown, Store};
use log::{error, warn};
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// For opening a form: its trigger lives 3 s.
const BUDGET: Duration = Duration::from_millis(2500);

/// A form that somebody asked for.
pub(super) struct Form {
    pub(super) config: Arc<Config>,
    pub(super) asker: Asker,
    pub(super) subject: Subject,
    pub(super) offer: Offer,
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

/// Opens what comes, until nobody can click any more.
pub(super) fn open_forms(inbox: &Receiver<Form>, mut gate: Gate, mut store: Store) {
    while let Ok(form) = inbox.recv() {
        gate.reconfigure(&form.config);
        let Err(NoForm { words, refused }) = open(&form, &mut gate, &store) else {
            continue;
        };
        let asker = &form.asker;
        if let Some(person) = refused {
            let name = action(form.offer, &form.config.acknowledge).name();
            let row = super::refusal(asker, &person, name, &words);
            if let Err(e) = store.refuse(&[(asker.key(), row)], &[], clock::wall_ms()) {
                error!("a refusal can't be kept reason={e}");
            }
        }
        match whisper(&mut gate, asker, &words) {
            Outcome::Delivered(_) => {}
            outcome => warn!("a person can't be told user={} words=\"{words}\" reason={outcome:?}", asker.user),
        }
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
    let about = About::of(asker, subject.post, object);
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
fn action(offer: Offer, rules: &Acknowledge) -> Action {
    match offer {
        Offer::Downtime => {
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
fn label(object: &Object, shown: Option<&Shown>) -> String {
    match shown.and_then(|shown| shown.problem.as_ref()) {
        Some(problem) => {
            let latest = &problem.latest;
            format!("{} ({}) {}", latest.object_label(), latest.state_name().unwrap_or("?"), latest.output)
        }
        None => object.to_string(),
    }
}
