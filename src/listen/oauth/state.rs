//! The `state` of an installation: proves that the browser that comes back from Slack is the one that we sent there, for
//! the same integration, within ten minutes, once.
//!
//! Nothing is stored for a browser that only begins, so nobody can fill the memory: the state carries all that is needed,
//! under a MAC with a key of this process. A restart ends the installations under way; the person starts again. Where nodes
//! share an outbox the key comes from their key file, as Slack may send the browser back to another node.

use crate::system::secret::Secret;
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

/// A state that came back, is whole and in its browser, and may have been used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Returned {
    /// The one it was issued for.
    pub(super) integration: String,
    pub(super) nonce: String,
    /// Of its life, in Unix seconds.
    pub(super) end: i64,
}

/// A state for a browser, which is known by a secret in a cookie of its own.
pub(super) fn issue(key: &Secret, integration: &str, browser: &str, nonce: &str, now: i64) -> String {
    let end = now.saturating_add(LIFE_SECONDS);
    let mac = mac(key, integration, browser, nonce, end).map(|mac| mac.finalize().into_bytes());
    let mac = mac.map_or_else(String::new, |mac| HEXLOWER.encode(&mac[..]));
    format!("{end}.{nonce}.{mac}.{integration}")
}

/// Reads one that was issued under any of the keys.
pub(super) fn read(keys: &[Secret], state: &str, browser: &str, now: i64) -> Result<Returned, StateError> {
    let mut parts = state.splitn(4, '.');
    let mut part = || parts.next().ok_or(StateError::Foreign);
    let (end, nonce, given, integration) = (part()?, part()?, part()?, part()?);
    let end: i64 = end.parse().map_err(|_| StateError::Foreign)?;
    let given = HEXLOWER_PERMISSIVE.decode(given.as_bytes()).map_err(|_| StateError::Foreign)?;
    let is_by = |key: &Secret| {
        mac(key, integration, browser, nonce, end).is_some_and(|known| known.verify_slice(&given).is_ok())
    };
    if browser.is_empty() || !keys.iter().any(is_by) {
        return Err(StateError::Foreign);
    }
    if now >= end {
        return Err(StateError::Expired);
    }
    Ok(Returned { integration: integration.to_owned(), nonce: nonce.to_owned(), end })
}

fn mac(key: &Secret, integration: &str, browser: &str, nonce: &str, end: i64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).ok()?;
    mac.update(format!("{end}\n{nonce}\n{browser}\n{integration}").as_bytes());
    Some(mac)
}

/// The states that were used, where this process is the only one that takes any.
#[derive(Debug, Default)]
pub(super) struct UsedStates(
    /// The end of each one's life first, so that the oldest are in front.
    BTreeSet<(i64, String)>,
);

impl UsedStates {
    /// From now on it is used.
    pub(super) fn take(&mut self, returned: &Returned, now: i64) -> Result<(), StateError> {
        self.0 = self.0.split_off(&(now, String::new()));
        // When it is full nobody can install for some minutes; otherwise a state could be used twice.
        if self.0.len() >= USED_MAX || !self.0.insert((returned.end, returned.nonce.clone())) {
            return Err(StateError::Used);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_state_works_once_in_its_browser_for_ten_minutes() {
        let keys = [key("key")];
        let state = issue(&keys[0], "ops.2", "browser", "n1", 1000);
        assert_eq!(read(&keys, &state, "other", 1001), Err(StateError::Foreign));
        assert_eq!(read(&keys, &state, "", 1001), Err(StateError::Foreign));
        assert_eq!(read(&keys, &state, "browser", 1600), Err(StateError::Expired));
        let returned = read(&keys, &state, "browser", 1599).unwrap();
        assert_eq!(returned.integration, "ops.2");
        let mut used = UsedStates::default();
        assert_eq!(used.take(&returned, 1599), Ok(()));
        assert_eq!(used.take(&returned, 1599), Err(StateError::Used));
        assert_eq!(read(&[key("another key")], &state, "browser", 1001), Err(StateError::Foreign));
        assert_eq!(read(&[], &state, "browser", 1001), Err(StateError::Foreign));
        assert!(read(&[key("the next key"), key("key")], &state, "browser", 1001).is_ok(), "a rotation");
    }

    #[test]
    fn no_part_of_it_can_be_changed() {
        let keys = [key("key")];
        let state = issue(&keys[0], "ops", "browser", "n1", 1000);
        for at in 0..state.len() {
            let mut changed = state.clone().into_bytes();
            changed[at] = if changed[at] == b'5' { b'6' } else { b'5' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(read(&keys, &changed, "browser", 1001), Err(StateError::Foreign), "{changed}");
        }
        for text in ["", ".", "...", "1600.n1.zz.ops", "1600.n1.0.ops", "é.é.é.é"] {
            assert_eq!(read(&keys, text, "browser", 1001), Err(StateError::Foreign), "{text}");
        }
    }
}
