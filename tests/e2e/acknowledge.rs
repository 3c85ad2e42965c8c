//! From a click in Slack to an acknowledgement that the real core holds.

use crate::nagios::{Core, wait_for};
use crate::world::{ACKBELL, Running, Sandbox, TOKEN, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A stand-in, a core and a listener that know each other.
pub(crate) struct Night {
    pub(crate) sandbox: Sandbox,
    pub(crate) core: Core,
    pub(crate) listener: Option<Running>,
}

/// A port that is free, below those that the kernel hands out: nobody else gets it before it is used.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 200).unwrap() * 100 + 11_000;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Night {
    /// Over HTTP, or over Socket Mode.
    pub(crate) fn falls(over_socket: bool, more: &str) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/slack/request");
        let arguments: &[&str] =
            if over_socket { &["--burst", "500"] } else { &["--burst", "500", "--request-url", &url] };
        let sandbox = Sandbox::start(arguments);
        sandbox.tell("state", &json!({"app": {"socket_mode": over_socket}}));
        let door = if over_socket {
            "app_token = \"xapp-sandbox-0000000000\"\n".to_owned()
        } else {
            format!("signing_secret = \"sandbox-signing-secret\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n")
        };
        let slack = format!(
            "[slack]\nbot_token = \"{TOKEN}\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n{door}[core]\nmain_config = \"nagios.cfg\"\n{more}",
            sandbox.url
        );
        let core = Core::start(&slack, "ackbell", false);
        let mut night = Self { sandbox, core, listener: None };
        night.listen();
        if over_socket {
            wait_until("the connection", Duration::from_secs(10), || {
                !night.sandbox.get("sockets")["connections"].as_array().unwrap().is_empty()
            });
        }
        night
    }

    pub(crate) fn listen(&mut self) {
        self.listener = None;
        let log = fs::OpenOptions::new().create(true).append(true).open(self.core.path("listener.log")).unwrap();
        let before = self.log().matches("listening").count();
        let mut command = Command::new(ACKBELL);
        command.arg("--config").arg(self.core.path("ackbell.toml")).arg("listen").env_clear().stdin(Stdio::null());
        self.listener = Some(Running(command.stderr(log).spawn().unwrap()));
        wait_until("the listener", Duration::from_secs(20), || self.log().matches("listening").count() > before);
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.core.path("listener.log")).unwrap_or_default()
    }

    pub(crate) fn wait(&self, text: &str) -> Value {
        wait_for(&self.sandbox, &self.core, text)
    }

    /// Waits for words to one person.
    #[track_caller]
    pub(crate) fn told(&self, words: &str) {
        wait_until(words, Duration::from_secs(40), || self.sandbox.whispers().iter().any(|told| told.contains(words)));
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, line: &str) {
        let log = || self.core.log();
        wait_until(
            &format!("\"{line}\" in the core's log:\n{}\n{}", log(), self.log()),
            Duration::from_secs(20),
            || log().contains(line),
        );
    }

    /// The blocks of the core's status file that mention this.
    pub(crate) fn status(&self, block: &str, part: &str) -> Vec<String> {
        let status = fs::read_to_string(self.core.path("status.dat")).unwrap_or_default();
        let blocks = status.split("\n\n").filter(|text| text.trim_start().starts_with(block));
        blocks.filter(|text| text.contains(part)).map(str::to_owned).collect()
    }

    pub(crate) fn audit(&self) -> Vec<Value> {
        let done = Command::new(ACKBELL)
            .arg("--config")
            .arg(self.core.path("ackbell.toml"))
            .args(["audit", "--json"])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", crate::world::text(&done.stderr));
        crate::world::text(&done.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn acknowledged_in_one_tap(over_socket: bool) {
    let night = Night::falls(over_socket, "");
    night.core.set("Disk", 2, "DISK CRITICAL - 3% free");
    let card = night.wait("CRITICAL: Disk on Web 01");
    let click = night.sandbox.click(&card, "acknowledge", &json!({}));
    assert!(click["ms"].as_u64().unwrap() < 1000, "Slack waits 3 s: {click}");
    // A second tap, and Slack's own repetition, act once.
    night.sandbox.click(&card, "acknowledge", &json!({}));
    night.sandbox.order("click", &json!({"again": true}));
    let shown = night.wait("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by ");
    assert_eq!(shown["ts"], card["ts"], "the same card");
    let commands = night.core.log().matches("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;").count();
    assert_eq!(commands, 1, "{}", night.core.log());
    // The core's own notification may be faster than its state file.
    wait_until("the core's state file", Duration::from_secs(10), || {
        night.status("servicestatus", "service_description=Disk")[0].contains("problem_has_been_acknowledged=1")
    });
    let comments = night.status("servicecomment", "comment_data=acknowledged in Slack");
    assert!(comments[0].contains("author=alice"), "{comments:?}");
    // The core tells its contacts of it; the card knows it already.
    night.wait_for_log("SERVICE NOTIFICATION: alice;web01;Disk;ACKNOWLEDGEMENT");
    std::thread::sleep(Duration::from_secs(3));
    let replies = || {
        let of_it = night.sandbox.messages().into_iter().filter(|m| m["thread_ts"] == card["ts"]);
        of_it.map(|m| m["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(replies().len(), 1, "{:?}", replies());
    night.core.set("Disk", 0, "DISK OK");
    night.wait("RECOVERED, OK: Disk on Web 01");
    // A click on a card of the past does nothing.
    night.sandbox.click(&card, "acknowledge", &json!({"stale": true}));
    night.told("Too late: Disk on Web 01 has recovered");
    let audit = night.audit();
    let steps: Vec<&str> = audit.iter().map(|entry| entry["step"].as_str().unwrap()).collect();
    assert!(
        steps.starts_with(&["sending", "nothing to do", "confirmed"])
            || steps.starts_with(&["sending", "confirmed", "nothing to do"]),
        "{steps:?}"
    );
    assert_eq!(audit[0]["user"], "U0ALICE001");
    assert!(audit[0]["commands"][0].as_str().unwrap().contains("ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice"));
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_click_over_http_is_an_acknowledgement_that_the_core_holds() {
    acknowledged_in_one_tap(false);
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_click_over_socket_mode_is_an_acknowledgement_that_the_core_holds() {
    acknowledged_in_one_tap(true);
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn forms_carry_words_options_and_an_end() {
    let night =
        Night::falls(false, "[acknowledge]\nexpire = [\"1m\", \"1h\"]\ncomment = \"required\"\nnotify = false\n");
    night.core.set("Disk", 2, "full");
    let card = night.wait("CRITICAL: Disk on Web 01");
    // Where a comment is wanted, one tap opens the form, too.
    night.sandbox.click(&card, "acknowledge", &json!({}));
    wait_until("the form", Duration::from_secs(5), || !night.sandbox.get("views").as_array().unwrap().is_empty());
    let answer = night.sandbox.order("submit", &json!({"values": {"comment": " "}}));
    assert!(
        answer.to_string().contains("what you are doing about it") || answer["error"] == "refused_by_client",
        "{answer}"
    );
    let hostile = "looking; really\n[0] DISABLE_NOTIFICATIONS\nü <!channel>";
    let values = json!({"comment": hostile, "options": ["persistent"], "expire": "60"});
    let answer = night.sandbox.order("submit", &json!({"values": values}));
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    let shown = night.wait("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice · looking, really");
    let line = "EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;0;0;1;alice;looking, really [0] DISABLE_NOTIFICATIONS ü ‹!channel›";
    assert!(night.core.log().contains(line), "{}", night.core.log());
    assert!(!night.core.log().contains("EXTERNAL COMMAND: DISABLE_NOTIFICATIONS"), "one line stays one command");
    // It ends by itself, as this core can't.
    let removed = || night.core.log().contains("EXTERNAL COMMAND: REMOVE_SVC_ACKNOWLEDGEMENT;web01;Disk");
    wait_until("the end", Duration::from_secs(80), removed);
    wait_until("the card without it", Duration::from_secs(30), || {
        let now = night.sandbox.messages().into_iter().find(|m| m["ts"] == shown["ts"]).unwrap();
        now["text"].as_str().unwrap().starts_with("CRITICAL: Disk on Web 01")
    });
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn downtime_check_removal_and_silence_reach_the_core() {
    let night = Night::falls(false, "");
    night.core.set("Load", 1, "high");
    let card = night.wait("WARNING: Load on Web 01");
    night.sandbox.click(&card, "acknowledge", &json!({}));
    let card = night.wait("ACKNOWLEDGED, WARNING: Load on Web 01");
    night.sandbox.click(&card, "unacknowledge", &json!({}));
    night.wait_for_log("EXTERNAL COMMAND: REMOVE_SVC_ACKNOWLEDGEMENT;web01;Load");
    night.wait("ACKNOWLEDGEMENT REMOVED, WARNING: Load on Web 01");
    let now = || night.sandbox.messages().into_iter().find(|m| m["ts"] == card["ts"]).unwrap();
    night.sandbox.click(&now(), "more", &json!({"option": "recheck"}));
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_FORCED_SVC_CHECK;web01;Load;");
    night.told("Checked: Load on Web 01 is WARNING. high");
    night.sandbox.click(&now(), "more", &json!({"option": "stop_notifications"}));
    night.wait_for_log("EXTERNAL COMMAND: DISABLE_SVC_NOTIFICATIONS;web01;Load");
    night.wait("NOTIFICATIONS STOPPED, WARNING: Load on Web 01");
    night.sandbox.click(&now(), "more", &json!({"option": "resume_notifications"}));
    night.wait_for_log("EXTERNAL COMMAND: ENABLE_SVC_NOTIFICATIONS;web01;Load");
    night.wait("NOTIFICATIONS RESUMED, WARNING: Load on Web 01");
    night.sandbox.click(&now(), "more", &json!({"option": "downtime"}));
    wait_until("the form", Duration::from_secs(5), || !night.sandbox.get("views").as_array().unwrap().is_empty());
    let answer = night.sandbox.order("submit", &json!({"values": {"comment": "new disk", "length": "3600"}}));
    assert_eq!(answer["ok"], true, "{answer}");
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_SVC_DOWNTIME;web01;Load;");
    night.wait("IN DOWNTIME, WARNING: Load on Web 01");
    let downtimes = night.status("servicedowntime", "service_description=Load");
    assert!(downtimes[0].contains("author=alice") && downtimes[0].contains("comment=new disk"), "{downtimes:?}");
    // The same for a host, with its services.
    night.core.order("PROCESS_HOST_CHECK_RESULT;web01;1;no ping");
    let host = night.wait("DOWN: Web 01");
    night.sandbox.click(&host, "acknowledge", &json!({}));
    night.wait("ACKNOWLEDGED, DOWN: Web 01 · acknowledged by alice");
    let host = night.sandbox.messages().into_iter().find(|m| m["ts"] == host["ts"]).unwrap();
    night.sandbox.click(&host, "downtime", &json!({}));
    std::thread::sleep(Duration::from_millis(500));
    let values = json!({"comment": "power", "length": "1800", "services": ["services"], "kind": "flexible"});
    let answer = night.sandbox.order("submit", &json!({"values": values}));
    assert_eq!(answer["ok"], true, "{answer}");
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_HOST_DOWNTIME;web01;");
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_HOST_SVC_DOWNTIME;web01;");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn whoever_may_not_is_told_so_privately() {
    let access =
        "[access]\nask = \"#monitoring-help\"\n[[access.rule]]\ndeny = \"bob@example.com\"\naction = \"acknowledge\"\n";
    let night = Night::falls(false, access);
    night.core.set("Disk", 2, "full");
    let card = night.wait("CRITICAL: Disk on Web 01");
    for (user, words) in [
        ("U0BOB00001", "You may not acknowledge problems here. Ask #monitoring-help."),
        ("U0GUEST001", "uest"),
        ("U0STRANGER", "Users from other workspaces aren't allowed to use these actions"),
    ] {
        night.sandbox.click(&card, "acknowledge", &json!({"user": user}));
        night.told(words);
    }
    assert!(!night.core.log().contains("EXTERNAL COMMAND"), "{}", night.core.log());
    let audit = night.audit();
    assert_eq!(audit.iter().filter(|entry| entry["step"] == "refused").count(), 3, "{audit:?}");
    assert!(audit.iter().all(|entry| entry["commands"].as_array().unwrap().is_empty()));
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_core_that_cannot_take_it_is_told_as_what_it_is() {
    let mut night = Night::falls(false, "");
    night.core.set("Disk", 2, "full");
    night.core.set("Load", 2, "high");
    let disk = night.wait("CRITICAL: Disk on Web 01");
    let load = night.wait("CRITICAL: Load on Web 01");
    // Stopped: the command file is there, nobody reads it.
    night.core.halt();
    night.sandbox.click(&disk, "acknowledge", &json!({}));
    night.told("isn't running");
    // A command never waits to fire later.
    night.core.restart();
    std::thread::sleep(Duration::from_secs(3));
    assert!(!night.core.log().contains("EXTERNAL COMMAND: ACKNOWLEDGE"), "{}", night.core.log());
    // After its restart the core counts its problems anew: a new card.
    let newest = || {
        let cards = night.sandbox.messages().into_iter().filter(|m| m["thread_ts"].is_null());
        cards.rev().find(|m| m["text"].as_str().unwrap().starts_with("CRITICAL: Load on Web 01"))
    };
    wait_until("a card with buttons", Duration::from_secs(20), || newest().is_some());
    let load = newest().unwrap_or(load);
    // The listener is killed between the command and the core's word: the next one looks for it.
    night.core.pause();
    night.sandbox.click(&load, "acknowledge", &json!({}));
    wait_until("the command to be sent", Duration::from_secs(10), || {
        night.audit().iter().any(|e| e["step"] == "sending" && e["object"]["service"] == "Load")
    });
    // What the core doesn't hold isn't shown.
    night.told("Sent to the monitoring core; the message changes once the core holds it.");
    assert!(!night.sandbox.texts().iter().any(|text| text.starts_with("ACKNOWLEDGED")), "{:?}", night.sandbox.texts());
    crate::world::signal(night.listener.as_ref().unwrap().0.id(), "KILL");
    night.listen();
    night.core.go_on();
    night.wait("ACKNOWLEDGED, CRITICAL: Load on Web 01");
    let sent = night.core.log().matches("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Load").count();
    assert_eq!(sent, 1, "{}", night.core.log());
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn every_other_reason_is_told_as_it_is() {
    let mut night = Night::falls(false, "");
    let notify = |service: &str| {
        let mut command = Command::new(ACKBELL);
        command.arg("--config").arg(night.core.path("ackbell.toml")).args(["notify", "--hostname", "web01"]);
        assert!(command.args(["--servicedesc", service, "--servicestate", "2"]).status().unwrap().success());
    };
    // The core doesn't know it: its log says so.
    notify("Ghost");
    let ghost = night.wait("CRITICAL: Ghost on Web 01");
    night.sandbox.click(&ghost, "acknowledge", &json!({}));
    night.told("doesn't know Ghost on web01");
    // It is well in the core, whatever the card says.
    notify("Swap");
    notify("Big");
    let big = night.wait("CRITICAL: Big on Web 01");
    night.sandbox.click(&big, "acknowledge", &json!({}));
    wait_until("a second reason", Duration::from_secs(40), || {
        night.sandbox.whispers().iter().filter(|told| told.starts_with("Sent, but the core has not taken it: ")).count()
            == 2
    });
    println!("{:?}", night.sandbox.whispers());
    // Names that would be another command are refused before there is one.
    notify("a;b");
    let odd = night.wait("CRITICAL: a;b on Web 01");
    night.sandbox.click(&odd, "acknowledge", &json!({}));
    night.told("can't be named through the command file: fields end at a semicolon there");
    // No command file at all; then it is said why.
    let swap = night.wait("CRITICAL: Swap on Web 01");
    night.core.halt();
    fs::remove_file(night.core.path("rw/nagios.cmd")).unwrap();
    night.sandbox.click(&swap, "acknowledge", &json!({}));
    night.told("there is no command file");
    night.core.set_in_main("check_external_commands=1", "check_external_commands=0");
    night.sandbox.click(&swap, "acknowledge", &json!({}));
    night.told("check_external_commands=0");
    // A plain file in its place is never written to.
    fs::write(night.core.path("rw/nagios.cmd"), "").unwrap();
    night.sandbox.click(&swap, "acknowledge", &json!({}));
    night.told("isn't a command file (a FIFO)");
    assert_eq!(fs::read(night.core.path("rw/nagios.cmd")).unwrap(), b"");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn one_click_acknowledges_a_storm() {
    const SERVICES: usize = 200;
    let night = Night::falls(false, "[storm]\nthreshold = 2\n");
    for i in 0..SERVICES {
        night.core.order(&format!("PROCESS_SERVICE_CHECK_RESULT;web02;S{i:03};2;gone"));
    }
    let digest = || {
        let heads = night.sandbox.messages().into_iter().filter(|m| m["thread_ts"].is_null());
        heads.rev().find(|m| m["text"].as_str().unwrap().contains(" problems on "))
    };
    wait_until("the storm", Duration::from_secs(60), || {
        digest().is_some_and(|digest| {
            digest["text"].as_str().unwrap().split(' ').next().unwrap().parse::<usize>().unwrap() >= SERVICES - 20
        })
    });
    std::thread::sleep(Duration::from_secs(6));
    let shown = digest().unwrap();
    let count: usize = shown["text"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
    night.sandbox.click(&shown, "acknowledge_all", &json!({}));
    night.told(&format!("Acknowledged {count} of {count} problems."));
    wait_until("the digest", Duration::from_secs(30), || {
        digest().unwrap()["text"].as_str().unwrap().contains(&format!("{count} acknowledged"))
    });
    wait_until("the core", Duration::from_secs(10), || {
        night.status("servicestatus", "problem_has_been_acknowledged=1").len() == count
    });
    println!("one click acknowledged {count}");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_webhooks_message_is_replaced_through_its_response_url() {
    let port = free_port();
    let sandbox =
        Sandbox::start(&["--burst", "99", "--request-url", &format!("http://127.0.0.1:{port}/slack/request")]);
    let slack = format!(
        "[slack]\nwebhook_url = \"{}\"\nsigning_secret = \"sandbox-signing-secret\"\napi_url = \"{}/api/\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n[core]\nmain_config = \"nagios.cfg\"\n[access]\nguests = true\n",
        sandbox.webhook("B0000001"),
        sandbox.url
    );
    let core = Core::start(&slack, "ackbell", false);
    let mut night = Night { sandbox, core, listener: None };
    night.listen();
    night.core.set("Disk", 2, "full");
    let card = night.wait("CRITICAL: Disk on Web 01");
    night.sandbox.click(&card, "acknowledge", &json!({}));
    let shown = night.wait("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by ");
    assert_eq!(shown["ts"], card["ts"], "the same message");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(
        night.sandbox.messages().iter().filter(|m| m["ephemeral_for"].is_null()).count(),
        1,
        "{:?}",
        night.sandbox.texts()
    );
    night.core.set("Disk", 0, "fine");
    night.wait("RECOVERED, OK: Disk on Web 01");
    night.sandbox.assert_respected();
}
