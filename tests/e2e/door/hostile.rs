//! Requests nobody honest sends.

use super::{CROWD, Door, PAYLOAD, SECRET, assert_status, hear, now, post, signed, statuses};
use crate::harness::process::text;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A signed request with these header lines in place of `Content-Length` and `Host`.
fn with(lines: &str, body: &str) -> Vec<u8> {
    let proof = signed(SECRET, now(), PAYLOAD.as_bytes());
    format!("POST /slack/request HTTP/1.1\r\n{proof}{lines}\r\n{body}").into_bytes()
}

#[test]
#[ignore = "slow: tests/run"]
fn malformed_requests_are_refused_and_the_odd_but_legal_ones_are_not() {
    let door = Door::open();
    let length = format!("Content-Length: {}\r\n", PAYLOAD.len());
    let chunked = format!("{:x}\r\n{PAYLOAD}\r\n0\r\n\r\n", PAYLOAD.len());
    let many: String = (0..200).map(|i| format!("X-{i}: a\r\n")).collect();
    let client_hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, b'\r', b'\n', b'\r', b'\n'];
    let close = "Connection: close\r\n";
    for (what, bytes, expected) in [
        ("64 KB header", with(&format!("X-A: {}\r\n", "a".repeat(65_536)), ""), 431),
        ("200 headers", with(&many, ""), 431),
        ("a long path", format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(15_000)).into(), 404),
        ("announced 100 MB", with("Content-Length: 100000000\r\n", ""), 413),
        ("2 MB", with("Content-Length: 2000000\r\n", &"a".repeat(2_000_000)), 413),
        ("2 MB chunked", with("Transfer-Encoding: chunked\r\n", &format!("1e8480\r\n{}", "a".repeat(2_000_000))), 413),
        ("two lengths", with(&format!("{length}Content-Length: 5\r\n"), PAYLOAD), 400),
        ("signed length", with("Content-Length: +5\r\n", "abcde"), 400),
        ("negative length", with("Content-Length: -5\r\n", "abcde"), 400),
        ("no chunks", with("Transfer-Encoding: xchunked\r\n", &chunked), 400),
        ("chunked twice over", with("Transfer-Encoding: chunked, identity\r\n", &chunked), 400),
        ("folded", with(&format!("{length}X-A: a\r\n b\r\n"), PAYLOAD), 400),
        ("blank before colon", with("Content-Length : 5\r\n", "abcde"), 400),
        ("NUL", with("X-A: \0\r\n", ""), 400),
        ("TLS on the plain port", client_hello.to_vec(), 400),
        ("not HTTP", b"hello\r\n\r\n".to_vec(), 400),
        ("chunked", with(&format!("Transfer-Encoding: chunked\r\n{close}"), &chunked), 200),
    ] {
        let answer = door.say(&bytes);
        assert_eq!(statuses(&answer), [expected], "{what}: {answer}");
    }
    assert_eq!(door.taken(), 1);
}

#[test]
fn a_request_with_two_lengths_of_its_body_smuggles_nothing() {
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for order in [0, 1] {
        let door = Door::open();
        let lines = ["Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"];
        let lines = format!("{}{}", lines[order], lines[1 - order]);
        let chunked = format!("{:x}\r\n{PAYLOAD}\r\n0\r\n\r\n{smuggled}", PAYLOAD.len());
        let answer = door.say(&with(&lines, &chunked));
        assert_eq!(statuses(&answer).len(), 1, "the connection ends with it: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[test]
fn pipelined_requests_continue_and_a_bare_line_feed_are_served() {
    let door = Door::open();
    let first = post("/slack/request", &signed(SECRET, now(), PAYLOAD.as_bytes()), PAYLOAD);
    let first = String::from_utf8(first).unwrap().replace("Connection: close\r\n", "");
    let second = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(statuses(&door.say(format!("{first}{second}").as_bytes())), [200, 200]);
    assert_status(&door.say(b"GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n"), 200);
    let body = format!("{PAYLOAD}&n=100");
    let request = String::from_utf8(post("/slack/request", &signed(SECRET, now(), body.as_bytes()), &body)).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut stream = TcpStream::connect(door.address).unwrap();
    stream.write_all(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    // Whoever asks whether to go on waits for the answer.
    let mut first = [0; 64];
    let count = stream.read(&mut first).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(statuses(&(text(&first[..count]) + &hear(&mut stream))), [100, 200]);
}

#[test]
fn bodies_that_are_cut_or_no_text_or_bombs_harm_nobody() {
    let door = Door::open();
    let proof = signed(SECRET, now(), PAYLOAD.as_bytes());
    let mut stream = TcpStream::connect(door.address).unwrap();
    stream
        .write_all(format!("POST /slack/request HTTP/1.1\r\n{proof}Content-Length: 999\r\n\r\npayload").as_bytes())
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let cut = hear(&mut stream);
    assert!(cut.is_empty() || statuses(&cut) == [400], "{cut}");
    let deep = format!("{{\"a\":{}", "[".repeat(500_000));
    let wide = format!("[{}1]", "1,".repeat(500_000));
    let long = format!("{{\"type\":\"{}\"}}", "x".repeat(900_000));
    for body in [deep, wide, long, "{\"type\":1e999}".into(), "{\"type\":\"\\ud800\"}".into()] {
        let answer = door.post("/slack/request", &body);
        assert!([vec![200], vec![400]].contains(&statuses(&answer)), "{answer}");
    }
    let garbage = [0xff, 0xfe, b'{', 0x00, 0x80];
    let proof = signed(SECRET, now(), &garbage);
    let mut request =
        format!("POST /slack/request HTTP/1.1\r\nConnection: close\r\n{proof}Content-Length: 5\r\n\r\n").into_bytes();
    request.extend_from_slice(&garbage);
    let answer = door.say(&request);
    assert!([vec![200], vec![400]].contains(&statuses(&answer)), "{answer}");
    assert!(door.get("/healthz").ends_with("ok\n"));
}

#[test]
#[ignore = "slow: tests/run"]
fn a_click_is_answered_within_a_second_under_500_slow_connections() {
    let _crowd = CROWD.lock();
    let door = Door::open();
    let mut slow: Vec<TcpStream> = Vec::new();
    // More than there are places: the oldest go.
    for i in 0..600 {
        let mut stream = TcpStream::connect(door.address).unwrap();
        // Some stop in the head, some in the body.
        let start: &[u8] = match i % 3 {
            0 => b"P",
            1 => b"POST /slack/request HTTP/1.1\r\nX-",
            _ => b"POST /slack/request HTTP/1.1\r\nContent-Length: 60000\r\n\r\npayload",
        };
        stream.write_all(start).unwrap();
        slow.push(stream);
    }
    assert_eq!(door.metric("ackbell_http_connections"), 512);
    let mut slowest = Duration::ZERO;
    for round in 0..12 {
        for stream in &mut slow {
            let _ = stream.write_all(b"x");
        }
        let started = Instant::now();
        assert_status(&door.post("/slack/request", &format!("{PAYLOAD}&n={round}")), 200);
        slowest = slowest.max(started.elapsed());
        slow.extend((0..10).map(|_| TcpStream::connect(door.address).unwrap()));
        // Twelve seconds, as a head has ten.
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("a click under 500 slow connections: {slowest:?} at most");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert_eq!(door.taken(), 12);
    // Those that began before ten seconds are gone, closed by the door.
    assert!(hear(&mut slow[0]).is_empty() && hear(&mut slow[1]).len() < 500);
}
