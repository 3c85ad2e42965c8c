//! Tells the journal the audit's head, within seconds of each change: whoever cuts off the audit's end later can't take it
//! back from there, where the journal is somebody else's or is kept elsewhere.

use crate::store::{Head, Store};
use log::{info, warn};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the database may be locked.
const PATIENCE: Duration = Duration::from_millis(100);

/// What was told last, and the outbox as this looks at it.
#[derive(Debug)]
pub(super) struct Heads {
    state_dir: PathBuf,
    store: Option<Store>,
    told: Option<Head>,
    looked: Option<Instant>,
}

impl Heads {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), store: None, told: None, looked: None }
    }

    /// To be called often. What can't be read is told by others.
    pub(super) fn look(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        self.looked = Some(Instant::now());
        if self.store.is_none() {
            self.store = Store::open_for_reading(&self.state_dir, PATIENCE).ok().flatten();
        }
        let Some(Ok(head)) = self.store.as_ref().map(Store::audit_head) else {
            self.store = None;
            return;
        };
        if head == self.told {
            return;
        }
        if let (Some(now), Some(before)) = (&head, &self.told)
            && now.seq <= before.seq
        {
            warn!("the audit was cut off before={} now={}", before.seq, now.seq);
        }
        match &head {
            Some(Head { seq, hash }) => info!("audit head seq={seq} hash={hash}"),
            None => warn!("the audit was emptied"),
        }
        self.told = head;
    }
}
