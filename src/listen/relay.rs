//! `ackbell listen` beside a core that doesn't reach Slack: hands in the spool, and answers the centre's questions on
//! threads of their own. Only outgoing connections.

use super::{ERROR_PAUSE, ListenError, SCAN_INTERVAL, Signals};
use crate::config::{self, Config, Relay};
use crate::flow::relay::questions::Questions;
use crate::flow::relay::{HandIn, HandInError, Progress};
use crate::monitoring::relay::centre::Centre;
use crate::state_dir::listener_status::{Centre as CentreStatus, StatusNote, StatusWriter};
use crate::state_dir::spool::Spool;
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::systemd::Notifier;
use log::{error, info, warn};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many questions of one centre are answered at once.
const QUESTIONS_AT_ONCE: usize = 2;
/// After a call that failed; doubled up to the second.
const CALL_PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// One look at the spool hands in at most for so long, then signals and the configuration are looked at.
const ROUND: Duration = Duration::from_secs(60);
/// How often leftovers are removed, and the centre is asked although nothing waits.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Runs until it is told to stop.
pub(super) fn run(
    mut config: Config,
    env: &Environment,
    (signals, wake): (&Signals, Option<&UnixDatagram>),
    notifier: &Notifier,
) -> Result<(), ListenError> {
    let status = StatusWriter::new(&config.runtime_dir);
    let generation = Arc::new(AtomicU64::new(0));
    info!("listening as a relay state_dir={}", config.state_dir.display());
    notifier.say("READY=1\nSTATUS=relaying");
    while let Some(relay) = config.relay.clone().filter(|_| !signals.stopped()) {
        answer_questions(&config, &relay, env, &generation);
        let stamp = config::stamp(&config);
        status.update(|status| {
            status.refused = None;
            status.centre = Some(CentreStatus { to: relay.to.clone(), ..CentreStatus::default() });
        });
        match HandIn::new(&config, &relay, env) {
            Ok(hand_in) => hand_in_until(hand_in, &config, &stamp, (signals, wake), (&status, notifier)),
            Err(e) => {
                failed(&status, &e);
                status.beat();
                signals.wait(wake, ERROR_PAUSE);
            }
        }
        generation.fetch_add(1, Ordering::Relaxed);
        if !signals.stopped() {
            reload(&mut config, env, &status);
        }
    }
    notifier.say("STOPPING=1");
    generation.fetch_add(1, Ordering::Relaxed);
    status.remove();
    if signals.stopped() {
        info!("stopped");
        return Ok(());
    }
    Err(ListenError::NoRelayAnyMore)
}

/// Hands in until a signal, or until the configuration has changed.
fn hand_in_until(
    mut hand_in: HandIn,
    config: &Config,
    stamp: &config::Stamp,
    (signals, wake): (&Signals, Option<&UnixDatagram>),
    (status, notifier): (&StatusWriter, &Notifier),
) {
    let spool = Spool::new(&config.state_dir);
    let mut housekeeping: Option<Instant> = None;
    while !signals.stopped() && !signals.reload.swap(false, Ordering::Relaxed) && config::stamp(config) == *stamp {
        let is_time = housekeeping.is_none_or(|last| last.elapsed() > HOUSEKEEPING);
        let until = Instant::now() + ROUND;
        let beat = || {
            status.beat();
            notifier.say("WATCHDOG=1");
            signals.stopped()
        };
        let greeted = if is_time { hand_in.greet(until) } else { Ok(()) };
        let pause = match greeted.and_then(|()| hand_in.hand_in(until, &beat)) {
            Ok(progress) => {
                if is_time {
                    spool.sweep();
                    housekeeping = Some(Instant::now());
                }
                status.update(|status| {
                    if let Some(centre) = &mut status.centre {
                        (centre.handed_in, centre.error) = (clock::wall_ms() / 1000, None);
                    }
                });
                match progress {
                    Progress::Done => SCAN_INTERVAL,
                    Progress::After(pause) => pause,
                }
            }
            Err(e) => {
                failed(status, &e);
                let pause = hand_in.failed(&e);
                wait_for(pause, signals, &beat);
                Duration::ZERO
            }
        };
        beat();
        if !pause.is_zero() {
            signals.wait(wake, pause);
        }
    }
}

/// A pause that no new notification ends: they would come faster than the centre can be asked.
fn wait_for(pause: Duration, signals: &Signals, beat: &dyn Fn() -> bool) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !beat() {
        signals.wait(None, until.saturating_duration_since(Instant::now()).min(SCAN_INTERVAL));
    }
}

fn failed(status: &StatusWriter, e: &HandInError) {
    let needs_repair = matches!(e, HandInError::Centre(e) if e.needs_repair());
    status.update(|status| {
        if let Some(centre) = &mut status.centre {
            let failure = StatusNote::now(e.to_string());
            let since = centre.error.as_ref().map_or(failure.at, |earlier| earlier.at);
            centre.error = Some(StatusNote { at: since, ..failure });
            centre.needs_repair = needs_repair;
        }
    });
}

/// Starts the threads that answer; they end with this generation.
fn answer_questions(config: &Config, relay: &Relay, env: &Environment, generation: &Arc<AtomicU64>) {
    let own = generation.load(Ordering::Relaxed);
    for url in relay.to.iter().flat_map(|url| std::iter::repeat_n(url, QUESTIONS_AT_ONCE)) {
        let centre = match Centre::new(relay, url, env) {
            Ok(centre) => centre,
            Err(e) => {
                error!("can't answer the centre's questions reason={:?}", e.to_string());
                continue;
            }
        };
        let (mut questions, generation) = (Questions::new(config.clone(), centre), Arc::clone(generation));
        let answer = move || {
            let mut pause = CALL_PAUSES.0;
            let mut is_logged = false;
            while generation.load(Ordering::Relaxed) == own {
                match questions.next() {
                    Ok(()) => (pause, is_logged) = (CALL_PAUSES.0, false),
                    Err(e) => {
                        if !is_logged {
                            warn!("the centre's questions can't be fetched reason={:?} action=retry", e.to_string());
                            is_logged = true;
                        }
                        std::thread::sleep(pause);
                        pause = (pause * 2).min(CALL_PAUSES.1);
                    }
                }
            }
        };
        if let Err(e) = std::thread::Builder::new().name("questions".into()).spawn(answer) {
            error!("can't start a thread reason={:?}", e.to_string());
        }
    }
}

/// The changed configuration; a broken one is refused, and the old one stays.
fn reload(config: &mut Config, env: &Environment, status: &StatusWriter) {
    match config::load(config.path.as_deref(), env) {
        Ok((new, warnings)) => {
            for warning in warnings {
                warn!("{warning}");
            }
            if new.state_dir != config.state_dir || new.runtime_dir != config.runtime_dir {
                error!("configuration refused reason=\"state_dir and runtime_dir change only with a restart\"");
                return;
            }
            info!("configuration reloaded");
            *config = new;
        }
        Err(e) => {
            error!("configuration refused in_force=old reason={:?}", e.to_string());
            status.update(|status| status.refused = Some(StatusNote::now(e.to_string())));
        }
    }
}
