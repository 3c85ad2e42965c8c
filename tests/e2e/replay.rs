//! `ackbell replay`: what a configuration would have sent of a core's log, without sending it.

use crate::harness::nagios::Nagios;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::{signal, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

fn service(at: i64, contact: &str, host: &str, state: &str) -> String {
    format!("[{at}] SERVICE NOTIFICATION: {contact};{host};Disk;{state};notify-service-by-ackbell;full\n")
}

fn write(site: &Site, name: &str, log: impl AsRef<[u8]>) -> PathBuf {
    let path = site.dir.path().join(name);
    fs::write(&path, log).unwrap();
    path
}

fn json(site: &Site, log: &Path, more: &[&str]) -> Value {
    let mut line = vec!["replay", log.to_str().unwrap(), "--json"];
    line.extend(more);
    let done = site.run(&line);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The numbers of a destination: messages, at night, replies, edits.
fn numbers(replayed: &Value, name: &str) -> Option<[u64; 4]> {
    let found = replayed["destinations"].as_array().unwrap().iter().find(|found| found["name"] == name)?;
    Some(["messages", "at_night", "replies", "edits"].map(|key| found[key].as_u64().unwrap()))
}

const ROUTES: &str = "[[route]]\nmatch = { host = \"db*\" }\nto = \"#db-alerts\"\nmention = \"@here\"\n\
    [[route]]\nmatch = { host = \"nobody*\" }\nto = \"@alice@example.com\"\n";

/// Noon and three in the morning of the day before yesterday; the tests run in UTC.
fn noon_and_night() -> (i64, i64) {
    let midnight = now() / 86_400 * 86_400 - 2 * 86_400;
    (midnight + 12 * 3600, midnight + 3 * 3600)
}

#[test]
fn a_replay_counts_by_destination_and_by_night_and_sends_nothing() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, ROUTES);
    let (noon, night) = noon_and_night();
    let mut log = String::new();
    for contact in ["alice", "bob"] {
        log += &service(night, contact, "db01", "CRITICAL");
    }
    log += &service(night + 60, "alice", "db01", "OK");
    log += &service(noon, "alice", "web01", "CRITICAL");
    for rack in 0..30 {
        log += &format!("[{}] HOST NOTIFICATION: alice;rack{rack};DOWN;notify-host-by-ackbell;no ping\n", noon + 3600);
    }
    let log = write(&site, "nagios.log", log);
    let shown = json(&site, &log, &[]);
    let replayed = &shown["replayed"];
    assert_eq!(numbers(replayed, "#db-alerts"), Some([1, 1, 1, 1]), "two contacts show once: {shown}");
    let ops = numbers(replayed, "#ops").unwrap();
    assert_eq!((ops[0], ops[1]), (3, 0), "a card of its own, the storm's first, and the storm: {shown}");
    assert_eq!((&replayed["storms"], &replayed["largest_storms"][0]["problems"]), (&1.into(), &29.into()), "{shown}");
    assert_eq!(replayed["routes"][0]["notifications"], 3, "{shown}");
    assert_eq!(replayed["routes"][1]["notifications"], 0, "{shown}");
    assert_eq!((&replayed["mentions"][0]["name"], &replayed["mentions"][0]["at_night"]), (&"here".into(), &1.into()));
    let done = site.run(&["replay", log.to_str().unwrap()]);
    let lines = text(&done.stdout);
    assert!(lines.contains("Routes that never matched: the one at line "), "{lines}");
    assert!(lines.contains("#db-alerts          1         1"), "{lines}");
    let done = site.run(&["replay", log.to_str().unwrap(), "--messages"]);
    let listed = text(&done.stdout);
    assert!(listed.contains("message  #db-alerts  CRITICAL: Disk on db01"), "{listed}");
    assert_eq!(sandbox.requests(), 0, "Slack was called");
    assert!(!site.state("").exists(), "the state directory isn't touched");
}

#[test]
fn two_configurations_are_compared_by_what_each_would_have_sent() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, ROUTES);
    let (noon, _) = noon_and_night();
    let log = write(&site, "nagios.log", service(noon, "alice", "db01", "CRITICAL"));
    let in_force = site.dir.path().join("in-force.toml");
    fs::copy(site.config(), &in_force).unwrap();
    let new = fs::read_to_string(site.config()).unwrap().replace("#db-alerts", "@<b>bob@example.com");
    fs::write(site.config(), new).unwrap();
    let run = |more: &[&str]| {
        let done =
            site.command(&["replay", log.to_str().unwrap()]).args(more).env("ACKBELL_CONFIG", &in_force).output();
        let done = done.unwrap();
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let lines = run(&[]);
    assert!(
        lines.contains("the difference to the configuration in force") && lines.contains("in-force.toml"),
        "{lines}"
    );
    assert!(lines.contains("#db-alerts             0 (-1)") && lines.contains("1 (+1)"), "{lines}");
    let shown: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(numbers(&shown["in_force"], "#db-alerts"), Some([1, 0, 0, 0]), "{shown}");
    assert_eq!(numbers(&shown["replayed"], "#db-alerts"), None, "{shown}");
    let page = run(&["--html"]);
    assert!(page.contains("&lt;b&gt;bob@example.com") && !page.contains("<b>"), "names are text: {page}");
    assert!(!page.contains("http") && !page.contains("<script"), "it needs nothing else: {page}");
    fs::write(&in_force, "[slack]\nchanel = 1\n").unwrap();
    let done = site.command(&["replay", log.to_str().unwrap()]).env("ACKBELL_CONFIG", &in_force).output().unwrap();
    assert_eq!(done.status.code(), Some(78));
    assert!(text(&done.stderr).contains("in-force.toml"), "{}", text(&done.stderr));
}

/// A card of a problem that began before the time is edited within it: no message of its own.
#[test]
fn problems_from_before_the_time_are_known_in_it() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    let began = now() - 3 * 86_400;
    let log = service(began, "alice", "web01", "CRITICAL") + &service(now() - 3600, "alice", "web01", "OK");
    let log = write(&site, "nagios.log", log);
    let shown = json(&site, &log, &["--since", "1d"]);
    assert_eq!(numbers(&shown["replayed"], "#ops"), Some([0, 0, 1, 1]), "{shown}");
    assert_eq!(shown["replayed"]["notifications"], 1, "{shown}");
}

#[test]
fn a_subscription_and_whoever_is_on_call_have_their_messages() {
    let plan = "[oncall.db]\npeople = [\"bob@example.com\"]\nstart = \"2026-11-02 09:00\"\nevery = \"7d\"\n";
    let sandbox = Sandbox::start(&[]);
    let site =
        Site::with_token(&sandbox, &format!("[[route]]\nmatch = {{ host = \"db*\" }}\nto = \"@oncall:db\"\n{plan}"));
    let (noon, _) = noon_and_night();
    let log = write(
        &site,
        "nagios.log",
        service(noon, "alice", "db01", "CRITICAL") + &service(noon, "alice", "web01", "CRITICAL"),
    );
    // The outbox is made by the first delivery.
    fs::create_dir(site.state("")).unwrap();
    let done = site.run(&["queue", "flush"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    site.sql("INSERT INTO subscription (integration, channel, filter, person, at) VALUES ('default', 'C0SUBSCR01', 'db*', 'U1', 0)").unwrap();
    let shown = json(&site, &log, &[]);
    let replayed = &shown["replayed"];
    assert_eq!(numbers(replayed, "@oncall:db"), Some([1, 0, 0, 0]), "{shown}");
    assert_eq!(numbers(replayed, "C0SUBSCR01"), Some([1, 0, 0, 0]), "{shown}");
    assert_eq!(numbers(replayed, "#ops"), Some([1, 0, 0, 0]), "{shown}");
}

#[test]
fn mistakes_are_named_and_the_rest_is_replayed() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    let (noon, _) = noon_and_night();
    let mut torn = service(noon, "alice", "web01", "CRITICAL").into_bytes();
    torn.extend(format!("[{noon}] SERVICE NOTIFICATION: alice;w\u{e4}b;Disk;CRITICAL;x;y").into_bytes());
    torn.extend(b"\n[12] SERVICE NOTIFICATION: a;b;c;CRITICAL;x;y\n[");
    let path = write(&site, "nagios.log", &torn);
    let run = |more: &[&str]| {
        let mut line = vec!["replay", path.to_str().unwrap()];
        line.extend(more);
        let done = site.run(&line);
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    let (code, out, errors) = run(&[]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains("2 notifications. Nothing was sent."), "{out}");
    assert!(errors.contains("1 without an end, 1 with a time before the year 2000"), "{errors}");
    assert!(errors.contains("--command '*ackbell*'"), "{errors}");
    let (_, out, errors) = run(&["--command", "notify-service-by-ackbell"]);
    assert!(out.contains(" 1 notification.") && !errors.contains("--command"), "{out}{errors}");
    let (_, _, errors) = run(&["--command", "mail*"]);
    assert!(
        errors.contains("no notification command is like \"mail*\"; the logs have: notify-service-by-ackbell, x"),
        "{errors}"
    );
    let (code, _, errors) = run(&["/nowhere/nagios.log"]);
    assert_eq!(code, Some(64), "the other file was replayed: {errors}");
    assert!(errors.contains("can't read /nowhere/nagios.log"), "{errors}");
    let (code, _, errors) = run(&["--core", "branch"]);
    assert_eq!(code, Some(64), "{errors}");
    assert!(errors.contains("--core: there is no [cores.branch]"), "{errors}");
    let empty = write(&site, "empty.log", "");
    let done = site.run(&["replay", empty.to_str().unwrap()]);
    assert!(text(&done.stderr).contains("no notification in this time"), "{}", text(&done.stderr));
}

#[test]
fn ctrl_c_shows_what_was_replayed_and_says_so() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    let path = site.dir.path().join("nagios.log");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    let began = now() - 20 * 86_400;
    for number in 0..100_000 {
        let state = if number % 2 == 0 { "CRITICAL" } else { "OK" };
        file.write_all(service(began + number, "alice", "web01", state).as_bytes()).unwrap();
    }
    file.flush().unwrap();
    let mut command = site.command(&["replay", path.to_str().unwrap()]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    signal(running.id(), "INT");
    let done = running.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(75), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("stopped; the numbers cover the logs up to there"), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("#ops"), "{}", text(&done.stdout));
}

/// No way out at all, and no call that would need one.
#[test]
#[ignore = "needs root: tests/run"]
fn a_replay_opens_no_connection() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(
        &sandbox,
        "[[route]]\nmatch = {}\nto = \"@alice@example.com\"\nmention = \"@dba\"\n[core]\nlivestatus = \"192.0.2.1:6557\"\n",
    );
    let (noon, _) = noon_and_night();
    let log = write(&site, "nagios.log", service(noon, "alice", "web01", "CRITICAL"));
    let traced = site.dir.path().join("trace");
    let line = site.command(&["replay", log.to_str().unwrap(), "--json"]);
    let mut command = Command::new("unshare");
    command.args(["--net", "strace", "-f", "-e", "trace=%network", "-o"]).arg(&traced).arg(line.get_program());
    let done = command.args(line.get_args()).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let shown: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(numbers(&shown["replayed"], "@alice@example.com"), Some([1, 0, 0, 0]), "{shown}");
    let calls = fs::read_to_string(traced).unwrap();
    assert!(!calls.contains("connect(") && !calls.contains("sendto("), "{calls}");
}

/// A message's thread, as the number of the message at its head, and its text without spans of time: the log has whole
/// seconds, and `notify` is run a moment later.
fn without_spans(messages: &[(Option<usize>, String)]) -> Vec<(Option<usize>, String)> {
    let cut = |text: &str| {
        let parts = text.split(" · ").filter(|part| !part.starts_with("was ") && !part.starts_with("for "));
        parts.collect::<Vec<_>>().join(" · ")
    };
    messages.iter().map(|(head, text)| (*head, cut(text))).collect()
}

/// What a person saw in Slack on an evening with a real core, and what a replay of that core's log gives.
#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_replay_of_a_real_cores_log_gives_what_it_delivered() {
    let night = OnCall::with_nagios(Way::Http, "");
    evening(&night);
    night.rests();
    let seen = night.sandbox.messages();
    let head = |ts: &Value| seen.iter().position(|message| message["ts"] == *ts);
    let delivered: Vec<(Option<usize>, String)> =
        seen.iter().map(|m| (head(&m["thread_ts"]), m["text"].as_str().unwrap().to_owned())).collect();
    let log = night.core.path("nagios.log");
    let calls = night.run(&["replay", log.to_str().unwrap(), "--messages", "--json"]);
    let mut replayed: Vec<(String, Option<usize>, String)> = Vec::new();
    for call in calls.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let root = call["thread"].as_str().unwrap().to_owned();
        let shown = call["message"]["text"].as_str().unwrap().to_owned();
        let known = replayed.iter().position(|(ts, _, _)| *ts == root);
        match (call["kind"].as_str().unwrap(), known) {
            ("edit", Some(known)) => replayed[known].2 = shown,
            ("reply", known) => replayed.push((String::new(), known, shown)),
            (_, _) => replayed.push((root, None, shown)),
        }
    }
    let replayed: Vec<(Option<usize>, String)> = replayed.into_iter().map(|(_, head, shown)| (head, shown)).collect();
    assert_eq!(without_spans(&delivered), without_spans(&replayed), "{}", night.core.log());
    assert!(delivered.len() >= 8, "{delivered:?}");
}

/// The log has whole seconds: what stands in one of them has no order there, and a channel takes one message a second.
fn another_second() {
    std::thread::sleep(std::time::Duration::from_millis(2100));
}

/// Each thing is waited for, as the order within one second is the machine's to choose.
fn evening(night: &OnCall<Nagios>) {
    for (service, output) in [("Disk", "2% free"), ("Load", "9.1")] {
        let card = night.falls_ill(service, output);
        another_second();
        night.core.order(&format!("ACKNOWLEDGE_SVC_PROBLEM;web01;{service};2;1;0;Carol;looking"));
        card.becomes(&format!("ACKNOWLEDGED, CRITICAL: {service} on Web 01"));
        wait::until("the reply", || card.replies().iter().any(|reply| reply.starts_with("ACKNOWLEDGED")));
        another_second();
        night.core.set(service, 0, "fine again");
        card.becomes(&format!("RECOVERED, OK: {service} on Web 01"));
        wait::until("the reply", || card.replies().iter().any(|reply| reply.starts_with("RECOVERED")));
        another_second();
    }
    night.core.order("PROCESS_HOST_CHECK_RESULT;web01;1;no ping");
    let down = night.expect("DOWN: Web 01 · no ping");
    another_second();
    night.core.order("PROCESS_HOST_CHECK_RESULT;web01;0;ping");
    down.becomes("RECOVERED, UP: Web 01");
}
