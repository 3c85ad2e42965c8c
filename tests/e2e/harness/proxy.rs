//! A way to a server that passes, swallows, refuses or resets, as a test says.

use super::process::free_port;
use rustix::net::sockopt::set_socket_linger;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// How often each thread looks what is to be done.
const LOOK: Duration = Duration::from_millis(10);

/// What becomes of bytes and connections from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Pass,
    /// Connections are taken, and nothing goes through; what was swallowed goes through once it passes again.
    Swallow,
    /// Passes, and swallows from the next COMMIT on: for the server that transaction goes on.
    SwallowFromCommit,
    /// Passes the next COMMIT on and resets its connection, so nobody hears the answer; then all passes.
    LoseCommitAnswer,
    /// Nobody listens, and connections that there are end.
    Refuse,
    /// Each connection, new or old, is reset.
    Reset,
}

/// Listens on a port of this machine, below the ephemeral ones, and connects to another one.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    inside: Arc<Inside>,
}

struct Inside {
    way: AtomicU8,
    to: AtomicU16,
    /// Whether the port is open, so that a test goes on only when it is what it asked for.
    is_open: AtomicBool,
    ended: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(to: u16) -> Self {
        let inside = Arc::new(Inside {
            way: AtomicU8::new(Way::Pass as u8),
            to: AtomicU16::new(to),
            is_open: AtomicBool::new(true),
            ended: AtomicBool::new(false),
        });
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let of_thread = Arc::clone(&inside);
        spawn(move || listen(listener, port, &of_thread));
        Self { port, inside }
    }

    /// From now on; returns once new connections see it.
    pub(crate) fn set(&self, way: Way) {
        self.inside.way.store(way as u8, Ordering::SeqCst);
        while self.inside.is_open.load(Ordering::SeqCst) == (way == Way::Refuse) {
            sleep(LOOK);
        }
    }

    pub(crate) fn way(&self) -> Way {
        self.inside.way()
    }

    /// Where new connections lead from now on, as after a failover.
    pub(crate) fn lead_to(&self, port: u16) {
        self.inside.to.store(port, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.inside.ended.store(true, Ordering::SeqCst);
    }
}

impl Inside {
    fn way(&self) -> Way {
        let way = self.way.load(Ordering::SeqCst);
        [Way::Swallow, Way::SwallowFromCommit, Way::LoseCommitAnswer, Way::Refuse, Way::Reset]
            .into_iter()
            .find(|known| *known as u8 == way)
            .unwrap_or(Way::Pass)
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

fn listen(first: TcpListener, port: u16, inside: &Arc<Inside>) {
    let mut open = Some(first);
    while !inside.ended() {
        if inside.way() == Way::Refuse {
            open = None;
        } else if open.is_none() {
            open = TcpListener::bind(("127.0.0.1", port)).ok();
        }
        inside.is_open.store(open.is_some(), Ordering::SeqCst);
        let accepted = open.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).unwrap();
            listener.accept().ok()
        });
        match accepted {
            Some((client, _)) => {
                client.set_nonblocking(false).unwrap();
                let inside = Arc::clone(inside);
                spawn(move || serve(&client, &inside));
            }
            None => sleep(LOOK),
        }
    }
}

fn serve(client: &TcpStream, inside: &Arc<Inside>) {
    while inside.way() == Way::Swallow && !inside.ended() {
        sleep(LOOK);
    }
    let server = match inside.way() {
        Way::Pass | Way::SwallowFromCommit | Way::LoseCommitAnswer => {
            TcpStream::connect(("127.0.0.1", inside.to.load(Ordering::SeqCst))).ok()
        }
        Way::Swallow | Way::Refuse | Way::Reset => None,
    };
    let Some(server) = server else { return reset(client) };
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let other = Arc::clone(inside);
    let there = spawn(move || pump(&from, &to, &other));
    pump(&server, client, inside);
    there.join().unwrap();
}

/// Hands on what comes, until the connection ends or is to end.
fn pump(from: &TcpStream, to: &TcpStream, inside: &Inside) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    from.set_nodelay(true).unwrap();
    let mut bytes = vec![0; 64 * 1024];
    while !inside.ended() {
        match inside.way() {
            Way::Swallow => {
                sleep(LOOK);
                continue;
            }
            Way::Reset | Way::Refuse => {
                reset(from);
                break;
            }
            Way::Pass | Way::SwallowFromCommit | Way::LoseCommitAnswer => {}
        }
        match (&mut &*from).read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => {
                let commits = bytes[..read].windows(7).any(|word| word == b"COMMIT\0");
                if inside.way() == Way::LoseCommitAnswer && commits {
                    inside.way.store(Way::Swallow as u8, Ordering::SeqCst);
                    let _ = (&mut &*to).write_all(&bytes[..read]);
                    // The other direction reads the answer meanwhile and keeps it.
                    sleep(50 * LOOK);
                    inside.way.store(Way::Reset as u8, Ordering::SeqCst);
                    reset(from);
                    sleep(10 * LOOK);
                    inside.way.store(Way::Pass as u8, Ordering::SeqCst);
                    break;
                }
                if inside.way() == Way::SwallowFromCommit && commits {
                    inside.way.store(Way::Swallow as u8, Ordering::SeqCst);
                }
                while inside.way() == Way::Swallow && !inside.ended() {
                    sleep(LOOK);
                }
                if matches!(inside.way(), Way::Refuse | Way::Reset) || (&mut &*to).write_all(&bytes[..read]).is_err() {
                    reset(from);
                    break;
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// What is closed with a linger of nothing is reset.
fn reset(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
}
