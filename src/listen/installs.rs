//! The thread that brings this node's installations in line with those of the database: when the look at the lease sees that
//! one changed, at the start, and every minute. It has a connection of its own, which is made when there is anything to share.

use super::reasons::Reasons;
use crate::config::Config;
use crate::flow::deliver::PATIENCE_LONG;
use crate::flow::installs::{self, Synced};
use crate::flow::node::Node;
use crate::store::{Store, StoreError};
use log::{debug, error, warn};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

/// How often it looks without being told to.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// After an error of the database.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

/// The way to the thread; dropped, it ends after the step in hand.
#[derive(Debug)]
pub(super) struct InstallSync(Sender<Order>);

enum Order {
    Use(Box<Config>),
    Look,
}

impl InstallSync {
    pub(super) fn start(config: &Config, node: &Arc<Node>) -> Self {
        let (sender, inbox) = channel();
        let (config, node) = (config.clone(), Arc::clone(node));
        let work = Work { config, node, store: None, logged: Reasons::default() };
        if let Err(e) = Builder::new().name("installs".into()).spawn(move || work.run(&inbox)) {
            error!("can't start the thread of the installations reason={:?}", e.to_string());
        }
        Self(sender)
    }

    /// Puts a changed configuration in force.
    pub(super) fn reconfigure(&self, config: &Config) {
        // Without the thread nothing is brought in line; the log said so.
        let _ = self.0.send(Order::Use(Box::new(config.clone())));
    }

    /// One was changed in the database.
    pub(super) fn look(&self) {
        let _ = self.0.send(Order::Look);
    }
}

struct Work {
    config: Config,
    node: Arc<Node>,
    store: Option<Store>,
    logged: Reasons,
}

impl Work {
    fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            let pause = match self.step() {
                Ok(Synced { failed, .. }) => {
                    self.log(failed);
                    LOOK_INTERVAL
                }
                Err(e) => {
                    // Of a database that is away the other threads tell.
                    if e.is_passing() {
                        debug!("installations not seen reason={:?} action=retry", e.to_string());
                    } else {
                        self.log(vec![e.to_string()]);
                    }
                    ERROR_PAUSE
                }
            };
            let mut order = inbox.recv_timeout(pause);
            // What came together is one look.
            loop {
                match order {
                    Ok(Order::Use(config)) => self.config = *config,
                    Ok(Order::Look) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                match inbox.try_recv() {
                    Ok(next) => order = Ok(next),
                    Err(_) => break,
                }
            }
        }
    }

    fn step(&mut self) -> Result<Synced, StoreError> {
        if !installs::any(&self.config) {
            self.store = None;
            return Ok(Synced::default());
        }
        let store = match self.store.take() {
            Some(store) => store,
            None => Store::open(self.config.outbox_at(), PATIENCE_LONG)?.0,
        };
        let synced = installs::sync(&self.config, &store, self.node.leads());
        // It connects anew by itself.
        self.store = Some(store);
        synced
    }

    fn log(&mut self, reasons: Vec<String>) {
        if reasons.is_empty() {
            self.logged.clear();
        }
        for reason in reasons {
            if self.logged.is_new(&reason) {
                warn!("installation not brought in line reason={reason:?} in_use=this_nodes_file");
            }
        }
    }
}
