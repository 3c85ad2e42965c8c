//! The ways in for the fuzzer (`fuzz/run`): each takes any bytes, as an outsider or a broken disk would give them, and
//! panics where ackbell breaks a promise. Only there, with `cfg(fuzzing)`, and in the tests, which try a bounded number
//! of inputs without a fuzzer, does this module exist.

mod click;
mod direct_message;
mod files;
mod install;
mod people;
mod texts;

#[cfg(test)]
mod tests;

pub use click::click;
pub use direct_message::intake;
pub use files::{configuration, icinga2, livestatus, objects, spool, status};
pub use install::install;
pub use people::people;
pub use texts::{arguments, fields, macros, slash};

use crate::config::Flavor;
use crate::model::object::Object;
use crate::rules::verify::{Proof, Refusal, ReplayGuard, Signer, verify};
use crate::slack::outcome::{Answer, of_lookup, of_web_api, of_webhook};
use crate::system::secret::{Secret, redact};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const NOW: i64 = 1_795_240_000;
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// A request over HTTP: `NAME: VALUE` lines, an empty line, the body. Nobody unsigned gets in; a signed one gets in
/// once, and only with its own body.
pub fn request(bytes: &[u8]) {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = (&bytes[..at], bytes.get(at + 2..).unwrap_or_default());
    let headers: Vec<(&str, &[u8])> = head.split(|byte| *byte == b'\n').filter_map(header).collect();
    let find = |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let timestamp = find("x-slack-request-timestamp").unwrap_or_default();
    let mut guard = ReplayGuard::default();
    if ask(&headers, body, &mut guard).is_ok() {
        assert_eq!(find("x-slack-signature"), Some(sign(timestamp, body).as_slice()), "believed without a signature");
    }

    let (signature, mut guard) = (sign(timestamp, body), ReplayGuard::default());
    let signed = [("X-Slack-Request-Timestamp", timestamp), ("x-slack-signature", signature.as_slice())];
    let other = [body, b"x"].concat();
    assert_ne!(ask(&signed, &other, &mut guard), Ok(()), "believed with another body");
    match ask(&signed, body, &mut guard) {
        Ok(()) => {
            let again = ask(&signed, body, &mut guard);
            assert!(matches!(again, Err(Refusal::Replayed { .. })), "believed twice: {again:?}");
        }
        Err(refusal) => {
            let is_of_its_time = matches!(refusal, Refusal::Stale { .. } | Refusal::BadTimestamp);
            assert!(is_of_its_time, "signed rightly, and refused: {refusal}");
        }
    }
}

fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let at = line.iter().position(|byte| *byte == b':')?;
    Some((std::str::from_utf8(&line[..at]).ok()?, line[at + 1..].trim_ascii()))
}

fn ask(headers: &[(&str, &[u8])], body: &[u8], guard: &mut ReplayGuard) -> Result<(), Refusal> {
    let signers = [Signer { integration: "default".into(), secrets: vec![Secret::new(SECRET.into())] }];
    verify(body.to_vec(), Proof::Signature { headers, signers: &signers, now: NOW, guard }).map(drop)
}

/// Slack's signature, made by other means than the code under test.
fn sign(timestamp: &[u8], body: &[u8]) -> Vec<u8> {
    let text = [b"v0:", timestamp, b":", body].concat();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length").chain_update(text).finalize();
    let hex: String = mac.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}").into_bytes()
}

/// What Slack, a receiver that is compatible with it or a proxy between answered: the status (two bytes), a line for
/// `Retry-After`, the body.
pub fn answer(bytes: &[u8]) {
    let Some((status, rest)) = bytes.split_first_chunk::<2>() else { return };
    let text = String::from_utf8_lossy(rest);
    let (retry_after, body) = text.split_once('\n').unwrap_or(("", &text));
    let retry_after = Some(retry_after.to_owned()).filter(|value| !value.is_empty());
    let answer = Answer { status: u16::from_le_bytes(*status) % 1000, retry_after, body: body.to_owned() };
    let _ = (of_web_api(&answer), of_lookup(&answer).is_ok());
    for flavor in [Flavor::Slack, Flavor::Mattermost, Flavor::RocketChat, Flavor::Discord] {
        let _ = of_webhook(flavor, &answer);
    }
    for secret in ["xoxb-hunter2", "http://user:hunter2@proxy:3128", "https://hooks.slack.com/services/T1/B2/hunter2"] {
        let shown = redact(&format!("{text} {secret}"));
        assert!(!shown.contains("hunter2") || text.contains("hunter2"), "a secret shows: {shown}");
        assert_eq!(redact(&shown), shown, "redacted again, it is another text");
    }
}

/// The objects that are looked for; the seeds hold them.
fn wanted() -> Vec<Object> {
    let object = |host: &str, service: Option<&str>| Object {
        core: String::new(),
        host: host.into(),
        service: service.map(str::to_owned),
    };
    vec![object("web01", None), object("web01", Some("HTTP")), object("db01", Some("MySQL")), object("a", Some("b"))]
}
