//! The log of deliveries: one line per change.

use super::Deliverer;
use crate::model::outcome::{Outcome, Posted};
use crate::rules::digest::DigestStep;
use crate::rules::retry::Next;
use crate::store::{Claimed, DeliveryQueue, Work};
use log::{error, info, warn};

impl Deliverer {
    /// A delivery is info, a wait is a warning when its reason is new, a dead message is an error.
    pub(super) fn log(&mut self, claimed: &Claimed, next: &Next) {
        if matches!(claimed.work, Work::Digest(DigestStep::MarkShown, _)) {
            return;
        }
        let Claimed { queue: DeliveryQueue { integration, target }, message, .. } = claimed;
        let (id, attempts) = (claimed.queued.first().map_or(0, |queued| queued.id), message.attempts);
        let (object, step) = (claimed.object(), claimed.step());
        if claimed.is_only_a_curve() && !matches!(next, Next::Delivered(_)) {
            info!("curve not added integration={integration} target={target} object={object:?} shown=without_curve");
            return;
        }
        let reason = match next {
            Next::Delivered(posted) => {
                self.last_logged.remove(integration);
                let ts = posted.as_ref().map_or("-", |Posted { ts, .. }| ts);
                info!(
                    "delivered id={id} integration={integration} target={target} object={object:?} step={step} attempts={attempts} ts={ts}"
                );
                return;
            }
            Next::Dead { reason } => {
                error!(
                    "dead id={id} integration={integration} target={target} object={object:?} attempts={attempts} reason={:?}",
                    reason.text
                );
                return;
            }
            Next::Reroute { reason } => {
                error!(
                    "unreachable id={id} integration={integration} target={target} object={object:?} reason={:?} action=reroute",
                    reason.text
                );
                return;
            }
            Next::GiveBack(after) => Outcome::Unsure { after: *after }.reason().text,
            Next::PauseChannel(after) => format!("Slack asks to wait {} s", after.as_secs_f64()),
            Next::PauseIntegration { reason, .. } => {
                let reason = &reason.text;
                if self.last_logged.insert(integration.clone(), reason.clone()).as_ref() != Some(reason) {
                    error!("integration paused integration={integration} reason={reason:?}");
                }
                return;
            }
            Next::Retry { reason, .. } | Next::RetryPlain { reason } | Next::PostAnew { reason } => reason.text.clone(),
        };
        if self.last_logged.insert(integration.clone(), reason.clone()).as_ref() != Some(&reason) {
            warn!(
                "will retry id={id} integration={integration} target={target} object={object:?} attempts={attempts} reason={reason:?}"
            );
        }
    }
}

impl Claimed {
    /// Its object, for the log.
    fn object(&self) -> String {
        match &self.work {
            Work::Post(problem) | Work::Update(problem) | Work::Reply(problem) | Work::PostOnce(problem) => {
                problem.latest.object_label()
            }
            Work::DirectMessage(message) => message.title.clone(),
            Work::Digest(_, stats) | Work::List(stats) => format!("digest of {} problems", stats.problems),
        }
    }

    /// Its step, for the log.
    fn step(&self) -> &'static str {
        match self.work {
            Work::Post(_) | Work::PostOnce(_) | Work::DirectMessage(_) => "post",
            Work::Update(_) if self.is_only_a_curve() => "curve",
            Work::Update(_) => "edit",
            Work::Reply(_) => "reply",
            Work::Digest(DigestStep::Post, _) => "digest",
            Work::Digest(DigestStep::Edit, _) => "digest-edit",
            Work::Digest(DigestStep::Lines, _) | Work::List(_) => "digest-lines",
            Work::Digest(DigestStep::Close | DigestStep::MarkShown, _) => "digest-end",
        }
    }
}
