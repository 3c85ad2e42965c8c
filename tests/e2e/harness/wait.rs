//! The one way to wait: for a condition, with a deadline, and with what was seen last where it never came.

use std::time::{Duration, Instant};

/// Long enough for a machine that has other things to do. Whoever claims a time measures it.
const DEADLINE: Duration = Duration::from_secs(120);

/// What a look gives: yes or no, something or nothing, something or what is there in its place.
pub(crate) trait Look {
    type Found;
    fn found(self) -> Result<Self::Found, String>;
}

impl Look for bool {
    type Found = ();
    fn found(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl<T> Look for Option<T> {
    type Found = T;
    fn found(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T> Look for Result<T, String> {
    type Found = T;
    fn found(self) -> Result<T, String> {
        self
    }
}

/// Looks until it is there, and gives what was found.
#[track_caller]
pub(crate) fn until<L: Look>(what: &str, look: impl FnMut() -> L) -> L::Found {
    until_within(DEADLINE, what, look)
}

/// For what takes minutes on a good day.
#[track_caller]
pub(crate) fn until_within<L: Look>(most: Duration, what: &str, mut look: impl FnMut() -> L) -> L::Found {
    let started = Instant::now();
    loop {
        match look().found() {
            Ok(found) => return found,
            Err(seen) => assert!(started.elapsed() < most, "waited {most:?} for {what}; last seen: {seen}"),
        }
        // A look may start a process: the longer it took already, the less often.
        std::thread::sleep((started.elapsed() / 20).clamp(Duration::from_millis(15), Duration::from_millis(250)));
    }
}

/// Does something again and again, at this pace, until it shows.
#[track_caller]
pub(crate) fn trying<L: Look>(every: Duration, what: &str, mut attempt: impl FnMut() -> L) -> L::Found {
    let (mut last, mut seen) = (None::<Instant>, String::new());
    until(what, || {
        if last.is_none_or(|last| last.elapsed() >= every) {
            last = Some(Instant::now());
            match attempt().found() {
                Ok(found) => return Ok(found),
                Err(now) => seen = now,
            }
        }
        Err(seen.clone())
    })
}
