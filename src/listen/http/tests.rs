//! What takes part in no attack: a `take` that panics, is late, or is asked too much.

use super::*;
use crate::flow::callback::http_reply::Body;
use crate::system::clock;
use crate::system::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn door(take: impl Fn(Verified) -> Answer + Send + Sync + 'static) -> HttpDoor {
    let handlers = Handlers {
        take: Arc::new(take),
        take_envelope: Arc::new(|_, _| Reply::Nothing),
        note_age: Arc::new(|_| ()),
        intake: Arc::new(|_, _| Answer::ok()),
        install: Arc::new(|_, _| Shown::Page { status: 200, html: String::new() }),
        health: Arc::new(|| Some("no disk".to_owned())),
        metrics: Arc::new(|| "ours 1\n".to_owned()),
    };
    let signers = ["first", "second"].map(|name| Signer {
        integration: name.to_owned(),
        secrets: vec![Secret::new(format!("secret of the {name}"))],
    });
    let settings = Settings { signers: signers.into(), tls: None, access: Access::default() };
    HttpDoor::open(Bound::Tcp(TcpListener::bind("127.0.0.1:0").unwrap()), settings, handlers).unwrap()
}

fn request(path: &str, integration: &str, body: &str) -> String {
    let time = clock::wall_ms() / 1000;
    let mut mac = Hmac::<Sha256>::new_from_slice(format!("secret of the {integration}").as_bytes()).unwrap();
    mac.update(format!("v0:{time}:{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\nX-Slack-Request-Timestamp: {time}\r\n\
         X-Slack-Signature: v0={hex}\r\n\r\n{body}",
        body.len()
    )
}

fn start(door: &HttpDoor, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(door.address().unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn end(mut stream: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer[9..12].parse().unwrap(), answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn a_panic_is_answered_and_the_door_stays_open() {
    let door = door(|verified| {
        if verified.body() == b"panic" {
            // As a panic, without its hook: on a busy machine a backtrace takes longer than an answer may.
            std::panic::resume_unwind(Box::new("as asked"));
        }
        Answer::json(serde_json::json!({"response_action": "clear"}))
    });
    assert_eq!(end(start(&door, &request("/slack/request", "first", "panic"))), (500, String::new()));
    let (status, body) = end(start(&door, &request("/slack/request", "first", "fine")));
    assert_eq!((status, body.as_str()), (200, r#"{"response_action":"clear"}"#));
    assert_eq!(end(start(&door, "GET /healthz HTTP/1.0\r\n\r\n")), (503, "no disk\n".to_owned()));
    let (_, metrics) = end(start(&door, "GET /metrics HTTP/1.0\r\n\r\n"));
    assert!(metrics.starts_with("ours 1\n") && metrics.contains("{kind=\"panicked\"} 1\n"), "{metrics}");
}

#[test]
fn each_integration_is_known_by_its_secret_and_kept_to_its_path() {
    let door = door(|verified| Answer { status: 200, body: Body::Text(verified.integration().to_owned()) });
    for (path, signed_by, expected) in [
        ("/slack/request", "first", (200, "first")),
        ("/slack/request", "second", (200, "second")),
        ("/slack/request/second", "second", (200, "second")),
        ("/slack/request/second", "first", (401, "")),
        ("/slack/request/third", "first", (404, "")),
    ] {
        let (status, body) = end(start(&door, &request(path, signed_by, path)));
        assert_eq!((status, body.as_str()), expected, "{path} {signed_by}");
    }
}

#[test]
fn a_late_take_is_answered_in_time_and_finished_before_the_door_closes() {
    let done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&done);
    let door = door(move |_| {
        std::thread::sleep(Duration::from_millis(3500));
        counter.fetch_add(1, Ordering::SeqCst);
        Answer::text(200, "too late")
    });
    let started = Instant::now();
    assert_eq!(end(start(&door, &request("/slack/request", "first", "x"))), (200, String::new()));
    let took = started.elapsed();
    assert!((2400..2900).contains(&took.as_millis()), "{took:?}");
    drop(door);
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[test]
fn more_than_can_wait_are_told_to_come_again() {
    let door = door(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Answer::ok()
    });
    let all: Vec<_> =
        (0..TAKEN_MAX + 60).map(|i| start(&door, &request("/slack/request", "first", &i.to_string()))).collect();
    let statuses: Vec<u16> = all.into_iter().map(|stream| end(stream).0).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert!(count(200) >= TAKEN_MAX && count(200) + count(503) == statuses.len(), "{statuses:?}");
}
