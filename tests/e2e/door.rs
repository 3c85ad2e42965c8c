//! The HTTP door of the real listener, attacked over real sockets.

use crate::harness::process::{Running, signal, text};
use crate::harness::site::Site;
use crate::harness::wait;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod hostile;
mod limits;
mod tls;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// A kind of interaction that nobody knows: taken, answered with an empty 200, and nothing else.
const PAYLOAD: &str = "payload=%7B%22type%22%3A%22of_the_tests%22%7D";

/// Held by tests that open hundreds of connections: together they would be more than a process may have.
static CROWD: Mutex<()> = Mutex::new(());

/// A listener with a door at a port of its own.
pub(crate) struct Door {
    pub(crate) site: Site,
    pub(crate) listener: Running,
    pub(crate) address: SocketAddr,
}

impl Door {
    pub(crate) fn open() -> Self {
        Self::with(SECRET, "")
    }

    pub(crate) fn with(secret: &str, listen: &str) -> Self {
        let site = Site::new(&config(secret, listen));
        let listener = site.listen();
        let address = address(&site);
        Self { site, listener, address }
    }

    /// Sends bytes and gives everything that comes back until the other side closes or says nothing for a while.
    pub(crate) fn say(&self, bytes: &[u8]) -> String {
        say(self.address, bytes)
    }

    /// A signed POST, closed after its answer.
    pub(crate) fn post(&self, path: &str, body: &str) -> String {
        self.say(&post(path, &signed(SECRET, now(), body.as_bytes()), body))
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// A counter or gauge of `GET /metrics`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let all = self.get("/metrics");
        all.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
    }

    pub(crate) fn taken(&self) -> u64 {
        self.metric("ackbell_http_total{kind=\"taken\"}")
    }
}

fn config(secret: &str, listen: &str) -> String {
    format!(
        "[slack]\nwebhook_url = \"http://127.0.0.1:1/x\"\nsigning_secret = \"{secret}\"\n\
         [listen]\nhttp = \"127.0.0.1:0\"\n{listen}"
    )
}

/// Where the door was opened last.
pub(crate) fn address(site: &Site) -> SocketAddr {
    let log = site.log();
    let line = log.lines().rev().find(|line| line.contains("http open")).unwrap_or_else(|| panic!("{log}"));
    line.split("address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "Slack's side has a clock of its own")]
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The headers Slack signs with.
fn signed(secret: &str, time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{time}:").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X-Slack-Request-Timestamp: {time}\r\nX-Slack-Signature: v0={hex}\r\n")
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into()
}

pub(crate) fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // The door may close before it has read everything.
    let _ = stream.write_all(bytes);
    hear(&mut stream)
}

fn hear(stream: &mut impl Read) -> String {
    let mut heard = Vec::new();
    let mut some = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut some) {
        heard.extend_from_slice(&some[..count]);
    }
    text(&heard)
}

/// The statuses of the answers, in order.
fn statuses(answers: &str) -> Vec<u16> {
    answers.split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].parse().unwrap()).collect()
}

#[track_caller]
fn assert_status(answer: &str, expected: u16) {
    assert_eq!(statuses(answer), [expected], "{answer}");
}

#[test]
fn what_slack_signs_is_taken_at_every_address_of_ours() {
    let door = Door::open();
    for (i, path) in
        ["/slack/request", "/webhooks/slack", "/slack/request/default", "/slack/request?x=1"].iter().enumerate()
    {
        assert_status(&door.post(path, &format!("{PAYLOAD}&n={i}")), 200);
    }
    assert_eq!(door.taken(), 4);
    let challenged = door.post("/slack/request", r#"{"token":"t","challenge":"3eZbrw1a","type":"url_verification"}"#);
    assert!(challenged.ends_with("\r\n\r\n3eZbrw1a") && challenged.contains("text/plain"), "{challenged}");
    for (path, expected) in [("/", 404), ("/slack/request/other", 404), ("/slack/requests", 404), ("/healthz", 405)] {
        assert_status(&door.post(path, PAYLOAD), expected);
    }
    assert_status(&door.get("/slack/request"), 405);
    assert!(door.get("/healthz").ends_with("\r\n\r\nok\n"));
    assert!(door.get("/metrics").contains("\nackbell_delivering 1\n"));
}

#[test]
fn what_is_not_proven_ends_at_the_door() {
    let door = Door::open();
    let at = |headers: &str| door.say(&post("/slack/request", headers, PAYLOAD));
    let good = signed(SECRET, now(), PAYLOAD.as_bytes());
    let upper = good.to_uppercase();
    for (what, headers) in [
        ("unsigned", String::new()),
        ("forged", signed("another", now(), PAYLOAD.as_bytes())),
        ("another body's", signed(SECRET, now(), b"payload=x")),
        ("stale", signed(SECRET, now() - 310, PAYLOAD.as_bytes())),
        ("from the future", signed(SECRET, now() + 310, PAYLOAD.as_bytes())),
        ("twice", format!("{good}{good}")),
        ("cut", good.replace("v0=", "")),
        ("upper", upper),
    ] {
        assert_status(&at(&headers), 401);
        assert_eq!(door.taken(), 0, "{what}");
    }
    assert_status(&at(&good), 200);
    assert_status(&at(&good), 401);
    assert_eq!(door.taken(), 1, "a replay acts once");
    let log = door.site.log();
    assert!(log.contains("kind=stale") && log.contains("this machine's clock is wrong"), "{log}");
    assert!(log.contains("kind=replayed") && log.contains("kind=forged") && log.contains("kind=unsigned"), "{log}");
    for _ in 0..50 {
        at("");
    }
    assert_eq!(door.site.log().matches("kind=unsigned").count(), 1, "one line a minute");
    assert!(!door.site.log().contains(SECRET) && !door.get("/metrics").contains(SECRET));
}

#[test]
fn an_ssl_check_is_answered_unsigned_and_does_nothing() {
    let door = Door::open();
    assert_status(&door.say(&post("/slack/request", "", "token=x&ssl_check=1")), 200);
    assert_status(&door.get("/slack/request?ssl_check=1"), 200);
    assert_eq!(door.taken(), 0);
    let unsigned = r#"{"type":"url_verification","challenge":"x"}"#;
    assert_status(&door.say(&post("/slack/request", "", unsigned)), 401);
}

#[test]
fn a_rotated_secret_needs_no_restart() {
    let door = Door::open();
    let with = |secret: &str| {
        let body = format!("{PAYLOAD}&n={secret}");
        statuses(&door.say(&post("/slack/request", &signed(secret, now(), body.as_bytes()), &body)))
    };
    // A disk that others keep busy makes a door say 503, and Slack ask again.
    wait::until("the first secret", || with(SECRET) == [200]);
    assert_eq!(with("next"), [401]);
    door.site.configure(&config(SECRET, "").replace(&format!("\"{SECRET}\""), &format!("[\"next\", \"{SECRET}\"]")));
    wait::until("both secrets", || with("next") == [200]);
    door.site.configure(&config("next", ""));
    wait::until("the old one's end", || with(SECRET) == [401]);
    assert_eq!(address(&door.site), door.address, "the door stayed open");
}

#[test]
fn without_a_secret_the_remedy_is_told() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/x\"\n[listen]\nhttp = \"127.0.0.1:0\"\n");
    let _listener = site.listen();
    assert_status(&say(address(&site), &post("/slack/request", "", PAYLOAD)), 503);
    assert!(site.log().contains("kind=no_secret") && site.log().contains("signing_secret"), "{}", site.log());
}

#[test]
fn a_taken_port_is_told_and_delivery_goes_on_until_it_is_free() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let site = Site::new(&config(SECRET, "").replace("127.0.0.1:0", &taken.to_string()));
    let listener = site.listen();
    assert!(site.log().contains("can't open http") && site.log().contains("Address already in use"), "{}", site.log());
    drop(other);
    signal(listener.0.id(), "HUP");
    wait::until("the door", || site.log().contains("http open"));
    assert!(say(taken, b"GET /healthz HTTP/1.0\r\n\r\n").ends_with("ok\n"));
}

#[test]
#[ignore = "slow: tests/run"]
fn health_is_that_of_the_delivery() {
    let site = Site::new(&config(SECRET, ""));
    std::fs::create_dir_all(site.state("ackbell.db")).unwrap();
    let _listener = site.listen();
    let ask = || say(address(&site), b"GET /healthz HTTP/1.0\r\n\r\n");
    wait::until("the trouble to be told", || ask().contains("503 "));
    assert!(ask().ends_with("delivery is interrupted, the log says why\n"), "{}", ask());
    std::fs::remove_dir(site.state("ackbell.db")).unwrap();
    wait::until("the delivery", || ask().ends_with("ok\n"));
}

#[test]
#[ignore = "needs a network: tests/run"]
fn metrics_and_health_are_this_machines_business_unless_said_otherwise() {
    // An address of this machine that isn't loopback: as others see the door.
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let own = own.unwrap().ip();
    assert!(!own.is_loopback() && !own.is_unspecified(), "this machine has no address but loopback");
    for (more, status) in [("", "403 "), ("metrics = \"all\"\n", "200 ")] {
        let site = Site::new(&config(SECRET, more).replace("127.0.0.1:0", "0.0.0.0:0"));
        let _listener = site.listen();
        let port = address(&site).port();
        for path in ["/metrics", "/healthz"] {
            let named = |name: &str, host: &str, more: &str| {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\n{more}Connection: close\r\n\r\n");
                say(SocketAddr::new(host.parse().unwrap(), port), request.as_bytes())
            };
            let ask = |host: &str, more: &str| named("x", host, more);
            assert!(ask("127.0.0.1", "")[9..].starts_with("200 "), "{path}");
            assert!(ask(&own.to_string(), "")[9..].starts_with(status), "{path} {more}");
            assert!(ask("127.0.0.1", "X-Forwarded-For: 198.51.100.7\r\n")[9..].starts_with(status), "{path} {more}");
            // Through a proxy that adds nothing and leaves the name, as HAProxy does.
            assert!(named("bell.example.com", "127.0.0.1", "")[9..].starts_with(status), "{path} {more}");
        }
    }
}

#[test]
fn an_outbox_that_cant_be_read_isnt_told_as_zeros_and_a_scrape_changes_nothing() {
    let site = Site::new(&config(SECRET, ""));
    let _listener = site.listen();
    let ask = || say(address(&site), b"GET /metrics HTTP/1.0\r\n\r\n");
    wait::until("the outbox", || ask().contains("\nackbell_outbox_readable 1\n"));
    assert!(ask().contains("\nackbell_outbox_dead 0\n"));
    for file in ["ackbell.db", "ackbell.db-wal", "ackbell.db-shm"] {
        std::fs::rename(site.state(file), site.state(&format!("{file}.away"))).unwrap();
    }
    std::fs::write(site.state("ackbell.db"), vec![7; 8192]).unwrap();
    let broken = ask();
    assert!(broken.contains("\nackbell_outbox_readable 0\n"), "{broken}");
    assert!(!broken.contains("ackbell_outbox_dead") && !broken.contains("ackbell_outbox_waiting"), "{broken}");
}

#[test]
#[ignore = "slow: tests/run"]
fn a_stop_finishes_what_is_in_hand() {
    let door = Door::open();
    let request = post("/slack/request", &signed(SECRET, now(), PAYLOAD.as_bytes()), PAYLOAD);
    let (first, second) = request.split_at(request.len() - 10);
    let mut stream = TcpStream::connect(door.address).unwrap();
    stream.write_all(first).unwrap();
    // The head of this one never ends; it costs the stop its five seconds, not more.
    let mut slow = TcpStream::connect(door.address).unwrap();
    slow.write_all(b"POST /slack/request HTTP/1.1\r\nX-").unwrap();
    wait::until("both", || door.metric("ackbell_http_connections") >= 3);
    let started = Instant::now();
    signal(door.listener.0.id(), "TERM");
    wait::until("the door to close", || {
        TcpStream::connect(door.address).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
    });
    stream.write_all(second).unwrap();
    assert_status(&hear(&mut stream), 200);
    assert_eq!(door.listener.stop(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
}

#[test]
#[ignore = "slow: tests/run"]
fn an_idle_listener_costs_next_to_nothing() {
    let door = Door::open();
    door.post("/slack/request", PAYLOAD);
    // Until the connection of the request is given up, and whatever a start has to do is done.
    std::thread::sleep(Duration::from_secs(12));
    let pid = door.listener.0.id();
    let switches = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let status = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
        status.map(|status| field(&status, "voluntary_ctxt_switches:")).sum()
    };
    let (before, started) = (switches(), Instant::now());
    // What is measured.
    std::thread::sleep(Duration::from_secs(10));
    let wakes = f64::from(u32::try_from(switches() - before).unwrap()) / started.elapsed().as_secs_f64();
    let resident = resident(&door);
    println!("idle listener: {wakes:.2} wake-ups a second, {resident} kB resident");
    assert!(wakes < 1.0, "{wakes}");
    assert!(resident < 64 * 1024, "{resident} kB");
}

/// In kB.
fn resident(door: &Door) -> u64 {
    field(&std::fs::read_to_string(format!("/proc/{}/status", door.listener.0.id())).unwrap(), "VmRSS:")
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
