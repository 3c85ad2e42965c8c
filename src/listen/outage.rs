//! The thread that tells of a database that can't be reached. It has no connection to it, and nothing waits for it.

use super::database_watch::DatabaseWatch;
use crate::config::Config;
use crate::flow::outage::OutageAnnouncer;
use crate::system::environment::Environment;
use log::error;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// The way to the thread; dropped, it ends after the call in hand.
#[derive(Debug)]
pub(super) struct OutageThread(Option<Sender<Config>>);

impl OutageThread {
    /// Starts it where the outbox is on a server.
    pub(super) fn start(config: &Config, env: &Environment, watch: &DatabaseWatch) -> Self {
        if config.database.is_none() {
            return Self(None);
        }
        let (sender, inbox) = channel();
        let (announcer, watch) = (OutageAnnouncer::new(config, env), watch.clone());
        if let Err(e) = Builder::new().name("outage".into()).spawn(move || run(announcer, &watch, &inbox)) {
            error!("can't start the thread that tells of outages reason={:?}", e.to_string());
        }
        Self(Some(sender))
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        if let Some(sender) = &self.0 {
            // Without the thread there is nothing to tell; the log said so.
            let _ = sender.send(config.clone());
        }
    }
}

fn run(mut announcer: OutageAnnouncer, watch: &DatabaseWatch, inbox: &Receiver<Config>) {
    loop {
        match inbox.recv_timeout(LOOK) {
            Ok(config) => announcer.reconfigure(&config),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        announcer.look(watch.known().map(|since| since.elapsed().as_secs()));
    }
}
