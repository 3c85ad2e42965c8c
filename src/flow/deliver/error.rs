//! Why delivery can't go on.

use crate::config::Config;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::SpoolError;
use crate::store::{Store, StoreError};
use log::{error, warn};
use std::path::Path;
use std::time::Duration;

/// Delivery can't go on now; everything is kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeliverError {
    /// Puts the database aside if this came of its corruption; the waiting messages that can be read go into a new one.
    /// `true` when that was done.
    pub(crate) fn mend(&self, config: &Config, patience: Duration, _lock: &DeliveryLock) -> Result<bool, Self> {
        let Self::Store(e) = self else { return Ok(false) };
        // A database on a server is others' as well: nobody puts it aside.
        if !e.is_corruption() || config.database.is_some() {
            return Ok(false);
        }
        log_put_aside(&Store::replace(&config.state_dir, patience)?.1);
        Ok(true)
    }

    /// The database isn't reached: the same may work later, with everything that is open.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Store(e) if e.is_passing())
    }

    /// Another node delivers now.
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self, Self::Store(StoreError::Fenced))
    }

    /// The database was taken away under us.
    pub(crate) fn is_moved(&self) -> bool {
        matches!(self, Self::Store(StoreError::Moved(_)))
    }

    /// The database on its server can't be used now, or nobody knows whether the last step was kept.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::Store(e) if e.is_away())
    }

    /// Whether a new process with a new database file is needed. A database on a server is never replaced: a row there that
    /// can't be read doesn't stop the others.
    pub(crate) fn needs_another_database(&self, is_shared: bool) -> bool {
        matches!(self, Self::Store(e) if matches!(e, StoreError::Moved(_)) || !is_shared && e.is_corruption())
    }
}

/// Says how many messages were being sent by whoever delivered before.
pub(crate) fn log_orphans(orphans: usize) {
    if orphans > 0 {
        warn!(
            "messages were being sent by whoever delivered before count={orphans} action=resend duplicate_possible=true"
        );
    }
}

pub(super) fn log_put_aside(aside: &Path) {
    error!("database was corrupt aside={:?} action=recover_waiting", aside.display().to_string());
}
