//! What is done on the socket: an answer, or one of the many ways not to give one.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::wire::Answer;

/// The longest that any fault keeps a connection busy.
const BUSY_MAX: Duration = Duration::from_secs(60);
/// How often a hanging connection looks whether the client has left.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What to do with a request, and after what pause.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Response {
    pub(super) behaviour: Behaviour,
    pub(super) delay_ms: u64,
}

impl Response {
    /// A plain answer at once.
    pub(super) fn answer(answer: Answer) -> Self {
        Self { behaviour: Behaviour::Answer(answer), delay_ms: 0 }
    }

    /// The body the client gets to see, if it is one.
    pub(super) fn body(&self) -> &[u8] {
        match &self.behaviour {
            Behaviour::Answer(answer) | Behaviour::Trickle(answer, _) | Behaviour::CloseEarly(answer) => &answer.body,
            Behaviour::Endless(_) | Behaviour::Hang(_) | Behaviour::Reset | Behaviour::Close | Behaviour::Raw(_) => &[],
        }
    }

    /// The status the client gets to see; 0 for none.
    pub(super) fn status(&self) -> u16 {
        match &self.behaviour {
            Behaviour::Answer(answer) | Behaviour::Trickle(answer, _) | Behaviour::CloseEarly(answer) => answer.status,
            Behaviour::Endless(_) => 200,
            Behaviour::Hang(_) | Behaviour::Reset | Behaviour::Close | Behaviour::Raw(_) => 0,
        }
    }
}

/// One way to end a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Behaviour {
    Answer(Answer),
    /// The answer byte by byte, so many milliseconds apart.
    Trickle(Answer, u64),
    /// A body that never ends, a byte every so many milliseconds.
    Endless(u64),
    /// No answer for so many milliseconds, then the connection is closed.
    Hang(u64),
    /// The connection is reset.
    Reset,
    /// The connection is closed in order, with no byte sent.
    Close,
    /// The head with the full length, half of the body, then the connection is closed.
    CloseEarly(Answer),
    /// Bytes that are no HTTP.
    Raw(Vec<u8>),
}

/// A connection, encrypted or not, whose socket can be reached.
pub(super) trait FaultyStream: Write {
    /// The socket below.
    fn socket(&self) -> &TcpStream;
}

/// Plays one turn; true when the connection may be used again.
pub(super) fn send_response<L: FaultyStream>(line: &mut L, response: &Response, keep_alive: bool) -> io::Result<bool> {
    pause(line, Duration::from_millis(response.delay_ms));
    match &response.behaviour {
        Behaviour::Answer(answer) => {
            line.write_all(&answer.bytes(keep_alive))?;
            line.flush()?;
            Ok(keep_alive)
        }
        Behaviour::Trickle(answer, gap_ms) => {
            trickle(line, answer.bytes(keep_alive), *gap_ms)?;
            Ok(keep_alive)
        }
        Behaviour::Endless(gap_ms) => {
            line.write_all(&Answer::text(200, "").head(None, false))?;
            trickle(line, std::iter::repeat(b'.'), *gap_ms)?;
            Ok(false)
        }
        Behaviour::Hang(time_ms) => {
            pause(line, Duration::from_millis(*time_ms));
            Ok(false)
        }
        Behaviour::Reset => {
            // Linger of zero makes the close that follows send RST instead of FIN.
            rustix::net::sockopt::set_socket_linger(line.socket(), Some(Duration::ZERO))?;
            Ok(false)
        }
        Behaviour::Close => Ok(false),
        Behaviour::CloseEarly(answer) => {
            line.write_all(&answer.head(Some(answer.body.len().max(2)), false))?;
            line.write_all(&answer.body[..answer.body.len() / 2])?;
            line.flush()?;
            Ok(false)
        }
        Behaviour::Raw(bytes) => {
            line.write_all(bytes)?;
            line.flush()?;
            Ok(false)
        }
    }
}

fn trickle<L: FaultyStream>(line: &mut L, bytes: impl IntoIterator<Item = u8>, gap_ms: u64) -> io::Result<()> {
    let started = Instant::now();
    for byte in bytes {
        line.write_all(&[byte])?;
        line.flush()?;
        sleep(Duration::from_millis(gap_ms));
        if started.elapsed() > BUSY_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// Waits, but not longer than the client does.
fn pause<L: FaultyStream>(line: &L, time: Duration) {
    let started = Instant::now();
    let end = time.min(BUSY_MAX);
    while started.elapsed() < end {
        sleep(LOOK_EVERY.min(end.saturating_sub(started.elapsed())));
        let socket = line.socket();
        let gone = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut [0]));
        let restored = socket.set_nonblocking(false);
        if matches!(gone, Ok(0)) || restored.is_err() {
            return;
        }
    }
}
