//! One problem of one object: the sum of all notifications about it, in order. Its message shows it.
//!
//! Pure. A problem begins with the first notification and ends with the recovery; a later notification begins another
//! one. An acknowledgement, a downtime or flapping stays with the problem until the core says that it is over.
#![warn(clippy::wildcard_enum_match_arm)]

mod hear;
mod origins;

pub(crate) use hear::Novelty;

use crate::model::curve::Curve;
use crate::model::notification::{Contact, Kind, Notification, Severity};
use origins::Origins;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two remarks with the same text within this time are one: ours, and the core's notification of it.
const SAME_REMARK_SECONDS: i64 = 10 * 60;

/// A problem as far as it is known. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Problem {
    /// The last notification about the state; the message shows its output and figures.
    pub(crate) latest: Notification,
    /// When it began; unknown where the first thing heard of it was its end.
    pub(crate) began: Option<i64>,
    /// The worst state it had.
    #[serde(default)]
    pub(crate) worst: Option<String>,
    /// When each state was reached, newest last; the same state again counts once.
    #[serde(default)]
    pub(crate) states: Vec<ReachedState>,
    #[serde(default)]
    pub(crate) acknowledged: Option<Remark>,
    #[serde(default)]
    pub(crate) downtime: Option<Remark>,
    /// Who stopped the core's notifications about it.
    #[serde(default)]
    pub(crate) silenced: Option<Remark>,
    #[serde(default)]
    pub(crate) is_flapping: bool,
    /// For how long nobody has answered it, as of the last step that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unanswered: Option<Unanswered>,
    /// Whoever acknowledged it is asked by this message whether they are still on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_asked: bool,
    /// The last hours of the value that broke its threshold, where a source has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) curve: Option<Curve>,
    /// It goes on: the object is not well.
    pub(crate) is_bad: bool,
    /// It ended.
    #[serde(default)]
    pub(crate) recovered: Option<i64>,
    /// Another problem of the same object began before the end of this one was heard.
    #[serde(default)]
    pub(crate) is_superseded: bool,
    /// The hosts that notify for its core.
    #[serde(default, skip_serializing_if = "Origins::is_empty")]
    origins: Origins,
}

/// A state and when it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReachedState {
    pub(crate) state: String,
    pub(crate) at: i64,
}

/// A person's remark that came through the core: with an acknowledgement or a downtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remark {
    pub(crate) author: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) at: i64,
}

/// That nobody has answered a problem. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unanswered {
    /// When people could first see it.
    pub(crate) since: i64,
    /// When this was counted.
    pub(crate) at: i64,
    /// Who is told next, and when.
    pub(crate) next: Option<(String, i64)>,
}

/// An action that a person took and that the core's state shows. It becomes a notification of our own, with the state
/// that is known by then.
#[derive(Debug, Clone)]
pub(crate) struct ActionTaken {
    pub(crate) kind: Kind,
    /// Unix seconds.
    pub(crate) time: i64,
    pub(crate) author: String,
    pub(crate) comment: Option<String>,
    pub(crate) vars: BTreeMap<String, String>,
}

/// The change that one more notification made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that people don't know already.
    None,
    /// The message shows something else now.
    Shown,
    /// The same, and it is worse than before: people are mentioned again.
    Worse,
}

/// The custom variable that says to whom a problem was handed over.
pub(crate) const NEW_OWNER: &str = "handed_over_to";

/// How many states are remembered of one that goes to and fro.
const STATES_MAX: usize = 50;

impl Problem {
    /// Of an object about which nothing was known, by its first notification.
    pub(crate) fn begin(first: &Notification) -> Self {
        let mut problem = Self {
            latest: first.clone(),
            began: None,
            worst: None,
            states: Vec::new(),
            acknowledged: None,
            downtime: None,
            silenced: None,
            is_flapping: false,
            unanswered: None,
            is_asked: false,
            curve: None,
            is_bad: false,
            recovered: None,
            is_superseded: false,
            origins: Origins::default(),
        };
        problem.apply(first);
        problem
    }

    /// Takes one more notification into account.
    pub(crate) fn apply(&mut self, notification: &Notification) -> Change {
        let was = self.latest.severity();
        let remark = || Remark {
            author: notification.author.clone(),
            comment: notification.comment.clone(),
            at: notification.time,
        };
        match &notification.kind {
            Kind::Custom => return Change::None,
            // Told to one who was told nothing of it before; the message that it goes to begins with it.
            Kind::Unanswered if self.latest != *notification && !self.is_unanswered() => return Change::None,
            Kind::Unanswered => {
                self.unanswered = Unanswered::from_vars(notification);
                if notification.severity() != Severity::Good {
                    self.turn_bad(notification);
                }
            }
            Kind::Acknowledgement if is_known(self.acknowledged.as_ref(), notification) => return Change::None,
            Kind::DowntimeStart if is_known(self.downtime.as_ref(), notification) => return Change::None,
            Kind::StillAsked | Kind::StillOnIt | Kind::HandedOver | Kind::Forgotten if self.acknowledged.is_none() => {
                return Change::None;
            }
            Kind::StillAsked => self.is_asked = true,
            Kind::StillOnIt => self.is_asked = false,
            Kind::HandedOver => {
                self.is_asked = false;
                let comment = notification.author.as_ref().map(|author| format!("handed over by {author}"));
                let author = notification.vars.get(NEW_OWNER).cloned();
                self.acknowledged = Some(Remark { author, comment, at: notification.time });
            }
            Kind::Unacknowledged => self.acknowledged = None,
            Kind::DowntimeScheduled if starts_now(notification) => self.downtime = Some(remark()),
            Kind::NotificationsStopped => self.silenced = Some(remark()),
            Kind::NotificationsResumed => self.silenced = None,
            Kind::Acknowledgement => {
                self.acknowledged = Some(remark());
                self.turn_bad(notification);
            }
            Kind::Problem => {
                // A core says nothing about a problem while it is acknowledged or in downtime: neither holds any more.
                (self.acknowledged, self.downtime, self.recovered) = (None, None, None);
                self.turn_bad(notification);
            }
            Kind::Recovery => {
                (self.is_bad, self.is_flapping, self.downtime) = (false, false, None);
                self.recovered = Some(notification.time);
            }
            Kind::FlappingStart => self.is_flapping = true,
            Kind::FlappingStop | Kind::FlappingDisabled => self.is_flapping = false,
            Kind::DowntimeStart => self.downtime = Some(remark()),
            Kind::DowntimeEnd | Kind::DowntimeCancelled => self.downtime = None,
            Kind::DowntimeScheduled | Kind::Forgotten | Kind::Other(_) => {}
        }
        self.follow_state(notification);
        self.show_latest(notification);
        if !self.is_unanswered() {
            self.unanswered = None;
        }
        self.is_asked = self.is_asked && self.acknowledged.is_some() && self.is_bad;
        // Whoever is to be told that nobody answers is mentioned.
        let worse = (notification.kind == Kind::Problem && notification.severity() > was)
            || matches!(notification.kind, Kind::Unanswered | Kind::HandedOver | Kind::Forgotten);
        if worse { Change::Worse } else { Change::Shown }
    }

    /// Whether nothing more is to be expected of it.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_bad && !self.is_flapping && self.downtime.is_none()
    }

    /// Whether it waits for somebody's answer: it goes on, and nobody has acknowledged it, planned for it, or stopped its
    /// notifications.
    pub(crate) fn is_unanswered(&self) -> bool {
        let is_answered = self.acknowledged.is_some() || self.downtime.is_some() || self.silenced.is_some();
        self.is_bad && !is_answered && !self.is_superseded
    }

    /// Whether a notification is news that its own line says best: not the same state once more.
    pub(crate) fn is_turn(&self, notification: &Notification) -> bool {
        self.states.last().is_none_or(|last| Some(last.state.as_str()) != notification.state_name())
    }

    /// How long it lasted, or has lasted by `now`, in seconds.
    pub(crate) fn lasted(&self, now: i64) -> Option<u64> {
        let end = self.recovered.unwrap_or(now);
        self.began.map(|began| end.saturating_sub(began)).and_then(|span| u64::try_from(span).ok())
    }

    fn turn_bad(&mut self, notification: &Notification) {
        if !self.is_bad {
            self.began = Some(began(notification));
        }
        self.is_bad = true;
    }

    /// Where the type doesn't say how the object is, its state does.
    fn follow_state(&mut self, notification: &Notification) {
        let Some(state) = notification.state_name() else {
            return;
        };
        // An action says nothing about the state; its notification comes with the one that was known then.
        let decides = !matches!(notification.kind, Kind::Problem | Kind::Acknowledgement | Kind::Recovery)
            && !is_action_taken(&notification.kind);
        match notification.severity() {
            Severity::Good if decides => self.is_bad = false,
            Severity::Good => {}
            Severity::Unknown | Severity::Warning | Severity::Critical => {
                if decides {
                    self.turn_bad(notification);
                }
                if self.worst.is_none() || notification.severity() > self.latest.severity() {
                    self.worst = Some(state.to_owned());
                }
            }
        }
        if self.states.last().is_none_or(|last| last.state != state) && self.states.len() < STATES_MAX {
            self.states.push(ReachedState { state: state.to_owned(), at: notification.time });
        }
    }

    /// Shows the last notification; fields that the core left out this time stay as they were.
    fn show_latest(&mut self, notification: &Notification) {
        let before = std::mem::replace(&mut self.latest, notification.clone());
        let latest = &mut self.latest;
        if latest.output.is_empty() && !matches!(latest.kind, Kind::Problem | Kind::Recovery) {
            latest.output = before.output;
            latest.long_output = before.long_output;
        }
        if !matches!(latest.kind, Kind::Problem | Kind::Recovery) {
            if latest.perfdata.is_empty() {
                latest.perfdata = before.perfdata;
            }
            if latest.contact.name.is_none() {
                latest.contact = before.contact;
            }
        }
        latest.ids.problem = latest.ids.problem.take().or(before.ids.problem);
        if latest.state_name().is_none() && latest.kind != Kind::Recovery {
            latest.host.state = before.host.state;
            if let (Some(service), Some(old)) = (&mut latest.service, before.service) {
                service.state = old.state;
            }
        }
    }
}

impl Unanswered {
    /// The custom variables that carry it in a notification of our own.
    const SINCE: &'static str = "unanswered_since";
    const NEXT: &'static str = "unanswered_next";
    const NEXT_AT: &'static str = "unanswered_next_at";

    fn from_vars(notification: &Notification) -> Option<Self> {
        let number = |key: &str| notification.vars.get(key).and_then(|text| text.parse::<i64>().ok());
        let next = notification.vars.get(Self::NEXT).cloned().zip(number(Self::NEXT_AT));
        Some(Self { since: number(Self::SINCE)?, at: notification.time, next })
    }

    /// As custom variables of a notification.
    pub(crate) fn to_vars(&self) -> BTreeMap<String, String> {
        // Empty ones replace those of the step before.
        let (whom, at) = self.next.clone().map_or_else(Default::default, |(whom, at)| (whom, at.to_string()));
        let vars = [(Self::SINCE, self.since.to_string()), (Self::NEXT, whom), (Self::NEXT_AT, at)];
        vars.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

impl ActionTaken {
    /// The notification of it, about an object with this latest notification.
    pub(crate) fn as_notification(&self, latest: &Notification) -> Notification {
        let mut notification = latest.clone();
        (notification.kind, notification.time) = (self.kind.clone(), self.time);
        (notification.author, notification.comment) = (Some(self.author.clone()), self.comment.clone());
        notification.ids.notification = None;
        notification.origin = String::new();
        notification.contact = Contact::default();
        notification.vars.extend(self.vars.clone());
        notification
    }
}

/// Whether it is the core's own notification of something that is shown already.
fn is_known(remark: Option<&Remark>, notification: &Notification) -> bool {
    remark.is_some_and(|remark| {
        remark.author == notification.author
            && remark.comment == notification.comment
            && notification.time.saturating_sub(remark.at).abs() <= SAME_REMARK_SECONDS
    })
}

/// Whether a scheduled downtime has begun when the notification of it comes.
fn starts_now(notification: &Notification) -> bool {
    let start = notification.vars.get("start").and_then(|start| start.parse::<i64>().ok());
    start.is_some_and(|start| start <= notification.time)
}

/// Whether the type is one of ours, about an action that a person took.
pub(crate) fn is_action_taken(kind: &Kind) -> bool {
    match kind {
        Kind::Unacknowledged
        | Kind::DowntimeScheduled
        | Kind::NotificationsStopped
        | Kind::NotificationsResumed
        | Kind::Unanswered
        | Kind::StillAsked
        | Kind::StillOnIt
        | Kind::HandedOver
        | Kind::Forgotten => true,
        Kind::Problem
        | Kind::Recovery
        | Kind::Acknowledgement
        | Kind::FlappingStart
        | Kind::FlappingStop
        | Kind::FlappingDisabled
        | Kind::DowntimeStart
        | Kind::DowntimeEnd
        | Kind::DowntimeCancelled
        | Kind::Custom
        | Kind::Other(_) => false,
    }
}

/// Whether its comment is a sentence of ours.
pub(crate) fn is_by_a_timer(kind: &Kind) -> bool {
    is_action_taken(kind)
        && !matches!(
            kind,
            Kind::Unacknowledged | Kind::DowntimeScheduled | Kind::NotificationsStopped | Kind::NotificationsResumed
        )
}

/// When the notification's state began, as the core says; or when it was sent, if the core's time can't be true.
fn began(notification: &Notification) -> i64 {
    let progress = &notification.progress;
    let by_duration = progress.duration.and_then(|seconds| i64::try_from(seconds).ok());
    let since = progress.last_state_change.or(by_duration.map(|seconds| notification.time.saturating_sub(seconds)));
    since.filter(|&at| at > 0 && at <= notification.time).unwrap_or(notification.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::notification::Fields;

    fn sent(time: i64, kind: &str, state: &str, more: &[(&'static str, &str)]) -> Notification {
        let mut fields = Fields::default();
        for (name, value) in
            [("hostname", "web01"), ("servicedesc", "Disk"), ("notificationtype", kind), ("servicestate", state)]
        {
            fields.put(name, value);
        }
        for (name, value) in more {
            fields.put(name, value);
        }
        let mut notification = fields.into_notification(time);
        notification.time = time;
        notification
    }

    #[test]
    fn a_problem_lasts_from_its_first_notification_to_its_recovery() {
        let mut problem = Problem::begin(&sent(100, "PROBLEM", "1", &[("duration", "40")]));
        assert_eq!((problem.began, problem.is_over()), (Some(60), false));
        assert_eq!(problem.apply(&sent(120, "PROBLEM", "2", &[])), Change::Worse);
        assert_eq!(problem.apply(&sent(130, "PROBLEM", "2", &[])), Change::Shown);
        assert_eq!(problem.apply(&sent(150, "PROBLEM", "1", &[])), Change::Shown);
        assert_eq!(problem.apply(&sent(160, "RECOVERY", "0", &[])), Change::Shown);
        assert!(problem.is_over());
        assert_eq!((problem.lasted(999), problem.worst.as_deref()), (Some(100), Some("CRITICAL")));
        let states: Vec<&str> = problem.states.iter().map(|reached| reached.state.as_str()).collect();
        assert_eq!(states, ["WARNING", "CRITICAL", "WARNING", "OK"]);
    }

    #[test]
    fn an_acknowledgement_stays_until_the_core_notifies_again() {
        let mut problem = Problem::begin(&sent(100, "PROBLEM", "2", &[("output", "full")]));
        let ack = sent(110, "ACKNOWLEDGEMENT", "2", &[("author", "dave"), ("comment", "on it")]);
        assert_eq!(problem.apply(&ack), Change::Shown);
        assert_eq!(problem.latest.output, "full");
        let echo = sent(140, "ACKNOWLEDGEMENT", "2", &[("author", "dave"), ("comment", "on it")]);
        assert_eq!(problem.apply(&echo), Change::None, "the core's own notification of it");
        assert!(!problem.is_over());
        let _ = problem.apply(&sent(200, "PROBLEM", "2", &[]));
        assert_eq!(problem.acknowledged, None);
    }

    #[test]
    fn what_begins_with_a_downtime_or_flapping_ends_with_it() {
        let mut problem = Problem::begin(&sent(1, "DOWNTIMESTART", "0", &[]));
        assert!(!problem.is_over() && !problem.is_bad);
        let _ = problem.apply(&sent(2, "DOWNTIMEEND", "0", &[]));
        assert!(problem.is_over());
        let mut problem = Problem::begin(&sent(1, "FLAPPINGSTART", "2", &[]));
        let _ = problem.apply(&sent(2, "FLAPPINGSTOP", "2", &[]));
        assert!(!problem.is_over(), "it stays in a bad state");
        assert!(Problem::begin(&sent(1, "RECOVERY", "0", &[])).is_over());
        assert!(Problem::begin(&sent(1, "CUSTOM", "2", &[])).is_over());
    }

    #[test]
    fn the_cores_ids_tell_problems_apart() {
        let problem = Problem::begin(&sent(1, "PROBLEM", "2", &[("problem-id", "7")]));
        assert!(problem.is_another(&sent(2, "PROBLEM", "2", &[("problem-id", "8")])));
        assert!(!problem.is_another(&sent(2, "PROBLEM", "2", &[("problem-id", "7")])));
        assert!(!problem.is_another(&sent(2, "PROBLEM", "2", &[])));
        assert!(!problem.is_another(&sent(2, "RECOVERY", "0", &[("problem-id", "8")])));
    }
}
