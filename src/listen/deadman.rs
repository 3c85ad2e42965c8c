//! The thread of the dead man's switch.

use crate::config::Config;
use crate::flow::deadman::DeadManWorker;
use crate::flow::deliver::PATIENCE_LONG;
use crate::state_dir::listener_status::StatusWriter;
use crate::store::{Leadership, Store};
use crate::system::environment::Environment;
use log::error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

/// While nothing is wanted and nothing lies at Slack, only a changed configuration matters.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// After an error of the database.
const RETRY: Duration = Duration::from_secs(30);

/// The way to the thread; dropped, it ends.
#[derive(Debug)]
pub(super) struct DeadManThread(Sender<Arc<Config>>);

impl DeadManThread {
    /// Starts it. A call under way when the process ends is as one that a crash cut off.
    pub(super) fn start(config: &Config, env: &Environment, status: &StatusWriter, leadership: &Leadership) -> Self {
        let (sender, inbox) = channel();
        let (config, env, status) = (Arc::new(config.clone()), env.clone(), (status.clone(), leadership.clone()));
        let thread = Builder::new().name("dead-man".into()).spawn(move || run(config, &env, &status, &inbox));
        if let Err(e) = thread {
            error!("can't start the dead man's switch reason={:?}", e.to_string());
        }
        Self(sender)
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        // Without the thread there is nothing to tell; the log said so.
        let _ = self.0.send(Arc::new(config.clone()));
    }
}

fn run(mut config: Arc<Config>, env: &Environment, status: &(StatusWriter, Leadership), inbox: &Receiver<Arc<Config>>) {
    let mut worker: Option<DeadManWorker> = None;
    loop {
        let pause = match pass(&mut worker, &config, env, status) {
            Ok(pause) => pause.unwrap_or(IDLE),
            Err(reason) => {
                error!("dead man's switch interrupted reason={reason:?} action=retry");
                worker = None;
                RETRY
            }
        };
        match inbox.recv_timeout(pause) {
            Ok(new) => {
                config = new;
                if let Some(worker) = &mut worker {
                    worker.reconfigure(Arc::clone(&config));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One pass, by a worker that is made when there is none.
fn pass(
    worker: &mut Option<DeadManWorker>,
    config: &Arc<Config>,
    env: &Environment,
    (status, leadership): &(StatusWriter, Leadership),
) -> Result<Option<Duration>, String> {
    if worker.is_none() {
        let (store, _) = Store::open(config.outbox_at(), PATIENCE_LONG).map_err(|e| e.to_string())?;
        *worker = Some(DeadManWorker::new(Arc::clone(config), env.clone(), (store, leadership), status.clone()));
    }
    worker.as_mut().map_or(Ok(None), DeadManWorker::pass).map_err(|e| e.to_string())
}
