//! App Home: the open problems, for each person who opened the tab within the last day, and again when they change.
//!
//! A thread of its own. The people who opened the tab are kept, so that after a restart their tabs are still updated.
//! The problems come from the outbox, so the tab works while a core is down.

mod view;

use super::access_lookup::AccessLookup;
use super::request::Requester;
use crate::config::Config;
use crate::flow::node::Node;
use crate::model::outcome::Outcome;
use crate::monitoring::objects::DisplayNames;
use crate::rules::remedy::{Context, remedy};
use crate::slack::home::{self, without_timestamps};
use crate::store::{Opened, Store, StoreError};
use crate::system::clock;
use crate::system::order;
use log::{error, info, warn};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use view::OpenProblem;

/// How long a tab is updated after it was opened.
const WATCHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A person's tab is updated at most so often.
const PERSON_PACE: Duration = Duration::from_secs(10);
/// Between two calls of one integration; Slack allows some more (<https://docs.slack.dev/apis/web-api/rate-limits>, tier 4).
const CALL_PACE: Duration = Duration::from_secs(1);
/// How often the outbox is looked at while a tab is open.
const TICK: Duration = Duration::from_millis(500);
const IDLE_PAUSE: Duration = Duration::from_secs(60 * 60);
/// How often the leader looks for tabs that were opened at other nodes.
const OTHERS_INTERVAL: Duration = Duration::from_secs(30);
/// After an error that won't go away by itself within moments.
const SLOW_RETRY: Duration = Duration::from_secs(10 * 60);
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);
/// So many people are remembered; the one who opened the tab longest ago is dropped first.
const WATCHERS_MAX: usize = 1000;
/// For so many problems the contacts are looked up; the worst come first.
const OWNERS_MAX: usize = 200;

/// A message to the thread.
#[derive(Debug)]
pub(super) enum HomeMessage {
    Opened(Requester),
    /// The same list as a view of its own, which this trigger opens.
    Asked(Requester, String),
    Configuration(Arc<Config>),
}

/// The state of the thread.
pub(super) struct HomeWorker {
    store: Store,
    node: Arc<Node>,
    /// Where nodes share the outbox: when the tabs that were opened at the others were read last.
    remembered: Option<Instant>,
    lookup: AccessLookup,
    names: DisplayNames,
    watchers: Vec<Watcher>,
    /// Of the outbox, at the last look.
    seen: i64,
    /// By integration, until the outbox changes.
    problems: HashMap<String, Vec<OpenProblem>>,
    /// By integration: not before.
    next_call: HashMap<String, Instant>,
    /// By integration: the failure that was logged last.
    last_logged: HashMap<String, String>,
}

/// A person who opened the tab.
struct Watcher {
    requester: Requester,
    opened: Instant,
    /// When to look whether there is something new for the person.
    due: Option<Instant>,
    /// The tab's pace: not before.
    not_before: Instant,
    /// The tab was opened just now: published even if nothing is new.
    is_asked: bool,
    /// The view that the tab shows.
    shown: Option<Value>,
}

impl HomeWorker {
    pub(super) fn new(lookup: AccessLookup, store: Store, node: Arc<Node>) -> Self {
        let (problems, next_call, last_logged) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (names, watchers) = (DisplayNames::default(), Vec::new());
        Self { store, node, remembered: None, lookup, names, watchers, seen: 0, problems, next_call, last_logged }
    }

    /// Works until the process ends.
    pub(super) fn run(mut self, inbox: &Receiver<HomeMessage>) {
        if !self.node.has_others()
            && let Err(e) = self.remember()
        {
            self.log_failure("", &e.to_string(), Next::WhenOpened);
        }
        loop {
            let message = inbox.recv_timeout(match (self.watchers.is_empty(), self.node.has_others()) {
                (false, _) => TICK,
                (true, true) => OTHERS_INTERVAL,
                (true, false) => IDLE_PAUSE,
            });
            match message {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(message) = inbox.try_recv() {
                self.handle(message);
            }
            match self.refresh() {
                Ok(()) => drop(self.last_logged.remove("")),
                Err(e) => self.log_failure("", &e.to_string(), Next::Retry),
            }
        }
    }

    fn handle(&mut self, message: HomeMessage) {
        match message {
            HomeMessage::Opened(requester) => self.opened(requester),
            HomeMessage::Asked(requester, trigger) => {
                if let Err(e) = self.open_list(&requester, &trigger) {
                    self.log_failure("", &e.to_string(), Next::WhenOpened);
                }
            }
            HomeMessage::Configuration(config) => {
                self.lookup.reconfigure(&config);
                self.seen = -1;
            }
        }
    }

    /// The tabs that were opened before a restart are still updated.
    fn remember(&mut self) -> Result<(), StoreError> {
        let (wall, now) = (clock::wall_ms(), Instant::now());
        for Opened { integration, user, team, at } in self.store.homes(watched_since(wall), WATCHERS_MAX)? {
            if !self.lookup.config().integrations.iter().any(|known| known.enabled && known.name == integration) {
                continue;
            }
            let ago = Duration::from_millis(u64::try_from(wall - at).unwrap_or(0));
            let opened = now.checked_sub(ago).unwrap_or(now);
            let is_known = |w: &Watcher| w.requester.integration == integration && w.requester.user == user;
            if self.watchers.iter().any(is_known) {
                continue;
            }
            let requester = Requester { integration, team, user, ..Requester::default() };
            self.watchers.push(Watcher {
                requester,
                opened,
                due: Some(now),
                not_before: now,
                is_asked: false,
                shown: None,
            });
        }
        Ok(())
    }

    fn opened(&mut self, requester: Requester) {
        let (wall, now) = (clock::wall_ms(), Instant::now());
        let (integration, user, team) = (requester.integration.clone(), requester.user.clone(), requester.team.clone());
        if let Err(e) = self.store.home_opened(&Opened { integration, user, team, at: wall }, watched_since(wall)) {
            self.log_failure("", &e.to_string(), Next::WhenOpened);
        }
        let is_same = |known: &&mut Watcher| {
            known.requester.integration == requester.integration && known.requester.user == requester.user
        };
        if let Some(known) = self.watchers.iter_mut().find(is_same) {
            (known.opened, known.is_asked, known.requester) = (now, true, requester);
            known.due = Some(known.not_before);
            return;
        }
        if self.watchers.len() >= WATCHERS_MAX
            && let Some(oldest) = (0..self.watchers.len()).min_by_key(|at| self.watchers[*at].opened)
        {
            self.watchers.swap_remove(oldest);
        }
        self.watchers.push(Watcher {
            requester,
            opened: now,
            due: Some(now),
            not_before: now,
            is_asked: true,
            shown: None,
        });
    }

    /// Opens the list; a trigger that is over by now opens nothing, and the person asks again.
    fn open_list(&mut self, requester: &Requester, trigger: &str) -> Result<(), StoreError> {
        if self.store.changes()? != self.seen {
            self.problems.clear();
        }
        let Ok(home) = self.view(requester)? else { return Ok(()) };
        let view = home::as_modal(home);
        let Some(client) = self.lookup.client(&requester.integration) else { return Ok(()) };
        let opened = client.call("views.open", &json!({ "trigger_id": trigger, "view": view }), BUDGET);
        if let Err(outcome) = opened {
            let (integration, reason) = (&requester.integration, outcome.reason());
            warn!("can't open the list of problems integration={integration} dropped=view reason={reason:?}");
        }
        Ok(())
    }

    /// Where nodes share the outbox, the one at which a tab was opened publishes it once, and the leader does when something
    /// changes.
    fn follow_leadership(&mut self) -> Result<(), StoreError> {
        if !self.node.leads() {
            self.remembered = None;
            self.watchers.retain(|watcher| watcher.is_asked);
        } else if self.remembered.is_none_or(|last| last.elapsed() >= OTHERS_INTERVAL) {
            self.remember()?;
            self.remembered = Some(Instant::now());
        }
        Ok(())
    }

    /// Publishes the views that are due, one for each integration.
    fn refresh(&mut self) -> Result<(), StoreError> {
        if self.node.has_others() {
            self.follow_leadership()?;
        }
        self.watchers.retain(|watcher| watcher.opened.elapsed() < WATCHED_FOR);
        if self.watchers.is_empty() {
            return Ok(());
        }
        let (changes, now) = (self.store.changes()?, Instant::now());
        if changes != self.seen {
            self.seen = changes;
            self.problems.clear();
            for watcher in &mut self.watchers {
                watcher.due.get_or_insert(watcher.not_before);
            }
        }
        // A tab that was just opened comes first, then the one that has waited longest.
        order::by_key(&mut self.watchers, |watcher| (!watcher.is_asked, watcher.due));
        let mut busy = HashSet::new();
        for at in 0..self.watchers.len() {
            let watcher = &self.watchers[at];
            let integration = watcher.requester.integration.clone();
            let is_paused = self.next_call.get(&integration).is_some_and(|next| *next > now);
            if watcher.due.is_none_or(|due| due > now) || is_paused || busy.contains(&integration) {
                continue;
            }
            if self.publish(at)? {
                busy.insert(integration);
            }
        }
        Ok(())
    }

    /// Publishes one person's view; whether Slack was called.
    fn publish(&mut self, at: usize) -> Result<bool, StoreError> {
        let requester = self.watchers[at].requester.clone();
        self.watchers[at].not_before = Instant::now() + PERSON_PACE;
        let view = match self.view(&requester)? {
            Ok(view) => view,
            Err(later) => {
                self.watchers[at].due = Some(Instant::now() + later);
                return Ok(true);
            }
        };
        let watcher = &mut self.watchers[at];
        let is_new = watcher.shown.as_ref().is_none_or(|shown| without_timestamps(shown) != without_timestamps(&view));
        if !is_new && !watcher.is_asked {
            watcher.due = None;
            return Ok(false);
        }
        let Some(client) = self.lookup.client(&requester.integration) else {
            watcher.due = Some(Instant::now() + SLOW_RETRY);
            return Ok(false);
        };
        let called = client.call("views.publish", &json!({ "user_id": requester.user, "view": view }), BUDGET);
        let now = Instant::now();
        watcher.is_asked = false;
        self.next_call.insert(requester.integration.clone(), now + CALL_PACE);
        let again = match called {
            Ok(_) => {
                (watcher.shown, watcher.due) = (Some(view), None);
                self.last_logged.remove(&requester.integration);
                info!("home published integration={} user={}", requester.integration, requester.user);
                return Ok(true);
            }
            Err(Outcome::Wait { after }) => {
                self.next_call.insert(requester.integration.clone(), now + after);
                return Ok(true);
            }
            Err(Outcome::Temporary { reason, slow: false }) => {
                self.log_failure(&requester.integration, &reason, Next::Retry);
                PERSON_PACE
            }
            Err(Outcome::Delivered(_)) => PERSON_PACE,
            Err(other) => {
                let reason = other.reason();
                let next = remedy(reason.error.as_ref(), Context::HomeTab).map_or(Next::WhenOpened, Next::Mended);
                self.log_failure(&requester.integration, &reason, next);
                SLOW_RETRY
            }
        };
        self.watchers[at].due = Some(now + again);
        Ok(true)
    }

    /// Logs a failure; the same one again isn't logged.
    fn log_failure(&mut self, integration: &str, reason: &str, next: Next) {
        if self.last_logged.insert(integration.to_owned(), reason.to_owned()).as_deref() == Some(reason) {
            return;
        }
        let text = format!("can't publish the Home tab integration={integration} reason={reason:?}");
        match next {
            Next::Retry => warn!("{text} action=retry"),
            Next::WhenOpened => warn!("{text} action=retry_when_opened"),
            Next::Mended(remedy) => error!("{text} remedy={remedy:?}"),
        }
    }
}

/// What happens after a failure.
#[derive(Debug, Clone, Copy)]
enum Next {
    Retry,
    WhenOpened,
    /// When a person has done this.
    Mended(&'static str),
}

/// Tabs opened before that time aren't updated any more; Unix ms.
fn watched_since(now: i64) -> i64 {
    now.saturating_sub(clock::millis(WATCHED_FOR))
}
