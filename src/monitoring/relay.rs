//! A core behind a relay, as its centre sees it: the requests that wait for the relay, and the functions that ask.
//!
//! The relay opens every connection. It waits at `/v1/core-request` until there is a request for its core, and brings the
//! answer there ([`wire`]). Requests live in the listener's memory only: after a crash of the listener a command that
//! wasn't taken was never sent, and one that was taken is looked for in the core's state, as any other.
//!
//! A command is offered first and given only when the relay takes it, with a time by the relay's own clock of waiting:
//! what was lost or late on the way is never sent, so "isn't connected" is certain. A command is taken once.

pub(crate) mod answer;
pub(crate) mod centre;
pub(crate) mod clocks;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use super::error::{ReadError, Receipt, SendError};
use super::log::CommandLogResult;
use super::objects::Names;
use crate::config::Core;
use crate::model::core_snapshot::{Snapshot, State};
use crate::model::object::Object;
use crate::rules::authorise::Contact;
use crate::rules::command::ExternalCommand;
use crate::system::clock;
use clocks::Ahead;
use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};
use wire::{About, Answer, Call, Given, LabelsAnswer, Question, Step};

/// How long a request waits for a relay to fetch it, and the longest time between two calls of one that is there.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);
/// How long the answer may take after that.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// How many requests may wait for one core.
const REQUESTS_MAX: usize = 1000;

/// The one listener's relays, by core. Every thread that asks about a core and every connection of a relay meet here.
static RELAYS: LazyLock<Relays> = LazyLock::new(Relays::default);

#[derive(Default)]
struct Relays {
    links: Mutex<HashMap<String, Link>>,
    answered: Condvar,
}

/// What is known of a core's relay.
#[derive(Default)]
struct Link {
    about: About,
    ahead: Ahead,
    /// The last call; and the same in Unix seconds.
    called: Option<Instant>,
    seen: Option<i64>,
    /// How many calls wait for a request.
    waiting: usize,
    /// A request was fetched and never answered: until the next call nothing is expected of this relay.
    is_silent: bool,
    wakers: Vec<Waker>,
    requests: Vec<Request>,
    last_id: u64,
}

struct Request {
    id: u64,
    question: Question,
    state: RequestState,
    deadline: Instant,
}

#[derive(Debug, PartialEq)]
enum RequestState {
    New,
    Fetched,
    /// Of a command: it may be with the core from now on.
    Taken,
    Answered(Answer),
}

/// A relay as `check` and `doctor` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayStatus {
    pub(crate) core: String,
    pub(crate) about: About,
    /// When it called last, Unix seconds.
    pub(crate) seen: Option<i64>,
    pub(crate) is_connected: bool,
    /// How many seconds its clock is ahead.
    pub(crate) ahead: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoAnswer {
    #[error("{}", not_connected(.core, *.seen))]
    NotConnected { core: String, seen: Option<i64> },
    /// A command was taken: the core may have it.
    #[error("{}", not_connected(.core, *.seen))]
    Unanswered { core: String, seen: Option<i64> },
}

fn not_connected(core: &str, seen: Option<i64>) -> String {
    let Some(seen) = seen else {
        return format!("the relay of {core} isn't connected (not seen since ackbell started)");
    };
    let at = jiff::Timestamp::from_second(seen).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
    let is_long_ago = clock::wall_ms() / 1000 - seen > 12 * 60 * 60;
    let when = at.strftime(if is_long_ago { "%Y-%m-%d %H:%M" } else { "%H:%M" });
    format!("the relay of {core} isn't connected (last seen {when})")
}

impl From<NoAnswer> for ReadError {
    fn from(e: NoAnswer) -> Self {
        Self::Relay(e.to_string())
    }
}

impl Link {
    fn is_connected(&self) -> bool {
        !self.is_silent && (self.waiting > 0 || self.called.is_some_and(|called| called.elapsed() < FETCHED_WITHIN))
    }
}

impl Relays {
    fn links(&self) -> MutexGuard<'_, HashMap<String, Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the relay and waits for its answer.
    fn ask(&self, core: &str, question: Question) -> Result<Answer, NoAnswer> {
        let mut links = self.links();
        let link = links.entry(core.to_owned()).or_default();
        let seen = link.seen;
        if !link.is_connected() || link.requests.len() >= REQUESTS_MAX {
            return Err(NoAnswer::NotConnected { core: core.to_owned(), seen });
        }
        link.last_id += 1;
        let id = link.last_id;
        let deadline = Instant::now() + FETCHED_WITHIN;
        link.requests.push(Request { id, question, state: RequestState::New, deadline });
        link.wakers.drain(..).for_each(Waker::wake);
        loop {
            let Some(link) = links.get_mut(core) else {
                return Err(NoAnswer::NotConnected { core: core.to_owned(), seen });
            };
            let Some(at) = link.requests.iter().position(|request| request.id == id) else {
                return Err(NoAnswer::NotConnected { core: core.to_owned(), seen: link.seen });
            };
            let left = link.requests[at].deadline.saturating_duration_since(Instant::now());
            if matches!(link.requests[at].state, RequestState::Answered(_)) || left.is_zero() {
                let request = link.requests.swap_remove(at);
                return ended(request, link, core);
            }
            links = self.answered.wait_timeout(links, left).map_or_else(|e| e.into_inner().0, |(guard, _)| guard);
        }
    }
}

/// A request that was answered, or whose time is over.
fn ended(request: Request, link: &mut Link, core: &str) -> Result<Answer, NoAnswer> {
    let (core, seen) = (core.to_owned(), link.seen);
    match request.state {
        RequestState::Answered(answer) => return Ok(answer),
        RequestState::Taken => {
            link.is_silent = true;
            return Err(NoAnswer::Unanswered { core, seen });
        }
        RequestState::Fetched => link.is_silent = true,
        RequestState::New => {}
    }
    Err(NoAnswer::NotConnected { core, seen })
}

/// A relay's call; `None`: it waits, with [`next`].
pub(crate) fn called(core: &str, call: Call) -> Option<Result<Given, Gone>> {
    let mut links = RELAYS.links();
    let link = links.entry(core.to_owned()).or_default();
    link.heard(call.now_ms);
    link.about = call.about;
    match call.step {
        Step::Wait => None,
        Step::Take { id } => {
            let found = link.requests.iter_mut().find(|request| request.id == id && !request.is_over());
            let Some(request) = found.filter(|request| request.state == RequestState::Fetched) else {
                return Some(Err(Gone));
            };
            request.state = RequestState::Taken;
            request.deadline = Instant::now() + ANSWERED_WITHIN;
            let question = Some(request.question.clone());
            Some(Ok(Given { id, within_ms: millis(FETCHED_WITHIN), question }))
        }
        Step::Answer { id, answer } => {
            // One that comes too late has nobody who waits for it.
            let awaited = |request: &&mut Request| request.id == id && request.state != RequestState::New;
            if let Some(request) = link.requests.iter_mut().find(awaited) {
                request.state = RequestState::Answered(*answer);
                RELAYS.answered.notify_all();
            }
            Some(Err(Gone))
        }
    }
}

/// There is nothing to do: the request was taken already, or nobody waits for it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// A call that waits. While it exists the relay is connected.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a str);

impl<'a> Waiting<'a> {
    pub(crate) fn new(core: &'a str) -> Self {
        if let Some(link) = RELAYS.links().get_mut(core) {
            link.waiting += 1;
        }
        Self(core)
    }

    /// The next request; `None`: the waker is called when there may be one.
    pub(crate) fn next(&self, waker: &Waker) -> Option<Given> {
        let mut links = RELAYS.links();
        let link = links.get_mut(self.0)?;
        let Some(request) = link.requests.iter_mut().find(|r| r.state == RequestState::New && !r.is_over()) else {
            link.wakers.retain(|known| !known.will_wake(waker));
            link.wakers.push(waker.clone());
            return None;
        };
        request.state = RequestState::Fetched;
        let is_command = matches!(request.question, Question::Send(_));
        if !is_command {
            request.deadline = Instant::now() + ANSWERED_WITHIN;
        }
        let question = (!is_command).then(|| request.question.clone());
        Some(Given { id: request.id, within_ms: millis(ANSWERED_WITHIN), question })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(link) = RELAYS.links().get_mut(self.0) {
            link.waiting = link.waiting.saturating_sub(1);
        }
    }
}

impl Request {
    fn is_over(&self) -> bool {
        self.deadline <= Instant::now()
    }
}

impl Link {
    fn heard(&mut self, relay_ms: i64) {
        let now = clock::wall_ms();
        (self.called, self.seen, self.is_silent) = (Some(Instant::now()), Some(now / 1000), false);
        self.ahead = self.ahead.measured(relay_ms, now);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A relay handed in notifications. Returns how far its clock is ahead.
pub(crate) fn handed_in(core: &str, relay_ms: Option<i64>) -> Ahead {
    let mut links = RELAYS.links();
    let link = links.entry(core.to_owned()).or_default();
    link.heard(relay_ms.unwrap_or_else(clock::wall_ms));
    link.ahead
}

/// The relays that have called.
pub(crate) fn statuses() -> Vec<RelayStatus> {
    let status = |(core, link): (&String, &Link)| RelayStatus {
        core: core.clone(),
        about: link.about.clone(),
        seen: link.seen,
        is_connected: link.is_connected(),
        ahead: link.ahead.seconds(),
    };
    RELAYS.links().iter().filter(|(_, link)| link.seen.is_some()).map(status).collect()
}

/// What the relay says of its core, and how far its clock is ahead.
fn known(core: &Core) -> (About, Ahead) {
    RELAYS.links().get(&core.name).map(|link| (link.about.clone(), link.ahead)).unwrap_or_default()
}

fn ask(core: &Core, question: Question) -> Result<Answer, NoAnswer> {
    RELAYS.ask(&core.name, question)
}

/// The names of cores in what a relay says mean nothing.
fn own(core: &Core, mut object: Object) -> Object {
    object.core.clone_from(&core.name);
    object
}

fn bare(object: &Object) -> Object {
    Object { core: String::new(), ..object.clone() }
}

fn unexpected(core: &Core) -> ReadError {
    ReadError::Relay(format!("the relay of {} gave an answer of another kind; is it newer?", core.name))
}

pub(super) fn send(core: &Core, command: &ExternalCommand) -> Result<Receipt, SendError> {
    let (_, ahead) = known(core);
    let mut parts = command.parts();
    parts.object.core = String::new();
    ahead.action_to_relay(&mut parts.action);
    match ask(core, Question::Send(parts)) {
        Ok(Answer::Sent { answer, .. }) => Ok(Receipt { transport: "relay", answer }),
        Ok(Answer::Failed { reason, is_verdict: true }) => Err(SendError::Refused(reason)),
        Ok(Answer::Failed { reason, .. }) => Err(SendError::Relay(reason)),
        // The core may have it: it is looked for.
        Ok(_) | Err(NoAnswer::Unanswered { .. }) => Ok(Receipt { transport: "relay", answer: None }),
        Err(e @ NoAnswer::NotConnected { .. }) => Err(SendError::Relay(e.to_string())),
    }
}

pub(super) fn probe(core: &Core) -> Result<(), SendError> {
    match ask(core, Question::Probe) {
        Ok(Answer::Failed { reason, .. }) => Err(SendError::Relay(reason)),
        Ok(_) => Ok(()),
        Err(e) => Err(SendError::Relay(e.to_string())),
    }
}

pub(super) fn state(core: &Core, wanted: &[Object]) -> Result<Snapshot, ReadError> {
    match ask(core, Question::State(wanted.iter().map(bare).collect()))? {
        Answer::State(state) => {
            let mut snapshot = state.into_snapshot();
            snapshot.states = snapshot.states.into_iter().map(|(object, state)| (own(core, object), state)).collect();
            snapshot.states.retain(|object, _| wanted.iter().any(|wanted| own(core, wanted.clone()) == *object));
            known(core).1.snapshot_to_own(&mut snapshot);
            Ok(snapshot)
        }
        Answer::Failed { reason, .. } => Err(ReadError::Relay(reason)),
        _ => Err(unexpected(core)),
    }
}

pub(super) fn written(core: &Core) -> Option<i64> {
    match ask(core, Question::Written) {
        Ok(Answer::Written(at)) => at.map(|at| known(core).1.to_own(at)),
        _ => None,
    }
}

pub(super) fn objects(core: &Core, are_problems: bool) -> Result<Vec<(Object, State)>, ReadError> {
    let question = if are_problems { Question::Problems } else { Question::Names };
    match ask(core, question)? {
        Answer::Objects(mut found) => {
            let ahead = known(core).1;
            for (object, state) in &mut found {
                object.core.clone_from(&core.name);
                ahead.state_to_own(state);
            }
            Ok(found)
        }
        Answer::Failed { reason, .. } => Err(ReadError::Relay(reason)),
        _ => Err(unexpected(core)),
    }
}

pub(super) fn contacts(core: &Core, object: &Object) -> Option<Vec<Contact>> {
    match ask(core, Question::Contacts(bare(object))) {
        Ok(Answer::Contacts(contacts)) => contacts,
        _ => None,
    }
}

pub(super) fn labels(core: &Core) -> Option<Names> {
    match ask(core, Question::Labels) {
        Ok(Answer::Labels(Some(LabelsAnswer { labels, aliases }))) => {
            let mut names = Names::default();
            for (host, service, label) in labels {
                names.put((host, service), &label);
            }
            for (host, alias) in aliases {
                names.put_alias(&host, &alias);
            }
            Some(names)
        }
        _ => None,
    }
}

/// A line with times in it differs from the one that was sent where the clocks do: then nothing is found.
pub(super) fn command_result(core: &Core, line: &str, since: i64) -> Option<CommandLogResult> {
    let since = known(core).1.to_relay(since);
    match ask(core, Question::CommandResult { line: line.to_owned(), since }) {
        Ok(Answer::CommandResult(result)) => result,
        _ => None,
    }
}

pub(super) fn knows_expiry(core: &Core) -> bool {
    known(core).0.knows_expiry
}

pub(crate) fn status_update_interval(core: &Core) -> Option<u64> {
    known(core).0.status_update_interval
}
