//! The destinations of a notification: those of the first route that matches, unless it says to go on.
//!
//! Pure: the time of day is an argument. [`decide`] and [`explain`] walk the same matchers.

pub(crate) mod matcher;

use crate::config::{Config, Destination, EscalationStep, Flavor, Integration, Matcher, Mention, Route, SendTimes};
use crate::model::incoming::DirectMessage;
use crate::model::notification::{Kind, Notification, Severity};
use crate::model::time_text::span;

/// The machine's local time, as far as routes look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// Monday is 0.
    pub(crate) weekday: u8,
    pub(crate) minute_of_day: u16,
}

/// A destination found for a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Routed {
    pub(crate) integration: String,
    pub(crate) to: Target,
    pub(crate) mentions: Vec<Mention>,
    /// It can wait until one of these times.
    pub(crate) deferred: Option<SendTimes>,
}

/// The address of a message within its integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Destination(Destination),
    /// The webhook's own channel.
    Webhook,
}

/// The destinations of a notification, and the complaints about requests that couldn't be followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) routed: Vec<Routed>,
    pub(crate) complaints: Vec<String>,
}

/// Decides. A destination named on the command line overrides the routes; a notification that matches no route goes to the
/// first enabled integration's channel.
pub(crate) fn decide(notification: &Notification, config: &Config, subscriptions: &[Route], at: LocalTime) -> Decision {
    let mut decision = Decision::default();
    if notification.to.is_empty() {
        for route in matching(notification, config, at) {
            decision.add_route(route, notification, config);
        }
    } else {
        decision.add_command_line(notification, config);
    }
    if decision.routed.is_empty() {
        decision.add_fallback(config);
    }
    if notification.to.is_empty() {
        for route in subscribed(notification, config, subscriptions, at) {
            decision.add_route(route, notification, config);
        }
    }
    decision
}

/// The lines of the routes that take a notification, in order.
pub(crate) fn matched(notification: &Notification, config: &Config, at: LocalTime) -> Vec<usize> {
    matching(notification, config, at).into_iter().map(|route| route.line).collect()
}

/// Why a matcher doesn't take a notification, in words; `None` when it does.
pub(crate) fn mismatch(matches: &Matcher, notification: &Notification, at: LocalTime) -> Option<String> {
    matcher::mismatch(matches, notification, at)
}

/// Where another program's message goes: to the one destination that it names, whatever the routes say.
pub(crate) fn decide_direct_message(message: &DirectMessage, config: &Config) -> Decision {
    let mut decision = Decision::default();
    decision.add_direct_message(message, config);
    if decision.routed.is_empty() {
        decision.add_fallback(config);
    }
    decision
}

/// For people: each route and why it matches or doesn't, and the decision.
pub(crate) fn explain(
    notification: &Notification,
    config: &Config,
    subscriptions: &[Route],
    at: LocalTime,
) -> Vec<String> {
    let mut lines = Vec::new();
    if notification.to.is_empty() {
        for route in &config.routes {
            match matcher::mismatch(&route.matches, notification, at) {
                Some(why) => lines.push(format!("route at line {}: no, {why}", route.line)),
                None => lines.push(format!("route at line {}: yes", route.line)),
            }
            if lines.last().is_some_and(|line| line.ends_with("yes")) && !route.continue_ {
                break;
            }
        }
        if lines.is_empty() {
            lines.push("no routes are configured".to_owned());
        }
    } else {
        lines.push("--to overrides the routes".to_owned());
    }
    let count = subscribed(notification, config, subscriptions, at).filter(|_| notification.to.is_empty()).count();
    if count > 0 {
        lines.push(format!("subscriptions: {count} of {} match", subscriptions.len()));
    }
    let decision = decide(notification, config, subscriptions, at);
    lines.extend(decision.complaints.iter().map(|complaint| format!("! {complaint}")));
    for routed in &decision.routed {
        let to = match &routed.to {
            Target::Destination(destination) => destination.to_string(),
            Target::Webhook => "its webhook's channel".to_owned(),
        };
        let mentions: Vec<String> = routed.mentions.iter().map(ToString::to_string).collect();
        let mentioning =
            if mentions.is_empty() { String::new() } else { format!(", mentioning {}", mentions.join(", ")) };
        let deferred =
            if routed.deferred.is_some() { ", held until the route's next time, unless it gets worse" } else { "" };
        lines.push(format!("→ {to} by integration \"{}\"{mentioning}{deferred}", routed.integration));
    }
    if decision.routed.is_empty() {
        lines.push("→ nowhere: it would be kept as dead".to_owned());
    }
    lines.extend(explain_steps(notification, config));
    lines
}

/// Who would be told if nobody answered.
fn explain_steps(notification: &Notification, config: &Config) -> Vec<String> {
    let is_problem = notification.kind == Kind::Problem && notification.severity() != Severity::Good;
    let notified = |step: &EscalationStep| {
        let mut matches = step.matches.clone();
        let is_at_times = matches.time.take().is_some();
        if let Some(why) = mismatch(&matches, notification, LocalTime { weekday: 0, minute_of_day: 0 }) {
            return format!("step at line {}: no, {why}", step.line);
        }
        let again = step.repeat.filter(|_| step.times > 1).map_or_else(String::new, |pause| {
            format!(", and again after {} until told {} times", span(pause.as_secs()), step.times)
        });
        let at_times = if is_at_times { ", at the times of its match" } else { "" };
        format!(
            "unanswered: would be escalated to {} after {}{again}{at_times}",
            step.whom(),
            span(step.after.as_secs())
        )
    };
    config.escalation.iter().filter(|_| is_problem).map(notified).collect()
}

/// The subscriptions that match the notification: a channel gets its subscriptions whatever the routes say.
fn subscribed<'a>(
    notification: &'a Notification,
    config: &'a Config,
    subscriptions: &'a [Route],
    at: LocalTime,
) -> impl Iterator<Item = &'a Route> + 'a {
    let takes = move |route: &&Route| {
        config.integrations_of(route).iter().any(|integration| integration.enabled)
            && matcher::mismatch(&route.matches, notification, at).is_none()
    };
    subscriptions.iter().filter(takes)
}

/// The routes that match the notification, in order.
fn matching<'a>(notification: &Notification, config: &'a Config, at: LocalTime) -> Vec<&'a Route> {
    let mut taken = Vec::new();
    for route in &config.routes {
        if matcher::mismatch(&route.matches, notification, at).is_none() {
            taken.push(route);
            if !route.continue_ {
                break;
            }
        }
    }
    taken
}

impl Decision {
    fn add_route(&mut self, route: &Route, notification: &Notification, config: &Config) {
        let before = std::mem::take(&mut self.routed);
        self.add_route_at_once(route, notification, config);
        let own = std::mem::replace(&mut self.routed, before);
        let deferred = route.deferred.as_ref().filter(|_| can_wait(route, notification));
        for routed in own {
            self.merge(Routed { deferred: deferred.cloned(), ..routed });
        }
    }

    fn add_route_at_once(&mut self, route: &Route, notification: &Notification, config: &Config) {
        let mut to = config.integrations_of(route);
        if to.iter().any(|integration| integration.enabled) {
            to.retain(|integration| integration.enabled);
        }
        for integration in to {
            self.add_route_to(integration, route, notification);
        }
    }

    fn add_route_to(&mut self, integration: &Integration, route: &Route, notification: &Notification) {
        let mentions = if mentions_people(notification) { route.mention.clone() } else { Vec::new() };
        if route.to.is_empty() {
            self.add_default(integration, &mentions);
        }
        for destination in &route.to {
            match (destination, notification.contact.emails().as_slice()) {
                (Destination::Contact, []) => {
                    self.complaints.push("meant for its contact, but the core passed no $CONTACTEMAIL$".to_owned());
                    self.add_default(integration, &mentions);
                }
                (Destination::Contact, several @ [_, _, ..]) => {
                    for address in several {
                        self.add_destination(integration, &Destination::Email((*address).to_owned()), &mentions);
                    }
                }
                _ => self.add_destination(integration, destination, &mentions),
            }
        }
    }

    fn add_command_line(&mut self, notification: &Notification, config: &Config) {
        let Some(integration) = config.integrations.iter().find(|integration| integration.enabled) else {
            return;
        };
        for text in &notification.to {
            self.add_as_written(text, integration);
        }
    }

    fn add_direct_message(&mut self, message: &DirectMessage, config: &Config) {
        let enabled = || config.integrations.iter().filter(|integration| integration.enabled);
        let with_token = enabled().find(|integration| integration.bot_token().is_some());
        // Only a bot token finds people.
        let Some(integration) = with_token.or_else(|| enabled().next()) else {
            return;
        };
        let to = &message.to;
        if integration.bot_token().is_none() {
            self.complaints.push(format!("meant for {to}; a webhook has one channel only, a bot_token reaches all"));
        }
        self.add_as_written(to, integration);
    }

    fn add_as_written(&mut self, text: &str, integration: &Integration) {
        match text.parse::<Destination>() {
            Ok(destination) => self.add_destination(integration, &destination, &[]),
            Err(mistake) => self.complaints.push(format!("--to: {}", mistake.message)),
        }
    }

    fn add_fallback(&mut self, config: &Config) {
        let enabled = config.integrations.iter().filter(|integration| integration.enabled);
        let mut with_a_channel = enabled.filter(|i| i.channel.is_some() || i.webhook_url().is_some());
        let off = config.integrations.iter().find(|integration| !integration.enabled);
        match (with_a_channel.next(), off) {
            (Some(integration), _) => self.add_default(integration, &[]),
            (None, Some(off)) => self.complain_once(&is_disabled(off)),
            (None, None) => {}
        }
    }

    fn add_destination(&mut self, integration: &Integration, destination: &Destination, mentions: &[Mention]) {
        if !integration.enabled {
            self.complain_once(&is_disabled(integration));
            return;
        }
        // A Slack app's webhook has its own channel; compatible receivers take another one.
        let is_webhook = !integration.is_bot();
        let has_choice = !is_webhook || matches!(integration.flavor, Flavor::Mattermost | Flavor::RocketChat);
        self.add(
            integration,
            if has_choice { Target::Destination(destination.clone()) } else { Target::Webhook },
            mentions,
        );
    }

    fn add_default(&mut self, integration: &Integration, mentions: &[Mention]) {
        match &integration.channel {
            Some(channel) => self.add_destination(integration, channel, mentions),
            None if integration.enabled && integration.webhook_url().is_some() => {
                self.add(integration, Target::Webhook, mentions);
            }
            None => self.complain_once(&format!("the integration \"{}\" has no channel", integration.name)),
        }
    }

    fn complain_once(&mut self, complaint: &str) {
        if !self.complaints.iter().any(|known| known == complaint) {
            self.complaints.push(complaint.to_owned());
        }
    }

    fn add(&mut self, integration: &Integration, to: Target, mentions: &[Mention]) {
        let integration = integration.name.clone();
        self.merge(Routed { integration, to, mentions: mentions.to_vec(), deferred: None });
    }

    /// Each destination once, with everybody who is to be mentioned there. It waits only if every route lets it wait.
    fn merge(&mut self, new: Routed) {
        let known = self.routed.iter_mut().find(|one| one.integration == new.integration && one.to == new.to);
        let Some(known) = known else {
            self.routed.push(new);
            return;
        };
        known.deferred = known.deferred.take().filter(|_| new.deferred.is_some());
        for mention in new.mentions {
            if !known.mentions.contains(&mention) {
                known.mentions.push(mention);
            }
        }
    }
}

/// Whether the route lets it wait: the worst states only where it names them.
fn can_wait(route: &Route, notification: &Notification) -> bool {
    notification.severity() < Severity::Critical || !route.matches.state.is_empty()
}

/// Whether people are mentioned: for a problem, and for a notification that a person sent by hand.
fn mentions_people(notification: &Notification) -> bool {
    match &notification.kind {
        Kind::Problem => notification.severity() != Severity::Good,
        Kind::Custom => true,
        Kind::Recovery
        | Kind::Acknowledgement
        | Kind::FlappingStart
        | Kind::FlappingStop
        | Kind::FlappingDisabled
        | Kind::DowntimeStart
        | Kind::DowntimeEnd
        | Kind::DowntimeCancelled
        | Kind::Unacknowledged
        | Kind::DowntimeScheduled
        | Kind::NotificationsStopped
        | Kind::NotificationsResumed
        | Kind::Unanswered
        | Kind::StillAsked
        | Kind::StillOnIt
        | Kind::HandedOver
        | Kind::Forgotten
        | Kind::Other(_) => false,
    }
}

fn is_disabled(integration: &Integration) -> String {
    format!("the integration \"{}\" is disabled", integration.name)
}

#[cfg(test)]
mod tests;
