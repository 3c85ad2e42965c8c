//! The wall clock jumps while messages wait, between two runs, and in autumn. Time-outs go by the steady clock.

use crate::harness::on_call::OnCall;
use crate::harness::played::PlayedCore;
use crate::harness::process::text;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

fn notify(site: &Site, host: &str, state: &str, kind: &str) {
    let done = site.run(&["notify", "--hostname", host, "--hoststate", state, "--notificationtype", kind]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
}

const JUMPS: [&str; 4] = ["-1d", "+366d", "-400d", "+0"];

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_clock_that_jumps_under_a_listener_delays_and_gives_up_nothing() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "[storm]\nthreshold = 99\n");
    site.jump("+0");
    let _listener = site.listen();
    for (number, jump) in JUMPS.iter().enumerate() {
        sandbox.tell("faults", &json!({"faults": [{"kind": "503", "times": 2}]}));
        notify(&site, &format!("a{number}"), "1", "PROBLEM");
        site.jump(jump);
        notify(&site, &format!("b{number}"), "1", "PROBLEM");
        let jumped = Instant::now();
        sandbox.wait_for_messages(2 * (number + 1));
        println!("{jump}: both arrived {:?} later", jumped.elapsed());
        assert!(jumped.elapsed() < Duration::from_secs(20), "{jump}");
    }
    wait::until("the rest", || site.queue()["waiting"] == 0);
    site.assert_all_delivered();
    let early: Vec<Value> = sandbox.violations().into_iter().filter(|v| v["kind"] == "early_retry").collect();
    assert!(early.is_empty(), "{early:?}");
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_clock_that_jumps_between_two_runs_delays_and_gives_up_nothing() {
    for (before, after) in [("+0", "-1d"), ("+0", "+366d"), ("+366d", "+0"), ("-1d", "+0")] {
        let sandbox = Sandbox::start(&["--burst", "99"]);
        let site = Site::with_token(&sandbox, "[outbox]\ntime_budget = \"600ms\"\n");
        site.jump(before);
        sandbox.tell("faults", &json!({"faults": [{"kind": "503"}]}));
        notify(&site, "web01", "1", "PROBLEM");
        assert_eq!(site.queue()["waiting"], 1, "{before} {after}");
        // Once more: what looks a year old isn't given up for it.
        sandbox.tell("faults", &json!({"faults": [{"kind": "503", "times": 2}]}));
        site.jump(after);
        let listener = site.listen();
        let started = Instant::now();
        sandbox.wait_for_messages(1);
        assert!(started.elapsed() < Duration::from_secs(15), "{before} {after}: {:?}", started.elapsed());
        // The recovery finds the card, whenever its problem was.
        notify(&site, "web01", "0", "RECOVERY");
        wait::until(&format!("the recovery, {before} {after}"), || {
            sandbox.texts().iter().any(|text| text.starts_with("RECOVERED, UP: web01"))
        });
        wait::until("the rest", || site.queue()["waiting"] == 0);
        assert_eq!(listener.stop(), Some(0));
        site.assert_all_delivered();
    }
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_retry_after_is_waited_out_whatever_the_clock_says() {
    for jump in ["-1d", "+366d"] {
        let sandbox = Sandbox::start(&["--burst", "99"]);
        let site = Site::with_token(&sandbox, "");
        site.jump("+0");
        let _listener = site.listen();
        sandbox.tell("faults", &json!({"faults": [{"kind": "429", "times": 1, "retry_after": "3"}]}));
        notify(&site, "web01", "1", "PROBLEM");
        wait::until("the refusal", || sandbox.get("stats")["requests"].as_u64().unwrap() > 0);
        site.jump(jump);
        sandbox.wait_for_messages(1);
        sandbox.assert_respected();
    }
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_click_has_its_time_and_its_end_whatever_the_clock_says() {
    let ended = |night: &OnCall<PlayedCore>| {
        night.sandbox.whispers().iter().any(|told| told.contains("the core has not applied it"))
    };
    let clicked = |night: &OnCall<PlayedCore>, jump| {
        let card = night.problem("Disk");
        // The command waits in its file, for a core that says nothing for a while.
        night.core.pause(true);
        assert!(night.click(&card));
        // Not the log's `sending`: that stands there before the command is written.
        let is_sent = || night.site.sql("SELECT state FROM action_request").is_ok_and(|state| state == "sent");
        wait::until("the command", is_sent);
        night.site.jump(jump);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let night = OnCall::with_played_at("+0");
            clicked(&night, "-1d");
            wait::until("the end", || ended(&night));
        });
        for is_started_anew in [false, true] {
            scope.spawn(move || {
                let mut night = OnCall::with_played_at("+0");
                clicked(&night, "+1d");
                if is_started_anew {
                    night.listen();
                }
                // A part of its fifteen seconds, in which the wall clock says that a day is over.
                std::thread::sleep(Duration::from_secs(2));
                assert!(!ended(&night), "it has its fifteen seconds");
                night.site.jump("+0");
                night.core.pause(false);
                night.expect("ACKNOWLEDGED, CRITICAL: Disk on web01");
            });
        }
    });
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_state_file_from_before_the_clock_was_set_back_is_no_word_about_the_click() {
    let night = OnCall::with_played_at("+0");
    night.core.set("web01", "Disk", 0);
    let written = || fs::read_to_string(night.site.dir.path().join("status.dat")).unwrap().contains("Disk");
    wait::until("the state file", written);
    night.core.pause(true);
    night.core.jump(-30);
    night.site.jump("-30");
    let card = night.problem("Disk");
    assert!(night.click(&card));
    // The file says: written half a minute after the click, Disk is OK. It was looked at when the person is told so.
    night.told("Sent to the monitoring core; the message updates once the core confirms.");
    night.core.pause(false);
    night.expect("ACKNOWLEDGED, CRITICAL: Disk on web01");
    let told = night.sandbox.whispers();
    assert!(!told.iter().any(|told| told.contains("recovered")), "{told:?}");
}

#[test]
#[ignore = "needs faketime: tests/run"]
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
        site.jump(&format!("{seconds:+}"));
        let mut command = site.command(&["notify", "--dry-run", "--hostname", "h", "--hoststate", "1"]);
        let done = command.env("TZ", "Europe/Berlin").output().unwrap();
        let shown = text(&done.stdout);
        assert!(shown.contains(expected), "{utc}: {shown}{}", text(&done.stderr));
    }
}
