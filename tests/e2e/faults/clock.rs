//! The wall clock jumps while messages wait, between two runs, and in autumn. Time-outs go by the steady clock.

use super::clicks::Watch;
use crate::world::{Sandbox, Site, text, wait_until};
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
    wait_until("the rest", Duration::from_secs(15), || site.queue()["waiting"] == 0);
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
        wait_until(&format!("the recovery, {before} {after}"), Duration::from_secs(15), || {
            sandbox.texts().iter().any(|text| text.starts_with("RECOVERED, UP: web01"))
        });
        wait_until("the rest", Duration::from_secs(15), || site.queue()["waiting"] == 0);
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
        wait_until("the refusal", Duration::from_secs(10), || sandbox.get("stats")["requests"].as_u64().unwrap() > 0);
        site.jump(jump);
        sandbox.wait_for_messages(1);
        sandbox.assert_respected();
    }
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_click_has_its_time_and_its_end_whatever_the_clock_says() {
    let ended =
        |watch: &Watch| watch.sandbox.whispers().iter().any(|told| told.contains("the core has not applied it"));
    let clicked = |watch: &Watch, jump| {
        let card = watch.problem("Disk");
        // The command waits in its file, for a core that says nothing for a while.
        watch.core.pause(true);
        assert!(watch.click(&card));
        std::thread::sleep(Duration::from_secs(1));
        watch.site.jump(jump);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let watch = Watch::begins_at("+0");
            clicked(&watch, "-1d");
            wait_until("the end", Duration::from_secs(20), || ended(&watch));
        });
        for is_started_anew in [false, true] {
            scope.spawn(move || {
                let mut watch = Watch::begins_at("+0");
                clicked(&watch, "+1d");
                if is_started_anew {
                    watch.restart();
                }
                std::thread::sleep(Duration::from_secs(2));
                assert!(!ended(&watch), "it has its fifteen seconds");
                watch.site.jump("+0");
                watch.core.pause(false);
                let card = "ACKNOWLEDGED, CRITICAL: Disk on web01";
                wait_until("the card", Duration::from_secs(20), || watch.card(card).is_some());
            });
        }
    });
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_state_file_from_before_the_clock_was_set_back_is_no_word_about_the_click() {
    let watch = Watch::begins_at("+0");
    watch.core.set("web01", "Disk", 0);
    let written = || fs::read_to_string(watch.site.dir.path().join("status.dat")).unwrap().contains("Disk");
    wait_until("the state file", Duration::from_secs(5), written);
    watch.core.pause(true);
    watch.core.jump(-30);
    watch.site.jump("-30");
    let card = watch.problem("Disk");
    assert!(watch.click(&card));
    // The file says: written half a minute after the click, Disk is OK.
    std::thread::sleep(Duration::from_millis(1500));
    watch.core.pause(false);
    wait_until("the card", Duration::from_secs(15), || watch.card("ACKNOWLEDGED, CRITICAL: Disk on web01").is_some());
    let told = watch.sandbox.whispers();
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
