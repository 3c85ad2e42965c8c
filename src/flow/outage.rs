//! While the database can't be reached, whoever has notifications waiting says so in Slack: one message for each
//! integration, in its `channel`, edited each minute and ended when they are in the outbox. It needs no database, and its only
//! memory is a file (`state_dir/outage`): a listener that was killed edits the same message on.
//!
//! A webhook's message can't be edited: one is posted, and another one at the end.

use crate::config::{Config, Integration};
use crate::model::incoming::Incoming;
use crate::model::notification::Severity;
use crate::model::outcome::Outcome;
use crate::rules::outage::{Database, Moment, Step, step};
use crate::slack::api::Client;
use crate::slack::outage::{away, over};
use crate::state_dir::outage::{self, AnnouncedOutage, OutageMessage};
use crate::state_dir::spool::Spool;
use crate::store::Target;
use crate::system::clock;
use crate::system::environment::Environment;
use log::{error, info, warn};
use serde_json::json;
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
    /// Kept here as well, for a disk that refuses it.
    announced: Option<AnnouncedOutage>,
    last_call: Option<Instant>,
}

impl OutageAnnouncer {
    pub(crate) fn new(config: &Config, env: &Environment) -> Self {
        let announced = outage::read(&config.state_dir);
        let spool = Spool::new(&config.state_dir);
        Self { config: config.clone(), env: env.clone(), spool, announced, last_call: None }
    }

    pub(crate) fn reconfigure(&mut self, config: &Config) {
        self.config = config.clone();
    }

    /// To be called each second.
    pub(crate) fn look(&mut self, database: Database) {
        // A sound database costs no look at the disk.
        if self.announced.is_none() && !matches!(database, Database::Away(_)) {
            self.last_call = None;
            return;
        }
        let waiting = self.spool.waiting().0;
        let last_call = self.last_call.map(|at| at.elapsed().as_secs());
        match step(&Moment { database, waiting, is_announced: self.announced.is_some(), last_call }) {
            Step::Nothing => {}
            Step::Announce => self.announce(database, waiting),
            Step::End => self.end(),
            Step::Forget => self.forget(),
        }
    }

    fn announce(&mut self, database: Database, waiting: usize) {
        let lasted = if let Database::Away(seconds) = database { seconds } else { 0 };
        let now = clock::wall_ms() / 1000;
        let mut announced = self.announced.take().unwrap_or_else(|| AnnouncedOutage {
            since: now.saturating_sub(i64::try_from(lasted).unwrap_or(0)),
            ..AnnouncedOutage::default()
        });
        announced.waited = announced.waited.max(waiting);
        let text = away(&host(), announced.since, waiting, self.worst().as_deref());
        for integration in self.config.integrations.iter().filter(|integration| integration.enabled) {
            let message = announced.messages.get(&integration.name);
            let Some(message) = self.say(integration, message, &text) else { continue };
            announced.messages.insert(integration.name.clone(), message);
            self.keep(&announced);
        }
        self.last_call = Some(Instant::now());
        self.announced = Some(announced).filter(|announced| !announced.messages.is_empty());
    }

    fn end(&mut self) {
        let Some(mut announced) = self.announced.take() else { return };
        let text = over(&host(), announced.since, clock::wall_ms() / 1000, announced.waited);
        let (mut are_ended, names) = (true, announced.messages.keys().cloned().collect::<Vec<_>>());
        for name in names {
            let integration = self.config.integrations.iter().find(|found| found.name == name && found.enabled);
            let Some(message) = announced.messages.get_mut(&name).filter(|message| !message.is_ended) else { continue };
            // Of one that is gone from the configuration nobody can edit the message.
            message.is_ended = match integration {
                Some(integration) if message.posted.is_none() => self.say(integration, None, &text).is_some(),
                Some(integration) => self.say(integration, Some(message), &text).is_some(),
                None => true,
            };
            are_ended &= message.is_ended;
            self.keep(&announced);
        }
        self.last_call = Some(Instant::now());
        self.announced = Some(announced);
        if are_ended {
            info!("told that the database is back");
            self.forget();
        }
    }

    fn forget(&mut self) {
        (self.announced, self.last_call) = (None, None);
        if let Err(e) = outage::remove(&self.config.state_dir) {
            warn!("can't remove a file file=outage.json reason={:?}", e.to_string());
        }
    }

    /// Posts or edits; the message then. `None`: it failed, and is tried again.
    fn say(&self, integration: &Integration, message: Option<&OutageMessage>, text: &str) -> Option<OutageMessage> {
        let posted = match message {
            None => None,
            Some(message) if message.posted.is_none() => return Some(message.clone()),
            Some(message) => message.posted.as_ref(),
        };
        let name = &integration.name;
        let client = Client::new(integration, &self.env)
            .inspect_err(|e| error!("can't tell of the outage integration={name} reason={:?}", e.to_string()))
            .ok()?;
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
            Outcome::Delivered(at) => {
                let posted = at.map(|at| (at.channel, at.ts)).or_else(|| posted.cloned());
                Some(OutageMessage { posted, is_ended: false })
            }
            other => {
                warn!("can't tell of the outage integration={name} reason={:?} action=retry", other.reason().text);
                None
            }
        }
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

    fn keep(&self, announced: &AnnouncedOutage) {
        if let Err(e) = outage::write(&self.config.state_dir, announced) {
            warn!("can't write a file file=outage.json reason={:?} kept=in_memory", e.to_string());
        }
    }
}

/// As notifications call this machine.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
