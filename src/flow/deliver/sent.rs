//! What a failover forgets is offered again. A server's standby may lack the last commits when it takes over, so a listener
//! keeps imported spool files in `spool/sent/` for a while. Whenever it has connected anew, and at its start, they are imported
//! once more from there; the outbox knows by its name what it has, and nothing is sent twice for that.
//!
//! They stay where they are: killed meanwhile, the next process offers all of them. Only the machine's disk is needed.

use super::DeliverError;
use crate::state_dir::spool::{Spool, SpoolId};
use crate::system::clock::millis;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// No standby that somebody promotes is further behind.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// Of an earlier process: received no longer ago than this. The outbox remembers for days.
const RECEIVED: Duration = Duration::from_secs(24 * 60 * 60);
/// Two minutes of the largest storm.
const FILES_MAX: usize = 100_000;
/// How often the server is asked whether it is still the one that has them, where nothing else is to be imported.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// The files in `spool/sent/`.
#[derive(Debug)]
pub(super) struct Sent {
    /// When each was imported, by a clock that nobody sets; the oldest first. The connection has them all.
    files: VecDeque<(Instant, SpoolId)>,
    /// Those that may have been forgotten, and are to be imported once more.
    offered: BTreeSet<SpoolId>,
    /// The number of the connection by which the others were imported.
    connection: Option<u64>,
    looked: Option<Instant>,
    /// It offers them; else it only adds to them.
    is_lasting: bool,
}

impl Sent {
    /// With those of an earlier process: they count as new, as nobody knows for sure when they were imported. But the outbox
    /// forgets in time what it had: what was received long before is not news to anybody.
    /// `now_s`: Unix seconds.
    pub(super) fn new(spool: &Spool, now_s: i64) -> Self {
        let now = Instant::now();
        let files = young(spool, now_s).into_iter().map(|id| (now, id)).collect();
        Self { files, offered: BTreeSet::new(), connection: None, looked: None, is_lasting: true }
    }

    /// For a process without a listener: it adds what it imports, for the next listener to offer. To offer all by itself would
    /// take the time that it has for its own notification.
    pub(super) fn of_a_moment(spool: &Spool, now_s: i64) -> Self {
        let files = young(spool, now_s);
        let excess = if spool.is_cramped() { files.len() } else { files.len().saturating_sub(FILES_MAX) };
        for id in &files[..excess] {
            spool.forget_sent(id);
        }
        let files = VecDeque::new();
        Self { files, offered: BTreeSet::new(), connection: None, looked: None, is_lasting: false }
    }

    /// Whether this one is offered again and isn't imported yet.
    pub(super) fn is_offered(&self, id: &SpoolId) -> bool {
        self.offered.contains(id)
    }

    /// Whether the server is to be asked by which connection it answers. Also where there is nothing new: a failover that nobody
    /// notices forgets, too.
    pub(super) fn is_look_due(&self, is_any_new: bool) -> bool {
        let is_time = || self.looked.is_none_or(|last| last.elapsed() >= LOOK_INTERVAL);
        self.is_lasting && (is_any_new || !self.offered.is_empty() || (!self.files.is_empty() && is_time()))
    }

    /// The server has answered by this connection: offers all that came by another one, and forgets what it has had for long
    /// enough. What is offered is given, the oldest first, and at most so many.
    pub(super) fn repeat(&mut self, spool: &Spool, connection: u64, most: usize) -> Vec<SpoolId> {
        self.looked = Some(Instant::now());
        if self.is_lasting && self.connection != Some(connection) {
            self.offered.extend(self.files.drain(..).map(|(_, id)| id));
            self.connection = Some(connection);
        }
        self.forget(spool, |at, count| at.elapsed() > KEPT || count > FILES_MAX);
        self.offered.iter().take(most).cloned().collect()
    }

    /// It is in the outbox.
    pub(super) fn keep(&mut self, spool: &Spool, id: &SpoolId, is_sent: bool) -> Result<(), DeliverError> {
        if !is_sent {
            spool.keep_sent(id)?;
        }
        self.offered.remove(id);
        self.files.push_back((Instant::now(), id.clone()));
        Ok(())
    }

    /// It is nothing that can be imported.
    pub(super) fn give_up(&mut self, spool: &Spool, id: &SpoolId) {
        self.offered.remove(id);
        spool.forget_sent(id);
    }

    /// Gives a disk that is nearly full the room of what the server has.
    pub(super) fn make_room(&mut self, spool: &Spool) {
        if !self.files.is_empty() && spool.is_cramped() {
            self.forget(spool, |_, _| true);
        }
    }

    /// Removes the oldest files while they are to go, by when each was imported and how many there are.
    fn forget(&mut self, spool: &Spool, is_to_go: impl Fn(&Instant, usize) -> bool) {
        while let Some((at, id)) = self.files.front()
            && is_to_go(at, self.files.len())
        {
            spool.forget_sent(id);
            self.files.pop_front();
        }
    }
}

/// The files that were received not too long ago; older ones are removed.
fn young(spool: &Spool, now_s: i64) -> Vec<SpoolId> {
    let oldest = now_s.saturating_sub(millis(RECEIVED) / 1000);
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
    use std::slice;

    fn long_ago() -> Instant {
        Instant::now().checked_sub(KEPT + Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn what_was_imported_is_offered_once_for_each_connection() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path());
        let put =
            || spool.put(&Entry { received: 5, incoming: Incoming::Notification(Notification::example()) }).unwrap();
        let (first, second) = (put(), put());
        let mut sent = Sent::new(&spool, 0);
        assert!(sent.repeat(&spool, 1, 9).is_empty() && !sent.is_look_due(false));
        sent.keep(&spool, &first, false).unwrap();
        sent.keep(&spool, &second, false).unwrap();
        assert_eq!((spool.waiting().0, spool.sent()), (0, vec![first.clone(), second.clone()]));
        assert_eq!(sent.repeat(&spool, 1, 9), [], "the same connection");
        // An outage that is longer than a file is kept: they are offered before any is removed.
        sent.files[0].0 = long_ago();
        assert_eq!(sent.repeat(&spool, 2, 9), [first.clone(), second.clone()]);
        assert_eq!(sent.repeat(&spool, 2, 1), slice::from_ref(&first));
        sent.keep(&spool, &first, true).unwrap();
        assert!(!sent.is_offered(&first) && sent.is_offered(&second), "until it is imported");
        assert!(sent.is_look_due(false), "that one is to come yet");
        // Killed before that: the next process offers both.
        let mut next = Sent::new(&spool, 0);
        assert!(next.is_look_due(false));
        assert_eq!(next.repeat(&spool, 1, 9), [first.clone(), second.clone()]);
        next.keep(&spool, &first, true).unwrap();
        next.files[0].0 = long_ago();
        assert_eq!(next.repeat(&spool, 1, 9), slice::from_ref(&second));
        assert_eq!(spool.sent(), slice::from_ref(&second), "the other one is too old");
        next.give_up(&spool, &second);
        assert!(!next.is_offered(&second) && spool.sent().is_empty());
    }

    #[test]
    fn a_server_that_nobody_asks_is_asked_now_and_then() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path());
        let entry = Entry { received: 5, incoming: Incoming::Notification(Notification::example()) };
        let mut sent = Sent::new(&spool, 0);
        sent.repeat(&spool, 1, 9);
        sent.keep(&spool, &spool.put(&entry).unwrap(), false).unwrap();
        assert!(!sent.is_look_due(false));
        sent.looked = Instant::now().checked_sub(LOOK_INTERVAL);
        assert!(sent.is_look_due(false));
        sent.repeat(&spool, 1, 9);
        assert!(!sent.is_look_due(false));
    }

    #[test]
    fn a_process_of_a_moment_leaves_them_to_the_next_listener() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path());
        let id = spool.put(&Entry { received: 5, incoming: Incoming::Notification(Notification::example()) }).unwrap();
        let now = id.received().unwrap();
        let mut moment = Sent::of_a_moment(&spool, now);
        moment.keep(&spool, &id, false).unwrap();
        assert!(!moment.is_look_due(false) && moment.repeat(&spool, 1, 9).is_empty());
        // Also where the database was away for longer than a listener keeps a file.
        Sent::of_a_moment(&spool, now + 3600);
        assert_eq!((spool.waiting().0, spool.sent()), (0, vec![id]));
        Sent::new(&spool, now + 2 * 86_400);
        assert_eq!(spool.sent(), [], "the outbox may have forgotten that it had it");
    }
}
