//! The one message of a problem, as it is edited from its first word to its recovery.

use super::{AvailableAction, Card, Interactivity, RenderContext, TimelineEntry, Tone, card, phrases};
use crate::model::notification::{Kind, Notification};
use crate::model::problem::{Problem, Remark, Unanswered};
use crate::model::time_text::span;

/// The problem as it is now.
pub(crate) fn problem_card(problem: &Problem, facts: &RenderContext<'_>) -> Card {
    let latest = &problem.latest;
    let mut card = card(latest, facts);
    if problem.is_bad {
        // What was measured belongs to the problem, whoever spoke last.
        card.measure(&latest.perfdata);
    }
    (card.tone, card.head) = (tone(problem), head(problem));
    let parts: Vec<String> =
        [card.lead.take().filter(|_| has_more_to_show(problem)), lasted(problem)].into_iter().flatten().collect();
    card.lead = (!parts.is_empty()).then(|| parts.join("; "));
    if problem.is_bad {
        card.add_cause(facts);
    }
    card.comment = None;
    card.available_actions = available_actions(problem, facts);
    card.memory = facts.earlier.map(super::memory::Earlier::memory).unwrap_or_default();
    // Of one that is over, a pace would be wrong.
    card.curve = problem.curve.clone().filter(|curve| problem.is_bad && curve.has_text());
    for (what, remark) in [
        ("acknowledged", &problem.acknowledged),
        ("in downtime, scheduled", &problem.downtime),
        ("the core's notifications about it were stopped", &problem.silenced),
    ] {
        if let Some(remark) = remark {
            card.marks.push(TimelineEntry { what: by(what, remark), at: remark.at, holds: true });
            card.comment = remark.comment.clone().or(card.comment);
        }
    }
    if problem.is_asked {
        card.lead = Some("are you still on it?".to_owned());
    }
    card.marks.extend(problem.unanswered.as_ref().map(unanswered));
    card
}

/// `unanswered for 12 min; next: @dba-lead`, with the time of the next step; without one, since when.
fn unanswered(unanswered: &Unanswered) -> TimelineEntry {
    let seconds = |until: i64| span(u64::try_from(until.saturating_sub(unanswered.since)).unwrap_or(0));
    let (what, at) = match &unanswered.next {
        Some((whom, at)) => (format!("unanswered for {}; next: {whom} at", seconds(unanswered.at)), *at),
        None => {
            (format!("unanswered for {}; nobody else is told; first seen", seconds(unanswered.at)), unanswered.since)
        }
    };
    TimelineEntry { what, at, holds: true }
}

/// The message that shows several notifications of one problem at once, or a later one of a problem that has messages
/// already: without edits there is no other way to say what belongs together.
pub(crate) fn combined_card(problem: &Problem, updates: &[&Notification], facts: &RenderContext<'_>) -> Card {
    let Some((last, before)) = updates.split_last() else {
        return problem_card(problem, facts);
    };
    if before.is_empty() {
        let mut card = card(last, facts);
        card.available_actions = available_actions(problem, facts);
        if last.kind == Kind::Problem {
            card.add_cause(facts);
            card.memory = facts.earlier.map(super::memory::Earlier::memory).unwrap_or_default();
            // Of one that is over, a pace would be wrong.
            card.curve = problem.curve.clone().filter(|curve| problem.is_bad && curve.has_text());
        }
        if let (Kind::Recovery, Some(began)) = (&last.kind, problem.began) {
            card.lead = lasted(problem);
            card.marks.push(TimelineEntry { what: "recovers the problem of".to_owned(), at: began, holds: false });
        }
        return card;
    }
    let mut card = problem_card(problem, facts);
    let history =
        before.iter().map(|update| TimelineEntry { what: phrases::head(update), at: update.time, holds: false });
    card.marks = history.chain(card.marks).collect();
    card
}

impl Card {
    /// Says what hangs below it and what it hangs below.
    fn add_cause(&mut self, facts: &RenderContext<'_>) {
        let Some(cause) = facts.cause else { return };
        let parts: Vec<String> = self.lead.take().into_iter().chain(cause.sentences()).collect();
        self.lead = (!parts.is_empty()).then(|| parts.join("; "));
        self.links.extend(cause.link());
    }
}

/// What makes sense in this state and can work.
fn available_actions(problem: &Problem, facts: &RenderContext<'_>) -> Vec<AvailableAction> {
    let interactivity = facts.interactivity;
    if interactivity == Interactivity::Nothing || problem.is_superseded {
        return Vec::new();
    }
    let has_forms = interactivity == Interactivity::Forms;
    let mut available_actions = Vec::new();
    if problem.is_asked && problem.is_bad && has_forms {
        return vec![AvailableAction::StillOnIt, AvailableAction::HandOver, AvailableAction::RemoveAcknowledgement];
    }
    if problem.is_bad {
        match problem.acknowledged {
            Some(_) => available_actions.push(AvailableAction::RemoveAcknowledgement),
            None if has_forms => {
                available_actions.extend([AvailableAction::Acknowledge, AvailableAction::AcknowledgeWith]);
            }
            None => available_actions.push(AvailableAction::Acknowledge),
        }
        available_actions.extend(has_forms.then_some(AvailableAction::Downtime));
        available_actions.push(AvailableAction::Recheck);
    }
    match problem.silenced {
        Some(_) => available_actions.push(AvailableAction::ResumeNotifications),
        None if problem.is_bad => available_actions.push(AvailableAction::StopNotifications),
        None => {}
    }
    if facts.asks_verdict && !problem.is_bad && problem.recovered.is_some() {
        available_actions.extend([AvailableAction::WorthIt, AvailableAction::Noise]);
    }
    let has_earlier = facts.earlier.is_some_and(|earlier| !earlier.problems.is_empty());
    available_actions.extend(has_earlier.then_some(AvailableAction::LastTimes));
    available_actions
}

fn by(what: &str, remark: &Remark) -> String {
    match &remark.author {
        Some(author) => format!("{what} by {author}"),
        None => what.to_owned(),
    }
}

fn tone(problem: &Problem) -> Tone {
    if problem.is_superseded {
        return Tone::Quiet;
    }
    if !problem.is_bad {
        return phrases::tone(&problem.latest);
    }
    match (&problem.acknowledged, &problem.downtime) {
        (Some(_), _) => Tone::Acknowledged,
        (None, Some(_)) => Tone::Quiet,
        (None, None) if problem.is_flapping => Tone::Quiet,
        (None, None) => phrases::tone_of(problem.latest.severity()),
    }
}

fn head(problem: &Problem) -> String {
    let state = problem.latest.state_name().unwrap_or("UNKNOWN STATE");
    let is_known = !matches!(problem.latest.kind, Kind::Other(_));
    let first = match problem {
        Problem { is_superseded: true, .. } => "SUPERSEDED",
        Problem { is_bad: true, acknowledged: Some(_), .. } => "ACKNOWLEDGED",
        Problem { is_bad: true, downtime: Some(_), .. } => "IN DOWNTIME",
        Problem { is_bad: true, is_flapping: true, .. } => "FLAPPING",
        Problem { is_bad: true, .. } if is_known && problem.latest.kind != Kind::Problem => return state.to_owned(),
        _ => return phrases::head(&problem.latest),
    };
    format!("{first}, {state}")
}

/// Whether the last notification's own sentence adds to what the marks say.
fn has_more_to_show(problem: &Problem) -> bool {
    match problem.latest.kind {
        Kind::Acknowledgement
        | Kind::DowntimeStart
        | Kind::NotificationsStopped
        | Kind::Unanswered
        | Kind::StillAsked
        | Kind::StillOnIt
        | Kind::HandedOver
        | Kind::Forgotten => false,
        Kind::Unacknowledged
        | Kind::DowntimeScheduled
        | Kind::NotificationsResumed
        | Kind::Problem
        | Kind::Recovery
        | Kind::FlappingStart
        | Kind::FlappingStop
        | Kind::FlappingDisabled
        | Kind::DowntimeEnd
        | Kind::DowntimeCancelled
        | Kind::Custom
        | Kind::Other(_) => true,
    }
}

/// `was CRITICAL for 42 min`, of one that is over.
fn lasted(problem: &Problem) -> Option<String> {
    if problem.is_superseded {
        return Some("a newer problem of it was reported before this one's end".to_owned());
    }
    let recovered = problem.recovered?;
    let worst = problem.worst.as_deref().unwrap_or("not well");
    problem.lasted(recovered).map(|seconds| format!("was {worst} for {}", span(seconds)))
}
