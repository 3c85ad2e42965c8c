//! What every door asks first: who it is, and by which names an object is known, so that [`crate::rules::authorise`] can decide.

use super::clients::Clients;
use super::request::Asker;
use super::requester::{People, WhoError};
use crate::config::{Config, Core};
use crate::model::notification::Notification;
use crate::model::object::Object;
use crate::monitoring::contacts::Contacts;
use crate::monitoring::labels::{self, Labels};
use crate::monitoring::{objects, paths};
use crate::rules::authorise::{Caller, Contact, ObjectNames};
use crate::slack::api::Client;
use crate::system::environment::Environment;
use std::sync::Arc;

/// Who was asked about, remembered; each thread has its own.
pub(super) struct Gate {
    config: Arc<Config>,
    clients: Clients,
    people: People,
    pub(super) contacts: Contacts,
    pub(super) labels: Labels,
}

/// Nobody can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GateError {
    #[error("There is no integration \"{0}\" any more")]
    Gone(String),
    #[error("ackbell can't talk to Slack with its present configuration")]
    NoClient,
    #[error(transparent)]
    Who(#[from] WhoError),
}

/// What people call an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    hosts: Vec<String>,
    services: Vec<String>,
    are_all: bool,
}

impl Gate {
    pub(super) fn new(config: Arc<Config>, env: Environment) -> Self {
        let clients = Clients::new(Arc::clone(&config), env);
        Self { config, clients, people: People::default(), contacts: Contacts::default(), labels: Labels::default() }
    }

    /// Takes the configuration in force; nothing happens when it is the same.
    pub(super) fn reconfigure(&mut self, config: &Arc<Config>) {
        if !Arc::ptr_eq(&self.config, config) {
            self.config = Arc::clone(config);
            self.clients.reconfigure(config);
            // Another token, perhaps.
            self.people.forget();
        }
    }

    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    pub(super) fn client(&mut self, integration: &str) -> Option<&Client> {
        self.clients.get(integration)
    }

    /// Who asks, as Slack says. Nothing is decided by that.
    pub(super) fn caller(&mut self, asker: &Asker) -> Result<Caller, GateError> {
        let config = Arc::clone(&self.config);
        let known = config.integrations.iter().find(|found| found.name == asker.integration);
        let integration = known.ok_or_else(|| GateError::Gone(asker.integration.clone()))?;
        let client = self.clients.get(&asker.integration).ok_or(GateError::NoClient)?;
        let team_id = self.people.team(integration, client, asker)?;
        let person = self.people.who(asker, integration, &team_id, &config, client)?;
        Ok(Caller { person, team_id, channel: asker.channel.clone(), acts: integration.acts })
    }

    /// The core of that name; the machine's own where none is configured.
    pub(super) fn core(&self, name: &str) -> Option<Core> {
        paths::core(&self.config, name)
    }

    /// By which names a core's objects are known. Where the core's files are is looked up once, so for many objects this
    /// is asked once.
    pub(super) fn naming(&mut self, core: &Core) -> Naming<'_> {
        let rules = &self.config.access.rules;
        let is_asked = rules.iter().any(|rule| !rule.hosts.is_empty() || !rule.services.is_empty());
        let labels = self.labels.of_core(core);
        let has_source = labels.is_some() || (is_asked && labels::has_source(core));
        Naming { labels, is_asked, has_source }
    }

    /// By which names one object is known: to its card, and to the core. Without rules that name hosts or services
    /// nobody is asked.
    pub(super) fn names(&mut self, core: &Core, object: &Object, card: Option<&Notification>) -> Names {
        let rules = &self.config.access.rules;
        if rules.iter().all(|rule| rule.hosts.is_empty() && rule.services.is_empty()) {
            return Names::on(card);
        }
        self.naming(core).names(object, card)
    }

    /// Who belongs to an object.
    pub(super) fn contacts_of(&mut self, core: &Core, object: &Object) -> Option<Vec<Contact>> {
        self.contacts.of(core, object)
    }
}

/// What people call the objects of one core.
pub(super) struct Naming<'a> {
    /// `None`: it can't be known now.
    pub(super) labels: Option<&'a objects::Names>,
    is_asked: bool,
    has_source: bool,
}

impl Naming<'_> {
    pub(super) fn names(&self, object: &Object, card: Option<&Notification>) -> Names {
        let mut names = Names::on(card);
        if !self.is_asked {
            return names;
        }
        let Some(labels) = self.labels else {
            // Where nobody but the card says names, those are all.
            return Names { are_all: card.is_some() && !self.has_source, ..names };
        };
        let label = |service: &str| labels.label(&object.host, service).cloned();
        names.hosts.extend(label(""));
        names.hosts.extend(labels.alias(&object.host).cloned());
        names.services.extend(object.service.as_deref().and_then(label));
        names
    }
}

impl Names {
    /// Those that the card says.
    fn on(card: Option<&Notification>) -> Self {
        let mut names = Self { are_all: true, ..Self::default() };
        if let Some(card) = card {
            names.hosts.extend(card.host.display_name.iter().chain(&card.host.alias).cloned());
            names.services.extend(card.service.iter().filter_map(|service| service.display_name.clone()));
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
