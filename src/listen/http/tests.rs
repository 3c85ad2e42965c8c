//! Without an attack: a callback that panics, that is late, or that gets too many requests.

use super::*;
use crate::flow::callback::http_reply::{HttpReply, ReplyBody};
use crate::listen::database_watch::DatabaseWatch;
use crate::rules::verify::Verified;
use crate::state_dir::listener_status::{StatusNote, StatusWriter};
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A server whose requests go to `callback`, and whose delivery is interrupted.
fn server(callback: impl Fn(&Verified) -> HttpReply + Send + Sync + 'static) -> HttpServer {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ackbell.toml");
    std::fs::write(
        &path,
        format!("state_dir = {0:?}\nruntime_dir = {0:?}\n[slack]\nenabled = false\n", directory.path()),
    )
    .unwrap();
    let env = Environment::default();
    let config = crate::config::load(Some(&path), &env).unwrap().0;
    let status = StatusWriter::new(&config.runtime_dir);
    status.update(|status| status.interrupted = Some(StatusNote::now("no disk".to_owned())));
    let node = Arc::new(crate::flow::node::Node::new(&config));
    let mut endpoints = Endpoints::new(&config, &env, status, (node, &DatabaseWatch::default()));
    endpoints.callback_in_a_test = Some(Box::new(callback));
    let signers = ["first", "second"].map(|name| Signer {
        integration: name.to_owned(),
        secrets: vec![Secret::new(format!("secret of the {name}"))],
    });
    let settings = Settings { signers: signers.into(), tls: None, access: Access::default() };
    HttpServer::start(Bound::Tcp(TcpListener::bind("127.0.0.1:0").unwrap()), settings, Arc::new(endpoints)).unwrap()
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

fn start(server: &HttpServer, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address().unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn end(mut stream: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer[9..12].parse().unwrap(), answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn a_panic_is_answered_and_the_server_goes_on() {
    let server = server(|verified| {
        if verified.body() == b"panic" {
            // As a panic, without its hook: on a busy machine a backtrace takes longer than an answer may.
            std::panic::resume_unwind(Box::new("as asked"));
        }
        HttpReply::json(serde_json::json!({"response_action": "clear"}))
    });
    assert_eq!(end(start(&server, &request("/slack/request", "first", "panic"))), (500, String::new()));
    let (status, body) = end(start(&server, &request("/slack/request", "first", "fine")));
    assert_eq!((status, body.as_str()), (200, r#"{"response_action":"clear"}"#));
    assert_eq!(
        end(start(&server, "GET /healthz HTTP/1.0\r\n\r\n")),
        (503, "delivery is interrupted, the log says why\n".to_owned())
    );
    let (_, metrics) = end(start(&server, "GET /metrics HTTP/1.0\r\n\r\n"));
    assert!(
        metrics.starts_with("# TYPE ackbell_info gauge\n") && metrics.contains("{kind=\"panicked\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn each_integration_is_known_by_its_secret_and_kept_to_its_path() {
    let server = server(|verified| HttpReply { status: 200, body: ReplyBody::Text(verified.integration().to_owned()) });
    for (path, signed_by, expected) in [
        ("/slack/request", "first", (200, "first")),
        ("/slack/request", "second", (200, "second")),
        ("/slack/request/second", "second", (200, "second")),
        ("/slack/request/second", "first", (401, "")),
        ("/slack/request/third", "first", (404, "")),
    ] {
        let (status, body) = end(start(&server, &request(path, signed_by, path)));
        assert_eq!((status, body.as_str()), expected, "{path} {signed_by}");
    }
}

#[test]
fn a_late_callback_is_answered_in_time_and_finished_before_the_server_stops() {
    let done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&done);
    let server = server(move |_| {
        std::thread::sleep(Duration::from_millis(3500));
        counter.fetch_add(1, Ordering::SeqCst);
        HttpReply::text(200, "too late")
    });
    let started = Instant::now();
    assert_eq!(end(start(&server, &request("/slack/request", "first", "x"))), (200, String::new()));
    let took = started.elapsed();
    assert!((2400..2900).contains(&took.as_millis()), "{took:?}");
    drop(server);
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[test]
fn more_than_can_wait_are_refused() {
    let server = server(|_| {
        std::thread::sleep(Duration::from_millis(5));
        HttpReply::ok()
    });
    let all: Vec<_> = (0..IN_PROGRESS_MAX + 60)
        .map(|i| start(&server, &request("/slack/request", "first", &i.to_string())))
        .collect();
    let statuses: Vec<u16> = all.into_iter().map(|stream| end(stream).0).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert!(count(200) >= IN_PROGRESS_MAX && count(200) + count(503) == statuses.len(), "{statuses:?}");
}
