//! Short conversations with a core's sockets, bounded in time and size.

use crate::system::environment::Environment;
use crate::system::tls;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// For connecting, and for the whole of an answer: a core answers from memory, between two checks.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects; the limit holds too when the other side takes no connection.
pub(crate) fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(ANSWER_TIMEOUT))?;
    rustix::net::connect(&socket, &address)?;
    let stream = UnixStream::from(socket);
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}

/// Connects to `host:port`, trying each of its addresses.
pub(crate) fn connect_tcp(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host name can't be resolved");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
                return Ok(stream);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// A connection to a core, whatever carries it.
pub(crate) trait Connection: Read + Write {
    /// There is no more to come from us; what the core still sends is read.
    fn end_writing(&mut self);
}

impl Connection for UnixStream {
    fn end_writing(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Connection for TcpStream {
    fn end_writing(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

/// TLS over TCP, after its handshake.
struct TlsConnection(StreamOwned<ClientConnection, TcpStream>);

/// Connects to `host:port` and makes sure who is there, by its certificate, before anything is said.
pub(crate) fn connect_tls(
    address: &str,
    ca_file: Option<&Path>,
    name: Option<&str>,
) -> io::Result<impl Connection + use<>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host.trim_matches(['[', ']']));
    let config = tls::client(ca_file, &Environment::default()).map_err(io::Error::other)?;
    let name = ServerName::try_from(name.unwrap_or(host).to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = connect_tcp(address)?;
    let until = Instant::now() + ANSWER_TIMEOUT;
    while tls.is_handshaking() {
        while tls.wants_write() {
            tls.write_tls(&mut stream).map_err(timed_out)?;
        }
        if !tls.is_handshaking() {
            break;
        }
        if tls.read_tls(&mut stream).map_err(timed_out)? == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed during the TLS handshake"));
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        if Instant::now() > until {
            return Err(io::Error::new(ErrorKind::TimedOut, "no TLS handshake within 2 s"));
        }
    }
    Ok(TlsConnection(StreamOwned::new(tls, stream)))
}

impl Read for TlsConnection {
    /// Many just close the connection at the end, without TLS's word for it. Livestatus says before how long an answer is,
    /// so what was cut off is noticed.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }
}

impl Write for TlsConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Connection for TlsConnection {
    fn end_writing(&mut self) {
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
    }
}

/// The end of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With the connection.
    Connection,
    /// With a NUL, or with the connection.
    Nul,
}

/// Writes the request and reads the answer up to its end; an answer that is too long or too slow is an error.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    request: &[u8],
    bytes_max: usize,
    end: End,
) -> io::Result<Vec<u8>> {
    let until = Instant::now() + ANSWER_TIMEOUT;
    stream.write_all(request).and_then(|()| stream.flush()).map_err(timed_out)?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut chunk).map_err(timed_out)? {
            0 => return Ok(answer),
            _ if answer.len() >= bytes_max => {
                return Err(io::Error::new(ErrorKind::InvalidData, "the answer is too long"));
            }
            length => answer.extend_from_slice(&chunk[..length]),
        }
        if end == End::Nul && answer.contains(&0) {
            return Ok(answer);
        }
        if Instant::now() > until {
            return Err(io::Error::new(ErrorKind::TimedOut, "it answers too slowly"));
        }
    }
}

/// A socket's time limit shows as "try again".
fn timed_out(e: io::Error) -> io::Error {
    match e.kind() {
        ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, "no answer within 2 s"),
        _ => e,
    }
}
