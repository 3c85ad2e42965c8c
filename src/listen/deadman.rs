//! The thread of the dead man's switch.

use super::reasons::Reasons;
use super::worker::DetachedWorker;
use crate::config::Config;
use crate::flow::deadman::DeadManWorker;
use crate::flow::deliver::PATIENCE_LONG;
use crate::state_dir::listener_status::StatusWriter;
use crate::store::{Leadership, Store, StoreError};
use crate::system::environment::Environment;
use log::error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// While nothing is wanted and nothing lies at Slack, only a changed configuration matters.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// After an error of the database.
const RETRY: Duration = Duration::from_secs(30);

/// Starts it. A call under way when the process ends is as one that a crash cut off.
pub(super) fn start(
    config: &Config,
    env: &Environment,
    status: &StatusWriter,
    leadership: &Leadership,
) -> DetachedWorker {
    let (config, env, status) = (Arc::new(config.clone()), env.clone(), (status.clone(), leadership.clone()));
    DetachedWorker::start("dead-man", "the dead man's switch", move |inbox| run(config, &env, &status, inbox))
}

fn run(mut config: Arc<Config>, env: &Environment, status: &(StatusWriter, Leadership), inbox: &Receiver<Config>) {
    let (mut worker, mut logged): (Option<DeadManWorker>, _) = (None, Reasons::default());
    loop {
        let pause = match pass(&mut worker, &config, env, status) {
            Ok(pause) => {
                logged.clear();
                pause.unwrap_or(IDLE)
            }
            Err(e) => {
                // Fenced: another node delivers now, and the main thread ends this one soon.
                let reason = e.to_string();
                if !matches!(e, StoreError::Fenced) && logged.is_new(&reason) {
                    error!("dead man's switch interrupted reason={reason:?} action=retry");
                }
                worker = None;
                RETRY
            }
        };
        match inbox.recv_timeout(pause) {
            Ok(new) => {
                config = Arc::new(new);
                if let Some(worker) = &mut worker {
                    worker.reconfigure(Arc::clone(&config));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                if status.1.term().is_some() {
                    // The node that delivers now says how it fares with it.
                    status.0.update(|status| status.deadman = None);
                }
                return;
            }
        }
    }
}

/// One pass, by a worker that is made when there is none.
fn pass(
    worker: &mut Option<DeadManWorker>,
    config: &Arc<Config>,
    env: &Environment,
    (status, leadership): &(StatusWriter, Leadership),
) -> Result<Option<Duration>, StoreError> {
    if worker.is_none() {
        let (store, _) = Store::open(config.outbox_at(), PATIENCE_LONG)?;
        *worker = Some(DeadManWorker::new(Arc::clone(config), env.clone(), (store, leadership), status.clone()));
    }
    worker.as_mut().map_or(Ok(None), DeadManWorker::pass)
}
