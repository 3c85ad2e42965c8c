//! From a destination as written to the id that Slack expects: look-ups of people and groups, remembered in the outbox.

use super::Deliverer;
use crate::config::{Config, Destination, Flavor, Mention, Thread};
use crate::flow::people;
use crate::model::outcome::Outcome;
use crate::model::slack_error::{Reason, SlackError};
use crate::rules::render::ResolvedMention;
use crate::rules::route::{self, Routed};
use crate::store::{DeliveryQueue, MessageMode, Target};
use log::warn;
use std::time::Duration;

/// The queue of a routed notification; `email` is its contact's.
pub(super) fn queue_of(routed: &Routed, email: Option<&str>) -> DeliveryQueue {
    let target = match &routed.to {
        route::Target::Webhook => Target::Webhook,
        route::Target::Destination(Destination::Contact) => {
            Target::Email(email.unwrap_or("contact without an e-mail address").to_owned())
        }
        route::Target::Destination(destination) => Target::from(destination),
    };
    DeliveryQueue { integration: routed.integration.clone(), target }
}

/// Whether the queue's messages can be edited later (bot token) or not (webhook).
pub(crate) fn message_mode(config: &Config, queue: &DeliveryQueue) -> MessageMode {
    let integration = config.integrations.iter().find(|integration| integration.name == queue.integration);
    let is_bots = integration.is_some_and(|found| found.is_bot() && found.flavor == Flavor::Slack);
    if is_bots && queue.target != Target::Webhook {
        MessageMode::Editable { threaded: config.message.thread != Thread::Off }
    } else {
        MessageMode::WriteOnce
    }
}

/// The target if Slack takes it as it stands.
pub(super) fn literal(target: &Target) -> Option<&str> {
    match target {
        Target::Channel(channel) => Some(channel),
        Target::Webhook | Target::Email(_) => None,
    }
}

/// Mentions as the outbox keeps them.
pub(super) fn mention_texts(mentions: &[Mention]) -> Vec<String> {
    mentions.iter().map(ToString::to_string).collect()
}

impl Deliverer {
    /// The channel for Slack's API: the target itself, or the user id behind an e-mail address. `None` for a webhook's own
    /// channel; when a bot token has replaced the webhook, the integration's.
    pub(super) fn channel(&self, queue: &DeliveryQueue, budget: Duration) -> Result<Option<String>, Outcome> {
        match &queue.target {
            Target::Webhook => {
                let replaced = self.integration(&queue.integration).filter(|found| found.webhook_url().is_none());
                let Some(integration) = replaced else { return Ok(None) };
                // Only this message has no destination; the integration isn't paused for it.
                let gone = || Outcome::DestinationNever { reason: "the webhook it was for is gone".into() };
                let target = integration.channel.as_ref().map(Target::from).ok_or_else(gone)?;
                self.channel(&DeliveryQueue { target, ..queue.clone() }, budget)
            }
            Target::Email(email) => match self.person(&queue.integration, email, budget)? {
                Some(id) => Ok(Some(id)),
                None => Err(Outcome::DestinationNever {
                    reason: Reason::new(SlackError::UsersNotFound, format!("users_not_found: {email}")),
                }),
            },
            Target::Channel(channel) => Ok(Some(channel.clone())),
        }
    }

    /// The people to mention; one that can't be looked up is left out, as the message matters more.
    pub(super) fn mentions(&self, queue: &DeliveryQueue, texts: &[String], budget: Duration) -> Vec<ResolvedMention> {
        let mut resolved = Vec::new();
        for mention in self.named(texts) {
            let found = match mention {
                Mention::Here => Some(ResolvedMention::Here),
                Mention::Channel => Some(ResolvedMention::Channel),
                Mention::Everyone => Some(ResolvedMention::Everyone),
                Mention::User(id) => Some(ResolvedMention::User(id)),
                Mention::UserGroup(id) => Some(ResolvedMention::UserGroup(id)),
                Mention::Email(email) => {
                    self.person(&queue.integration, &email, budget).ok().flatten().map(ResolvedMention::User)
                }
                // Nobody is on call, or was taken for nobody before.
                Mention::OnCall(_) => None,
                Mention::Handle(handle) => {
                    self.group(&queue.integration, &handle, budget).ok().flatten().map(ResolvedMention::UserGroup)
                }
            };
            match found {
                Some(mention) => resolved.push(mention),
                None => warn!("mention not found integration={} mention={:?}", queue.integration, texts),
            }
        }
        resolved
    }

    /// The mentions that the texts name; a shift plan's are those of the people who are on call now.
    fn named(&self, texts: &[String]) -> Vec<Mention> {
        let mut named: Vec<Mention> = Vec::new();
        for mention in texts.iter().filter_map(|text| text.parse::<Mention>().ok()) {
            let people = match &mention {
                Mention::OnCall(name) => self.store.on_duty(name).ok().flatten().map(|duty| duty.people),
                _ => None,
            };
            let people = people.unwrap_or_default();
            let people = people.iter().filter_map(|person| people::as_mention(person).parse().ok());
            let before = named.len();
            named.extend(people);
            if named.len() == before {
                named.push(mention);
            }
        }
        let mut once = Vec::new();
        named.retain(|mention| {
            !once.contains(mention) && {
                once.push(mention.clone());
                true
            }
        });
        named
    }

    /// The user id behind an e-mail address.
    fn person(&self, integration: &str, email: &str, budget: Duration) -> Result<Option<String>, Outcome> {
        if self.simulated.is_some() {
            return Ok(Some(email.to_owned()));
        }
        let Some(client) = self.clients.get(integration) else {
            return Ok(None);
        };
        people::user_id(&self.store, client, (integration, email), self.now_ms(), budget)
    }

    /// The id of a user group by its handle (<https://docs.slack.dev/reference/methods/usergroups.list>).
    fn group(&self, integration: &str, handle: &str, budget: Duration) -> Result<Option<String>, Outcome> {
        if self.simulated.is_some() {
            return Ok(Some(handle.to_owned()));
        }
        people::remembered(&self.store, (integration, &format!("@{handle}")), self.now_ms(), || {
            let Some(client) = self.clients.get(integration) else {
                return Ok(None);
            };
            let answer = client.look_up("usergroups.list", &[], budget)?;
            let groups = answer["usergroups"].as_array().map(Vec::as_slice).unwrap_or_default();
            let found = groups.iter().find(|group| group["handle"].as_str() == Some(handle));
            Ok(found.and_then(|group| group["id"].as_str()).map(str::to_owned))
        })
    }
}
