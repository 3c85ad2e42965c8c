//! From the spool into the outbox: read, ask the core for what no command line may carry, route, import in one
//! transaction, then remove the files.
//!
//! A notification whose author the core may still name stays in the spool for a moment, and what came later about the
//! same object stays behind it.

use super::mentions::{lane_of, mentions_to_text};
use super::{DeliverError, Deliverer};
use crate::config::{Config, Route};
use crate::model::notification::Notification;
use crate::monitoring::{author, paths};
use crate::rules::route::{self, LocalTime};
use crate::rules::slash::Filter;
use crate::state_dir::spool::{Entry, ReadError, SpoolId};
use crate::store::{Lane, NewDelivery, Store, StoreError, Subscription};
use crate::system::clock::millis;
use log::{error, warn};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// How many names are listed at once: bounds memory with a million files, and the directory is read only now and then.
const LIST_MAX: usize = 20_000;
/// How many notifications one transaction imports.
const BATCH: usize = 500;

/// A spool file: its name, when it was taken (Unix ms), what it holds and where that goes.
type Routed = (SpoolId, i64, Notification, Vec<NewDelivery>);
/// The same before it is known where it goes.
type Read = (SpoolId, i64, Notification);

/// How long the core may take to write down who said something, and how often it is looked at.
const AUTHOR_WAIT: Duration = Duration::from_secs(5);
const AUTHOR_LOOK: Duration = Duration::from_millis(250);

impl Deliverer {
    /// Imports what is in the spool; returns how many notifications are new. With no integration configured at all
    /// everything stays in the spool: there is nowhere to route it yet.
    pub(crate) fn drain(&mut self) -> Result<usize, DeliverError> {
        if self.config.integrations.is_empty() {
            return Ok(0);
        }
        // Before a file leaves the spool for a database that nobody will find again.
        self.store.check_place()?;
        let ids = self.spool.oldest(LIST_MAX)?;
        if !ids.is_empty() {
            self.subscriptions = subscriptions(&self.store)?;
        }
        self.awaited = None;
        let (mut imported, mut waiting) = (0, HashSet::new());
        for batch in ids.chunks(BATCH) {
            imported += self.import(batch, &mut waiting)?;
        }
        Ok(imported)
    }

    /// `waiting`: the objects of which nothing is imported now.
    fn import(&mut self, ids: &[SpoolId], waiting: &mut HashSet<String>) -> Result<usize, DeliverError> {
        let now = self.now_ms();
        let mut read: Vec<Read> = ids.iter().filter_map(|id| self.read(id).transpose()).collect::<Result<_, _>>()?;
        self.ask_the_cores(&mut read, waiting);
        let batch: Vec<Routed> = read.into_iter().map(|read| self.route(read)).collect();
        self.store.import(&batch, self.config.storm.window, now)?;
        for (id, ..) in &batch {
            self.spool.remove(id)?;
        }
        Ok(batch.len())
    }

    /// Fills in what the cores know of these; takes out what waits for one of them.
    fn ask_the_cores(&mut self, read: &mut Vec<Read>, waiting: &mut HashSet<String>) {
        let mut all: Vec<&mut Notification> = read.iter_mut().map(|(_, _, notification)| notification).collect();
        self.details.fill(&mut all, &self.config, &self.subscriptions);
        let now = self.now_ms();
        // A clock that was set back must not make anything wait until it is right again.
        let is_young = |received: i64| (0..millis(AUTHOR_WAIT)).contains(&now.saturating_sub(received));
        let mut by_core: BTreeMap<String, Vec<(i64, &mut Notification)>> = BTreeMap::new();
        for (_, received, notification) in read.iter_mut().filter(|(.., notification)| author::is_missing(notification))
        {
            by_core.entry(notification.core.clone()).or_default().push((*received, notification));
        }
        for (name, entries) in by_core {
            let Some(core) = paths::core(&self.config, &name) else { continue };
            let (times, mut notifications): (Vec<i64>, Vec<&mut Notification>) = entries.into_iter().unzip();
            let may_come = author::fill(&core, &mut notifications);
            let awaited = may_come.into_iter().zip(times).zip(notifications);
            let awaited = awaited.filter(|((may_come, received), _)| *may_come && is_young(*received));
            waiting.extend(awaited.map(|(_, notification)| notification.object_key()));
        }
        if !waiting.is_empty() {
            self.awaited = Some(now.saturating_add(millis(AUTHOR_LOOK)));
            read.retain(|(.., notification)| !waiting.contains(&notification.object_key()));
        }
    }

    /// Reads one file; what is no notification or can't be read goes aside.
    fn read(&self, id: &SpoolId) -> Result<Option<Read>, DeliverError> {
        let Entry { received, notification } = match self.spool.read(id) {
            Ok(entry) => entry,
            Err(ReadError::Gone) => return Ok(None),
            Err(ReadError::Exhausted(e)) => return Err(e.into()),
            Err(why @ (ReadError::Garbage(_) | ReadError::Newer(_) | ReadError::Io(_))) => {
                match self.spool.set_aside(id) {
                    Ok(()) => error!("spool file put aside file=spool/bad/{id} reason={why}"),
                    Err(e) => error!("spool file stays file=spool/new/{id} reason={why} and {e}"),
                }
                return Ok(None);
            }
        };
        Ok(Some((id.clone(), received, notification)))
    }

    /// Where it goes.
    fn route(&self, (id, received, mut notification): Read) -> Routed {
        complete(&mut notification, &self.config);
        let deliveries = deliveries(&notification, &self.config, &self.subscriptions, local_time(received));
        for delivery in &deliveries {
            if let NewDelivery::Dead { reason, .. } = delivery {
                warn!("no place for a notification object=\"{}\" reason={reason}", notification.object_label());
            }
        }
        (id, received, notification, deliveries)
    }
}

/// What `notify` left to whoever knows the configuration.
pub(crate) fn complete(notification: &mut Notification, config: &Config) {
    if notification.long_output_is_raw {
        notification.read_long_output(crate::monitoring::long_output(config, &notification.core));
    }
    crate::rules::render::redact(notification, &config.message.redact);
}

/// What the channels subscribed to, as routes. A filter that can't be read any more is of another version.
pub(crate) fn subscriptions(store: &Store) -> Result<Vec<Route>, StoreError> {
    let route = |kept: Subscription| match Filter::of(&kept.filter) {
        Ok(filter) => Config::subscription(&kept.integration, &kept.channel, filter.matches),
        Err(e) => {
            warn!("a subscription can't be read channel={} filter=\"{}\" reason={e}", kept.channel, kept.filter);
            None
        }
    };
    Ok(store.subscriptions()?.into_iter().filter_map(route).collect())
}

/// Where the notification goes, as rows of the outbox. Never empty: without a place it is dead, not gone.
fn deliveries(
    notification: &Notification,
    config: &Config,
    subscriptions: &[Route],
    at: LocalTime,
) -> Vec<NewDelivery> {
    let decision = route::decide(notification, config, subscriptions, at);
    let note = (!decision.complaints.is_empty()).then(|| decision.complaints.join("; "));
    let mut found: Vec<_> = decision
        .placed
        .iter()
        .map(|placed| NewDelivery::Waiting {
            lane: lane_of(placed, notification),
            mentions: mentions_to_text(&placed.mentions),
            note: note.clone(),
            voice: super::mentions::voice(config, &lane_of(placed, notification)),
        })
        .collect();
    if found.is_empty() {
        let lane = Lane { integration: String::new(), target: String::new() };
        let reason = note.unwrap_or_else(|| "no route takes it and no integration has a channel".to_owned());
        found.push(NewDelivery::Dead { lane, reason });
    }
    found
}

/// The machine's local time of day, for routes that hold only at certain hours.
pub(crate) fn local_time(unix_ms: i64) -> LocalTime {
    let instant = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    let local = instant.to_zoned(jiff::tz::TimeZone::system());
    let weekday = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
    LocalTime { weekday, minute_of_day: minute }
}
