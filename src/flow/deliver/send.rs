//! One delivery: claim it, compose it, send it, settle it.

use super::compose::{compose, message};
use super::mentions::voice;
use super::{DeliverError, Deliverer};
use crate::config::{Config, Integration};
use crate::model::notification::Notification;
use crate::model::outcome::{Outcome, Posted};
use crate::model::slack_error::{Reason, SlackError};
use crate::monitoring::details::Details;
use crate::rules::digest::{self, Step};
use crate::rules::remedy::{Context, remedy};
use crate::rules::retry::{self, Attempt, Next};
use crate::slack::api::Client;
use crate::store::{Claimed, Lane, Pace, Planned, Settlement, Voice, Work};
use crate::system::clock::{self, millis};
use crate::system::environment::Environment;
use log::{error, info, warn};
use serde_json::Value;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

impl Deliverer {
    /// The lane's next step and when it may be taken; makes a digest of what waits where that is a storm.
    pub(super) fn plan(&mut self, lane: &Lane) -> Result<Option<Planned>, DeliverError> {
        let (limits, now) = (self.config.storm, self.now_ms());
        if digest::begins(self.store.waiting_alone(lane, limits.window)?, limits) {
            self.store.begin_digest(lane, now)?;
            info!("a storm becomes a digest integration={} target={}", lane.integration, lane.target);
        }
        let Some(mut planned) = self.store.plan(lane, self.lives(lane), limits.window, now)? else {
            return Ok(None);
        };
        planned.ready = planned.ready.max(self.store.held_until(lane)?);
        Ok(Some(planned))
    }

    fn lives(&self, lane: &Lane) -> bool {
        voice(&self.config, lane) != Voice::Fixed
    }

    /// Takes a planned step.
    pub(super) fn send(&mut self, lane: &Lane, planned: Planned, budget: Duration) -> Result<(), DeliverError> {
        let mut claimed = self.store.claim(lane, planned, self.lives(lane), self.now_ms())?;
        let (outcome, told) = self.attempt(&mut claimed, budget);
        let next = retry::next(outcome, &self.attempt_facts(&claimed)?);
        self.tell(&claimed, &next);
        let settlement = self.settlement(&claimed, next, told);
        let now = self.now_ms();
        let pace = Pace {
            posts_from: now.saturating_add(millis(retry::CHANNEL_PACE)),
            edits_from: now.saturating_add(millis(retry::UPDATE_PACE)),
        };
        self.store.settle(&claimed, &settlement, pace, self.config.storm.window, now)?;
        Ok(())
    }

    /// Makes one call and says what became of it, and how many of the claimed notifications it told of. Touches the
    /// outbox only for look-ups.
    fn attempt(&mut self, claimed: &mut Claimed, budget: Duration) -> (Outcome, usize) {
        if matches!(claimed.work, Work::Digest(Step::Settle, _)) {
            return (Outcome::Delivered(None), 0);
        }
        match self.prepare(claimed, budget) {
            Ok(call) => self.call(claimed, call, budget),
            Err(outcome) => (outcome, 0),
        }
    }

    /// Everything that a call needs, or why there can't be one.
    fn prepare(&mut self, claimed: &mut Claimed, budget: Duration) -> Result<Call, Outcome> {
        let Some(integration) = self.integration(&claimed.lane.integration).cloned() else {
            let reason = format!("there is no integration \"{}\" any more", claimed.lane.integration).into();
            // Without another place it waits: a file half written or a name mistyped has it again soon.
            let is_taken_over = self.fallback(&claimed.lane).is_some();
            return Err(if is_taken_over { Outcome::PlaceNever { reason } } else { Outcome::TokenNever { reason } });
        };
        if !integration.enabled {
            let reason = format!("the integration \"{}\" is disabled", integration.name).into();
            return Err(Outcome::MessageNever { reason });
        }
        let is_the_webhooks = claimed.lane.target.is_empty() && integration.webhook_url().is_some();
        if let Some(missing) = integration.missing_token().filter(|_| !is_the_webhooks) {
            let reason = missing.to_string().into();
            let is_taken_over = self.stand_in(&integration).is_some();
            return Err(if is_taken_over { Outcome::PlaceNever { reason } } else { Outcome::TokenNever { reason } });
        }
        if let Entry::Vacant(vacant) = self.clients.entry(integration.name.clone()) {
            let client = Client::new(&integration, &self.env);
            vacant.insert(client.map_err(|e| Outcome::TokenNever { reason: e.to_string().into() })?);
        }
        let channel = self.channel(&claimed.lane, budget)?;
        let mentions = self.mentions(&claimed.lane, &claimed.calls(), budget);
        self.fill_names(claimed);
        let oldest = claimed.said.iter().map(|said| said.notification.time).min().unwrap_or(0).saturating_mul(1000);
        let outage = self.store.outage_since(&claimed.lane.integration, oldest).unwrap_or_default();
        let now = clock::wall_ms() / 1000;
        let compose = || compose(claimed, &self.config, integration.flavor, now, &mentions, outage.as_deref());
        // A bug met by one message must not end the deliverer, again and again, with all others behind it.
        let Ok(((message, told), complaint)) = std::panic::catch_unwind(AssertUnwindSafe(compose)) else {
            let reason = "it can't be rendered: a bug of ackbell, please report it".into();
            return Err(Outcome::MessageNever { reason });
        };
        if let Some(why) = complaint
            && self.told.insert("a template".to_owned(), why.clone()).as_ref() != Some(&why)
        {
            warn!("template not used reason={why} what=the default is shown; see `ackbell config check`");
        }
        Ok(Call { channel, message, told })
    }

    fn call(&self, claimed: &Claimed, call: Call, budget: Duration) -> (Outcome, usize) {
        let Call { channel, mut message, told } = call;
        let Some(client) = self.clients.get(&claimed.lane.integration) else {
            return (Outcome::Temporary { reason: "no client".into(), slow: false }, 0);
        };
        let outcome = match (&claimed.work, &claimed.post.channel, &claimed.post.ts) {
            // The bot token was taken out of the configuration: its messages can't be changed, a webhook tells it.
            (_, Some(_), Some(_)) if claimed.refers() && !client.has_token() => {
                Outcome::PostAnew { reason: "there is no bot token any more to edit it with".into() }
            }
            (Work::Update(_) | Work::Digest(Step::Edit, _), Some(channel), Some(ts)) => {
                client.update(channel, ts, message, budget)
            }
            (Work::Reply(_) | Work::Digest(Step::Lines | Step::Close, _), Some(channel), Some(ts)) => {
                message["thread_ts"] = Value::from(ts.as_str());
                if self.config.message.thread == crate::config::Thread::Broadcast && !claimed.is_lines() {
                    message["reply_broadcast"] = Value::from(true);
                }
                client.post(Some(channel), message, budget)
            }
            _ => client.post(channel.as_deref(), message, budget),
        };
        (outcome, told)
    }

    /// What people call the objects, where the core passed only its own names.
    fn fill_names(&mut self, claimed: &mut Claimed) {
        for said in &mut claimed.said {
            self.names.fill(&mut said.notification, &self.config);
        }
        match &mut claimed.work {
            Work::Post(problem) | Work::Update(problem) | Work::Reply(problem) | Work::Say(problem) => {
                self.names.fill(&mut problem.latest, &self.config);
            }
            Work::Digest(_, tally) | Work::List(tally) => {
                for (problem, _) in &mut tally.worst {
                    self.names.fill(&mut problem.latest, &self.config);
                }
            }
        }
    }

    fn attempt_facts(&self, claimed: &Claimed) -> Result<Attempt, DeliverError> {
        let age = self.now_ms().saturating_sub(claimed.since);
        Ok(Attempt {
            attempts: claimed.post.attempts,
            age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            age_max: self.config.outbox.max_age,
            is_plain: claimed.post.is_plain,
            refers: claimed.refers(),
            has_fallback: self.fallback(&claimed.lane).is_some(),
            failures: self.store.failures(&claimed.lane.integration)?,
            jitter: f64::from(u32::try_from(clock::random() >> 32).unwrap_or(0)) / f64::from(u32::MAX),
        })
    }

    /// Where the integration's messages go while it has no token and another one takes over.
    fn stand_in(&self, integration: &Integration) -> Option<Lane> {
        integration.missing_token()?;
        let other = self.integration(integration.fallback.as_ref()?)?;
        let target = other.channel.as_ref().map_or_else(String::new, super::mentions::target_text);
        let can = other.enabled && other.missing_token().is_none();
        can.then(|| Lane { integration: other.name.clone(), target })
    }

    /// The integration's own channel, unless the lane leads there already; then its webhook, where it has one.
    fn fallback(&self, lane: &Lane) -> Option<Lane> {
        if let Some(stand_in) = self.integration(&lane.integration).and_then(|found| self.stand_in(found)) {
            return Some(stand_in);
        }
        let integration = self.integration(&lane.integration).or_else(|| self.config.integrations.first())?;
        let lane_to = |target: String| Lane { integration: integration.name.clone(), target };
        let own = integration.channel.as_ref().map(|channel| lane_to(super::mentions::target_text(channel)));
        let webhook = integration.webhook_url().map(|_| lane_to(String::new()));
        let other = own.filter(|own| own != lane).or(webhook)?;
        (integration.enabled && !lane.target.is_empty()).then_some(other)
    }

    fn settlement(&self, claimed: &Claimed, next: Next, told: usize) -> Settlement {
        let now = self.now_ms();
        let at = |after: Duration| now.saturating_add(millis(after).saturating_add(1));
        match next {
            Next::Delivered(posted) => Settlement::Delivered { posted, told },
            Next::HoldChannel(after) => Settlement::HoldChannel { until: at(after) },
            Next::HoldIntegration { rest, reason } => Settlement::HoldIntegration { until: at(rest), reason },
            Next::Retry { after, rest, reason } => {
                Settlement::Retry { due: at(after), rest_until: rest.map(at), reason }
            }
            Next::RetryPlain { reason } => Settlement::RetryPlain { reason },
            Next::Anew { reason } => Settlement::Anew { reason },
            Next::Fallback { reason } => match self.fallback(&claimed.lane) {
                Some(lane) => {
                    let note = elsewhere(&claimed.lane, &reason);
                    Settlement::Fallback { voice: voice(&self.config, &lane), lane, note, reason }
                }
                None => Settlement::Dead { reason },
            },
            Next::Dead { reason } => Settlement::Dead { reason },
        }
    }

    /// One line per change: done is info, a wait is a warning when its reason is new, dead is an operator's job.
    fn tell(&mut self, claimed: &Claimed, next: &Next) {
        if matches!(claimed.work, Work::Digest(Step::Settle, _)) {
            return;
        }
        let Claimed { lane: Lane { integration, target }, post, .. } = claimed;
        let (id, attempts) = (claimed.said.first().map_or(0, |said| said.id), post.attempts);
        let (object, what) = (claimed.object(), claimed.step());
        let reason = match next {
            Next::Delivered(posted) => {
                self.told.remove(integration);
                let ts = posted.as_ref().map_or("-", |Posted { ts, .. }| ts);
                info!(
                    "delivered id={id} integration={integration} target={target} object=\"{object}\" step={what} attempts={attempts} ts={ts}"
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
            Next::HoldChannel(after) => format!("Slack asks to wait {} s", after.as_secs_f64()).into(),
            Next::HoldIntegration { reason, .. } => {
                if self.told.insert(integration.clone(), reason.to_string()).as_ref() != Some(&reason.text) {
                    error!("integration={integration} can't deliver reason={reason} what=everything waits");
                }
                return;
            }
            Next::Retry { reason, .. } | Next::RetryPlain { reason } | Next::Anew { reason } => reason.clone(),
        };
        if self.told.insert(integration.clone(), reason.to_string()).as_ref() != Some(&reason.text) {
            warn!(
                "will retry id={id} integration={integration} target={target} object=\"{object}\" attempts={attempts} reason={reason}"
            );
        }
    }
}

/// A call about to be made.
struct Call {
    channel: Option<String>,
    message: Value,
    /// How many of the claimed notifications it tells of.
    told: usize,
}

impl Claimed {
    /// Whom it calls: people are called by what is new or worse, once.
    fn calls(&self) -> Vec<String> {
        let mut calls: Vec<String> = match self.work {
            Work::Update(_) | Work::Digest(Step::Edit | Step::Close | Step::Settle, _) => Vec::new(),
            _ => self.said.iter().flat_map(|said| said.mentions.clone()).collect(),
        };
        calls.sort();
        calls.dedup();
        calls.retain(|call| !self.post.called.contains(call));
        calls
    }

    fn is_lines(&self) -> bool {
        matches!(self.work, Work::Digest(Step::Lines, _))
    }

    /// Whether it edits a message or replies to one.
    fn refers(&self) -> bool {
        let is_own = matches!(self.work, Work::Post(_) | Work::Say(_) | Work::List(_) | Work::Digest(Step::Head, _));
        !is_own
    }

    /// What it is about, for the log.
    fn object(&self) -> String {
        match &self.work {
            Work::Post(problem) | Work::Update(problem) | Work::Reply(problem) | Work::Say(problem) => {
                problem.latest.object_label()
            }
            Work::Digest(_, tally) | Work::List(tally) => format!("digest of {} problems", tally.problems),
        }
    }

    /// What is done, for the log.
    fn step(&self) -> &'static str {
        match self.work {
            Work::Post(_) | Work::Say(_) => "post",
            Work::Update(_) => "edit",
            Work::Reply(_) => "reply",
            Work::Digest(Step::Head, _) => "digest",
            Work::Digest(Step::Edit, _) => "digest-edit",
            Work::Digest(Step::Lines, _) | Work::List(_) => "digest-lines",
            Work::Digest(Step::Close | Step::Settle, _) => "digest-end",
        }
    }
}

/// What the message says when it couldn't go where it should, and what to do.
fn elsewhere(lane: &Lane, reason: &Reason) -> String {
    if reason.error == Some(SlackError::UsersNotFound)
        && let Some(email) = lane.target.strip_prefix('@')
    {
        return format!("meant for {email}; nobody in this workspace has that address");
    }
    let remedy =
        remedy(reason.error.as_ref(), Context::Reroute).map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("meant for {}, which can't be reached: {reason}{remedy}", lane.target)
}

/// One direct post per destination, without spool or outbox: the last resort when the disk refuses.
///
/// Returns how many destinations took it.
pub(crate) fn directly(config: &Config, env: &Environment, notification: &Notification, received: i64) -> usize {
    let notification = &mut notification.clone();
    Details::default().fill(&mut [notification], config, &[]);
    super::complete(notification, config);
    let decision = crate::rules::route::decide(notification, config, &[], super::drain::local_time(received));
    let mut taken = 0;
    for placed in &decision.placed {
        let lane = super::mentions::lane_of(placed, notification);
        let Some(integration) = config.integrations.iter().find(|i| i.name == lane.integration) else {
            continue;
        };
        let note = Some("posted without being stored first: the disk refused it");
        let message = message(notification, config, integration.flavor, received / 1000, note);
        let channel = super::mentions::literal(&lane.target);
        let outcome = Client::new(integration, env).map(|c| c.post(channel, message, config.outbox.time_budget));
        match outcome {
            Ok(Outcome::Delivered(_)) => taken += 1,
            Ok(other) => error!("direct post failed integration={} outcome={other:?}", integration.name),
            Err(e) => error!("direct post failed integration={} reason={e}", integration.name),
        }
    }
    taken
}
