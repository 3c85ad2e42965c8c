//! A thread that works by the configuration until it isn't wanted any more.

use crate::config::Config;
use log::error;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// The running thread. Dropped, it ends after the step in hand, and is waited for.
#[derive(Debug)]
pub(super) struct Worker {
    configurations: Option<Sender<Config>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts it. `run` gets each changed configuration, and ends when no more can come.
    pub(super) fn start(name: &str, run: impl FnOnce(&Receiver<Config>) + Send + 'static) -> io::Result<Self> {
        let (configurations, inbox) = channel();
        let thread = Builder::new().name(name.to_owned()).spawn(move || run(&inbox))?;
        Ok(Self { configurations: Some(configurations), thread: Some(thread) })
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        if let Some(configurations) = &self.configurations {
            // The thread ends only with us.
            let _ = configurations.send(config.clone());
        }
    }

    /// Tells it to end, and doesn't wait for that.
    pub(super) fn end(&mut self) {
        drop(self.configurations.take());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // A panic stands in the log.
            let _ = thread.join();
        }
    }
}

/// A worker whose end nobody waits for: dropped, it ends after the call in hand, or with the process. Without its thread,
/// as the log says then, it does nothing.
#[derive(Debug, Default)]
pub(super) struct DetachedWorker(Option<Worker>);

impl DetachedWorker {
    /// Starts it. `what` it is, for the log.
    pub(super) fn start(name: &str, what: &str, run: impl FnOnce(&Receiver<Config>) + Send + 'static) -> Self {
        let started = Worker::start(name, run);
        Self(started.inspect_err(|e| error!("can't start {what} reason={:?}", e.to_string())).ok())
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        if let Some(worker) = &self.0 {
            worker.reconfigure(config);
        }
    }
}

impl Drop for DetachedWorker {
    fn drop(&mut self) {
        if let Some(worker) = &mut self.0 {
            worker.end();
            drop(worker.thread.take());
        }
    }
}
