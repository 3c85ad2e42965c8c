//! What a failover forgets is offered again. A server's standby may lack the last commits when it takes over, so a listener
//! keeps imported spool files in `spool/sent/` for a while. Whenever it has connected anew, and at its start, they go back into
//! `spool/new/`; the outbox knows by its name what it has, and nothing is sent twice for that.
//!
//! Killed between two renames, it finds the rest at the next start. Only the machine's disk is needed.

use super::DeliverError;
use crate::state_dir::spool::{Spool, SpoolId};
use crate::system::clock::millis;
use log::warn;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// No standby that somebody promotes is further behind.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// Of an earlier process: received no longer ago than this. The outbox remembers for days.
const RECEIVED: Duration = Duration::from_secs(24 * 60 * 60);
/// Two minutes of the largest storm.
const FILES_MAX: usize = 100_000;

/// The files in `spool/sent/`.
#[derive(Debug)]
pub(super) struct Sent {
    /// When each was imported, by a clock that nobody sets; the oldest first.
    files: VecDeque<(Instant, SpoolId)>,
    /// The number of the connection by which all of them were offered last.
    put_back_on: Option<u64>,
    /// Those that were offered and aren't imported yet. After a crash meanwhile they count as any other file.
    repeated: BTreeSet<SpoolId>,
    /// It offers them; else it only adds to them.
    is_lasting: bool,
}

impl Sent {
    /// With those of an earlier process: they count as new, as nobody knows for sure when they were imported. But the outbox
    /// forgets in time what it had: what was received long before is not news to anybody.
    /// `now_s`: Unix seconds.
    pub(super) fn new(spool: &Spool, now_s: i64) -> Self {
        let now = Instant::now();
        let files = younger(spool, now_s, RECEIVED).into_iter().map(|id| (now, id)).collect();
        Self { files, put_back_on: None, repeated: BTreeSet::new(), is_lasting: true }
    }

    /// For a process without a listener: it adds what it imports, for the next listener to offer. To offer all by itself would
    /// take the time that it has for its own notification.
    pub(super) fn of_a_moment(spool: &Spool, now_s: i64) -> Self {
        let files = younger(spool, now_s, KEPT);
        let excess = if spool.is_cramped() { files.len() } else { files.len().saturating_sub(FILES_MAX) };
        for id in &files[..excess] {
            spool.forget_sent(id);
        }
        Self { files: VecDeque::new(), put_back_on: None, repeated: BTreeSet::new(), is_lasting: false }
    }

    /// Whether this one was offered again and isn't imported yet.
    pub(super) fn is_repeated(&self, id: &SpoolId) -> bool {
        self.repeated.contains(id)
    }

    /// Offers all there are, if this isn't the connection by which that was done.
    pub(super) fn put_back(&mut self, spool: &Spool, connection: u64) {
        self.forget(spool);
        if !self.is_lasting || self.put_back_on == Some(connection) {
            return;
        }
        for (at, id) in std::mem::take(&mut self.files) {
            if let Err(e) = spool.put_back(&id) {
                warn!("a spool file isn't offered again file=spool/sent/{id} reason={:?} action=retry", e.to_string());
                self.files.push_back((at, id));
            } else {
                self.repeated.insert(id);
            }
        }
        self.put_back_on = self.files.is_empty().then_some(connection);
    }

    /// It is in the outbox.
    pub(super) fn keep(&mut self, spool: &Spool, id: &SpoolId) -> Result<(), DeliverError> {
        spool.keep_sent(id)?;
        self.repeated.remove(id);
        self.files.push_back((Instant::now(), id.clone()));
        Ok(())
    }

    /// Removes files that were kept long enough, and the oldest ones while they are too many or the disk is nearly full.
    fn forget(&mut self, spool: &Spool) {
        let is_cramped = !self.files.is_empty() && spool.is_cramped();
        while let Some((at, id)) = self.files.front()
            && (is_cramped || at.elapsed() > KEPT || self.files.len() > FILES_MAX)
        {
            spool.forget_sent(id);
            self.files.pop_front();
        }
    }
}

/// The files that were received in this time; older ones are removed.
fn younger(spool: &Spool, now_s: i64, age: Duration) -> Vec<SpoolId> {
    let oldest = now_s.saturating_sub(millis(age) / 1000);
    let is_old = |id: &SpoolId| id.received().is_some_and(|at| at < oldest);
    let (old, files): (Vec<_>, Vec<_>) = spool.sent().into_iter().partition(is_old);
    for id in &old {
        spool.forget_sent(id);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::incoming::Incoming;
    use crate::model::notification::Notification;
    use crate::state_dir::spool::Entry;

    #[test]
    fn what_was_imported_is_put_back_once_for_each_connection() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path());
        let put =
            || spool.put(&Entry { received: 5, incoming: Incoming::Notification(Notification::example()) }).unwrap();
        let (first, second) = (put(), put());
        let mut sent = Sent::new(&spool, 0);
        sent.put_back(&spool, 1);
        sent.keep(&spool, &first).unwrap();
        sent.keep(&spool, &second).unwrap();
        assert_eq!((spool.waiting().0, spool.sent()), (0, vec![first.clone(), second.clone()]));
        sent.put_back(&spool, 1);
        assert_eq!(spool.waiting().0, 0, "the same connection");
        sent.put_back(&spool, 2);
        assert_eq!((spool.oldest(9).unwrap(), spool.sent().len()), (vec![first.clone(), second.clone()], 0));
        sent.keep(&spool, &first).unwrap();
        assert!(!sent.is_repeated(&first) && sent.is_repeated(&second), "until it is imported");
        // Killed before the other one: the next process offers what it finds.
        let mut next = Sent::new(&spool, 0);
        next.put_back(&spool, 1);
        assert_eq!(spool.oldest(9).unwrap(), [first.clone(), second.clone()]);
        next.keep(&spool, &first).unwrap();
        next.files[0].0 = Instant::now().checked_sub(KEPT + Duration::from_secs(1)).unwrap();
        next.put_back(&spool, 1);
        assert_eq!(spool.sent(), [], "too old");
        next.keep(&spool, &second).unwrap();
        let mut late = Sent::new(&spool, first.received().unwrap() + 2 * 86_400);
        late.put_back(&spool, 1);
        assert_eq!((spool.waiting().0, spool.sent()), (0, vec![]), "the outbox may have forgotten that it had it");
        let now = first.received().unwrap();
        let third = put();
        let mut moment = Sent::of_a_moment(&spool, now);
        moment.keep(&spool, &third).unwrap();
        moment.put_back(&spool, 1);
        assert_eq!((spool.waiting().0, spool.sent()), (0, vec![third]), "left to the next listener");
        Sent::of_a_moment(&spool, now + 3600);
        assert_eq!(spool.sent(), []);
    }
}
