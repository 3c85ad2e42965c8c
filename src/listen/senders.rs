//! The threads that send: one for each enabled integration, so that no workspace waits for another one's answers. The main
//! thread imports, and sends for whatever integration has no thread: one that is gone or disabled makes no calls.
//!
//! No two threads send for one integration, so its pace and order are kept by one. A thread that is told to end finishes
//! its message, and until then nobody else takes its integrations. One that panics or meets an error of the disk is
//! started again after a pause; the others go on.

use super::ERROR_PAUSE;
use crate::config::Config;
use crate::flow::deliver::{DeliverError, Deliverer, PATIENCE_LONG, Share};
use crate::state_dir::listener_status::StatusNote;
use log::error;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many threads at most; more integrations share them.
const THREADS_MAX: usize = 16;
/// The bell is rung for whatever is new. A change that nobody told of, as when a hint was lost, is seen after this.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Another node delivers now.
const FENCED_PAUSE: Duration = Duration::from_millis(300);
/// A message takes some seconds at most. A thread of which nothing was heard for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// A thread that ends again within this goes on with the same interruption.
const SAME_WITHIN: Duration = Duration::from_secs(60);

/// What a thread does, until it is told to end.
type Work = fn(Deliverer, &Orders, &Bell) -> Result<(), DeliverError>;

/// The threads that send. Dropped, they finish the messages in hand.
#[derive(Debug)]
pub(super) struct Senders {
    threads: Vec<Sender>,
    /// The integrations that share a thread, as the configuration has them now.
    wanted: Vec<BTreeSet<String>>,
    /// By integrations: since when (Unix seconds) their thread ends again and again, and when it did last.
    failing: BTreeMap<BTreeSet<String>, (i64, Instant)>,
    bell: Arc<Bell>,
    work: Work,
}

/// One thread and its integrations.
#[derive(Debug)]
struct Sender {
    names: BTreeSet<String>,
    orders: Arc<Orders>,
    state: State,
}

#[derive(Debug)]
enum State {
    Running(JoinHandle<Result<(), DeliverError>>),
    /// It ended by itself, for this reason, and is started again then.
    Resting(StatusNote, Instant),
}

/// What a thread is told, and the last sign of life.
#[derive(Debug)]
struct Orders {
    end: AtomicBool,
    config: Mutex<Option<Config>>,
    alive: Mutex<Instant>,
}

/// Rung when there may be something to send; all threads look then.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Senders {
    /// For the integrations of the configuration; [`Self::check`] starts the threads.
    pub(super) fn new(config: &Config) -> Self {
        Self::doing(config, send)
    }

    fn doing(config: &Config, work: Work) -> Self {
        Self { threads: Vec::new(), wanted: groups(config), failing: BTreeMap::new(), bell: Arc::default(), work }
    }

    /// Puts a changed configuration in force: each thread uses it after the message in hand, and those that aren't wanted
    /// any more end.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        self.wanted = groups(config);
        self.failing.retain(|names, _| self.wanted.contains(names));
        for sender in &self.threads {
            *sender.orders.config.lock().unwrap_or_else(PoisonError::into_inner) = Some(config.clone());
            if !self.wanted.contains(&sender.names) {
                sender.orders.end.store(true, Ordering::Relaxed);
            }
        }
        self.ring();
    }

    /// To be called every few seconds: starts the threads that are missing, and leaves to the deliverer what no thread
    /// sends. An error is one that only another database ends.
    pub(super) fn check(&mut self, deliverer: &mut Deliverer) -> Result<(), DeliverError> {
        for mut sender in std::mem::take(&mut self.threads) {
            sender.state = match sender.state {
                State::Running(thread) if thread.is_finished() => match ended(thread, deliverer.is_shared())? {
                    Some(reason) => self.rest(&sender.names, reason),
                    None => continue,
                },
                state => state,
            };
            if self.wanted.contains(&sender.names) || matches!(sender.state, State::Running(_)) {
                self.threads.push(sender);
            }
        }
        let wanted = self.wanted.clone();
        for names in wanted {
            self.start(names, deliverer);
        }
        let taken = self.threads.iter().flat_map(|sender| sender.names.iter().cloned()).collect();
        deliverer.keep_to(Share::AllBut(taken));
        Ok(())
    }

    /// Starts the thread of these integrations, unless it runs, rests, or another one has some of them yet.
    fn start(&mut self, names: BTreeSet<String>, deliverer: &Deliverer) {
        let now = Instant::now();
        let stands_in_the_way = |sender: &Sender| match &sender.state {
            State::Resting(_, until) if sender.names == names => *until > now,
            _ => !sender.names.is_disjoint(&names),
        };
        if self.threads.iter().any(stands_in_the_way) {
            return;
        }
        self.threads.retain(|sender| sender.names != names);
        let orders = Arc::new(Orders {
            end: AtomicBool::new(false),
            config: Mutex::new(None),
            alive: Mutex::new(Instant::now()),
        });
        let started =
            deliverer.beside(Share::Only(names.clone()), PATIENCE_LONG).map_err(|e| e.to_string()).and_then(|own| {
                let (work, orders, bell) = (self.work, Arc::clone(&orders), Arc::clone(&self.bell));
                let thread = std::thread::Builder::new().name("sender".to_owned());
                thread.spawn(move || work(own, &orders, &bell)).map_err(|e| e.to_string())
            });
        let state = match started {
            Ok(thread) => State::Running(thread),
            Err(reason) => self.rest(&names, reason),
        };
        self.threads.push(Sender { names, orders, state });
    }

    /// Says that a thread ended, which is started again later.
    fn rest(&mut self, names: &BTreeSet<String>, reason: String) -> State {
        let (label, seconds, now) = (Vec::from_iter(names.clone()).join(","), ERROR_PAUSE.as_secs(), Instant::now());
        error!(
            "delivery interrupted integration={label} reason={reason:?} action=retry after_seconds={seconds} kept=all"
        );
        let mut failure = StatusNote::now(reason);
        let before = self.failing.get(names).filter(|(_, last)| now.duration_since(*last) < SAME_WITHIN);
        failure.at = before.map_or(failure.at, |(since, _)| *since);
        self.failing.insert(names.clone(), (failure.at, now));
        State::Resting(failure, now + ERROR_PAUSE)
    }

    /// There may be something to send.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    /// Tells all to end after the message in hand, and waits for none.
    pub(super) fn end(&mut self) {
        self.wanted.clear();
        for sender in &self.threads {
            sender.orders.end.store(true, Ordering::Relaxed);
        }
        self.ring();
    }

    /// Whether all have ended.
    pub(super) fn have_ended(&self) -> bool {
        self.threads.iter().all(|sender| match &sender.state {
            State::Running(thread) => thread.is_finished(),
            State::Resting(..) => true,
        })
    }

    /// Why one of them can't send now.
    pub(super) fn interrupted(&self) -> Option<&StatusNote> {
        self.threads.iter().find_map(|sender| match &sender.state {
            State::Resting(reason, _) => Some(reason),
            State::Running(_) => None,
        })
    }

    /// Whether something was heard lately of each that runs.
    pub(super) fn are_alive(&self) -> bool {
        self.threads
            .iter()
            .filter(|sender| matches!(&sender.state, State::Running(thread) if !thread.is_finished()))
            .all(|sender| sender.orders.alive.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < SILENCE_MAX)
    }
}

/// All begin to end at once, then each is waited for: the database may be put aside only after that.
impl Drop for Senders {
    fn drop(&mut self) {
        self.end();
        for Sender { state, .. } in self.threads.drain(..) {
            if let State::Running(thread) = state {
                // Whatever ended it otherwise, the next thread will meet it, too.
                let _ = ended(thread, false);
            }
        }
    }
}

/// The enabled integrations, those together that share a thread.
fn groups(config: &Config) -> Vec<BTreeSet<String>> {
    let enabled = config.integrations.iter().filter(|integration| integration.enabled);
    let mut groups = vec![BTreeSet::new(); THREADS_MAX];
    for (number, integration) in enabled.enumerate() {
        groups[number % THREADS_MAX].insert(integration.name.clone());
    }
    groups.retain(|names| !names.is_empty());
    groups
}

/// Why a thread ended that wasn't told to; `None` if it was. An error is one that only another database ends.
fn ended(thread: JoinHandle<Result<(), DeliverError>>, is_shared: bool) -> Result<Option<String>, DeliverError> {
    let reason = match thread.join() {
        Ok(Ok(())) => return Ok(None),
        Ok(Err(e)) if e.needs_another_database(is_shared) => return Err(e),
        Ok(Err(e)) => e.to_string(),
        // The panic itself stands above it in the log.
        Err(_) => "a bug of ackbell ended the thread, please report it".to_owned(),
    };
    Ok(Some(reason))
}

/// Sends until it is told to end.
fn send(mut deliverer: Deliverer, orders: &Orders, bell: &Bell) -> Result<(), DeliverError> {
    let mut heard = 0;
    while !orders.end() {
        if let Some(config) = orders.config.lock().unwrap_or_else(PoisonError::into_inner).take() {
            deliverer.reconfigure(config)?;
        }
        let round = match deliverer.round(None, &|| orders.end()) {
            // The main thread ends this one soon.
            Err(e) if e.is_fenced() => {
                bell.wait(&mut heard, FENCED_PAUSE);
                continue;
            }
            round => round?,
        };
        if round.rerouted {
            // Perhaps into the queue of another thread.
            bell.ring();
        }
        let until_next = round.next.map_or(i64::MAX, |next| next.saturating_sub(deliverer.now_ms()));
        let pause = Duration::from_millis(u64::try_from(until_next).unwrap_or(0)).min(LOOK_INTERVAL);
        bell.wait(&mut heard, pause);
    }
    Ok(())
}

impl Orders {
    /// Whether to end. Asked between two messages, so it is a sign of life.
    fn end(&self) -> bool {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.end.load(Ordering::Relaxed)
    }
}

impl Bell {
    fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        *rung = rung.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Waits until it is rung, if it wasn't since the last time, or until the time has passed.
    fn wait(&self, heard: &mut u64, most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let last = *heard;
        let waited = self.changed.wait_timeout_while(rung, most, |rung| *rung == last);
        *heard = *waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests;
