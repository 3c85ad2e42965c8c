//! A flow beside a core that doesn't reach Slack: `spool ─▶ completed ─▶ the centre's spool`, and the centre's questions.
//!
//! Whoever holds the delivery lock hands in: the relay (`ackbell listen` with `[relay]`) all the time, else a `notify` for
//! its time budget. A file leaves this spool only once the centre has it durably, under the same name; if it is killed
//! before the removal, the centre gets it once more and recognises the name. One request at a time, oldest first, so the
//! order of each object's notifications stays.

pub(crate) mod questions;

use super::ask_cores::{AUTHOR_LOOK, ask_the_cores};
use crate::config::{Config, Relay};
use crate::model::incoming::Incoming;
use crate::model::notification::Notification;
use crate::monitoring::details::{Details, UsedVars};
use crate::monitoring::relay::centre::{Centre, CentreError, Reply};
use crate::monitoring::relay::wire::{BATCH_BYTES, BATCH_FILES, Refused};
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::{self, Entry, ReadError, Spool, SpoolError, SpoolId};
use crate::system::clock::SteadyClock;
use crate::system::environment::Environment;
use log::{error, info, warn};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How many names are listed at once.
const LIST_MAX: usize = 20_000;
/// A call needs at least this much of the budget.
const CALL_MIN: Duration = Duration::from_millis(500);
/// After a failure, doubled up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Nothing more can be handed in now; all is kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandInError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Centre(#[from] CentreError),
}

/// What hands in: the centre's addresses, and how much they take.
#[derive(Debug)]
pub(crate) struct HandIn {
    config: Config,
    spool: Spool,
    centres: Vec<Centre>,
    details: Details,
    /// Which custom variables the centre uses; `None` until it has said so.
    used: Option<UsedVars>,
    clock: SteadyClock,
    /// The most that is handed in at once; less after a failure.
    files: usize,
    bytes: usize,
    pause: Duration,
    last_logged: String,
}

/// How far one look at the spool came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing is left.
    Done,
    /// Something waits until the core has written down an author, or for another look.
    After(Duration),
}

/// The entries of one request, as lines.
#[derive(Default)]
struct Batch {
    ids: Vec<SpoolId>,
    lines: String,
}

impl HandIn {
    pub(crate) fn new(config: &Config, relay: &Relay, env: &Environment) -> Result<Self, HandInError> {
        let centres = relay.to.iter().map(|url| Centre::new(relay, url, env)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            config: config.clone(),
            spool: Spool::new(&config.state_dir),
            centres,
            details: Details::default(),
            used: None,
            clock: SteadyClock::start(),
            files: BATCH_FILES,
            bytes: BATCH_BYTES,
            pause: PAUSES.0,
            last_logged: String::new(),
        })
    }

    /// Asks the centre whether it takes anything, and which variables it uses.
    pub(crate) fn greet(&mut self, until: Instant) -> Result<(), HandInError> {
        self.post("", until).map(drop)
    }

    /// Hands in all there is, until then. `stop` is asked between two batches.
    pub(crate) fn hand_in(&mut self, until: Instant, stop: &dyn Fn() -> bool) -> Result<Progress, HandInError> {
        let ids = self.spool.oldest(LIST_MAX)?;
        if self.used.is_none() {
            self.greet(until)?;
        }
        let mut waiting: HashSet<String> = HashSet::new();
        let mut rest = ids.as_slice();
        while !rest.is_empty() {
            if stop() || left(until) < CALL_MIN {
                return Ok(Progress::After(Duration::ZERO));
            }
            let (now, later) = rest.split_at(self.files.min(rest.len()));
            let entries = self.read(now, &mut waiting)?;
            let mut entries = entries.into_iter().peekable();
            while let Some(batch) = self.batch(&mut entries) {
                self.send(&batch, until)?;
            }
            rest = later;
        }
        Ok(match (waiting.is_empty(), ids.len() < LIST_MAX) {
            (true, true) => Progress::Done,
            (true, false) => Progress::After(Duration::ZERO),
            (false, _) => Progress::After(AUTHOR_LOOK),
        })
    }

    /// After a failure: how long to wait before the next try. A reason that is new is logged.
    pub(crate) fn failed(&mut self, e: &HandInError) -> Duration {
        let reason = e.to_string();
        if reason != self.last_logged {
            warn!("can't hand in notifications reason={reason:?} action=retry kept=all");
            self.last_logged = reason;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES.1);
        // A slow or bad way carries less at once.
        (self.files, self.bytes) = ((self.files / 2).max(1), (self.bytes / 2).max(1));
        pause
    }

    /// Reads files, and completes their notifications by what only the core knows.
    fn read(&mut self, ids: &[SpoolId], waiting: &mut HashSet<String>) -> Result<Vec<(SpoolId, Entry)>, HandInError> {
        let mut entries = Vec::new();
        for id in ids {
            match self.spool.read(id) {
                Ok(entry) => entries.push((id.clone(), entry)),
                Err(ReadError::Gone) => {}
                Err(ReadError::Exhausted(e)) => return Err(e.into()),
                Err(why @ (ReadError::Garbage(_) | ReadError::Newer(_) | ReadError::Io(_))) => {
                    self.set_aside(id, &why.to_string())?;
                }
            }
        }
        let mut all: Vec<(i64, &mut Notification)> = entries
            .iter_mut()
            .filter_map(|(_, entry)| Some((entry.received, entry.incoming.notification_mut()?)))
            .collect();
        let used = self.used.clone().unwrap_or_default();
        let now = self.clock.now_ms();
        ask_the_cores(&mut self.details, &mut all, &self.config, (&used, now), waiting);
        for (_, notification) in all {
            super::deliver::complete(notification, &self.config);
        }
        entries.retain(|(_, entry)| !waiting.contains(&entry.incoming.object_key()));
        Ok(entries)
    }

    /// The next request: as much as is handed in at once, but one entry at least.
    fn batch(&self, entries: &mut std::iter::Peekable<impl Iterator<Item = (SpoolId, Entry)>>) -> Option<Batch> {
        let mut batch = Batch::default();
        while batch.ids.len() < self.files
            && let Some((id, entry)) = entries.peek()
        {
            let encoded = spool::encode(entry).unwrap_or_default();
            let line = format!("{{\"name\":\"{id}\",\"entry\":{}}}\n", String::from_utf8_lossy(&encoded));
            if !batch.ids.is_empty() && batch.lines.len() + line.len() > self.bytes {
                break;
            }
            batch.lines.push_str(&line);
            batch.ids.push(id.clone());
            entries.next();
        }
        (!batch.ids.is_empty()).then_some(batch)
    }

    /// Hands in one batch; what the centre has, or will never take, leaves the spool.
    fn send(&mut self, batch: &Batch, until: Instant) -> Result<(), HandInError> {
        let reply = match self.post(&batch.lines, until) {
            // Nothing smaller can be made of it.
            Err(HandInError::Centre(e @ CentreError::TooLarge { .. })) if batch.ids.len() == 1 => {
                return self.set_aside(&batch.ids[0], &e.to_string());
            }
            other => other?,
        };
        let refused: Refused = match reply.status {
            400 => serde_json::from_str(&reply.body).unwrap_or_default(),
            _ => Refused::default(),
        };
        if reply.status == 400 && refused.bad.is_empty() {
            let (url, reason) = (self.centres[0].url().to_owned(), reply.body.chars().take(200).collect());
            return Err(CentreError::Later { url, status: 400, reason }.into());
        }
        for id in &batch.ids {
            match refused.bad.iter().find(|bad| bad.name == id.as_str()) {
                Some(bad) => self.set_aside(id, &format!("the centre refuses it: {}", bad.reason))?,
                None => self.spool.remove(id)?,
            }
        }
        Ok(())
    }

    /// Posts to the first address that answers; it stays the first.
    fn post(&mut self, lines: &str, until: Instant) -> Result<Reply, HandInError> {
        let mut first_error = None;
        for nth in 0..self.centres.len() {
            let within = left(until);
            match self.centres[nth].hand_in(lines, within) {
                Ok(reply) => {
                    self.centres.swap(0, nth);
                    self.used = reply.vars.as_deref().map(UsedVars::from_header).or(self.used.take());
                    if !self.last_logged.is_empty() {
                        info!("notifications are handed in again to={:?}", self.centres[0].url());
                        self.last_logged.clear();
                    }
                    self.pause = PAUSES.0;
                    self.files = (self.files * 2).min(BATCH_FILES);
                    self.bytes = (self.bytes * 2).min(BATCH_BYTES);
                    return Ok(reply);
                }
                Err(e) => drop(first_error.get_or_insert(e)),
            }
        }
        let nowhere = || CentreError::Unreachable { url: String::new(), reason: "no address".to_owned() };
        Err(first_error.unwrap_or_else(nowhere).into())
    }

    fn set_aside(&self, id: &SpoolId, why: &str) -> Result<(), HandInError> {
        error!("spool file put aside file=spool/bad/{id} reason={why:?}");
        Ok(self.spool.set_aside(id)?)
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// Hands in what there is for up to `budget`, then lets the lock go: for a `notify` without a relay that runs.
pub(crate) fn here(
    config: &Config,
    relay: &Relay,
    env: &Environment,
    mut lock: DeliveryLock,
    budget: Duration,
) -> Result<(), HandInError> {
    let until = Instant::now() + budget;
    let spool = Spool::new(&config.state_dir);
    loop {
        let mut hand_in = HandIn::new(config, relay, env)?;
        loop {
            match hand_in.hand_in(until, &|| lock.is_claimed())? {
                Progress::After(pause) if left(until) > CALL_MIN && !lock.is_claimed() => std::thread::sleep(pause),
                Progress::Done | Progress::After(_) => break,
            }
        }
        drop(lock);
        // Whoever came since the last look got no lock and relies on us.
        if spool.is_empty() || left(until) < CALL_MIN {
            return Ok(());
        }
        match DeliveryLock::try_take(&config.state_dir) {
            Ok(Some(again)) => lock = again,
            _ => return Ok(()),
        }
    }
}

/// The last resort when the disk refuses: one try to hand it in, at once. `true`: the centre has it durably.
pub(crate) fn directly(
    (config, relay): (&Config, &Relay),
    env: &Environment,
    notification: &Notification,
    received: i64,
) -> bool {
    let mut notification = notification.clone();
    super::deliver::complete(&mut notification, config);
    let entry = Entry { received, incoming: Incoming::Notification(notification) };
    let sent = HandIn::new(config, relay, env).and_then(|mut hand_in| {
        let batch = hand_in.batch(&mut std::iter::once((SpoolId::fresh(), entry)).peekable());
        let lines = batch.map(|batch| batch.lines).unwrap_or_default();
        hand_in.post(&lines, Instant::now() + config.outbox.time_budget)
    });
    match sent {
        Ok(reply) => reply.status == 204,
        Err(e) => {
            error!("can't hand it in directly: {e}");
            false
        }
    }
}
