//! Slack at its worst: nothing is lost, nothing is early.

use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Writes spool files as `notify` would, so that thousands take no thousand processes here.
pub(crate) fn spool(site: &Site, number: usize, host: &str, to: &str) {
    let entry = json!({"ackbell": 1, "received": 1_795_234_312_000_i64, "notification": {"kind": "PROBLEM",
        "host": {"name": host}, "service": {"name": "S", "state": "CRITICAL"}, "time": 1_795_234_312, "output": "x", "to": [to]}});
    site.spool(&format!("{number:020}.1.{number:016x}"), &entry);
}

#[test]
#[ignore = "slow: tests/run"]
fn two_thousand_arrive_through_every_fault_in_random_turn() {
    const COUNT: usize = 2000;
    let sandbox = Sandbox::start(&[]);
    let kinds: Vec<Value> =
        ["500", "502", "429", "reset", "hang", "close_early", "close_before", "garbage", "html200", "empty200"]
            .iter()
            // Only a hang takes time; the others answer at once, each in its bad way.
            .map(|kind| match *kind {
                "hang" => json!({"kind": kind, "delay_ms": 400}),
                _ => json!({"kind": kind, "retry_after": "0.5"}),
            })
            .collect();
    sandbox.tell("faults", &json!({"random": {"seed": 7, "rate": 0.2, "kinds": kinds}}));
    let site = Site::with_token(&sandbox, "timeout = \"250ms\"\n[storm]\nthreshold = 9999\n");
    for i in 0..COUNT {
        spool(&site, i, &format!("h{i}"), &format!("#load-{}", i % 200));
    }
    let _listener = site.listen();
    let started = std::time::Instant::now();
    wait::until_within(Duration::from_secs(170), "all of them", || {
        sandbox.get("stats")["messages"].as_u64().unwrap() >= COUNT as u64 && site.queue()["waiting"] == 0
    });
    site.assert_all_delivered();
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for text in sandbox.texts() {
        *arrived.entry(text).or_default() += 1;
    }
    assert_eq!(arrived.len(), COUNT, "none is lost");
    let early: Vec<Value> = sandbox.violations().into_iter().filter(|v| v["kind"] == "early_retry").collect();
    assert!(early.is_empty(), "none before its Retry-After: {early:?}");
    let stats = sandbox.get("stats");
    println!("2000 notifications in {:?}, {} requests: {}", started.elapsed(), stats["requests"], stats["faults"]);
}

#[test]
fn an_ambiguous_answer_costs_at_most_one_duplicate() {
    let sandbox = Sandbox::start(&["--burst", "9"]);
    sandbox.tell("faults", &json!({"faults": [{"kind": "ok_then_reset", "times": 1}]}));
    let site = Site::with_webhook(&sandbox);
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    assert_eq!(sandbox.messages().len(), 2, "at least once, and said so in the README");
    site.assert_all_delivered();
}

#[test]
fn a_retry_after_of_each_form_is_honoured() {
    for (given, least) in [(json!("2"), 2.0), (json!("1.5"), 1.5), (json!("0"), 0.0)] {
        let sandbox = Sandbox::start(&["--burst", "9"]);
        sandbox.tell("faults", &json!({"faults": [{"kind": "429", "times": 1, "retry_after": given}]}));
        let site = Site::with_webhook(&sandbox);
        let started = std::time::Instant::now();
        site.service("PROBLEM", "web01", "Disk", "2", "x");
        assert_eq!(sandbox.messages().len(), 1);
        assert!(started.elapsed().as_secs_f64() >= least, "{given}");
        sandbox.assert_respected();
    }
}

#[test]
#[ignore = "slow: tests/run"]
fn endless_huge_and_redirecting_answers_cost_time_but_nothing_else() {
    for kind in ["huge", "endless", "redirect", "garbage", "html200"] {
        let sandbox = Sandbox::start(&[]);
        sandbox.tell("faults", &json!({"faults": [{"kind": kind, "times": 1, "delay_ms": 50}]}));
        let site = Site::with_token(&sandbox, "timeout = \"1s\"\n[outbox]\ntime_budget = \"3s\"\n");
        site.service("PROBLEM", "web01", "Disk", "2", "x");
        let queue = site.queue();
        assert_eq!(queue["dead"], 0, "{kind}: {queue}");
        assert_eq!(queue["waiting"].as_u64().unwrap() + sandbox.messages().len() as u64, 1, "{kind}: {queue}");
        assert!(sandbox.violations().iter().all(|v| v["kind"] != "followed_redirect"), "{kind}");
    }
}

#[test]
fn a_waiting_head_blocks_its_own_object_and_nobody_else() {
    let sandbox = Sandbox::start(&["--burst", "9"]);
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/x\"\n[outbox]\ntime_budget = \"600ms\"\n");
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    site.service("RECOVERY", "web01", "Disk", "0", "x");
    let due = |first: &str| {
        let sql = format!("DELETE FROM pause; UPDATE post SET due = 0; UPDATE post SET due = {first} WHERE id = 1");
        site.sql(&sql).unwrap();
    };
    due("99999999999999");
    site.configure(&format!("[slack]\nwebhook_url = \"{}\"\n", sandbox.webhook("B0000001")));
    // Not by `queue flush`: what a person orders waits for nothing.
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    assert_eq!(sandbox.texts(), ["CRITICAL: Disk on web02 · x"]);
    assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
    let (texts, told) = (sandbox.texts(), sandbox.messages()[1].to_string());
    assert!(texts[1].starts_with("RECOVERED, OK: Disk on web01 · was CRITICAL for ") && texts.len() == 2, "{texts:?}");
    assert!(told.contains("CRITICAL <!date^"), "what waited together is told together: {told}");
}

#[test]
#[ignore = "slow: tests/run"]
fn a_private_ca_is_trusted_when_named_and_refused_when_not() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(directory.path());
    let sandbox = Sandbox::start(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    let url = sandbox.url.replace("127.0.0.1", "localhost");
    let slack = format!("[slack]\nwebhook_url = \"{url}/services/T0SANDBOX/B0000001/x\"\n");
    let site = Site::new(&slack);
    let done =
        site.command(&["notify", "--hostname", "h", "--hoststate", "1"]).env("SSL_CERT_FILE", "").output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    let queue = site.queue();
    assert_eq!(queue["waiting"], 1);
    assert!(queue["deliveries"][0]["reason"].as_str().unwrap().contains("UnknownIssuer"), "{queue}");
    site.configure(&format!("{slack}ca_file = \"{}\"\n", cert.display()));
    wait::until("the delivery", || site.run(&["queue", "flush"]).status.code() == Some(0));
    assert_eq!(sandbox.messages().len(), 1);
}

/// A certificate for localhost that is its own authority.
pub(crate) fn certificate(directory: &std::path::Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}
