//! How the listener is told to stop or to read its configuration again; and its wait for the delivery lock, which a signal ends.

use super::{LOCK_WAIT, ListenError};
use crate::config::Config;
use crate::state_dir::delivery_lock::DeliveryLock;
use crate::state_dir::wake;
use crate::system::clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The signals that came.
pub(super) struct Signals {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) reload: Arc<AtomicBool>,
    /// Readable after a signal, so that a wait ends.
    pipe: UnixStream,
}

impl Signals {
    pub(super) fn catch() -> std::io::Result<Self> {
        let (pipe, writer) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for (signal, flag) in [(SIGTERM, &stop), (SIGINT, &stop), (SIGHUP, &reload)] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self { stop, reload, pipe })
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits for a signal, a hint (`true`), or the time to pass.
    pub(super) fn wait(&self, wake: Option<&UnixDatagram>, time: Duration) -> bool {
        let mut watched = vec![PollFd::from_borrowed_fd(self.pipe.as_fd(), PollFlags::IN)];
        watched.extend(wake.map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)));
        let timeout = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 2, tv_nsec: 0 });
        // Interrupted or not: the caller looks at everything again.
        let came = poll(&mut watched, Some(&timeout));
        let mut bytes = [0; 64];
        let _ = (&self.pipe).read(&mut bytes);
        if let Some(socket) = wake {
            wake::drain(socket);
        }
        came.is_ok_and(|came| came > 0)
    }
}

/// The delivery lock; a `notify` that delivers by itself gives way after the message in hand. `None`: a
/// signal to stop came first.
pub(super) fn wait_for_lock(config: &Config, signals: &Signals) -> Result<Option<DeliveryLock>, ListenError> {
    let path = config.state_dir.join("deliver.lock").display().to_string();
    let (sender, receiver) = std::sync::mpsc::channel();
    let state_dir = config.state_dir.clone();
    // A thread of its own, as nothing can end its wait; it ends with the lock or with the process.
    let wait_for_it = move || {
        loop {
            match DeliveryLock::take(&state_dir) {
                // Another listener, perhaps a dying one.
                Ok(None) => std::thread::sleep(Duration::from_millis(200)),
                Ok(Some(lock)) => return sender.send(Ok(lock)),
                Err(e) => return sender.send(Err(e)),
            }
        }
    };
    let thread = std::thread::Builder::new().name("lock-wait".into());
    thread.spawn(wait_for_it).map_err(|source| ListenError::Lock { path: path.clone(), source })?;
    let started = clock::wall_ms();
    while !signals.stopped() {
        match receiver.try_recv() {
            Ok(taken) => return taken.map(Some).map_err(|source| ListenError::Lock { path, source }),
            Err(_) if clock::wall_ms() - started > clock::millis(LOCK_WAIT) => {
                return Err(ListenError::AnotherRuns(path));
            }
            Err(_) => {
                signals.wait(None, Duration::from_millis(20));
            }
        }
    }
    Ok(None)
}
