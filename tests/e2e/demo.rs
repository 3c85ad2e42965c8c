//! `ackbell demo`, from the first card to the last trace of it.

use crate::browser::Browser;
use crate::harness::process::{ACKBELL, Running, signal, text};
use crate::harness::sandbox::Sandbox;
use crate::harness::wait;
use crate::page::{assert_fits, assert_quiet};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running demo, and its sandbox as any other is asked.
struct Show {
    demo: Running,
    sandbox: Sandbox,
    places: Value,
    home: tempfile::TempDir,
}

impl Show {
    fn begin(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(ACKBELL);
        command.args(["demo", "--json", "--no-browser", "--port", "0"]).args(arguments).current_dir("/");
        // Whatever is configured on this machine is none of the demo's business.
        command
            .env_clear()
            .env("TMPDIR", home.path())
            .env("ACKBELL_CONFIG", "/nowhere")
            .env("SLACK_BOT_TOKEN", "xoxb-no");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let demo = Running(child);
        let places: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let sandbox = Sandbox::at(places["page"].as_str().unwrap().trim_end_matches('/'));
        let show = Self { demo, sandbox, places, home };
        show.wait("WARNING: Disk /srv on files01");
        show.wait("CRITICAL: Mail queue on mail01");
        show.wait("DOWN: db02");
        show
    }

    fn place(&self, what: &str) -> PathBuf {
        PathBuf::from(self.places[what].as_str().unwrap())
    }

    fn directory(&self) -> PathBuf {
        self.place("directory")
    }

    /// Waits for a card.
    #[track_caller]
    fn wait(&self, words: &str) -> Value {
        self.wait_for(words, |message| message["thread_ts"].is_null())
    }

    /// Waits for a reply under a card.
    #[track_caller]
    fn heard(&self, words: &str) {
        self.wait_for(words, |message| !message["thread_ts"].is_null());
    }

    #[track_caller]
    fn wait_for(&self, words: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait::until(words, || {
            let mut messages = self.sandbox.messages().into_iter().rev();
            let found = messages.find(|m| wanted(m) && m["text"].as_str().unwrap().contains(words));
            let log = || fs::read_to_string(self.place("listener_log")).unwrap_or_default();
            found.ok_or_else(|| {
                format!(
                    "{:#?}
{}",
                    self.sandbox.texts(),
                    log()
                )
            })
        })
    }

    #[track_caller]
    fn told(&self, words: &str) {
        wait::until(words, || self.sandbox.whispers().iter().any(|told| told.contains(words)));
    }

    /// What the page shows under a title.
    fn panel(&self, title: &str) -> Vec<String> {
        let state = self.sandbox.get("/demo/state");
        let panels = state["panels"].as_array().unwrap();
        let panel = panels.iter().find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("{state}"));
        panel["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    fn actions(&self) -> Vec<String> {
        let state = self.sandbox.get("/demo/state");
        state["actions"].as_array().unwrap().iter().map(|action| action["id"].as_str().unwrap().to_owned()).collect()
    }

    fn act(&self, action: &str) -> Value {
        self.sandbox.order(&format!("/demo/action/{action}"), &json!({}))
    }
}

/// The processes that were given this directory, whoever started them.
fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap().as_bytes().to_vec();
    let lines =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let ours = lines.filter(|line| line.windows(directory.len()).any(|part| part == directory));
    ours.map(|line| text(&line).replace('\0', " ")).collect()
}

#[track_caller]
fn assert_no_trace(directory: &Path) {
    wait::until("the end of all processes", || processes_of(directory).is_empty());
    wait::until("the directory's end", || !directory.exists());
}

#[test]
#[ignore = "slow: tests/run"]
fn a_click_in_the_demo_goes_the_real_way() {
    let show = Show::begin(&[]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(show.directory()).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    assert!(show.directory().starts_with(show.home.path()), "{}", show.places);
    let card = show.wait("CRITICAL: Mail queue on mail01");
    let memory = card.to_string();
    assert!(memory.contains("5th time in 30 days, mostly ") && memory.contains("in 3 of 4."), "{memory}");
    assert!(memory.contains("Alice answered after 4 min: \\\"restarted postfix, the relay was away\\\""), "{memory}");
    show.sandbox.click(&card, "more", &json!({"option": "last_times"}));
    show.sandbox.expect_whisper("4 problems remembered");
    show.sandbox.click(&card, "acknowledge", &json!({}));
    let shown = show.wait("ACKNOWLEDGED, CRITICAL: Mail queue on mail01");
    assert_eq!(shown["ts"], card["ts"], "the same message");
    let held =
        "CRITICAL mail01;Mail queue (acknowledged by alice (Slack U0ALICE001): acknowledged in Slack)".to_owned();
    assert!(show.panel("The core's state").contains(&held), "{:?}", show.panel("The core's state"));
    let commands = show.panel("Command file");
    assert!(commands[0].contains("] ACKNOWLEDGE_SVC_PROBLEM;mail01;Mail queue;"), "{commands:?}");
    let status = fs::read_to_string(show.place("status_file")).unwrap();
    assert!(status.contains("problem_has_been_acknowledged=1"), "{status}");
    wait::until("an empty queue", || show.panel("Queue") == ["0 waiting, 0 dead, 0 in the spool"]);
    assert!(show.panel("The listener's log").iter().any(|line| line.contains("delivered")));
    assert!(show.panel("The core's log").iter().any(|line| line.contains("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM")));
    // The other commands have their effect too.
    show.sandbox.click(&shown, "unacknowledge", &json!({}));
    show.heard("ACKNOWLEDGEMENT REMOVED, CRITICAL: Mail queue on mail01");
    let disk = || show.wait("WARNING: Disk /srv on files01");
    show.sandbox.click(&disk(), "more", &json!({"option": "recheck"}));
    show.told("Checked: Disk /srv on files01 is WARNING.");
    show.sandbox.click(&disk(), "more", &json!({"option": "stop_notifications"}));
    show.heard("NOTIFICATIONS STOPPED, WARNING: Disk /srv on files01");
    show.sandbox.click(&disk(), "more", &json!({"option": "resume_notifications"}));
    show.heard("NOTIFICATIONS RESUMED, WARNING: Disk /srv on files01");
    let host = show.wait("DOWN: db02");
    show.sandbox.click(&host, "more", &json!({"option": "downtime"}));
    wait::until("the form", || !show.sandbox.get("views").as_array().unwrap().is_empty());
    let values = json!({"comment": "new disk", "length": "3600", "services": ["services"]});
    let answer = show.sandbox.order("submit", &json!({"values": values}));
    assert_eq!(answer["ok"], true, "{answer}");
    show.wait("IN DOWNTIME, DOWN: db02");
    assert!(show.panel("The core's state").contains(&"DOWN db02 (in downtime)".to_owned()));
    show.sandbox.assert_respected();
    let directory = show.directory();
    signal(show.demo.0.id(), "INT");
    let mut demo = show.demo;
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
    assert!(!directory.exists(), "gone when the demo is");
    assert_no_trace(&directory);
}

/// The README's pictures come from here: `docs/pictures/take`.
#[test]
#[ignore = "needs chromium: tests/run"]
fn the_demo_in_a_browser() {
    let show = Show::begin(&[]);
    let browser = Browser::of(1440, 900, "light");
    browser.open(&format!("{}#C0OPS00001", show.places["page"].as_str().unwrap()));
    browser.wait_for("#messages", "DOWN db02");
    browser.press("#messages article:nth-of-type(2) [data-action=acknowledge]");
    browser.wait_for("#messages", "acknowledged by alice");
    browser.wait_for("#extra", "ACKNOWLEDGE_");
    browser.picture("acknowledged");
    browser.type_into("#command", "/ackbell problems\n");
    browser.wait_for("#messages .alone", "3 problems, 1 acknowledged or in downtime");
    browser.picture("problems");
    browser.press("#messages .alone [data-action=acknowledge]");
    browser.wait_for("#messages .alone:last-of-type", "Acknowledged: ");
    browser.press("[data-demo=storm]");
    browser.wait_for("#messages", "problems on");
    browser.wait_for("#messages", "Acknowledge all");
    browser.picture("storm");
    browser.press("[data-demo=recover]");
    browser.wait("the storm's end", || browser.text("#messages").contains("RECOVERED, UP db02"));
    browser.prefer("dark");
    browser.resize(390, 844);
    browser.press("#close-panel");
    browser.run("document.querySelector('#messages article').scrollIntoView()");
    browser.picture("phone");
    assert_fits(&browser);
    assert_quiet(&browser);
    show.sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn the_demos_buttons_do_what_they_say() {
    let show = Show::begin(&[]);
    assert_eq!(show.actions(), ["problem", "worse", "unanswered", "storm", "recover", "stop-core"]);
    assert_eq!(show.act("problem"), json!({"ok": true}));
    show.wait("WARNING: PostgreSQL on db01");
    assert_eq!(show.act("worse"), json!({"ok": true}));
    show.wait("CRITICAL: Disk /srv on files01");
    assert_eq!(show.act("unanswered"), json!({"ok": true}));
    show.wait("CRITICAL: HTTPS on web01");
    show.heard("told: @alice@example.com");
    show.heard("told: @bob@example.com");
    assert_eq!(show.act("unanswered")["ok"], false, "it climbs once");
    show.act("storm");
    let storm = |words: &str| {
        let messages = show.sandbox.messages();
        messages.iter().any(|m| m["text"].as_str().unwrap().contains(words))
    };
    wait::until("the digest", || storm(" problems on "));
    assert_eq!(show.act("storm")["ok"], false, "the switch dies once");
    assert_eq!(show.act("stop-core"), json!({"ok": true}));
    wait::until("the core's end", || show.actions() == ["start-core"]);
    let card = show.wait("CRITICAL: Mail queue on mail01");
    show.sandbox.click(&card, "acknowledge", &json!({}));
    show.told("isn't running");
    show.act("start-core");
    wait::until("the core", || show.actions().contains(&"recover".to_owned()));
    show.act("recover");
    for card in ["Disk /srv on files01", "Mail queue on mail01", "PostgreSQL on db01"] {
        show.wait(&format!("RECOVERED, OK: {card}"));
    }
    show.wait("RECOVERED, UP: db02");
    wait::until(&format!("the digest's end: {:?}", show.sandbox.texts()), || {
        show.panel("Queue") == ["0 waiting, 0 dead, 0 in the spool"] && storm("recovered")
    });
    assert_eq!(show.panel("The core's state"), ["61 of 61 hosts and services are well"]);
    assert_eq!(show.act("nonsense"), json!({"ok": false, "error": "there is no action nonsense"}));
    show.sandbox.assert_respected();
}

#[test]
fn a_killed_demo_leaves_nothing_behind() {
    let show = Show::begin(&[]);
    let directory = show.directory();
    assert!(processes_of(&directory).iter().any(|line| line.contains(" listen ")), "{:?}", processes_of(&directory));
    signal(show.demo.0.id(), "KILL");
    assert_no_trace(&directory);
}

#[test]
fn a_directory_that_was_named_stays() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("here");
    let show = Show::begin(&["--dir", directory.to_str().unwrap()]);
    assert_eq!(show.demo.stop(), Some(0));
    assert!(directory.join("status.dat").exists());
    assert!(processes_of(&directory).is_empty(), "{:?}", processes_of(&directory));
    let again = Command::new(ACKBELL).args(["demo", "--port", "0", "--dir"]).arg(&directory).output().unwrap();
    let expected =
        format!("ackbell: {} exists already; name a directory that doesn't with --dir\n", directory.display());
    assert_eq!((text(&again.stderr), again.status.code()), (expected, Some(73)));
}

#[test]
fn a_taken_port_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let done = Command::new(ACKBELL).args(["demo", "--port", &port.to_string()]).output().unwrap();
    let expected =
        format!("ackbell: port {port} is taken; choose another with --port N, or any free one with --port 0\n");
    assert_eq!((text(&done.stderr), done.status.code()), (expected, Some(69)));
}
