//! Keeps one serving connection, and knows when to open the next.

use super::Shared;
use super::connection::{ConnectionEvent, Disconnect, run};
use crate::rules::retry::backoff;
use crate::state_dir::listener_status::{SOCKET_MODE_OFF, SocketStatus};
use crate::system::clock;
use log::{error, info, warn};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

pub(super) struct Supervisor {
    shared: Arc<Shared>,
    inbox: Receiver<ConnectionEvent>,
    events: Sender<ConnectionEvent>,
    status: Arc<Mutex<SocketStatus>>,
    connections: Vec<ConnectionSlot>,
    /// When the next connection is opened.
    next: Option<Instant>,
    last_id: u64,
    /// In a row.
    failures: u32,
    /// The failure that was logged last: the same one isn't logged again.
    last_logged: Option<String>,
}

/// One connection and its phase.
struct ConnectionSlot {
    id: u64,
    phase: Phase,
    /// Dropped to close it.
    waker: Option<UnixStream>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Serving(Instant),
    /// It serves until the next one does, or is being closed.
    Leaving,
}

impl Supervisor {
    pub(super) fn new(
        shared: Arc<Shared>,
        inbox: Receiver<ConnectionEvent>,
        events: Sender<ConnectionEvent>,
        status: Arc<Mutex<SocketStatus>>,
    ) -> Self {
        let next = Some(Instant::now());
        Self {
            shared,
            inbox,
            events,
            status,
            connections: Vec::new(),
            next,
            last_id: 0,
            failures: 0,
            last_logged: None,
        }
    }

    /// Runs until it is asked to stop.
    pub(super) fn run(mut self) {
        loop {
            if self.next.is_some_and(|next| next <= Instant::now()) {
                self.open();
            }
            match self.next_event() {
                Some(ConnectionEvent::Stop) => return self.stop(),
                Some(ConnectionEvent::Hello { id, num_connections }) => self.greeted(id, num_connections),
                Some(ConnectionEvent::Renew { id }) => self.renew(id),
                Some(ConnectionEvent::Ended { id, end }) => self.ended(id, end),
                Some(ConnectionEvent::Retry) => self.next = self.next.map(|_| Instant::now()),
                None => {}
            }
        }
    }

    /// The next event; `None` when it is time to open a connection.
    fn next_event(&self) -> Option<ConnectionEvent> {
        let received = match self.next {
            Some(next) => self.inbox.recv_timeout(next.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            // Never: one sender is kept here.
            Err(RecvTimeoutError::Disconnected) => Some(ConnectionEvent::Stop),
        }
    }

    fn open(&mut self) {
        self.next = None;
        self.last_id += 1;
        let id = self.last_id;
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        let spawned = UnixStream::pair().and_then(|(waker, woken)| {
            Builder::new().name("socket-conn".into()).spawn(move || {
                // A panic ends this connection only; its envelope isn't acknowledged.
                let end = catch_unwind(AssertUnwindSafe(|| run(id, &shared, woken, &events)));
                let end = end.unwrap_or_else(|_| Disconnect::Lost("an error inside ackbell (a panic)".into()));
                let _ = events.send(ConnectionEvent::Ended { id, end });
            })?;
            Ok(waker)
        });
        match spawned {
            Ok(waker) => self.connections.push(ConnectionSlot { id, phase: Phase::Opening, waker: Some(waker) }),
            Err(e) => self.open_later(Disconnect::Lost(format!("can't start a thread: {e}"))),
        }
    }

    /// A connection serves: it takes over from all others.
    fn greeted(&mut self, id: u64, num_connections: u64) {
        if !self.connections.iter().any(|slot| slot.id == id && slot.phase == Phase::Opening) {
            return; // greeted before
        }
        for slot in &mut self.connections {
            if slot.id == id {
                slot.phase = Phase::Serving(Instant::now());
            } else if slot.phase != Phase::Opening {
                slot.phase = Phase::Leaving;
                slot.waker = None;
            }
        }
        let ours = self.connections.iter().filter(|slot| slot.phase != Phase::Opening).count() as u64;
        self.last_logged = None;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if !status.connected {
            status.since = clock::wall_ms();
        }
        let before = status.other_connections();
        let since = status.since;
        let known = self.shared.others.load(Ordering::Relaxed);
        *status = SocketStatus { connected: true, since, num_connections, ours, known, last_error: None };
        let name = &self.shared.integration.name;
        info!("socket mode connected integration={name} connections={num_connections}");
        if status.other_connections() > before {
            warn!(
                "socket mode has other connections integration={name} others={} clicks=some_lost \
                 cause=\"another listener uses this app token, or Slack hasn't closed an old connection yet\"",
                status.other_connections()
            );
        }
    }

    /// Slack will close a connection that serves: the next one, at once, unless that happens all the time.
    fn renew(&mut self, id: u64) {
        let Some(slot) = self.connections.iter_mut().find(|slot| slot.id == id) else { return };
        let Phase::Serving(since) = slot.phase else { return };
        slot.phase = Phase::Leaving;
        let pause = if self.was_healthy(since) { Duration::ZERO } else { self.pause() };
        self.next.get_or_insert(Instant::now() + pause);
    }

    fn ended(&mut self, id: u64, end: Disconnect) {
        let slot = self.connections.iter().position(|slot| slot.id == id).map(|at| self.connections.swap_remove(at));
        if let Some(Phase::Serving(since)) = slot.map(|slot| slot.phase) {
            self.was_healthy(since);
        }
        let is_serving = self.connections.iter().any(|slot| slot.phase != Phase::Opening);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.connected && !is_serving {
            status.connected = false;
            status.since = clock::wall_ms();
        }
        drop(status);
        // Connections that are leaving don't count; one that is being opened will report.
        let has_successor = self.connections.iter().any(|slot| slot.phase != Phase::Leaving);
        if !has_successor && self.next.is_none() {
            self.open_later(end);
        }
    }

    /// Logs the reason and sets when the next connection is opened.
    fn open_later(&mut self, end: Disconnect) {
        let timing = self.shared.timing;
        let pause = self.pause();
        let (reason, pause, needs_a_person) = match end {
            Disconnect::Requested => ("closed".to_owned(), pause, false),
            Disconnect::Lost(reason) => (reason, pause, false),
            Disconnect::Wait(after) => ("Slack asks to wait".to_owned(), after.max(pause), false),
            Disconnect::TooMany => ("the app has all the connections Slack allows (10)".to_owned(), pause, true),
            Disconnect::LinkDisabled => (SOCKET_MODE_OFF.to_owned(), timing.link_disabled, true),
            Disconnect::Hopeless(reason) => (reason, timing.hopeless, true),
        };
        self.next = Some(Instant::now() + pause);
        if self.last_logged.as_ref() != Some(&reason) {
            let name = &self.shared.integration.name;
            if needs_a_person {
                error!("socket mode can't connect integration={name} reason={reason:?} action=retry");
            } else {
                warn!("socket mode not connected integration={name} reason={reason:?} action=retry");
            }
            self.last_logged = Some(reason.clone());
        }
        self.status.lock().unwrap_or_else(PoisonError::into_inner).last_error = Some(reason);
    }

    /// Whether a connection served long enough to count as a good one; then all failures are forgotten.
    fn was_healthy(&mut self, since: Instant) -> bool {
        let is_healthy = since.elapsed() >= self.shared.timing.healthy;
        if is_healthy {
            self.failures = 0;
        }
        is_healthy
    }

    /// Longer with each failure in a row.
    fn pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let jitter = f64::from(u32::try_from(clock::random() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        backoff(self.shared.timing.retry_first, self.shared.timing.retry_max, self.failures, jitter)
    }

    /// Closes all connections and waits for their ends; not for one that is still being opened.
    fn stop(mut self) {
        self.connections.retain(|slot| slot.phase != Phase::Opening);
        for slot in &mut self.connections {
            slot.waker = None;
        }
        let until = Instant::now() + self.shared.timing.close * 2;
        while !self.connections.is_empty() {
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(ConnectionEvent::Ended { id, .. }) => self.connections.retain(|slot| slot.id != id),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.status.lock().unwrap_or_else(PoisonError::into_inner).connected = false;
    }
}
