//! The wake-up hint from `notify` to the listener: a datagram to `wake` in the runtime directory.
//!
//! A hint only: delete every line that sends it and nothing changes but latency, as the listener scans the spool too.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Tells the listener, if one runs, that something is in the spool. Never waits, never fails.
pub(crate) fn hint(runtime_dir: &Path) {
    let Ok(socket) = UnixDatagram::unbound() else {
        return;
    };
    // A full queue means that it has been woken already.
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.send_to(b".", runtime_dir.join("wake"));
    }
}

/// The listener's end.
pub(crate) fn bind(runtime_dir: &Path) -> io::Result<UnixDatagram> {
    std::fs::create_dir_all(runtime_dir)?;
    let path = runtime_dir.join("wake");
    // Left by a listener that was killed. Ours is the delivery lock, so nobody else listens there.
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Forgets the hints received so far.
pub(crate) fn drain(socket: &UnixDatagram) {
    let mut byte = [0];
    while socket.recv(&mut byte).is_ok() {}
}
