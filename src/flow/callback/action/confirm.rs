//! Looks in the core's state for the effect of the commands that were sent, and updates the messages then.

use super::send::patience_ms;
use super::{ActionWorker, IDLE_PAUSE, audit_row, expiry, finished, request_of};
use crate::config::Core;
use crate::flow::callback::request::{Request, RequestedAction, STILL_ON_IT};
use crate::model::action::Action;
use crate::model::core_snapshot::Snapshot;
use crate::model::notification::Kind;
use crate::model::object::Object;
use crate::model::problem::{ActionTaken, NEW_OWNER};
use crate::model::time_text::span;
use crate::monitoring::{log as core_log, state};
use crate::rules::confirm::{Confirmation, Effect, Expectation, judge};
use crate::slack::forms::HANDED_OVER;
use crate::state_dir::spool::SpoolId;
use crate::store::{
    ActionOutcome, ActionRequest, ActionState, Children, DeliveryQueue, MessageMode, NewActionRequest, NewActionTaken,
    StoreError, Transition,
};
use crate::system::clock;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks at a core while a command isn't confirmed.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How many requests are confirmed together.
const BATCH: u32 = 1000;

/// A request whose command was sent, but not seen in the core's state yet.
struct Unconfirmed {
    kept: ActionRequest,
    request: Request,
    expected: Expectation,
}

/// The results of one round of looks.
#[derive(Default)]
struct Results {
    moves: Vec<(i64, Transition)>,
    rows: Vec<String>,
    actions_taken: Vec<NewActionTaken>,
    timers: Vec<NewActionRequest>,
    confirmed: Vec<(Request, Expectation)>,
}

impl ActionWorker {
    /// Commands that another process sent have their full time from now on: nobody knows how far the clock went meanwhile.
    pub(super) fn restart_patience(&mut self) -> Result<(), StoreError> {
        for kept in self.store.requests(ActionState::Sent, i64::MAX, BATCH)? {
            let core = expectation_of(&kept)?.object.core;
            let patience = self.lookup.core(&core).map_or(0, |core| patience_ms(&core));
            self.store.postpone_request(kept.id, self.clock.now_ms().saturating_add(patience))?;
        }
        Ok(())
    }

    /// Confirms what the core's state shows; returns how long until the next look.
    pub(in crate::flow::callback) fn confirm(&mut self) -> Result<Duration, StoreError> {
        let sent = self.store.requests(ActionState::Sent, i64::MAX, BATCH)?;
        self.seen.retain(|id, _| sent.iter().any(|kept| kept.id == *id));
        let mut by_core: BTreeMap<String, Vec<Unconfirmed>> = BTreeMap::new();
        for kept in sent {
            let request = request_of(&kept)?;
            let expected = expectation_of(&kept)?;
            by_core.entry(expected.object.core.clone()).or_default().push(Unconfirmed { kept, request, expected });
        }
        let mut results = Results::default();
        for (name, waiting) in &by_core {
            let Some(core) = self.lookup.core(name) else {
                for one in waiting {
                    results.end(one, "not seen", &format!("ackbell's configuration no longer has a [cores.{name}]."));
                }
                continue;
            };
            self.look(&core, waiting, &mut results)?;
        }
        self.record_confirmed(&results)?;
        self.combine_children()?;
        let is_waiting = !self.store.requests(ActionState::Sent, i64::MAX, 1)?.is_empty();
        Ok(if is_waiting { LOOK_INTERVAL } else { IDLE_PAUSE })
    }

    /// Reads the core's state once for all that wait for it.
    fn look(&mut self, core: &Core, waiting: &[Unconfirmed], results: &mut Results) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let newest = waiting.iter().map(|one| one.kept.id).max().unwrap_or(0);
        let first_sent = waiting.iter().map(|one| one.expected.sent_at).min().unwrap_or(0);
        let is_over = |one: &Unconfirmed| one.kept.due <= now;
        if !waiting.iter().any(is_over) && !self.state_reads.is_worth(core, newest, first_sent) {
            return Ok(());
        }
        let objects: Vec<Object> = waiting.iter().map(|one| one.expected.object.clone()).collect();
        let snapshot = match state::read(core, &objects) {
            Ok(snapshot) => snapshot,
            Err(e) => {
                for one in waiting.iter().filter(|one| is_over(one)) {
                    results.end(
                        one,
                        "not seen",
                        &format!("Sent, but ackbell can't see whether the core applied it: {e}."),
                    );
                }
                return Ok(());
            }
        };
        let next = self.spool.oldest(1).ok().and_then(|oldest| oldest.into_iter().next());
        for one in waiting {
            match judge(&one.expected, &snapshot, is_over(one)) {
                Confirmation::Confirmed { .. } if self.is_behind(one.kept.id, next.as_ref()) && !is_over(one) => {
                    self.state_reads.forget(core);
                }
                Confirmation::Confirmed { .. } => self.confirmed_one(one, &snapshot, results)?,
                Confirmation::NotYet => {}
                Confirmation::Recovered(_) if self.was_applied(core, &one.expected)? => results.end_recovered(one),
                // The core's notification of the acknowledgement may be on its way.
                Confirmation::Recovered(_) if !is_over(one) && logged_reason(core, one).is_none() => {
                    self.state_reads.forget(core);
                }
                Confirmation::Never(reason) | Confirmation::Recovered(reason) => {
                    let why = logged_reason(core, one).unwrap_or(reason);
                    results.end(one, "not taken", &format!("Sent, but the core has not applied it: {why}."));
                }
            }
        }
        Ok(())
    }

    /// Whether the core acknowledged a problem that has recovered since: by its log, else by its own notification of it.
    fn was_applied(&self, core: &Core, expected: &Expectation) -> Result<bool, StoreError> {
        let Expectation { object, sent_at, lines, .. } = expected;
        if lines.iter().any(|line| core_log::met_problem(core, line, *sent_at, object)) {
            return Ok(true);
        }
        // Ours is shown once the request is confirmed, so this one is the core's.
        let problem = self.store.shown_after(expected)?.and_then(|shown| shown.problem);
        let shown = problem.and_then(|problem| problem.acknowledged);
        Ok(shown.is_some_and(|shown| shown.author.as_ref() == Some(&expected.author) && shown.at >= *sent_at))
    }

    /// Whether a notification that `notify` accepted before the effect was seen isn't imported yet. If the messages
    /// showed the acknowledgement first, that notification would end it there, and a core sends nothing more about an
    /// acknowledged problem.
    fn is_behind(&mut self, id: i64, next: Option<&SpoolId>) -> bool {
        let seen = self.seen.entry(id).or_insert_with(SpoolId::fresh);
        next.is_some_and(|next| *next <= *seen)
    }

    fn confirmed_one(
        &mut self,
        one: &Unconfirmed,
        snapshot: &Snapshot,
        results: &mut Results,
    ) -> Result<(), StoreError> {
        let Unconfirmed { kept, request, expected } = one;
        results.rows.push(audit_row(kept, request, None, &expected.lines, "confirmed", ""));
        let state = snapshot.states.get(&expected.object);
        let problem = self.store.shown_after(expected)?.and_then(|shown| shown.problem);
        let label = problem.as_ref().map_or_else(|| expected.object.to_string(), |p| p.latest.object_label());
        let reply = match (&expected.effect, state) {
            (Effect::Checked { at }, Some(state)) => {
                let name = state.name(&expected.object);
                Some(if state.last_check >= *at {
                    format!("Checked: {label} is {name}. {}", state.output)
                } else {
                    format!("Check scheduled for {label}. Current state: {name}. {}", state.output)
                })
            }
            // Asked for by a slash command: there may be no message that shows it.
            _ if matches!(request.requested_action, RequestedAction::One { post: None, .. }) => {
                Some(confirmation(expected, &label))
            }
            _ => None,
        };
        let reply = reply.filter(|_| kept.parent.is_none());
        results.moves.push((kept.id, Transition::Done { outcome: ActionOutcome::Confirmed, reply }));
        if let Some(action_taken) = action_taken(expected, clock::wall_ms() / 1000) {
            let id = format!("act-{}", kept.id);
            results.actions_taken.push(NewActionTaken { id, object: expected.object.key(), action: action_taken });
        }
        if let RequestedAction::One { object, action: Action::Acknowledge { expiry: Some(at), .. }, .. } =
            &request.requested_action
            && let Effect::Acknowledged { comment, expires } = &expected.effect
        {
            // Where the core ends the acknowledgement by itself, its state is only looked at, a little later.
            let at = if *expires { at.saturating_add(expiry::GRACE_SECONDS) } else { *at };
            let (author, comment) = (expected.author.clone(), comment.clone());
            let requested_action = RequestedAction::Expire { object: object.clone(), author, comment };
            let later = Request {
                name: requested_action.name().to_owned(),
                requested_action,
                requester: request.requester.clone(),
            };
            let text = serde_json::to_string(&later).map_err(|e| StoreError::Content(e.to_string()))?;
            let (key, due) = (format!("expire {}", kept.id), at.saturating_mul(1000));
            results.timers.push(NewActionRequest {
                key,
                parent: None,
                name: later.name,
                object: object.key(),
                request: text,
                due,
            });
        }
        results.confirmed.push((request.clone(), expected.clone()));
        Ok(())
    }

    /// Records the results: the timers and the messages' updates first, as a finished request isn't looked at again.
    fn record_confirmed(&mut self, results: &Results) -> Result<(), StoreError> {
        if results.moves.is_empty() {
            return Ok(());
        }
        let now = clock::wall_ms();
        self.store.keep_requests(&results.timers, now)?;
        let config = self.lookup.config();
        let mode = |queue: &DeliveryQueue| crate::flow::deliver::message_mode(&config, queue);
        self.store.show_actions_taken(&results.actions_taken, &mode, config.storm.window, now)?;
        self.store.advance_requests(&results.moves, &results.rows)?;
        self.wake_deliverer();
        for (request, expected) in &results.confirmed {
            self.replace_clicked(request, expected)?;
        }
        Ok(())
    }

    /// Where no token can edit messages, the clicked one is replaced through its response URL.
    fn replace_clicked(&mut self, request: &Request, expected: &Expectation) -> Result<(), StoreError> {
        let Some(shown) = self.store.shown_after(expected)? else {
            return Ok(());
        };
        let config = self.lookup.config();
        if crate::flow::deliver::message_mode(&config, &shown.queue) == MessageMode::WriteOnce
            && let (Some(problem), RequestedAction::One { post, .. }) = (shown.problem, &request.requested_action)
        {
            let message = crate::flow::deliver::replacement(&problem, &config, &shown.queue, post.unwrap_or(0));
            self.respond(&request.requester, message);
        }
        Ok(())
    }

    /// A request that was split ends when all of its parts have.
    fn combine_children(&mut self) -> Result<(), StoreError> {
        for kept in self.store.requests(ActionState::Parent, i64::MAX, BATCH)? {
            let Children { open, outcomes } = self.store.children(kept.id)?;
            if open > 0 {
                continue;
            }
            let request = request_of(&kept)?;
            let sentence = summary(&request.requested_action.action(), &outcomes);
            let rows = [audit_row(&kept, &request, None, &[], "summed up", &sentence)];
            self.store.advance_requests(&[(kept.id, finished(&kept, &sentence))], &rows)?;
        }
        Ok(())
    }
}

fn expectation_of(kept: &ActionRequest) -> Result<Expectation, StoreError> {
    serde_json::from_str(&kept.expectation).map_err(|e| StoreError::Content(e.to_string()))
}

/// Why the core didn't apply a command, where its log knows more than its state.
fn logged_reason(core: &Core, one: &Unconfirmed) -> Option<String> {
    let Expectation { lines, sent_at, .. } = &one.expected;
    let logged = lines.iter().find_map(|line| core_log::command_result(core, line, *sent_at).filter(has_reason));
    logged.map(|logged| logged.to_string())
}

/// Whether the core's log knows more than its state.
fn has_reason(logged: &core_log::CommandLogResult) -> bool {
    match logged {
        core_log::CommandLogResult::Taken => false,
        core_log::CommandLogResult::Failed(reason) => !reason.is_empty(),
        core_log::CommandLogResult::Unknown => true,
    }
}

impl Results {
    /// The core acknowledged the problem, which has recovered since: no message shows an acknowledgement any more, and
    /// none has to end.
    fn end_recovered(&mut self, one: &Unconfirmed) {
        let Unconfirmed { kept, request, expected } = one;
        let detail = "it has recovered since";
        self.rows.push(audit_row(kept, request, None, &expected.lines, "confirmed", detail));
        let sentence = format!("Acknowledged: {} (confirmed by the core); {detail}.", expected.object);
        let reply = kept.parent.is_none().then_some(sentence);
        self.moves.push((kept.id, Transition::Done { outcome: ActionOutcome::Confirmed, reply }));
    }

    /// A request ends without its effect.
    fn end(&mut self, one: &Unconfirmed, step: &str, sentence: &str) {
        self.rows.push(audit_row(&one.kept, &one.request, None, &one.expected.lines, step, sentence));
        self.moves.push((one.kept.id, finished(&one.kept, sentence)));
    }
}

/// The action that the messages about the object will show.
fn action_taken(expected: &Expectation, now: i64) -> Option<ActionTaken> {
    let (kind, comment) = match &expected.effect {
        Effect::Acknowledged { comment, .. } => (Kind::Acknowledgement, Some(comment)),
        Effect::NotAcknowledged => (Kind::Unacknowledged, None),
        Effect::Downtime { comment, .. } => (Kind::DowntimeScheduled, Some(comment)),
        Effect::Notifications { enabled: true } => (Kind::NotificationsResumed, None),
        Effect::Notifications { enabled: false } => (Kind::NotificationsStopped, None),
        Effect::Comment { comment } => return owners_answer(&expected.author, comment, now),
        Effect::NoDowntime { .. } | Effect::Checked { .. } => return None,
    };
    let mut vars = BTreeMap::new();
    if let Effect::Downtime { start, end, flexible, .. } = &expected.effect {
        vars.extend(flexible.map(|length| ("flexible".to_owned(), length.to_string())));
        vars.insert("start".to_owned(), start.to_string());
        vars.insert("end".to_owned(), end.to_string());
    }
    Some(ActionTaken { kind, time: now, author: expected.author.clone(), comment: comment.cloned(), vars })
}

/// An owner's answer to the question whether they are still on it.
fn owners_answer(author: &str, comment: &str, now: i64) -> Option<ActionTaken> {
    let mut vars = BTreeMap::new();
    let (kind, sentence) = match comment.strip_prefix(HANDED_OVER) {
        Some(owner) => {
            vars.insert(NEW_OWNER.to_owned(), owner.to_owned());
            (Kind::HandedOver, format!("{author} handed it over to {owner}"))
        }
        None if comment == STILL_ON_IT => (Kind::StillOnIt, format!("{author} is still on it")),
        None => return None,
    };
    Some(ActionTaken { kind, time: now, author: author.to_owned(), comment: Some(sentence), vars })
}

/// The reply to a slash command once the core has applied it.
fn confirmation(expected: &Expectation, object: &str) -> String {
    match &expected.effect {
        Effect::Acknowledged { .. } => format!("Acknowledged: {object} (confirmed by the core)."),
        Effect::NotAcknowledged => format!("The acknowledgement of {object} is removed."),
        Effect::Downtime { start, end, .. } => {
            let length = span(u64::try_from(end.saturating_sub(*start)).unwrap_or(0));
            format!("Downtime of {length} scheduled for {object} (confirmed by the core).")
        }
        Effect::NoDowntime { .. } => format!("The downtime of {object} is cancelled."),
        Effect::Notifications { enabled: true } => format!("The notifications of {object} are resumed."),
        Effect::Notifications { enabled: false } => format!("The notifications of {object} are stopped."),
        Effect::Checked { .. } | Effect::Comment { .. } => format!("Done: {object} (confirmed by the core)."),
    }
}

fn summary(action: &Action, outcomes: &[ActionOutcome]) -> String {
    let confirmed = outcomes.iter().filter(|outcome| **outcome == ActionOutcome::Confirmed).count();
    let mut text = match action {
        Action::Downtime { .. } => format!("Scheduled {confirmed} of {} downtimes.", outcomes.len()),
        _ => format!("Acknowledged {confirmed} of {} problems.", outcomes.len()),
    };
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        if let ActionOutcome::NotConfirmed(reason) = outcome {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    for (reason, count) in reasons {
        text.push_str(&format!("\n{count} not: {reason}"));
    }
    text
}
