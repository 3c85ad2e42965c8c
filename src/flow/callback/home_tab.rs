//! App Home: what is wrong now, for each person who opened it within the last day, and again when it changes.
//!
//! A thread of its own. Who looks is kept, so that a restart leaves no Home behind. What is shown comes from the outbox,
//! so it is there while a core is down.

use super::gate::{Gate, GateError};
use super::request::Asker;
use super::requester::WhoError;
use crate::config::Config;
use crate::flow::deliver::reach;
use crate::model::notification::Severity;
use crate::model::object::Object;
use crate::model::outcome::Outcome;
use crate::model::problem::Problem;
use crate::monitoring::objects::DisplayNames;
use crate::rules::authorise::{Contact, Permission, Right, is_contact};
use crate::rules::remedy::{Context, remedy};
use crate::rules::render::{RenderContext, problem_card};
use crate::slack::home::{Entry, Home, essence, view, words};
use crate::store::{Opened, Store, StoreError};
use crate::system::clock;
use log::{error, info, warn};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long somebody who opened it is taken to look at it.
const WATCHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A person's Home is made anew at most so often.
const PERSON_PACE: Duration = Duration::from_secs(10);
/// Between two calls of one integration; Slack allows some more (<https://docs.slack.dev/apis/web-api/rate-limits>, tier 4).
const CALL_PACE: Duration = Duration::from_secs(1);
/// How often the outbox is looked at while somebody watches.
const TICK: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_secs(60 * 60);
/// After what won't mend by itself within moments.
const SLOW_RETRY: Duration = Duration::from_secs(10 * 60);
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);
/// So many people are kept in mind; the one who opened it longest ago goes first.
const WATCHERS_MAX: usize = 1000;
/// Of so many problems the contacts are looked up; the worst come first.
const OWNERS_MAX: usize = 200;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Word {
    Opened(Asker),
    Configuration(Arc<Config>),
}

/// The state of the thread.
pub(super) struct Homes {
    store: Store,
    gate: Gate,
    names: DisplayNames,
    watchers: Vec<Watcher>,
    /// Of the outbox, at the last look.
    seen: i64,
    /// By integration, until the outbox changes.
    problems: HashMap<String, Vec<Known>>,
    /// By integration: not before.
    next_call: HashMap<String, Instant>,
    /// By integration: what was told last.
    told: HashMap<String, String>,
}

/// Somebody who opened it.
struct Watcher {
    asker: Asker,
    opened: Instant,
    /// When to look whether there is something new for it.
    due: Option<Instant>,
    /// Its pace: not before.
    not_before: Instant,
    /// It was opened just now: published even if nothing is new.
    is_asked: bool,
    /// What it shows.
    shown: Option<Value>,
}

/// A problem, and whose it is in the core.
struct Known {
    post: i64,
    problem: Problem,
    contacts: Option<Vec<Contact>>,
}

impl Homes {
    pub(super) fn new(gate: Gate, store: Store) -> Self {
        let (problems, next_call, told) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (names, watchers) = (DisplayNames::default(), Vec::new());
        Self { store, gate, names, watchers, seen: 0, problems, next_call, told }
    }

    /// Works until nobody can open it any more.
    pub(super) fn run(mut self, inbox: &Receiver<Word>) {
        if let Err(e) = self.remember() {
            self.tell("", &e.to_string(), "who opened it before the start waits until it is opened again");
        }
        loop {
            let word = inbox.recv_timeout(if self.watchers.is_empty() { REST } else { TICK });
            match word {
                Ok(word) => self.hear(word),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(word) = inbox.try_recv() {
                self.hear(word);
            }
            match self.refresh() {
                Ok(()) => drop(self.told.remove("")),
                Err(e) => self.tell("", &e.to_string(), "the Home tabs stay as they are"),
            }
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Opened(asker) => self.opened(asker),
            Word::Configuration(config) => {
                self.gate.reconfigure(&config);
                self.seen = -1;
            }
        }
    }

    /// Those who opened it before the restart look at it still.
    fn remember(&mut self) -> Result<(), StoreError> {
        let (wall, now) = (clock::wall_ms(), Instant::now());
        for Opened { integration, user, team, at } in self.store.homes(watched_since(wall), WATCHERS_MAX)? {
            if !self.gate.config().integrations.iter().any(|known| known.enabled && known.name == integration) {
                continue;
            }
            let ago = Duration::from_millis(u64::try_from(wall - at).unwrap_or(0));
            let opened = now.checked_sub(ago).unwrap_or(now);
            let asker = Asker { integration, team, user, ..Asker::default() };
            self.watchers.push(Watcher {
                asker,
                opened,
                due: Some(now),
                not_before: now,
                is_asked: false,
                shown: None,
            });
        }
        Ok(())
    }

    fn opened(&mut self, asker: Asker) {
        let (wall, now) = (clock::wall_ms(), Instant::now());
        let (integration, user, team) = (asker.integration.clone(), asker.user.clone(), asker.team.clone());
        if let Err(e) = self.store.home_opened(&Opened { integration, user, team, at: wall }, watched_since(wall)) {
            self.tell("", &e.to_string(), "after a restart this Home waits until it is opened again");
        }
        let is_same =
            |known: &&mut Watcher| known.asker.integration == asker.integration && known.asker.user == asker.user;
        if let Some(known) = self.watchers.iter_mut().find(is_same) {
            (known.opened, known.is_asked, known.asker) = (now, true, asker);
            known.due = Some(known.not_before);
            return;
        }
        if self.watchers.len() >= WATCHERS_MAX
            && let Some(oldest) = (0..self.watchers.len()).min_by_key(|at| self.watchers[*at].opened)
        {
            self.watchers.swap_remove(oldest);
        }
        self.watchers.push(Watcher {
            asker,
            opened: now,
            due: Some(now),
            not_before: now,
            is_asked: true,
            shown: None,
        });
    }

    /// Publishes what is due, one for each integration.
    fn refresh(&mut self) -> Result<(), StoreError> {
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
        // Who has just opened it comes first, then who has waited longest.
        self.watchers.sort_by_key(|watcher| (!watcher.is_asked, watcher.due));
        let mut busy = HashSet::new();
        for at in 0..self.watchers.len() {
            let watcher = &self.watchers[at];
            let integration = watcher.asker.integration.clone();
            let is_held = self.next_call.get(&integration).is_some_and(|next| *next > now);
            if watcher.due.is_none_or(|due| due > now) || is_held || busy.contains(&integration) {
                continue;
            }
            if self.publish(at)? {
                busy.insert(integration);
            }
        }
        Ok(())
    }

    /// Makes one person's Home; whether Slack was called.
    fn publish(&mut self, at: usize) -> Result<bool, StoreError> {
        let asker = self.watchers[at].asker.clone();
        self.watchers[at].not_before = Instant::now() + PERSON_PACE;
        let view = match self.view(&asker)? {
            Ok(view) => view,
            Err(later) => {
                self.watchers[at].due = Some(Instant::now() + later);
                return Ok(true);
            }
        };
        let watcher = &mut self.watchers[at];
        let is_new = watcher.shown.as_ref().is_none_or(|shown| essence(shown) != essence(&view));
        if !is_new && !watcher.is_asked {
            watcher.due = None;
            return Ok(false);
        }
        let Some(client) = self.gate.client(&asker.integration) else {
            watcher.due = Some(Instant::now() + SLOW_RETRY);
            return Ok(false);
        };
        let called = client.call("views.publish", &json!({ "user_id": asker.user, "view": view }), BUDGET);
        let now = Instant::now();
        watcher.is_asked = false;
        self.next_call.insert(asker.integration.clone(), now + CALL_PACE);
        let again = match called {
            Ok(_) => {
                (watcher.shown, watcher.due) = (Some(view), None);
                self.told.remove(&asker.integration);
                info!("home published integration={} user={}", asker.integration, asker.user);
                return Ok(true);
            }
            Err(Outcome::Wait { after }) => {
                self.next_call.insert(asker.integration.clone(), now + after);
                return Ok(true);
            }
            Err(Outcome::Temporary { reason, slow: false }) => {
                self.tell(&asker.integration, &reason, "tried again");
                PERSON_PACE
            }
            Err(Outcome::Delivered(_)) => PERSON_PACE,
            Err(other) => {
                let reason = other.reason();
                let what = match remedy(reason.error.as_ref(), Context::HomeTab) {
                    Some(remedy) => format!("remedy={remedy}"),
                    None => "tried again when it is opened anew".to_owned(),
                };
                self.tell(&asker.integration, &reason, &what);
                SLOW_RETRY
            }
        };
        self.watchers[at].due = Some(now + again);
        Ok(true)
    }

    /// What the person is to see; or how long to wait, as nobody knows who that is.
    fn view(&mut self, asker: &Asker) -> Result<Result<Value, Duration>, StoreError> {
        let now = clock::wall_ms() / 1000;
        let config = self.gate.config();
        let is_there = config.integrations.iter().any(|i| i.name == asker.integration && i.enabled);
        let caller = match self.gate.caller(asker) {
            Ok(caller) if is_there => caller,
            Err(GateError::Who(e @ (WhoError::Never(_) | WhoError::Unknown(_)))) => {
                return Ok(Ok(words(&e.to_string(), now)));
            }
            Ok(_) | Err(GateError::Gone(_) | GateError::NoClient | GateError::Who(WhoError::Later(_))) => {
                self.tell(&asker.integration, "nobody can say who it is just now", "tried again");
                return Ok(Err(PERSON_PACE));
            }
        };
        let leave = match caller.admit(&config.access).and_then(|admitted| admitted.ask(Right::View)) {
            Ok(leave) => leave,
            Err(refusal) => return Ok(Ok(words(&refusal.to_string(), now))),
        };
        self.learn(&asker.integration, &leave)?;
        let reach = reach(&config, &asker.integration);
        let mut home: [(&str, Vec<Entry>); 5] =
            ["Yours", "Critical", "Warning", "Unknown", "Acknowledged or in downtime"].map(|name| (name, Vec::new()));
        let is_partial = leave.differs_by_object();
        for known in self.problems.get(&asker.integration).map(Vec::as_slice).unwrap_or_default() {
            let latest = &known.problem.latest;
            let object = Object::of(latest);
            let core = self.gate.core(&latest.core);
            let names = self.gate.names(&core.clone().unwrap_or_default(), &object, Some(latest));
            if leave.may(&names.of(&object), known.contacts.as_deref()).is_err() {
                continue;
            }
            let facts = RenderContext {
                interactivity: reach,
                post: known.post,
                ..RenderContext::bare(&config.message, core.as_ref(), now)
            };
            let entry = Entry { card: problem_card(&known.problem, &facts), since: known.problem.began };
            home[group(known, is_contact(&caller.person, &config.access, known.contacts.as_deref()))].1.push(entry);
        }
        let groups = home.into_iter().filter(|(_, entries)| !entries.is_empty()).collect();
        Ok(Ok(view(&Home { groups, is_partial }, now)))
    }

    /// Reads what is wrong, unless it is known.
    fn learn(&mut self, integration: &str, leave: &Permission<'_>) -> Result<(), StoreError> {
        if self.problems.contains_key(integration) {
            return Ok(());
        }
        let mut known: Vec<Known> = Vec::new();
        for (post, mut problem) in self.store.open_problems(integration, leave)? {
            self.names.fill(&mut problem.latest, &self.gate.config());
            known.push(Known { post, problem, contacts: None });
        }
        let mut silent = HashSet::new();
        for known in known.iter_mut().take(OWNERS_MAX) {
            let name = known.problem.latest.core.clone();
            let Some(core) = self.gate.core(&name) else {
                continue;
            };
            // One that doesn't say it once is not asked again and again.
            if !silent.contains(&name) {
                known.contacts = self.gate.contacts_of(&core, &Object::of(&known.problem.latest));
                if known.contacts.is_none() {
                    silent.insert(name);
                }
            }
        }
        self.problems.insert(integration.to_owned(), known);
        Ok(())
    }

    /// A failure is told again only when it differs.
    fn tell(&mut self, integration: &str, reason: &str, what: &str) {
        if self.told.insert(integration.to_owned(), reason.to_owned()).as_deref() == Some(reason) {
            return;
        }
        if what.starts_with("remedy=") {
            error!("home can't be published integration={integration} reason={reason} {what}");
        } else {
            warn!("home can't be published integration={integration} reason={reason} what={what}");
        }
    }
}

/// Who opened it before that time isn't looking any more; Unix ms.
fn watched_since(now: i64) -> i64 {
    now.saturating_sub(clock::millis(WATCHED_FOR))
}

/// Under which heading it stands.
fn group(known: &Known, is_own: bool) -> usize {
    let problem = &known.problem;
    let is_quiet = problem.acknowledged.is_some() || problem.downtime.is_some();
    match problem.latest.severity() {
        _ if is_own => 0,
        _ if is_quiet => 4,
        Severity::Critical => 1,
        Severity::Warning => 2,
        Severity::Unknown | Severity::Good => 3,
    }
}
