//! Slack's own vector, and every way of not being it.

use super::*;
use proptest::prelude::*;

/// From Slack's documentation.
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const TIME: &str = "1531420618";
const NOW: i64 = 1_531_420_618;
const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
    channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F\
    hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.\
    803a0bc887a14d10d2c447fce8b6703c";
const SIGNED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

fn signer(name: &str, secrets: &[&str]) -> Signer {
    Signer {
        integration: name.to_owned(),
        secrets: secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect(),
    }
}

fn check(headers: &[(&str, &str)], body: &[u8], now: i64, guard: &mut ReplayGuard) -> Result<Verified, Refusal> {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let signers = [signer("other", &["x"]), signer("default", &["old", SECRET])];
    verify(body.to_vec(), Proof::Signature { headers: &headers, signers: &signers, now, guard })
}

fn once(headers: &[(&str, &str)], body: &[u8], now: i64) -> Result<Verified, Refusal> {
    check(headers, body, now, &mut ReplayGuard::default())
}

fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mac = mac(&Secret::new(secret.to_owned()), timestamp.as_bytes(), body);
    String::from_utf8(signed(&mac)).unwrap()
}

#[test]
fn slacks_published_vector_is_believed_with_names_in_any_case_and_a_second_secret() {
    let good =
        once(&[("X-Slack-Request-Timestamp", TIME), ("x-SLACK-signature", SIGNED)], BODY.as_bytes(), NOW).unwrap();
    assert_eq!((good.integration(), good.source(), good.body()), ("default", RequestSource::Http, BODY.as_bytes()));
}

#[test]
fn five_minutes_either_way_and_not_a_second_more() {
    let headers = [(TIMESTAMP, TIME), (SIGNATURE, SIGNED)];
    for age in [-300, -1, 0, 300] {
        assert!(once(&headers, BODY.as_bytes(), NOW + age).is_ok(), "{age}");
    }
    for age in [-301, 301, i64::MAX - NOW] {
        let refused = once(&headers, BODY.as_bytes(), NOW + age).unwrap_err();
        assert_eq!(refused, Refusal::Stale { integration: "default".into(), seconds: age });
    }
}

#[test]
fn what_is_no_proof_is_said_for_the_log() {
    let time = (TIMESTAMP, TIME);
    let (upper, v1, long) = (SIGNED.to_uppercase(), SIGNED.replace("v0", "v1"), format!("{SIGNED}0"));
    for (headers, expected) in [
        (vec![time], Refusal::Missing(SIGNATURE)),
        (vec![(SIGNATURE, SIGNED)], Refusal::Missing(TIMESTAMP)),
        (vec![time, time, (SIGNATURE, SIGNED)], Refusal::Repeated(TIMESTAMP)),
        (vec![time, (SIGNATURE, SIGNED), ("X-SLACK-SIGNATURE", SIGNED)], Refusal::Repeated(SIGNATURE)),
        (vec![time, (SIGNATURE, "")], Refusal::BadSignature),
        (vec![time, (SIGNATURE, "v0=")], Refusal::BadSignature),
        (vec![time, (SIGNATURE, &v1)], Refusal::BadSignature),
        (vec![time, (SIGNATURE, &long)], Refusal::BadSignature),
        (vec![time, (SIGNATURE, &SIGNED[..66])], Refusal::BadSignature),
        (vec![time, (SIGNATURE, &SIGNED[3..])], Refusal::BadSignature),
        (vec![time, (SIGNATURE, &upper)], Refusal::BadSignature),
        (vec![time, (SIGNATURE, &SIGNED.replace('a', "b"))], Refusal::Forged),
        (vec![time, (SIGNATURE, &sign("wrong", TIME, BODY.as_bytes()))], Refusal::Forged),
    ] {
        assert_eq!(once(&headers, BODY.as_bytes(), NOW).unwrap_err(), expected, "{headers:?}");
    }
    for bad in ["", "-1531420618", "+1531420618", "1531420618.0", "9223372036854775808", "now", "1e9", "१"] {
        let signature = sign(SECRET, bad, BODY.as_bytes());
        let refused = once(&[(TIMESTAMP, bad), (SIGNATURE, &signature)], BODY.as_bytes(), NOW).unwrap_err();
        assert_eq!(refused, Refusal::BadTimestamp, "{bad}");
    }
}

#[test]
fn without_a_secret_nobody_is_believed() {
    let signers = [signer("default", &[])];
    let proof = Proof::Signature { headers: &[], signers: &signers, now: NOW, guard: &mut ReplayGuard::default() };
    assert_eq!(verify(Vec::new(), proof).unwrap_err(), Refusal::NoSecret);
}

#[test]
fn a_replay_is_refused_for_as_long_as_it_could_be_believed() {
    let mut guard = ReplayGuard::default();
    let headers = [(TIMESTAMP, TIME), (SIGNATURE, SIGNED)];
    let mut at = |now| check(&headers, BODY.as_bytes(), now, &mut guard).map(drop);
    assert_eq!(at(NOW - 300), Ok(()));
    for now in [NOW - 300, NOW, NOW + 300] {
        assert_eq!(at(now), Err(Refusal::Replayed { integration: "default".into() }), "{now}");
    }
    assert!(matches!(at(NOW + 301), Err(Refusal::Stale { .. })));
}

#[test]
fn the_guard_is_bounded_and_forgets_what_is_over() {
    let mut guard = ReplayGuard::default();
    for i in 0..REMEMBERED_MAX + 10 {
        let mut mac = [0; 32];
        mac[..8].copy_from_slice(&i.to_be_bytes());
        assert!(guard.admit(NOW, &mac, NOW));
    }
    assert_eq!(guard.seen.len(), REMEMBERED_MAX);
    assert!(guard.admit(NOW + 301, &[1; 32], NOW + 301));
    assert_eq!(guard.seen.len(), 1);
}

#[test]
fn a_socket_is_its_own_proof() {
    let good = verify(b"{}".to_vec(), Proof::Socket { integration: "second" }).unwrap();
    assert_eq!((good.integration(), good.source(), good.body()), ("second", RequestSource::Socket, &b"{}"[..]));
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<usize>(), bit in 0..8u8) {
        let (mut body, mut time, mut signature) = (body.clone(), TIME.as_bytes().to_vec(), sign(SECRET, TIME, &body).into_bytes());
        let total = body.len() + time.len() + signature.len();
        let at = at % total;
        let (body_length, time_length) = (body.len(), time.len());
        match at {
            _ if at < body_length => body[at] ^= 1 << bit,
            _ if at < body_length + time_length => time[at - body_length] ^= 1 << bit,
            _ => signature[at - body_length - time_length] ^= 1 << bit,
        }
        let headers: [(&str, &[u8]); 2] = [(TIMESTAMP, &time), (SIGNATURE, &signature)];
        let signers = [signer("default", &[SECRET])];
        let mut guard = ReplayGuard::default();
        let proof = Proof::Signature { headers: &headers, signers: &signers, now: NOW, guard: &mut guard };
        let refused = verify(body, proof).is_err();
        prop_assert!(refused);
        prop_assert!(guard.seen.is_empty());
    }

    #[test]
    fn whatever_is_signed_is_believed_once(body in proptest::collection::vec(any::<u8>(), 0..200), secret in "[!-~]{1,40}") {
        let signature = sign(&secret, TIME, &body);
        let headers: [(&str, &[u8]); 2] = [(TIMESTAMP, TIME.as_bytes()), (SIGNATURE, signature.as_bytes())];
        let signers = [signer("default", &[&secret])];
        let mut guard = ReplayGuard::default();
        for expected in [true, false] {
            let proof = Proof::Signature { headers: &headers, signers: &signers, now: NOW, guard: &mut guard };
            let is_believed = verify(body.clone(), proof).is_ok();
            prop_assert_eq!(is_believed, expected);
        }
    }
}
