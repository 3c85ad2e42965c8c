//! `ackbell check` as a core runs it, over the real listener, outbox and command file.

use crate::harness::process::{free_port, signal, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use rustix::fs::{Mode, mkfifoat};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The exit code and the whole output.
fn check(site: &Site, arguments: &[&str]) -> (i32, String) {
    let done = site.run(&[&["check"], arguments].concat());
    assert_eq!(text(&done.stderr), "");
    // Commands to paste name the configuration.
    let named = format!("ackbell --config {} ", site.config().display());
    (done.status.code().unwrap(), text(&done.stdout).replace(&named, "ackbell "))
}

/// Waits for the exit code and a part of the first line.
#[track_caller]
fn wait_for(site: &Site, code: i32, part: &str) -> String {
    wait::until(&format!("{code} with {part:?}"), || {
        let last = check(site, &[]);
        let is_it = last.0 == code && last.1.lines().next().unwrap_or_default().contains(part);
        if is_it { Ok(last.1) } else { Err(format!("{last:?}")) }
    })
}

fn report(site: &Site) -> Value {
    serde_json::from_slice(&fs::read(site.state("listener.json")).unwrap()).unwrap()
}

#[test]
fn a_listener_that_is_well_dies_and_stops_in_order() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let (code, said) = check(&site, &[]);
    assert_eq!(
        (code, said.lines().next().unwrap()),
        (
            0,
            "ACKBELL OK - nothing waits, notify delivers by itself | waiting=0;100;1000;0 oldest=0s;300;900;0 dead=0;;1;0 bad=0;;1;0"
        )
    );
    let listener = site.listen();
    let version = env!("CARGO_PKG_VERSION");
    let said = wait_for(&site, 0, &format!("ACKBELL OK - nothing waits, the listener {version} runs | "));
    assert_eq!(said.lines().count(), 1, "{said}");
    signal(listener.0.id(), "KILL");
    drop(listener);
    let said = wait_for(&site, 2, "CRITICAL - the listener died: process ");
    assert!(said.contains("\n  systemctl restart ackbell; its log: journalctl -u ackbell\n"), "{said}");
    let listener = site.listen();
    wait_for(&site, 0, "runs");
    assert_eq!(listener.stop(), Some(0));
    assert!(!site.state("listener.json").exists());
    wait_for(&site, 0, "notify delivers by itself");
}

#[test]
fn a_listener_that_hangs_with_the_lock_or_is_of_another_version_is_told() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let listener = site.listen();
    wait_for(&site, 0, "runs");
    signal(listener.0.id(), "STOP");
    let mut said = report(&site);
    said["heartbeat"] = json!(said["heartbeat"].as_i64().unwrap() - 300);
    fs::write(site.state("listener.json"), said.to_string()).unwrap();
    let (code, text) = check(&site, &[]);
    let pid = listener.0.id();
    assert_eq!(code, 2, "{text}");
    let expected = format!(
        "ACKBELL CRITICAL - the listener is stuck: process {pid} holds the delivery lock and has been silent for 5 min | "
    );
    assert!(text.starts_with(&expected), "{text}");
    said["heartbeat"] = json!(said["heartbeat"].as_i64().unwrap() + 300);
    said["version"] = json!("0.0.1");
    fs::write(site.state("listener.json"), said.to_string()).unwrap();
    let (code, text) = check(&site, &[]);
    assert_eq!(code, 1);
    assert!(text.starts_with("ACKBELL WARNING - the listener is ackbell 0.0.1, this is "), "{text}");
    signal(pid, "CONT");
}

#[test]
fn what_waits_is_dead_or_unreadable_is_counted() {
    let site =
        Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/T1/B1/x\"\n[outbox]\ntime_budget = \"1s\"\n");
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let (code, said) = check(&site, &["-w", "1h", "-c", "2h"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("ACKBELL OK - 1 message waiting for ") && said.contains("| waiting=1;"), "{said}");
    let (code, said) = check(&site, &["--warning-queue", "1"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("\n  ackbell queue list says what for"), "{said}");
    let (code, said) = check(&site, &["-w", "0s", "-c", "0s"]);
    assert_eq!(code, 2, "{said}");
    fs::write(site.state("spool/bad/00001"), "x").unwrap();
    let (code, said) = check(&site, &["-w", "1h", "-c", "2h"]);
    assert_eq!(code, 2);
    assert!(said.starts_with("ACKBELL CRITICAL - 1 spool file can't be read and isn't delivered | "), "{said}");
    assert!(said.contains(" bad=1;;1;0"), "{said}");
}

#[test]
fn dead_messages_and_a_refused_token_are_critical() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    sandbox.tell("state", &json!({"channels": [{"id": "C0OPS00001", "name": "ops", "archived": true}]}));
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let (code, said) = check(&site, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.starts_with("ACKBELL CRITICAL - 1 dead message given up (the last: is_archived"), "{said}");
    assert!(said.contains("\n  ackbell queue list; then ackbell queue retry, or ackbell queue drop ID"), "{said}");
    let site = Site::with_token(&sandbox, "");
    sandbox
        .tell("faults", &json!({"faults": [{"kind": "error", "error": "invalid_auth", "method": "chat.postMessage"}]}));
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let (code, said) = check(&site, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.starts_with("ACKBELL CRITICAL - [default] can't deliver: invalid_auth | "), "{said}");
    assert!(said.contains("\n  ackbell doctor --integration default"), "{said}");
}

#[test]
fn a_refused_configuration_is_told_while_the_old_one_serves() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let _listener = site.listen();
    wait_for(&site, 0, "runs");
    let good = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), format!("{good}\n[nonsense]\n")).unwrap();
    wait::until("the refusal", || report(&site)["refused"].is_object());
    let (code, said) = check(&site, &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("WARNING: the listener refused the configuration "), "{said}");
    assert!(said.contains("the configuration is broken: ") && said.contains("\n  ackbell config check"), "{said}");
    fs::write(site.config(), good).unwrap();
    wait_for(&site, 0, "runs");
}

#[test]
#[ignore = "slow: tests/run"]
fn ghosts_a_wrong_clock_and_a_taken_port_are_told() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/slack/request");
    let sandbox = Sandbox::start(&["--request-url", &url]);
    sandbox.tell("state", &json!({"app": {"socket_mode": true}}));
    sandbox.tell("socket", &json!({"ghosts": 2}));
    let more = format!(
        "app_token = \"xapp-sandbox-0000000000\"\nsigning_secret = \"sandbox-signing-secret\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n[core]\ncommand_file = \"cmd\"\n"
    );
    let site = Site::with_token(&sandbox, &more);
    let fifo = site.dir.path().join("cmd");
    mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
    let mut open = fs::OpenOptions::new();
    let reader = open.read(true).write(true).open(&fifo).unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let listener = site.listen();
    wait_for(&site, 2, "the HTTP listener isn't open: ");
    let (_, said) = check(&site, &[]);
    assert!(said.contains(&format!("CRITICAL: the HTTP listener isn't open: 127.0.0.1:{port}: can't start: Address already in use (os error 98); stop the program that listens there, or change [listen] http\n  ss -ltnp shows who listens")), "{said}");
    drop((taken, listener));
    let _listener = site.listen();
    wait_for(
        &site,
        1,
        "[default] 2 other connections of the app: Slack sends some clicks there, and this listener never sees them",
    );
    // The way by HTTP, which is signed: by a clock that is ten minutes late.
    sandbox.tell("state", &json!({"clock_shift_seconds": -600, "app": {"socket_mode": false}}));
    sandbox.order("event", &json!({"event": {"type": "app_home_opened", "user": "U0ALICE001"}}));
    let said = wait_for(&site, 2, "this machine's clock is 60");
    assert!(said.contains("s ahead of Slack's: at 300 s every click is refused"), "{said}");
    assert!(said.contains("\n  timedatectl set-ntp true"), "{said}");
    drop(reader);
    let (_, said) = check(&site, &[]);
    assert!(
        said.contains(
            "WARNING: the core takes no commands: the monitoring core isn't running: nobody reads its command file"
        ),
        "{said}"
    );
}

#[test]
#[ignore = "needs root: tests/run"]
fn nobody_else_is_held_up_and_nothing_is_made_up() {
    use std::os::unix::process::CommandExt;
    let site =
        Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/T1/B1/x\"\n[outbox]\ntime_budget = \"1s\"\n");
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    for (path, mode) in [(site.dir.path().to_owned(), "0755"), (site.config(), "0640"), (site.state(""), "0750")] {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    }
    let ackbell = site.dir.path().join("ackbell");
    crate::harness::process::copy_ackbell(&ackbell);
    let mut command = Command::new(ackbell);
    command.arg("--config").arg(site.config()).arg("check").env_clear().uid(65534).gid(65534);
    let started = Instant::now();
    let done = command.output().unwrap();
    let said = text(&done.stdout);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.starts_with("ACKBELL UNKNOWN - "), "{said}");
    assert!(
        said.contains("Permission denied (os error 13)") && said.contains("\n  run this check as the core's user"),
        "{said}"
    );
    // The configuration hangs, as on a dead file server: no more than 5 s.
    let hangs = Site::new("");
    fs::remove_file(hangs.config()).unwrap();
    mkfifoat(rustix::fs::CWD, hangs.config(), Mode::from_raw_mode(0o644)).unwrap();
    // On a machine where ackbell is installed, root becomes the owner of its state to read that.
    for (path, mode) in [(hangs.dir.path().to_owned(), "0755"), (hangs.config(), "0644")] {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    }
    let started = Instant::now();
    let (code, said) = check(&hangs, &[]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("the listener can't be seen: it took too long"), "{said}");
    // A misspelt argument is a plugin's UNKNOWN, too.
    let (code, said) = check(&site, &["--wrong"]);
    assert_eq!(
        (code, said.trim()),
        (3, "ACKBELL UNKNOWN - unexpected argument '--wrong' found; see ackbell check --help")
    );
    let said = text(&site.run(&["check", "-c", "0s", "-w", "0s"]).stdout);
    assert!(
        said.contains(&format!("\n  ackbell --config {} queue list says what for", site.config().display())),
        "{said}"
    );
    let (_, said) = check(&site, &["--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["status"], &said["findings"][0]["level"]), (&json!("OK"), &json!("note")));
}

#[test]
fn the_audits_head_is_in_the_journal_and_a_cut_end_shows_by_it() {
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/services/T1/B1/x\"\n");
    let listener = site.listen();
    let (first, second) = ("1".repeat(64), "2".repeat(64));
    site.sql(&format!("INSERT INTO audit (entry, hash) VALUES ('{{}}', '{first}'), ('{{}}', '{second}')")).unwrap();
    let told = |line: String| wait::until(&line, || site.log().contains(&line));
    told(format!("audit head seq=2 hash={second}"));
    let (code, said) = check(&site, &["--audit-head", &second]);
    assert_eq!(code, 0, "{said}");
    site.sql("DROP TRIGGER audit_stays; DELETE FROM audit WHERE seq = 2").unwrap();
    told("the audit was cut off before=2 now=1".to_owned());
    let (code, said) = check(&site, &["--audit-head", &second]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the audit has no row with the hash given by --audit-head"), "{said}");
    let (code, said) = check(&site, &["--audit-head", "x%"]);
    assert_eq!(code, 3, "{said}");
    assert_eq!(listener.stop(), Some(0));
}
