//! The thread that tells of a database that can't be reached. It has no connection to it, and nothing waits for it.

use super::database_watch::DatabaseWatch;
use super::worker::DetachedWorker;
use crate::config::Config;
use crate::flow::outage::OutageAnnouncer;
use crate::system::environment::Environment;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// Starts it where the outbox is on a server.
pub(super) fn start(config: &Config, env: &Environment, watch: &DatabaseWatch) -> DetachedWorker {
    if config.database.is_none() {
        return DetachedWorker::default();
    }
    let (announcer, watch) = (OutageAnnouncer::new(config, env), watch.clone());
    DetachedWorker::start("outage", "the thread that tells of outages", move |inbox| run(announcer, &watch, inbox))
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
