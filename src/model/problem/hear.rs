//! What one more notification means beside those that came from other origins of the same core.

use super::Problem;
use crate::model::notification::{Kind, Notification, Severity};

/// What a notification means. [`Problem::apply`] is for what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Novelty {
    /// It counts.
    News,
    /// Another origin said it, or it is about an end that people know.
    Known,
    /// The core has said something newer through another origin: history, not state.
    Older,
    /// A recovery that doesn't count yet: another core still calls it bad.
    Waits,
    /// The problem that seemed to be over goes on.
    GoesOn,
}

impl Problem {
    /// Takes note of who says it, at `now` by our clock in Unix seconds, and tells what that means.
    pub(crate) fn hear(&mut self, notification: &Notification, now: i64) -> Novelty {
        let origin = notification.origin.as_str();
        if origin.is_empty() {
            return Novelty::News;
        }
        let (called_it_bad, continues) = (self.origins.calls_it_bad(origin), self.continues(notification));
        let is_known = self.origins.record(notification, now);
        let is_recovery = notification.kind == Kind::Recovery;
        if notification.is_redundant && is_recovery && self.is_bad && called_it_bad {
            // Each has to say it for itself, although the others have.
            return if self.origins.others_call_it_bad(origin) { Novelty::Waits } else { Novelty::News };
        }
        if is_known {
            return Novelty::Known;
        }
        if !notification.is_redundant {
            return if self.is_history(notification, now) { Novelty::Older } else { Novelty::News };
        }
        if notification.kind == Kind::Problem && continues {
            return Novelty::GoesOn;
        }
        // It isn't over by what this one says of a downtime, or of another problem, while the others call it bad.
        let is_uninformative = self.origins.others_call_it_bad(origin)
            && notification.severity() == Severity::Good
            && notification.kind != Kind::Custom;
        if is_uninformative || (is_recovery && self.is_over()) { Novelty::Known } else { Novelty::News }
    }

    /// Whether the origins of it disagree: a recovery waits then.
    pub(crate) fn is_disputed(&self) -> bool {
        self.is_bad && self.origins.disagree()
    }

    /// Whether the notification speaks of another problem than this one, by the core's own ids. A core whose ids
    /// start anew after a restart makes a new card then, rather than one that nobody sees.
    ///
    /// Each origin counts for itself. Of redundant cores, one that sees the problem anew while another sees it all the time
    /// speaks of the same.
    pub(crate) fn is_another(&self, notification: &Notification) -> bool {
        let new = notification.ids.problem.as_ref().filter(|_| notification.kind == Kind::Problem);
        let ours = if self.origins.is_empty() || notification.origin.is_empty() {
            self.latest.ids.problem.as_ref()
        } else {
            self.origins.problem_id(&notification.origin)
        };
        let is_anothers = notification.is_redundant && self.origins.others_call_it_bad(&notification.origin);
        matches!((ours, new), (Some(ours), Some(new)) if ours != new) && !is_anothers
    }

    /// Whether an end that people saw wasn't one: an origin that was silent until then still calls it bad, or called it bad
    /// before another one's recovery and is only heard now.
    fn continues(&self, notification: &Notification) -> bool {
        let origin = notification.origin.as_str();
        let Some(ended) = self.recovered.filter(|_| !self.is_bad) else { return false };
        if !self.origins.knows(origin) {
            return self.latest.origin != origin && notification.time <= ended;
        }
        let is_same = match (self.origins.problem_id(origin), &notification.ids.problem) {
            (Some(ours), Some(new)) => ours == new,
            _ => true,
        };
        self.origins.calls_it_bad(origin) && is_same
    }

    /// Whether the core has said something newer through another origin. A time that is yet to come proves nothing.
    fn is_history(&self, notification: &Notification, now: i64) -> bool {
        let is_others = !self.latest.origin.is_empty() && self.latest.origin != notification.origin;
        is_others
            && notification.kind != Kind::Custom
            && notification.time < self.latest.time
            && self.latest.time <= now
    }
}
