//! Keeps one serving connection, and knows when to open the next.

use super::Shared;
use super::connection::{ConnectionReport, End, run};
use crate::rules::retry::backoff;
use crate::state_dir::listener_status::SocketStatus;
use crate::system::clock;
use log::{error, info, warn};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

pub(super) struct Supervisor {
    shared: Arc<Shared>,
    inbox: Receiver<ConnectionReport>,
    reports: Sender<ConnectionReport>,
    status: Arc<Mutex<SocketStatus>>,
    connections: Vec<Held>,
    /// When the next connection is opened.
    next: Option<Instant>,
    last_id: u64,
    /// In a row.
    failures: u32,
    /// A failure is told again only when it differs.
    told: Option<String>,
}

/// One connection and how far it is.
struct Held {
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
        inbox: Receiver<ConnectionReport>,
        reports: Sender<ConnectionReport>,
        status: Arc<Mutex<SocketStatus>>,
    ) -> Self {
        let next = Some(Instant::now());
        Self { shared, inbox, reports, status, connections: Vec::new(), next, last_id: 0, failures: 0, told: None }
    }

    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        loop {
            if self.next.is_some_and(|next| next <= Instant::now()) {
                self.open();
            }
            match self.report() {
                Some(ConnectionReport::Stop) => return self.stop(),
                Some(ConnectionReport::Hello { id, num_connections }) => self.greeted(id, num_connections),
                Some(ConnectionReport::Renew { id }) => self.renew(id),
                Some(ConnectionReport::Ended { id, end }) => self.ended(id, end),
                Some(ConnectionReport::Retry) => self.next = self.next.map(|_| Instant::now()),
                None => {}
            }
        }
    }

    /// The next report; `None` when it is time to open a connection.
    fn report(&self) -> Option<ConnectionReport> {
        let received = match self.next {
            Some(next) => self.inbox.recv_timeout(next.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Ok(report) => Some(report),
            Err(RecvTimeoutError::Timeout) => None,
            // Never: a sender is held here.
            Err(RecvTimeoutError::Disconnected) => Some(ConnectionReport::Stop),
        }
    }

    fn open(&mut self) {
        self.next = None;
        self.last_id += 1;
        let id = self.last_id;
        let (shared, reports) = (Arc::clone(&self.shared), self.reports.clone());
        let spawned = UnixStream::pair().and_then(|(waker, woken)| {
            Builder::new().name("socket-mode".into()).spawn(move || {
                // A panic ends this connection only; what it was about is not acknowledged.
                let end = catch_unwind(AssertUnwindSafe(|| run(id, &shared, woken, &reports)));
                let end = end.unwrap_or_else(|_| End::Lost("an error inside ackbell (a panic)".into()));
                let _ = reports.send(ConnectionReport::Ended { id, end });
            })?;
            Ok(waker)
        });
        match spawned {
            Ok(waker) => self.connections.push(Held { id, phase: Phase::Opening, waker: Some(waker) }),
            Err(e) => self.open_later(End::Lost(format!("can't start a thread: {e}"))),
        }
    }

    /// A connection serves: it takes over from all others.
    fn greeted(&mut self, id: u64, num_connections: u64) {
        if !self.connections.iter().any(|held| held.id == id && held.phase == Phase::Opening) {
            return; // greeted before
        }
        for held in &mut self.connections {
            if held.id == id {
                held.phase = Phase::Serving(Instant::now());
            } else if held.phase != Phase::Opening {
                held.phase = Phase::Leaving;
                held.waker = None;
            }
        }
        let ours = self.connections.iter().filter(|held| held.phase != Phase::Opening).count() as u64;
        self.told = None;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if !status.connected {
            status.since = clock::wall_ms();
        }
        let before = status.strangers();
        let since = status.since;
        *status = SocketStatus { connected: true, since, num_connections, ours, last_error: None };
        let name = &self.shared.integration.name;
        info!("socket mode connected integration={name} connections={num_connections}");
        if status.strangers() > before {
            warn!(
                "socket mode has other connections integration={name} others={} what=Slack sends some clicks there, \
                 another listener uses this app token or a connection died unseen",
                status.strangers()
            );
        }
    }

    /// Slack will close a connection that serves: the next one, at once, unless that happens all the time.
    fn renew(&mut self, id: u64) {
        let Some(held) = self.connections.iter_mut().find(|held| held.id == id) else { return };
        let Phase::Serving(since) = held.phase else { return };
        held.phase = Phase::Leaving;
        let pause = if self.was_healthy(since) { Duration::ZERO } else { self.pause() };
        self.next.get_or_insert(Instant::now() + pause);
    }

    fn ended(&mut self, id: u64, end: End) {
        let held = self.connections.iter().position(|held| held.id == id).map(|at| self.connections.swap_remove(at));
        if let Some(Phase::Serving(since)) = held.map(|held| held.phase) {
            self.was_healthy(since);
        }
        let is_serving = self.connections.iter().any(|held| held.phase != Phase::Opening);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.connected && !is_serving {
            status.connected = false;
            status.since = clock::wall_ms();
        }
        drop(status);
        // Of those that leave nothing more is expected; one that opens will tell.
        let has_heir = self.connections.iter().any(|held| held.phase != Phase::Leaving);
        if !has_heir && self.next.is_none() {
            self.open_later(end);
        }
    }

    /// Tells what happened and says when the next connection is opened.
    fn open_later(&mut self, end: End) {
        let timing = self.shared.timing;
        let pause = self.pause();
        let (reason, pause, needs_a_person) = match end {
            End::Told => ("closed".to_owned(), pause, false),
            End::Lost(reason) => (reason, pause, false),
            End::Wait(after) => ("Slack asks to wait".to_owned(), after.max(pause), false),
            End::TooMany => ("the app has all the connections Slack allows (10)".to_owned(), pause, true),
            End::LinkDisabled => ("Socket Mode is switched off in the app".to_owned(), timing.link_disabled, true),
            End::Hopeless(reason) => (reason, timing.hopeless, true),
        };
        self.next = Some(Instant::now() + pause);
        if self.told.as_ref() != Some(&reason) {
            let name = &self.shared.integration.name;
            if needs_a_person {
                error!("socket mode can't connect integration={name} reason={reason} what=trying again");
            } else {
                warn!("socket mode not connected integration={name} reason={reason} what=trying again");
            }
            self.told = Some(reason.clone());
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

    /// Closes all connections and waits for their last words. One that is being opened isn't waited for.
    fn stop(mut self) {
        self.connections.retain(|held| held.phase != Phase::Opening);
        for held in &mut self.connections {
            held.waker = None;
        }
        let until = Instant::now() + self.shared.timing.close * 2;
        while !self.connections.is_empty() {
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(ConnectionReport::Ended { id, .. }) => self.connections.retain(|held| held.id != id),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.status.lock().unwrap_or_else(PoisonError::into_inner).connected = false;
    }
}
