//! The wall clock jumps while messages wait, between two runs, and in autumn. Time-outs go by the steady clock.

use crate::world::{Running, Sandbox, Site, text, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Debian's libfaketime, wherever this architecture has it.
fn library() -> String {
    let found = Command::new("sh").args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]).output().unwrap();
    let found = text(&found.stdout).trim().to_owned();
    assert!(!found.is_empty(), "apt-get install faketime");
    found
}

/// A wall clock that a test may move; the steady one stays.
struct Clock {
    site: Site,
    file: PathBuf,
}

impl Clock {
    fn at(site: Site, offset: &str) -> Self {
        let file = site.dir.path().join("clock");
        let clock = Self { site, file };
        clock.jump(offset);
        clock
    }

    fn jump(&self, offset: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.site.command(arguments);
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        command
    }

    fn notify(&self, host: &str, state: &str, kind: &str) {
        let arguments = ["notify", "--hostname", host, "--hoststate", state, "--notificationtype", kind];
        let done = self.command(&arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    }

    fn listen(&self) -> Running {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.site.dir.path().join("log")).unwrap();
        let before = self.site.log().matches("listening").count();
        let running = Running(self.command(&["listen"]).stderr(log).spawn().unwrap());
        wait_until("the listener", Duration::from_secs(20), || self.site.log().matches("listening").count() > before);
        running
    }
}

const JUMPS: [&str; 4] = ["-1d", "+366d", "-400d", "+0"];

#[test]
fn a_clock_that_jumps_under_a_listener_delays_and_gives_up_nothing() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let clock = Clock::at(Site::with_token(&sandbox, "[storm]\nthreshold = 99\n"), "+0");
    let _listener = clock.listen();
    for (number, jump) in JUMPS.iter().enumerate() {
        sandbox.tell("faults", &json!({"faults": [{"kind": "503", "times": 2}]}));
        clock.notify(&format!("a{number}"), "1", "PROBLEM");
        clock.jump(jump);
        clock.notify(&format!("b{number}"), "1", "PROBLEM");
        let jumped = Instant::now();
        sandbox.wait_for_messages(2 * (number + 1));
        println!("{jump}: both arrived {:?} later", jumped.elapsed());
        assert!(jumped.elapsed() < Duration::from_secs(20), "{jump}");
    }
    wait_until("the rest", Duration::from_secs(15), || clock.site.queue()["waiting"] == 0);
    clock.site.assert_all_delivered();
    let early: Vec<Value> = sandbox.violations().into_iter().filter(|v| v["kind"] == "early_retry").collect();
    assert!(early.is_empty(), "{early:?}");
}

#[test]
fn a_clock_that_jumps_between_two_runs_delays_and_gives_up_nothing() {
    for (before, after) in [("+0", "-1d"), ("+0", "+366d"), ("+366d", "+0"), ("-1d", "+0")] {
        let sandbox = Sandbox::start(&["--burst", "99"]);
        let site = Site::with_token(&sandbox, "[outbox]\ntime_budget = \"600ms\"\n");
        let clock = Clock::at(site, before);
        sandbox.tell("faults", &json!({"faults": [{"kind": "503"}]}));
        clock.notify("web01", "1", "PROBLEM");
        assert_eq!(clock.site.queue()["waiting"], 1, "{before} {after}");
        sandbox.tell("faults", &json!({}));
        clock.jump(after);
        let listener = clock.listen();
        let started = Instant::now();
        sandbox.wait_for_messages(1);
        assert!(started.elapsed() < Duration::from_secs(15), "{before} {after}: {:?}", started.elapsed());
        // The recovery finds the card, whenever its problem was.
        clock.notify("web01", "0", "RECOVERY");
        wait_until(&format!("the recovery, {before} {after}"), Duration::from_secs(15), || {
            sandbox.texts().iter().any(|text| text.starts_with("RECOVERED, UP: web01"))
        });
        wait_until("the rest", Duration::from_secs(15), || clock.site.queue()["waiting"] == 0);
        assert_eq!(listener.stop(), Some(0));
        clock.site.assert_all_delivered();
    }
}

#[test]
fn a_retry_after_is_waited_out_whatever_the_clock_says() {
    for jump in ["-1d", "+366d"] {
        let sandbox = Sandbox::start(&["--burst", "99"]);
        let clock = Clock::at(Site::with_token(&sandbox, ""), "+0");
        let _listener = clock.listen();
        sandbox.tell("faults", &json!({"faults": [{"kind": "429", "times": 1, "retry_after": "3"}]}));
        clock.notify("web01", "1", "PROBLEM");
        wait_until("the refusal", Duration::from_secs(10), || sandbox.get("stats")["requests"].as_u64().unwrap() > 0);
        clock.jump(jump);
        sandbox.wait_for_messages(1);
        sandbox.assert_respected();
    }
}

#[test]
fn an_hour_that_comes_twice_belongs_to_its_route_both_times() {
    let site = Site::new(
        "[slack]\nbot_token = \"xoxb-1\"\nchannel = \"#day\"\n[[route]]\nmatch = { time = \"Sun 02:00-03:00\" }\nto = [\"#night\"]\n",
    );
    // 2027: forward on 28 March at 2, back on 31 October at 3. Minutes of UTC, and where it goes.
    for (utc, expected) in [
        ("2027-10-30 23:59:30", "#day"),
        ("2027-10-31 00:30:00", "#night"),
        ("2027-10-31 01:30:00", "#night"),
        ("2027-10-31 02:00:10", "#day"),
        ("2027-03-28 00:59:30", "#day"),
        ("2027-03-28 01:00:10", "#day"),
    ] {
        let seconds = Command::new("date").args(["-u", "-d", &format!("{utc} UTC"), "+%s"]).output().unwrap();
        let seconds = text(&seconds.stdout).trim().parse::<i64>().unwrap() - crate::door::now();
        let clock = site.dir.path().join("clock");
        fs::write(&clock, format!("{seconds:+}")).unwrap();
        let mut command = site.command(&["notify", "--dry-run", "--hostname", "h", "--hoststate", "1"]);
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &clock).env("TZ", "Europe/Berlin");
        let done = command.output().unwrap();
        let shown = text(&done.stdout);
        assert!(shown.contains(expected), "{utc}: {shown}{}", text(&done.stderr));
    }
}
