//! One delivery: claim it, render it, post it, settle it.

use super::{DeliverError, Deliverer};
use crate::clock::{self, millis};
use crate::config::{Config, Environment, Flavor};
use crate::notification::Notification;
use crate::render::{self, Facts, ResolvedMention};
use crate::schedule::{self, Attempt, Next};
use crate::slack::api::Client;
use crate::slack::outcome::{Outcome, Posted};
use crate::slack::{blocks, legacy};
use crate::store::{Claimed, Lane, Settlement};
use log::{error, info, warn};
use serde_json::Value;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

impl Deliverer {
    /// Sends the lane's next message, if one may go; `false` when none may.
    pub(super) fn send_next(&mut self, lane: &Lane, budget: Duration) -> Result<bool, DeliverError> {
        let Some(mut claimed) = self.store.claim(lane, self.now_ms())? else {
            return Ok(false);
        };
        let outcome = self.attempt(&mut claimed, budget);
        let next = schedule::next(outcome, &self.attempt_facts(&claimed)?);
        self.tell(&claimed, &next);
        let settlement = self.settlement(&claimed, next);
        let now = self.now_ms();
        let pace_until = now.saturating_add(millis(schedule::CHANNEL_PACE));
        self.store.settle(&claimed, &settlement, pace_until, now)?;
        Ok(true)
    }

    /// Posts one message and says what became of it. Touches the outbox only for look-ups.
    fn attempt(&mut self, claimed: &mut Claimed, budget: Duration) -> Outcome {
        let Some(integration) = self.integration(&claimed.lane.integration).cloned() else {
            let reason = format!("there is no integration \"{}\" any more", claimed.lane.integration);
            return Outcome::PlaceNever { reason };
        };
        if !integration.enabled {
            return Outcome::TokenNever { reason: format!("the integration \"{}\" is disabled", integration.name) };
        }
        if let Entry::Vacant(vacant) = self.clients.entry(integration.name.clone()) {
            match Client::new(&integration, &self.env) {
                Ok(client) => vacant.insert(client),
                Err(e) => return Outcome::TokenNever { reason: e.to_string() },
            };
        }
        let channel = match self.channel(&claimed.lane, budget) {
            Ok(channel) => channel,
            Err(outcome) => return outcome,
        };
        let mentions = self.mentions(&claimed.lane, &claimed.mentions, budget);
        self.names.fill(&mut claimed.notification, &self.config);
        let now = clock::wall_ms() / 1000;
        let note = claimed.note.as_deref();
        let render = || {
            let (flavor, is_plain) = (integration.flavor, claimed.is_plain);
            message(&claimed.notification, &self.config, flavor, is_plain, now, &mentions, note)
        };
        // A bug met by one message must not end the deliverer, again and again, with all others behind it.
        let Ok(message) = std::panic::catch_unwind(AssertUnwindSafe(render)) else {
            return Outcome::MessageNever {
                reason: "it can't be rendered: a bug of ackbell, please report it".to_owned(),
            };
        };
        match self.clients.get(&integration.name) {
            Some(client) => client.post(channel.as_deref(), message, budget),
            None => Outcome::Temporary { reason: "no client".to_owned(), slow: false },
        }
    }

    fn attempt_facts(&self, claimed: &Claimed) -> Result<Attempt, DeliverError> {
        let age = self.now_ms().saturating_sub(claimed.since);
        Ok(Attempt {
            attempts: claimed.attempts,
            age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            age_max: self.config.outbox.max_age,
            is_plain: claimed.is_plain,
            has_fallback: self.fallback(&claimed.lane).is_some(),
            failures: self.store.failures(&claimed.lane.integration)?,
            jitter: f64::from(u32::try_from(clock::random() >> 32).unwrap_or(0)) / f64::from(u32::MAX),
        })
    }

    /// The integration's own channel, unless the lane leads there already.
    fn fallback(&self, lane: &Lane) -> Option<Lane> {
        let integration = self.integration(&lane.integration).or_else(|| self.config.integrations.first())?;
        let target = super::address::target_text(integration.channel.as_ref()?);
        let other = Lane { integration: integration.name.clone(), target };
        (integration.enabled && other != *lane && !lane.target.is_empty()).then_some(other)
    }

    fn settlement(&self, claimed: &Claimed, next: Next) -> Settlement {
        let now = self.now_ms();
        let at = |after: Duration| now.saturating_add(millis(after).saturating_add(1));
        match next {
            Next::Delivered(posted) => Settlement::Delivered { posted },
            Next::HoldChannel(after) => Settlement::HoldChannel { until: at(after) },
            Next::HoldIntegration { rest, reason } => Settlement::HoldIntegration { until: at(rest), reason },
            Next::Retry { after, rest, reason } => {
                Settlement::Retry { due: at(after), rest_until: rest.map(at), reason }
            }
            Next::RetryPlain { reason } => Settlement::RetryPlain { reason },
            Next::Fallback { reason } => match self.fallback(&claimed.lane) {
                Some(lane) => Settlement::Fallback { lane, note: elsewhere(&claimed.lane, &reason), reason },
                None => Settlement::Dead { reason },
            },
            Next::Dead { reason } => Settlement::Dead { reason },
        }
    }

    /// One line per change: done is info, a wait is a warning when its reason is new, dead is an operator's job.
    fn tell(&mut self, claimed: &Claimed, next: &Next) {
        let Claimed { id, lane: Lane { integration, target }, notification, attempts, .. } = claimed;
        let object = notification.object_label();
        let reason = match next {
            Next::Delivered(posted) => {
                self.told.remove(integration);
                let ts = posted.as_ref().map_or("-", |Posted { ts, .. }| ts);
                info!(
                    "delivered id={id} integration={integration} target={target} object=\"{object}\" attempts={attempts} ts={ts}"
                );
                return;
            }
            Next::Dead { reason } => {
                error!(
                    "dead id={id} integration={integration} target={target} object=\"{object}\" attempts={attempts} reason={reason}"
                );
                return;
            }
            Next::Fallback { reason } => {
                error!(
                    "unreachable id={id} integration={integration} target={target} object=\"{object}\" reason={reason} what=sent to the integration's channel"
                );
                return;
            }
            Next::HoldChannel(after) => format!("Slack asks to wait {} s", after.as_secs_f64()),
            Next::HoldIntegration { reason, .. } => {
                if self.told.insert(integration.clone(), reason.clone()).as_ref() != Some(reason) {
                    error!("integration={integration} can't deliver reason={reason} what=everything waits");
                }
                return;
            }
            Next::Retry { reason, .. } | Next::RetryPlain { reason } => reason.clone(),
        };
        if self.told.insert(integration.clone(), reason.clone()).as_ref() != Some(&reason) {
            warn!(
                "will retry id={id} integration={integration} target={target} object=\"{object}\" attempts={attempts} reason={reason}"
            );
        }
    }
}

/// The message as the receiver wants it.
pub(crate) fn message(
    notification: &Notification,
    config: &Config,
    flavor: Flavor,
    is_plain: bool,
    now: i64,
    mentions: &[ResolvedMention],
    note: Option<&str>,
) -> Value {
    let core = config.cores.iter().find(|core| core.name == notification.core);
    let card = render::card(notification, &Facts { now, core, style: &config.message, mentions, note });
    match flavor {
        Flavor::Slack if is_plain => blocks::plain(&card),
        Flavor::Slack => blocks::message(&card),
        Flavor::Mattermost | Flavor::RocketChat | Flavor::Discord => legacy::message(&card, flavor),
    }
}

/// What the message says when it couldn't go where it should, and what to do.
fn elsewhere(lane: &Lane, reason: &str) -> String {
    let remedy = match reason.split([' ', ':', ',']).next().unwrap_or_default() {
        "not_in_channel" | "channel_not_found" => "; if that channel exists, type /invite and the app's name there",
        "is_archived" | "channel_is_archived" => "; unarchive it or change the route",
        "users_not_found" | "user_not_found" => "; nobody in this workspace has that address",
        _ => "",
    };
    format!("meant for {}, which can't be reached: {reason}{remedy}", lane.target)
}

/// One direct post per destination, without spool or outbox: the last resort when the disk refuses.
///
/// Returns how many destinations took it.
pub(crate) fn directly(config: &Config, env: &Environment, notification: &Notification, received: i64) -> usize {
    let decision = crate::route::decide(notification, config, super::drain::local_time(received));
    let mut taken = 0;
    for placed in &decision.placed {
        let lane = super::address::lane_of(placed, notification);
        let Some(integration) = config.integrations.iter().find(|i| i.name == lane.integration) else {
            continue;
        };
        let note = Some("posted without being stored first: the disk refused it");
        let message = message(notification, config, integration.flavor, false, received / 1000, &[], note);
        let channel = super::address::literal(&lane.target);
        let outcome = Client::new(integration, env).map(|c| c.post(channel, message, config.outbox.time_budget));
        match outcome {
            Ok(Outcome::Delivered(_)) => taken += 1,
            Ok(other) => error!("direct post failed integration={} outcome={other:?}", integration.name),
            Err(e) => error!("direct post failed integration={} reason={e}", integration.name),
        }
    }
    taken
}
