//! Nobody answers a problem: the next people are told.

use super::{Look, Timers};
use crate::config::{Destination, EscalationStep, Mention};
use crate::flow::deliver::local_time;
use crate::model::core_snapshot::{Acknowledged, State};
use crate::model::notification::{Kind, Notification};
use crate::model::object::Object;
use crate::model::problem::{ActionTaken, Problem, Unanswered};
use crate::model::time_text::span;
use crate::monitoring::{paths, state};
use crate::rules::escalate::{StepTime, step_times};
use crate::rules::route;
use crate::store::{DeliveryQueue, Escalation, NewActionTaken, StepNotice, StoreError, Target};
use crate::system::clock::millis;
use log::{info, warn};
use std::collections::BTreeMap;
use std::time::Duration;

/// The core says that the problem is over, and its notification of that is on its way: look again after so long.
const RECOVERY_WAIT: Duration = Duration::from_secs(30);
/// A state that the core wrote so long ago says nothing of now: the core may be dead, and the silence is told.
const STATE_AGE_MAX_SECONDS: i64 = 10 * 60;
/// A step that is told later than this says so.
const LATE_AFTER_MS: i64 = 60_000;

/// The answer that the core's state shows.
enum Answer {
    /// None, or the state can't be read.
    Nothing,
    /// Messages that don't show it yet are to.
    Taken(ActionTaken),
    Recovered,
}

impl Timers {
    /// Tells every step that is due.
    pub(super) fn escalate(&mut self) -> Result<Look, StoreError> {
        if self.config.escalation.is_empty() {
            return Ok(Look { notified: false, next: None });
        }
        let now = self.now_ms();
        let fingerprint = format!("{:?}", self.config.escalation);
        let floor = self.store.escalation_in_force(&fingerprint, now)?;
        self.store.watch_unanswered(floor, now)?;
        let mut notified = false;
        for row in self.store.due_escalations(now)? {
            notified |= self.climb(&row)?;
        }
        Ok(Look { notified, next: self.store.next_escalation()? })
    }

    /// Does what is due of one row. `true`: something was put into the outbox.
    fn climb(&mut self, row: &Escalation) -> Result<bool, StoreError> {
        let posts = self.store.unanswered_posts(row)?;
        let Some(worst) = posts.first() else {
            self.store.end_escalation(row)?;
            return Ok(false);
        };
        let now = self.now_ms();
        let mut all: Vec<&Problem> = posts.iter().map(|post| &post.problem).collect();
        all.dedup_by_key(|problem| problem.latest.object_key());
        let steps = self.steps(&all);
        let coming = coming(row, &steps, &worst.problem);
        let due: Vec<StepTime> =
            coming.iter().copied().take_while(|step_time| row.since.saturating_add(step_time.offset) <= now).collect();
        let next = coming.get(due.len()).copied();
        let next_at = next.map(|next| row.since.saturating_add(next.offset));
        let Some(last) = due.last().copied() else {
            self.store.postpone_escalation(row, next_at, now)?;
            return Ok(false);
        };
        match self.answer(row, &all) {
            Answer::Nothing => {}
            Answer::Recovered => {
                // Later and later: a core may never notify of it.
                let wait = millis(RECOVERY_WAIT).max(now.saturating_sub(row.since) / 4);
                self.store.postpone_escalation(row, Some(now.saturating_add(wait)), now)?;
                return Ok(false);
            }
            Answer::Taken(action) => {
                // Showing it ends the row; if that can't be shown, it is looked at again.
                self.store.postpone_escalation(row, Some(now.saturating_add(millis(RECOVERY_WAIT))), now)?;
                return self.show_answer(row, &worst.problem, action).map(|()| true);
            }
        }
        // Several that are late are told as one.
        let mut notified: Vec<&EscalationStep> = Vec::new();
        for step in due.iter().map(|step_time| &steps[step_time.step]) {
            if !notified.contains(&step) {
                notified.push(step);
            }
        }
        let queue = posts.iter().find(|post| post.queue.target != Target::Webhook).unwrap_or(worst).queue.clone();
        let (mentions, mut to) = self.addressees(&notified, &queue);
        let mut mentions = mentions;
        let mut rest = self.not_reached(&to);
        if !rest.is_empty() {
            rest.push(self.add_the_next((&coming, due.len()), &steps, &queue, (&mut mentions, &mut to)));
        }
        let next = next.zip(next_at).map(|(next, at)| (steps[next.step].whom(), at / 1000));
        let step = StepNotice {
            row,
            problem: &worst.problem,
            offset: last.offset,
            due: next_at,
            action: self.notice(row, &due, (&notified, all.len()), next, &rest),
            mentions: &mentions,
            to: &to,
        };
        let mode = self.mode();
        let is_new = self.store.record_step(&step, &mode, self.config.storm.window, now)?;
        if is_new {
            let seconds = now.saturating_sub(row.since) / 1000;
            let object = worst.problem.latest.object_label();
            info!("escalated object={object:?} unanswered_seconds={seconds} lines={:?}", lines(&notified));
        }
        Ok(is_new)
    }

    /// The steps whose `match` takes one of the problems, whatever the time of day.
    pub(super) fn steps(&self, problems: &[&Problem]) -> Vec<EscalationStep> {
        let takes = |step: &&EscalationStep| {
            let mut matches = step.matches.clone();
            matches.time = None;
            problems.iter().any(|problem| route::mismatch(&matches, &as_problem(problem), local_time(0)).is_none())
        };
        self.config.escalation.iter().filter(takes).cloned().collect()
    }
}

impl Timers {
    /// Whether somebody answered in the core without a notification of it: nobody is told what isn't so.
    fn answer(&mut self, row: &Escalation, problems: &[&Problem]) -> Answer {
        // A digest is answered problem by problem; each of them is looked at when the core notifies.
        let ([problem], None) = (problems, row.digest) else { return Answer::Nothing };
        let object = Object::of(&problem.latest);
        let Some(core) = paths::core(&self.config, &object.core) else { return Answer::Nothing };
        let snapshot = match state::read(&core, std::slice::from_ref(&object)) {
            Ok(snapshot) => snapshot,
            Err(e) => {
                let reason = e.to_string();
                if self.logged.insert(format!("{} {reason}", core.name)) {
                    warn!("core's state not read before a step core={:?} reason={reason:?} action=tell", core.name);
                }
                return Answer::Nothing;
            }
        };
        let now = self.now_ms() / 1000;
        let is_old = now.saturating_sub(snapshot.created) > STATE_AGE_MAX_SECONDS;
        match snapshot.states.get(&object) {
            Some(state) if !is_old => answer_in(state, now),
            _ => Answer::Nothing,
        }
    }

    /// Lets the messages show what the core's state shows; that ends the row.
    fn show_answer(&mut self, row: &Escalation, problem: &Problem, action: ActionTaken) -> Result<(), StoreError> {
        let now = self.now_ms();
        let id = format!("answer {} {}", row.subject, row.since);
        info!("answered in the core object={:?} action={}", problem.latest.object_label(), action.kind.name());
        let object = problem.latest.object_key();
        let mode = self.mode();
        self.store.show_actions_taken(&[NewActionTaken { id, object, action }], &mode, self.config.storm.window, now)
    }

    /// Who is mentioned in the threads, and the queues of the people and channels that get the problem themselves.
    pub(super) fn addressees(
        &self,
        steps: &[&EscalationStep],
        queue: &DeliveryQueue,
    ) -> (Vec<String>, Vec<DeliveryQueue>) {
        let (mut mentions, mut to) = (Vec::new(), Vec::new());
        let integrations = &self.config.integrations;
        let is_bot = integrations.iter().any(|found| found.name == queue.integration && found.is_bot());
        let mut add = |target: Target| {
            let queue = DeliveryQueue { integration: queue.integration.clone(), target };
            // A webhook has one channel only.
            if is_bot && !to.contains(&queue) {
                to.push(queue);
            }
        };
        for step in steps {
            for mention in &step.mention {
                let text = mention.to_string();
                if !mentions.contains(&text) {
                    mentions.push(text);
                }
                match mention {
                    Mention::User(id) => add(Target::Channel(id.clone())),
                    Mention::Email(email) => add(Target::Email(email.clone())),
                    Mention::OnCall(name) => {
                        self.people_on_call(name).iter().for_each(|person| add(person_target(person)));
                    }
                    Mention::Here
                    | Mention::Channel
                    | Mention::Everyone
                    | Mention::UserGroup(_)
                    | Mention::Handle(_) => {}
                }
            }
            for destination in &step.to {
                match destination {
                    Destination::Contact => {}
                    Destination::OnCall(name) => {
                        self.people_on_call(name).iter().for_each(|person| add(person_target(person)));
                    }
                    other => add(Target::from(other)),
                }
            }
        }
        (mentions, to)
    }

    /// Whoever was to be told is in Do Not Disturb, or isn't in Slack: the people of the next step learn it now. A sentence says so.
    fn add_the_next(
        &self,
        (coming, notified): (&[StepTime], usize),
        steps: &[EscalationStep],
        queue: &DeliveryQueue,
        (mentions, to): (&mut Vec<String>, &mut Vec<DeliveryQueue>),
    ) -> String {
        let due_now: Vec<usize> = coming[..notified].iter().map(|step_time| step_time.step).collect();
        let next = coming[notified..].iter().map(|step_time| step_time.step).find(|step| !due_now.contains(step));
        let Some(step) = next.and_then(|step| steps.get(step)) else {
            return "nobody else is left to be told".to_owned();
        };
        let (more_mentions, more_to) = self.addressees(&[step], queue);
        mentions.extend(more_mentions.into_iter().filter(|one| !mentions.contains(one)).collect::<Vec<_>>());
        to.extend(more_to.into_iter().filter(|one| !to.contains(one)).collect::<Vec<_>>());
        format!("told {} as well", step.whom())
    }

    fn people_on_call(&self, plan: &str) -> Vec<String> {
        self.store.on_duty(plan).ok().flatten().map(|duty| duty.people).unwrap_or_default()
    }

    /// The notification of a step.
    fn notice(
        &self,
        row: &Escalation,
        due: &[StepTime],
        (notified, problems): (&[&EscalationStep], usize),
        next: Option<(String, i64)>,
        rest: &[String],
    ) -> ActionTaken {
        let now = self.now_ms();
        let offset = due.last().map_or(0, |step_time| step_time.offset);
        let at = row.since.saturating_add(offset);
        let seconds = |ms: i64| span(u64::try_from(ms / 1000).unwrap_or(0));
        let mut comment = format!("nobody has answered for {}", seconds(now.saturating_sub(row.since)));
        if row.digest.is_some() && problems > 1 {
            comment.push_str(&format!("; {problems} problems of this storm wait"));
        }
        let whom: Vec<String> = notified.iter().map(|step| step.whom()).collect();
        comment.push_str(&format!("; told: {}", whom.join(", ")));
        for sentence in rest {
            comment.push_str(&format!("; {sentence}"));
        }
        let behind = now.saturating_sub(at);
        if behind > LATE_AFTER_MS {
            comment.push_str(&format!("; this comes {} late", seconds(behind)));
        }
        let unanswered = Unanswered { since: row.since / 1000, at: now / 1000, next };
        ActionTaken {
            kind: Kind::Unanswered,
            time: now / 1000,
            author: "ackbell".to_owned(),
            comment: Some(comment),
            vars: unanswered.to_vars(),
        }
    }
}

/// The tellings that are still to come, in order: those whose step holds at their time of day.
fn coming(row: &Escalation, steps: &[EscalationStep], problem: &Problem) -> Vec<StepTime> {
    let holds = |step_time: &StepTime| {
        let matches = crate::config::Matcher { time: steps[step_time.step].matches.time.clone(), ..Default::default() };
        let at = local_time(row.since.saturating_add(step_time.offset));
        route::mismatch(&matches, &problem.latest, at).is_none()
    };
    step_times(&steps.iter().collect::<Vec<_>>(), row.done).into_iter().filter(holds).collect()
}

/// The direct messages of a person who is given by id or address.
fn person_target(person: &str) -> Target {
    if person.contains('@') { Target::Email(person.to_owned()) } else { Target::Channel(person.to_owned()) }
}

/// As the matchers of steps see it: every step is about a problem.
fn as_problem(problem: &Problem) -> Notification {
    Notification { kind: Kind::Problem, ..problem.latest.clone() }
}

fn lines(steps: &[&EscalationStep]) -> String {
    steps.iter().map(|step| step.line.to_string()).collect::<Vec<_>>().join(",")
}

fn answer_in(state: &State, now: i64) -> Answer {
    let taken = |kind: Kind, author: Option<&str>, comment: Option<&str>, time: i64| {
        Answer::Taken(ActionTaken {
            kind,
            time,
            author: author.filter(|author| !author.is_empty()).unwrap_or("the core").to_owned(),
            comment: comment.map(str::to_owned),
            vars: BTreeMap::new(),
        })
    };
    if state.acknowledged != Acknowledged::No {
        let by = state.acknowledgement();
        let time = by.map_or(now, |by| by.time);
        return taken(Kind::Acknowledgement, by.map(|by| by.author.as_str()), by.map(|by| by.comment.as_str()), time);
    }
    if state.downtime_depth > 0 {
        let begun = state.downtimes.iter().find(|downtime| downtime.start <= now && now < downtime.end);
        let author = begun.map(|downtime| downtime.author.as_str());
        return taken(Kind::DowntimeStart, author, begun.map(|downtime| downtime.comment.as_str()), now);
    }
    if !state.notifications_enabled {
        return taken(Kind::NotificationsStopped, None, None, now);
    }
    if state.code == 0 && !state.is_pending { Answer::Recovered } else { Answer::Nothing }
}
