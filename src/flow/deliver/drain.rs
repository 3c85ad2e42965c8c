//! From the spool into the outbox: read, ask the core for the fields that no command line may carry, route, import in one
//! transaction, then remove the files.
//!
//! A notification whose author the core may still name stays in the spool for a moment, and later ones about the same
//! object stay behind it.

use super::mentions::{mention_texts, message_mode, queue_of};
use super::{DeliverError, Deliverer};
use crate::config::{Config, Destination, Route, SendTime, SendTimes};
use crate::flow::ask_cores::{AUTHOR_LOOK, ask_the_cores};
use crate::flow::people;
use crate::model::incoming::Incoming;
use crate::model::notification::Notification;
use crate::monitoring::details::UsedVars;
use crate::rules::render::{redact, redact_direct_message};
use crate::rules::route::{self, Decision, LocalTime, Routed};
use crate::rules::slash::Filter;
use crate::state_dir::spool::{Entry, ReadError, SpoolId};
use crate::store::{Imported, NewDelivery, NewEntry, Store, StoreError, Subscription};
use crate::system::clock::millis;
use crate::system::order;
use log::{error, warn};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How many names are listed at once: bounds memory with a million files, and the directory is read only now and then.
const LIST_MAX: usize = 20_000;
/// How many notifications one transaction imports.
const BATCH: usize = 500;
/// The same into a server, where all nodes wait for it: as many as take so long, and at least so many. 5 ms away 500 took 6 s.
const LOCKED_FOR: Duration = Duration::from_millis(300);
pub(super) const BATCH_MIN: usize = 50;

/// A spool file that isn't routed yet.
pub(super) struct Unrouted {
    pub(super) id: SpoolId,
    /// It was imported before, and is offered again: the outbox may have forgotten it.
    pub(super) is_repeated: bool,
    /// Unix ms.
    pub(super) received: i64,
    pub(super) incoming: Incoming,
}

/// A file to import.
struct Listed {
    id: SpoolId,
    /// In `spool/sent/`, else in `spool/new/`.
    is_sent: bool,
}

impl Deliverer {
    /// Imports what is in the spool, and lets the recoveries count that waited long enough for the other cores; returns how
    /// many notifications are to be sent. With no integration configured at all
    /// everything stays in the spool: there is nowhere to route it yet.
    pub(crate) fn drain(&mut self) -> Result<usize, DeliverError> {
        if self.config.integrations.is_empty() {
            return Ok(0);
        }
        // Before a file leaves the spool for a database that nobody will find again.
        self.store.check_file_identity()?;
        let listed = self.list()?;
        if !listed.is_empty() {
            self.subscriptions = subscriptions(&self.store)?;
        }
        self.awaited = None;
        let (mut imported, mut waiting) = (0, HashSet::new());
        if self.leadership.is_some() && self.is_look_due() {
            self.looked = Some(Instant::now());
            imported += self.store.count_recoveries(self.now_ms())?;
            imported += usize::from(self.post_weekly()?);
        }
        let mut rest = &listed[..];
        while !rest.is_empty() {
            let most = if self.store.is_shared() { self.batch } else { BATCH };
            let (batch, later) = rest.split_at(most.min(rest.len()));
            imported += self.import(batch, &mut waiting)?;
            rest = later;
        }
        Ok(imported)
    }

    /// What is to be imported, the oldest first.
    fn list(&mut self) -> Result<Vec<Listed>, DeliverError> {
        let new = self.spool.oldest(LIST_MAX)?;
        let mut listed: Vec<Listed> = new.into_iter().map(|id| Listed { id, is_sent: false }).collect();
        let Some(sent) = &mut self.sent else { return Ok(listed) };
        sent.make_room(&self.spool);
        if sent.is_look_due(!listed.is_empty()) {
            // Only an answer shows by which connection it came, and so whether there was a failover. What that forgot is to
            // be there again before what came since, where it can be.
            self.store.database_ms()?;
            let new: HashSet<_> = listed.iter().map(|one| one.id.clone()).collect();
            let offered = sent.repeat(&self.spool, self.store.connections(), LIST_MAX);
            listed.extend(offered.into_iter().filter(|id| !new.contains(id)).map(|id| Listed { id, is_sent: true }));
            order::by(&mut listed, |one, other| one.id.cmp(&other.id));
        }
        Ok(listed)
    }

    /// Enqueues the week's summary when it is due. What keeps it from being counted keeps no notification back.
    fn post_weekly(&mut self) -> Result<bool, DeliverError> {
        if self.config.weekly.is_none() {
            return Ok(false);
        }
        Ok(crate::flow::weekly::post_if_due(&mut self.store, &self.config, &self.names, self.clock.wall_ms())?)
    }

    /// `waiting`: the objects of which nothing is imported now.
    fn import(&mut self, listed: &[Listed], waiting: &mut HashSet<String>) -> Result<usize, DeliverError> {
        let now = self.now_ms();
        let mut unrouted: Vec<Unrouted> =
            listed.iter().filter_map(|one| self.read(one).transpose()).collect::<Result<_, _>>()?;
        self.ask_the_cores(&mut unrouted, waiting);
        self.read_topologies(unrouted.iter().filter_map(|one| one.incoming.notification()));
        let notifications = unrouted.iter().filter_map(|one| one.incoming.notification());
        let objects: Vec<String> = notifications.map(Notification::object_key).collect();
        let ask = || objects.iter().for_each(|object| drop(self.store.followers(object)));
        let route = || unrouted.into_iter().map(|one| self.route(one)).collect::<Result<Vec<NewEntry>, DeliverError>>();
        let batch = self.store.ahead(ask, route)?;
        let began = Instant::now();
        let imported = self.store.import(&batch, self.config.storm.window, now)?;
        self.batch = fitting(batch.len(), began.elapsed());
        self.put_away(listed, &batch, imported)?;
        Ok(batch.len())
    }

    /// What is in the outbox leaves the spool, or is kept there for a while.
    fn put_away(&mut self, listed: &[Listed], batch: &[NewEntry], imported: Vec<Imported>) -> Result<(), DeliverError> {
        let offered: HashSet<&SpoolId> = listed.iter().filter(|one| one.is_sent).map(|one| &one.id).collect();
        for (NewEntry { id, .. }, imported) in batch.iter().zip(imported) {
            let is_sent = offered.contains(id);
            match imported {
                Imported::New | Imported::Known => match &mut self.sent {
                    Some(sent) => sent.keep(&self.spool, id, is_sent)?,
                    None => self.spool.remove(id)?,
                },
                Imported::Refused(why) => self.put_aside(id, is_sent, &why),
            }
        }
        Ok(())
    }

    /// What can't be imported is kept where `check` counts it, and holds up nothing.
    fn put_aside(&mut self, id: &SpoolId, is_sent: bool, why: &str) {
        if let Some(sent) = self.sent.as_mut().filter(|_| is_sent) {
            warn!("a spool file isn't offered again file=spool/sent/{id} reason={why:?}");
            return sent.give_up(&self.spool, id);
        }
        match self.spool.set_aside(id) {
            Ok(()) => error!("spool file put aside file=spool/bad/{id} reason={why:?}"),
            Err(e) => error!("spool file not put aside file=spool/new/{id} reason={why:?} error={:?}", e.to_string()),
        }
    }

    /// Fills in the fields that only the cores know; takes out the notifications that wait for one of them.
    fn ask_the_cores(&mut self, unrouted: &mut Vec<Unrouted>, waiting: &mut HashSet<String>) {
        let mut all: Vec<(i64, &mut Notification)> =
            unrouted.iter_mut().filter_map(|one| Some((one.received, one.incoming.notification_mut()?))).collect();
        let now = self.now_ms();
        let used = UsedVars::of(&self.config, &self.subscriptions);
        ask_the_cores(&mut self.details, &mut all, &self.config, (&used, now), waiting);
        if !waiting.is_empty() {
            self.awaited = Some(now.saturating_add(millis(AUTHOR_LOOK)));
            unrouted.retain(|one| !waiting.contains(&one.incoming.object_key()));
        }
    }

    /// Reads one file; one that isn't a notification or can't be read is put aside.
    fn read(&mut self, Listed { id, is_sent }: &Listed) -> Result<Option<Unrouted>, DeliverError> {
        let read = if *is_sent { self.spool.read_sent(id) } else { self.spool.read(id) };
        let Entry { received, incoming } = match read {
            Ok(entry) => entry,
            Err(ReadError::Gone) if !is_sent => return Ok(None),
            Err(ReadError::Exhausted(e)) => return Err(e.into()),
            Err(why @ (ReadError::Gone | ReadError::Garbage(_) | ReadError::Newer(_) | ReadError::Io(_))) => {
                self.put_aside(id, *is_sent, &why.to_string());
                return Ok(None);
            }
        };
        let is_repeated = self.sent.as_ref().is_some_and(|sent| sent.is_offered(id));
        Ok(Some(Unrouted { id: id.clone(), is_repeated, received, incoming }))
    }

    /// Finds its destinations.
    pub(super) fn route(
        &self,
        Unrouted { id, is_repeated, received, mut incoming }: Unrouted,
    ) -> Result<NewEntry, DeliverError> {
        let decision = match &mut incoming {
            Incoming::Notification(notification) => {
                complete(notification, &self.config);
                let mut decision = route::decide(notification, &self.config, &self.subscriptions, local_time(received));
                self.name_people_on_call(&mut decision)?;
                decision
            }
            Incoming::DirectMessage(message) => {
                redact_direct_message(message, &self.config.message.redact);
                route::decide_direct_message(message, &self.config)
            }
        };
        let mut deliveries = deliveries(&decision, &incoming, received, &self.config);
        self.add_followers(&incoming, &mut deliveries)?;
        for delivery in &deliveries {
            if let NewDelivery::Dead { reason } = delivery {
                warn!("no destination object={:?} reason={reason:?}", incoming.label());
            }
        }
        let behind = incoming.notification().map(|notification| self.behind(notification)).unwrap_or_default();
        Ok(NewEntry { id, received, incoming, deliveries, behind, is_repeated })
    }

    /// Puts the people who are on call now into the place of their plan.
    fn name_people_on_call(&self, decision: &mut Decision) -> Result<(), DeliverError> {
        if self.simulated.is_some() {
            return Ok(());
        }
        let is_plan = |routed: &Routed| matches!(&routed.to, route::Target::Destination(Destination::OnCall(_)));
        if !decision.routed.iter().any(is_plan) {
            return Ok(());
        }
        for routed in std::mem::take(&mut decision.routed) {
            let route::Target::Destination(Destination::OnCall(name)) = &routed.to else {
                decision.routed.push(routed);
                continue;
            };
            let people = self.store.on_duty(name)?.map(|duty| duty.people).unwrap_or_default();
            let mut to: Vec<Destination> =
                people.iter().filter_map(|person| people::as_mention(person).parse().ok()).collect();
            if to.is_empty() {
                decision.complaints.push(format!("meant for @oncall:{name}, and nobody is on call"));
                let integration = self.config.integrations.iter().find(|found| found.name == routed.integration);
                to.extend(integration.and_then(|integration| integration.channel.clone()));
            }
            let to = to.into_iter().map(route::Target::Destination);
            decision.routed.extend(to.map(|to| Routed { to, ..routed.clone() }));
        }
        Ok(())
    }

    /// Whoever a step of an escalation brought the problem to hears how it goes on.
    fn add_followers(&self, incoming: &Incoming, deliveries: &mut Vec<NewDelivery>) -> Result<(), DeliverError> {
        let Some(notification) = incoming.notification() else { return Ok(()) };
        for queue in self.store.followers(&notification.object_key())? {
            let is_there =
                |one: &NewDelivery| matches!(one, NewDelivery::Waiting { queue: other, .. } if *other == queue);
            if !deliveries.iter().any(is_there) {
                let mode = message_mode(&self.config, &queue);
                deliveries.push(NewDelivery::Waiting {
                    queue,
                    mentions: Vec::new(),
                    annotation: None,
                    mode,
                    deferred: None,
                });
            }
        }
        Ok(())
    }
}

/// How many take [`LOCKED_FOR`] where that many took so long.
fn fitting(count: usize, took: Duration) -> usize {
    let fitting = LOCKED_FOR.as_micros().saturating_mul(count as u128) / took.as_micros().max(1);
    usize::try_from(fitting).unwrap_or(BATCH).clamp(BATCH_MIN, BATCH)
}

/// Does the rest of `notify`'s work that needs the configuration.
pub(crate) fn complete(notification: &mut Notification, config: &Config) {
    if notification.long_output_is_raw {
        notification.read_long_output(crate::monitoring::long_output(config, &notification.core));
    }
    let core = config.cores.iter().find(|core| core.name == notification.core);
    notification.is_redundant = core.is_some_and(|core| core.redundant == Some(true));
    redact(notification, &config.message.redact);
}

/// The channels' subscriptions, as routes. A filter that can't be read any more is of another version.
pub(crate) fn subscriptions(store: &Store) -> Result<Vec<Route>, StoreError> {
    let route = |kept: Subscription| match Filter::of(&kept.filter) {
        Ok(filter) => Config::subscription(&kept.integration, &kept.channel, filter.matches),
        Err(e) => {
            warn!("subscription not read channel={} filter={:?} reason={e:?}", kept.channel, kept.filter);
            None
        }
    };
    Ok(store.subscriptions()?.into_iter().filter_map(route).collect())
}

/// The destinations, as rows of the outbox. Never empty: without a destination the notification is dead, not gone.
fn deliveries(decision: &Decision, incoming: &Incoming, received: i64, config: &Config) -> Vec<NewDelivery> {
    let annotation = (!decision.complaints.is_empty()).then(|| decision.complaints.join("; "));
    let email = incoming.notification().and_then(|notification| notification.contact.email.as_deref());
    let mut found: Vec<_> = decision
        .routed
        .iter()
        .map(|routed| {
            let queue = queue_of(routed, email);
            let (mentions, mode) = (mention_texts(&routed.mentions), message_mode(config, &queue));
            let deferred = routed.deferred.as_ref().and_then(|times| next_time(times, received));
            let waits = deferred.map(|until| format!("held until {}", wall(until).strftime("%a %H:%M")));
            let annotation = annotation.clone().or(waits);
            NewDelivery::Waiting { queue, mentions, annotation, mode, deferred }
        })
        .collect();
    if found.is_empty() {
        let reason = annotation.unwrap_or_else(|| "no route matches and no integration has a channel".to_owned());
        found.push(NewDelivery::Dead { reason });
    }
    found
}

/// The first of these times after a moment; Unix ms.
fn next_time(times: &SendTimes, after: i64) -> Option<i64> {
    let today = wall(after).date();
    let of_day = |day: i64| {
        let date = today.checked_add(jiff::Span::new().days(day)).ok()?;
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
        let at = |time: &SendTime| {
            let time = date.at(0, 0, 0, 0).checked_add(jiff::SignedDuration::from_mins(i64::from(time.minute))).ok()?;
            Some(jiff::tz::TimeZone::system().to_timestamp(time).ok()?.as_millisecond())
        };
        times.0.iter().filter(|time| time.days[weekday]).filter_map(at).filter(|at| *at > after).min()
    };
    (0..=8).find_map(of_day)
}

fn wall(unix_ms: i64) -> jiff::civil::DateTime {
    let instant = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    jiff::tz::TimeZone::system().to_datetime(instant)
}

/// The machine's local time of day, for routes that hold only at certain hours.
pub(crate) fn local_time(unix_ms: i64) -> LocalTime {
    let instant = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    let local = instant.to_zoned(jiff::tz::TimeZone::system());
    let weekday = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
    LocalTime { weekday, minute_of_day: minute }
}
