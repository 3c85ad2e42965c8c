//! Accepts connections, and serves each in a task of its own, within limits.

use super::connections::ConnectionSlot;
use super::{Bound, Peer, STOP_WAIT, Shared, lock, request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use log::error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// For a whole head to arrive; also how long an idle connection is kept for a next request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// After that a connection accepts no further request.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60);
/// For the request in progress when a connection must end; longer than the longest one takes.
const LAST_REQUEST_WITHIN: Duration = Duration::from_secs(15);
/// After an error of `accept`, most likely too many open files: the time until a connection that was closed for it is
/// gone, and until another try when there was none to close.
const ACCEPT_PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// Serves until stopped, then finishes the requests in progress; returns the time left for those in other threads.
pub(super) async fn serve(bound: Bound, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) -> Duration {
    let listener = match Listener::new(bound) {
        Ok(listener) => listener,
        Err(e) => {
            error!("can't serve http reason={:?}", e.to_string());
            return Duration::ZERO;
        }
    };
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let slot = shared.connections.slot();
                let task = connection(stream, peer, Arc::clone(&shared), Arc::clone(&slot), stopped.clone());
                slot.served_by(tasks.spawn(task));
            }
            Err(e) => {
                shared.stats.log_rejected("accept_failed", format_args!("reason={:?}", e.to_string()));
                let is_room_made = shared.connections.close_oldest();
                sleep(ACCEPT_PAUSES[usize::from(!is_room_made)]).await;
            }
        }
    }
    drop(listener);
    let deadline = Instant::now() + STOP_WAIT;
    // Requests that aren't finished by then are cut off, as the tasks end with their set.
    let _ = timeout_at(deadline, async { while tasks.join_next().await.is_some() {} }).await;
    deadline.saturating_duration_since(Instant::now())
}

/// The listening socket.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An accepted connection.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    fn new(bound: Bound) -> std::io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Bound::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?),
        })
    }

    async fn accept(&self) -> std::io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::Network(address)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                // The user as the kernel knows it, not as the program claims.
                let uid = stream.peer_cred()?.uid();
                Ok((Stream::Unix(stream), Peer::Local { uid }))
            }
        }
    }
}

/// One connection, from its handshake to its end.
async fn connection(
    stream: Stream,
    peer: Peer,
    shared: Arc<Shared>,
    slot: Arc<ConnectionSlot>,
    stopped: watch::Receiver<bool>,
) {
    let stream = match stream {
        Stream::Tcp(stream) => stream,
        Stream::Unix(stream) => return serve_http(stream, peer, shared, slot, stopped).await,
    };
    let _ = stream.set_nodelay(true);
    let acceptor = lock(&shared.tls).clone();
    let Some(acceptor) = acceptor else {
        return serve_http(stream, peer, shared, slot, stopped).await;
    };
    match timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            slot.set_certified(stream.get_ref().1.peer_certificates().is_some());
            serve_http(stream, peer, shared, slot, stopped).await;
        }
        Ok(Err(e)) => {
            shared.stats.log_rejected("tls_handshake", format_args!("from={peer} reason={:?}", e.to_string()));
        }
        Err(_) => shared.stats.log_rejected("tls_handshake", format_args!("from={peer} reason=\"too slow\"")),
    }
}

/// HTTP over any kind of stream.
async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    shared: Arc<Shared>,
    slot: Arc<ConnectionSlot>,
    mut stopped: watch::Receiver<bool>,
) {
    let inside = Arc::clone(&shared);
    let service = service_fn(move |request| request::answer(Arc::clone(&inside), peer, Arc::clone(&slot), request));
    let mut http = http1::Builder::new();
    // Without a timer hyper would not enforce the time-out.
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    http.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = sleep(CONNECTION_AGE_MAX) => None,
        _ = stopped.wait_for(|stop| *stop) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        timeout(LAST_REQUEST_WITHIN, connection).await.unwrap_or(Ok(()))
    };
    match ended {
        Err(e) if e.is_parse() => {
            shared.stats.log_rejected("malformed", format_args!("from={peer} reason={:?}", e.to_string()));
        }
        Err(e) if e.is_timeout() => shared.stats.count("slow"),
        Err(_) => shared.stats.count("cut_off"),
        Ok(()) => {}
    }
}
