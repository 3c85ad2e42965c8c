//! One delivery: claim it, compose it, send it, record the outcome.

use super::compose::{Composed, Composer, message};
use super::mentions::{literal, message_mode, queue_of};
use super::{DeliverError, Deliverer};
use crate::config::{Config, Integration};
use crate::model::notification::{Kind, Notification};
use crate::model::outcome::Outcome;
use crate::model::slack_error::{Reason, SlackError};
use crate::monitoring::details::{Details, UsedVars};
use crate::rules::digest::{self, DigestStep};
use crate::rules::remedy::{Context, remedy};
use crate::rules::retry::{self, Attempt, Next};
use crate::slack::api::{Client, ClientError};
use crate::store::{Claimed, DeliveryQueue, Pace, Planned, QueueLook, RecordedOutcome, StoreError, Target, Work};
use crate::system::clock::{self, millis};
use crate::system::environment::Environment;
use log::{error, info, warn};
use serde_json::Value;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Deliverer {
    /// What may be sent from these queues. [`Self::plan`] takes it up, and a claim looks once more.
    pub(super) fn look(&self, queues: &[DeliveryQueue]) -> Result<Vec<QueueLook>, DeliverError> {
        let queues: Vec<_> = queues.iter().map(|queue| (queue.clone(), message_mode(&self.config, queue))).collect();
        Ok(self.store.look_at_queues(&queues, self.config.storm.window, self.now_ms())?)
    }

    /// The queue's next step and when it may be done. A storm becomes a digest first.
    pub(super) fn plan(&mut self, queue: &DeliveryQueue, look: QueueLook) -> Result<Option<Planned>, DeliverError> {
        let (limits, now) = (self.config.storm, self.now_ms());
        let (mut next, mode) = (look.next, message_mode(&self.config, queue));
        if digest::begins(look.waiting, limits) {
            self.store.begin_digest(queue, now)?;
            info!("digest begun integration={} target={}", queue.integration, queue.target);
            next = self.store.plan(queue, mode, limits.window, now)?;
        }
        let Some(mut planned) = next else {
            return Ok(None);
        };
        let remembered = self.paces.get(queue).copied().unwrap_or(0);
        planned.ready = planned.ready.max(look.paused_until).max(remembered);
        Ok(Some(planned))
    }

    /// Does the queue's next step, if it may still be done. `true`: it was put into another queue.
    pub(super) fn send(
        &mut self,
        queue: &DeliveryQueue,
        budget: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, DeliverError> {
        let (mode, quiet, now) = (message_mode(&self.config, queue), self.config.storm.window, self.now_ms());
        let Some(leadership) = &self.leadership else { return Ok(false) };
        let Some(mut claimed) = self.store.claim(leadership, queue, mode, quiet, now)? else {
            return Ok(false);
        };
        let Attempted { outcome, covered } = self.attempt(&mut claimed, budget);
        let facts = self.attempt_facts(&claimed, &outcome);
        let next = retry::next(outcome, &facts);
        self.log(&claimed, &next);
        let outcome = self.outcome_to_record(&claimed, next, covered);
        let now = self.now_ms();
        claimed.wants_curve = self.config.curve.is_some() && mode.is_editable() && claimed.wants_curve_of(now / 1000);
        let pace = Pace {
            posts_from: now.saturating_add(millis(retry::CHANNEL_PACE)),
            edits_from: now.saturating_add(millis(retry::UPDATE_PACE)),
        };
        self.remember_pace(&claimed, pace);
        self.record(&claimed, &outcome, pace, stop)?;
        Ok(matches!(outcome, RecordedOutcome::Reroute { .. }))
    }

    /// Makes one call. Touches the outbox only for look-ups.
    fn attempt(&mut self, claimed: &mut Claimed, budget: Duration) -> Attempted {
        if matches!(claimed.work, Work::Digest(DigestStep::MarkShown, _)) {
            return Attempted { outcome: Outcome::Delivered(None), covered: 0 };
        }
        match self.prepare(claimed, budget) {
            Ok(call) => self.call(claimed, call, budget),
            Err(outcome) => Attempted { outcome, covered: 0 },
        }
    }

    /// Everything that a call needs, or why there can't be one.
    fn prepare(&mut self, claimed: &mut Claimed, budget: Duration) -> Result<Call, Outcome> {
        let Some(integration) = self.integration(&claimed.queue.integration).cloned() else {
            let reason = format!("there is no integration \"{}\" any more", claimed.queue.integration).into();
            // Without another queue it waits: a file half written or a name mistyped has the integration again soon.
            let is_taken_over = self.fallback(&claimed.queue).is_some();
            return Err(if is_taken_over {
                Outcome::DestinationNever { reason }
            } else {
                Outcome::TokenNever { reason }
            });
        };
        if !integration.enabled {
            let reason = format!("the integration \"{}\" is disabled", integration.name).into();
            return Err(Outcome::MessageNever { reason });
        }
        let is_the_webhooks = claimed.queue.target == Target::Webhook && integration.webhook_url().is_some();
        let is_simulated = self.simulated.is_some();
        if let Some(missing) = integration.missing_token().filter(|_| !is_the_webhooks && !is_simulated) {
            let reason = missing.to_string().into();
            let is_taken_over = self.stand_in(&integration).is_some();
            return Err(if is_taken_over {
                Outcome::DestinationNever { reason }
            } else {
                Outcome::TokenNever { reason }
            });
        }
        if !is_simulated {
            self.client(&integration).map_err(|e| Outcome::TokenNever { reason: e.to_string().into() })?;
        }
        let channel = self.channel(&claimed.queue, budget)?;
        let mentions = self.mentions(&claimed.queue, &claimed.mentions(), budget);
        self.fill_names(claimed);
        let oldest = claimed.queued.iter().map(|queued| queued.incoming.time()).min().unwrap_or(0).saturating_mul(1000);
        let now = self.clock.wall_ms() / 1000;
        self.fold_causes(claimed);
        let outage = || self.store.outage_since(&claimed.queue.integration, oldest).unwrap_or_default();
        let ask = || {
            let _ = (outage(), self.cause(claimed));
            self.ask_earlier(claimed);
        };
        let looked_up = self.store.ahead(ask, || Ok((outage(), self.earlier(claimed), self.cause(claimed))));
        let (outage, earlier, cause) = looked_up.unwrap_or_else(|e: StoreError| {
            warn!("database not read reason={:?} shown=without_it", e.to_string());
            (None, None, None)
        });
        let composer = Composer {
            config: &self.config,
            flavor: integration.flavor,
            now,
            mentions: &mentions,
            outage: outage.as_deref(),
            earlier: earlier.as_ref(),
            cause: cause.as_ref(),
        };
        // A bug met by one message must not end the deliverer, again and again, with all others behind it.
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| composer.compose(claimed)));
        let Ok(Composed { message, covered, template_error }) = caught else {
            let reason = "it can't be rendered: a bug of ackbell, please report it".into();
            return Err(Outcome::MessageNever { reason });
        };
        if let Some(why) = template_error
            && self.last_logged.insert("a template".to_owned(), why.clone()).as_ref() != Some(&why)
        {
            warn!("template not used reason={why:?} shown=default");
        }
        Ok(Call { channel, message, covered })
    }

    /// The client of an integration, made when it is first needed.
    pub(super) fn client(&mut self, integration: &Integration) -> Result<&Client, ClientError> {
        let term = self.term();
        match self.clients.entry(integration.name.clone()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(vacant) => Ok(vacant.insert(Client::new(integration, &self.env)?.within(term))),
        }
    }

    fn call(&mut self, claimed: &Claimed, call: Call, budget: Duration) -> Attempted {
        let covered = call.covered;
        let addressed = self.addressed(claimed, call);
        if let Some(simulated) = &mut self.simulated {
            let outcome = simulated.call(claimed, addressed, covered, self.clock.now_ms());
            return Attempted { outcome, covered };
        }
        let Some(client) = self.clients.get(&claimed.queue.integration) else {
            let outcome = Outcome::Temporary { reason: "no client".into(), slow: false };
            return Attempted { outcome, covered: 0 };
        };
        let Addressed { channel, edits, message, .. } = addressed;
        let outcome = match (channel, edits) {
            // The bot token was taken out of the configuration: its messages can't be edited, a webhook posts another.
            (Some(_), _) if claimed.is_in_slack() && claimed.refers() && !client.has_token() => {
                Outcome::PostAnew { reason: "there is no bot token any more to edit it with".into() }
            }
            (Some(channel), Some(ts)) => client.update(&channel, &ts, message, budget),
            (channel, _) => client.post(channel.as_deref(), message, budget),
        };
        Attempted { outcome, covered }
    }

    /// The message with where it goes: into the channel, into the thread of its message, or in that message's place.
    fn addressed(&self, claimed: &Claimed, call: Call) -> Addressed {
        let Call { channel, mut message, .. } = call;
        match (&claimed.work, &claimed.message.channel, &claimed.message.ts) {
            (Work::Update(_) | Work::Digest(DigestStep::Edit, _), Some(channel), Some(ts)) => {
                Addressed { channel: Some(channel.clone()), edits: Some(ts.clone()), is_reply: false, message }
            }
            (Work::Reply(_) | Work::Digest(DigestStep::Lines | DigestStep::Close, _), Some(channel), Some(ts)) => {
                message["thread_ts"] = Value::from(ts.as_str());
                let is_broadcast =
                    self.config.message.thread == crate::config::Thread::Broadcast && !claimed.is_lines();
                if is_broadcast || (claimed.is_step() && !claimed.queue.target.is_person()) {
                    message["reply_broadcast"] = Value::from(true);
                }
                Addressed { channel: Some(channel.clone()), edits: None, is_reply: true, message }
            }
            _ => Addressed { channel, edits: None, is_reply: false, message },
        }
    }

    /// Fills in the display names of the objects, where the core passed only its own names.
    fn fill_names(&mut self, claimed: &mut Claimed) {
        let shared = Arc::clone(&self.names);
        let mut names = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for notification in claimed.queued.iter_mut().filter_map(|queued| queued.incoming.notification_mut()) {
            names.fill(notification, &self.config);
        }
        match &mut claimed.work {
            Work::Post(problem) | Work::Update(problem) | Work::Reply(problem) | Work::PostOnce(problem) => {
                names.fill(&mut problem.latest, &self.config);
            }
            Work::DirectMessage(_) => {}
            Work::Digest(_, stats) | Work::List(stats) => {
                for (problem, _) in &mut stats.worst {
                    names.fill(&mut problem.latest, &self.config);
                }
            }
        }
    }

    /// Slack has answered by now, and its answer is not lost for a number that the database doesn't give.
    fn attempt_facts(&self, claimed: &Claimed, outcome: &Outcome) -> Attempt {
        let is_failure = !matches!(outcome, Outcome::Delivered(_));
        let failures = is_failure.then(|| self.store.failures(&claimed.queue.integration).unwrap_or(0));
        let age = self.now_ms().saturating_sub(claimed.since);
        Attempt {
            attempts: claimed.message.attempts,
            age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            age_max: self.config.outbox.max_age,
            is_plain: claimed.message.is_plain,
            refers: claimed.refers(),
            has_fallback: self.fallback(&claimed.queue).is_some(),
            failures: failures.unwrap_or(0),
            jitter: f64::from(u32::try_from(clock::random() >> 32).unwrap_or(0)) / f64::from(u32::MAX),
        }
    }

    /// The queue of another integration's channel that replaces this one while it has no token.
    fn stand_in(&self, integration: &Integration) -> Option<DeliveryQueue> {
        integration.missing_token()?;
        let other = self.integration(integration.fallback.as_ref()?)?;
        let target = other.channel.as_ref().map_or(Target::Webhook, Target::from);
        let can = other.enabled && other.missing_token().is_none();
        can.then(|| DeliveryQueue { integration: other.name.clone(), target })
    }

    /// The queue of the integration's own channel; if it is that queue itself, of its webhook, if there is one.
    fn fallback(&self, queue: &DeliveryQueue) -> Option<DeliveryQueue> {
        if let Some(stand_in) = self.integration(&queue.integration).and_then(|found| self.stand_in(found)) {
            return Some(stand_in);
        }
        let integration = self.integration(&queue.integration).or_else(|| self.config.integrations.first())?;
        let queue_to = |target: Target| DeliveryQueue { integration: integration.name.clone(), target };
        let own = integration.channel.as_ref().map(|channel| queue_to(channel.into()));
        let webhook = integration.webhook_url().map(|_| queue_to(Target::Webhook));
        let other = own.filter(|own| own != queue).or(webhook)?;
        (integration.enabled && queue.target != Target::Webhook).then_some(other)
    }

    fn outcome_to_record(&self, claimed: &Claimed, next: Next, covered: usize) -> RecordedOutcome {
        let now = self.now_ms();
        let at = |after: Duration| now.saturating_add(millis(after).saturating_add(1));
        match next {
            Next::Delivered(posted) => RecordedOutcome::Delivered { posted, covered },
            Next::PauseChannel(after) => RecordedOutcome::PauseChannel { until: at(after) },
            Next::GiveBack(after) => RecordedOutcome::GiveBack { due: at(after) },
            Next::PauseIntegration { pause, reason } => RecordedOutcome::PauseIntegration { until: at(pause), reason },
            Next::Retry { after, pause, reason } => {
                RecordedOutcome::Retry { due: at(after), pause_until: pause.map(at), reason }
            }
            Next::RetryPlain { reason } => RecordedOutcome::RetryPlain { reason },
            Next::PostAnew { reason } => RecordedOutcome::PostAnew { reason },
            Next::Reroute { reason } => match self.fallback(&claimed.queue) {
                Some(queue) => {
                    let annotation = why_rerouted(&claimed.queue.target, &reason);
                    let mode = message_mode(&self.config, &queue);
                    RecordedOutcome::Reroute { queue, mode, annotation, reason }
                }
                None => RecordedOutcome::Dead { reason },
            },
            Next::Dead { reason } => RecordedOutcome::Dead { reason },
        }
    }
}

/// A call about to be made.
struct Call {
    channel: Option<String>,
    message: Value,
    /// How many of the claimed notifications it covers.
    covered: usize,
}

/// A message with where it goes.
pub(super) struct Addressed {
    pub(super) channel: Option<String>,
    /// The message that it replaces.
    pub(super) edits: Option<String>,
    pub(super) is_reply: bool,
    pub(super) message: Value,
}

/// A call that was made, or couldn't be.
struct Attempted {
    outcome: Outcome,
    /// How many of the claimed notifications the message covers.
    covered: usize,
}

impl Claimed {
    /// The people that it mentions: for a problem that is new or worse, and once.
    pub(super) fn mentions(&self) -> Vec<String> {
        let mut mentions: Vec<String> = match self.work {
            // An edit for a curve changes nothing else.
            Work::Update(_) if self.is_only_a_curve() => {
                self.queued.iter().flat_map(|queued| queued.mentions.clone()).collect()
            }
            Work::Update(_) | Work::Digest(DigestStep::Edit | DigestStep::Close | DigestStep::MarkShown, _) => {
                Vec::new()
            }
            _ => self.queued.iter().flat_map(|queued| queued.mentions.clone()).collect(),
        };
        mentions.sort();
        mentions.dedup();
        // Whoever was mentioned for a storm is, once more, when nobody answers it.
        mentions.retain(|mention| self.is_step() || !self.message.mentioned.contains(mention));
        mentions
    }

    /// Whether its message gets a curve next; `now` in Unix seconds.
    fn wants_curve_of(&self, now: i64) -> bool {
        match &self.work {
            Work::Post(problem) | Work::Update(problem) => {
                !self.is_only_a_curve() && crate::rules::curve::is_wanted(problem, now)
            }
            _ => false,
        }
    }

    /// Whether it says that nobody answers.
    fn is_step(&self) -> bool {
        self.notifications().iter().any(|one| matches!(one.kind, Kind::Unanswered | Kind::Forgotten))
    }

    fn is_lines(&self) -> bool {
        matches!(self.work, Work::Digest(DigestStep::Lines, _))
    }

    /// Whether Slack has its message, so that it can be named there.
    fn is_in_slack(&self) -> bool {
        self.message.channel.is_some() && self.message.ts.is_some()
    }

    /// Whether it edits a message or replies to one.
    fn refers(&self) -> bool {
        match self.work {
            Work::Update(_) | Work::Reply(_) => true,
            Work::Digest(step, _) => step != DigestStep::Post,
            Work::Post(_) | Work::PostOnce(_) | Work::DirectMessage(_) | Work::List(_) => false,
        }
    }
}

/// The annotation of a message that couldn't reach its own destination, with the remedy.
fn why_rerouted(target: &Target, reason: &Reason) -> String {
    if let (Some(SlackError::UsersNotFound), Target::Email(email)) = (&reason.error, target) {
        return format!("meant for {email}; nobody in this workspace has that address");
    }
    let remedy = remedy(reason.error.as_ref(), Context::Reroute).map(|text| format!("; {text}")).unwrap_or_default();
    format!("meant for {}, which can't be reached: {}{remedy}", target.as_text(), reason.text)
}

/// One direct post per destination, without spool or outbox: the last resort when the disk refuses.
///
/// Returns how many destinations accepted it.
pub(crate) fn directly(config: &Config, env: &Environment, notification: &Notification, received: i64) -> usize {
    let notification = &mut notification.clone();
    Details::default().fill(&mut [notification], config, &UsedVars::of(config, &[]));
    super::complete(notification, config);
    let decision = crate::rules::route::decide(notification, config, &[], super::drain::local_time(received));
    let mut posted = 0;
    for routed in &decision.routed {
        let queue = queue_of(routed, notification.contact.email.as_deref());
        let Some(integration) = config.integrations.iter().find(|i| i.name == queue.integration) else {
            continue;
        };
        let annotation = Some("posted without being stored first: the disk refused it");
        let message = message(notification, config, integration.flavor, received / 1000, annotation);
        let channel = literal(&queue.target);
        let outcome = Client::new(integration, env).map(|c| c.post(channel, message, config.outbox.time_budget));
        match outcome {
            Ok(Outcome::Delivered(_)) => posted += 1,
            Ok(other) => {
                error!("direct post failed integration={} reason={:?}", integration.name, other.reason().text);
            }
            Err(e) => error!("direct post failed integration={} reason={:?}", integration.name, e.to_string()),
        }
    }
    posted
}
