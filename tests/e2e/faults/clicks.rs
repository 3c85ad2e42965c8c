//! The listener dies at every system call between a click and the card that shows what the core holds.

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::process::{Running, is_long, signal};
use crate::harness::site::Site;
use crate::harness::wait;
use crate::kills::calls;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whatever changes a file or speaks to somebody.
const CALLS: &str = "write,writev,sendto,pwrite64,fdatasync,fsync,openat,ftruncate,recvfrom,connect,close";
const HELD: &str = "ACKNOWLEDGED, CRITICAL: ";

impl OnCall<PlayedCore> {
    pub(crate) fn with_played() -> Self {
        Self::of_played(|_| {})
    }

    /// One whose clock may jump.
    pub(crate) fn with_played_at(offset: &str) -> Self {
        Self::of_played(|site| site.jump(offset))
    }

    fn of_played(prepare: impl FnOnce(&Site)) -> Self {
        let mut night = OnCall::prepare(Way::Http, "5000").beside(|site| PlayedCore::start(site.dir.path()));
        prepare(&night.site);
        night.begin(&format!("[storm]\nthreshold = 9999\n{}", PlayedCore::CONFIG));
        night
    }

    /// Whether the listener's process is gone.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.listener.as_mut().unwrap().0.try_wait().unwrap().is_some()
    }

    /// A problem, and its card.
    #[track_caller]
    pub(crate) fn problem(&self, service: &str) -> Card {
        let id = self.core.set("web01", service, 2).to_string();
        let arguments =
            ["notify", "--hostname", "web01", "--servicedesc", service, "--servicestate", "2", "--problem-id"];
        assert_eq!(self.site.run(&[&arguments[..], &[&id]].concat()).status.code(), Some(0));
        self.expect(&format!("CRITICAL: {service} on web01"))
    }

    /// Whether Slack had its yes in time; `false` is the warning triangle that a person sees.
    pub(crate) fn click(&self, card: &Value) -> bool {
        let click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": "acknowledge"});
        let answer = self.sandbox.order("click", &click);
        answer["ok"] == true && answer["status"] == 200
    }

    /// The card shows an acknowledgement; then the core must hold it.
    #[track_caller]
    fn is_shown(&self, service: &str) -> bool {
        let start = format!("{HELD}{service} on web01");
        let shown = self.sandbox.texts().iter().any(|text| text.starts_with(&start));
        assert!(!shown || self.core.is_acknowledged("web01", service), "{service} is shown, and not held");
        shown
    }

    fn is_told(&self, service: &str) -> bool {
        self.sandbox
            .whispers()
            .iter()
            .any(|told| told.contains(&format!("{service} on web01")) || told.starts_with("Sent"))
    }
}

/// A thread's name, a call, how often.
type Calls = BTreeMap<(String, String), usize>;

/// Each thread's calls between a click and the card that shows it, as far as they were made for each of three clicks.
fn points() -> Vec<(String, String, usize)> {
    let night = OnCall::with_played();
    let mut least = calls_of_a_click(&night, "Clean0");
    for service in ["Clean1", "Clean2"] {
        let next = calls_of_a_click(&night, service);
        least = least.into_iter().filter_map(|(of, count)| Some((of.clone(), count.min(*next.get(&of)?)))).collect();
    }
    least.into_iter().map(|((thread, call), count)| (thread, call, count)).collect()
}

fn calls_of_a_click(night: &OnCall<PlayedCore>, service: &str) -> Calls {
    let card = night.problem(service);
    let trace = night.site.dir.path().join(service);
    let tracer = attach(night.pid(), &["-f", "-ff", "-o", trace.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    assert!(night.click(&card));
    wait::until("the card", || night.is_shown(service));
    // What it does after that is among its calls, too.
    night.rests();
    let mut found = Calls::new();
    for (thread, name) in threads(night.pid()) {
        let written = fs::read_to_string(trace.with_extension(thread.to_string())).unwrap_or_default();
        found.extend(calls(&written).into_iter().map(|(call, count)| ((name.clone(), call), count)));
    }
    drop(tracer);
    found
}

pub(crate) fn threads(pid: u32) -> BTreeMap<u32, String> {
    let listed = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let threads = listed.map(|task| task.unwrap());
    let named = threads.map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap().trim().to_owned();
        (task.file_name().into_string().unwrap().parse().unwrap(), name)
    });
    named.collect()
}

/// strace, once it holds the process or, without `-f`, the one thread.
pub(crate) fn attach(pid: u32, options: &[&str]) -> Running {
    let mut command = Command::new("strace");
    command.args(options).args(["-qq", "-p", &pid.to_string()]);
    let tracer = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait::until("strace", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // It may have met its call already.
        !status.contains("TracerPid:\t0\n") || status.contains("State:\tZ")
    });
    tracer
}

/// One click with one death. Gives whether it died.
fn die(night: &mut OnCall<PlayedCore>, number: usize, (thread, call, when): &(String, String, usize)) -> bool {
    let service = format!("S{number}");
    let card = night.problem(&service);
    let Some((&thread, _)) = threads(night.pid()).iter().find(|(_, name)| *name == thread) else { return false };
    let inject = format!("inject={call}:signal=KILL:when={when}");
    let tracer = attach(thread, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    let answered = night.click(&card);
    let clicked = Instant::now();
    // It may die after the card is right, or never, as a thread may be at another call this time.
    wait::until("its death or its work's end", || {
        night.is_dead()
            || night.is_shown(&service) && clicked.elapsed() > Duration::from_millis(800)
            || clicked.elapsed() > Duration::from_secs(10)
    });
    let died = night.is_dead();
    drop(tracer);
    if died {
        night.listen();
    }
    // Slack's yes means that it is kept: it is held and shown, or the person is told why not.
    if answered {
        wait::until("the card or a word", || night.is_shown(&service) || night.is_told(&service));
    }
    let sent = night.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", &service);
    assert!(sent <= 1, "sent {sent} times");
    // Whoever saw the warning or was told clicks again.
    wait::trying(Duration::from_millis(700), &format!("{service} to be acknowledged"), || {
        let shown = night.is_shown(&service) || night.click(&card) && night.is_shown(&service);
        if shown { Ok(()) } else { Err(night.site.log()) }
    });
    assert!(night.core.is_acknowledged("web01", &service));
    died
}

/// Every `step`th point, by `side` watches at a time.
fn dies_everywhere(step: usize, side: usize) {
    let found = points();
    let all: Vec<(String, String, usize)> = found
        .iter()
        .flat_map(|(thread, call, count)| (1..=*count).map(move |when| (thread.clone(), call.clone(), when)))
        .collect();
    let chosen: Vec<_> = all.iter().step_by(step).cloned().enumerate().collect();
    let killed: usize = std::thread::scope(|scope| {
        let parts = (0..side).map(|part| chosen.iter().skip(part).step_by(side).collect::<Vec<_>>());
        let running: Vec<_> = parts
            .map(|part| {
                scope.spawn(move || {
                    let mut night = OnCall::with_played();
                    let died = part.iter().filter(|(number, point)| {
                        let died = die(&mut night, *number, point);
                        println!("{point:?}: {}", if died { "died" } else { "lived" });
                        died
                    });
                    died.count()
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("killed at {killed} of {} points, {} in all: {found:?}", chosen.len(), all.len());
    // How often a thread makes a call differs from run to run: some points are never met.
    assert!(killed * 3 >= chosen.len() * 2, "the test must kill: {killed} of {}", chosen.len());
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_listener_killed_at_the_calls_of_a_click_sends_one_command_and_shows_what_is_held() {
    let (step, side) = if is_long() { (1, 4) } else { (9, 3) };
    dies_everywhere(step, side);
}

#[test]
fn a_core_that_hangs_is_told_and_its_full_command_file_gets_no_half_command() {
    let night = OnCall::with_played();
    let card = night.problem("Disk");
    night.core.pause(true);
    // The pipe's 64 KiB, up to less than one command's room.
    let mut fifo = fs::OpenOptions::new().write(true).open(night.site.dir.path().join("core.cmd")).unwrap();
    let line = format!("[1] {}\n", "X".repeat(4091));
    for _ in 0..16 {
        std::io::Write::write_all(&mut fifo, line.as_bytes()).unwrap();
    }
    assert!(night.click(&card));
    wait::until("the reason", || night.sandbox.whispers().iter().any(|told| told.contains("full")));
    night.core.pause(false);
    // Whatever was sent before this one has been read before it.
    let other = night.problem("Load");
    assert!(night.click(&other));
    wait::until("the other card", || night.is_shown("Load"));
    assert_eq!(night.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 0, "nothing fires later");
    assert!(night.click(&card));
    wait::until("the card", || night.is_shown("Disk"));
}

#[test]
fn what_got_worse_before_the_core_took_a_click_is_shown_as_acknowledged_although_slack_is_slow() {
    let night = OnCall::with_played();
    let says = |service: &str, state: u8, place: &str| {
        let (problem, state) = (night.core.set("web01", service, state).to_string(), state.to_string());
        let about = ["notify", "--hostname", "web01", "--servicedesc", service, "--servicestate", &state];
        let more = ["--problem-id", &problem, "--to", place];
        assert_eq!(night.site.run(&[&about[..], &more].concat()).status.code(), Some(0));
    };
    says("Disk", 1, "#ops");
    let card = night.expect("WARNING: Disk");
    night.core.pause(true);
    assert!(night.click(&card));
    wait::until("the command", || night.site.log().contains("step=\"sending\""));
    // Whoever imports waits for Slack for a while.
    let slow = json!({"kind": "slow", "delay_ms": 5000, "times": 1, "method": "chat.postMessage"});
    night.sandbox.tell("faults", &json!({"faults": [slow]}));
    says("Load", 2, "#load-0");
    let calls = "SELECT COUNT(*) FROM post WHERE leased IS NOT NULL AND object LIKE '%Load'";
    wait::until("the call", || night.site.sql(calls).is_ok_and(|count| count == "1"));
    says("Disk", 2, "#ops");
    assert_eq!(night.site.spooled("new"), 1, "it isn't imported while Slack is slow");
    night.core.pause(false);
    wait::until("the rest", || night.core.is_acknowledged("web01", "Disk") && night.site.spooled("new") == 0);
    let card = night.expect("ACKNOWLEDGED, CRITICAL: Disk");
    night.rests();
    assert!(
        card.now()["text"].as_str().unwrap().starts_with("ACKNOWLEDGED, CRITICAL: Disk"),
        "{:?}",
        night.sandbox.texts()
    );
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_reader_gone_between_open_and_write_and_a_short_write_are_told() {
    for inject in
        ["write:error=EPIPE:when=1", "write:retval=7:when=1", "write:error=EIO:when=1", "openat:error=ENXIO:when=1"]
    {
        let night = OnCall::with_played();
        let card = night.problem("Disk");
        let fifo = night.site.dir.path().join("core.cmd");
        let call = inject.split(':').next().unwrap();
        let tracer = attach(
            night.pid(),
            &[
                "-f",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-P",
                fifo.to_str().unwrap(),
                "-e",
                &format!("inject={inject}"),
            ],
        );
        assert!(night.click(&card));
        let shown = || night.is_shown("Disk");
        wait::until(&format!("a word: {inject}"), || shown() || !night.sandbox.whispers().is_empty());
        println!("{inject}: {:?}", night.sandbox.whispers());
        drop(tracer);
        assert!(night.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk") <= 1);
        assert!(shown() || night.click(&card));
        wait::until("the card", shown);
    }
}

#[test]
#[ignore = "slow: tests/run"]
fn a_429_on_what_a_click_needs_is_waited_out_however_often_somebody_clicks() {
    let needed = [
        ("users.info", "acknowledge"),
        ("auth.test", "acknowledge"),
        ("views.open", "more"),
        ("response_url", "acknowledge"),
    ];
    for (method, action) in needed {
        let night = OnCall::with_played();
        let card = night.problem("Disk");
        let limit = |method| json!({"kind": "429", "times": 1, "method": method, "retry_after": "3"});
        // Who isn't known is told so, by the response URL.
        let limits = [limit(method), limit("users.info")];
        let limits = if method == "response_url" { &limits[..] } else { &limits[..1] };
        night.sandbox.tell("faults", &json!({"faults": limits}));
        let click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": action, "option": "downtime"});
        for _ in 0..4 {
            night.sandbox.order("click", &click);
            // All four within the three seconds for which Slack wants to be left alone.
            std::thread::sleep(Duration::from_millis(500));
        }
        println!("{method}: {:?}", night.sandbox.whispers());
        // Until those are over.
        std::thread::sleep(Duration::from_millis(1500));
        assert!(night.is_shown("Disk") || night.click(&card));
        wait::until("the card", || night.is_shown("Disk"));
        night.sandbox.assert_respected();
    }
}

#[test]
fn a_frozen_listener_makes_nobody_wait_and_its_second_holds_back() {
    let mut night = OnCall::with_played();
    let second = night.site.command(&["listen"]).stderr(Stdio::null()).spawn().map(Running).unwrap();
    signal(night.pid(), "STOP");
    let started = Instant::now();
    night.site.service("PROBLEM", "web01", "Disk", "2", "x");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // The second asks for the lock five times a second, and shows nothing of it.
    std::thread::sleep(Duration::from_secs(1));
    assert!(night.sandbox.messages().is_empty(), "one deliverer at a time");
    signal(night.pid(), "CONT");
    assert_eq!(night.sandbox.wait_for_messages(1).len(), 1);
    signal(night.pid(), "KILL");
    wait::until("its end", || night.is_dead());
    night.site.service("PROBLEM", "web01", "Load", "2", "x");
    assert_eq!(night.sandbox.wait_for_messages(2).len(), 2);
    drop(second);
}

/// The core has the command, and the outbox doesn't take that. The person waits for the outbox, not for a restart.
#[test]
fn a_command_that_was_sent_while_the_outbox_failed_is_confirmed_when_it_is_back() {
    let night = OnCall::with_played();
    let card = night.problem("Disk");
    let fails = "CREATE TRIGGER fails BEFORE UPDATE ON action_request WHEN OLD.state = 'sending'
                 BEGIN SELECT RAISE(ABORT, 'the outbox fails'); END";
    night.site.sql(fails).unwrap();
    assert!(night.click(&card));
    let told = "action requests interrupted reason=\"database: the outbox fails\"";
    wait::until("the failure", || if night.site.log().contains(told) { Ok(()) } else { Err(night.site.log()) });
    wait::until("the core", || night.core.is_acknowledged("web01", "Disk"));
    assert_eq!(night.site.sql("SELECT state FROM action_request").unwrap(), "sending");
    night.site.sql("DROP TRIGGER fails").unwrap();
    wait::until("the card", || if night.is_shown("Disk") { Ok(()) } else { Err(night.site.log()) });
    night.rests();
    assert_eq!(night.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 1);
    let recovered = "commands may have been sent before the interruption count=1 action=confirm_only";
    assert!(night.site.log().contains(recovered), "{}", night.site.log());
}
