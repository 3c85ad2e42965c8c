//! Graphite and Prometheus, and sources that fail.

use super::{HOUR, notify, now, shown, shows};
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A web server that answers each request so, after a while; and what it was asked.
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    pub(super) after_ms: Arc<AtomicUsize>,
}

impl Server {
    pub(super) fn start(answer: impl Fn(&str) -> (String, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, after_ms, answer) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let server = Self { url, asked: Arc::clone(&asked), after_ms: Arc::clone(&after_ms) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, after, answer) = (Arc::clone(&asked), Arc::clone(&after_ms), Arc::clone(&answer));
                thread::spawn(move || {
                    let (mut stream, mut request) = (stream, Vec::new());
                    let mut byte = [0];
                    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                        request.push(byte[0]);
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    asked.lock().unwrap().push(request.clone());
                    thread::sleep(Duration::from_millis(after.load(Ordering::Relaxed) as u64));
                    let (head, body) = answer(&request);
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(&body);
                });
            }
        });
        server
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// 60 values of a line from 70 to 95 that ends now, oldest first.
pub(super) fn line() -> Vec<(i64, f64)> {
    (0..61_i32).map(|n| (now() - HOUR - 30 + i64::from(n) * 60, 70.0 + f64::from(n) * 25.0 / 60.0)).collect()
}

pub(super) fn graphite() -> Vec<u8> {
    let mut points: Vec<Value> = line().iter().map(|(at, value)| json!([value, at])).collect();
    points.insert(3, json!([null, now() - 2 * HOUR]));
    json!([{ "target": "x", "datapoints": points }]).to_string().into_bytes()
}

pub(super) fn prometheus() -> Vec<u8> {
    let mut points: Vec<Value> = line().iter().map(|(at, value)| json!([at, value.to_string()])).collect();
    points.insert(3, json!([now() - 2 * HOUR, "NaN"]));
    let result = json!([{ "metric": {}, "values": points }]);
    json!({ "status": "success", "data": { "resultType": "matrix", "result": result } }).to_string().into_bytes()
}

/// The head of an answer and its body.
pub(super) type Answer = fn() -> (String, Vec<u8>);

pub(super) fn ok(body: Vec<u8>) -> (String, Vec<u8>) {
    ("200 OK\r\nContent-Type: application/json".to_owned(), body)
}

#[test]
fn graphite_and_prometheus_are_asked_with_the_objects_names() {
    let graphite = Server::start(|_| ok(graphite()));
    let mut night = OnCall::prepare(Way::Http, "500");
    fs::write(night.site.dir.path().join("token"), "s3cret-token").unwrap();
    fs::write(night.site.dir.path().join("password"), "s3cret-word").unwrap();
    night.begin(&format!(
        "[curve.graphite]\nurl = \"{}\"\ntarget = \"icinga2.{{host}}.services.{{service}}.perfdata.{{label}}.value\"\n\
         host_target = \"icinga2.{{host}}.host.*.perfdata.{{label}}.value\"\n\
         user = \"ackbell\"\npassword_file = \"password\"\n",
        graphite.url
    ));
    notify(&night.site, "Disk /var", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: Disk /var on web01");
    let with = shows(&night, &card, "Last 1 h: from 70 % to 95 %. Above 90 % (crit) for ");
    assert!(shown(&with).contains("Full in "), "{with}");
    let request = &graphite.asked()[0];
    assert!(
        request.starts_with("GET /render?format=json&target=icinga2%2Eweb01%2Eservices%2EDisk%5F%5Fvar%2Eperfdata"),
        "{request}"
    );
    assert!(request.to_lowercase().contains("authorization: basic ywnrymvsbdpzm2nyzxqtd29yza=="), "{request}");
    let of_host = ["--hostname", "web01", "--notificationtype", "PROBLEM", "--hoststate", "1", "--perfdata"];
    assert_eq!(night.site.run(&[&["notify"], &of_host[..], &["rta=900ms;100;500"]].concat()).status.code(), Some(0));
    wait::until("the host's", || {
        graphite.asked().iter().any(|request| request.contains("target=icinga2%2Eweb01%2Ehost%2E%2A%2Eperfdata%2Erta"))
    });
    let prometheus = Server::start(|_| ok(prometheus()));
    night.begin(&format!(
        "[curve.prometheus]\nurl = \"{}\"\nquery = 'used{{instance=\"{{host}}:9100\",mount=\"{{service}}\"}}'\ntoken_file = \"token\"\n",
        prometheus.url
    ));
    notify(&night.site, "a\"b", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: a\"b on web01");
    shows(&night, &card, "Last 1 h: from 70 % to 95 %. Above 90 % (crit) for ");
    let request = &prometheus.asked()[0];
    assert!(request.contains("mount%3D%22a%5Cx22b%22%7D"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer s3cret-token"), "{request}");
    assert!(!night.run(&["config", "show"]).contains("s3cret"));
    assert!(!night.site.log().contains("s3cret"));
    night.sandbox.assert_respected();
}

#[test]
fn a_source_that_fails_leaves_the_card_as_it_is_and_doctor_says_why() {
    let answers: [(&str, Answer); 7] = [
        ("it answered 401: it needs another user or password", || ("401 Unauthorized".to_owned(), Vec::new())),
        ("it answered a web page, not JSON", || ok(b"<!DOCTYPE html><html>Grafana</html>".to_vec())),
        ("it has more than 1 MB", || ok(vec![b' '; 10_000_000])),
        ("it redirects to another address: write that one", || {
            ("302 Found\r\nLocation: http://127.0.0.1:1/".to_owned(), Vec::new())
        }),
        ("it has nothing under x.web01.Load", || ok(b"[]".to_vec())),
        ("it answered 500", || ("500 Oops".to_owned(), b"[]".to_vec())),
        // As a Prometheus 2.42 answers.
        ("it answered 400: 1:6: parse error: unexpected end of input inside braces", || {
            let error = "1:6: parse error: unexpected end of input inside braces";
            let body = json!({"status": "error", "errorType": "bad_data", "error": error});
            ("400 Bad Request".to_owned(), body.to_string().into_bytes())
        }),
    ];
    let which = Arc::new(AtomicUsize::new(0));
    let number = Arc::clone(&which);
    let server = Server::start(move |_| answers[number.load(Ordering::Relaxed)].1());
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin(&format!(
        "[curve]\nnotifications = false\n[curve.graphite]\nurl = \"{}\"\ntarget = \"x.{{host}}.{{service}}\"\n",
        server.url
    ));
    notify(&night.site, "Load", "load1=12;5;10", &[]);
    let card = night.expect("CRITICAL: Load on web01");
    for (n, (reason, _)) in answers.iter().enumerate() {
        which.store(n, Ordering::Relaxed);
        let found = text(&night.site.run(&["doctor"]).stdout);
        assert!(found.contains(&format!("graphite: nothing for Load on web01: {reason}")), "{found}");
    }
    wait::until("the look-up", || night.site.log().contains("no curve source=graphite reason="));
    night.rests();
    assert!(!shown(&card.now()).contains("Last "), "{}", card.now());
    assert_eq!(night.site.queue()["dead"], 0);
    // One that is slow holds up nobody: cards go, and after some time-outs it is left alone.
    server.after_ms.store(60_000, Ordering::Relaxed);
    for n in 0..5 {
        let started = Instant::now();
        notify(&night.site, &format!("Slow{n}"), "load1=12;5;10", &[]);
        night.expect(&format!("CRITICAL: Slow{n} on web01"));
        assert!(started.elapsed() < Duration::from_secs(20), "a card waited {:?}", started.elapsed());
    }
    wait::until("the rest", || {
        night.site.log().contains("curve source doesn't answer source=graphite action=left_alone")
    });
    night.sandbox.assert_respected();
}
