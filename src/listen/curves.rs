//! The thread of the curves: looks every second while they are configured.
//!
//! It ends with the deliverer, after the look-up in hand, which its time limits end.

use super::ERROR_PAUSE;
use super::reasons::Reasons;
use super::worker::Worker;
use crate::config::Config;
use crate::flow::curves::Curves;
use crate::flow::deliver::{DeliverError, Deliverer, PATIENCE_LONG};
use crate::state_dir::wake;
use crate::store::StoreError;
use log::error;
use std::cell::RefCell;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// How often the outbox is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Without curves only a changed configuration matters.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// Starts it, with a connection of its own to the deliverer's outbox.
pub(super) fn start(deliverer: &Deliverer, config: &Config) -> Result<Option<Worker>, DeliverError> {
    let (curves, runtime_dir) = (deliverer.curves(PATIENCE_LONG)?, config.runtime_dir.clone());
    let started = Worker::start("curves", move |inbox| run(curves, inbox, &runtime_dir));
    Ok(started.inspect_err(|e| error!("curves not started reason={:?} action=none_until_restart", e.to_string())).ok())
}

fn run(mut curves: Curves, inbox: &Receiver<Config>, runtime_dir: &Path) {
    let (mut pause, mut logged) = (Duration::ZERO, Reasons::default());
    let waiting: RefCell<Option<Config>> = RefCell::new(None);
    // A changed configuration, or the end, comes before the next look-up.
    let is_interrupted = || match inbox.try_recv() {
        Ok(config) => {
            waiting.replace(Some(config));
            true
        }
        Err(TryRecvError::Disconnected) => true,
        Err(TryRecvError::Empty) => false,
    };
    loop {
        match waiting.take().map_or_else(|| inbox.recv_timeout(pause), Ok) {
            Ok(config) => curves.reconfigure(config),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        pause = match curves.run_due(&is_interrupted) {
            Ok(is_any_shown) => {
                logged.clear();
                if is_any_shown {
                    wake::hint(runtime_dir);
                }
                if curves.is_configured() { LOOK_INTERVAL } else { IDLE }
            }
            // Another node delivers now, and the main thread ends this one soon.
            Err(StoreError::Fenced) => ERROR_PAUSE,
            // Whether the database is of any use, the importing thread finds out by itself.
            Err(e) => {
                let reason = e.to_string();
                if logged.is_new(&reason) {
                    error!("curves interrupted reason={reason:?} action=retry kept=all");
                }
                ERROR_PAUSE
            }
        };
    }
}
