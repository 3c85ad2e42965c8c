//! The destinations of the routes: whether the bot finds each, may write there, and, with `--send`, does.

use super::{CALL_MAX, Step, Steps, Trouble};
use crate::config::{Config, Destination, Integration};
use crate::flow::deliver;
use crate::model::notification::Fields;
use crate::model::outcome::Outcome;
use crate::rules::remedy::{Context, remedy};
use crate::slack::api::Client;
use crate::slack::api::probe::ProbeResponse;
use crate::system::clock;
use crate::system::order;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Pages of a thousand channels that are searched for a name.
const PAGES_MAX: usize = 15;
/// Slack takes one message a second in a channel.
const PACE: Duration = Duration::from_millis(1100);

/// Every destination of the integration, once: of its routes, its own, and those of the week's summary and the dead man's
/// switch.
fn destinations(config: &Config, own: &Integration) -> BTreeSet<Destination> {
    let of_routes = config.routes_to(own).flat_map(|route| route.to.iter().cloned());
    let is_own = |name: Option<&String>| match name {
        Some(name) => *name == own.name,
        None => config.integrations.first().is_some_and(|first| first.name == own.name),
    };
    let summary = config.weekly.as_ref().map(|weekly| (weekly.integration.as_ref(), &weekly.channel));
    let deadman = config.deadman.as_ref().map(|deadman| (deadman.integration.as_ref(), &deadman.channel));
    let others = [summary, deadman].into_iter().flatten().filter(|(name, _)| is_own(*name));
    order::set(of_routes.chain(own.channel.clone()).chain(others.map(|(_, channel)| channel.clone())))
}

/// Examines them with a bot token.
pub(super) fn all(
    config: &Config,
    own: &Integration,
    client: &Client,
    response: &ProbeResponse,
    bot: &str,
    steps: &Steps,
) {
    let has = |wanted: &str| response.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope == wanted));
    let destinations = destinations(config, own);
    let names = destinations.iter().any(|destination| matches!(destination, Destination::ChannelName(_)));
    let known = if names && has("channels:read") { list(client, has("groups:read")) } else { Ok(None) };
    let (public_is_open, may_read) = (has("chat:write.public"), has("channels:read"));
    let has_pictures = config.curve.as_ref().is_some_and(|curve| curve.picture);
    let look = Look { own, client, bot, known, public_is_open, may_read, has_pictures };
    steps.extend(destinations.iter().filter_map(|destination| look.at(destination)));
}

/// The channels the bot can see; `None` where it wasn't asked.
type Known = Result<Option<Vec<Value>>, Outcome>;

/// Pages through `conversations.list` (<https://docs.slack.dev/reference/methods/conversations.list>): here nothing
/// waits for it, unlike on the way of a notification.
fn list(client: &Client, with_private: bool) -> Known {
    let types = if with_private { "public_channel,private_channel" } else { "public_channel" };
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let query = [("types", types), ("limit", "1000"), ("cursor", &cursor)];
        let query = if cursor.is_empty() { &query[..2] } else { &query[..] };
        let answer = client.look_up("conversations.list", query, CALL_MAX)?;
        found.extend(answer["channels"].as_array().into_iter().flatten().cloned());
        answer["response_metadata"]["next_cursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
        if cursor.is_empty() {
            return Ok(Some(found));
        }
    }
    // Of a workspace with more channels a name that wasn't found proves nothing.
    Ok(None)
}

struct Look<'a> {
    own: &'a Integration,
    client: &'a Client,
    bot: &'a str,
    known: Known,
    public_is_open: bool,
    may_read: bool,
    /// Files go only where the bot is a member.
    has_pictures: bool,
}

impl Look<'_> {
    fn at(&self, destination: &Destination) -> Option<Step> {
        let hop = format!("[{}] {destination}", self.own.name);
        match destination {
            Destination::ChannelName(name) => Some(self.named(&hop, name)),
            Destination::ChannelId(id) if id.starts_with('D') => None,
            Destination::ChannelId(_) if !self.may_read => None,
            Destination::ChannelId(id) => {
                Some(match self.client.look_up("conversations.info", &[("channel", id)], CALL_MAX) {
                    Ok(answer) => self.channel(&hop, &answer["channel"]),
                    Err(outcome) => self.not_found(&hop, id, &outcome),
                })
            }
            Destination::User(id) => Some(self.person(&hop, "users.info", ("user", id))),
            Destination::Email(email) => Some(self.person(&hop, "users.lookupByEmail", ("email", email))),
            // Whoever the notification names.
            // Whoever is on call is looked at with the shift plan.
            Destination::Contact | Destination::OnCall(_) => None,
        }
    }

    fn named(&self, hop: &str, name: &str) -> Step {
        let name = name.trim_start_matches('#');
        let known = match &self.known {
            Ok(Some(known)) => known,
            Ok(None) => {
                let remedy = "ackbell doctor --send shows it";
                return Step::warning(hop, "this token can't look up whether the channel exists", remedy);
            }
            Err(outcome) => {
                let found = format!("the channels can't be listed: {}", outcome.reason());
                return Step::warning(hop, found, "ackbell doctor --send shows it");
            }
        };
        match known.iter().find(|channel| channel["name"] == name) {
            Some(channel) if channel["is_private"] == true => {
                let id = channel["id"].as_str().unwrap_or("C...");
                let found = "a private channel: Slack accepts only its id, not its name";
                Step::bad(Trouble::Refused, hop, found, format!("write \"{id}\" in place of \"#{name}\""))
            }
            Some(channel) => self.channel(hop, channel),
            None => {
                let found = format!("no such channel, or a private one that @{} isn't in", self.bot);
                let remedy =
                    format!("in that channel type /invite @{}; and write a private channel's id (C...)", self.bot);
                Step::bad(Trouble::Refused, hop, found, remedy)
            }
        }
    }

    fn channel(&self, hop: &str, channel: &Value) -> Step {
        let is = |key: &str| channel[key] == true;
        let name = crate::model::notification::clean_line(channel["name"].as_str().unwrap_or_default());
        let kind = if is("is_private") { "private" } else { "public" };
        if is("is_archived") {
            let remedy = format!("in Slack: unarchive #{name}, or name another channel in the configuration");
            return Step::bad(Trouble::Refused, hop, format!("#{name} is archived"), remedy);
        }
        if is("is_member") {
            return Step::good(hop, format!("{kind}, @{} is in it", self.bot));
        }
        if self.public_is_open && !is("is_private") && self.has_pictures {
            let found = format!("public; @{} isn't in it: its threads get no pictures of curves", self.bot);
            return Step::warning(hop, found, format!("in #{name} type /invite @{}", self.bot));
        }
        if self.public_is_open && !is("is_private") {
            return Step::good(hop, format!("public; @{} isn't in it and doesn't need to be", self.bot));
        }
        let remedy = format!("in #{name} type /invite @{}", self.bot);
        Step::bad(Trouble::Refused, hop, format!("@{} isn't in this {kind} channel", self.bot), remedy)
    }

    fn not_found(&self, hop: &str, id: &str, outcome: &Outcome) -> Step {
        match outcome {
            Outcome::DestinationNever { reason } => {
                let found =
                    format!("{reason}: there is no channel {id}, or it is private and @{} isn't in it", self.bot);
                Step::bad(Trouble::Refused, hop, found, format!("in that channel type /invite @{}", self.bot))
            }
            other => Step::warning(hop, format!("can't be seen: {}", other.reason()), "ackbell doctor --send shows it"),
        }
    }

    fn person(&self, hop: &str, method: &str, (key, value): (&str, &str)) -> Step {
        match self.client.look_up(method, &[(key, value)], CALL_MAX) {
            Ok(answer) if answer["user"]["deleted"] == true => {
                let remedy = "name somebody else in the configuration";
                Step::bad(Trouble::Refused, hop, "this person's account is deactivated", remedy)
            }
            Ok(answer) => {
                let name = answer["user"]["real_name"].as_str().unwrap_or("?");
                Step::good(hop, format!("a direct message to {}", crate::model::notification::clean_line(name)))
            }
            Err(Outcome::DestinationNever { .. }) => {
                let found = "nobody in this workspace has that address or id";
                Step::bad(Trouble::Refused, hop, found, "correct it, or invite the person into the workspace")
            }
            Err(other) => {
                Step::warning(hop, format!("can't be seen: {}", other.reason()), "ackbell doctor --send shows it")
            }
        }
    }
}

/// Posts a test message to each destination.
pub(super) fn send(config: &Config, own: &Integration, client: &Client, steps: &Steps) {
    let mut fields = Fields::default();
    for (name, value) in [
        ("notificationtype", "CUSTOM"),
        ("hostname", "ackbell"),
        ("hoststate", "UP"),
        ("output", "A test message of `ackbell doctor --send`: if you can read this, it works."),
    ] {
        fields.put(name, value);
    }
    let now = clock::wall_ms() / 1000;
    let message = deliver::message(&fields.into_notification(now), config, own.flavor, now, None);
    let post = |hop: &str, channel: Option<&str>| sent(hop, &client.post(channel, message.clone(), CALL_MAX));
    if own.bot_token().is_none() {
        return steps.push(post(&format!("[{}] test message", own.name), None));
    }
    for (number, destination) in destinations(config, own).iter().enumerate() {
        let hop = format!("[{}] test to {destination}", own.name);
        if number > 0 {
            // Two of them may be one channel.
            std::thread::sleep(PACE);
        }
        steps.push(match destination {
            Destination::Contact | Destination::OnCall(_) => continue,
            Destination::Email(email) => match client.look_up("users.lookupByEmail", &[("email", email)], CALL_MAX) {
                Ok(answer) => post(&hop, answer["user"]["id"].as_str()),
                Err(outcome) => sent(&hop, &outcome),
            },
            other => post(&hop, Some(&other.to_string())),
        });
    }
}

fn sent(hop: &str, outcome: &Outcome) -> Step {
    let reason = outcome.reason();
    let remedy = remedy(reason.error.as_ref(), Context::DoctorPost).unwrap_or_default();
    match outcome {
        Outcome::Delivered(_) => Step::good(hop, "posted: see Slack"),
        Outcome::Wait { .. } => Step::bad(
            Trouble::Unreachable,
            hop,
            format!("not posted: {reason}"),
            "ackbell doctor --send, after that time",
        ),
        Outcome::Temporary { .. } => Step::bad(Trouble::Unreachable, hop, format!("not posted: {reason}"), remedy),
        _ => Step::bad(Trouble::Refused, hop, format!("Slack refuses it: {reason}"), remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slack_error::{Reason, SlackError};

    #[test]
    fn a_revoked_webhook_is_named_with_its_remedy() {
        let step =
            sent("x", &Outcome::TokenNever { reason: Reason::new(SlackError::NoService, "404 no_service".into()) });
        assert_eq!(step.found, "Slack refuses it: 404 no_service");
        assert!(step.remedy.unwrap().starts_with("the webhook was revoked: make a new one"));
    }
}
