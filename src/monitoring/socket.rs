//! Short conversations with a core's sockets, bounded in time and size.

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
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
    stream.write_all(request).map_err(timed_out)?;
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
