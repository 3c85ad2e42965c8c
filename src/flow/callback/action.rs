//! The thread that acts on kept requests: its state, its loop, and the audit's rows. Its steps, in order, are
//! [`ActionWorker::run_due`] on the page of the flow; [`prepare`], [`send`], [`confirm`] and [`reply`] are their details.
//!
//! A click wakes it. Every step is in the outbox before the next one begins.

mod confirm;
mod expiry;
pub(super) mod prepare;
mod reply;
mod send;
pub(super) mod split;
mod state_reads;

use super::access_lookup::AccessLookup;
use super::request::Request;
use crate::config::Config;
use crate::flow::node::Node;
use crate::model::notification::clean_line;
use crate::rules::authorise::Person;
use crate::state_dir::listener_status::StatusWriter;
use crate::state_dir::spool::{Spool, SpoolId};
use crate::state_dir::wake;
use crate::store::{ActionOutcome, ActionRequest, Store, StoreError, Transition};
use crate::system::clock::{self, SteadyClock};
use log::{error, info, warn};
use serde_json::{Value, json};
use state_reads::StateReads;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// With nothing under way; a click ends the wait, and old rows of the audit are removed now and then.
const IDLE_PAUSE: Duration = Duration::from_secs(60 * 60);
/// After an error of the disk or the database.
const ERROR_PAUSE: Duration = Duration::from_secs(5);
const FENCED_PAUSE: Duration = Duration::from_millis(200);
/// While the other nodes may not see this one.
const UNSEEN_PAUSE: Duration = Duration::from_millis(200);
/// How long finished requests are kept; the audit keeps them for good.
const HISTORY_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The same for refused requests: longer than Slack may send a request again.
const REFUSED_MS: i64 = 10 * 60 * 1000;
/// Between two looks for rows of the audit that are too old.
const TRIM_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// A message to the worker.
#[derive(Debug)]
pub(super) enum WorkerMessage {
    /// There is something new in the outbox.
    NewRequest,
    Configuration(Arc<Config>),
    Stop,
}

/// The state of the thread.
pub(super) struct ActionWorker {
    store: Store,
    pub(super) lookup: AccessLookup,
    /// Requests whose person knows that the core hasn't confirmed yet.
    informed: HashSet<i64>,
    state_reads: StateReads,
    /// Requests that the core was seen to have applied, and when.
    seen: HashMap<i64, SpoolId>,
    spool: Spool,
    status: StatusWriter,
    /// Measures how long the core's state is watched for an effect.
    clock: SteadyClock,
    node: Arc<Node>,
    /// When old rows of the audit were removed last.
    trimmed: Option<Instant>,
}

impl ActionWorker {
    pub(super) fn new(lookup: AccessLookup, store: Store, status: StatusWriter, node: Arc<Node>) -> Self {
        let (informed, state_reads, seen) = (HashSet::new(), StateReads::default(), HashMap::new());
        let (spool, clock) = (Spool::new(&lookup.config().state_dir), SteadyClock::start());
        let mut store = store;
        store.carry_out_as(node.name());
        Self { store, lookup, informed, state_reads, seen, spool, status, clock, node, trimmed: None }
    }

    /// Works until it is asked to stop.
    pub(super) fn run(mut self, inbox: &Receiver<WorkerMessage>) {
        // After an error, too, as after a crash: what became of a command may not have been recorded.
        let mut is_recovered = false;
        loop {
            // Before the others see it, its name may be another one's, whose requests these are. After that the leader may
            // have taken them over.
            let done = if self.node.unseen().is_some() {
                is_recovered = false;
                Ok(UNSEEN_PAUSE)
            } else {
                let recovered = if is_recovered { Ok(()) } else { self.recover() };
                let done = recovered.and_then(|()| self.run_due());
                is_recovered = done.is_ok();
                done
            };
            let pause = done.unwrap_or_else(|e| {
                // Another node took a request over, or does the same just now.
                if matches!(e, StoreError::Fenced) {
                    return FENCED_PAUSE;
                }
                error!("action requests interrupted reason={:?} action=retry kept=all", e.to_string());
                ERROR_PAUSE
            });
            let mut message = inbox.recv_timeout(pause);
            // Many clicks in a moment are one look at the outbox.
            while matches!(message, Ok(WorkerMessage::NewRequest))
                && let Ok(next) = inbox.try_recv()
            {
                message = Ok(next);
            }
            match message {
                Ok(WorkerMessage::NewRequest) | Err(RecvTimeoutError::Timeout) => {}
                Ok(WorkerMessage::Configuration(config)) => self.lookup.reconfigure(&config),
                Ok(WorkerMessage::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks for the effect of commands that may have been sent, and sends none of them again.
    fn recover(&mut self) -> Result<(), StoreError> {
        let count = self.store.recover_requests()?;
        if count > 0 {
            warn!("commands may have been sent before the interruption count={count} action=confirm_only");
        }
        self.restart_patience()
    }

    /// Removes what is too old; returns how long until the next request is due.
    pub(super) fn clean_up(&mut self) -> Result<Duration, StoreError> {
        let now = clock::wall_ms();
        self.store.purge_requests(now - HISTORY_MS, now - REFUSED_MS)?;
        self.store.count_refusals(now)?;
        self.trim_audit(now / 1000)?;
        let next = self.store.next_request()?.map(|due| due.saturating_sub(now).max(50));
        Ok(next.map_or(IDLE_PAUSE, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
    }

    /// Removes the audit's rows that are older than the configuration wants, at most once an hour.
    fn trim_audit(&mut self, now: i64) -> Result<(), StoreError> {
        let Some(keep) = self.lookup.config().audit.keep else {
            return Ok(());
        };
        if self.trimmed.is_some_and(|last| last.elapsed() < TRIM_INTERVAL) {
            return Ok(());
        }
        let before = now.saturating_sub(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
        let mut all = 0;
        loop {
            match self.store.trim_audit(before, now)? {
                0 => break,
                removed => all += removed,
            }
        }
        if all > 0 {
            info!("old audit rows removed count={all} older_than_seconds={}", keep.as_secs());
        }
        self.trimmed = Some(Instant::now());
        Ok(())
    }

    /// Lets the deliverer look into the outbox now.
    fn wake_deliverer(&self) {
        wake::hint(&self.lookup.config().runtime_dir);
    }
}

/// One row of the audit, and its line in the log.
fn audit_row(
    kept: &ActionRequest,
    request: &Request,
    person: Option<&Person>,
    commands: &[String],
    step: &str,
    detail: &str,
) -> String {
    let requester = &request.requester;
    let object = request.requested_action.object();
    info!(
        "act={} step={step:?} action={} object={:?} user={} integration={} detail={:?}",
        kept.id,
        request.name,
        object.as_ref().map(ToString::to_string).unwrap_or_default(),
        requester.user,
        requester.integration,
        clean_line(detail)
    );
    let name = person.map(|person| person.name.clone()).or_else(|| requester.user_name.clone());
    let value: Value = json!({
        "at": clock::wall_ms() / 1000, "act": kept.id, "asked": kept.at / 1000, "integration": requester.integration,
        "team": requester.user_team.as_ref().or(requester.team.as_ref()), "user": requester.user, "name": name,
        "email": person.and_then(|person| person.email.clone()), "channel": requester.channel,
        "action": request.name, "object": object, "commands": commands, "step": step, "detail": detail,
    });
    value.to_string()
}

/// How a request ends; the person gets the sentence as a reply, unless the request is one of many.
fn finished(kept: &ActionRequest, sentence: &str) -> Transition {
    let outcome = ActionOutcome::NotConfirmed(sentence.to_owned());
    Transition::Done { outcome, reply: kept.parent.is_none().then(|| sentence.to_owned()) }
}

/// A request as it was kept; one that can't be decoded is of another version.
fn request_of(kept: &ActionRequest) -> Result<Request, StoreError> {
    serde_json::from_str(&kept.request).map_err(|e| StoreError::Content(e.to_string()))
}
