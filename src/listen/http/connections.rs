//! The open connections: when there are too many, the one that has been idle longest is closed.
//!
//! Closing the oldest, not refusing the newest, lets Slack connect while somebody holds hundreds of slow connections:
//! those are always the older ones.

use super::lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::AbortHandle;

/// How many connections may be open. More than requests can be in progress, so there is always one that may be closed.
const CONNECTIONS_MAX: usize = 512;
const _: () = assert!(CONNECTIONS_MAX > super::IN_PROGRESS_MAX + super::WAITING_CALLS_MAX);

/// Every open connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// Rises with every use of any connection.
    clock: u64,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    /// The clock when it was opened or last answered a verified request.
    used: u64,
    /// A verified request is in progress: not closed for others.
    busy: bool,
    /// Absent for a moment, until its task is started.
    task: Option<AbortHandle>,
}

/// A connection's slot in the table; dropped with the connection.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    connections: Connections,
    number: u64,
    /// The other end has shown a certificate of the CA for relays.
    is_certified: AtomicBool,
}

impl Connections {
    pub(super) fn count(&self) -> usize {
        lock(&self.0).open.len()
    }

    /// A slot for one more connection; the one that has been idle longest is closed if need be.
    pub(super) fn slot(&self) -> Arc<ConnectionSlot> {
        if self.count() >= CONNECTIONS_MAX {
            self.close_oldest();
        }
        let mut table = lock(&self.0);
        table.clock += 1;
        let number = table.clock;
        table.open.insert(number, Open { used: number, busy: false, task: None });
        Arc::new(ConnectionSlot { connections: self.clone(), number, is_certified: AtomicBool::new(false) })
    }

    /// Closes the connection that has been idle longest; `false` when there is none.
    pub(super) fn close_oldest(&self) -> bool {
        let mut table = lock(&self.0);
        let idle = table.open.iter().filter(|(_, open)| !open.busy && open.task.is_some());
        let oldest = idle.min_by_key(|(_, open)| open.used).map(|(number, _)| *number);
        let task = oldest.and_then(|number| table.open.remove(&number)).and_then(|open| open.task);
        task.is_some_and(|task| {
            task.abort();
            true
        })
    }
}

impl ConnectionSlot {
    /// The task that serves the connection.
    pub(super) fn served_by(&self, task: AbortHandle) {
        if let Some(open) = lock(&self.connections.0).open.get_mut(&self.number) {
            open.task = Some(task);
        }
    }

    pub(super) fn set_certified(&self, is_certified: bool) {
        self.is_certified.store(is_certified, Ordering::Relaxed);
    }

    pub(super) fn is_certified(&self) -> bool {
        self.is_certified.load(Ordering::Relaxed)
    }

    /// Whether a verified request is in progress.
    pub(super) fn set_busy(&self, busy: bool) {
        let mut table = lock(&self.connections.0);
        table.clock += 1;
        let now = table.clock;
        if let Some(open) = table.open.get_mut(&self.number) {
            open.busy = busy;
            open.used = now;
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        lock(&self.connections.0).open.remove(&self.number);
    }
}
