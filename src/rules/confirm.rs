//! Whether the core holds what a person wanted: the judgement of a state read back after a command.
//!
//! Pure. An [`Expectation`] is made when the command is sent and kept with it, so that it is still judged after a
//! restart in between.

use crate::model::action::Action;
use crate::model::core_snapshot::{Acknowledged, Acknowledgement, Snapshot, State};
use crate::model::object::Object;
use crate::rules::command::ExternalCommand;
use serde::{Deserialize, Serialize};

/// The state that shows that the core applied a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expectation {
    pub(crate) object: Object,
    /// Who the core must name.
    pub(crate) author: String,
    /// The command's time stamp, Unix seconds by our clock.
    pub(crate) sent_at: i64,
    /// When the state file that was there before the command was written, Unix seconds by the core's clock; `None`
    /// without one, and from older versions.
    #[serde(default)]
    pub(crate) before: Option<i64>,
    pub(crate) effect: Effect,
    /// The commands as they were written, for looking up their result in the core's log.
    pub(crate) lines: Vec<String>,
}

/// The change wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    Acknowledged {
        comment: String,
        /// The core ends it by itself; kept by older versions without it.
        #[serde(default)]
        expires: bool,
    },
    NotAcknowledged,
    Downtime {
        start: i64,
        end: i64,
        comment: String,
        /// Seconds; kept by older versions without it.
        #[serde(default)]
        flexible: Option<u64>,
    },
    NoDowntime {
        id: String,
    },
    /// A check at that time or later has run, or is next.
    Checked {
        at: i64,
    },
    Notifications {
        enabled: bool,
    },
    Comment {
        comment: String,
    },
}

/// The judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(crate) enum Confirmation {
    /// The core has it, by this author.
    Confirmed { author: String },
    /// The state is older than the command, or doesn't show it yet: look again.
    NotYet,
    /// The object has recovered, which ends every acknowledgement: this state can't say whether there was one. The
    /// sentence is for the person, without its full stop, should nothing else show that the core applied it.
    Recovered(String),
    /// It will not come: why, as a sentence for the person, without its full stop.
    Never(String),
}

impl Expectation {
    /// The effect that this command must have. `before`: as in [`Expectation`].
    pub(crate) fn from_command(command: &ExternalCommand, before: Option<i64>) -> Self {
        let effect = match command.action() {
            Action::Acknowledge { comment, expiry, .. } => {
                Effect::Acknowledged { comment: comment.clone(), expires: expiry.is_some() }
            }
            Action::RemoveAcknowledgement => Effect::NotAcknowledged,
            Action::Downtime { start, end, comment, flexible, .. } => Effect::Downtime {
                start: *start,
                end: *end,
                comment: comment.clone(),
                flexible: flexible.map(|length| length.as_secs()),
            },
            Action::CancelDowntime { id } => Effect::NoDowntime { id: id.clone() },
            Action::Recheck { at } => Effect::Checked { at: *at },
            Action::StopNotifications => Effect::Notifications { enabled: false },
            Action::ResumeNotifications => Effect::Notifications { enabled: true },
            Action::Comment { comment, .. } => Effect::Comment { comment: comment.clone() },
        };
        Self {
            object: command.object().clone(),
            author: command.author().to_owned(),
            sent_at: command.time(),
            before,
            effect,
            lines: command.lines(),
        }
    }
}

impl Effect {
    /// Whether the state that shows it bears our mark, so that no older one can look the same.
    fn names_us(&self) -> bool {
        match self {
            Self::Acknowledged { .. } | Self::Downtime { .. } | Self::Comment { .. } | Self::Checked { .. } => true,
            Self::NotAcknowledged | Self::NoDowntime { .. } | Self::Notifications { .. } => false,
        }
    }
}

/// Judges a state. With `is_last` there is no later look: what doesn't show now never will, and the state says why
/// where it can.
///
/// A state from the same second as the command may be from before it, so only a later one speaks against it, or says
/// that something is gone; the one that was there before never does, as a clock set back makes it look later. What shows
/// our own mark counts whenever it was written.
pub(crate) fn judge(expected: &Expectation, snapshot: &Snapshot, is_last: bool) -> Confirmation {
    let state = snapshot.states.get(&expected.object);
    let is_later = snapshot.created > expected.sent_at && expected.before != Some(snapshot.created);
    if (is_later || expected.effect.names_us()) && state.is_some_and(|state| is_confirmed(expected, state, is_last)) {
        return Confirmation::Confirmed { author: expected.author.clone() };
    }
    if !is_later && !is_last {
        return Confirmation::NotYet;
    }
    match obstacle(expected, snapshot, state) {
        Some(obstacle) if is_later => obstacle,
        _ if !is_last => Confirmation::NotYet,
        _ if !is_later => {
            Confirmation::Never("the monitoring core hasn't written its state since then; is it running?".to_owned())
        }
        _ => Confirmation::Never(without_effect(expected, state)),
    }
}

/// Judges the states of several cores of one name that check each by themselves. One that shows our mark is enough: a
/// standby whose core rests shows nothing. That something is gone must not be said by one that never had it, so all that
/// have written their state since then must agree.
///
/// Returns which of the states the judgement is about.
pub(crate) fn judge_all(expected: &Expectation, snapshots: &[Snapshot], is_last: bool) -> (usize, Confirmation) {
    let judged: Vec<Confirmation> = snapshots.iter().map(|snapshot| judge(expected, snapshot, is_last)).collect();
    let is_later = |snapshot: &Snapshot| snapshot.created > expected.sent_at;
    let is_confirmed = |judgement: &Confirmation| matches!(judgement, Confirmation::Confirmed { .. });
    let objects = |(snapshot, judgement): (&Snapshot, &Confirmation)| is_later(snapshot) && !is_confirmed(judgement);
    let confirmed = judged.iter().position(is_confirmed);
    let is_agreed = expected.effect.names_us() || !snapshots.iter().zip(&judged).any(objects);
    let rank = |judgement: &Confirmation| match judgement {
        // While one may still come to it nothing is said.
        Confirmation::NotYet => 0,
        Confirmation::Recovered(_) => 1,
        Confirmation::Never(_) => 2,
        Confirmation::Confirmed { .. } => 3,
    };
    let at = confirmed.filter(|_| is_agreed).or_else(|| (0..judged.len()).min_by_key(|at| rank(&judged[*at])));
    let Some((at, judgement)) = at.and_then(|at| Some((at, judged.into_iter().nth(at)?))) else {
        return (0, Confirmation::NotYet);
    };
    (at, judgement)
}

/// Whether the core's state is as wanted.
fn is_confirmed(expected: &Expectation, state: &State, is_last: bool) -> bool {
    let is_ours = |found: &&Acknowledgement, comment: &str| {
        found.author == expected.author && found.comment == comment && found.time >= expected.sent_at - CLOCK_SECONDS
    };
    match &expected.effect {
        Effect::Acknowledged { comment, .. } => {
            let mut marks = state.acknowledgements.iter().chain(&state.unplaced);
            state.acknowledged != Acknowledged::No && marks.any(|a| is_ours(&a, comment))
        }
        Effect::NotAcknowledged => state.acknowledged == Acknowledged::No,
        Effect::Downtime { start, end, comment, .. } => state.downtimes.iter().any(|downtime| {
            (downtime.start, downtime.end) == (*start, *end)
                && downtime.author == expected.author
                && downtime.comment == *comment
        }),
        Effect::NoDowntime { id } => !state.downtimes.iter().any(|downtime| downtime.id == *id),
        // That it is planned says nothing yet: the core's own next check may be due in that very second.
        Effect::Checked { at } => state.last_check >= *at || is_last && state.next_check == *at,
        Effect::Notifications { enabled } => state.notifications_enabled == *enabled,
        Effect::Comment { comment } => state.comments.iter().chain(&state.unplaced).any(|c| is_ours(&c, comment)),
    }
}

/// The core on another machine may have a clock of its own.
const CLOCK_SECONDS: i64 = 300;

/// The reason in a later state why the effect can't come any more.
fn obstacle(expected: &Expectation, snapshot: &Snapshot, state: Option<&State>) -> Option<Confirmation> {
    let never = |reason: String| Some(Confirmation::Never(reason));
    let Some(state) = state else {
        return never(format!("the monitoring core doesn't know {}", expected.object));
    };
    if snapshot.program.external_commands_checked == Some(false) {
        return never("the monitoring core takes no external commands (check_external_commands=0)".to_owned());
    }
    match &expected.effect {
        Effect::Acknowledged { .. } if state.code == 0 => {
            Some(Confirmation::Recovered(format!("{} has already recovered", expected.object)))
        }
        _ => None,
    }
}

/// The last word when nothing happened.
fn without_effect(expected: &Expectation, state: Option<&State>) -> String {
    let before = state.filter(|_| matches!(expected.effect, Effect::Acknowledged { .. }));
    before
        .and_then(|state| acknowledged_before(&expected.object, state))
        .unwrap_or_else(|| "the monitoring core did not apply the command".to_owned())
}

/// Who acknowledged an object before, and when; `None` when nobody did. Also for a core that refuses a second
/// acknowledgement without saying whose the first is.
pub(crate) fn acknowledged_before(object: &Object, state: &State) -> Option<String> {
    if state.acknowledged == Acknowledged::No {
        return None;
    }
    let Some(other) = state.acknowledgement() else {
        return Some(format!("{object} was acknowledged already; the core doesn't say by whom"));
    };
    let time = jiff::Timestamp::from_second(other.time).unwrap_or_default().strftime("%Y-%m-%d %H:%M UTC");
    Some(format!("{object} was acknowledged already, by {} at {time}: {}", other.author, other.comment))
}

#[cfg(test)]
mod tests;
