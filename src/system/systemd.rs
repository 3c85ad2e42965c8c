//! Telling systemd how the listener is doing (<https://www.freedesktop.org/software/systemd/man/sd_notify.html>).

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Where states are sent; does nothing when not run by systemd.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notifier {
    address: Option<SocketAddrUnix>,
}

impl Notifier {
    /// `socket`: the value of `NOTIFY_SOCKET`, a path or an abstract name (`@...`).
    pub(crate) fn new(socket: Option<&OsStr>) -> Self {
        let address = socket.and_then(|name| match name.as_bytes() {
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name).ok(),
            path => SocketAddrUnix::new(path).ok(),
        });
        Self { address }
    }

    /// Sends `READY=1`, `STOPPING=1`, `WATCHDOG=1` or `STATUS=...`. A failure is nobody's loss.
    pub(crate) fn say(&self, state: &str) {
        let Some(address) = &self.address else {
            return;
        };
        if let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None) {
            let _ = sendto(&socket, state.as_bytes(), SendFlags::NOSIGNAL, address);
        }
    }
}
