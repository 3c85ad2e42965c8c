//! The HTTP door, and the only async code: hyper on a tokio current-thread runtime in one thread of its own.
//!
//! It faces the internet, so everything that is read has a limit in bytes, time and count (the constants below and in
//! [`request`]). What is [`Verified`] is handed on; everybody else learns a status and nothing more, and fills neither
//! memory nor the log. A stop finishes what is in hand.

mod accept;
mod connections;
mod message_api;
mod request;
mod request_stats;
mod tls;

pub(crate) use tls::TlsError;

use super::oauth::{Shown, Step};
use crate::config::TlsFiles;
use crate::flow::callback::http_reply::Answer;
use crate::rules::verify::{ReplayGuard, Signer, Verified};
use crate::slack::socket::{Envelope, Reply};
use crate::system::secret::Secret;
use connections::Connections;
use request_stats::Strangers;
use std::fmt::{self, Debug};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// How many requests may be with [`Handlers::take`] at once, each on a thread; as many more may wait for a thread.
const TAKERS_MAX: usize = 4;
/// How many verified requests may be unanswered; the next is told to come again.
const TAKEN_MAX: usize = 256;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// How many browsers may be installing at once: fewer than there are threads, so that clicks always have one.
const INSTALLING_MAX: usize = 2;
/// How long a stop waits for what is in hand.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// By the step and the browser's `Cookie` header.
pub(crate) type Install = dyn Fn(Step, &str) -> Shown + Send + Sync;

/// By the integration's name and what came.
pub(crate) type TakeEnvelope = Arc<dyn Fn(&str, Envelope) -> Reply + Send + Sync>;

/// By a body and the `Idempotency-Key` it came with.
pub(crate) type HandIn = Arc<dyn Fn(&[u8], Option<&str>) -> Answer + Send + Sync>;

/// What the door does with what comes in.
#[derive(Clone)]
pub(crate) struct Handlers {
    /// Acts on a request. It should be quick: Slack waits 3 s.
    pub(crate) take: Arc<dyn Fn(Verified) -> Answer + Send + Sync>,
    /// The same for what comes over an integration's Socket Mode connection.
    pub(crate) take_envelope: TakeEnvelope,
    /// How far a rightly signed request's time was behind our clock, in seconds; the stale ones' too.
    pub(crate) note_age: Arc<dyn Fn(i64) + Send + Sync>,
    /// `POST /v1/webhook`: what another program wrote. A 204 promises that it is kept for good.
    pub(crate) intake: HandIn,
    /// `GET /healthz`: what is wrong, if anything.
    pub(crate) health: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Shows a browser the way through an installation; may take some seconds.
    pub(crate) install: Arc<Install>,
    /// `GET /metrics`, in Prometheus's text format; the door adds its own.
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handlers")
    }
}

/// What changes with the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Every integration, those without a secret too.
    pub(crate) signers: Vec<Signer>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) access: Access,
}

/// Whom the door lets to what isn't Slack's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// What programs must show at `/v1/webhook`; without one it is closed over TCP.
    pub(crate) intake_token: Option<Secret>,
    /// Without one, programs of this machine are taken over TCP all the same.
    pub(crate) intake_without_token: bool,
    /// The users whose programs hand in by the UNIX socket.
    pub(crate) intake_uids: Vec<u32>,
    /// `/metrics` and `/healthz` answer everybody.
    pub(crate) metrics_for_all: bool,
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

/// Where a door is.
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

/// The running door.
#[derive(Debug)]
pub(crate) struct HttpDoor {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    address: Option<SocketAddr>,
}

/// What the thread and its owner share.
struct Shared {
    handlers: Handlers,
    signers: Mutex<Arc<Vec<Signer>>>,
    access: Mutex<Access>,
    tls: Mutex<Option<TlsAcceptor>>,
    guard: Mutex<ReplayGuard>,
    strangers: Strangers,
    connections: Connections,
    taken: Arc<Semaphore>,
    /// Installing waits for Slack; strangers may begin it, so it has few threads to hold.
    installing: Arc<Semaphore>,
    /// Room for large bodies.
    big_bodies: Arc<Semaphore>,
}

impl Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// The door couldn't be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("can't start: {0}")]
    Start(#[from] std::io::Error),
}

impl HttpDoor {
    /// Serves what is bound, until stopped or dropped.
    pub(crate) fn open(bound: Bound, settings: Settings, handlers: Handlers) -> Result<Self, HttpError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let shared = Arc::new(Shared {
            handlers,
            signers: Mutex::new(Arc::new(settings.signers)),
            access: Mutex::new(settings.access),
            tls: Mutex::new(tls),
            guard: Mutex::default(),
            strangers: Strangers::default(),
            connections: Connections::default(),
            taken: Arc::new(Semaphore::new(TAKEN_MAX)),
            installing: Arc::new(Semaphore::new(INSTALLING_MAX)),
            big_bodies: Arc::new(Semaphore::new(request::BIG_BODIES_MAX)),
        });
        let address = if let Bound::Tcp(listener) = &bound { Some(listener.local_addr()?) } else { None };
        bound.set_nonblocking()?;
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(TAKERS_MAX)
            .thread_name("take")
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

    /// Takes new secrets and a new certificate. A certificate that can't be used changes nothing: connections go on
    /// being served with the old one.
    pub(crate) fn update(&self, settings: Settings) -> Result<(), TlsError> {
        *lock(&self.shared.signers) = Arc::new(settings.signers);
        *lock(&self.shared.access) = settings.access;
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        *lock(&self.shared.tls) = tls;
        Ok(())
    }
}

impl Drop for HttpDoor {
    /// Finishes what is in hand, for at most [`STOP_WAIT`].
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The guard of a lock; one that a panic left is as good as any, as every change under it is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
