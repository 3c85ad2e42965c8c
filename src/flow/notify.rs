//! Flow one: `arguments/macros ─▶ Notification ─▶ spool file (durable) ─▶ exit 0`.
//!
//! With a listener running this touches the spool, the wake-up datagram and the delivery lock, and nothing else: no
//! `SQLite`, no TLS, no template, no time zone, no thread. Without one it has won the lock, and the closure it is given
//! is its only way to the rest of the program.

use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::spool::{Entry, Spool, SpoolError, SpoolId};
use crate::state_dir::{StateDirs, wake};

/// Makes the notification durable and starts its delivery.
///
/// When this returns `Ok`, the notification survives a crash, and a failure of the delivery changes nothing about that.
/// `deliver` is called with the lock when nobody else delivers.
pub(crate) fn notify(
    entry: &Entry,
    dirs: &StateDirs,
    deliver: impl FnOnce(DeliveryLock),
) -> Result<SpoolId, SpoolError> {
    let id = Spool::new(&dirs.state_dir).put(entry)?;
    wake::hint(&dirs.runtime_dir);
    // No lock file, or no right to it: an admin must mend that. The notification waits until then.
    if let Ok(Some(lock)) = DeliveryLock::try_take(&dirs.state_dir) {
        deliver(lock);
    }
    Ok(id)
}
