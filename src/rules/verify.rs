//! Who knocked: nothing that came from outside goes on unless it is [`Verified`].
//!
//! Over HTTP the proof is Slack's signature, version 0: an HMAC-SHA256 with the app's signing secret over
//! `v0:TIMESTAMP:BODY`, at most five minutes old and never seen before
//! (<https://docs.slack.dev/authentication/verifying-requests-from-slack>). In Socket Mode nothing is signed: there the
//! proof is the connection, which we opened over TLS with the app's token
//! (<https://docs.slack.dev/apis/events-api/using-socket-mode>).

use crate::system::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;
use subtle::ConstantTimeEq;

/// How far a request's time may be from ours, in seconds, in both directions.
const AGE_SECONDS_MAX: i64 = 300;
/// How many signatures the guard remembers, at most 3 MB of them. Only requests that were signed rightly get in, so no
/// outsider can fill it.
const REMEMBERED_MAX: usize = 50_000;

const TIMESTAMP: &str = "x-slack-request-timestamp";
const SIGNATURE: &str = "x-slack-signature";

/// A request whose origin is verified; only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    integration: String,
    source: RequestSource,
    age: i64,
    body: Vec<u8>,
}

/// The way a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestSource {
    Http,
    Socket,
}

/// What a request offers as proof.
#[derive(Debug)]
pub(crate) enum Proof<'a> {
    /// Slack's signature: some signer's secret must have made it.
    Signature {
        /// Every header field; names in any case.
        headers: &'a [(&'a str, &'a [u8])],
        /// Whom the request may be from; the first whose secret fits it is.
        signers: &'a [Signer],
        /// Unix seconds.
        now: i64,
        guard: &'a mut ReplayGuard,
    },
    /// It came over the Socket Mode connection of this integration.
    Socket { integration: &'a str },
}

/// An integration and its signing secrets: several while they are rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) integration: String,
    pub(crate) secrets: Vec<Secret>,
}

/// Why a request is refused. For the log; whoever sent it learns only that it was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no signing secret is configured")]
    NoSecret,
    #[error("unsigned: no {0}")]
    Missing(&'static str),
    #[error("{0} is given more than once")]
    Repeated(&'static str),
    #[error("{TIMESTAMP} isn't a number of seconds")]
    BadTimestamp,
    #[error("{SIGNATURE} isn't a version 0 signature")]
    BadSignature,
    #[error("forged: the signature was made with none of our signing secrets")]
    Forged,
    /// Rightly signed, so either a recording or a clock that is wrong. `seconds`: how old; negative when from the future.
    #[error("correctly signed for {integration}, but {seconds} s old: a replay, or this machine's clock is wrong")]
    Stale { integration: String, seconds: i64 },
    #[error("a replay of a request signed for {integration}")]
    Replayed { integration: String },
}

impl Refusal {
    /// How old the request is, in seconds, where it was rightly signed; else the refusal itself.
    pub(crate) fn age(&self) -> Result<i64, &Self> {
        match self {
            Self::Stale { seconds, .. } => Ok(*seconds),
            Self::NoSecret
            | Self::Missing(_)
            | Self::Repeated(_)
            | Self::BadTimestamp
            | Self::BadSignature
            | Self::Forged
            | Self::Replayed { .. } => Err(self),
        }
    }

    /// A word for counting.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::NoSecret => "no_secret",
            Self::Missing(_) => "unsigned",
            Self::Repeated(_) | Self::BadTimestamp | Self::BadSignature => "malformed_signature",
            Self::Forged => "forged",
            Self::Stale { .. } => "stale",
            Self::Replayed { .. } => "replayed",
        }
    }
}

/// Remembers the signatures it has seen for as long as they could be used again. After a restart it knows none: what
/// acts on a request must bear to see it twice.
#[derive(Debug, Default)]
pub(crate) struct ReplayGuard {
    /// The request's time first, so that the oldest are in front. Half a MAC tells requests apart well enough.
    seen: BTreeSet<(i64, [u8; 16])>,
}

impl ReplayGuard {
    /// `false` when this signature was here before.
    fn admit(&mut self, timestamp: i64, mac: &[u8; 32], now: i64) -> bool {
        self.seen = self.seen.split_off(&(now - AGE_SECONDS_MAX, [0; 16]));
        let mut half = [0; 16];
        half.copy_from_slice(&mac[..16]);
        if !self.seen.insert((timestamp, half)) {
            return false;
        }
        if self.seen.len() > REMEMBERED_MAX {
            self.seen.pop_first();
        }
        true
    }
}

/// Believes a request, or says why not.
pub(crate) fn verify(body: Vec<u8>, proof: Proof<'_>) -> Result<Verified, Refusal> {
    match proof {
        Proof::Socket { integration } => {
            Ok(Verified { integration: integration.to_owned(), source: RequestSource::Socket, age: 0, body })
        }
        Proof::Signature { headers, signers, now, guard } => {
            let (integration, age) = check_signature(&body, headers, signers, now, guard)?;
            Ok(Verified { integration, source: RequestSource::Http, age, body })
        }
    }
}

impl Verified {
    /// The name of the integration it is for.
    pub(crate) fn integration(&self) -> &str {
        &self.integration
    }

    pub(crate) fn source(&self) -> RequestSource {
        self.source
    }

    /// How far its signed time was behind our clock, in seconds; negative: before it. 0 where nothing is signed.
    pub(crate) fn age(&self) -> i64 {
        self.age
    }

    /// A form or JSON over HTTP, JSON in Socket Mode.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// The integration that the request is signed for, and how old it is.
fn check_signature(
    body: &[u8],
    headers: &[(&str, &[u8])],
    signers: &[Signer],
    now: i64,
    guard: &mut ReplayGuard,
) -> Result<(String, i64), Refusal> {
    if signers.iter().all(|signer| signer.secrets.is_empty()) {
        return Err(Refusal::NoSecret);
    }
    let signature = one(headers, SIGNATURE)?;
    let timestamp = one(headers, TIMESTAMP)?;
    let seconds = seconds(timestamp).ok_or(Refusal::BadTimestamp)?;
    if !signature.starts_with(b"v0=") || signature.len() != 3 + 64 {
        return Err(Refusal::BadSignature);
    }
    let made = signers.iter().find_map(|signer| {
        let macs = signer.secrets.iter().map(|secret| mac(secret, timestamp, body));
        macs.into_iter().find(|mac| signed(mac).ct_eq(signature).into()).map(|mac| (signer, mac))
    });
    let (signer, mac) = made.ok_or(Refusal::Forged)?;
    let integration = signer.integration.clone();
    let age = now.saturating_sub(seconds);
    if age.saturating_abs() > AGE_SECONDS_MAX {
        return Err(Refusal::Stale { integration, seconds: age });
    }
    if !guard.admit(seconds, &mac, now) {
        return Err(Refusal::Replayed { integration });
    }
    Ok((integration, age))
}

/// The value of a header that must be there exactly once.
fn one<'a>(headers: &[(&str, &'a [u8])], name: &'static str) -> Result<&'a [u8], Refusal> {
    let mut values = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(Refusal::Missing(name)),
        (Some(_), Some(_)) => Err(Refusal::Repeated(name)),
    }
}

/// Digits only: a sign or a blank would be a second way to write the same time.
fn seconds(timestamp: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(timestamp).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}

fn mac(secret: &Secret, timestamp: &[u8], body: &[u8]) -> [u8; 32] {
    // An HMAC takes a key of any length, so this arm is never taken; a key of no length would be refused at the start.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return [0; 32];
    };
    for part in [b"v0:", timestamp, b":", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A MAC as the header has it.
fn signed(mac: &[u8; 32]) -> Vec<u8> {
    format!("v0={}", data_encoding::HEXLOWER.encode(mac)).into_bytes()
}

#[cfg(test)]
mod tests;
