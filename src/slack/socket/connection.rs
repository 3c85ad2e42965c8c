//! One connection's life on its own thread: opened, greeted, serving, closed.

use super::connect::{ConnectError, Stream, connect};
use super::interruptible_stream::Wait;
use super::{Envelope, EnvelopeReply, Shared};
use crate::model::outcome::Outcome;
use crate::slack::api::Client;
use crate::slack::outcome::brief;
use crate::system::secret::redact;
use log::warn;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// An acknowledgement of this size or more is dropped by Slack without a word
/// (slack-go/slack:examples/socketmode/large_payload_ack).
pub(super) const ACKNOWLEDGEMENT_BYTES_END: usize = 20 * 1024;

/// The messages to a supervisor: from its connections, and from others.
#[derive(Debug)]
pub(super) enum ConnectionEvent {
    /// Slack greets, and counts the app's connections.
    Hello {
        id: u64,
        num_connections: u64,
    },
    /// Slack will close this one soon.
    Renew {
        id: u64,
    },
    Ended {
        id: u64,
        end: Disconnect,
    },
    /// Connect now instead of later.
    Retry,
    Stop,
}

/// Why a connection ended, or couldn't be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disconnect {
    /// We closed it, as we were asked to.
    Requested,
    /// By the network, Slack or a proxy: tried again soon.
    Lost(String),
    /// Ten connections are the most for one app.
    TooMany,
    /// Somebody switched Socket Mode off.
    LinkDisabled,
    /// Slack says how long to wait.
    Wait(Duration),
    /// Fails until a person changes something.
    Hopeless(String),
}

/// Connects and serves until the end. `waker`'s other end closes the connection by being dropped.
pub(super) fn run(id: u64, shared: &Shared, waker: UnixStream, events: &Sender<ConnectionEvent>) -> Disconnect {
    let client = match Client::new(&shared.integration, &shared.env) {
        Ok(client) => client,
        Err(e) => return Disconnect::Hopeless(e.to_string()),
    };
    let url = match client.open_connection() {
        Ok(url) => url,
        Err(outcome) => return Disconnect::from_outcome(outcome),
    };
    drop(client); // an idle connection should cost little
    match connect(&url, &shared.integration, &shared.env, waker) {
        Ok(socket) => Connection::new(id, shared, socket, events).serve(),
        Err(ConnectError::Client(e)) => Disconnect::Hopeless(e.to_string()),
        Err(e) => Disconnect::Lost(redact(&e.to_string())),
    }
}

impl Disconnect {
    fn from_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Wait { after } => Self::Wait(after),
            Outcome::Temporary { reason, slow: false } => Self::Lost(reason.text),
            Outcome::Delivered(_) => Self::Lost("an answer without an address".into()),
            other => Self::Hopeless(other.reason().text),
        }
    }
}

struct Connection<'a> {
    id: u64,
    shared: &'a Shared,
    socket: WebSocket<Stream>,
    events: &'a Sender<ConnectionEvent>,
    is_greeted: bool,
    /// Whether silence was answered with a ping of ours that nothing followed yet.
    is_pinged: bool,
    /// When the silence becomes too long.
    deadline: Instant,
}

impl<'a> Connection<'a> {
    fn new(id: u64, shared: &'a Shared, socket: WebSocket<Stream>, events: &'a Sender<ConnectionEvent>) -> Self {
        let deadline = Instant::now() + shared.timing.hello;
        Self { id, shared, socket, events, is_greeted: false, is_pinged: false, deadline }
    }

    fn serve(&mut self) -> Disconnect {
        loop {
            let end = match self.socket.read() {
                Ok(message) => self.handle(&message),
                Err(Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => self.wait(),
                Err(e) => Some(Disconnect::Lost(brief(&e.to_string()))),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn handle(&mut self, message: &Message) -> Option<Disconnect> {
        if self.is_greeted {
            self.deadline = Instant::now() + self.shared.timing.silence;
            self.is_pinged = false;
        }
        let sent = match message {
            Message::Text(text) => match self.handle_text(text) {
                Ok(end) if end.is_some() => return end,
                Ok(_) => Ok(()),
                Err(e) => Err(e),
            },
            Message::Close(frame) => {
                let why = frame.as_ref().map_or_else(String::new, |frame| format!(": {frame}"));
                let _ = self.socket.flush();
                return Some(Disconnect::Lost(brief(&format!("Slack closed the connection{why}"))));
            }
            // A pong is queued; the next `read` writes it, and that comes before any wait.
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => Ok(()),
        };
        if let Err(e) = sent {
            return Some(Disconnect::Lost(brief(&e.to_string())));
        }
        // A peer that never pauses must not hold off the end.
        let is_woken = self.socket.get_ref().tcp().wait(Instant::now()) == Wait::Woken;
        is_woken.then(|| self.close("closed by ackbell", Disconnect::Requested))
    }

    /// Nothing to read: waits, and pings a connection that has been silent for long.
    fn wait(&mut self) -> Option<Disconnect> {
        match self.socket.get_ref().tcp().wait(self.deadline) {
            Wait::Ready => None,
            Wait::Woken => Some(self.close("closed by ackbell", Disconnect::Requested)),
            Wait::TimedOut if !self.is_greeted => Some(self.give_up("Slack didn't greet")),
            Wait::TimedOut if self.is_pinged => Some(self.give_up("the connection is dead: no answer to a ping")),
            Wait::TimedOut => {
                self.is_pinged = true;
                self.deadline = Instant::now() + self.shared.timing.silence;
                let sent = self.socket.send(Message::Ping(Vec::new().into()));
                sent.err().map(|e| Disconnect::Lost(brief(&e.to_string())))
            }
        }
    }

    /// One JSON text of Slack (<https://docs.slack.dev/apis/events-api/using-socket-mode>).
    fn handle_text(&mut self, text: &str) -> Result<Option<Disconnect>, Error> {
        let Ok(mut frame) = crate::system::json::parse(text) else {
            warn!("socket mode message isn't JSON integration={} dropped=message", self.shared.integration.name);
            return Ok(None);
        };
        let kind = frame.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        match kind.as_str() {
            "hello" => {
                self.is_greeted = true;
                self.deadline = Instant::now() + self.shared.timing.silence;
                let num_connections = frame.get("num_connections").and_then(Value::as_u64).unwrap_or(1);
                let _ = self.events.send(ConnectionEvent::Hello { id: self.id, num_connections });
                Ok(None)
            }
            // Already closing.
            "disconnect" if !self.socket.can_write() => Ok(None),
            "disconnect" => Ok(match frame.get("reason").and_then(Value::as_str) {
                Some("too_many_websockets") => Some(self.close("too many", Disconnect::TooMany)),
                Some("link_disabled") => Some(self.close("link disabled", Disconnect::LinkDisabled)),
                // `warning`, `refresh_requested` and whatever else: this one serves on until the next one is there.
                _ => {
                    let _ = self.events.send(ConnectionEvent::Renew { id: self.id });
                    None
                }
            }),
            _ => {
                let Some(envelope_id) = frame.get("envelope_id").and_then(Value::as_str).map(str::to_owned) else {
                    return Ok(None);
                };
                let accepts = frame.get("accepts_response_payload").and_then(Value::as_bool).unwrap_or_default();
                let payload = frame.get_mut("payload").map(Value::take).unwrap_or_default();
                let reply = self.shared.handle(Envelope { kind, id: envelope_id.clone(), payload });
                self.acknowledge(&envelope_id, reply, accepts).map(|()| None)
            }
        }
    }

    /// Acknowledges on the connection that delivered, the only one where Slack expects it. The envelope is kept for good
    /// by then: after a crash before this line Slack shows the person a failure, after a crash behind it nothing.
    fn acknowledge(&mut self, envelope_id: &str, reply: EnvelopeReply, accepts: bool) -> Result<(), Error> {
        let empty = || json!({ "envelope_id": envelope_id }).to_string();
        let text = match reply {
            EnvelopeReply::Refused => return Ok(()),
            EnvelopeReply::Payload(payload) if accepts => {
                let text = json!({ "envelope_id": envelope_id, "payload": payload }).to_string();
                if text.len() < ACKNOWLEDGEMENT_BYTES_END {
                    text
                } else {
                    let bytes = text.len();
                    warn!("socket mode reply too large bytes={bytes} bytes_max=20479 dropped=reply_content");
                    empty()
                }
            }
            EnvelopeReply::Payload(_) | EnvelopeReply::Empty => empty(),
        };
        // Nothing is sent any more once our Close is out.
        if self.socket.can_write() { self.socket.send(Message::text(text)) } else { Ok(()) }
    }

    /// Gives up a silent peer. The Close may still arrive, so that Slack doesn't count a ghost.
    fn give_up(&mut self, why: &str) -> Disconnect {
        let _ = self.socket.close(None).and_then(|()| self.socket.flush());
        Disconnect::Lost(why.to_owned())
    }

    /// Closes in good order. What Slack sent before it got our Close is still handled, though it can't be acknowledged:
    /// Slack never sends an interaction again.
    fn close(&mut self, why: &'static str, end: Disconnect) -> Disconnect {
        let frame = CloseFrame { code: CloseCode::Normal, reason: why.into() };
        let until = Instant::now() + self.shared.timing.close;
        if self.socket.close(Some(frame)).and_then(|()| self.socket.flush()).is_err() {
            return end;
        }
        // Slack answers the Close, but leaves the TCP connection open.
        while Instant::now() < until {
            match self.socket.read() {
                Ok(Message::Close(_)) => break,
                Ok(Message::Text(text)) => drop(self.handle_text(&text)),
                Ok(_) => {}
                Err(Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {
                    self.socket.get_ref().tcp().wait_for_peer(until);
                }
                Err(_) => break,
            }
        }
        end
    }
}
