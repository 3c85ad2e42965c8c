//! `kill -9` while timers are due, at the calls that change something: each is told once, or late, and none after the end.

use crate::harness::process::{ACKBELL, Running, is_long};
use crate::harness::sandbox::{Sandbox, TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use crate::kills::calls;
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whatever changes the outbox, or speaks to Slack.
const CALLS: &str = "pwrite64,fdatasync,fsync,ftruncate,unlink,sendto";
/// How many listeners run side by side.
const SIDE: usize = 4;
const MORE: &str = "[storm]\nwindow = \"1s\"\n[acknowledge]\nstill = \"1h\"\nstill_wait = \"30m\"\n[oncall.dba]\npeople = \"alice@example.com\"\n\
    start = \"2020-01-01 00:00\"\nevery = \"7d\"\nchannel = \"#db-alerts\"\n\
    [[escalate]]\nafter = \"1h\"\nmention = \"@oncall\"\n[[route]]\nmatch = { state = \"warning\" }\nhold = \"00:00, 12:00\"\n";

/// What must be in the outbox once: the question, that nobody answered another, the step, the handover of the shift.
const ONCE: [(&str, &str); 4] = [
    ("still ", "SELECT COUNT(*) FROM notification WHERE id LIKE 'still %' AND object LIKE '%asked%'"),
    ("forgotten", "SELECT COUNT(*) FROM notification WHERE id LIKE 'still %' AND object LIKE '%forgotten%'"),
    ("step ", "SELECT COUNT(*) FROM notification WHERE id LIKE 'step %'"),
    ("handover", "SELECT COUNT(*) FROM notification WHERE body LIKE '%On call for dba%'"),
];

/// The beginnings and parts of the messages that Slack must have got, in that order; last the digest of what could wait.
const SHOWN: [&str; 5] = [
    "are you still on it?",
    "have not answered",
    "nobody has answered for",
    "On call for dba: alice@example.com after bob@example.com",
    "held until",
];

fn acknowledge(site: &Site, host: &str) {
    let arguments = ["notify", "--type", "Service", "--notificationtype", "ACKNOWLEDGEMENT", "--servicestate", "2"];
    let more =
        ["--hostname", host, "--servicedesc", "Disk", "--author", "Alice (Slack U0ALICE001)", "--comment", "on it"];
    assert_eq!(site.run(&[&arguments[..], &more].concat()).status.code(), Some(0));
}

/// A site whose listener is stopped, and whose timers all became due meanwhile.
fn with_all_due(sandbox: &Sandbox) -> Site {
    let site = Site::with_token(sandbox, MORE);
    let listener = site.listen();
    for host in ["asked", "forgotten", "step"] {
        site.service("PROBLEM", host, "Disk", "2", "full");
    }
    site.service("PROBLEM", "held", "Disk", "1", "nearly full");
    acknowledge(&site, "asked");
    acknowledge(&site, "forgotten");
    let ready = "SELECT (SELECT COUNT(*) FROM still) || ' ' || (SELECT COUNT(*) FROM escalation) || ' '
        || (SELECT COUNT(*) FROM on_duty) || ' ' || (SELECT COUNT(*) FROM digest WHERE deferred_until > 0)
        || ' ' || (SELECT COUNT(*) FROM delivery WHERE state = 'waiting')";
    wait::until("the rows", || {
        let found = site.sql(ready).unwrap_or_default();
        if found == "2 1 1 1 1" { Ok(()) } else { Err(format!("{found}\n{}", site.log())) }
    });
    assert_eq!(listener.stop(), Some(0));
    let hours = "7200000";
    site.sql(&format!(
        "UPDATE still SET since = since - {hours}; UPDATE still SET asked = since WHERE object LIKE '%forgotten%';
         UPDATE escalation SET since = since - {hours}, due = due - {hours};
         UPDATE on_duty SET people = '[\"bob@example.com\"]';
         UPDATE digest SET deferred_until = 1 WHERE deferred_until > 0; PRAGMA wal_checkpoint(TRUNCATE)"
    ))
    .unwrap();
    site
}

/// The same state again, in a directory of its own.
fn copy(of: &Site) -> Site {
    let site = Site::new("");
    fs::copy(of.config(), site.config()).unwrap();
    let done = Command::new("cp").arg("-a").arg(of.state("")).arg(site.dir.path()).status().unwrap();
    assert!(done.success());
    site
}

fn listen_traced(site: &Site, options: &[&str]) -> Running {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options).arg(ACKBELL).arg("--config").arg(site.config()).arg("listen");
    command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

/// Whether everything was told.
fn is_all_told(site: &Site) -> Result<(), String> {
    for (name, count) in ONCE {
        let found = site.sql(count).map_err(|e| e.to_string())?;
        if found != "1" {
            return Err(format!("{name}: {found}\n{}", site.log()));
        }
    }
    match site.sql("SELECT COUNT(*) FROM delivery WHERE state = 'waiting'").as_deref() {
        Ok("0") => Ok(()),
        other => Err(format!("waiting: {other:?}\n{}", site.log())),
    }
}

/// How often Slack has each of the messages.
fn shown(sandbox: &Sandbox) -> Vec<usize> {
    let messages: Vec<String> = sandbox.messages().iter().map(ToString::to_string).collect();
    SHOWN.iter().map(|part| messages.iter().filter(|message| message.contains(part)).count()).collect()
}

/// One life that ends at that call, and the next: all is told, and Slack has at most one message twice.
fn killed_at(site: &Site, sandbox: &Sandbox, call: &str, when: usize) -> bool {
    let before = shown(sandbox);
    let inject = format!("inject={call}:signal=KILL:when={when}");
    let mut killed = listen_traced(site, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    let started = Instant::now();
    let mut is_killed = false;
    while started.elapsed() < Duration::from_secs(15) && !is_killed {
        is_killed = killed.0.try_wait().unwrap().is_some();
        // It did everything and met no such call: that point isn't there this time.
        if !is_killed && is_all_told(site).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    if !is_killed {
        // strace passes its own end on to nobody.
        let children = format!("/proc/{0}/task/{0}/children", killed.0.id());
        for child in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
            crate::harness::process::signal(child.parse().unwrap(), "KILL");
        }
    }
    drop(killed);
    let _listener = site.listen();
    wait::until(&format!("everything after {call} {when}"), || is_all_told(site));
    // One more look of the timers: it must not find anything due.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(is_all_told(site), Ok(()), "{call} {when}");
    let more: Vec<usize> = shown(sandbox).iter().zip(&before).map(|(now, before)| now - before).collect();
    let twice: usize = more.iter().map(|count| count.saturating_sub(1)).sum();
    assert!(more.iter().all(|count| *count >= 1) && twice <= 1, "{call} {when}: {more:?}\n{}", site.log());
    assert_eq!(site.sql("PRAGMA integrity_check").unwrap(), "ok");
    is_killed
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_question_a_step_a_handover_and_a_digest_are_told_once_whenever_the_listener_is_killed() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    sandbox.tell("state", &json!({"tokens": {TOKEN: {}}}));
    let base = with_all_due(&sandbox);
    let traced = copy(&base);
    let file = traced.dir.path().join("trace");
    let running = listen_traced(&traced, &["-o", file.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    wait::until("everything", || is_all_told(&traced));
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", running.0.id())).unwrap();
    crate::harness::process::signal(children.trim().parse().unwrap(), "KILL");
    drop(running);
    let points = calls(&fs::read_to_string(file).unwrap());
    let all: Vec<(&str, usize)> =
        points.iter().flat_map(|(call, count)| (1..=*count).map(|when| (call.as_str(), when))).collect();
    let step = if is_long() { 1 } else { all.len() / 28 + 1 };
    let chosen: Vec<(&str, usize)> = all.iter().step_by(step).copied().collect();
    let killed: usize = std::thread::scope(|scope| {
        let parts = (0..SIDE).map(|part| chosen.iter().skip(part).step_by(SIDE));
        let running: Vec<_> = parts
            .map(|part| {
                scope.spawn(move || {
                    let sandbox = Sandbox::start(&["--burst", "9999"]);
                    sandbox.tell("state", &json!({"tokens": {TOKEN: {}}}));
                    let made = with_all_due(&sandbox);
                    part.filter(|(call, when)| killed_at(&copy(&made), &sandbox, call, *when)).count()
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // No two lives have the same calls: some end before the last of them.
    println!("killed {killed} of {} at {points:?}", chosen.len());
    assert!(killed * 2 >= chosen.len(), "the test must kill: {killed} of {}", chosen.len());
}

/// The question of an acknowledgement, and what could wait: a restart, another configuration, the clock an hour off.
fn told_once_after(between: impl Fn(&Site, &Sandbox), jumps: bool) {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "[acknowledge]\nstill = \"3s\"\nstill_wait = \"1h\"\n");
    if jumps {
        site.jump("+0");
    }
    let listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    acknowledge(&site, "web01");
    wait::until("its row", || site.sql("SELECT COUNT(*) FROM still").is_ok_and(|count| count == "1"));
    assert_eq!(listener.stop(), Some(0));
    between(&site, &sandbox);
    let _listener = site.listen();
    let asked =
        || sandbox.messages().iter().filter(|message| message.to_string().contains("are you still on it?")).count();
    wait::until("the question", || {
        if asked() > 0 { Ok(()) } else { Err(format!("{:?}\n{}", sandbox.texts(), site.log())) }
    });
    // Something that comes later than a second question would.
    site.service("PROBLEM", "later", "Disk", "2", "full");
    acknowledge(&site, "later");
    wait::until("the later one's question", || asked() > 1);
    assert_eq!(asked(), 2, "{:?}", sandbox.texts());
    let rows = site.sql("SELECT COUNT(*) FROM notification WHERE id LIKE 'still %'").unwrap();
    assert_eq!(rows, "2");
}

#[test]
fn a_restart_and_a_changed_configuration_ask_once() {
    told_once_after(|_, _| {}, false);
    told_once_after(
        |site, sandbox| {
            site.configure(&(by_token(&sandbox.url) + "[acknowledge]\nstill = \"2s\"\nstill_wait = \"2h\"\n"));
        },
        false,
    );
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_clock_an_hour_off_asks_once() {
    told_once_after(|site, _| site.jump("-3600"), true);
    told_once_after(|site, _| site.jump("+3600"), true);
}
