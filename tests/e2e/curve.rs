//! Curves: what a card shows of the last hours of a value, where that comes from, and what happens when a source fails.

mod grafana;
mod kills;

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::process::{signal, text};
use crate::harness::sandbox::{TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: i64 = 3600;

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// `notify` for a service with these figures, as of now or a time.
fn notify(site: &Site, service: &str, perfdata: &str, more: &[&str]) {
    let mut line = vec!["notify", "--hostname", "web01", "--servicedesc", service, "--notificationtype", "PROBLEM"];
    line.extend(["--servicestate", "2", "--output", service, "--perfdata", perfdata]);
    line.extend(more);
    let done = site.run(&line);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
}

/// What all blocks of a message show.
fn shown(message: &Value) -> String {
    let blocks = |of: &Value| of["blocks"].as_array().cloned().unwrap_or_default();
    let all = blocks(message).into_iter().chain(blocks(&message["attachments"][0]));
    all.filter_map(|block| block["text"]["text"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

/// Waits until the card shows these words.
#[track_caller]
fn shows(night: &OnCall, card: &Card, words: &str) -> Value {
    wait::until(&format!("\"{words}\""), || {
        let message = card.now();
        if shown(&message).contains(words) {
            Ok((*message).clone())
        } else {
            Err(format!("{message}\n{}", night.site.log()))
        }
    })
}

fn rrdtool(arguments: &[&str]) -> String {
    let done = Command::new("rrdtool").args(arguments).env("LC_ALL", "C").output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

/// An RRD as `PNP4Nagios` makes it, with a value for each minute of the last hours.
fn rrd(directory: &Path, file: &str, hours: i64, value: impl Fn(i64) -> String) {
    let host = directory.join("web01");
    fs::create_dir_all(&host).unwrap();
    let path = host.join(file).display().to_string();
    let start = (now() - hours * HOUR) / 60 * 60;
    let begin = (start - 60).to_string();
    rrdtool(&[
        "create",
        &path,
        "--start",
        &begin,
        "--step",
        "60",
        "DS:1:GAUGE:8460:U:U",
        "DS:2:GAUGE:8460:U:U",
        "RRA:AVERAGE:0.5:1:2880",
        "RRA:AVERAGE:0.5:5:2880",
        "RRA:MAX:0.5:1:2880",
    ]);
    let mut at = start;
    let updates: Vec<String> = std::iter::from_fn(|| {
        at += 60;
        (at <= now()).then(|| format!("{at}:{}:7", value(at - start)))
    })
    .collect();
    for part in updates.chunks(500) {
        let mut line = vec!["update", path.as_str()];
        line.extend(part.iter().map(String::as_str));
        rrdtool(&line);
    }
}

/// A web server that answers each request so, after a while; and what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    after_ms: Arc<AtomicUsize>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> (String, Vec<u8>) + Send + Sync + 'static) -> Self {
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

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// 60 values of a line from 70 to 95 that ends now, oldest first.
fn line() -> Vec<(i64, f64)> {
    (0..61_i32).map(|n| (now() - HOUR - 30 + i64::from(n) * 60, 70.0 + f64::from(n) * 25.0 / 60.0)).collect()
}

fn graphite() -> Vec<u8> {
    let mut points: Vec<Value> = line().iter().map(|(at, value)| json!([value, at])).collect();
    points.insert(3, json!([null, now() - 2 * HOUR]));
    json!([{ "target": "x", "datapoints": points }]).to_string().into_bytes()
}

fn prometheus() -> Vec<u8> {
    let mut points: Vec<Value> = line().iter().map(|(at, value)| json!([at, value.to_string()])).collect();
    points.insert(3, json!([now() - 2 * HOUR, "NaN"]));
    let result = json!([{ "metric": {}, "values": points }]);
    json!({ "status": "success", "data": { "resultType": "matrix", "result": result } }).to_string().into_bytes()
}

/// The head of an answer and its body.
type Answer = fn() -> (String, Vec<u8>);

fn ok(body: Vec<u8>) -> (String, Vec<u8>) {
    ("200 OK\r\nContent-Type: application/json".to_owned(), body)
}

#[test]
#[ignore = "needs rrdtool: tests/run"]
fn a_card_gets_its_curve_by_an_edit_that_changes_nothing_else() {
    let mut night = OnCall::prepare(Way::Http, "500");
    let perfdata = night.site.dir.path().join("perfdata");
    rrd(&perfdata, "Disk.rrd", 7, |seconds| format!("{}", 60.0 + f64::from(i32::try_from(seconds).unwrap()) / 720.0));
    night.begin(&format!(
        "[curve]\nrrd = \"{}\"\n[[route]]\nmatch = {{ service = \"Disk\" }}\nto = [\"#ops\"]\nmention = [\"here\"]\n",
        perfdata.display()
    ));
    notify(&night.site, "Disk", "used=95%;80;90", &["--time", &(now() - 600).to_string()]);
    let card = night.expect("CRITICAL: Disk on web01");
    let with = shows(&night, &card, "used ▁");
    let curve = shown(&with);
    assert!(curve.contains("Last 6 h: from 65.08 % to 9"), "{curve}");
    assert!(curve.contains("Above 90 % (crit) for ") && curve.contains("from ┊ on. Full in"), "{curve}");
    assert!(curve.contains("<!here>"), "whoever was mentioned still is: {curve}");
    let late = |message: &Value| message["attachments"][0]["blocks"].to_string().contains("delivered 10 min late");
    assert!(late(&card) && late(&with), "it is as late as it was: {with}");
    // Later edits show it, too, until it is over; it comes once.
    night.run(&[
        "notify",
        "--hostname",
        "web01",
        "--servicedesc",
        "Disk",
        "--notificationtype",
        "ACKNOWLEDGEMENT",
        "--servicestate",
        "2",
        "--author",
        "Alice",
        "--comment",
        "mine",
    ]);
    let acknowledged = card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert!(shown(&acknowledged).contains("used ▁"), "{acknowledged}");
    night.run(&[
        "notify",
        "--hostname",
        "web01",
        "--servicedesc",
        "Disk",
        "--notificationtype",
        "RECOVERY",
        "--servicestate",
        "0",
    ]);
    let over = card.becomes("RECOVERED, OK: Disk on web01");
    assert!(!shown(&over).contains("▁"), "nothing grows any more: {over}");
    night.rests();
    assert_eq!(night.site.queue()["dead"], 0);
    night.sandbox.assert_respected();
}

/// What awk finds in what `rrdtool fetch` prints is what the explanation says.
#[test]
#[ignore = "needs rrdtool: tests/run"]
fn the_values_are_those_of_rrdtool_fetch() {
    let night = OnCall::prepare(Way::Http, "500");
    let perfdata = night.site.dir.path().join("perfdata");
    // A saw with a gap, an unknown and a spike.
    rrd(&perfdata, "Load.rrd", 7, |seconds| match seconds / 60 {
        100..160 | 200 => "U".to_owned(),
        300 => "99.5".to_owned(),
        minute => (minute % 17).to_string(),
    });
    night.configure(&format!("[curve]\nrrd = \"{}\"\nnotifications = false\n", perfdata.display()));
    let explained = || {
        night.run(&[
            "preview",
            "--explain",
            "--hostname",
            "web01",
            "--servicedesc",
            "Load",
            "--servicestate",
            "2",
            "--notificationtype",
            "PROBLEM",
            "--perfdata",
            "load1=20;5;10",
        ])
    };
    let file = perfdata.join("web01/Load.rrd").display().to_string();
    // The two may see two minutes.
    wait::until("the same minute", || {
        let (from, to) = (now() - 6 * HOUR, now());
        let output = explained();
        let raw = rrdtool(&["fetch", &file, "AVERAGE", "--start", &from.to_string(), "--end", &to.to_string()]);
        let values: Vec<f64> = raw
            .lines()
            .skip(2)
            .filter(|line| line.split(':').next().unwrap().trim().parse::<i64>().unwrap() <= to)
            .filter_map(|line| line.split_whitespace().nth(1).unwrap().parse().ok())
            .filter(|value: &f64| value.is_finite())
            .collect();
        let plain = |value: f64| format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
        let high = values.iter().copied().fold(f64::MIN, f64::max);
        let wanted = [
            format!("from {} to {}", plain(values[0]), plain(values[values.len() - 1])),
            format!("highest {}", plain(high)),
            format!("({} values)", values.len()),
        ];
        let is_same = wanted.iter().all(|part| output.contains(part));
        if is_same { Ok(()) } else { Err(format!("{wanted:?}\n{output}")) }
    });
    assert!(explained().contains('·') || explained().contains("values"), "{}", explained());
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

#[test]
fn an_rrd_that_isnt_there_or_isnt_one_is_named() {
    let mut night = OnCall::prepare(Way::Http, "500");
    let perfdata = night.site.dir.path().join("perfdata");
    fs::create_dir_all(perfdata.join("web01")).unwrap();
    let rrdtool = night.site.dir.path().join("rrdtool");
    night.begin(&format!(
        "[curve]\nnotifications = false\nrrd = \"{}\"\nrrdtool = \"{}\"\n",
        perfdata.display(),
        rrdtool.display()
    ));
    notify(&night.site, "Load", "load1=12;5;10", &[]);
    night.expect("CRITICAL: Load on web01");
    let doctor = || text(&night.site.run(&["doctor"]).stdout);
    let file = perfdata.join("web01/Load.rrd");
    assert!(doctor().contains("Load.rrd: No such file"), "{}", doctor());
    fs::write(&file, "a diary").unwrap();
    assert!(doctor().contains("Load.rrd isn't an RRD"), "{}", doctor());
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert!(doctor().contains("Load.rrd: it isn't a file"), "{}", doctor());
    fs::remove_file(&file).unwrap();
    fs::write(&file, b"RRD\x000003\0 cut off").unwrap();
    assert!(doctor().contains("rrdtool isn't installed") && doctor().contains("apt install rrdtool"), "{}", doctor());
    fs::write(&rrdtool, "#!/bin/sh\necho 'ERROR: reading header: it is being written' >&2\nexit 1\n").unwrap();
    assert!(Command::new("chmod").arg("755").arg(&rrdtool).status().unwrap().success());
    assert!(doctor().contains("rrdtool: reading header: it is being written"), "{}", doctor());
    night.rests();
    night.sandbox.assert_respected();
}

#[test]
fn a_listener_that_is_killed_during_the_look_up_adds_the_curve_once() {
    let server = Server::start(|_| ok(graphite()));
    server.after_ms.store(4000, Ordering::Relaxed);
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin(&format!("[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", server.url));
    notify(&night.site, "Disk", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: Disk on web01");
    wait::until("the look-up", || server.asked().len() == 1);
    signal(night.pid(), "KILL");
    server.after_ms.store(0, Ordering::Relaxed);
    night.listen();
    shows(&night, &card, "Last 1 h: from 70 % to 95 %.");
    notify(&night.site, "Other", "", &[]);
    night.expect("CRITICAL: Other on web01");
    night.rests();
    assert_eq!(night.site.log().matches("step=curve").count(), 1, "{}", night.site.log());
    night.sandbox.assert_respected();
}

#[test]
fn a_picture_goes_into_the_thread_once_and_only_where_the_token_may_write_files() {
    let server = Server::start(|_| ok(graphite()));
    let mut night = OnCall::prepare(Way::Http, "500");
    allow_files(&night);
    let config =
        format!("[curve]\npicture = true\n[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", server.url);
    night.begin(&config);
    notify(&night.site, "Disk", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: Disk on web01");
    shows(&night, &card, "Last 1 h: from 70 % to 95 %.");
    let picture = wait::until("the picture", || pictures(&night).pop());
    assert_eq!(picture["thread_ts"], card["ts"], "{picture}");
    let file = &night.sandbox.get("files")[0];
    assert!(file["alt_txt"].as_str().unwrap().starts_with("Disk on web01: Last 1 h: from 70 % to 95 %"), "{file}");
    assert!(file["bytes"].as_str().unwrap().starts_with("iVBORw0KGgo"), "a PNG: {file}");
    // Without the right the card says what it knows, and nothing else.
    night.sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": "chat:write,chat:write.public"}}}));
    notify(&night.site, "Other", "used=95%;80;90", &[]);
    let other = night.expect("CRITICAL: Other on web01");
    shows(&night, &other, "Last 1 h: from 70 % to 95 %.");
    wait::until("the reason", || night.site.log().contains("no picture of a curve integration=default"));
    night.rests();
    assert_eq!(pictures(&night).len(), 1);
    let doctor = text(&night.site.run(&["doctor"]).stdout);
    assert!(doctor.contains("files:write"), "{doctor}");
    night.sandbox.assert_respected();
}

fn pictures(night: &OnCall) -> Vec<Value> {
    night.sandbox.messages().into_iter().filter(|message| message["raw"]["files"].is_array()).collect()
}

/// The token may upload files, too.
fn allow_files(night: &OnCall) {
    let manifest: Value = serde_json::from_str(include_str!("../../contrib/slack/socket-mode.json")).unwrap();
    let known = manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().clone();
    let known: Vec<&str> = known.iter().filter_map(|scope| scope.as_str()).collect();
    let scopes = format!("{},files:write", known.join(","));
    night.sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": scopes}}}));
}

/// Without any other source: the notifications themselves, where they are many enough.
#[test]
fn notifications_alone_make_a_coarse_curve() {
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin("[curve]\n");
    for (n, value) in [(5, 60), (4, 70), (3, 80), (2, 85)] {
        let at = (now() - n * HOUR).to_string();
        notify(&night.site, "Disk", &format!("used={value}%;50;90"), &["--time", &at]);
    }
    notify(&night.site, "Disk", "used=92%;50;90", &[]);
    let card = night.expect("CRITICAL: Disk on web01");
    let with = shows(&night, &card, "Last 5 h: from 60 % to 92 %.");
    assert!(!shown(&with).contains("pace"), "five values are no line: {with}");
    night.sandbox.assert_respected();
}

#[test]
fn mistakes_in_the_configuration_are_explained() {
    let night = OnCall::prepare(Way::Http, "500");
    let complaint = |more: &str| {
        night.site.configure(&format!("{}{more}", by_token(&night.sandbox.url)));
        let done = night.site.run(&["config", "check"]);
        format!("{}{}", text(&done.stdout), text(&done.stderr))
    };
    for (more, wanted) in [
        ("[curve]\nnotifications = false\n", "[curve] has no source"),
        ("[curve]\nrrd = \"perfdata\"\n", "\"perfdata\" isn't an absolute path"),
        ("[curve]\nspan = \"5m\"\n", "too short for a curve"),
        ("[curve.graphite]\nurl = \"http://graphite.example.com\"\ntarget = \"{host}\"\n", "use https://"),
        (
            "[curve.graphite]\nurl = \"https://u:p@graphite.example.com\"\ntarget = \"{host}\"\n",
            "has a login or a query in it",
        ),
        ("[curve.graphite]\nurl = \"https://graphite.example.com\"\n", "[curve.graphite] without \"target\""),
        ("[curve.prometheus]\nurl = \"https://p.example.com\"\nquery = \"up\"\n", "names no object"),
        ("[curve.grafana]\n", "[curve.grafana] without \"url\""),
        (
            "[curve.grafana]\nurl = \"https://g.example.com/d/u1/disk?viewPanel=4\"\n",
            "the address isn't that of one panel",
        ),
        (
            "[curve.grafana]\nurl = \"https://g.example.com/d-solo/u1/disk?panelId=4\"\n",
            "[curve.grafana] has no effect without pictures",
        ),
        (
            "[curve.prometheus]\nurl = \"https://p.example.com\"\nquery = \"{host}\"\nuser = \"x\"\n",
            "the login of [curve.prometheus] isn't whole",
        ),
    ] {
        let found = complaint(more);
        assert!(found.contains(wanted), "{more}: {found}");
    }
}
