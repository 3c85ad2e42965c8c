//! From a destination as written to what Slack takes: look-ups of people and groups, remembered in the outbox.

use super::Deliverer;
use crate::config::{Config, Destination, Flavor, Mention, Thread};
use crate::model::notification::Notification;
use crate::model::outcome::Outcome;
use crate::model::slack_error::{Reason, SlackError};
use crate::rules::render::ResolvedMention;
use crate::rules::route::{Placed, Target};
use crate::store::{Lane, Voice};
use crate::system::clock::millis;
use log::warn;
use serde_json::Value;
use std::time::Duration;

/// How long a found person or group is remembered, and how long that there is none.
const FOUND_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const NOBODY_FOR: Duration = Duration::from_secs(5 * 60);

/// The lane of a placed notification: texts, as the outbox keeps them.
pub(super) fn lane_of(placed: &Placed, notification: &Notification) -> Lane {
    let target = match &placed.to {
        Target::Webhook => String::new(),
        Target::Destination(Destination::Contact) => {
            format!("@{}", notification.contact.email.as_deref().unwrap_or("contact without an e-mail address"))
        }
        Target::Destination(destination) => target_text(destination),
    };
    Lane { integration: placed.integration.clone(), target }
}

/// How the lane shows what is said: by messages that live where a bot token can edit them.
pub(crate) fn voice(config: &Config, lane: &Lane) -> Voice {
    let lives = config
        .integrations
        .iter()
        .find(|integration| integration.name == lane.integration)
        .is_some_and(|i| i.is_bot() && i.flavor == Flavor::Slack && !lane.target.is_empty());
    if lives { Voice::Living { threaded: config.message.thread != Thread::Off } } else { Voice::Fixed }
}

/// The text of a destination; e-mails with an `@` before them.
pub(super) fn target_text(destination: &Destination) -> String {
    destination.to_string()
}

/// The lane's target if Slack takes it as it stands.
pub(super) fn literal(target: &str) -> Option<&str> {
    (!target.is_empty() && !target.starts_with('@')).then_some(target)
}

/// Mentions as the outbox keeps them.
pub(super) fn mentions_to_text(mentions: &[Mention]) -> String {
    let texts: Vec<String> = mentions.iter().map(ToString::to_string).collect();
    Value::from(texts).to_string()
}

impl Deliverer {
    /// What to give Slack as the channel: the target itself, or the user id behind an e-mail address. `None` for a
    /// webhook's own channel; when a bot token has taken the webhook's place, the integration's.
    pub(super) fn channel(&self, lane: &Lane, budget: Duration) -> Result<Option<String>, Outcome> {
        let integration = self.integration(&lane.integration);
        if let Some(integration) = integration.filter(|i| lane.target.is_empty() && i.webhook_url().is_none()) {
            // Only this message has no place; the integration isn't held for it.
            let gone = || Outcome::PlaceNever { reason: "the webhook it was for is gone".into() };
            let own = integration.channel.as_ref().map(target_text).ok_or_else(gone)?;
            return self.channel(&Lane { target: own, ..lane.clone() }, budget);
        }
        let Some(email) = lane.target.strip_prefix('@') else {
            return Ok(literal(&lane.target).map(str::to_owned));
        };
        match self.person(&lane.integration, email, budget)? {
            Some(id) => Ok(Some(id)),
            None => Err(Outcome::PlaceNever {
                reason: Reason::new(SlackError::UsersNotFound, format!("users_not_found: {email}")),
            }),
        }
    }

    /// Who is called; one that can't be found out is left out, as the message matters more.
    pub(super) fn mentions(&self, lane: &Lane, texts: &[String], budget: Duration) -> Vec<ResolvedMention> {
        let mut resolved = Vec::new();
        for mention in texts.iter().filter_map(|text| text.parse::<Mention>().ok()) {
            let found = match mention {
                Mention::Here => Some(ResolvedMention::Here),
                Mention::Channel => Some(ResolvedMention::Channel),
                Mention::Everyone => Some(ResolvedMention::Everyone),
                Mention::User(id) => Some(ResolvedMention::User(id)),
                Mention::UserGroup(id) => Some(ResolvedMention::UserGroup(id)),
                Mention::Email(email) => {
                    self.person(&lane.integration, &email, budget).ok().flatten().map(ResolvedMention::User)
                }
                Mention::Handle(handle) => {
                    self.group(&lane.integration, &handle, budget).ok().flatten().map(ResolvedMention::UserGroup)
                }
            };
            match found {
                Some(mention) => resolved.push(mention),
                None => warn!("nobody to mention integration={} mention={:?}", lane.integration, texts),
            }
        }
        resolved
    }

    /// The user id behind an e-mail address (<https://docs.slack.dev/reference/methods/users.lookupByEmail>).
    fn person(&self, integration: &str, email: &str, budget: Duration) -> Result<Option<String>, Outcome> {
        self.remembered(integration, email, || {
            let Some(client) = self.clients.get(integration) else {
                return Ok(None);
            };
            match client.look_up("users.lookupByEmail", &[("email", email)], budget) {
                Ok(answer) => Ok(answer["user"]["id"].as_str().map(str::to_owned)),
                Err(Outcome::PlaceNever { .. }) => Ok(None),
                Err(other) => Err(other),
            }
        })
    }

    /// The id of a user group by its handle (<https://docs.slack.dev/reference/methods/usergroups.list>).
    fn group(&self, integration: &str, handle: &str, budget: Duration) -> Result<Option<String>, Outcome> {
        self.remembered(integration, &format!("@{handle}"), || {
            let Some(client) = self.clients.get(integration) else {
                return Ok(None);
            };
            let answer = client.look_up("usergroups.list", &[], budget)?;
            let groups = answer["usergroups"].as_array().map(Vec::as_slice).unwrap_or_default();
            let found = groups.iter().find(|group| group["handle"].as_str() == Some(handle));
            Ok(found.and_then(|group| group["id"].as_str()).map(str::to_owned))
        })
    }

    /// The remembered answer, else a fresh one.
    fn remembered(
        &self,
        integration: &str,
        name: &str,
        ask: impl FnOnce() -> Result<Option<String>, Outcome>,
    ) -> Result<Option<String>, Outcome> {
        let now = self.now_ms();
        if let Ok(Some(known)) = self.store.looked_up(integration, name, now) {
            return Ok(known.0);
        }
        let found = ask()?;
        let keep = if found.is_some() { FOUND_FOR } else { NOBODY_FOR };
        if let Err(e) = self.store.remember(integration, name, found.as_deref(), now.saturating_add(millis(keep))) {
            warn!("can't remember a look-up reason={e}");
        }
        Ok(found)
    }
}
