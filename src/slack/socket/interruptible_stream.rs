//! A TCP connection that never blocks forever: each wait has a deadline, and another thread can end it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a peer may accept no data.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// There is something to read, or the connection ended.
    Ready,
    /// The other end of the waker is gone: this connection is to be closed.
    Woken,
    TimedOut,
}

/// A connection whose waits another thread can end.
#[derive(Debug)]
pub(super) struct InterruptibleStream {
    tcp: TcpStream,
    waker: UnixStream,
    /// While there is one, reading waits until then; without, it says `WouldBlock` at once.
    deadline: Option<Instant>,
}

impl InterruptibleStream {
    /// Dropping the other end of `waker` ends every wait.
    pub(super) fn new(tcp: TcpStream, waker: UnixStream, deadline: Instant) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, waker, deadline: Some(deadline) })
    }

    /// From now on reading doesn't wait.
    pub(super) fn stop_waiting(&mut self) {
        self.deadline = None;
    }

    /// Waits until there is something to read, but not beyond `until`.
    pub(super) fn wait(&self, until: Instant) -> Wait {
        let mut watched = [
            PollFd::from_borrowed_fd(self.waker.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.tcp.as_fd(), PollFlags::IN),
        ];
        match poll_until(&mut watched, until) {
            // Being woken goes first: a peer that never pauses can't hold off the end.
            _ if !watched[0].revents().is_empty() => Wait::Woken,
            0 if Instant::now() >= until => Wait::TimedOut,
            // Interrupted by a signal: the caller tries to read and comes back.
            _ => Wait::Ready,
        }
    }

    /// The same for a thread that was woken already and only waits for the peer's Close.
    pub(super) fn wait_for_peer(&self, until: Instant) -> Wait {
        let mut watched = [PollFd::from_borrowed_fd(self.tcp.as_fd(), PollFlags::IN)];
        if poll_until(&mut watched, until) == 0 && Instant::now() >= until { Wait::TimedOut } else { Wait::Ready }
    }
}

impl Read for InterruptibleStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match (self.tcp.read(bytes), self.deadline) {
                (Err(e), Some(deadline)) if e.kind() == ErrorKind::WouldBlock => match self.wait(deadline) {
                    Wait::Ready => {}
                    Wait::Woken => return Err(io::Error::other("asked to stop")),
                    Wait::TimedOut => return Err(ErrorKind::TimedOut.into()),
                },
                (result, _) => return result,
            }
        }
    }
}

impl Write for InterruptibleStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let until = Instant::now() + WRITE_LIMIT;
        loop {
            match self.tcp.write(bytes) {
                Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                    let mut watched = [PollFd::from_borrowed_fd(self.tcp.as_fd(), PollFlags::OUT)];
                    poll_until(&mut watched, until);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// How many of them are ready.
fn poll_until(watched: &mut [PollFd<'_>], until: Instant) -> usize {
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    poll(watched, Some(&timeout)).unwrap_or(0)
}
