//! Socket Mode: Slack's callbacks over a connection that we open, so that no public address is needed
//! (<https://docs.slack.dev/apis/events-api/using-socket-mode>).
//!
//! One supervisor thread per integration sleeps until a connection reports; each connection has a thread of its own that
//! sleeps until Slack sends something. When Slack announces an end, the next connection is opened and greeted before the
//! old one is closed, so no click is lost between the two. A Close is always sent: Slack keeps sending clicks to a
//! connection that vanished without one.
//!
//! An envelope is kept for good first, and acknowledged then. After a crash in between Slack shows the person a failure;
//! the other order would lose the click silently, as Slack never sends an interaction again.

mod connect;
mod connection;
mod interruptible_stream;
mod supervisor;

use crate::config::Integration;
use crate::state_dir::listener_status::SocketStatus;
use crate::system::environment::Environment;
use connection::ConnectionEvent;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use supervisor::Supervisor;

/// How many envelopes are remembered, so that a repeated one is handled once.
const RECENT_MAX: usize = 256;

/// An envelope that Slack delivered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// `interactive`, `slash_commands` or `events_api`.
    pub(crate) kind: String,
    /// Given once, by Slack.
    pub(crate) id: String,
    pub(crate) payload: Value,
}

/// The reply to an envelope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EnvelopeReply {
    /// Kept for good.
    Empty,
    /// The same, with content that Slack reads: a view's `response_action`, a command's message.
    Payload(Value),
    /// Not kept: no acknowledgement, so Slack shows the person a failure, and sends an event again.
    Refused,
}

/// Handles an envelope, within the 3 s that Slack waits. Runs on the connection's thread.
pub(crate) type Handler = Arc<dyn Fn(Envelope) -> EnvelopeReply + Send + Sync>;

/// How long to wait for each thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// For the greeting on a new connection.
    pub(crate) hello: Duration,
    /// After so much silence we ping; after as much again the connection is dead.
    pub(crate) silence: Duration,
    /// For the peer's Close after ours.
    pub(crate) close: Duration,
    /// Before the first attempt after a connection was lost; then doubled up to `retry_max`.
    pub(crate) retry_first: Duration,
    pub(crate) retry_max: Duration,
    /// A connection that served so long was a good one: the next failure is the first again.
    pub(crate) healthy: Duration,
    /// Between attempts that fail until a person changes something.
    pub(crate) hopeless: Duration,
    /// After Socket Mode was switched off.
    pub(crate) link_disabled: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            silence: Duration::from_secs(20),
            close: Duration::from_secs(1),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            healthy: Duration::from_secs(60),
            hopeless: Duration::from_secs(60),
            link_disabled: Duration::from_secs(60),
        }
    }
}

/// Shared by the connections of one integration.
struct Shared {
    integration: Integration,
    env: Environment,
    timing: Timing,
    handler: Handler,
    /// How many other nodes have a connection of the app.
    others: Arc<AtomicU64>,
    recent: Mutex<VecDeque<String>>,
}

impl Shared {
    /// Handles an envelope unless it was handled before.
    fn handle(&self, envelope: Envelope) -> EnvelopeReply {
        let id = envelope.id.clone();
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.contains(&id) {
                return EnvelopeReply::Empty;
            }
            recent.truncate(RECENT_MAX - 1);
            recent.push_front(id.clone());
        }
        let reply = (self.handler)(envelope);
        if reply == EnvelopeReply::Refused {
            // If Slack sends it again, it is handled again.
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != id);
        }
        reply
    }
}

/// Socket Mode of one integration, running. Dropping it closes the connections in good order.
#[derive(Debug)]
pub(crate) struct SocketMode {
    events: Sender<ConnectionEvent>,
    status: Arc<Mutex<SocketStatus>>,
    others: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl SocketMode {
    /// Starts it. The integration must have an app token. `others`: how many other nodes have a connection of the app.
    pub(crate) fn start(
        integration: Integration,
        env: Environment,
        (timing, others): (Timing, Arc<AtomicU64>),
        handler: Handler,
    ) -> io::Result<Self> {
        let (events, inbox) = channel();
        let status =
            Arc::new(Mutex::new(SocketStatus { since: crate::system::clock::wall_ms(), ..SocketStatus::default() }));
        let for_status = Arc::clone(&others);
        let shared = Arc::new(Shared { integration, env, timing, handler, others, recent: Mutex::default() });
        let supervisor = Supervisor::new(shared, inbox, events.clone(), Arc::clone(&status));
        let thread = Builder::new().name("socket-mode".into()).spawn(move || supervisor.run())?;
        Ok(Self { events, status, others: for_status, thread: Some(thread) })
    }

    /// The state of the connection.
    pub(crate) fn status(&self) -> SocketStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        // Slack's number is of the greeting; a node that ended since then was counted.
        status.known = status.known.max(self.others.load(Ordering::Relaxed));
        status.clone()
    }

    /// Connects at once instead of later: the cause of the failure may be gone.
    pub(crate) fn retry_now(&self) {
        let _ = self.events.send(ConnectionEvent::Retry);
    }

    /// Begins the end without waiting for it; dropping waits, for [`Timing::close`] at most.
    pub(crate) fn stop(&self) {
        let _ = self.events.send(ConnectionEvent::Stop);
    }
}

impl Drop for SocketMode {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
