//! Several addresses of one core are alternatives: the first that answers is used. One that failed rests, so that only
//! one click in a while waits for it, and is asked again before the person is told that no address answers.

use crate::system::secret::redact;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an address that failed is asked after the others.
const REST: Duration = Duration::from_secs(90);

/// The addresses that failed when they were asked last, and when. Only of cores with several.
static FAILED: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// Why an address didn't do.
#[derive(Debug)]
pub(super) enum Attempt<E> {
    /// Nothing was asked of the core there, or it was a question: another address may be tried.
    Next(String),
    /// The core may have what it was given, so no other address gets it.
    Final(E),
}

impl<E> Attempt<E> {
    pub(super) fn next(reason: impl Display) -> Self {
        Self::Next(reason.to_string())
    }

    /// The error; of the reason why no address answers, too.
    pub(super) fn into_error(self, no_address: impl FnOnce(String) -> E) -> E {
        match self {
            Self::Next(reason) => no_address(reason),
            Self::Final(error) => error,
        }
    }
}

/// Tries one address after the other, those that rest last. With several addresses a reason names its own.
pub(super) fn first<A: Display, T, E>(
    addresses: &[A],
    mut attempt: impl FnMut(&A) -> Result<T, Attempt<E>>,
) -> Result<T, Attempt<E>> {
    if let [only] = addresses {
        return attempt(only);
    }
    let (resting, awake): (Vec<&A>, Vec<&A>) = addresses.iter().partition(|address| rests(&name(address)));
    let mut reasons = Vec::new();
    for address in awake.into_iter().chain(resting) {
        let result = attempt(address);
        remember(&name(address), result.is_ok());
        match result {
            Err(Attempt::Next(reason)) => reasons.push(format!("{}: {reason}", name(address))),
            other => return other,
        }
    }
    Err(Attempt::Next(reasons.join("; ")))
}

/// Remembers whether it answered.
pub(super) fn remember(address: &str, answered: bool) {
    if answered {
        failed().remove(address);
    } else {
        failed().insert(address.to_owned(), Instant::now());
    }
}

/// An address as people may read it.
pub(super) fn name(address: &impl Display) -> String {
    redact(&address.to_string())
}

fn rests(address: &str) -> bool {
    failed().get(address).is_some_and(|at| at.elapsed() < REST)
}

fn failed() -> MutexGuard<'static, BTreeMap<String, Instant>> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(addresses: &[&str], down: &[&str]) -> (Result<String, String>, Vec<String>) {
        let mut asked = Vec::new();
        let found = first(addresses, |address| {
            asked.push((*address).to_owned());
            if down.contains(address) { Err(Attempt::next("refused")) } else { Ok((*address).to_owned()) }
        });
        (found.map_err(|e| e.into_error(|reason| reason)), asked)
    }

    #[test]
    fn one_that_failed_rests_and_is_asked_before_nobody_is() {
        let all = ["t1:a", "t1:b"];
        assert_eq!(asked(&all, &[]), (Ok("t1:a".into()), vec!["t1:a".into()]));
        assert_eq!(asked(&all, &["t1:a"]).1, all, "the next one");
        assert_eq!(asked(&all, &["t1:a"]).1, ["t1:b"], "it rests");
        let (found, order) = asked(&all, &all);
        assert_eq!(order, ["t1:b", "t1:a"]);
        assert_eq!(found, Err("t1:b: refused; t1:a: refused".into()));
        assert_eq!(asked(&all, &[]), (Ok("t1:a".into()), vec!["t1:a".into()]), "all rest: in their order");
        assert_eq!(asked(&["t1:a"], &["t1:a"]).0, Err("refused".into()));
    }

    #[test]
    fn what_may_have_arrived_goes_nowhere_else() {
        let mut asked = 0;
        let sent: Result<(), _> = first(&["t2:a", "t2:b"], |_| {
            asked += 1;
            Err(Attempt::Final("broke off".to_owned()))
        });
        assert_eq!((sent.map_err(|e| e.into_error(|reason| reason)), asked), (Err("broke off".into()), 1));
    }
}
