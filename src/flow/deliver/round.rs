//! One look at all queues.

use super::{CALL_MIN, DeliverError, Deliverer};
use crate::store::Planned;
use std::time::Duration;

/// After so long a lease that isn't sure is looked at again.
const UNSURE_MS: i64 = 300;
/// So many queues are looked at together where the outbox is on a server.
const LOOKED_AT_SHARED: usize = 20;

/// The result of one round over all queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) attempts: usize,
    /// When something is due next, in Unix ms; `None` when nothing waits.
    pub(crate) next: Option<i64>,
    /// Something was put into another queue, perhaps one of another share.
    pub(crate) rerouted: bool,
}

impl Deliverer {
    /// Sends at most one message per queue of its share, so that no channel waits for another's queue. `until`: Unix ms by which
    /// the caller must be done. `stop` is asked between two messages.
    pub(crate) fn round(&mut self, until: Option<i64>, stop: &dyn Fn() -> bool) -> Result<Round, DeliverError> {
        let mut round = Round { attempts: 0, next: self.awaited, rerouted: false };
        if self.leadership.is_none() {
            return Ok(round);
        }
        if self.is_unsure() {
            round.next = Some(self.now_ms().saturating_add(UNSURE_MS));
            return Ok(round);
        }
        // A notify leaves it to the listeners: it has little time.
        if until.is_none() {
            self.repair_due(stop)?;
        }
        if self.simulated.is_none() {
            self.renew(self.budget(until));
        }
        let share = self.share.clone();
        let mut queues = self.store.queues()?;
        queues.retain(|queue| share.has(&queue.integration));
        for some in queues.chunks(if self.is_shared() { LOOKED_AT_SHARED } else { 1 }) {
            for (queue, look) in some.iter().zip(self.look(some)?) {
                if self.is_unsure() {
                    round.next = Some(self.now_ms().saturating_add(UNSURE_MS));
                    return Ok(round);
                }
                let budget = self.budget(until);
                if stop() || budget < CALL_MIN {
                    round.next.get_or_insert(self.now_ms());
                    return Ok(round);
                }
                let Some(Planned { ready, .. }) = self.plan(queue, look)? else { continue };
                if ready <= self.now_ms() {
                    round.rerouted |= self.send(queue, budget, stop)?;
                    round.attempts += 1;
                } else {
                    round.next = Some(round.next.map_or(ready, |next| next.min(ready)));
                }
            }
        }
        if round.attempts > 0 {
            // A recorded outcome may have opened a queue that this round didn't see.
            round.next = Some(self.now_ms());
        }
        Ok(round)
    }

    /// Whether another node may lead now.
    fn is_unsure(&self) -> bool {
        self.leadership.as_ref().is_some_and(|leadership| !leadership.is_sure())
    }

    fn budget(&self, until: Option<i64>) -> Duration {
        let left = until.map_or(i64::MAX, |until| until.saturating_sub(self.now_ms()));
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}
