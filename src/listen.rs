//! The companion: holds the delivery lock and delivers, woken by `notify`'s hint and by scanning the spool; and keeps
//! the doors open through which Slack comes in.
//!
//! It may be killed at any time: what it was doing is a row with a lease, and the next deliverer takes it up. A clean
//! stop (SIGTERM) finishes the message in hand, as a courtesy. SIGHUP, or a change of the configuration or of a secret
//! file, reloads; a configuration that is refused changes nothing.
//!
//! Imports `flow` and below. Never in here: what a click does, and how a message is delivered.

mod head;
mod http;
mod listeners;
pub(crate) mod message_api;
mod metrics;
pub(crate) mod oauth;

use crate::config::{self, Config, Stamp};
use crate::flow::callback::Callback;
use crate::flow::callback::http_reply::Answer;
use crate::flow::deliver::{DeliverError, Deliverer, PATIENCE_LONG};
use crate::slack::socket::Reply;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::listener_status::{Skew, StatusNote, StatusWriter};
use crate::state_dir::spool::{Spool, SpoolError};
use crate::state_dir::wake;
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::systemd::Notifier;
use head::Heads;
use http::Handlers;
use listeners::{Doors, Sockets};
use log::{error, info, warn};
use message_api::submit::Intake;
use oauth::Installer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::cell::RefCell;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How often the spool and the configuration are looked at without a hint.
const SCAN_INTERVAL: Duration = Duration::from_secs(2);
/// After an error of the disk or the database.
const ERROR_PAUSE: Duration = Duration::from_secs(5);
/// How long a `notify` that delivers by itself is waited for at the start.
const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How often what is old is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60 * 60);

/// The listener couldn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("another listener runs: it holds {0}; see who: `fuser -v {0}`")]
    AnotherRuns(String),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("can't lock {path}: {source}")]
    Lock { path: String, source: std::io::Error },
    #[error("can't set up signals: {0}")]
    Signals(#[source] std::io::Error),
    #[error("{0}; start ackbell again, as its unit does: it goes on with a new database")]
    Database(#[source] DeliverError),
}

/// What the listener was told by signals.
struct Signals {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    /// Readable when one came, so that a wait ends.
    pipe: UnixStream,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(config: Config, env: &Environment, notifier: &Notifier) -> Result<(), ListenError> {
    let signals = Signals::catch().map_err(ListenError::Signals)?;
    Spool::new(&config.state_dir).prepare()?;
    let Some(lock) = wait_for_lock(&config, &signals)? else {
        return Ok(());
    };
    let wake = wake::bind(&config.runtime_dir)
        .inspect_err(|e| {
            warn!("no wake-up socket reason={e} what=the spool is scanned every {} s", SCAN_INTERVAL.as_secs());
        })
        .ok();
    let (reporter, callbacks) = (StatusWriter::new(&config.runtime_dir), Callbacks::default());
    callbacks.start(&config, env, &reporter);
    let sockets = Sockets::default();
    let installer = Arc::new(Installer::new(&config, env));
    let handlers = handlers(&config, &reporter, &callbacks, &sockets, &installer);
    let doors = Doors::open(&config, env, handlers, sockets, reporter.clone());
    info!("listening state_dir={} integrations={}", config.state_dir.display(), config.integrations.len());
    notifier.say("READY=1\nSTATUS=delivering");
    let mut ended = Ok(());
    let mut current = Current { stamp: config::stamp(&config), config, doors, reporter, callbacks, installer };
    while !signals.stopped() {
        // The outbox is opened anew after an error: a full disk or a database that went away mend outside.
        if let Err(e) = deliver(&mut current, env, &lock, &signals, wake.as_ref(), notifier) {
            // Every thread has the old database open: only a new process is sure to use the new one.
            if e.is_moved() || e.mend(&current.config, PATIENCE_LONG, &lock).unwrap_or(false) {
                ended = Err(ListenError::Database(e));
                break;
            }
            error!("delivery interrupted reason={e} what=everything is kept, trying again");
            current.reporter.note(|report| report.interrupted = Some(StatusNote::now(e.to_string())));
            current.reporter.beat();
            signals.wait(wake.as_ref(), ERROR_PAUSE);
        }
    }
    notifier.say("STOPPING=1");
    let Current { doors, callbacks, reporter, .. } = current;
    // What comes in until the doors are closed is still taken; it is kept, and done by the next listener.
    drop(doors);
    if let Some(callback) = callbacks.0.get() {
        callback.stop();
    }
    reporter.remove();
    info!("stopped");
    ended
}

/// The configuration in force, the state of the files it came from, and what goes with it.
struct Current {
    config: Config,
    stamp: Stamp,
    doors: Doors,
    reporter: StatusWriter,
    callbacks: Callbacks,
    installer: Arc<Installer>,
}

/// The callbacks, once the database lets them start.
#[derive(Clone, Default)]
struct Callbacks(Arc<OnceLock<Arc<Callback>>>);

impl Callbacks {
    /// Starts them, unless they run.
    fn start(&self, config: &Config, env: &Environment, reporter: &StatusWriter) {
        if self.0.get().is_some() {
            return;
        }
        match Callback::start(config, env, reporter) {
            Ok(callback) => drop(self.0.set(callback)),
            Err(e) => error!("callbacks can't be served reason={e} what=delivery goes on, trying again"),
        }
    }
}

/// What the doors do with what comes in.
fn handlers(
    config: &Config,
    reporter: &StatusWriter,
    callbacks: &Callbacks,
    sockets: &Sockets,
    installer: &Arc<Installer>,
) -> Handlers {
    let installer = Arc::clone(installer);
    let (asked, measured, timed) = (reporter.clone(), reporter.clone(), reporter.clone());
    let (over_http, over_socket) = (callbacks.clone(), callbacks.clone());
    let (state_dir, sockets) = (config.state_dir.clone(), Arc::clone(sockets));
    let intake = Intake::new(config);
    Handlers {
        take: Arc::new(move |verified| match over_http.0.get() {
            Some(callback) => callback.take(&verified),
            None => Answer::text(503, "not ready"),
        }),
        take_envelope: Arc::new(move |integration, envelope| match over_socket.0.get() {
            Some(callback) => callback.take_envelope(integration, envelope),
            None => Reply::Refused,
        }),
        install: Arc::new(move |step, cookies| installer.answer(step, cookies)),
        intake: Arc::new(move |bytes, key| intake.submit(bytes, key)),
        note_age: Arc::new(move |seconds| {
            let at = clock::wall_ms() / 1000;
            timed.note(|report| report.skew = Some(Skew { seconds, at }));
        }),
        // What went wrong is in the log and for `check`; a stranger needn't know.
        health: Arc::new(move || asked.interrupted().map(|_| "delivery is interrupted, the log says why".to_owned())),
        metrics: Arc::new(move || metrics::text(&state_dir, measured.interrupted().is_none(), &sockets)),
    }
}

/// Delivers until told to stop (`Ok`) or until the disk or the database fails.
fn deliver(
    current: &mut Current,
    env: &Environment,
    lock: &DeliveryLock,
    signals: &Signals,
    wake: Option<&UnixDatagram>,
    notifier: &Notifier,
) -> Result<(), DeliverError> {
    let mut deliverer = Deliverer::open(current.config.clone(), env.clone(), PATIENCE_LONG, lock)?;
    current.callbacks.start(&current.config, env, &current.reporter);
    let mut housekeeping: Option<Instant> = None;
    let heads = RefCell::new(Heads::new(&current.config.state_dir));
    while !signals.stopped() {
        if current.reload(env, signals) {
            deliverer.reconfigure(current.config.clone())?;
        }
        if housekeeping.is_none_or(|last| last.elapsed() > HOUSEKEEPING) {
            housekeeping = (!deliverer.tidy(0)?).then(Instant::now);
        }
        deliverer.drain()?;
        let beat = || {
            current.reporter.beat();
            heads.borrow_mut().look();
            signals.stopped()
        };
        let round = deliverer.round(None, &beat)?;
        current.doors.tend(&current.config);
        current.reporter.note(|report| report.interrupted = None);
        current.reporter.beat();
        heads.borrow_mut().look();
        notifier.say("WATCHDOG=1");
        let until_next = round.next.map_or(i64::MAX, |next| next.saturating_sub(deliverer.now_ms()));
        let rest = if housekeeping.is_some() { SCAN_INTERVAL } else { Duration::ZERO };
        let pause = Duration::from_millis(u64::try_from(until_next).unwrap_or(0)).min(rest);
        if !pause.is_zero() {
            signals.wait(wake, pause);
        }
    }
    Ok(())
}

impl Current {
    /// Takes a changed configuration; `true` when another one is in force now. A broken one is refused and told.
    fn reload(&mut self, env: &Environment, signals: &Signals) -> bool {
        let asked = signals.reload.swap(false, Ordering::Relaxed);
        let stamp = config::stamp(&self.config);
        if !asked && stamp == self.stamp {
            return false;
        }
        self.stamp = stamp;
        match config::load(self.config.path.as_deref(), env) {
            Ok((config, warnings)) => {
                for warning in warnings {
                    warn!("{warning}");
                }
                self.reporter.note(|report| report.refused = None);
                if config.state_dir != self.config.state_dir || config.runtime_dir != self.config.runtime_dir {
                    let reason = "state_dir and runtime_dir change only with a restart";
                    error!("configuration refused reason={reason}");
                    self.reporter.note(|report| report.refused = Some(StatusNote::now(reason)));
                    return false;
                }
                info!("configuration reloaded");
                self.stamp = config::stamp(&config);
                self.config = config;
                if let Some(callback) = self.callbacks.0.get() {
                    callback.reconfigure(&self.config);
                }
                self.installer.reconfigure(&self.config);
                self.doors.reconfigure(&self.config);
                true
            }
            Err(e) => {
                error!("configuration refused, the old one stays in force reason={e}");
                self.reporter.note(|report| report.refused = Some(StatusNote::now(e.to_string())));
                false
            }
        }
    }
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        let (pipe, writer) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for (signal, flag) in [(SIGTERM, &stop), (SIGINT, &stop), (SIGHUP, &reload)] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self { stop, reload, pipe })
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits for a signal, a hint, or the time to pass.
    fn wait(&self, wake: Option<&UnixDatagram>, time: Duration) {
        let mut watched = vec![PollFd::from_borrowed_fd(self.pipe.as_fd(), PollFlags::IN)];
        watched.extend(wake.map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)));
        let timeout = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 2, tv_nsec: 0 });
        // Interrupted or not: the caller looks at everything again.
        let _ = poll(&mut watched, Some(&timeout));
        let mut bytes = [0; 64];
        let _ = (&self.pipe).read(&mut bytes);
        if let Some(socket) = wake {
            wake::drain(socket);
        }
    }
}

/// The delivery lock; a `notify` that delivers by itself gives way after the message in hand. `None`: told to stop meanwhile.
fn wait_for_lock(config: &Config, signals: &Signals) -> Result<Option<DeliveryLock>, ListenError> {
    let path = config.state_dir.join("deliver.lock").display().to_string();
    let (sender, receiver) = std::sync::mpsc::channel();
    let state_dir = config.state_dir.clone();
    // A thread of its own, as the wait can't be ended from outside; it ends with the lock or with the process.
    std::thread::spawn(move || {
        loop {
            match DeliveryLock::take(&state_dir) {
                // Another listener, perhaps a dying one.
                Ok(None) => std::thread::sleep(Duration::from_millis(200)),
                Ok(Some(lock)) => return sender.send(Ok(lock)),
                Err(e) => return sender.send(Err(e)),
            }
        }
    });
    let started = clock::wall_ms();
    while !signals.stopped() {
        match receiver.try_recv() {
            Ok(taken) => return taken.map(Some).map_err(|source| ListenError::Lock { path, source }),
            Err(_) if clock::wall_ms() - started > clock::millis(LOCK_WAIT) => {
                return Err(ListenError::AnotherRuns(path));
            }
            Err(_) => signals.wait(None, Duration::from_millis(20)),
        }
    }
    Ok(None)
}
