//! The `state` of an installation: proves that the browser that comes back from Slack is the one that we sent there, for
//! the same integration, within ten minutes, once.
//!
//! Nothing is stored for a browser that only begins, so nobody can fill the memory: the state carries all that is needed,
//! under a MAC with a key of this process. A restart ends the installations under way; the person starts again.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;

/// How long a person may take, in seconds; Slack's own code lives as long
/// (<https://docs.slack.dev/authentication/installing-with-oauth>).
pub(super) const LIFE_SECONDS: i64 = 600;
/// How many used states are remembered; each has cost a call to Slack.
const USED_MAX: usize = 10_000;

/// Why a state is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum StateError {
    #[error("it wasn't begun here, or was begun in another browser or before a restart")]
    Foreign,
    #[error("it was begun more than 10 minutes ago")]
    Expired,
    #[error("it was used already")]
    Used,
}

/// Issues and redeems states.
#[derive(Debug)]
pub(super) struct States {
    key: String,
    /// The end of each one's life first, so that the oldest are in front.
    used: BTreeSet<(i64, String)>,
}

impl States {
    /// `key`: nobody else may know it.
    pub(super) fn new(key: String) -> Self {
        Self { key, used: BTreeSet::new() }
    }

    /// A state for a browser, which is known by a secret in a cookie of its own.
    pub(super) fn issue(&self, integration: &str, browser: &str, nonce: &str, now: i64) -> String {
        let end = now.saturating_add(LIFE_SECONDS);
        let mac = self.mac(integration, browser, nonce, end).map(|mac| mac.finalize().into_bytes());
        let mac = mac.map_or_else(String::new, |mac| HEXLOWER.encode(&mac[..]));
        format!("{end}.{nonce}.{mac}.{integration}")
    }

    /// The integration it was issued for; from now on it is used.
    pub(super) fn redeem(&mut self, state: &str, browser: &str, now: i64) -> Result<String, StateError> {
        let mut parts = state.splitn(4, '.');
        let mut part = || parts.next().ok_or(StateError::Foreign);
        let (end, nonce, mac, integration) = (part()?, part()?, part()?, part()?);
        let end: i64 = end.parse().map_err(|_| StateError::Foreign)?;
        let known = self.mac(integration, browser, nonce, end).ok_or(StateError::Foreign)?;
        known
            .verify_slice(&HEXLOWER_PERMISSIVE.decode(mac.as_bytes()).map_err(|_| StateError::Foreign)?)
            .map_err(|_| StateError::Foreign)?;
        if browser.is_empty() {
            return Err(StateError::Foreign);
        }
        if now >= end {
            return Err(StateError::Expired);
        }
        self.used = self.used.split_off(&(now, String::new()));
        // When it is full nobody can install for some minutes; otherwise a state could be used twice.
        if self.used.len() >= USED_MAX || !self.used.insert((end, nonce.to_owned())) {
            return Err(StateError::Used);
        }
        Ok(integration.to_owned())
    }

    fn mac(&self, integration: &str, browser: &str, nonce: &str, end: i64) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).ok()?;
        mac.update(format!("{end}\n{nonce}\n{browser}\n{integration}").as_bytes());
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_works_once_in_its_browser_for_ten_minutes() {
        let mut states = States::new("key".into());
        let state = states.issue("ops.2", "browser", "n1", 1000);
        assert_eq!(states.redeem(&state, "other", 1001), Err(StateError::Foreign));
        assert_eq!(states.redeem(&state, "", 1001), Err(StateError::Foreign));
        assert_eq!(states.redeem(&state, "browser", 1600), Err(StateError::Expired));
        assert_eq!(states.redeem(&state, "browser", 1599), Ok("ops.2".into()));
        assert_eq!(states.redeem(&state, "browser", 1599), Err(StateError::Used));
        let restarted = States::new("another key".into()).redeem(&state, "browser", 1001);
        assert_eq!(restarted, Err(StateError::Foreign));
    }

    #[test]
    fn no_part_of_it_can_be_changed() {
        let mut states = States::new("key".into());
        let state = states.issue("ops", "browser", "n1", 1000);
        for at in 0..state.len() {
            let mut changed = state.clone().into_bytes();
            changed[at] = if changed[at] == b'5' { b'6' } else { b'5' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(states.redeem(&changed, "browser", 1001), Err(StateError::Foreign), "{changed}");
        }
        for text in ["", ".", "...", "1600.n1.zz.ops", "1600.n1.0.ops", "é.é.é.é"] {
            assert_eq!(states.redeem(text, "browser", 1001), Err(StateError::Foreign), "{text}");
        }
    }
}
