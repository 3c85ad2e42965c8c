//! Opens the forms that clicks ask for (<https://docs.slack.dev/reference/methods/views.open>), if the person may.
//!
//! A thread of its own: Slack must be asked who the person is, and the click's trigger lives 3 s. A form that can't be
//! opened in time is dropped, and the person gets a reply.

use super::access_lookup::AccessLookup;
use super::ephemeral::EphemeralSender;
use super::request::{Requester, Subject};
use super::{clicked_message, locked};
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

/// A form that a person asked for.
pub(super) struct FormRequest {
    pub(super) config: Arc<Config>,
    pub(super) requester: Requester,
    pub(super) subject: Subject,
    pub(super) available_action: AvailableAction,
    pub(super) trigger: String,
}

/// Why there is no form.
struct NoForm {
    /// For the person.
    reason: String,
    /// The person, if they were refused: for the audit.
    refused: Option<Box<Person>>,
}

impl NoForm {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), refused: None }
    }
}

/// The people whose form is waiting or being opened. One at a time of each person: a click's trigger lives 3 s, so one
/// person mustn't use up everybody's time.
#[derive(Clone, Default)]
pub(super) struct OpenForms(Arc<Mutex<HashSet<String>>>);

impl OpenForms {
    /// `false` while another form of that person is being opened.
    pub(super) fn begin(&self, requester: &Requester) -> bool {
        locked(&self.0).insert(requester.key())
    }

    pub(super) fn end(&self, requester: &Requester) {
        locked(&self.0).remove(&requester.key());
    }
}

/// The state of the thread.
pub(super) struct FormOpener {
    lookup: AccessLookup,
    store: Store,
    ephemeral: EphemeralSender,
    open_forms: OpenForms,
}

impl FormOpener {
    pub(super) fn new(lookup: AccessLookup, store: Store, ephemeral: EphemeralSender, open_forms: OpenForms) -> Self {
        Self { lookup, store, ephemeral, open_forms }
    }

    /// Opens each form, until the process ends.
    pub(super) fn run(&mut self, inbox: &Receiver<FormRequest>) {
        while let Ok(form) = inbox.recv() {
            self.lookup.reconfigure(&form.config);
            let opened = open(&form, &mut self.lookup, &self.store);
            self.open_forms.end(&form.requester);
            if let Err(no_form) = opened {
                self.reply(&form, no_form);
            }
        }
    }

    fn reply(&mut self, form: &FormRequest, NoForm { reason, refused }: NoForm) {
        let requester = &form.requester;
        if let Some(person) = refused {
            let name = action(form.available_action, &form.config.acknowledge).name();
            let row = super::refusal_row(requester, &person, name, &reason);
            if let Err(e) = self.store.refuse(&[(requester.key(), row)], &[], clock::wall_ms()) {
                error!("can't record a refusal reason={:?}", e.to_string());
            }
        }
        // By another thread: Slack may take its time, and the next trigger doesn't wait.
        self.ephemeral.send(&form.config, requester, &reason);
    }
}

fn open(form: &FormRequest, lookup: &mut AccessLookup, store: &Store) -> Result<(), NoForm> {
    let FormRequest { config, requester, subject, available_action, trigger } = form;
    let caller = lookup.caller(requester).map_err(|e| NoForm::because(format!("{e}.")))?;
    let refused = |reason: String| NoForm { reason, refused: Some(Box::new(caller.person.clone())) };
    let action = action(*available_action, &config.acknowledge);
    let permission = caller.admit(&config.access).and_then(|admitted| admitted.ask(Right::Act(&action)));
    let permission = permission.map_err(|refusal| refused(refusal.to_string()))?;
    let found = clicked_message::find_subject(store, subject, requester, &permission).map_err(|e| {
        error!("can't look up the clicked message reason={:?}", e.to_string());
        NoForm::because("ackbell's database can't be read just now; tap again in a moment.")
    })?;
    let (object, shown) = found.map_err(NoForm::because)?;
    let core = lookup
        .core(&object.core)
        .ok_or_else(|| NoForm::because(format!("ackbell's configuration no longer has a [cores.{}].", object.core)))?;
    let latest = shown.as_ref().and_then(|shown| shown.problem.as_ref()).map(|problem| &problem.latest);
    let names = lookup.names(&core, &object, latest);
    let contacts = lookup.contacts_of(&core, &object);
    permission.may(&names.of(&object), contacts.as_deref()).map_err(|refusal| refused(refusal.to_string()))?;
    let label = label(&object, shown.as_ref());
    let about = requester.about(subject.post, object);
    let now = clock::wall_ms() / 1000;
    let Some(view) = forms::form(*available_action, &about, &label, &config.acknowledge, now) else {
        warn!("object name too long for a form integration={} host={:?}", requester.integration, about.object.host);
        return Err(NoForm::because("The object's name is too long for a form."));
    };
    let client =
        lookup.client(&requester.integration).ok_or_else(|| NoForm::because("ackbell can't talk to Slack."))?;
    client.call("views.open", &json!({ "trigger_id": trigger, "view": view }), BUDGET).map(drop).map_err(|e| {
        warn!("can't open a form integration={} dropped=form reason={:?}", requester.integration, e.reason());
        NoForm::because("The form could not be opened in time; tap again.")
    })
}

/// The form's action, enough to decide whether the person may; the details come with the submitted form.
fn action(available_action: AvailableAction, rules: &Acknowledge) -> Action {
    match available_action {
        AvailableAction::Downtime => {
            Action::Downtime { start: 0, end: 1, flexible: None, comment: String::new(), host_services: false }
        }
        AvailableAction::HandOver => Action::Comment { persistent: false, comment: String::new() },
        _ => Action::Acknowledge {
            sticky: rules.sticky,
            notify: rules.notify,
            persistent: rules.persistent,
            comment: String::new(),
            expiry: None,
        },
    }
}

/// The object's display name, and its state.
fn label(object: &Object, shown: Option<&ShownMessage>) -> String {
    match shown.and_then(|shown| shown.problem.as_ref()) {
        Some(problem) => {
            let latest = &problem.latest;
            format!("{} ({}) {}", latest.object_label(), latest.state_name().unwrap_or("?"), latest.output)
        }
        None => object.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_one_form_on_its_way_and_holds_up_nobody_elses() {
        let of = |user: &str| Requester { user: user.to_owned(), ..Requester::default() };
        let forms = OpenForms::default();
        assert!(forms.begin(&of("U1")) && forms.begin(&of("U2")));
        assert!(!forms.begin(&of("U1")), "the second waits for the first");
        forms.end(&of("U1"));
        assert!(forms.begin(&of("U1")));
    }
}
