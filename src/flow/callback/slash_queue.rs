//! The slash requests that wait for a worker: in order, but one at a time of each person, so that one person's slow
//! requests delay nobody else's.

use super::slash_request::SlashRequest;
use std::collections::{HashSet, VecDeque};
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many may wait.
const WAITING_MAX: usize = 64;
/// How many of one person.
const PERSON_MAX: usize = 3;

#[derive(Default)]
pub(super) struct SlashQueue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<SlashRequest>,
    /// The people whose request is being answered.
    busy: HashSet<String>,
    is_closed: bool,
}

/// A request that is being answered; the person's next one waits until this is dropped.
pub(super) struct InProgress<'a> {
    queue: &'a SlashQueue,
    request: SlashRequest,
}

impl SlashQueue {
    /// Queues a request; an error is a sentence for the person.
    pub(super) fn push(&self, request: SlashRequest) -> Result<(), &'static str> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err("ackbell is being restarted; ask again in a moment.");
        }
        let person = request.requester.key();
        let own = inner.waiting.iter().filter(|other| other.requester.key() == person).count();
        if own >= PERSON_MAX {
            return Err("Your last commands are still being answered; wait for them.");
        }
        if inner.waiting.len() >= WAITING_MAX {
            return Err("ackbell is busy with other people's commands; try again in a moment.");
        }
        inner.waiting.push_back(request);
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a request of a person whose last one is answered; `None` once the queue is closed.
    pub(super) fn next(&self) -> Option<InProgress<'_>> {
        let mut inner = self.lock();
        loop {
            if inner.is_closed {
                return None;
            }
            let free = inner.waiting.iter().position(|request| !inner.busy.contains(&request.requester.key()));
            if let Some(request) = free.and_then(|at| inner.waiting.remove(at)) {
                inner.busy.insert(request.requester.key());
                return Some(InProgress { queue: self, request });
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Accepts no more; returns the requests that will not be answered.
    pub(super) fn close(&self) -> Vec<SlashRequest> {
        let mut inner = self.lock();
        inner.is_closed = true;
        let left = inner.waiting.drain(..).collect();
        drop(inner);
        self.changed.notify_all();
        left
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        !self.lock().busy.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for InProgress<'_> {
    type Target = SlashRequest;

    fn deref(&self) -> &SlashRequest {
        &self.request
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.queue.lock().busy.remove(&self.request.requester.key());
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::callback::request::Requester;
    use crate::rules::slash::{Order, SlashOrder};
    use std::sync::Arc;

    fn request_of(user: &str, key: &str) -> SlashRequest {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, "[slack]\nenabled = false\n").unwrap();
        let config = crate::config::load(Some(&path), &crate::system::environment::Environment::default()).unwrap().0;
        let requester = Requester { user: user.into(), ..Requester::default() };
        let order = Order { what: SlashOrder::Whoami, is_public: false, command: String::new(), core: None };
        SlashRequest { config: Arc::new(config), requester, order, from: 0, replaces: false, key: key.into() }
    }

    #[test]
    fn one_persons_requests_delay_nobody_elses() {
        let queue = SlashQueue::default();
        for key in ["a1", "a2", "a3"] {
            assert_eq!(queue.push(request_of("alice", key)), Ok(()));
        }
        assert!(queue.push(request_of("alice", "a4")).unwrap_err().starts_with("Your last commands"));
        assert_eq!(queue.push(request_of("bob", "b1")), Ok(()));
        let first = queue.next().unwrap();
        let second = queue.next().unwrap();
        assert_eq!((first.key.as_str(), second.key.as_str()), ("a1", "b1"), "one at a time of each");
        drop(first);
        assert_eq!(queue.next().unwrap().key, "a2");
        for i in 0..WAITING_MAX - 1 {
            assert_eq!(queue.push(request_of(&format!("u{i}"), "")), Ok(()));
        }
        assert!(queue.push(request_of("carol", "c1")).unwrap_err().starts_with("ackbell is busy"));
        assert_eq!(queue.close().len(), WAITING_MAX);
        assert!(queue.next().is_none() && queue.push(request_of("dave", "")).unwrap_err().contains("restarted"));
    }
}
