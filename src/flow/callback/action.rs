//! The acting half of flow three: `request ─▶ authorised ─▶ external command ─▶ core ─▶ confirmed ─▶ messages updated`.
//!
//! One thread, woken by clicks. Every step is in the outbox before the next begins. A crash before a command is
//! written leaves the act new, and it is done; a crash while it is written leaves it `sending`, and then it is never
//! sent again, only looked for in the core's state.

mod confirm;
mod expiry;
mod reply;
mod send;

use super::gate::Gate;
use super::request::Request;
use crate::config::Config;
use crate::rules::authorise::Person;
use crate::state_dir::listener_status::StatusWriter;
use crate::state_dir::spool::{Spool, SpoolId};
use crate::state_dir::wake;
use crate::store::{ActionRequest, Store, StoreError};
use crate::system::clock::{self, SteadyClock};
use log::{error, info, warn};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two looks at a core while something waits for its word.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Between two tries to answer a person.
const REPLY_INTERVAL: Duration = Duration::from_secs(3);
/// With nothing under way; a click wakes it, and the audit wants a look.
const REST: Duration = Duration::from_secs(60 * 60);
/// After an error of the disk or the database.
const ERROR_PAUSE: Duration = Duration::from_secs(5);
/// How long done acts are kept; the audit keeps them for good.
const HISTORY_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The same for what was refused: longer than a request of Slack's can come again.
const REFUSED_MS: i64 = 10 * 60 * 1000;
/// Between two looks for rows of the audit that are too old.
const TRIM_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// What the worker is told.
#[derive(Debug)]
pub(super) enum Note {
    /// There is something new in the outbox.
    Act,
    Configuration(Arc<Config>),
    Stop,
}

/// The state of the acting half.
pub(super) struct Worker {
    store: Store,
    gate: Gate,
    /// Acts whose person knows that the core hasn't answered yet.
    told: HashSet<i64>,
    looks: confirm::Looks,
    /// Acts that the core was seen to hold, and when.
    seen: HashMap<i64, SpoolId>,
    spool: Spool,
    reporter: StatusWriter,
    /// For how long a core is looked at.
    clock: SteadyClock,
    /// When the audit was looked through for what is too old.
    trimmed: Option<Instant>,
}

impl Worker {
    pub(super) fn new(gate: Gate, store: Store, reporter: StatusWriter) -> Self {
        let (told, looks, seen) = (HashSet::new(), confirm::Looks::default(), HashMap::new());
        let (spool, clock) = (Spool::new(&gate.config().state_dir), SteadyClock::start());
        Self { store, gate, told, looks, seen, spool, reporter, clock, trimmed: None }
    }

    /// Works until told to stop.
    pub(super) fn run(mut self, inbox: &Receiver<Note>) {
        match self.store.recover_requests() {
            Ok(0) => {}
            Ok(count) => warn!("found commands that were being sent when ackbell died count={count} what=looked for"),
            Err(e) => error!("acts can't be read reason={e}"),
        }
        if let Err(e) = self.look_anew() {
            error!("acts can't be read reason={e}");
        }
        loop {
            let pause = self.step().unwrap_or_else(|e| {
                error!("acting interrupted reason={e} what=everything is kept, trying again");
                ERROR_PAUSE
            });
            let mut note = inbox.recv_timeout(pause);
            // Many clicks in a moment are one look at the outbox.
            while matches!(note, Ok(Note::Act))
                && let Ok(next) = inbox.try_recv()
            {
                note = Ok(next);
            }
            match note {
                Ok(Note::Act) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Note::Configuration(config)) => self.gate.reconfigure(&config),
                Ok(Note::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Does all that can be done now; how long until there is more.
    fn step(&mut self) -> Result<Duration, StoreError> {
        self.begin()?;
        let looks = self.confirm()?;
        let replies = self.answer()?;
        let now = clock::wall_ms();
        self.store.purge_requests(now - HISTORY_MS, now - REFUSED_MS)?;
        self.store.count_refusals(now)?;
        self.trim(now / 1000)?;
        let next = self.store.next_request()?.map(|due| due.saturating_sub(now).max(50));
        let next = next.map_or(REST, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        let looks = if looks { LOOK_INTERVAL } else { REST };
        Ok(next.min(looks).min(replies))
    }

    /// Lets go of the audit's rows that are older than the configuration wants, at most once an hour.
    fn trim(&mut self, now: i64) -> Result<(), StoreError> {
        let Some(keep) = self.gate.config().audit.keep else {
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
                gone => all += gone,
            }
        }
        if all > 0 {
            info!("rows of the audit were let go of count={all} older_than={} s", keep.as_secs());
        }
        self.trimmed = Some(Instant::now());
        Ok(())
    }

    /// Lets the deliverer look into the outbox now.
    fn wake_deliverer(&self) {
        wake::hint(&self.gate.config().runtime_dir);
    }
}

/// One row of the audit.
fn entry(
    act: &ActionRequest,
    request: &Request,
    person: Option<&Person>,
    commands: &[String],
    step: &str,
    detail: &str,
) -> String {
    let asker = &request.asker;
    let (object, what) = (request.wish.object(), step);
    info!(
        "act={} step=\"{what}\" action={} object=\"{}\" user={} integration={} detail=\"{}\"",
        act.id,
        request.name,
        object.as_ref().map(ToString::to_string).unwrap_or_default(),
        asker.user,
        asker.integration,
        crate::model::notification::clean_line(detail)
    );
    let name = person.map(|person| person.name.clone()).or_else(|| asker.user_name.clone());
    let value: Value = json!({
        "at": clock::wall_ms() / 1000, "act": act.id, "asked": act.at / 1000, "integration": asker.integration,
        "team": asker.user_team.as_ref().or(asker.team.as_ref()), "user": asker.user, "name": name,
        "email": person.and_then(|person| person.email.clone()), "channel": asker.channel, "action": request.name,
        "object": object, "commands": commands, "step": step, "detail": detail,
    });
    value.to_string()
}

/// What was kept of an act; one that can't be read is of another version.
fn request_of(act: &ActionRequest) -> Result<Request, StoreError> {
    serde_json::from_str(&act.request).map_err(|e| StoreError::Content(e.to_string()))
}
