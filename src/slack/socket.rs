//! Socket Mode: Slack's callbacks over a connection that we open, so that no public address is needed
//! (<https://docs.slack.dev/apis/events-api/using-socket-mode>).
//!
//! One supervisor thread per integration sleeps until a connection reports; each connection has a thread of its own,
//! that sleeps until Slack speaks. When Slack announces an end, the next connection is opened and greeted before the
//! old one is closed, so no click falls between the two. A Close is always sent: Slack goes on routing clicks to a
//! connection that vanished without.
//!
//! An envelope is taken for good first and acknowledged then. A crash in between makes Slack tell the person that it
//! failed; the other order would lose the click silently, as Slack never sends an interaction again.

mod connect;
mod connection;
mod interruptible_stream;
mod supervisor;

use crate::config::Integration;
use crate::state_dir::listener_status::SocketStatus;
use crate::system::environment::Environment;
use connection::ConnectionReport;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use supervisor::Supervisor;

/// How many envelopes are remembered, so that one that comes again acts once.
const RECENT_MAX: usize = 256;

/// What Slack delivered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// `interactive`, `slash_commands` or `events_api`.
    pub(crate) kind: String,
    /// Given once, by Slack.
    pub(crate) id: String,
    pub(crate) payload: Value,
}

/// What became of an envelope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// Taken for good.
    Nothing,
    /// The same, with an answer that Slack reads: a view's `response_action`, a command's message.
    Payload(Value),
    /// Not taken: no acknowledgement, so Slack tells the person that it failed, and sends an event again.
    Refused,
}

/// Takes an envelope, within the 3 s that Slack waits. Runs on the connection's thread.
pub(crate) type Take = Arc<dyn Fn(Envelope) -> Reply + Send + Sync>;

/// How long what is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// For the greeting on a new connection.
    pub(crate) hello: Duration,
    /// After so much silence we ping; after as much again the connection is dead.
    pub(crate) silence: Duration,
    /// For the peer's last words after our Close.
    pub(crate) close: Duration,
    /// Before the first attempt after a connection was lost; then doubled up to `retry_max`.
    pub(crate) retry_first: Duration,
    pub(crate) retry_max: Duration,
    /// A connection that served so long was a good one: the next failure is the first again.
    pub(crate) healthy: Duration,
    /// Between attempts that only a person can make succeed.
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
            link_disabled: Duration::from_secs(10 * 60),
        }
    }
}

/// What the connections of one integration share.
struct Shared {
    integration: Integration,
    env: Environment,
    timing: Timing,
    take: Take,
    recent: Mutex<VecDeque<String>>,
}

impl Shared {
    /// Takes an envelope unless it was taken before.
    fn take(&self, envelope: Envelope) -> Reply {
        let id = envelope.id.clone();
        {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.contains(&id) {
                return Reply::Nothing;
            }
            recent.truncate(RECENT_MAX - 1);
            recent.push_front(id.clone());
        }
        let reply = (self.take)(envelope);
        if reply == Reply::Refused {
            // Sent again, it gets another chance.
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != id);
        }
        reply
    }
}

/// Socket Mode of one integration, running. Dropping it closes the connections in good order.
#[derive(Debug)]
pub(crate) struct SocketMode {
    reports: Sender<ConnectionReport>,
    status: Arc<Mutex<SocketStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl SocketMode {
    /// Starts it. The integration must have an app token.
    pub(crate) fn start(integration: Integration, env: Environment, timing: Timing, take: Take) -> io::Result<Self> {
        let (reports, inbox) = channel();
        let status =
            Arc::new(Mutex::new(SocketStatus { since: crate::system::clock::wall_ms(), ..SocketStatus::default() }));
        let shared = Arc::new(Shared { integration, env, timing, take, recent: Mutex::default() });
        let supervisor = Supervisor::new(shared, inbox, reports.clone(), Arc::clone(&status));
        let thread = Builder::new().name("socket-mode".into()).spawn(move || supervisor.run())?;
        Ok(Self { reports, status, thread: Some(thread) })
    }

    /// How it goes.
    pub(crate) fn status(&self) -> SocketStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tries at once what would be tried later: somebody may have mended it.
    pub(crate) fn retry_now(&self) {
        let _ = self.reports.send(ConnectionReport::Retry);
    }

    /// Begins the end without waiting for it; dropping waits, for [`Timing::close`] at most.
    pub(crate) fn stop(&self) {
        let _ = self.reports.send(ConnectionReport::Stop);
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
