//! How many calls of each relay are in progress: one relay, or whoever has its token, takes no place from clicks and from
//! other relays.

use super::lock;
use crate::monitoring::relay::Speaker;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// One relay waits with two calls and hands in with a third; several machines may share a token.
const CALLS_MAX: usize = 32;

/// The calls in progress.
#[derive(Debug, Clone, Default)]
pub(super) struct RelayCalls(Arc<Mutex<HashMap<Speaker, usize>>>);

/// A call in progress, until it is dropped.
#[derive(Debug)]
pub(super) struct RelayCall {
    calls: RelayCalls,
    pub(super) speaker: Speaker,
}

impl RelayCalls {
    /// One more; `None` where there are too many.
    pub(super) fn begin(&self, speaker: &Speaker) -> Option<RelayCall> {
        let mut calls = lock(&self.0);
        let own = calls.entry(speaker.clone()).or_default();
        if *own >= CALLS_MAX {
            return None;
        }
        *own += 1;
        Some(RelayCall { calls: self.clone(), speaker: speaker.clone() })
    }
}

impl Drop for RelayCall {
    fn drop(&mut self) {
        if let Some(own) = lock(&self.calls.0).get_mut(&self.speaker) {
            *own = own.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relay_takes_no_place_from_another() {
        let [one, other] = ["one", "other"].map(|relay| Speaker { core: "main".into(), relay: relay.into() });
        let calls = RelayCalls::default();
        let held: Vec<_> = (0..CALLS_MAX).map(|_| calls.begin(&one).unwrap()).collect();
        assert!(calls.begin(&one).is_none() && calls.begin(&other).is_some());
        drop(held);
        assert!(calls.begin(&one).is_some());
    }
}
