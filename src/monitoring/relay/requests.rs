//! The requests that wait for the relays, and the calls of the relays that fetch, take and answer them.
//!
//! In memory: see the room's page on what a crash leaves.

use super::clocks::Ahead;
use super::wire::{About, Answer, Call, Given, Question, Step};
use crate::config::Core;
use crate::monitoring::error::ReadError;
use crate::system::clock;
use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// How long a request waits for a relay to fetch it, and the longest time between two calls of one that is there.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);
/// How long the answer may take after that.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// How many requests may wait for one core.
const REQUESTS_MAX: usize = 1000;

/// A relay: the core that its token speaks for, and its name among the relays of that core.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Speaker {
    pub(crate) core: String,
    pub(crate) relay: String,
}

/// The one listener's relays. Every thread that asks about a core and every connection of a relay meet here.
pub(super) static RELAYS: LazyLock<Relays> = LazyLock::new(Relays::default);

#[derive(Default)]
pub(super) struct Relays {
    links: Mutex<HashMap<Speaker, Link>>,
    answered: Condvar,
}

/// What is known of a relay.
#[derive(Default)]
pub(super) struct Link {
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
    pub(crate) speaker: Speaker,
    pub(crate) about: About,
    /// When it called last, Unix seconds.
    pub(crate) seen: Option<i64>,
    pub(crate) is_connected: bool,
    /// How many seconds its clock is ahead.
    pub(crate) ahead: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
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
    pub(super) fn is_connected(&self) -> bool {
        !self.is_silent && (self.waiting > 0 || self.called.is_some_and(|called| called.elapsed() < FETCHED_WITHIN))
    }
}

impl Relays {
    pub(super) fn links(&self) -> MutexGuard<'_, HashMap<Speaker, Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the relay and waits for its answer.
    fn ask(&self, speaker: &Speaker, label: &str, question: Question) -> Result<Answer, NoAnswer> {
        let mut links = self.links();
        let link = links.entry(speaker.clone()).or_default();
        let seen = link.seen;
        if !link.is_connected() || link.requests.len() >= REQUESTS_MAX {
            return Err(NoAnswer::NotConnected { core: label.to_owned(), seen });
        }
        link.last_id += 1;
        let id = link.last_id;
        let deadline = Instant::now() + FETCHED_WITHIN;
        link.requests.push(Request { id, question, state: RequestState::New, deadline });
        link.wakers.drain(..).for_each(Waker::wake);
        loop {
            let Some(link) = links.get_mut(speaker) else {
                return Err(NoAnswer::NotConnected { core: label.to_owned(), seen });
            };
            let Some(at) = link.requests.iter().position(|request| request.id == id) else {
                return Err(NoAnswer::NotConnected { core: label.to_owned(), seen: link.seen });
            };
            let left = link.requests[at].deadline.saturating_duration_since(Instant::now());
            if matches!(link.requests[at].state, RequestState::Answered(_)) || left.is_zero() {
                let request = link.requests.swap_remove(at);
                return ended(request, link, label);
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
pub(crate) fn called(speaker: &Speaker, call: Call) -> Option<Result<Given, Gone>> {
    let mut links = RELAYS.links();
    let link = links.entry(speaker.clone()).or_default();
    link.heard(call.now_ms);
    link.about = call.about.cut();
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
                request.state = RequestState::Answered(answer.cut());
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
pub(crate) struct Waiting<'a>(&'a Speaker);

impl<'a> Waiting<'a> {
    pub(crate) fn new(speaker: &'a Speaker) -> Self {
        if let Some(link) = RELAYS.links().get_mut(speaker) {
            link.waiting += 1;
        }
        Self(speaker)
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
pub(crate) fn handed_in(speaker: &Speaker, relay_ms: Option<i64>) -> Ahead {
    let mut links = RELAYS.links();
    let link = links.entry(speaker.clone()).or_default();
    link.heard(relay_ms.unwrap_or_else(clock::wall_ms));
    link.ahead
}

/// The relays that have called.
pub(crate) fn statuses() -> Vec<RelayStatus> {
    let status = |(speaker, link): (&Speaker, &Link)| RelayStatus {
        speaker: speaker.clone(),
        about: link.about.clone(),
        seen: link.seen,
        is_connected: link.is_connected(),
        ahead: link.ahead.seconds(),
    };
    RELAYS.links().iter().filter(|(_, link)| link.seen.is_some()).map(status).collect()
}

/// The one relay of this core; of several [`Core::members`] has each by itself.
fn speaker(core: &Core) -> Speaker {
    let relay = core.relay_tokens.first().map(|token| token.name.clone()).unwrap_or_default();
    Speaker { core: core.name.clone(), relay }
}

/// What the relay says of its core, and how far its clock is ahead.
pub(super) fn known(core: &Core) -> (About, Ahead) {
    RELAYS.links().get(&speaker(core)).map(|link| (link.about.clone(), link.ahead)).unwrap_or_default()
}

pub(super) fn is_connected(core: &Core) -> bool {
    RELAYS.links().get(&speaker(core)).is_some_and(Link::is_connected)
}

pub(super) fn ask(core: &Core, question: Question) -> Result<Answer, NoAnswer> {
    let label = core.relay_tokens.first().map_or(&*core.name, |token| &token.label);
    RELAYS.ask(&speaker(core), label, question)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asked has been told that it isn't done, or is about to be.
    #[test]
    fn a_request_whose_time_is_over_is_not_taken_any_more() {
        let speaker = Speaker { core: "over".into(), relay: "r".into() };
        let take = |deadline: Instant| {
            let request = Request { id: 1, question: Question::Probe, state: RequestState::Fetched, deadline };
            RELAYS.links().entry(speaker.clone()).or_default().requests = vec![request];
            let call = Call { now_ms: clock::wall_ms(), about: About::default(), step: Step::Take { id: 1 } };
            called(&speaker, call).unwrap().map(|given| given.id)
        };
        assert_eq!(take(Instant::now()), Err(Gone));
        assert_eq!(take(Instant::now() + FETCHED_WITHIN), Ok(1));
    }
}
