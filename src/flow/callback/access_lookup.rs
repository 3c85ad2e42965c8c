//! The look-ups behind a decision of [`crate::rules::authorise`]: the identity of the requester, and an object's names.

use super::DATABASE_PATIENCE;
use super::clients::Clients;
use super::request::Requester;
use super::requester::{IdentityError, KnownPeople};
use crate::config::values::ON_CALL;
use crate::config::{Config, Core, Who};
use crate::model::notification::Notification;
use crate::model::object::Object;
use crate::monitoring::contacts::Contacts;
use crate::monitoring::labels::{self, Labels};
use crate::monitoring::{objects, paths};
use crate::rules::authorise::{Caller, Contact, ObjectNames, Person};
use crate::slack::api::Client;
use crate::store::Store;
use crate::system::environment::Environment;
use std::sync::Arc;

/// The look-ups of one thread, and what they remember.
pub(super) struct AccessLookup {
    config: Arc<Config>,
    clients: Clients,
    people: KnownPeople,
    pub(super) contacts: Contacts,
    pub(super) labels: Labels,
    /// Where the outbox is on a server: a connection to see who is on call.
    store: Option<Store>,
}

/// Slack can't be asked who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookupError {
    #[error("The integration \"{0}\" no longer exists")]
    NoIntegration(String),
    #[error("ackbell can't talk to Slack with its present configuration")]
    NoClient,
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// The display names of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    hosts: Vec<String>,
    services: Vec<String>,
    are_all: bool,
}

impl AccessLookup {
    pub(super) fn new(config: Arc<Config>, env: Environment) -> Self {
        let clients = Clients::new(Arc::clone(&config), env);
        Self {
            config,
            clients,
            people: KnownPeople::default(),
            contacts: Contacts::default(),
            labels: Labels::default(),
            store: None,
        }
    }

    /// Puts a configuration in force; nothing happens when it is the same.
    pub(super) fn reconfigure(&mut self, config: &Arc<Config>) {
        if !Arc::ptr_eq(&self.config, config) {
            self.config = Arc::clone(config);
            self.clients.reconfigure(config);
            // The token may be another one.
            self.people.forget();
        }
    }

    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    pub(super) fn client(&mut self, integration: &str) -> Option<&Client> {
        self.clients.get(integration)
    }

    /// The requester, as Slack knows them. This decides nothing.
    pub(super) fn caller(&mut self, requester: &Requester) -> Result<Caller, LookupError> {
        let config = Arc::clone(&self.config);
        let known = config.integrations.iter().find(|found| found.name == requester.integration);
        let integration = known.ok_or_else(|| LookupError::NoIntegration(requester.integration.clone()))?;
        let client = self.clients.get(&requester.integration).ok_or(LookupError::NoClient)?;
        let team_id = self.people.team(integration, client, requester)?;
        let mut person = self.people.person(requester, integration, &team_id, &config, client)?;
        person.groups.extend(self.plans_of(&person));
        Ok(Caller { person, team_id, channel: requester.channel.clone(), acts: integration.acts })
    }

    /// The shift plans by which a person is on call now, as groups: only where a rule names one.
    fn plans_of(&mut self, person: &Person) -> Vec<String> {
        let names_a_plan = |who: &Who| matches!(who, Who::Group(group) if group.starts_with(ON_CALL));
        if !self.config.access.rules.iter().any(|rule| rule.who.iter().any(names_a_plan)) {
            return Vec::new();
        }
        // Without the outbox nobody is on call: a rule that allows then allows nobody.
        let open = || Store::open_for_reading(self.config.outbox_at(), DATABASE_PATIENCE).ok().flatten();
        let store = self.store.take().or_else(open);
        let duties = store.as_ref().and_then(|store| store.all_on_duty().ok());
        // A file may be replaced by another one; a server would see a login for each click.
        self.store = store.filter(|store| store.is_shared() && duties.is_some());
        let is = |who: &String| {
            *who == person.user_id || person.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(who))
        };
        let own = duties.unwrap_or_default().into_iter().filter(|duty| duty.people.iter().any(is));
        own.map(|duty| format!("{ON_CALL}{}", duty.name.to_lowercase())).collect()
    }

    /// The core of that name; the machine's own where none is configured.
    pub(super) fn core(&self, name: &str) -> Option<Core> {
        paths::core(&self.config, name)
    }

    /// The names of a core's objects. The core's files are looked up once, so call this once for many objects.
    pub(super) fn naming(&mut self, core: &Core) -> Naming<'_> {
        let rules = &self.config.access.rules;
        let is_asked = rules.iter().any(|rule| !rule.hosts.is_empty() || !rule.services.is_empty());
        let labels = self.labels.of_core(core);
        let has_source = labels.is_some() || (is_asked && labels::has_source(core));
        Naming { labels, is_asked, has_source }
    }

    /// The names of one object: those of its card, and those of the core. Without rules that name hosts or services the
    /// core isn't asked.
    pub(super) fn names(&mut self, core: &Core, object: &Object, clicked_message: Option<&Notification>) -> Names {
        let rules = &self.config.access.rules;
        if rules.iter().all(|rule| rule.hosts.is_empty() && rule.services.is_empty()) {
            return Names::from_card(clicked_message);
        }
        self.naming(core).names(object, clicked_message)
    }

    /// The contacts of an object.
    pub(super) fn contacts_of(&mut self, core: &Core, object: &Object) -> Option<Vec<Contact>> {
        self.contacts.of(core, object)
    }
}

/// The display names of one core's objects.
pub(super) struct Naming<'a> {
    /// `None`: they can't be read now.
    pub(super) labels: Option<&'a objects::Names>,
    is_asked: bool,
    has_source: bool,
}

impl Naming<'_> {
    pub(super) fn names(&self, object: &Object, clicked_message: Option<&Notification>) -> Names {
        let mut names = Names::from_card(clicked_message);
        if !self.is_asked {
            return names;
        }
        let Some(labels) = self.labels else {
            // Where only the card has names, those are all.
            return Names { are_all: clicked_message.is_some() && !self.has_source, ..names };
        };
        let label = |service: &str| labels.label(&object.host, service).cloned();
        names.hosts.extend(label(""));
        names.hosts.extend(labels.alias(&object.host).cloned());
        names.services.extend(object.service.as_deref().and_then(label));
        names
    }
}

impl Names {
    /// The names on the card.
    fn from_card(clicked_message: Option<&Notification>) -> Self {
        let mut names = Self { are_all: true, ..Self::default() };
        if let Some(clicked_message) = clicked_message {
            names.hosts.extend(clicked_message.host.display_name.iter().chain(&clicked_message.host.alias).cloned());
            names.services.extend(clicked_message.service.iter().filter_map(|service| service.display_name.clone()));
        }
        names
    }

    pub(super) fn of<'a>(&'a self, object: &'a Object) -> ObjectNames<'a> {
        ObjectNames {
            object,
            host_labels: self.hosts.iter().map(String::as_str).collect(),
            service_labels: self.services.iter().map(String::as_str).collect(),
            are_all: self.are_all,
        }
    }
}
