//! Enemies: one who stole a relay's token, a centre that was taken over, and one who only reaches the port.

use super::{Branch, TOKEN, satellite};
use crate::harness::on_call::{OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::process::text;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const OTHER: &str = "9999999999999999999999999999999999999999";

fn request(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAckbell-Protocol: 1\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn call(step: &Value, about: &Value) -> String {
    json!({"now_ms": 1_795_000_000_000_i64, "about": about, "step": step}).to_string()
}

impl Branch {
    fn address(&self) -> String {
        let config = std::fs::read_to_string(self.site.config()).unwrap();
        config.split("http://").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    fn connect(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn status(&self, request: &str) -> u16 {
        let (mut stream, mut answer) = (self.connect(request), [0; 12]);
        stream.read_exact(&mut answer).unwrap();
        text(&answer[9..]).parse().unwrap()
    }
}

#[test]
fn no_header_and_no_number_of_a_stolen_token_stops_anything() {
    let branch = Branch::new();
    for clock in ["-9223372036854775808", "9223372036854775807", "99999999999999999999", "x", ""] {
        let headers = format!("{}Ackbell-Clock: {clock}\r\n", bearer(TOKEN));
        assert_eq!(branch.status(&request("/v1/spool", &headers, "")), 204, "{clock}");
    }
    for now in [i64::MIN, i64::MAX] {
        let body =
            json!({"now_ms": now, "about": {"oldest": i64::MIN}, "step": {"take": {"id": u64::MAX}}}).to_string();
        assert_eq!(branch.status(&request("/v1/core-request", &bearer(TOKEN), &body)), 410);
    }
    // Whatever it calls itself is shown short and plain.
    let about =
        json!({"version": format!("\u{1b}[2J{}", "x".repeat(1_000_000)), "kind": "\nnagios", "waiting": u64::MAX >> 1});
    let body = call(&json!({"take": {"id": 1}}), &about);
    assert_eq!(branch.status(&request("/v1/core-request", &bearer(TOKEN), &body)), 410);
    wait::until("the status", || {
        std::fs::read_to_string(branch.night.site.state("listener.json")).unwrap().contains("xxxxxxxx")
    });
    for verb in ["doctor", "check"] {
        let said = text(&branch.night.site.run(&[verb]).stdout);
        assert!(said.len() < 5000 && !said.contains('\u{1b}'), "{said}");
    }
    // Batches that are to fill the log, the reply or the memory.
    let bad = |name: &str| json!({"name": name, "entry": 1}).to_string() + "\n";
    assert_eq!(branch.status(&request("/v1/spool", &bearer(TOKEN), &bad("x").repeat(200_000))), 413);
    let before = branch.night.site.log().len();
    for nth in 0..20 {
        let names = bad(&format!("{nth}{}", "y".repeat(10_000))).repeat(200);
        assert_eq!(branch.status(&request("/v1/spool", &bearer(TOKEN), &names)), 400);
    }
    assert!(branch.night.site.log().len() - before < 20_000, "{}", branch.night.site.log().len() - before);
    let deep = format!(
        "{{\"name\":\"01795000000000000000.7.0123456789abcdef\",\"entry\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(branch.status(&request("/v1/spool", &bearer(TOKEN), &deep)), 400);
    // Two tokens, none, and others that are no token.
    for headers in [
        String::new(),
        format!("{}{}", bearer(OTHER), bearer(TOKEN)),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: {TOKEN}\r\n"),
        "Authorization: Bearer \r\n".to_owned(),
        bearer(&TOKEN[..TOKEN.len() - 1]),
        bearer(&format!("{TOKEN}0")),
    ] {
        for path in ["/v1/spool", "/v1/core-request"] {
            assert_eq!(branch.status(&request(path, &headers, "")), 401, "{headers}");
        }
    }
    // Another version; and a relay's token is none for the message API, nor for Slack's endpoint.
    let foreign = request("/v1/spool", &bearer(TOKEN), "").replace("Protocol: 1", "Protocol: 7");
    assert_eq!(branch.status(&foreign), 409);
    assert_ne!(branch.status(&request("/v1/webhook", &bearer(TOKEN), "{}")) / 100, 2);
    assert_eq!(branch.status(&request("/slack/request", &bearer(TOKEN), "payload={}")), 401);
    // The relay itself goes on.
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
}

#[test]
fn a_stolen_token_answers_for_its_own_core_only() {
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin(&format!("[cores.branch]\nrelay_token = \"{TOKEN}\"\n[cores.other]\nrelay_token = \"{OTHER}\"\n"));
    let site = satellite(&night.site, TOKEN);
    let core = PlayedCore::start(site.dir.path());
    let mut branch = Branch { night, core, relay: None, site };
    branch.start();
    let card = branch.falls_ill("Disk");
    // While a click is under way, every request that could be is taken and answered with lies by the other core's token.
    let (address, is_over) = (branch.address(), Arc::new(Mutex::new(false)));
    let over = Arc::clone(&is_over);
    let liar = std::thread::spawn(move || {
        let mut statuses = Vec::new();
        while !*over.lock().unwrap() {
            for id in 1..20 {
                let lie = json!({"failed": {"reason": "no such core", "is_verdict": true}});
                for step in [json!({"take": {"id": id}}), json!({"answer": {"id": id, "answer": lie}})] {
                    let mut stream = TcpStream::connect(&address).unwrap();
                    let text = request("/v1/core-request", &bearer(OTHER), &call(&step, &json!({})));
                    stream.write_all(text.as_bytes()).unwrap();
                    let mut answer = [0; 12];
                    if stream.read_exact(&mut answer).is_ok() {
                        statuses.push(String::from_utf8_lossy(&answer[9..]).into_owned());
                    }
                }
            }
        }
        statuses
    });
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    *is_over.lock().unwrap() = true;
    let statuses = liar.join().unwrap();
    assert!(statuses.len() > 10 && statuses.iter().all(|status| status == "410"), "{statuses:?}");
    assert_eq!(branch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 1);
}

#[test]
fn neither_a_stolen_token_nor_a_crowd_without_one_takes_the_place_of_clicks() {
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin(&format!("[cores.branch]\nrelay_token = \"{TOKEN}\"\n[cores.other]\nrelay_token = \"{OTHER}\"\n"));
    let site = satellite(&night.site, TOKEN);
    let core = PlayedCore::start(site.dir.path());
    let mut branch = Branch { night, core, relay: None, site };
    branch.start();
    let card = branch.falls_ill("Disk");
    // Waiting calls of the stolen token: most are refused at once.
    let wait = request("/v1/core-request", &bearer(OTHER), &call(&json!("wait"), &json!({})));
    let held: Vec<TcpStream> = (0..300).map(|_| branch.connect(&wait)).collect();
    let refused = |stream: &&TcpStream| {
        let mut answer = [0; 12];
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut stream: &TcpStream = stream;
        stream.read_exact(&mut answer).is_ok() && answer.ends_with(b"429")
    };
    let count = held.iter().filter(refused).count();
    assert!(count >= 300 - 40, "{count}");
    // And a crowd that begins large batches without a token, or says nothing.
    let crowd: Vec<TcpStream> = (0..500)
        .map(|nth| {
            let begun = "POST /v1/spool HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\nx";
            branch.connect(if nth % 2 == 0 { begun } else { "" })
        })
        .collect();
    let started = Instant::now();
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    drop((held, crowd));
    let log = branch.night.site.log();
    assert!(log.matches("too_many_relay_calls").count() < 20, "a crowd fills no log: {log}");
}

/// Whether a request has its body.
fn is_whole(bytes: &[u8]) -> bool {
    let request = String::from_utf8_lossy(bytes).into_owned();
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// A centre that was taken over: it answers each call for a request with the next of these, and anything else with 204.
fn taken_over(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (all, answers) = (Arc::clone(&heard), Arc::new(Mutex::new(answers.into_iter())));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (all, answers) = (Arc::clone(&all), Arc::clone(&answers));
            std::thread::spawn(move || {
                let (mut bytes, mut chunk) = (Vec::new(), vec![0; 65536]);
                while !is_whole(&bytes) {
                    match stream.read(&mut chunk) {
                        Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
                        _ => return,
                    }
                }
                let asked = text(&bytes);
                let is_wait = asked.contains("\"wait\"");
                all.lock().unwrap().push(asked);
                let next = is_wait.then(|| answers.lock().unwrap().next()).flatten();
                let none = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned();
                let _ = stream.write_all(next.unwrap_or(none).as_bytes());
            });
        }
    });
    (address, heard)
}

fn given(question: &Value, within_ms: u64) -> String {
    let body = json!({"id": 1, "within_ms": within_ms, "question": question}).to_string();
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_centre_that_was_taken_over_writes_no_line_of_its_own_into_the_core() {
    let send = |action: Value, host: &str, service: Option<&str>, core: &str, author: &str| {
        let object = json!({"core": core, "host": host, "service": service});
        given(&json!({"send": {"action": action, "object": object, "author": author}}), u64::MAX)
    };
    let ack = |comment: &str| json!({"Acknowledge": {"sticky": true, "notify": false, "persistent": false, "comment": comment, "expiry": null}});
    let evil = "x\n[1] SHUTDOWN_PROGRAM";
    let thief = TcpListener::bind("127.0.0.1:0").unwrap();
    thief.set_nonblocking(true).unwrap();
    let elsewhere = thief.local_addr().unwrap();
    let objects =
        json!([{"core": "", "host": evil, "service": null}, {"core": "", "host": "a\nFilter: x", "service": ""}]);
    let answers = vec![
        send(ack("fine"), evil, Some("Disk"), "", "alice"),
        send(ack("fine"), "web01", Some(evil), "", "alice"),
        send(ack("fine"), "web01;x", Some("Disk"), "", "alice"),
        send(ack("fine"), "web01", Some("Disk"), "main", "alice"),
        send(json!({"CancelDowntime": {"id": evil}}), "web01", None, "", "alice"),
        send(json!({"ShutdownProgram": {}}), "web01", None, "", "alice"),
        // The only one that is a command: every text of it is cleaned.
        send(ack(&format!("$(id) `id` {evil}")), "web01", Some("Disk"), "", &format!("al;ice {evil}")),
        given(&json!({"state": objects}), 1),
        given(&json!({"command_result": {"line": evil, "since": i64::MIN}}), 1),
        given(&json!({"contacts": {"core": "../..", "host": "../../etc/passwd", "service": "\0"}}), 1),
        given(&json!({"read_file": "/etc/shadow"}), 1),
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{\"id\":".to_owned(),
        format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 20000000\r\n\r\n{}", "[".repeat(20_000_000)),
        "HTTP/1.1 500 \u{1b}[2J\r\nConnection: close\r\nContent-Length: 9\r\n\r\n\u{1b}[2J\nx=y".to_owned(),
        given(&json!("names"), 1),
    ];
    let (address, heard) = taken_over(answers);
    let site = Site::new(&format!("[relay]\nto = \"http://{address}\"\ntoken = \"{TOKEN}\"\n{}", PlayedCore::CONFIG));
    let core = PlayedCore::start(site.dir.path());
    core.set("web01", "Disk", 2);
    let relay = site.listen();
    let answered = |what: &str| heard.lock().unwrap().iter().any(|asked| asked.contains(what));
    wait::until("the last question to be answered", || {
        if answered("{\"objects\":") { Ok(()) } else { Err(format!("{:?}\n{}", heard.lock().unwrap(), site.log())) }
    });
    let commands = core.with(|held| held.commands.clone());
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].starts_with("ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;0;0;al"), "{commands:?}");
    assert!(!commands[0].contains(['$', '`', '\n']) && commands[0].matches(';').count() == 7, "{commands:?}");
    for refusal in ["the command is for another core", "that is no downtime's id", "fields end at a semicolon"] {
        wait::until("the refusal", || answered(refusal));
    }
    assert!(thief.accept().is_err(), "the token goes nowhere else");
    let log = site.log();
    assert!(!log.contains('\u{1b}') && !log.contains("panicked"), "{log}");
    drop(relay);
}
