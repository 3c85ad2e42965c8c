//! One Slack client per integration, created when it is first needed and again after a change of the configuration.

use crate::config::Config;
use crate::rules::lease::Term;
use crate::slack::api::Client;
use crate::store::{Leadership, Store};
use crate::system::environment::Environment;
use log::error;
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) struct Clients {
    config: Arc<Config>,
    env: Environment,
    known: HashMap<String, Client>,
    /// The lease in whose name they call.
    term: Option<Arc<Term>>,
}

impl Clients {
    pub(crate) fn new(config: Arc<Config>, env: Environment) -> Self {
        Self { config, env, known: HashMap::new(), term: None }
    }

    /// The same for a thread that only the leader has: its outbox and its calls are of this lease.
    pub(crate) fn leading(
        config: Arc<Config>,
        env: Environment,
        (store, leadership): (&Store, Option<&Leadership>),
    ) -> Self {
        store.lead(leadership);
        Self { config, env, known: HashMap::new(), term: leadership.and_then(Leadership::term).cloned() }
    }

    /// Puts a configuration in force; nothing happens when it is the same.
    pub(crate) fn reconfigure(&mut self, config: &Arc<Config>) {
        if !Arc::ptr_eq(&self.config, config) {
            self.config = Arc::clone(config);
            self.known.clear();
        }
    }

    /// The client of an integration; `None` when the integration is gone, or its client can't be created.
    pub(crate) fn get(&mut self, integration: &str) -> Option<&Client> {
        if !self.known.contains_key(integration) {
            let found = self.config.integrations.iter().find(|found| found.name == integration)?;
            match Client::new(found, &self.env) {
                Ok(client) => self.known.insert(integration.to_owned(), client.within(self.term.clone())),
                Err(e) => {
                    error!("can't create a Slack client integration={integration} reason={:?}", e.to_string());
                    return None;
                }
            };
        }
        self.known.get(integration)
    }
}
