//! The thread of the timers: looks every second, or when something is due, whichever is later by little.
//!
//! It ends with the deliverer, after the look in hand. After an error of the disk or the database it rests and looks again.

use super::ERROR_PAUSE;
use super::reasons::Reasons;
use super::worker::Worker;
use crate::config::Config;
use crate::flow::deliver::{DeliverError, Deliverer, PATIENCE_LONG};
use crate::flow::timers::Timers;
use crate::state_dir::wake;
use crate::store::StoreError;
use log::error;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often the outbox is looked at: a problem that people see gets its row then.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Where nothing is configured only another configuration matters.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// Starts it, with a connection of its own to the deliverer's outbox.
pub(super) fn start(deliverer: &Deliverer, config: &Config) -> Result<Option<Worker>, DeliverError> {
    let (timers, runtime_dir) = (deliverer.timers(PATIENCE_LONG)?, config.runtime_dir.clone());
    let started = Worker::start("timers", move |inbox| run(timers, inbox, &runtime_dir));
    Ok(started.inspect_err(|e| error!("timers not started reason={:?} action=none_until_restart", e.to_string())).ok())
}

fn run(mut timers: Timers, inbox: &Receiver<Config>, runtime_dir: &std::path::Path) {
    let (mut pause, mut logged) = (Duration::ZERO, Reasons::default());
    loop {
        match inbox.recv_timeout(pause) {
            Ok(config) => timers.reconfigure(config),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // A bug met by one row must not end the others.
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| timers.run_due()));
        let Ok(done) = caught else {
            error!("timers interrupted reason=\"a bug of ackbell, please report it\" action=retry kept=all");
            pause = ERROR_PAUSE;
            continue;
        };
        pause = match done {
            Ok(look) => {
                logged.clear();
                if look.notified {
                    wake::hint(runtime_dir);
                }
                let until = look.next.map_or(i64::MAX, |next| next.saturating_sub(timers.now_ms()));
                Duration::from_millis(u64::try_from(until).unwrap_or(0).max(50)).min(if timers.are_wanted() {
                    LOOK_INTERVAL
                } else {
                    IDLE
                })
            }
            // Another node delivers now, and the main thread ends this one soon.
            Err(StoreError::Fenced) => ERROR_PAUSE,
            // Whether the database is of any use, the importing thread finds out by itself.
            Err(e) => {
                let reason = e.to_string();
                if logged.is_new(&reason) {
                    error!("timers interrupted reason={reason:?} action=retry kept=all");
                }
                ERROR_PAUSE
            }
        };
    }
}
