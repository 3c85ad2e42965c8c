//! The way to Slack breaks at each stage: name, connection, TLS, request, answer. Whatever happens, `notify` ends in its
//! time, the notification waits, and it arrives once the way is free.

use crate::harness::process::{ACKBELL, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// A server that does this with each connection.
fn peer(play: impl Fn(TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let play = play.clone();
            std::thread::spawn(move || play(stream));
        }
    });
    port
}

/// Reads a little, says this, and keeps the connection open.
fn says(bytes: &'static [u8]) -> u16 {
    peer(move |mut stream| {
        let mut some = vec![0; 65536];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(bytes);
        // Longer than anybody waits for it.
        std::thread::sleep(Duration::from_secs(8));
    })
}

/// A byte every 100 ms, for ever.
fn drips(start: &'static [u8]) -> u16 {
    peer(move |mut stream| {
        let mut some = vec![0; 65536];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(start);
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    })
}

/// A socket whose queue of connections is full: the handshake never ends.
fn deaf() -> (u16, Vec<TcpStream>, rustix::fd::OwnedFd) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&socket, 0).unwrap();
    let address = std::net::SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    let waiting = (0..3).filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok());
    (address.port(), waiting.collect(), socket)
}

/// A webhook, and short times.
fn config(url: &str) -> String {
    format!(
        "[slack]\nwebhook_url = \"{url}\"\ntimeout = \"900ms\"\nconnect_timeout = \"700ms\"\n[outbox]\ntime_budget = \"1500ms\"\n"
    )
}

/// One `notify` to this address: it exits 0 in time, and the delivery waits for this reason.
#[track_caller]
fn waits(url: &str, reason: &str) {
    let sandbox = Sandbox::start(&[]);
    let site = Site::new(&config(url));
    let started = Instant::now();
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    assert!(started.elapsed() < Duration::from_secs(5), "{url}: {:?}", started.elapsed());
    let queue = site.queue();
    assert_eq!((&queue["waiting"], &queue["dead"]), (&json!(1), &json!(0)), "{url}: {queue}");
    let kept = queue["deliveries"][0]["reason"].as_str().unwrap_or_default();
    assert!(kept.contains(reason), "{url}: {kept:?} is not about {reason:?}");
    site.configure(&config(&sandbox.webhook("B0000001")));
    wait::until("the delivery", || site.run(&["queue", "flush"]).status.code() == Some(0));
    assert_eq!(sandbox.messages().len(), 1, "{url}");
    site.assert_all_delivered();
}

#[test]
fn a_name_that_leads_nowhere_and_a_closed_port_are_waited_out() {
    waits("https://no-such-host.invalid/services/x", "lookup");
    waits("http://127.0.0.1:1/services/x", "refused");
    waits("https://127.0.0.1:1/services/x", "refused");
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_name_server_that_never_answers_is_waited_out() {
    let _silent = std::net::UdpSocket::bind("127.0.0.77:53").unwrap();
    let site = Site::new(&config("https://hooks.slack.com/services/x"));
    let resolv = site.dir.path().join("resolv.conf");
    std::fs::write(&resolv, "nameserver 127.0.0.77\n").unwrap();
    // With another resolv.conf than the machine's, in a mount namespace of its own.
    let line = format!(
        "mount --bind {} /etc/resolv.conf && exec {ACKBELL} --config {} notify --hostname h --hoststate 1",
        resolv.display(),
        site.config().display()
    );
    let started = Instant::now();
    let done = Command::new("unshare").args(["--mount", "sh", "-c", &line]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let queue = site.queue();
    assert_eq!((&queue["waiting"], &queue["dead"]), (&json!(1), &json!(0)), "{queue}");
    assert!(queue["deliveries"][0]["reason"].as_str().unwrap().contains("timed out"), "{queue}");
}

#[test]
#[ignore = "slow: tests/run"]
fn connections_that_never_open_or_never_answer_are_waited_out() {
    let (port, _waiting, _socket) = deaf();
    waits(&format!("http://127.0.0.1:{port}/services/x"), "timed out");
    for reads in [false, true] {
        let port = peer(move |mut stream| {
            if reads {
                let _ = stream.read(&mut vec![0; 65536]);
            }
            // Longer than anybody waits for it.
            std::thread::sleep(Duration::from_secs(8));
        });
        waits(&format!("http://127.0.0.1:{port}/services/x"), "timed out");
        waits(&format!("https://127.0.0.1:{port}/services/x"), "timed out");
    }
}

#[test]
#[ignore = "slow: tests/run"]
fn a_tls_that_breaks_at_each_step_is_never_answered_in_plain() {
    // Closed at once; no TLS at all; an alert; a record that promises more than comes; a hello that is cut.
    let plays: [(&'static [u8], &str); 4] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
        (b"\x15\x03\x03\x00\x02\x02\x28", ""),
        (b"\x16\x03\x03\x40\x00\x02", "timed out"),
        (b"\x16\x03\x03\x00\x04\x02\x00\x00\x50", ""),
    ];
    for (bytes, reason) in plays {
        waits(&format!("https://127.0.0.1:{}/services/x", says(bytes)), reason);
    }
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&heard);
    let port = peer(move |mut stream| {
        let mut some = vec![0; 65536];
        let count = stream.read(&mut some).unwrap_or(0);
        seen.lock().unwrap().extend_from_slice(&some[..count]);
    });
    waits(&format!("https://127.0.0.1:{port}/services/secret"), "");
    assert!(!text(&heard.lock().unwrap()).contains("secret"), "nothing of the message goes over a broken TLS");
}

#[test]
#[ignore = "slow: tests/run"]
fn answers_of_one_byte_without_an_end_or_with_a_lie_are_waited_out() {
    for bytes in [
        &b"H"[..],
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\no",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/9.9 999 What\r\n\r\n",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
    ] {
        waits(&format!("http://127.0.0.1:{}/services/x", says(bytes)), "");
    }
    for start in [&b""[..], b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n"] {
        waits(&format!("http://127.0.0.1:{}/services/x", drips(start)), "");
    }
}

/// Each method that a living card, a click or a direct message needs, and what makes it be called.
const METHODS: [&str; 3] = ["chat.postMessage", "chat.update", "users.lookupByEmail"];

#[test]
#[ignore = "slow: tests/run"]
fn a_429_on_each_method_with_each_retry_after_is_waited_out_to_the_second() {
    let forms =
        [json!("1"), json!("2"), json!("1.5"), json!("0"), json!(" 1 "), json!("-1"), json!("soon"), Value::Null];
    std::thread::scope(|scope| {
        for method in METHODS {
            let forms = &forms;
            scope.spawn(move || forms.iter().for_each(|form| limited(method, form)));
        }
    });
}

fn limited(method: &str, form: &Value) {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    // The last three say no time: half a minute is ours then, too long for a test.
    let says_a_time =
        form.as_str().and_then(|text| text.trim().parse::<f64>().ok()).is_some_and(|seconds| seconds >= 0.0);
    let site = Site::with_token(&sandbox, "[outbox]\ntime_budget = \"1s\"\n");
    site.run(&["notify", "--hostname", "calm", "--hoststate", "1"]);
    sandbox.tell("faults", &json!({"faults": [{"kind": "429", "times": 1, "method": method, "retry_after": form}]}));
    let to = if method.starts_with("chat") { "#ops" } else { "@alice@example.com" };
    let kind = if method == "chat.update" { "RECOVERY" } else { "PROBLEM" };
    let host = if method == "chat.update" { "calm" } else { "web01" };
    let started = Instant::now();
    let state = if kind == "RECOVERY" { "0" } else { "1" };
    let done = site.run(&["notify", "--hostname", host, "--hoststate", state, "--notificationtype", kind, "--to", to]);
    assert_eq!(done.status.code(), Some(0), "{method} {form}: {}", text(&done.stderr));
    if says_a_time {
        wait::until(&format!("{method} {form}"), || site.run(&["queue", "flush"]).status.code() == Some(0));
        site.assert_all_delivered();
    } else {
        let queue = site.queue();
        assert_eq!((&queue["waiting"], &queue["dead"]), (&json!(1), &json!(0)), "{method} {form}: {queue}");
    }
    println!("{method} {form}: {:?}", started.elapsed());
    let early: Vec<Value> = sandbox.violations().into_iter().filter(|v| v["kind"] == "early_retry").collect();
    assert!(early.is_empty(), "{method} {form}: {early:?}");
}
