//! The database on a server goes away: nothing is lost, nothing is sent blindly, and people are told.

use crate::database::made;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::postgres::Postgres;
use crate::harness::process::{signal, text};
use crate::harness::proxy::{self, Proxy};
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

const TOKEN: &str = "relay-token-of-32-bytes-or-more-0000";

/// `[database]` as [`made`] gives it, by way of a proxy.
fn through_proxy(server: &Postgres, name: &str) -> (Proxy, String) {
    let proxy = Proxy::start(server.port);
    let config = made(server, name).replace(&server.port.to_string(), &proxy.port.to_string());
    (proxy, config)
}

fn address(site: &Site) -> String {
    let config = fs::read_to_string(site.config()).unwrap();
    config.split("http = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn health(site: &Site) -> String {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(format!("http://{}/healthz", address(site))).call().unwrap();
    format!("{} {}", answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

fn hand_in(site: &Site, body: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(format!("http://{}/v1/spool", address(site))).header("Ackbell-Protocol", "1");
    request.header("Authorization", format!("Bearer {TOKEN}")).send(body).unwrap().status().as_u16()
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn whatever_becomes_of_the_way_nothing_is_lost_and_everybody_is_told() {
    let (proxy, config) = through_proxy(Postgres::shared(), "ways");
    let mut night = OnCall::prepare(Way::Http, "500").beside(|site| PlayedCore::start(site.dir.path()));
    night.begin(&format!("{config}{}[cores.branch]\nrelay_token = \"{TOKEN}\"\n", PlayedCore::CONFIG));
    let card = night.problem("Disk");
    let entry = json!({"name": "01795000000000000000.7.0123456789abcdef", "entry": {
        "ackbell": 1, "received": 1_795_000_000_000_i64,
        "notification": {"kind": "PROBLEM", "host": {"name": "far", "state": "DOWN"}, "time": 1_795_000_000},
    }});
    let batch = entry.to_string() + "\n";
    let ways = [
        (proxy::Way::Refuse, "is the server up"),
        (proxy::Way::Reset, "the database ways at 127.0.0.1"),
        (proxy::Way::Swallow, "gave no answer within"),
    ];
    for (nth, (way, reason)) in ways.into_iter().enumerate() {
        proxy.set(way);
        wait::until("the listener notices", || health(&night.site).starts_with("503 delivery is interrupted"));
        let began = Instant::now();
        night.site.service("PROBLEM", "web01", &format!("S{nth}"), "2", "bad");
        assert!(began.elapsed() < Duration::from_secs(3), "{way:?}: notify took {:?}", began.elapsed());
        assert_eq!(hand_in(&night.site, &batch), 503, "{way:?}");
        let checked = night.site.run(&["check"]);
        let said = text(&checked.stdout);
        assert_eq!(checked.status.code(), Some(2), "{way:?}: {said}");
        assert!(said.contains(reason), "{way:?}: {said}");
        let whispers = night.sandbox.whispers().len();
        assert!(!night.click(&card), "{way:?}: Slack must show that the click failed");
        let told = wait::until("the person is told", || night.sandbox.whispers().get(whispers).cloned());
        assert_eq!(told, "ackbell can't reach its database now, so nothing was done. Try again in a minute.");
        // The relay's is there, too, if the thread that imports hadn't noticed yet: it is repeated, and counts once.
        assert!((1..=2).contains(&night.site.spooled("new")), "{way:?}");
        proxy.set(proxy::Way::Pass);
        let back = Instant::now();
        night.expect(&format!("CRITICAL: S{nth} on web01"));
        assert!(back.elapsed() < Duration::from_secs(15), "{way:?}: {:?} after it was back", back.elapsed());
        wait::until("all is well again", || health(&night.site).starts_with("200 "));
    }
    assert_eq!(hand_in(&night.site, &batch), 204);
    assert_eq!(
        night.site.spooled("new"),
        0,
        "in the outbox, else its recovery could come before it from another listener"
    );
    assert!(night.core.with(|held| held.commands.is_empty()), "nobody acted");
    let log = night.site.log();
    // Each reason once for each outage, however often it was tried.
    let outages: Vec<&str> = log.split("the database is back").collect();
    assert_eq!(outages.len(), 4, "each is told once: {log}");
    for outage in &outages[..outages.len() - 1] {
        let reasons = outage.lines().filter_map(|line| line.split("delivery interrupted reason=").nth(1));
        let mut reasons: Vec<&str> = reasons.collect();
        let logged = reasons.len();
        reasons.sort_unstable();
        reasons.dedup();
        assert!((1..=8).contains(&logged) && reasons.len() == logged, "{log}");
    }
    // No other node would reach it either.
    assert!(!log.contains("delivery left to another node"), "{log}");
    assert!(night.click(&card), "and now it works");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    night.sandbox.assert_respected();
}

/// A minute of outage, a listener that dies then, and the end: one message, edited.
#[test]
#[ignore = "needs postgresql, slow: tests/run"]
fn an_outage_is_one_message_that_is_edited_until_it_ends() {
    let (proxy, config) = through_proxy(Postgres::shared(), "outage");
    let sandbox = Sandbox::start(&[]);
    let hook = format!("[integrations.hook]\nwebhook_url = \"{}\"\n", sandbox.webhook("B0000001"));
    let site = Site::with_token(&sandbox, &format!("{config}{hook}"));
    let mut listener = site.listen();
    site.service("PROBLEM", "web01", "Load", "1", "high");
    sandbox.wait_for_messages(1);
    let before = sandbox.messages().len();
    proxy.set(proxy::Way::Refuse);
    site.service("PROBLEM", "web01", "Swap", "1", "little");
    site.service("PROBLEM", "web01", "Disk", "2", "3% free");
    let told = |sandbox: &Sandbox| -> Vec<Value> {
        let ours = |message: &Value| message["text"].as_str().unwrap_or_default().contains("database");
        sandbox.messages().into_iter().filter(ours).collect()
    };
    wait::until_within(Duration::from_secs(90), "the message of each integration", || told(&sandbox).len() == 2);
    assert_eq!(sandbox.messages().len(), before + 2, "nothing else is sent");
    let first = told(&sandbox);
    for message in &first {
        let said = message["text"].as_str().unwrap();
        assert!(said.contains("can't reach its database* since <!date^"), "{said}");
        assert!(said.contains("2 notifications wait there, the worst: CRITICAL: Disk on web01."), "{said}");
    }
    signal(listener.0.id(), "KILL");
    listener.0.wait().unwrap();
    site.service("PROBLEM", "web01", "Ping", "2", "lost");
    listener = site.listen();
    let edited =
        |sandbox: &Sandbox| told(sandbox).iter().any(|m| m["text"].as_str().unwrap().contains("3 notifications"));
    wait::until_within(Duration::from_secs(90), "the edit by the next process", || edited(&sandbox));
    assert_eq!(told(&sandbox).len(), 2, "the webhook's stays as it is: {:?}", told(&sandbox));
    proxy.set(proxy::Way::Pass);
    let over = |sandbox: &Sandbox| -> Vec<Value> {
        let ended = |message: &Value| message["text"].as_str().unwrap().contains("was away* for ");
        told(sandbox).into_iter().filter(ended).collect()
    };
    wait::until("the end of each", || over(&sandbox).len() == 2);
    for message in over(&sandbox) {
        let said = message["text"].as_str().unwrap();
        assert!(said.contains(". All 3 notifications that waited are in the outbox now."), "{said}");
    }
    assert!(
        over(&sandbox).iter().any(|message| first.iter().any(|one| one["ts"] == message["ts"])),
        "edited, not posted"
    );
    assert_eq!(told(&sandbox).len(), 3, "{:?}", told(&sandbox));
    wait::until("the file is gone", || !site.state("outage.json").exists());
    wait::until("nothing waits", || site.queue()["waiting"] == 0);
    site.assert_all_delivered();
    assert_eq!(listener.stop(), Some(0));
}

/// An asynchronous standby that lacks the last commits takes over.
#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_failover_that_forgot_commits_loses_no_notification() {
    let primary = Postgres::start(&[]);
    let (proxy, config) = through_proxy(&primary, "lag");
    let follows = Proxy::start(primary.port);
    let standby = Postgres::standby_of(follows.port);
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, &config);
    let listener = site.listen();
    for nth in 0..5 {
        site.service("PROBLEM", "web01", &format!("A{nth}"), "2", "bad");
    }
    sandbox.wait_for_messages(5);
    let count = "SELECT COUNT(*) FROM notification";
    wait::until("the standby has them", || standby.sql("lag", count) == "5");
    follows.set(proxy::Way::Swallow);
    for nth in 0..5 {
        site.service("PROBLEM", "web01", &format!("B{nth}"), "2", "bad");
    }
    sandbox.wait_for_messages(10);
    assert_eq!((primary.sql("lag", count), standby.sql("lag", count)), ("10".to_owned(), "5".to_owned()));
    // A message may be out before its file is put away.
    wait::until("all files are kept", || (site.spooled("new"), site.spooled("sent")) == (0, 10));
    proxy.set(proxy::Way::Refuse);
    signal(primary.pid, "KILL");
    drop(primary);
    // With that goes what was on the way to the standby.
    follows.set(proxy::Way::Reset);
    standby.sql("lag", "SELECT pg_promote()");
    assert_eq!(standby.sql("lag", count), "5", "it lacks what was committed last");
    proxy.lead_to(standby.port);
    proxy.set(proxy::Way::Pass);
    wait::until("all of them are there again", || standby.sql("lag", count) == "10");
    wait::until("nothing waits", || site.queue()["waiting"] == 0);
    // What it forgot shows twice, and nothing else does.
    let shown = sandbox.wait_for_messages(15);
    let of = |start: &str| shown.iter().filter(|m| m["text"].as_str().unwrap().contains(start)).count();
    assert_eq!((of(": A"), of(": B")), (5, 10), "{:?}", sandbox.texts());
    assert_eq!(listener.stop(), Some(0));
    // A new process offers them once more, and the outbox knows them.
    let listener = site.listen();
    site.service("PROBLEM", "web01", "C", "2", "bad");
    sandbox.wait_for_messages(16);
    wait::until("offered and known", || site.spooled("new") == 0 && site.spooled("sent") == 11);
    assert_eq!(sandbox.messages().len(), 16);
    assert_eq!(listener.stop(), Some(0));
}
