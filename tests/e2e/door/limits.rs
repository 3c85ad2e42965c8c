//! Every limit of the door holds, and what is beyond it costs the honest nothing.

use super::{CROWD, Door, PAYLOAD, SECRET, assert_status, config, hear, now, post, resident, say, signed, statuses};
use crate::harness::process::Running;
use crate::harness::site::Site;
use crate::harness::wait;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the door keeps a connection that begins so and then says nothing, and its last words.
fn patience(door: &Door, start: &[u8]) -> (u64, String) {
    let mut stream = TcpStream::connect(door.address).unwrap();
    stream.write_all(start).unwrap();
    let started = Instant::now();
    let heard = hear(&mut stream);
    (started.elapsed().as_secs(), heard)
}

#[test]
#[ignore = "slow: tests/run"]
fn nobody_is_waited_for_long() {
    let door = Door::open();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (seconds, _) = patience(&door, b"POST /slack/request HTTP/1.1\r\nX-");
            assert!((9..12).contains(&seconds), "head: {seconds} s");
        });
        scope.spawn(|| {
            let (seconds, _) = patience(&door, b"");
            assert!((9..12).contains(&seconds), "nothing at all: {seconds} s");
        });
        scope.spawn(|| {
            let (seconds, answer) = patience(&door, b"POST /slack/request HTTP/1.1\r\nContent-Length: 9\r\n\r\np");
            assert!((9..12).contains(&seconds), "body: {seconds} s");
            assert_status(&answer, 408);
        });
        scope.spawn(|| {
            let (seconds, answer) = patience(&door, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            assert!((9..12).contains(&seconds), "between two requests: {seconds} s");
            assert_status(&answer, 200);
        });
    });
}

#[test]
#[ignore = "slow: tests/run"]
fn a_connection_ends_after_a_minute_between_two_requests() {
    let door = Door::open();
    let mut stream = TcpStream::connect(door.address).unwrap();
    let started = Instant::now();
    let mut heard = [0; 4096];
    loop {
        if stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").is_err() {
            break;
        }
        match stream.read(&mut heard) {
            Ok(count @ 1..) => assert!(heard[..count].ends_with(b"ok\n")),
            _ => break,
        }
        // Busy for the whole minute.
        std::thread::sleep(Duration::from_secs(1));
    }
    let seconds = started.elapsed().as_secs();
    assert!((59..64).contains(&seconds), "{seconds}");
}

#[test]
fn out_of_descriptors_the_oldest_strangers_go() {
    let _crowd = CROWD.lock();
    let door = Door::open();
    let pid = door.listener.0.id();
    let limited = Command::new("prlimit").args([&format!("--pid={pid}"), "--nofile=64"]).status().unwrap();
    assert!(limited.success());
    let _many: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(door.address).unwrap()).collect();
    let started = Instant::now();
    assert_status(&door.post("/slack/request", PAYLOAD), 200);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(door.metric("ackbell_http_total{kind=\"accept_failed\"}") > 0);
    assert_eq!(door.site.log().matches("kind=accept_failed").count(), 1);
}

/// Whether nothing that was sent to the door lies in the kernel any more.
fn is_read(door: &Door) -> bool {
    let ours = format!(":{:04X}", door.address.port());
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut fields = connections.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.all(|field| !field[1].ends_with(&ours) || field[4].ends_with(":00000000") || field[3] == "0A")
}

#[test]
#[ignore = "slow: tests/run"]
fn no_number_of_bodies_fills_the_memory() {
    let _crowd = CROWD.lock();
    let door = Door::open();
    let before = resident(&door);
    let begin = |length: usize, sent: usize| {
        let mut stream = TcpStream::connect(door.address).unwrap();
        let head = format!("POST /slack/request HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        let _ = stream.write_all(format!("{head}{}", "a".repeat(sent)).as_bytes());
        stream
    };
    let mut large: Vec<TcpStream> = (0..40).map(|_| begin(1_000_000, 999_000)).collect();
    let _small: Vec<TcpStream> = (0..460).map(|_| begin(32_000, 31_000)).collect();
    wait::until("the door to have read everything", || is_read(&door));
    let after = resident(&door);
    println!("500 unfinished bodies: {before} kB, then {after} kB");
    // Of the bodies: the program itself is as large as its debug build.
    assert!(after - before < 48 * 1024, "{before} kB, then {after} kB");
    let refused = door.metric("ackbell_http_total{kind=\"no_room\"}");
    assert!((30..=32).contains(&refused), "{refused}");
    assert_eq!(statuses(&hear(large.last_mut().unwrap())), [503]);
    assert_status(&door.post("/slack/request", PAYLOAD), 200);
}

#[test]
fn a_thousand_clicks_a_second_are_taken() {
    let door = Door::open();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let door = &door;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(door.address).unwrap();
                let mut heard = [0; 4096];
                for i in 0..500 {
                    let body = format!("{PAYLOAD}&n={thread}.{i}");
                    let request =
                        String::from_utf8(post("/slack/request", &signed(SECRET, now(), body.as_bytes()), &body));
                    stream.write_all(request.unwrap().replace("Connection: close\r\n", "").as_bytes()).unwrap();
                    let count = stream.read(&mut heard).unwrap();
                    assert!(heard[..count].starts_with(b"HTTP/1.1 200 OK"));
                }
            });
        }
    });
    println!("2000 signed requests in {:?}, then {} kB", started.elapsed(), resident(&door));
    assert_eq!(door.taken(), 2000);
    assert!(resident(&door) < 64 * 1024);
}

#[test]
fn the_socket_of_systemd_is_used() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Another address is configured, but what systemd passes counts.
    let site = Site::new(&config(SECRET, ""));
    let mut command = Command::new("sh");
    let passes = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\"";
    command.args(["-c", passes, crate::harness::process::ACKBELL, "--config"]).arg(site.config()).arg("listen");
    let log = std::fs::File::create(site.dir.path().join("log")).unwrap();
    command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::from(OwnedFd::from(socket))).stderr(log);
    let listener = Running(command.spawn().unwrap());
    wait::until("the listener", || site.log().contains("listening"));
    assert!(site.log().contains(&format!("http open address={address}")), "{}", site.log());
    assert_status(&say(address, &post("/slack/request", &signed(SECRET, now(), PAYLOAD.as_bytes()), PAYLOAD)), 200);
    assert_eq!(listener.stop(), Some(0));
}
