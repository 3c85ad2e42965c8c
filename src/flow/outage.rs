//! While the database can't be reached, whoever has notifications waiting says so in Slack: one message for each
//! integration, in its `channel`, edited each minute and ended when they are in the outbox. It needs no database, and its only
//! memory is a file (`state_dir/outage`): a listener that was killed edits the same message on.
//!
//! A webhook's message can't be edited: one is posted, and another one at the end.

use crate::config::{Config, Integration};
use crate::model::incoming::Incoming;
use crate::model::notification::Severity;
use crate::model::outcome::Outcome;
use crate::rules::outage::{ANNOUNCED_AFTER, Database, Moment, Step, announced_after, step};
use crate::slack::api::Client;
use crate::slack::outage::{away, over};
use crate::state_dir::machine::machine;
use crate::state_dir::outage::{self, AnnouncedOutage, OutageMessage};
use crate::state_dir::spool::Spool;
use crate::store::Target;
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::host::host_name;
use log::{error, info, warn};
use serde_json::json;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// For one call.
const BUDGET: Duration = Duration::from_secs(10);
/// Among so many of the oldest notifications the worst is looked for.
const LOOKED_AT: usize = 500;

/// Tells of outages.
#[derive(Debug)]
pub(crate) struct OutageAnnouncer {
    config: Config,
    env: Environment,
    spool: Spool,
    /// When it posts its first message of an outage.
    announced_after: u64,
    /// Kept here as well, for a disk that refuses it.
    announced: Option<AnnouncedOutage>,
    /// By integration.
    calls: BTreeMap<String, Calls>,
}

/// The calls to Slack for one integration.
#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    last: Option<Instant>,
    /// Slack wants none before.
    rests_until: Option<Instant>,
}

/// Where a message is: its channel and `ts`. A webhook doesn't say it.
type Posted = (String, String);

/// What came of a call.
enum Called {
    At(Option<Posted>),
    /// Slack wants none for so long.
    Rests(Duration),
    Failed,
}

impl OutageAnnouncer {
    pub(crate) fn new(config: &Config, env: &Environment) -> Self {
        Self {
            config: config.clone(),
            env: env.clone(),
            spool: Spool::new(&config.state_dir),
            announced_after: announced_after(&machine(&config.state_dir)),
            announced: outage::read(&config.state_dir),
            calls: BTreeMap::new(),
        }
    }

    pub(crate) fn reconfigure(&mut self, config: &Config) {
        self.config = config.clone();
    }

    /// To be called each second.
    pub(crate) fn look(&mut self, database: Database<u64>) {
        let lasts = match database {
            Database::Away(seconds) => seconds >= ANNOUNCED_AFTER,
            Database::Unknown | Database::Reached(_) => false,
        };
        // A sound database, or a short outage, costs no look at the disk.
        if self.announced.is_none() && !lasts {
            self.calls.clear();
            return;
        }
        let waiting = self.spool.count();
        if let Some(announced) = &mut self.announced {
            announced.waited = announced.waited.max(waiting);
        }
        let worst = OnceCell::new();
        for name in self.names() {
            match step(&self.moment(&name, database, waiting)) {
                Step::Nothing => {}
                Step::Announce => self.announce(&name, database, waiting, &worst),
                Step::End => self.end(&name),
                Step::Forget => return self.forget(),
            }
        }
        let are_ended = |announced: &AnnouncedOutage| announced.messages.values().all(|message| message.is_ended);
        if matches!(database, Database::Reached(_)) && self.announced.as_ref().is_some_and(are_ended) {
            info!("told that the database is back");
            self.forget();
        }
    }

    /// The integrations that tell of it, also those that are gone from the configuration.
    fn names(&self) -> BTreeSet<String> {
        let enabled = self.config.integrations.iter().filter(|integration| integration.enabled);
        let announced = self.announced.iter().flat_map(|announced| announced.messages.keys());
        enabled.map(|integration| &integration.name).chain(announced).cloned().collect()
    }

    fn moment(&self, name: &str, database: Database<u64>, waiting: usize) -> Moment {
        let calls = self.calls.get(name).copied().unwrap_or_default();
        Moment {
            database,
            waiting,
            is_announced: self.message(name).is_some_and(|message| !message.is_ended),
            announced_after: self.announced_after,
            last_call: calls.last.map(|at| at.elapsed().as_secs()),
            rests: calls.rests_until.is_some_and(|until| until > Instant::now()),
        }
    }

    fn message(&self, name: &str) -> Option<&OutageMessage> {
        self.announced.as_ref()?.messages.get(name)
    }

    fn announce(&mut self, name: &str, database: Database<u64>, waiting: usize, worst: &OnceCell<Option<String>>) {
        let posted = match self.message(name) {
            // A webhook's stays as it is.
            Some(OutageMessage { posted: None, is_ended: false }) => return,
            message => message.and_then(|message| message.posted.clone()),
        };
        let Some(integration) = self.integration(name) else { return };
        let lasted = if let Database::Away(seconds) = database { i64::try_from(seconds).unwrap_or(0) } else { 0 };
        let since = self.announced.as_ref().map_or_else(|| now().saturating_sub(lasted), |announced| announced.since);
        let worst = worst.get_or_init(|| self.worst());
        let called = self.say(integration, posted.as_ref(), &away(&host_name(), since, waiting, worst.as_deref()));
        if let Some(message) = self.record_call(name, called) {
            let announced =
                self.announced.get_or_insert_with(|| AnnouncedOutage { since, ..AnnouncedOutage::default() });
            announced.waited = announced.waited.max(waiting);
            announced.messages.insert(name.to_owned(), message);
            self.keep();
        }
    }

    fn end(&mut self, name: &str) {
        let (Some(announced), Some(message)) = (&self.announced, self.message(name)) else { return };
        let text = over(&host_name(), announced.since, now(), announced.waited);
        let called = match self.integration(name) {
            Some(integration) => self.say(integration, message.posted.as_ref(), &text),
            // Of one that is gone from the configuration nobody can edit the message.
            None => Called::At(message.posted.clone()),
        };
        if let Some(message) = self.record_call(name, called)
            && let Some(announced) = &mut self.announced
        {
            announced.messages.insert(name.to_owned(), OutageMessage { is_ended: true, ..message });
            self.keep();
        }
    }

    fn forget(&mut self) {
        self.announced = None;
        self.calls.clear();
        if let Err(e) = outage::remove(&self.config.state_dir) {
            warn!("can't remove a file file=outage.json reason={:?}", e.to_string());
        }
    }

    fn integration(&self, name: &str) -> Option<&Integration> {
        self.config.integrations.iter().find(|integration| integration.name == name && integration.enabled)
    }

    /// Posts, or edits what was posted.
    fn say(&self, integration: &Integration, posted: Option<&Posted>, text: &str) -> Called {
        let name = &integration.name;
        let client = match Client::new(integration, &self.env) {
            Ok(client) => client,
            Err(e) => {
                error!("can't tell of the outage integration={name} reason={:?}", e.to_string());
                return Called::Failed;
            }
        };
        let body = json!({ "text": text, "unfurl_links": false, "unfurl_media": false });
        let target = integration.channel.as_ref().map(Target::from);
        let channel = match &target {
            Some(Target::Channel(channel)) => Some(channel.as_str()),
            _ => None,
        };
        let outcome = match posted {
            Some((channel, ts)) => match client.update(channel, ts, body.clone(), BUDGET) {
                // Somebody deleted it.
                Outcome::PostAnew { .. } => client.post(Some(channel), body, BUDGET),
                other => other,
            },
            None => client.post(channel, body, BUDGET),
        };
        match outcome {
            Outcome::Delivered(at) => Called::At(at.map(|at| (at.channel, at.ts)).or_else(|| posted.cloned())),
            Outcome::Wait { after } => Called::Rests(after),
            other => {
                warn!("can't tell of the outage integration={name} reason={:?} action=retry", other.reason().text);
                Called::Failed
            }
        }
    }

    /// Remembers when it may call again; the message, if the call went well.
    fn record_call(&mut self, name: &str, called: Called) -> Option<OutageMessage> {
        let calls = self.calls.entry(name.to_owned()).or_default();
        if let Called::Rests(after) = called {
            calls.rests_until = Some(Instant::now() + after);
            return None;
        }
        *calls = Calls { last: Some(Instant::now()), rests_until: None };
        if let Called::At(posted) = called { Some(OutageMessage { posted, is_ended: false }) } else { None }
    }

    /// The worst of the waiting notifications, in a few words.
    fn worst(&self) -> Option<String> {
        let ids = self.spool.oldest(LOOKED_AT).unwrap_or_default();
        let entries = ids.iter().filter_map(|id| self.spool.read(id).ok());
        let mut worst: Option<(Severity, String)> = None;
        for entry in entries {
            let Incoming::Notification(notification) = &entry.incoming else { continue };
            let severity = notification.severity();
            if worst.as_ref().is_none_or(|(known, _)| severity > *known) {
                let state = notification.state_name().unwrap_or("UNKNOWN");
                worst = Some((severity, format!("{state}: {}", notification.object_label())));
            }
        }
        worst.map(|(_, text)| text)
    }

    fn keep(&self) {
        if let Some(announced) = &self.announced
            && let Err(e) = outage::write(&self.config.state_dir, announced)
        {
            warn!("can't write a file file=outage.json reason={:?} kept=in_memory", e.to_string());
        }
    }
}

/// Unix seconds.
fn now() -> i64 {
    clock::wall_ms() / 1000
}

#[cfg(test)]
mod tests;
