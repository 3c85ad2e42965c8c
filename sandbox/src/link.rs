//! One connection of Socket Mode, on its own thread.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Error, Message, WebSocket};

use super::fault_script::FaultyStream;
use super::sockets::{Greeting, Push};
use super::state::{State, lock};
use super::wire::{Answer, Request, form_fields};

/// How long a read waits before the thread looks for orders.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Slack leaves TCP open after both sides said Close; a client that waits for its end waits in vain.
const LINGER: Duration = Duration::from_secs(5);

/// Whether a request is for this door.
pub(super) fn is_for(request: &Request) -> bool {
    request.path.trim_end_matches('/') == "/link"
}

/// Upgrades the connection and speaks on it until it ends.
pub(super) fn serve<S: Read + Write + FaultyStream>(
    mut reader: BufReader<S>,
    request: &Request,
    state: &Mutex<State>,
) -> io::Result<()> {
    let Some(accept) = accepted(request, state) else {
        return reader.get_mut().write_all(&Answer::text(403, "invalid ticket").bytes(false));
    };
    let upgrade = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
        sec-websocket-accept: {accept}\r\n\r\n"
    );
    reader.get_mut().write_all(upgrade.as_bytes())?;
    let early = reader.buffer().to_vec();
    let stream = reader.into_inner();
    stream.socket().set_read_timeout(Some(LOOK_EVERY))?;
    let mut socket = WebSocket::from_partially_read(stream, early, Role::Server, None);
    let greeting = {
        let state = &mut *lock(state);
        let (enabled, now_ms) = (state.app.has_socket_mode(), state.clock.unix_ms());
        state.sockets.join(enabled, now_ms)
    };
    match greeting {
        Greeting::Refused(line) => {
            if socket.send(Message::text(line)).and_then(|()| socket.close(None)).is_ok() {
                linger(&mut socket);
            }
        }
        Greeting::Hello(id, pushes) => {
            let how = serve_frames(&mut socket, id, &pushes, state);
            {
                let state = &mut *lock(state);
                let now_ms = state.clock.unix_ms();
                state.sockets.remove_link(id, how, now_ms);
            }
            if how == "closed" {
                linger(&mut socket);
            }
        }
    }
    Ok(())
}

/// The answer to the client's key, if the ticket is good.
fn accepted(request: &Request, state: &Mutex<State>) -> Option<String> {
    let ticket = form_fields(&request.query).into_iter().find(|(name, _)| name == "ticket")?.1;
    let state = &mut *lock(state);
    let now_ms = state.clock.unix_ms();
    let upgrades = request.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    let known = state.sockets.redeem(&ticket, now_ms);
    let key = request.header("sec-websocket-key").filter(|_| known && upgrades);
    if key.is_none() || request.header("sec-websocket-version") != Some("13") {
        state.journal.violate(0, "bad_socket_request", format!("ticket known: {known}"));
        return None;
    }
    key.map(|key| derive_accept_key(key.as_bytes()))
}

/// Speaks until the end and tells how it came: `closed`, `cut` or `lost`.
fn serve_frames<S: Read + Write + FaultyStream>(
    socket: &mut WebSocket<S>,
    id: u64,
    pushes: &Receiver<Push>,
    state: &Mutex<State>,
) -> &'static str {
    let mut pinged = Instant::now();
    let mut close_at: Option<Instant> = None;
    loop {
        let done = match pushes.try_recv() {
            Ok(Push::Text { text, fragmented: false }) => socket.send(Message::text(text)),
            Ok(Push::Text { text, fragmented: true }) => send_fragments(socket, &text),
            Ok(Push::Close(grace)) => {
                close_at = Some(Instant::now() + grace);
                Ok(())
            }
            Ok(Push::Cut) => {
                // The peer sees the end of the stream, or a reset, but no Close.
                _ = socket.get_ref().socket().shutdown(Shutdown::Both);
                return "cut";
            }
            Ok(Push::Mute) => return play_dead(socket),
            Err(_) => Ok(()),
        };
        if done.is_err() {
            return "lost";
        }
        if close_at.is_some_and(|at| Instant::now() >= at) {
            close_at = None;
            _ = socket.close(None);
        }
        if pinged.elapsed() >= lock(state).sockets.ping_every() {
            pinged = Instant::now();
            // A failure shows in the read below.
            _ = socket.send(Message::Ping("Ping from applink-sandbox".into()));
        }
        match socket.read() {
            Ok(Message::Text(text)) => {
                let state = &mut *lock(state);
                state.sockets.receive(id, text.as_str(), &mut state.journal);
            }
            Ok(Message::Pong(_)) => lock(state).sockets.pong(id),
            Ok(Message::Binary(_)) => lock(state).journal.violate(0, "binary_frame", format!("connection {id}")),
            Ok(_) => {}
            Err(Error::Io(error)) if waits(&error) => {}
            Err(Error::ConnectionClosed) => return "closed",
            Err(_) => return "lost",
        }
    }
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The text as two frames; an empty one between them is legal and has broken clients.
fn send_fragments<S: Read + Write>(socket: &mut WebSocket<S>, text: &str) -> Result<(), Error> {
    let bytes = text.as_bytes();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let rows = [(first, Data::Text, false), (&[][..], Data::Continue, false), (second, Data::Continue, true)];
    for (part, kind, last) in rows {
        socket.send(Message::Frame(Frame::message(part.to_vec(), OpCode::Data(kind), last)))?;
    }
    Ok(())
}

/// Reads and says nothing, as a peer behind a firewall that forgot the connection.
fn play_dead<S: Read + Write>(socket: &mut WebSocket<S>) -> &'static str {
    let mut ignored = [0; 4096];
    loop {
        match socket.get_mut().read(&mut ignored) {
            Ok(0) => return "lost",
            Ok(_) => {}
            Err(error) if waits(&error) => {}
            Err(_) => return "lost",
        }
    }
}

/// Waits for the client to end the connection.
fn linger<S: Read + Write>(socket: &mut WebSocket<S>) {
    let deadline = Instant::now() + LINGER;
    // First the client's own Close, then the end of the stream.
    while Instant::now() < deadline {
        match socket.read() {
            Ok(_) => {}
            Err(Error::Io(error)) if waits(&error) => {}
            Err(_) => break,
        }
    }
    let mut ignored = [0; 1024];
    while Instant::now() < deadline {
        match socket.get_mut().read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if waits(&error) => {}
            Err(_) => return,
        }
    }
}
