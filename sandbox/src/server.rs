//! The doors: accepting, TLS, a thread for each connection.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::fault_script::{FaultyStream, Response, send_response};
use super::respond::respond;
use super::state::{State, lock};
use super::wire::read_request;
use super::{link, page, user_actions};

/// How many connections are served at once; more wait in the listen queue.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may stay silent.
const IDLE: Duration = Duration::from_secs(75);

/// Reads certificate and key. TLS 1.2 and 1.3, as Slack. <https://docs.slack.dev/apis/web-api/>
pub(super) fn tls_config(cert: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .map_err(io::Error::other)?
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

/// Takes connections for ever.
pub(super) fn accept(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, state: &Arc<Mutex<State>>) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        while open.load(Ordering::Acquire) >= CONNECTIONS_MAX {
            std::thread::sleep(Duration::from_millis(5));
        }
        let Ok((socket, _)) = listener.accept() else {
            // Out of descriptors, or the client left in the queue: both pass.
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        lock(state).journal.connected();
        open.fetch_add(1, Ordering::AcqRel);
        let slot = Slot(Arc::clone(&open));
        let (tls, state) = (tls.cloned(), Arc::clone(state));
        let spawned = std::thread::Builder::new().name("sandbox connection".to_owned()).spawn(move || {
            let _slot = slot;
            // An error is the client's business: it sees the connection end.
            _ = serve(socket, tls, &state);
        });
        drop(spawned);
    }
}

/// Counts a connection as long as it lives, also through a panic.
struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve(socket: TcpStream, tls: Option<Arc<ServerConfig>>, state: &Mutex<State>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(IDLE))?;
    socket.set_write_timeout(Some(IDLE))?;
    let Some(config) = tls else {
        return converse(Stream::Plain(socket), state);
    };
    let mut session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut socket = socket;
    while session.is_handshaking() {
        if let Err(error) = session.complete_io(&mut socket) {
            // Also plain HTTP on the encrypted port and a certificate the client refuses.
            lock(state).journal.violate(0, "tls_handshake", error.to_string());
            return Err(error);
        }
    }
    converse(Stream::Tls(Box::new(StreamOwned::new(session, socket))), state)
}

fn converse(stream: Stream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = match read_request(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    lock(state).journal.violate(0, "bad_http", error.to_string());
                }
                return Err(error);
            }
        };
        if link::is_for(&request) {
            return link::serve(reader, &request, state);
        }
        let from_here = reader.get_ref().socket().local_addr().is_ok_and(|address| address.ip().is_loopback());
        let refusal = page::refusal(&request, from_here);
        if refusal.is_none() && page::is_for(&request) {
            return page::serve(reader.get_mut(), state);
        }
        let answer =
            refusal.or_else(|| page::answer(state, &request)).or_else(|| user_actions::answer(state, &request));
        let response = match answer {
            Some(answer) => Response::answer(answer),
            None => respond(&mut lock(state), &request),
        };
        if request.method != "GET" || request.path.starts_with("/api/") {
            lock(state).revision += 1;
        }
        if !send_response(reader.get_mut(), &response, request.keep_alive)? {
            return Ok(());
        }
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl FaultyStream for Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
