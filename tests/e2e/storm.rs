//! Many at once.

use crate::harness::process::{Running, signal};
use crate::harness::sandbox::{Sandbox, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::Value;
use std::collections::HashSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn two_hundred_side_by_side_all_exit_0_and_arrive() {
    let sandbox = Sandbox::start(&["--burst", "5000"]);
    let site = Site::with_token(&sandbox, "");
    let listener = site.listen();
    let children: Vec<_> = (0..200)
        .map(|i| {
            let (host, to) = (format!("h{i}"), format!("#load-{i}"));
            let mut command = site.command(&["notify", "--hostname", &host, "--hoststate", "1", "--to", &to]);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    wait::until("all of them", || sandbox.messages().len() == 200);
    drop(listener);
    sandbox.assert_respected();
}

#[test]
fn a_channel_gets_one_message_a_second_and_others_go_on() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, "");
    let listener = site.listen();
    let started = Instant::now();
    for i in 0..4 {
        site.service("PROBLEM", &format!("h{i}"), "S", "2", "x");
    }
    let done = site.run(&["notify", "--hostname", "other", "--hoststate", "1", "--to", "#db-alerts"]);
    assert_eq!(done.status.code(), Some(0));
    let messages = sandbox.wait_for_messages(5);
    assert!(started.elapsed() >= Duration::from_secs(3));
    let other = messages.iter().position(|m| m["channel_name"] == "db-alerts").unwrap();
    assert!(other <= 2, "it waits for nobody else's channel: {other}");
    drop(listener);
    sandbox.assert_respected();
    assert_eq!(sandbox.get("stats")["too_fast"], 0);
}

/// Whether all of a digest's problems can be read in its thread.
fn listed(sandbox: &Sandbox, heads: &[Value]) -> HashSet<String> {
    let text = |message: &Value| message["blocks"].to_string() + &message["attachments"].to_string();
    let is_digest = |head: &&Value| head["text"].as_str().unwrap().contains(" problem");
    let digests: HashSet<String> = heads.iter().filter(is_digest).map(|head| head["ts"].to_string()).collect();
    let mut found = HashSet::new();
    for message in sandbox.messages() {
        let is_line = digests.contains(&message["thread_ts"].to_string());
        let shown = if is_line { text(&message) } else { message["text"].to_string() };
        found.extend(
            shown.split(|c: char| !c.is_alphanumeric()).filter(|word| word.starts_with("st")).map(str::to_owned),
        );
    }
    found
}

fn heads(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.messages().into_iter().filter(|message| message["thread_ts"].is_null()).collect()
}

/// Runs `notify` for each number, sixteen at a time; all must exit 0.
fn notify_all(site: &Site, count: usize, kind: &str, state: &str) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        return;
                    }
                    let (host, to) = (format!("st{i}"), format!("#load-{}", i % 3));
                    let mut command = site.command(&["notify", "--hostname", &host, "--notificationtype", kind]);
                    command.args(["--hoststate", state, "--output", "PING CRITICAL - 100% packet loss", "--to", &to]);
                    assert_eq!(command.stdout(Stdio::null()).status().unwrap().code(), Some(0));
                }
            });
        }
    });
}

/// Resident memory at its highest, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The night when the switch dies: at Slack's real pace, and with the listener killed in the middle of it.
fn the_switch_dies(problems: usize, kills: u32) {
    let sandbox = Sandbox::start(&["--burst", "3"]);
    let site = Site::with_token(&sandbox, "");
    let mut listener = site.listen();
    let mut peak = 0;
    let shown = |what: &str, listener: &Running, peak: &mut u64, done: &dyn Fn() -> bool| {
        let started = Instant::now();
        wait::until_within(Duration::from_secs(60), what, || {
            *peak = (*peak).max(peak_kib(listener.0.id()));
            done()
        });
        println!("{what}: {:?} after the last notify", started.elapsed());
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| notify_all(&site, problems, "PROBLEM", "1"));
        for _ in 0..kills {
            // In the middle of the storm.
            std::thread::sleep(Duration::from_millis(2500));
            signal(listener.0.id(), "KILL");
            listener.0.wait().unwrap();
            listener = site.listen();
        }
        storm.join().unwrap();
    });
    println!("{problems} notify in {:?}", started.elapsed());
    let wanted: HashSet<String> = (0..problems).map(|i| format!("st{i}")).collect();
    shown("every problem to read", &listener, &mut peak, &|| listed(&sandbox, &heads(&sandbox)).is_superset(&wanted));
    notify_all(&site, problems, "RECOVERY", "0");
    shown("every recovery shown", &listener, &mut peak, &|| {
        let bad = |head: &&Value| !head["text"].as_str().unwrap().to_lowercase().contains("recovered");
        heads(&sandbox).iter().filter(bad).count() == 0 && site.queue()["waiting"] == 0 && site.queue()["spooled"] == 0
    });
    let heads = heads(&sandbox);
    for channel in 0..3 {
        let name = format!("load-{channel}");
        let here: Vec<&Value> = heads.iter().filter(|head| head["channel_name"] == name.as_str()).collect();
        // A kill between Slack's yes and our commit may post one again.
        assert!(here.len() <= 12, "{} top-level messages in #{name}", here.len());
        let digest = here.iter().find(|head| head["text"].as_str().unwrap().contains(" of ")).unwrap();
        let text = digest["text"].as_str().unwrap();
        let (recovered, of) = text.split_once(" of ").unwrap();
        assert!(of.starts_with(recovered), "it ends and says so: {text}");
        println!("#{name}: {} messages on top, {text}", here.len());
    }
    let stats = sandbox.get("stats");
    println!("requests {}, peak memory of the listener {} MiB", stats["requests"], peak / 1024);
    assert!(peak < 64 * 1024, "{peak} KiB");
    let refused = sandbox.violations().iter().filter(|v| v["kind"] == "too_fast").count();
    assert!(refused < 5, "{refused} requests refused");
    let other: Vec<Value> = sandbox.violations().into_iter().filter(|v| v["kind"] != "too_fast").collect();
    assert!(other.is_empty(), "{other:?}");
    site.assert_all_delivered();
}

#[test]
#[ignore = "slow: tests/run"]
fn five_thousand_problems_are_a_few_digests_within_a_minute() {
    the_switch_dies(5000, 0);
}

#[test]
#[ignore = "slow: tests/run"]
fn a_storm_survives_a_listener_killed_three_times() {
    the_switch_dies(5000, 3);
}

#[test]
fn a_host_that_is_down_swallows_its_services() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let config = "[storm]\nthreshold = 3\n[[route]]\nto = \"#ops\"\nmention = [\"here\"]\n";
    let away = by_token("http://127.0.0.1:1");
    let site = Site::new(&format!("{away}{config}[outbox]\ntime_budget = \"600ms\"\n"));
    for service in ["Disk", "Load", "Swap"] {
        site.service("PROBLEM", "db01", service, "2", "no answer");
    }
    let done = site.run(&["notify", "--hostname", "db01", "--hoststate", "1", "--output", "no ping"]);
    assert_eq!(done.status.code(), Some(0));
    site.service("PROBLEM", "db02", "Disk", "1", "80% full");
    site.configure(&format!("{}{config}", away.replace("http://127.0.0.1:1", &sandbox.url)));
    assert_eq!(site.run(&["queue", "retry"]).status.code(), Some(0));
    assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
    let heads = heads(&sandbox);
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0]["text"].as_str().unwrap().starts_with("5 problems on 2 hosts (4 critical, 1 warning)"),
        "{}",
        heads[0]
    );
    let shown = heads[0]["attachments"].to_string();
    assert!(shown.contains("db01 and 3 services") && shown.contains("Disk on db02"), "{shown}");
    assert!(!shown.contains("Load on db01"), "{shown}");
    assert!(heads[0]["blocks"].to_string().contains("<!here>"));
    let lines = sandbox.messages().into_iter().find(|m| m["thread_ts"] == heads[0]["ts"]).unwrap().to_string();
    assert!(lines.contains("Load on db01") && !lines.contains("<!here>"), "called once: {lines}");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn a_webhooks_storm_is_a_few_lists() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_webhook(&sandbox);
    let listener = site.listen();
    for i in 0..30 {
        site.service("PROBLEM", &format!("st{i}"), "S", "2", "gone");
    }
    wait::until("all of them", || site.queue()["waiting"] == 0);
    let all = serde_json::to_string(&sandbox.messages()).unwrap();
    assert!((0..30).all(|i| all.contains(&format!("S on st{i} "))), "every one can be read");
    assert!(sandbox.messages().len() <= 6, "{:?}", sandbox.texts());
    drop(listener);
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn a_starting_listener_takes_over_from_whoever_delivers() {
    let sandbox = Sandbox::start(&["--burst", "1"]);
    let site = Site::with_token(&sandbox, "");
    // Twelve problems for one channel, at one a second: whoever delivers them is busy until its budget is spent.
    let command = |i: usize| {
        let mut command =
            site.command(&["notify", "--hostname", &format!("st{i}"), "--hoststate", "1", "--output", "no"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let delivering: Vec<_> = (0..12).map(command).collect();
    wait::until("a message", || !sandbox.messages().is_empty());
    let started = Instant::now();
    let listener = site.listen();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    wait::until("all of them", || site.queue()["waiting"] == 0);
    for mut child in delivering {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    drop(listener);
    site.assert_all_delivered();
    sandbox.assert_respected();
}
