//! Whether the core holds what it was sent, and what people see then.

use super::send::{done, patience_ms};
use super::{Worker, entry, expiry, request_of};
use crate::config::Core;
use crate::flow::callback::request::{Request, Wish};
use crate::model::action::Action;
use crate::model::core_snapshot::Snapshot;
use crate::model::notification::Kind;
use crate::model::object::Object;
use crate::model::problem::ActionTaken;
use crate::model::time_text::span;
use crate::monitoring::{log as core_log, paths, state};
use crate::rules::confirm::{Confirmation, Effect, Expectation, judge};
use crate::state_dir::spool::SpoolId;
use crate::store::{Act, Lane, Move, NewAct, Stage, StoreError, Voice};
use crate::system::clock;
use std::collections::{BTreeMap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many acts are looked after together.
const BATCH: u32 = 1000;

/// When each core's state was read last, by its file's time.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<String, (SystemTime, i64)>);

/// An act that waits for the core's word.
struct Waiting {
    act: Act,
    request: Request,
    expected: Expectation,
}

/// What the looks of one round came to.
#[derive(Default)]
struct Found {
    moves: Vec<(i64, Move)>,
    entries: Vec<String>,
    /// Each with its name and its object's key.
    deeds: Vec<(String, String, ActionTaken)>,
    timers: Vec<NewAct>,
    held: Vec<(Request, Expectation)>,
}

impl Worker {
    /// What another process sent has its full time from now on: nobody knows how far the clock went meanwhile.
    pub(super) fn look_anew(&mut self) -> Result<(), StoreError> {
        for act in self.store.acts(Stage::Sent, i64::MAX, BATCH)? {
            let core = expectation_of(&act)?.object.core;
            let patience = self.gate.core(&core).map_or(0, |core| patience_ms(&core));
            self.store.postpone_act(act.id, self.clock.now_ms().saturating_add(patience))?;
        }
        Ok(())
    }

    /// Looks after what was sent; whether something still waits.
    pub(super) fn confirm(&mut self) -> Result<bool, StoreError> {
        let acts = self.store.acts(Stage::Sent, i64::MAX, BATCH)?;
        self.seen.retain(|id, _| acts.iter().any(|act| act.id == *id));
        let mut by_core: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for act in acts {
            let request = request_of(&act)?;
            let expected = expectation_of(&act)?;
            by_core.entry(expected.object.core.clone()).or_default().push(Waiting { act, request, expected });
        }
        let mut found = Found::default();
        for (name, waiting) in &by_core {
            let Some(core) = self.gate.core(name) else {
                for one in waiting {
                    found.ends(one, "not seen", &format!("There is no [cores.{name}] in the configuration any more."));
                }
                continue;
            };
            self.look(&core, waiting, &mut found)?;
        }
        self.keep(&found)?;
        self.sum_up()?;
        Ok(!self.store.acts(Stage::Sent, i64::MAX, 1)?.is_empty())
    }

    /// Reads the core's state once for all that wait for it.
    fn look(&mut self, core: &Core, waiting: &[Waiting], found: &mut Found) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let is_over = |one: &Waiting| one.act.due <= now;
        if !waiting.iter().any(is_over) && !self.looks.is_worth(core, waiting) {
            return Ok(());
        }
        let objects: Vec<Object> = waiting.iter().map(|one| one.expected.object.clone()).collect();
        let snapshot = match state::read(core, &objects) {
            Ok(snapshot) => snapshot,
            Err(e) => {
                for one in waiting.iter().filter(|one| is_over(one)) {
                    found.ends(one, "not seen", &format!("Sent, but ackbell can't see whether the core took it: {e}."));
                }
                return Ok(());
            }
        };
        let next = self.spool.oldest(1).ok().and_then(|oldest| oldest.into_iter().next());
        for one in waiting {
            match judge(&one.expected, &snapshot, is_over(one)) {
                Confirmation::Held { .. } if self.is_behind(one.act.id, next.as_ref()) && !is_over(one) => {
                    self.looks.forget(core);
                }
                Confirmation::Held { .. } => self.held(one, &snapshot, found)?,
                Confirmation::NotYet => {}
                Confirmation::Never(reason) => {
                    let fate =
                        one.expected.lines.iter().find_map(|line| {
                            core_log::command_result(core, line, one.expected.sent_at).filter(says_why)
                        });
                    let why = fate.map_or(reason, |fate| fate.to_string());
                    found.ends(one, "not taken", &format!("Sent, but the core has not taken it: {why}."));
                }
            }
        }
        Ok(())
    }

    /// Whether something that `notify` took before the core's word was seen is not imported yet. Told first, the word
    /// would end with it: a core says nothing more about what is acknowledged.
    fn is_behind(&mut self, act: i64, next: Option<&SpoolId>) -> bool {
        let seen = self.seen.entry(act).or_insert_with(SpoolId::fresh);
        next.is_some_and(|next| *next <= *seen)
    }

    fn held(&mut self, one: &Waiting, snapshot: &Snapshot, found: &mut Found) -> Result<(), StoreError> {
        let Waiting { act, request, expected } = one;
        found.entries.push(entry(act, request, None, &expected.lines, "confirmed", ""));
        let state = snapshot.states.get(&expected.object);
        let problem = self.store.shown_after(expected)?.and_then(|shown| shown.problem);
        let label = problem.as_ref().map_or_else(|| expected.object.to_string(), |p| p.latest.object_label());
        let reply = match (&expected.effect, state) {
            (Effect::Checked { at }, Some(state)) => {
                let name = state.name(&expected.object);
                Some(if state.last_check >= *at {
                    format!("Checked: {label} is {name}. {}", state.output)
                } else {
                    format!("The core will check {label}. Before that it is {name}. {}", state.output)
                })
            }
            // Asked for by words: there may be no message that shows it.
            _ if matches!(request.wish, Wish::One { post: None, .. }) => Some(held(expected, &label)),
            _ => None,
        };
        let reply = reply.filter(|_| act.parent.is_none());
        found.moves.push((act.id, Move::Done { outcome: "confirmed".to_owned(), reply }));
        if let Some(deed) = deed(expected, clock::wall_ms() / 1000) {
            found.deeds.push((format!("act-{}", act.id), expected.object.key(), deed));
        }
        if let Wish::One { object, action: Action::Acknowledge { expiry: Some(at), .. }, .. } = &request.wish
            && let Effect::Acknowledged { comment, expires } = &expected.effect
        {
            // The core ends it where the command said so: then it is only looked at, a little later.
            let at = if *expires { at.saturating_add(expiry::GRACE_SECONDS) } else { *at };
            let (author, comment) = (expected.author.clone(), comment.clone());
            let wish = Wish::Expire { object: object.clone(), author, comment };
            let later = Request { name: wish.name().to_owned(), wish, asker: request.asker.clone() };
            let text = serde_json::to_string(&later).map_err(|e| StoreError::Content(e.to_string()))?;
            let (key, due) = (format!("expire {}", act.id), at.saturating_mul(1000));
            found.timers.push(NewAct { key, parent: None, object: object.key(), request: text, due });
        }
        found.held.push((request.clone(), expected.clone()));
        Ok(())
    }

    /// Keeps it: the timers and the words first, as the acts are not looked at again once they are done.
    fn keep(&mut self, found: &Found) -> Result<(), StoreError> {
        if found.moves.is_empty() {
            return Ok(());
        }
        let now = clock::wall_ms();
        self.store.keep_acts(&found.timers, now)?;
        let config = self.gate.config();
        let voice = |lane: &Lane| crate::flow::deliver::voice(&config, lane);
        self.store.tell(&found.deeds, &voice, config.storm.window, now)?;
        self.store.move_acts(&found.moves, &found.entries)?;
        self.wake_deliverer();
        for (request, expected) in &found.held {
            self.replace(request, expected)?;
        }
        Ok(())
    }

    /// Where messages can't be edited by a token, the clicked one is replaced through its response URL.
    fn replace(&mut self, request: &Request, expected: &Expectation) -> Result<(), StoreError> {
        let Some(shown) = self.store.shown_after(expected)? else {
            return Ok(());
        };
        let config = self.gate.config();
        if crate::flow::deliver::voice(&config, &shown.lane) == Voice::Fixed
            && let (Some(problem), Wish::One { post, .. }) = (shown.problem, &request.wish)
        {
            let message = crate::flow::deliver::replacement(&problem, &config, &shown.lane, post.unwrap_or(0));
            self.respond(&request.asker, message);
        }
        Ok(())
    }

    /// Acts that asked for many end when all of those have.
    fn sum_up(&mut self) -> Result<(), StoreError> {
        for act in self.store.acts(Stage::Parent, i64::MAX, BATCH)? {
            let (open, outcomes) = self.store.children(act.id)?;
            if open > 0 {
                continue;
            }
            let request = request_of(&act)?;
            let words = summary(&request.wish.action(), &outcomes);
            let entries = [entry(&act, &request, None, &[], "summed up", &words)];
            self.store.move_acts(&[(act.id, done(&act, &words))], &entries)?;
        }
        Ok(())
    }
}

fn expectation_of(act: &Act) -> Result<Expectation, StoreError> {
    serde_json::from_str(&act.expectation).map_err(|e| StoreError::Content(e.to_string()))
}

/// Whether the log knows more than the state.
fn says_why(fate: &core_log::CommandLogResult) -> bool {
    match fate {
        core_log::CommandLogResult::Taken => false,
        core_log::CommandLogResult::Failed(reason) => !reason.is_empty(),
        core_log::CommandLogResult::Unknown => true,
    }
}

impl Looks {
    /// The next look is worth it, whatever the last one was at.
    fn forget(&mut self, core: &Core) {
        self.0.remove(&core.name);
    }

    /// Whether a look can tell more than the last one: a state file must be younger than the commands, and another one
    /// than last time.
    fn is_worth(&mut self, core: &Core, waiting: &[Waiting]) -> bool {
        let places = paths::Paths::find(core);
        if core.api.is_some() || places.livestatus.is_some() {
            return true;
        }
        let Some(modified) = places.status_file.and_then(|path| path.metadata().ok()?.modified().ok()) else {
            return true;
        };
        let seconds = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let newest = waiting.iter().map(|one| one.act.id).max().unwrap_or(0);
        let first = waiting.iter().map(|one| one.expected.sent_at).min().unwrap_or(0);
        if i64::try_from(seconds).unwrap_or(0) < first || self.0.get(&core.name) == Some(&(modified, newest)) {
            return false;
        }
        self.0.insert(core.name.clone(), (modified, newest));
        true
    }
}

impl Found {
    fn ends(&mut self, one: &Waiting, step: &str, words: &str) {
        self.entries.push(entry(&one.act, &one.request, None, &one.expected.lines, step, words));
        self.moves.push((one.act.id, done(&one.act, words)));
    }
}

/// What the messages about the object are told.
fn deed(expected: &Expectation, now: i64) -> Option<ActionTaken> {
    let (kind, comment) = match &expected.effect {
        Effect::Acknowledged { comment, .. } => (Kind::Acknowledgement, Some(comment)),
        Effect::NotAcknowledged => (Kind::Unacknowledged, None),
        Effect::Downtime { comment, .. } => (Kind::DowntimeScheduled, Some(comment)),
        Effect::Notifications { enabled: true } => (Kind::NotificationsResumed, None),
        Effect::Notifications { enabled: false } => (Kind::NotificationsStopped, None),
        Effect::NoDowntime { .. } | Effect::Checked { .. } | Effect::Comment { .. } => return None,
    };
    let mut vars = BTreeMap::new();
    if let Effect::Downtime { start, end, flexible, .. } = &expected.effect {
        vars.extend(flexible.map(|length| ("flexible".to_owned(), length.to_string())));
        vars.insert("start".to_owned(), start.to_string());
        vars.insert("end".to_owned(), end.to_string());
    }
    Some(ActionTaken { kind, time: now, author: expected.author.clone(), comment: comment.cloned(), vars })
}

/// The core's word, for whoever asked by words.
fn held(expected: &Expectation, object: &str) -> String {
    match &expected.effect {
        Effect::Acknowledged { .. } => format!("Acknowledged: {object}. The core holds it."),
        Effect::NotAcknowledged => format!("The acknowledgement of {object} is removed."),
        Effect::Downtime { start, end, .. } => {
            let length = span(u64::try_from(end.saturating_sub(*start)).unwrap_or(0));
            format!("The core holds the downtime of {object}, of {length}.")
        }
        Effect::NoDowntime { .. } => format!("The downtime of {object} is cancelled."),
        Effect::Notifications { enabled: true } => format!("The notifications of {object} are on again."),
        Effect::Notifications { enabled: false } => format!("The notifications of {object} are stopped."),
        Effect::Checked { .. } | Effect::Comment { .. } => format!("The core holds it: {object}."),
    }
}

fn summary(action: &Action, outcomes: &[String]) -> String {
    let held = outcomes.iter().filter(|outcome| *outcome == "confirmed").count();
    let mut words = match action {
        Action::Downtime { .. } => format!("The core holds {held} of {} downtimes.", outcomes.len()),
        _ => format!("Acknowledged {held} of {} problems.", outcomes.len()),
    };
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| *outcome != "confirmed") {
        *reasons.entry(outcome).or_default() += 1;
    }
    for (reason, count) in reasons {
        words.push_str(&format!("\n{count} not: {reason}"));
    }
    words
}
