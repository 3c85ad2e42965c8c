//! What a configuration would have sent of a core's log: each notification in it goes through routing, storms and rendering as
//! it would have, on a clock that stands where the log is. Nothing is sent and nothing stays.
//!
//! The outbox is a temporary one, and what was delivered is forgotten on the way: neither memory nor disk grows with the
//! log. Timers (escalations, shifts, questions, the weekly report) don't run, as they ask what only the core and Slack know.

use crate::config::{Config, Route};
use crate::flow::deliver::{CallKind, DeliverError, Deliverer, SimulatedCall, local_time};
use crate::model::notification::Notification;
use crate::model::pattern::glob;
use crate::monitoring::log_events::Skipped;
use crate::monitoring::log_files::LogFile;
use crate::monitoring::log_notifications::notification;
use crate::rules::replay::{Counts, Sent, SentKind};
use crate::store::{PURGE_BATCH, Target};
use crate::system::environment::Environment;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// Cards of problems that began so long before the time that is asked for are known in it.
const KNOWN_BEFORE_SECONDS: i64 = 7 * 86_400;
/// After the last notification whatever waits has so long to be sent.
const AFTERWARDS_MS: i64 = 86_400_000;
/// So many notifications are held at a time: one pass over the core's objects serves them all.
const BATCH: usize = 500;
/// How many events lie between two looks at the clock and at Ctrl-C.
const EVENTS_BETWEEN: u64 = 500;
const COMMANDS_MAX: usize = 100;
/// The hours in which people sleep, by the machine's clock.
const NIGHT_FROM_MINUTE: u16 = 22 * 60;
const NIGHT_TO_MINUTE: u16 = 7 * 60;

/// What is replayed.
#[derive(Debug, Clone)]
pub(crate) struct ReplayOptions {
    /// The core's name.
    pub(crate) core: String,
    /// Unix seconds: from here on messages count.
    pub(crate) from: i64,
    /// Later times are a wrong clock's.
    pub(crate) latest: i64,
    /// Only notifications by notification commands like this.
    pub(crate) command: Option<String>,
}

/// How far it has come, and what it found.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplayState {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) counts: Counts,
    /// How many notifications each notification command had.
    pub(crate) commands: BTreeMap<String, u64>,
    /// Files with lines that gave nothing, or that couldn't be read to their end.
    pub(crate) remarks: Vec<(PathBuf, Skipped, Option<String>)>,
    pub(crate) was_stopped: bool,
}

/// One run over the logs.
struct Replay<'a> {
    deliverer: Deliverer,
    config: &'a Config,
    options: &'a ReplayOptions,
    state: ReplayState,
    batch: Vec<Notification>,
    /// Unix seconds of the last purge.
    purged: i64,
    each: &'a mut dyn FnMut(&SimulatedCall),
}

/// Replays the files. `each` gets every call; `goes_on` is asked every some hundred events.
pub(crate) fn replay(
    (config, env, subscriptions): (&Config, &Environment, &[Route]),
    files: &[LogFile],
    options: &ReplayOptions,
    each: &mut dyn FnMut(&SimulatedCall),
    goes_on: &mut dyn FnMut(&ReplayState) -> bool,
) -> Result<ReplayState, DeliverError> {
    let counts = Counts::new(config.routes.iter().map(|route| route.line));
    let state = ReplayState { counts, ..ReplayState::default() };
    // Before any event of a log.
    let deliverer = Deliverer::simulated(config.clone(), env.clone(), subscriptions.to_vec(), 0)?;
    let mut replay = Replay { deliverer, config, options, state, batch: Vec::new(), purged: 0, each };
    let read = Rc::new(Cell::new(0));
    for file in files {
        replay.file(file, &read, goes_on)?;
        if replay.state.was_stopped {
            break;
        }
    }
    replay.play()?;
    let end = replay.deliverer.now_ms().saturating_add(AFTERWARDS_MS);
    replay.deliverer.advance_to(end)?;
    replay.count_calls();
    Ok(replay.state)
}

impl Replay<'_> {
    fn file(
        &mut self,
        file: &LogFile,
        read: &Rc<Cell<u64>>,
        goes_on: &mut dyn FnMut(&ReplayState) -> bool,
    ) -> Result<(), DeliverError> {
        let mut reader = match file.open(self.options.latest, read) {
            Ok(reader) => reader,
            Err(e) => {
                self.state.remarks.push((file.path.clone(), Skipped::default(), Some(e.to_string())));
                return Ok(());
            }
        };
        let from = self.options.from.saturating_sub(KNOWN_BEFORE_SECONDS);
        let (mut events, mut failed) = (0_u64, None);
        let done = reader.each(|event| {
            events += 1;
            if event.at >= from
                && let Some((notification, command)) = notification(event, &self.options.core)
            {
                failed = self.add(notification, command).err();
            }
            if events.is_multiple_of(EVENTS_BETWEEN) {
                self.state.bytes = read.get();
                self.state.was_stopped = !goes_on(&self.state);
            }
            failed.is_none() && !self.state.was_stopped
        });
        if let Some(e) = failed {
            return Err(e);
        }
        let (skipped, error) = (reader.skipped, done.err().map(|e| format!("{e}, after line {}", reader.number)));
        if skipped.lines() > 0 || error.is_some() {
            self.state.remarks.push((file.path.clone(), skipped, error));
        }
        self.state.lines += reader.number;
        self.state.bytes = read.get();
        self.state.was_stopped = self.state.was_stopped || !goes_on(&self.state);
        Ok(())
    }

    fn add(&mut self, notification: Notification, command: &str) -> Result<(), DeliverError> {
        if notification.time >= self.options.from {
            let commands = &mut self.state.commands;
            // A log of something else must not fill the memory with its words.
            if commands.contains_key(command) || commands.len() < COMMANDS_MAX {
                *commands.entry(command.to_owned()).or_default() += 1;
            }
        }
        if self.options.command.as_ref().is_none_or(|pattern| glob(pattern, command)) {
            self.batch.push(notification);
        }
        if self.batch.len() >= BATCH { self.play() } else { Ok(()) }
    }

    /// Lets the core have sent the batch. One by one, as a core runs one command after the other: what is due between two is
    /// sent between them.
    fn play(&mut self) -> Result<(), DeliverError> {
        let mut batch = std::mem::take(&mut self.batch);
        self.deliverer.add_details(&mut batch.iter_mut().collect::<Vec<_>>());
        for notification in batch {
            let at = notification.time;
            self.deliverer.advance_to(at.saturating_mul(1000))?;
            self.count_calls();
            let (routes, destinations) = self.deliverer.import_one(notification)?;
            if at >= self.options.from {
                self.state.counts.add_notification(&routes, destinations);
            }
            self.deliverer.advance_to(self.deliverer.now_ms())?;
            self.count_calls();
            if at.saturating_sub(self.purged) > 86_400 {
                self.purged = at;
                self.deliverer.forget_old(PURGE_BATCH / 10)?;
            }
        }
        Ok(())
    }

    fn count_calls(&mut self) {
        for call in self.deliverer.take_calls() {
            if call.at / 1000 < self.options.from {
                continue;
            }
            let kind = match call.kind {
                CallKind::Message => SentKind::Message,
                CallKind::Reply => SentKind::Reply,
                CallKind::Edit => SentKind::Edit,
            };
            let sent = Sent {
                at: call.at / 1000,
                is_night: is_night(call.at),
                destination: &self.destination(&call),
                kind,
                mentions: &call.mentions,
                digest: call.digest,
            };
            self.state.counts.add(&sent);
            (self.each)(&call);
        }
    }

    /// As people know it: a webhook by the name of its integration.
    fn destination(&self, call: &SimulatedCall) -> String {
        let (integration, target) = (&call.queue.integration, &call.queue.target);
        match target {
            Target::Webhook => format!("webhook of {integration}"),
            Target::Email(_) | Target::Channel(_) if self.config.integrations.len() > 1 => {
                format!("{target} ({integration})")
            }
            Target::Email(_) | Target::Channel(_) => target.to_string(),
        }
    }
}

fn is_night(unix_ms: i64) -> bool {
    let minute = local_time(unix_ms).minute_of_day;
    !(NIGHT_TO_MINUTE..NIGHT_FROM_MINUTE).contains(&minute)
}

/// A time in Unix seconds by the machine's clock on the wall.
pub(crate) fn local_text(unix: i64) -> String {
    let local = Timestamp::from_second(unix).unwrap_or_default().to_zoned(TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
