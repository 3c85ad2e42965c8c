//! Sealing: what is kept where others may read it, as in a database, is of use only to whoever has the key.
//!
//! A sealed text is AES-256-GCM (`ring`) under a random nonce. It opens only for the purpose that it was sealed for, so that
//! nobody who can write there puts it into another's place; and a text that was cut or changed doesn't open at all.

use super::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// A key's length, and what a key for one use is made of.
const KEY_BYTES: usize = 32;
/// Stands before each sealed text: how it was sealed.
const FORMAT: &str = "v1.";
const SEAL_LABEL: &str = "ackbell seal v1";

/// The keys of a key file, one a line: the first seals, each opens. Without any nothing is sealed or opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SealKeys(Vec<Secret>);

/// Why a text isn't a key file's. No part of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("it has no key")]
    None,
    #[error("line {0} isn't valid base64")]
    NotBase64(usize),
    #[error("line {line} is a key of {bytes} bytes, and it must be {KEY_BYTES}")]
    Length { line: usize, bytes: usize },
}

/// A text isn't sealed, or can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("this machine has no randomness")]
    NoRandomness,
    /// By another key or for another purpose, or it was cut or changed: the three can't be told apart.
    #[error("it was sealed with another key, or changed since")]
    Closed,
}

/// A text that was opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) text: Secret,
    /// It is sealed as a text would be now; not so after a rotation.
    pub(crate) by_first: bool,
}

impl SealKeys {
    /// From a key file's text. Empty lines don't count.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (line, key) in (1..).zip(text.lines().map(str::trim)).filter(|(_, key)| !key.is_empty()) {
            match decoded(key).ok_or(KeyError::NotBase64(line))?.len() {
                KEY_BYTES => keys.push(Secret::new(key.to_owned())),
                bytes => return Err(KeyError::Length { line, bytes }),
            }
        }
        if keys.is_empty() { Err(KeyError::None) } else { Ok(Self(keys)) }
    }

    /// Seals a text for a purpose, with the first key.
    pub(crate) fn seal(&self, purpose: &str, text: &Secret) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let key = self.0.first().and_then(seal_key).ok_or(SealError::Closed)?;
        let mut sealed = text.expose().as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut sealed)
            .map_err(|_| SealError::Closed)?;
        Ok(format!("{FORMAT}{}", BASE64_STANDARD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens a text that was sealed for that purpose with any of the keys.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Result<Opened, SealError> {
        let bytes = sealed.strip_prefix(FORMAT).and_then(decoded).ok_or(SealError::Closed)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Closed)?;
        for (number, key) in self.0.iter().enumerate() {
            let Some(key) = seal_key(key) else { continue };
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let Ok(text) = key.open_in_place(nonce, Aad::from(purpose), &mut sealed) else { continue };
            let text = String::from_utf8(text.to_vec()).map_err(|_| SealError::Closed)?;
            return Ok(Opened { text: Secret::new(text), by_first: number == 0 });
        }
        Err(SealError::Closed)
    }

    /// A secret for another use that all who have the key file have too, one for each key; the first is to be used.
    pub(crate) fn derived(&self, label: &str) -> Vec<Secret> {
        let of = |key: &Secret| Some(Secret::new(data_encoding::HEXLOWER.encode(&derive(key, label)?)));
        self.0.iter().filter_map(of).collect()
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// One key of the file for one use: no two uses share a key.
fn derive(key: &Secret, label: &str) -> Option<[u8; KEY_BYTES]> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &decoded(key.expose())?);
    hmac::sign(&key, label.as_bytes()).as_ref().try_into().ok()
}

fn seal_key(key: &Secret) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derive(key, SEAL_LABEL)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const NEW: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

    fn keys(text: &str) -> SealKeys {
        SealKeys::parse(text).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_with_its_key_and_whole_or_not_at_all() {
        let (own, secret) = (keys(OLD), Secret::new("xoxb-1".into()));
        let sealed = own.seal("install ops", &secret).unwrap();
        assert!(!sealed.contains("xoxb-1") && sealed != own.seal("install ops", &secret).unwrap(), "{sealed}");
        assert_eq!(own.open("install ops", &sealed), Ok(Opened { text: secret, by_first: true }));
        assert_eq!(own.open("install other", &sealed), Err(SealError::Closed), "in another's place");
        assert_eq!(keys(NEW).open("install ops", &sealed), Err(SealError::Closed), "another key");
        for end in 0..sealed.len() {
            assert_eq!(own.open("install ops", &sealed[..end]), Err(SealError::Closed), "cut at {end}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(own.open("install ops", &changed), Err(SealError::Closed), "changed at {at}");
        }
    }

    #[test]
    fn the_first_line_seals_and_each_opens() {
        let secret = Secret::new("xoxb-1".into());
        let sealed = keys(OLD).seal("p", &secret).unwrap();
        let both = keys(&format!("{NEW}\r\n\n  {OLD}\n"));
        assert_eq!(both.open("p", &sealed).map(|opened| opened.by_first), Ok(false));
        let anew = both.seal("p", &secret).unwrap();
        assert_eq!(keys(NEW).open("p", &anew).map(|opened| opened.text), Ok(secret));
        assert!(keys(OLD).open("p", &anew).is_err());
        assert_eq!(both.derived("mac"), [keys(NEW).derived("mac"), keys(OLD).derived("mac")].concat());
        assert_ne!(both.derived("mac"), both.derived("another"));
    }

    #[test]
    fn a_mistake_in_the_file_is_named_and_nothing_of_it_repeated() {
        for (text, said) in [
            ("", "it has no key"),
            (" \n\n", "it has no key"),
            ("not base64!", "line 1 isn't valid base64"),
            ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "line 1 isn't valid base64"),
            ("c2hvcnQ=", "line 1 is a key of 5 bytes, and it must be 32"),
        ] {
            assert_eq!(SealKeys::parse(text).unwrap_err().to_string(), said);
        }
        let second = SealKeys::parse(&format!("{OLD}\n\nc2hvcnQ=")).unwrap_err();
        assert_eq!(second, KeyError::Length { line: 3, bytes: 5 });
        assert_eq!(format!("{:?}", keys(OLD)), "SealKeys([[redacted]])");
    }
}
