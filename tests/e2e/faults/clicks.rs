//! The listener dies at every system call between a click and the card that shows what the core holds.

use super::played::Played;
use crate::acknowledge::free_port;
use crate::kills::calls;
use crate::world::{Running, Sandbox, Site, TOKEN, is_long, signal, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whatever changes a file or speaks to somebody.
const CALLS: &str = "write,writev,sendto,pwrite64,fdatasync,fsync,openat,ftruncate,recvfrom,connect,close";
const HELD: &str = "ACKNOWLEDGED, CRITICAL: ";

/// A stand-in, a played core and a listener that know each other.
pub(crate) struct Watch {
    pub(crate) sandbox: Sandbox,
    pub(crate) core: Played,
    pub(crate) site: Site,
    pub(crate) listener: Option<Running>,
}

impl Watch {
    pub(crate) fn begins() -> Self {
        Self::begin(|_| {})
    }

    /// One whose clock may jump.
    pub(crate) fn begins_at(offset: &str) -> Self {
        Self::begin(|site| site.jump(offset))
    }

    fn begin(prepare: impl FnOnce(&Site)) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/slack/request");
        let sandbox = Sandbox::start(&["--burst", "5000", "--request-url", &url]);
        let site = Site::new("");
        let core = Played::start(site.dir.path());
        site.configure(&format!(
            "[slack]\nbot_token = \"{TOKEN}\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n\
             signing_secret = \"sandbox-signing-secret\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n[storm]\nthreshold = 9999\n{}",
            sandbox.url,
            Played::CONFIG
        ));
        prepare(&site);
        let listener = Some(site.listen());
        Self { sandbox, core, site, listener }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.listener.as_ref().unwrap().0.id()
    }

    /// Whether the listener's process is gone.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.listener.as_mut().unwrap().0.try_wait().unwrap().is_some()
    }

    pub(crate) fn restart(&mut self) {
        self.listener = None;
        self.listener = Some(self.site.listen());
        let open = || self.site.log().lines().last().is_some_and(|_| self.site.log().matches("http open").count() > 0);
        wait_until("the door", Duration::from_secs(10), open);
    }

    /// A problem, and its card.
    #[track_caller]
    pub(crate) fn problem(&self, service: &str) -> Value {
        let id = self.core.set("web01", service, 2).to_string();
        let arguments =
            ["notify", "--hostname", "web01", "--servicedesc", service, "--servicestate", "2", "--problem-id"];
        assert_eq!(self.site.run(&[&arguments[..], &[&id]].concat()).status.code(), Some(0));
        let name = format!("CRITICAL: {service} on web01");
        wait_until("the card", Duration::from_secs(30), || self.card(&name).is_some());
        self.card(&name).unwrap()
    }

    pub(crate) fn card(&self, start: &str) -> Option<Value> {
        self.sandbox.messages().into_iter().find(|m| m["text"].as_str().unwrap_or_default().starts_with(start))
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
        let shown = self.card(&format!("{HELD}{service} on web01")).is_some();
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
    let watch = Watch::begins();
    let mut least = calls_of_a_click(&watch, "Clean0");
    for service in ["Clean1", "Clean2"] {
        let next = calls_of_a_click(&watch, service);
        least = least.into_iter().filter_map(|(of, count)| Some((of.clone(), count.min(*next.get(&of)?)))).collect();
    }
    least.into_iter().map(|((thread, call), count)| (thread, call, count)).collect()
}

fn calls_of_a_click(watch: &Watch, service: &str) -> Calls {
    let card = watch.problem(service);
    let trace = watch.site.dir.path().join(service);
    let tracer = attach(watch.pid(), &["-f", "-ff", "-o", trace.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    assert!(watch.click(&card));
    wait_until("the card", Duration::from_secs(30), || watch.is_shown(service));
    std::thread::sleep(Duration::from_millis(300));
    let mut found = Calls::new();
    for (thread, name) in threads(watch.pid()) {
        let written = fs::read_to_string(trace.with_extension(thread.to_string())).unwrap_or_default();
        found.extend(calls(&written).into_iter().map(|(call, count)| ((name.clone(), call), count)));
    }
    drop(tracer);
    found
}

fn threads(pid: u32) -> BTreeMap<u32, String> {
    let listed = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let threads = listed.map(|task| task.unwrap());
    let named = threads.map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap().trim().to_owned();
        (task.file_name().into_string().unwrap().parse().unwrap(), name)
    });
    named.collect()
}

/// strace, once it holds the process or, without `-f`, the one thread.
pub(super) fn attach(pid: u32, options: &[&str]) -> Running {
    let mut command = Command::new("strace");
    command.args(options).args(["-qq", "-p", &pid.to_string()]);
    let tracer = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_until("strace", Duration::from_secs(10), || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // It may have met its call already.
        !status.contains("TracerPid:\t0\n") || status.contains("State:\tZ")
    });
    tracer
}

/// One click with one death. Gives whether it died.
fn die(watch: &mut Watch, number: usize, (thread, call, when): &(String, String, usize)) -> bool {
    let service = format!("S{number}");
    let card = watch.problem(&service);
    let Some((&thread, _)) = threads(watch.pid()).iter().find(|(_, name)| *name == thread) else { return false };
    let inject = format!("inject={call}:signal=KILL:when={when}");
    let tracer = attach(thread, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    let answered = watch.click(&card);
    let clicked = Instant::now();
    while !(watch.is_dead() || watch.is_shown(&service) && clicked.elapsed() > Duration::from_millis(800)) {
        std::thread::sleep(Duration::from_millis(20));
        if clicked.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    let died = watch.is_dead();
    drop(tracer);
    if died {
        watch.restart();
    }
    // Slack's yes means that it is kept: it is held and shown, or the person is told why not.
    if answered {
        wait_until("the card or a word", Duration::from_secs(30), || {
            watch.is_shown(&service) || watch.is_told(&service)
        });
    }
    let sent = watch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", &service);
    assert!(sent <= 1, "sent {sent} times");
    // Whoever saw the warning or was told clicks again.
    let again = Instant::now();
    while !watch.is_shown(&service) {
        watch.click(&card);
        std::thread::sleep(Duration::from_millis(700));
        assert!(again.elapsed() < Duration::from_secs(40), "{service} is never acknowledged: {}", watch.site.log());
    }
    assert!(watch.core.is_acknowledged("web01", &service));
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
                    let mut watch = Watch::begins();
                    let died = part.iter().filter(|(number, point)| {
                        let died = die(&mut watch, *number, point);
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
    let watch = Watch::begins();
    let card = watch.problem("Disk");
    watch.core.pause(true);
    // The pipe's 64 KiB, up to less than one command's room.
    let mut fifo = fs::OpenOptions::new().write(true).open(watch.site.dir.path().join("core.cmd")).unwrap();
    let line = format!("[1] {}\n", "X".repeat(4091));
    for _ in 0..16 {
        std::io::Write::write_all(&mut fifo, line.as_bytes()).unwrap();
    }
    assert!(watch.click(&card));
    wait_until("the reason", Duration::from_secs(20), || {
        watch.sandbox.whispers().iter().any(|told| told.contains("full"))
    });
    watch.core.pause(false);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(watch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 0, "nothing fires later");
    assert!(watch.click(&card));
    wait_until("the card", Duration::from_secs(20), || watch.is_shown("Disk"));
}

#[test]
fn what_got_worse_before_the_core_took_a_click_is_shown_as_acknowledged_although_slack_is_slow() {
    let watch = Watch::begins();
    let says = |service: &str, state: u8, place: &str| {
        let (problem, state) = (watch.core.set("web01", service, state).to_string(), state.to_string());
        let about = ["notify", "--hostname", "web01", "--servicedesc", service, "--servicestate", &state];
        let more = ["--problem-id", &problem, "--to", place];
        assert_eq!(watch.site.run(&[&about[..], &more].concat()).status.code(), Some(0));
    };
    says("Disk", 1, "#ops");
    wait_until("the card", Duration::from_secs(20), || watch.card("WARNING: Disk").is_some());
    watch.core.pause(true);
    assert!(watch.click(&watch.card("WARNING: Disk").unwrap()));
    wait_until("the command", Duration::from_secs(20), || watch.site.log().contains("step=\"sending\""));
    // Whoever imports waits for Slack for a while.
    let slow = json!({"kind": "slow", "delay_ms": 5000, "times": 1, "method": "chat.postMessage"});
    watch.sandbox.tell("faults", &json!({"faults": [slow]}));
    says("Load", 2, "#load-0");
    let calls = "SELECT COUNT(*) FROM post WHERE leased IS NOT NULL AND object LIKE '%Load'";
    wait_until("the call", Duration::from_secs(20), || watch.site.sql(calls).is_ok_and(|count| count == "1"));
    says("Disk", 2, "#ops");
    assert_eq!(watch.site.spooled("new"), 1, "it isn't imported while Slack is slow");
    watch.core.pause(false);
    wait_until("the rest", Duration::from_secs(30), || {
        watch.core.is_acknowledged("web01", "Disk") && watch.site.spooled("new") == 0
    });
    wait_until("the card", Duration::from_secs(30), || watch.card("ACKNOWLEDGED, CRITICAL: Disk").is_some());
    wait_until("the rest", Duration::from_secs(30), || watch.site.queue()["waiting"] == 0);
    assert!(watch.card("ACKNOWLEDGED, CRITICAL: Disk").is_some(), "{:?}", watch.sandbox.texts());
}

#[test]
#[ignore = "needs strace: tests/run"]
fn a_reader_gone_between_open_and_write_and_a_short_write_are_told() {
    for inject in
        ["write:error=EPIPE:when=1", "write:retval=7:when=1", "write:error=EIO:when=1", "openat:error=ENXIO:when=1"]
    {
        let watch = Watch::begins();
        let card = watch.problem("Disk");
        let fifo = watch.site.dir.path().join("core.cmd");
        let call = inject.split(':').next().unwrap();
        let tracer = attach(
            watch.pid(),
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
        assert!(watch.click(&card));
        let shown = || watch.is_shown("Disk");
        wait_until(&format!("a word: {inject}"), Duration::from_secs(30), || {
            shown() || !watch.sandbox.whispers().is_empty()
        });
        println!("{inject}: {:?}", watch.sandbox.whispers());
        drop(tracer);
        assert!(watch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk") <= 1);
        assert!(shown() || watch.click(&card));
        wait_until("the card", Duration::from_secs(30), shown);
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
        let watch = Watch::begins();
        let card = watch.problem("Disk");
        let limit = |method| json!({"kind": "429", "times": 1, "method": method, "retry_after": "3"});
        // Who isn't known is told so, by the response URL.
        let limits = [limit(method), limit("users.info")];
        let limits = if method == "response_url" { &limits[..] } else { &limits[..1] };
        watch.sandbox.tell("faults", &json!({"faults": limits}));
        let click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": action, "option": "downtime"});
        for _ in 0..4 {
            watch.sandbox.order("click", &click);
            std::thread::sleep(Duration::from_millis(500));
        }
        println!("{method}: {:?}", watch.sandbox.whispers());
        std::thread::sleep(Duration::from_millis(1500));
        assert!(watch.is_shown("Disk") || watch.click(&card));
        wait_until("the card", Duration::from_secs(20), || watch.is_shown("Disk"));
        watch.sandbox.assert_respected();
    }
}

#[test]
fn a_frozen_listener_makes_nobody_wait_and_its_second_holds_back() {
    let mut watch = Watch::begins();
    let second = watch.site.command(&["listen"]).stderr(Stdio::null()).spawn().map(Running).unwrap();
    signal(watch.pid(), "STOP");
    let started = Instant::now();
    watch.site.service("PROBLEM", "web01", "Disk", "2", "x");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    std::thread::sleep(Duration::from_secs(1));
    assert!(watch.sandbox.messages().is_empty(), "one deliverer at a time");
    signal(watch.pid(), "CONT");
    assert_eq!(watch.sandbox.wait_for_messages(1).len(), 1);
    signal(watch.pid(), "KILL");
    wait_until("its end", Duration::from_secs(5), || watch.is_dead());
    watch.site.service("PROBLEM", "web01", "Load", "2", "x");
    assert_eq!(watch.sandbox.wait_for_messages(2).len(), 2);
    drop(second);
}
