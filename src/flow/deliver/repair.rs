//! Where nodes share an outbox: what Slack said is kept in mind until the outbox has it, and what a sender did that was
//! overtaken meanwhile is repaired (`store/repair` says how).

use super::{DeliverError, Deliverer};
use crate::model::outcome::Outcome;
use crate::store::{Claimed, Pace, Recorded, RecordedOutcome, Repair, StoreError};
use crate::system::clock::millis;
use log::{error, info, warn};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two tries to record an outcome while the database is away.
const RECORD_PAUSE: Duration = Duration::from_millis(200);
/// A process that ends gives up after so long.
const LAST_TRIES: Duration = Duration::from_secs(5);
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);
/// Between two tries to delete a message.
const RETRY_MS: i64 = 10_000;
/// So many channels' paces are kept in mind.
const PACES_MAX: usize = 10_000;

impl Deliverer {
    /// Records an outcome. What Slack said is nowhere else, so while the database is away it is tried again, with the same
    /// claim, until it is there: then it counts, or it is repaired.
    pub(super) fn record(
        &mut self,
        claimed: &Claimed,
        outcome: &RecordedOutcome,
        pace: Pace,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DeliverError> {
        let mut gives_up: Option<Instant> = None;
        let mut is_logged = false;
        loop {
            let now = self.now_ms();
            let recorded = self.store.record_outcome(claimed, outcome, pace, self.config.storm.window, now);
            match recorded {
                Ok(recorded) => {
                    log_repair(claimed, recorded);
                    return Ok(());
                }
                Err(e) if e.is_passing() && gives_up.is_none_or(|at| at > Instant::now()) => {
                    if !is_logged {
                        warn!("outcome not recorded yet reason={:?} action=retry", e.to_string());
                        is_logged = true;
                    }
                    // A sign of life. A changed configuration ends the thread as well, and nothing is given up for that.
                    let _ = stop();
                    if self.exiting.load(Ordering::Relaxed) {
                        gives_up.get_or_insert_with(|| Instant::now() + LAST_TRIES);
                    }
                    std::thread::sleep(RECORD_PAUSE);
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Keeps in mind that the channel holds still after a post.
    pub(super) fn remember_pace(&mut self, claimed: &Claimed, pace: Pace) {
        if claimed.work.is_edit() || self.term().is_none() {
            return;
        }
        let now = self.now_ms();
        if self.paces.len() >= PACES_MAX {
            self.paces.retain(|_, until| *until > now);
        }
        self.paces.insert(claimed.queue.clone(), pace.posts_from);
    }

    /// Deletes the messages that are in Slack twice.
    pub(super) fn repair_due(&mut self, stop: &dyn Fn() -> bool) -> Result<(), DeliverError> {
        if self.term().is_none() {
            return Ok(());
        }
        for repair in self.store.repairs(self.now_ms())? {
            if stop() {
                return Ok(());
            }
            if self.share.has(&repair.integration) {
                self.take_back(&repair)?;
            }
        }
        Ok(())
    }

    fn take_back(&mut self, repair: &Repair) -> Result<(), StoreError> {
        let Repair { integration, channel, ts, .. } = repair;
        let now = self.now_ms();
        // First: whoever is fenced deletes nothing, and no two try at once.
        self.store.postpone_repair(repair, next_try(repair, now))?;
        let Some(configured) = self.integration(integration).cloned() else { return Ok(()) };
        let Ok(client) = self.client(&configured) else { return Ok(()) };
        match client.delete(channel, ts, BUDGET) {
            Ok(()) => info!("message taken back integration={integration} channel={channel} ts={ts}"),
            Err(outcome) if is_gone(&outcome) => {}
            Err(Outcome::Wait { after } | Outcome::Unsure { after }) => {
                return self.store.postpone_repair(repair, now.saturating_add(millis(after)).saturating_add(1));
            }
            Err(outcome) => {
                let reason = outcome.reason().text;
                warn!(
                    "message not taken back yet integration={integration} channel={channel} ts={ts} reason={reason:?}"
                );
                return Ok(());
            }
        }
        self.store.repaired(repair)
    }
}

/// What can't succeed is tried less and less often.
fn next_try(repair: &Repair, now: i64) -> i64 {
    now.saturating_add(RETRY_MS.max(now.saturating_sub(repair.since) / 4))
}

/// Slack has it no more: somebody deleted it.
fn is_gone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::PostAnew { .. })
}

fn log_repair(claimed: &Claimed, recorded: Recorded) {
    let queue = &claimed.queue;
    match recorded {
        Recorded::Done | Recorded::Nothing => {}
        Recorded::Repaired => {
            warn!(
                "another node took over while a message was sent integration={} target={} action=repair",
                queue.integration, queue.target
            );
        }
        Recorded::ShownTwice => error!(
            "another node took over while a message was sent integration={} target={} shown=twice reason=\"a webhook \
             can't take it back\"",
            queue.integration, queue.target
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cant_be_taken_back_is_tried_less_and_less_often() {
        let repair = Repair { integration: "default".into(), channel: "C1".into(), ts: "1.1".into(), since: 0 };
        let day = 24 * 60 * 60 * 1000;
        let tries: Vec<i64> =
            std::iter::successors(Some(0), |now| Some(next_try(&repair, *now))).take_while(|now| *now < day).collect();
        assert_eq!(tries[..3], [0, 10_000, 20_000]);
        assert!(tries.len() < 50, "{} warnings a day", tries.len());
    }
}
