//! A deliverer that sends nothing: what a core said at another time goes through the same routing, storms and rendering, into
//! an outbox of its own, on a clock that is told the time.
//!
//! Slack accepts everything here, finds everybody, and answers at once. No client is made, so no network is touched.

use super::drain::{Unrouted, local_time};
use super::send::Addressed;
use super::{DeliverError, Deliverer};
use crate::config::{Config, Livestatus, Route};
use crate::model::incoming::Incoming;
use crate::model::notification::Notification;
use crate::model::outcome::{Outcome, Posted};
use crate::monitoring::details::UsedVars;
use crate::rules::digest::DigestStep;
use crate::rules::route;
use crate::state_dir::spool::SpoolId;
use crate::store::{Claimed, DeliveryQueue, Leadership, MessageId, NewDelivery, Store, Work};
use crate::system::clock::SteadyClock;
use crate::system::environment::Environment;
use serde_json::Value;

/// Takes calls in Slack's place.
#[derive(Debug, Default)]
pub(super) struct Simulated {
    posted: u64,
    calls: Vec<SimulatedCall>,
}

/// How a call shows in Slack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// A message of its own.
    Message,
    /// A line in the thread of a message.
    Reply,
    /// A message is shown anew in its own place; nobody is notified.
    Edit,
}

/// A call that would have been made.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedCall {
    /// Unix ms.
    pub(crate) at: i64,
    pub(crate) queue: DeliveryQueue,
    pub(crate) kind: CallKind,
    /// Of a message for many problems: its number, and how many problems it has.
    pub(crate) digest: Option<(i64, u32)>,
    /// The people and groups that it mentions, as the configuration writes them.
    pub(crate) mentions: Vec<String>,
    /// As Slack would get it.
    pub(crate) message: Value,
    /// The `ts` of the message that it is, replies to, or edits.
    pub(crate) root: String,
}

impl Simulated {
    pub(super) fn call(&mut self, claimed: &Claimed, addressed: Addressed, covered: usize, now: i64) -> Outcome {
        let Addressed { channel, edits, is_reply, message } = addressed;
        self.posted += 1;
        let ts = edits.clone().unwrap_or_else(|| format!("{}.{:06}", now / 1000, self.posted % 1_000_000));
        let digest = match (&claimed.work, claimed.message.id) {
            (
                Work::Digest(DigestStep::Post | DigestStep::Edit, stats) | Work::List(stats),
                MessageId::Digest(number),
            ) => Some((number, stats.problems)),
            _ => None,
        };
        let kind = match (&edits, is_reply) {
            (Some(_), _) => CallKind::Edit,
            (None, true) => CallKind::Reply,
            (None, false) => CallKind::Message,
        };
        let root = message["thread_ts"].as_str().map_or_else(|| ts.clone(), str::to_owned);
        let mentions = if covered == 0 { Vec::new() } else { claimed.mentions() };
        self.calls.push(SimulatedCall { at: now, queue: claimed.queue.clone(), kind, digest, mentions, message, root });
        // A webhook doesn't say where its message is.
        Outcome::Delivered(channel.map(|channel| Posted { channel, ts }))
    }
}

impl Deliverer {
    /// One that sends nothing, at a time in Unix ms. `subscriptions`: of the outbox in force.
    pub(crate) fn simulated(
        mut config: Config,
        env: Environment,
        subscriptions: Vec<Route>,
        now: i64,
    ) -> Result<Self, DeliverError> {
        for core in &mut config.cores {
            // What a pair's other core said stands in another log: nothing waits for it.
            core.redundant = None;
            if core.livestatus.as_ref().is_some_and(Livestatus::is_remote) {
                core.livestatus = None;
            }
            core.api = None;
        }
        Ok(Self {
            subscriptions,
            leadership: Some(Leadership::of_a_temporary_outbox()),
            simulated: Some(Simulated::default()),
            ..Self::with(config, env, Store::temporary()?, SteadyClock::simulated(now))
        })
    }

    /// Fills in what the core's files say of these objects now, as the import does. In one pass for all of them.
    pub(crate) fn add_details(&mut self, notifications: &mut [&mut Notification]) {
        let used = UsedVars::of(&self.config, &self.subscriptions);
        self.details.fill(notifications, &self.config, &used);
        self.read_topologies(notifications.iter().map(|notification| &**notification));
    }

    /// Imports one notification into the outbox, as if the core had sent it now: the lines of the routes that took it, and
    /// how many destinations it has.
    pub(crate) fn import_one(&mut self, notification: Notification) -> Result<(Vec<usize>, usize), DeliverError> {
        let (now, incoming) = (self.now_ms(), Incoming::Notification(notification));
        let entry = self.route(Unrouted { id: SpoolId::fresh(), is_repeated: false, received: now, incoming })?;
        let completed = entry.incoming.notification();
        let routes = completed.map(|found| route::matched(found, &self.config, local_time(now))).unwrap_or_default();
        let is_waiting = |delivery: &&NewDelivery| matches!(delivery, NewDelivery::Waiting { .. });
        let destinations = entry.deliveries.iter().filter(is_waiting).count();
        self.store.import(&[entry], self.config.storm.window, now)?;
        Ok((routes, destinations))
    }

    /// Makes every call that is due before a time, in Unix ms, and moves the clock there. `false`: something still waits.
    pub(crate) fn advance_to(&mut self, until: i64) -> Result<bool, DeliverError> {
        loop {
            let next = self.round(None, &|| false)?.next;
            match next {
                Some(next) if next <= until => self.clock.advance_to(next),
                next => {
                    self.clock.advance_to(until);
                    return Ok(next.is_none());
                }
            }
        }
    }

    /// Forgets what was delivered long ago, so that a long replay needs no more room than a short one.
    pub(crate) fn forget_old(&mut self, worth: usize) -> Result<(), DeliverError> {
        while self.forget(worth, |_| false)? {}
        Ok(())
    }

    /// The calls since the last look.
    pub(crate) fn take_calls(&mut self) -> Vec<SimulatedCall> {
        self.simulated.as_mut().map(|simulated| std::mem::take(&mut simulated.calls)).unwrap_or_default()
    }
}
