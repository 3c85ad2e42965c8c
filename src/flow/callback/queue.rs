//! Questions that wait for an answer: taken in order, but one at a time of each person, so that nobody's slow question
//! holds up another's.

use super::slash_command::Errand;
use std::collections::{HashSet, VecDeque};
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many may wait.
const ERRANDS_MAX: usize = 64;
/// How many of one person.
const PERSON_MAX: usize = 3;

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Errand>,
    /// Whose question is being answered.
    busy: HashSet<String>,
    is_closed: bool,
}

/// A question whose turn it is; the person's next one waits until it is dropped.
pub(super) struct Turn<'a> {
    queue: &'a Queue,
    errand: Errand,
}

impl Queue {
    /// Lets it wait; an error is a sentence for the person.
    pub(super) fn push(&self, errand: Errand) -> Result<(), &'static str> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err("ackbell is being restarted; ask again in a moment.");
        }
        let person = errand.asker.key();
        let own = inner.waiting.iter().filter(|other| other.asker.key() == person).count();
        if own >= PERSON_MAX {
            return Err("Your last questions are still being answered; wait for them.");
        }
        if inner.waiting.len() >= ERRANDS_MAX {
            return Err("ackbell is busy with others' questions; try again in a moment.");
        }
        inner.waiting.push_back(errand);
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a question whose person isn't being answered already; `None` when there will be no more.
    pub(super) fn take(&self) -> Option<Turn<'_>> {
        let mut inner = self.lock();
        loop {
            if inner.is_closed {
                return None;
            }
            let free = inner.waiting.iter().position(|errand| !inner.busy.contains(&errand.asker.key()));
            if let Some(errand) = free.and_then(|at| inner.waiting.remove(at)) {
                inner.busy.insert(errand.asker.key());
                return Some(Turn { queue: self, errand });
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more; gives those that will not be answered.
    pub(super) fn close(&self) -> Vec<Errand> {
        let mut inner = self.lock();
        inner.is_closed = true;
        let left = inner.waiting.drain(..).collect();
        drop(inner);
        self.changed.notify_all();
        left
    }

    /// Whether somebody is being answered.
    pub(super) fn is_busy(&self) -> bool {
        !self.lock().busy.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Turn<'_> {
    type Target = Errand;

    fn deref(&self) -> &Errand {
        &self.errand
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queue.lock().busy.remove(&self.errand.asker.key());
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::callback::request::Asker;
    use crate::rules::slash::{Order, SlashOrder};
    use std::sync::Arc;

    fn errand(user: &str, key: &str) -> Errand {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ackbell.toml");
        std::fs::write(&path, "[slack]\nenabled = false\n").unwrap();
        let config = crate::config::load(Some(&path), &crate::system::environment::Environment::default()).unwrap().0;
        let asker = Asker { user: user.into(), ..Asker::default() };
        let order = Order { what: SlashOrder::Whoami, is_public: false, command: String::new(), core: None };
        Errand { config: Arc::new(config), asker, order, from: 0, replaces: false, key: key.into() }
    }

    #[test]
    fn nobodys_questions_hold_up_anothers() {
        let queue = Queue::default();
        for key in ["a1", "a2", "a3"] {
            assert_eq!(queue.push(errand("alice", key)), Ok(()));
        }
        assert!(queue.push(errand("alice", "a4")).unwrap_err().starts_with("Your last questions"));
        assert_eq!(queue.push(errand("bob", "b1")), Ok(()));
        let first = queue.take().unwrap();
        let second = queue.take().unwrap();
        assert_eq!((first.key.as_str(), second.key.as_str()), ("a1", "b1"), "one at a time of each");
        drop(first);
        assert_eq!(queue.take().unwrap().key, "a2");
        for i in 0..ERRANDS_MAX - 1 {
            assert_eq!(queue.push(errand(&format!("u{i}"), "")), Ok(()));
        }
        assert!(queue.push(errand("carol", "c1")).unwrap_err().starts_with("ackbell is busy"));
        assert_eq!(queue.close().len(), ERRANDS_MAX);
        assert!(queue.take().is_none() && queue.push(errand("dave", "")).unwrap_err().contains("restarted"));
    }
}
