//! From the address Slack gave to an open WebSocket: TCP, a proxy's `CONNECT`, TLS, the handshake.

use super::interruptible_stream::Line;
use crate::config::Integration;
use crate::slack::api::ClientError;
use crate::slack::api::socket::{ConnectProxy, connect_proxy, tls};
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Instant;
use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, WebSocket};

/// The longest message that is taken; a view's payload has up to 250 kB.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// How much of a proxy's answer is read.
const PROXY_HEAD_BYTES_MAX: usize = 8 * 1024;

/// The stream below the WebSocket.
pub(super) enum Stream {
    /// To a stand-in on this machine.
    Plain(Line),
    Tls(Box<StreamOwned<ClientConnection, Line>>),
}

/// The connection couldn't be made. No text holds the address: it has the ticket in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("Slack gave an address that can't be used")]
    Address,
    #[error("can't connect to {host}: {source}")]
    Tcp { host: String, source: io::Error },
    #[error("the proxy {host} refused: {said}")]
    Proxy { host: String, said: String },
    #[error("no WebSocket with {host}: {source}")]
    Handshake { host: String, source: Box<tungstenite::Error> },
}

/// Connects; all of it within the integration's `timeout`.
pub(super) fn connect(
    url: &Secret,
    integration: &Integration,
    env: &Environment,
    waker: UnixStream,
) -> Result<WebSocket<Stream>, ConnectError> {
    let uri: Uri = url.expose().parse().map_err(|_| ConnectError::Address)?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or(ConnectError::Address)?.to_owned();
    let is_plain = match uri.scheme_str() {
        Some("wss") => false,
        // Nothing but a stand-in on this machine may do without TLS.
        Some("ws") if is_loopback(&host) && is_loopback_url(&integration.api_url) => true,
        _ => return Err(ConnectError::Address),
    };
    let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    let proxy = connect_proxy(integration, env, &format!("https://{host}:{port}/"))?.filter(|_| !is_plain);
    let deadline = Instant::now() + integration.timeout;

    let (tcp_host, tcp_port) = proxy.as_ref().map_or((host.as_str(), port), |proxy| (proxy.host.as_str(), proxy.port));
    let failed = |source| ConnectError::Tcp { host: tcp_host.to_owned(), source };
    let tcp = tcp(tcp_host, tcp_port, integration).map_err(failed)?;
    let mut line = Line::new(tcp, waker, deadline).map_err(failed)?;
    if let Some(proxy) = &proxy {
        tunnel(&mut line, proxy, &format!("{host}:{port}"))
            .map_err(|said| ConnectError::Proxy { host: proxy.host.clone(), said })?;
    }
    let stream =
        if is_plain { Stream::Plain(line) } else { Stream::Tls(Box::new(secured(line, &host, integration, env)?)) };
    handshake(uri, stream).map_err(|source| ConnectError::Handshake { host, source })
}

/// The first of the host's addresses that answers, within `connect_timeout` in all.
fn tcp(host: &str, port: u16, integration: &Integration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + integration.connect_timeout;
    let mut failure = io::Error::new(ErrorKind::NotFound, "the host name has no address");
    for address in (host.trim_matches(['[', ']']), port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(tcp) => return Ok(tcp),
            Err(e) => failure = e,
        }
    }
    Err(failure)
}

/// Asks the proxy for a way to `target` (<https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6>).
fn tunnel(line: &mut Line, proxy: &ConnectProxy, target: &str) -> Result<(), String> {
    let authorization = proxy.credentials.as_ref().map_or_else(String::new, |(user, password)| {
        let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
        format!("Proxy-Authorization: Basic {pair}\r\n")
    });
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    line.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    let mut head = Vec::new();
    // Byte by byte: what follows the head is TLS's.
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        line.read_exact(&mut byte).map_err(|e| e.to_string())?;
        head.extend(byte);
        if head.len() > PROXY_HEAD_BYTES_MAX {
            return Err("its answer is too long".to_owned());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut status = head.lines().next().unwrap_or_default().splitn(2, ' ').skip(1);
    match status.next() {
        Some(said) if said.starts_with('2') => Ok(()),
        Some(said) => Err(crate::slack::outcome::brief(said)),
        None => Err("it doesn't speak HTTP".to_owned()),
    }
}

fn secured(
    line: Line,
    host: &str,
    integration: &Integration,
    env: &Environment,
) -> Result<StreamOwned<ClientConnection, Line>, ConnectError> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| ConnectError::Address)?;
    let connection =
        ClientConnection::new(tls(integration, env)?, name).map_err(|e| ClientError::Tls(e.to_string()))?;
    Ok(StreamOwned::new(connection, line))
}

fn handshake(uri: Uri, stream: Stream) -> Result<WebSocket<Stream>, Box<tungstenite::Error>> {
    let request = uri.into_client_request()?;
    // An idle connection holds these all the time.
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(MESSAGE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let (mut socket, _) = client_with_config(request, stream, Some(config)).map_err(|e| match e {
        HandshakeError::Failure(e) => Box::new(e),
        HandshakeError::Interrupted(_) => Box::new(tungstenite::Error::Io(ErrorKind::TimedOut.into())),
    })?;
    socket.get_mut().line_mut().stop_waiting();
    Ok(socket)
}

/// Whether the URL's host is this machine.
fn is_loopback_url(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(is_loopback))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Stream {
    pub(super) fn line(&self) -> &Line {
        match self {
            Self::Plain(line) => line,
            Self::Tls(stream) => &stream.sock,
        }
    }

    fn line_mut(&mut self) -> &mut Line {
        match self {
            Self::Plain(line) => line,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(line) => line.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(line) => line.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(line) => line.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:1/api/", true),
            ("http://[::1]/api/", true),
            ("http://localhost/api/", true),
            ("https://slack.com/api/", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://127.0.0.1@evil.example/", false),
        ] {
            assert_eq!(is_loopback_url(url), expected, "{url}");
        }
    }
}
