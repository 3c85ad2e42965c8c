//! The HTTP server, and the only async code: hyper on a tokio current-thread runtime in one thread of its own.
//!
//! It faces the internet, so everything that is read has a limit in bytes, time and count (the constants below, in
//! [`body`] and in [`accept`]). A request that is [`Verified`](crate::rules::verify::Verified) is handed on; any other
//! gets a status and nothing more, and fills neither memory nor the log. A stop finishes the requests in progress.

mod accept;
mod access;
mod body;
mod connections;
mod message_api;
mod post;
mod relay;
mod relay_calls;
mod reply;
mod request;
mod request_stats;
mod tls;

pub(crate) use tls::TlsError;

use super::endpoints::Endpoints;
use crate::config::TlsFiles;
use crate::monitoring::relay::Speaker;
use crate::rules::verify::{ReplayGuard, Signer};
use crate::system::secret::Secret;
use connections::Connections;
use relay_calls::RelayCalls;
use request_stats::RequestStats;
use std::fmt::{self, Debug};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// How many requests may be with the [`Endpoints`] at once, each on a thread.
const WORKERS_MAX: usize = 4;
/// How many verified requests may be in progress; the next one is refused with a 503.
const IN_PROGRESS_MAX: usize = 256;
/// How many browsers may be installing at once: fewer than there are threads, so that clicks always have one.
const INSTALLING_MAX: usize = 2;
/// How many relays may be handing in at once, for the same reason; the others wait for their turn.
const HANDING_IN_MAX: usize = 2;
/// How many calls of relays may wait without being closed for others: there is always a connection that may be.
const WAITING_CALLS_MAX: usize = 192;
/// How long a stop waits for the requests in progress.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// The settings that change with the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Every integration, those without a secret too.
    pub(crate) signers: Vec<Signer>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) access: Access,
}

/// Who may use the endpoints that aren't Slack's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// The token that programs must send to `/v1/webhook`; without one it is closed over TCP.
    pub(crate) intake_token: Option<Secret>,
    /// Without a token, programs of this machine are accepted over TCP all the same.
    pub(crate) intake_without_token: bool,
    /// The users whose programs may send messages by the UNIX socket.
    pub(crate) intake_uids: Vec<u32>,
    /// `/metrics` and `/healthz` answer everybody.
    pub(crate) metrics_for_all: bool,
    /// The tokens of relays, each with the core that it speaks for.
    pub(crate) relays: Arc<Vec<(Speaker, Secret)>>,
    /// They must show a certificate, too.
    pub(crate) relays_need_certificate: bool,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Network(SocketAddr),
    /// A process of this machine, as the kernel vouches for its user.
    Local {
        uid: u32,
    },
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => write!(f, "{address}"),
            Self::Local { uid } => write!(f, "uid:{uid}"),
        }
    }
}

/// An open listening socket.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Bound {
    fn set_nonblocking(&self) -> std::io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }
}

/// The running server.
#[derive(Debug)]
pub(crate) struct HttpServer {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    address: Option<SocketAddr>,
}

/// Shared by the thread and its owner.
struct Shared {
    endpoints: Arc<Endpoints>,
    signers: Mutex<Arc<Vec<Signer>>>,
    access: Mutex<Access>,
    tls: Mutex<Option<TlsAcceptor>>,
    guard: Mutex<ReplayGuard>,
    stats: RequestStats,
    connections: Connections,
    in_progress: Arc<Semaphore>,
    /// An installation waits for Slack, and anybody may begin one: it gets few of the threads.
    installing: Arc<Semaphore>,
    /// A relay's batch is synced to the disk file by file: clicks always have a thread.
    handing_in: Arc<Semaphore>,
    /// Room for large bodies.
    big_bodies: Arc<Semaphore>,
    /// How many calls of each relay are in progress.
    relay_calls: RelayCalls,
    /// Calls of relays that wait and may not be closed for others.
    waiting_calls: Arc<Semaphore>,
    /// Ends the calls of relays, which would wait.
    stopped: watch::Receiver<bool>,
}

impl Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// The server can't be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("can't start: {0}")]
    Start(#[from] std::io::Error),
}

impl HttpServer {
    /// Serves a listening socket, until stopped or dropped.
    pub(crate) fn start(bound: Bound, settings: Settings, endpoints: Arc<Endpoints>) -> Result<Self, HttpError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            endpoints,
            stopped: stopped.clone(),
            signers: Mutex::new(Arc::new(settings.signers)),
            access: Mutex::new(settings.access),
            tls: Mutex::new(tls),
            guard: Mutex::default(),
            stats: RequestStats::default(),
            connections: Connections::default(),
            in_progress: Arc::new(Semaphore::new(IN_PROGRESS_MAX)),
            installing: Arc::new(Semaphore::new(INSTALLING_MAX)),
            handing_in: Arc::new(Semaphore::new(HANDING_IN_MAX)),
            relay_calls: RelayCalls::default(),
            waiting_calls: Arc::new(Semaphore::new(WAITING_CALLS_MAX)),
            big_bodies: Arc::new(Semaphore::new(body::BIG_BODIES_MAX)),
        });
        let address = if let Bound::Tcp(listener) = &bound { Some(listener.local_addr()?) } else { None };
        bound.set_nonblocking()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(WORKERS_MAX)
            .thread_name("http-worker")
            .build()?;
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            let left = runtime.block_on(accept::serve(bound, inside, stopped));
            // A request that was answered because its time was up may still be worked on.
            runtime.shutdown_timeout(left);
        })?;
        Ok(Self { shared, stop, thread: Some(thread), address })
    }

    /// Where it listens, over TCP.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Puts new secrets and a new certificate in force. If the certificate can't be used, the old one stays in use.
    pub(crate) fn update(&self, settings: Settings) -> Result<(), TlsError> {
        *lock(&self.shared.signers) = Arc::new(settings.signers);
        *lock(&self.shared.access) = settings.access;
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        *lock(&self.shared.tls) = tls;
        Ok(())
    }
}

impl Drop for HttpServer {
    /// Finishes the requests in progress, for at most [`STOP_WAIT`].
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The guard of a lock, also after a panic: every change under a lock is complete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
