//! Several listeners that share an outbox: one delivers, all take clicks, and any of them may die or be paused.

mod alone;
mod installs;
mod nights;
mod world;

use crate::door;
use crate::harness::cluster::Cluster;
use crate::harness::postgres::Postgres;
use crate::harness::process::signal;
use crate::harness::proxy::{Proxy, Way};
use crate::harness::wait;
use crate::home;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The messages that people see now and that begin so.
fn heads(cluster: &Cluster, start: &str) -> Vec<Value> {
    let is_it = |message: &Value| {
        message["text"].as_str().unwrap_or_default().starts_with(start)
            && message["thread_ts"].is_null()
            && message["deleted"] != true
    };
    cluster.sandbox.messages().into_iter().filter(is_it).collect()
}

/// How many statements the nodes send in a second while nothing happens.
fn idle_statements(cluster: &Cluster) -> f64 {
    let span = Duration::from_secs(15);
    cluster.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    cluster.sql("SELECT pg_stat_statements_reset()");
    std::thread::sleep(span);
    let all = cluster.sql("SELECT SUM(calls) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'");
    all.parse::<f64>().unwrap() / span.as_secs_f64()
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn one_delivers_and_when_it_dies_or_ends_another_one_goes_on() {
    let mut cluster = Cluster::start_alone(3, "[storm]\nthreshold = 1000\n");
    assert_eq!(cluster.leader(), Some(0));
    cluster.nodes[2].notify("PROBLEM", "web01", "Disk", "CRITICAL", "full");
    cluster.expect("CRITICAL: Disk on web01");
    // Whoever dies between Slack's answer and the outbox may leave it twice.
    cluster.rests();

    cluster.nodes[0].kill();
    cluster.nodes[1].notify("PROBLEM", "web02", "Disk", "CRITICAL", "full");
    let (second, took) = cluster.wait_for_another(0);
    println!("figure: takeover after kill -9: {took:.1?}");
    assert!(took < Duration::from_secs(13), "{took:?}");
    cluster.expect("CRITICAL: Disk on web02");

    cluster.nodes[0].start();
    cluster.nodes[second].signal("TERM");
    let (_, took) = cluster.wait_for_another(second);
    println!("figure: takeover after SIGTERM: {took:.1?}");
    // A second, and what the tests beside this one leave of the machine.
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(cluster.nodes[second].stop(), Some(0));
    cluster.nodes[second].start();

    // A rolling restart under notifications.
    let mut number = 10;
    for node in 0..3 {
        assert_eq!(cluster.nodes[node].stop(), Some(0));
        for at in 0..3 {
            number += 1;
            cluster.nodes[at].notify("PROBLEM", &format!("web{number}"), "Disk", "CRITICAL", "full");
        }
        cluster.nodes[node].start();
    }
    cluster.rests();
    for host in ["web01".to_owned(), "web02".into()].into_iter().chain((11..=number).map(|n| format!("web{n}"))) {
        let heads = heads(&cluster, &format!("CRITICAL: Disk on {host}"));
        let texts = cluster.sandbox.texts();
        assert_eq!(heads.len(), 1, "{host}: {texts:?}\n{}", cluster.logs());
    }
    cluster.sandbox.assert_respected();

    // What the restarts left to do isn't idleness.
    let mut idle = idle_statements(&cluster);
    for _ in 0..2 {
        if idle > 5.0 {
            idle = idle_statements(&cluster);
        }
    }
    println!("figure: three idle nodes: {idle:.1} statements a second");
    let most = "SELECT calls, query FROM pg_stat_statements ORDER BY calls DESC LIMIT 12";
    assert!(idle <= 5.0, "{idle}\n{}", cluster.sql(most));
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_leader_that_is_paused_while_it_posts_takes_its_duplicate_back() {
    let mut cluster = Cluster::prepare(std::sync::Arc::clone(Postgres::shared()), 2, "");
    let hook = format!(
        "[integrations.hook]\nwebhook_url = \"{}\"\n[[route]]\nmatch = {{ host = \"hooked\" }}\nintegration = \"hook\"\n",
        cluster.sandbox.webhook("B0000001")
    );
    for node in 0..2 {
        cluster.configure(node, |config| config + &hook);
        cluster.nodes[node].start();
        assert_eq!(cluster.wait_for_leader(), 0);
    }
    cluster.nodes[0].notify("PROBLEM", "web01", "Disk", "CRITICAL", "full");
    cluster.expect("CRITICAL: Disk on web01");
    let slow = |method: &str| json!({"kind": "slow", "delay_ms": 2500, "times": 1, "method": method});
    cluster.sandbox.tell("faults", &json!({"faults": [slow("chat.postMessage"), slow("webhook")]}));
    let before = cluster.sandbox.requests();
    let hosts = ["web02", "hooked"];
    for host in hosts {
        cluster.nodes[0].notify("PROBLEM", host, "Disk", "CRITICAL", "full");
    }
    let shown = |host: &str| heads(&cluster, &format!("CRITICAL: Disk on {host}")).len();
    wait::until("the calls", || cluster.sql("SELECT COUNT(*) FROM post WHERE leased IS NOT NULL") == "2");
    wait::until("the calls to arrive", || {
        cluster.sandbox.requests() >= before + 2 || hosts.iter().all(|host| shown(host) > 0)
    });
    cluster.nodes[0].signal("STOP");
    let (_, took) = cluster.wait_for_another(0);
    println!("figure: takeover from a paused leader: {took:.1?}");
    wait::until("the other's", || hosts.iter().all(|host| shown(host) == 2));
    cluster.nodes[0].signal("CONT");
    wait::until("the duplicate's end", || {
        let heads = heads(&cluster, "CRITICAL: Disk on web02");
        if heads.len() == 1 { Ok(()) } else { Err(format!("{heads:?}\n{}", cluster.logs())) }
    });
    assert!(cluster.logs().contains("message taken back"), "{}", cluster.logs());
    // A webhook can take nothing back: that is said once, by whoever sent it late.
    wait::until("the word about the webhook", || {
        let told = cluster.nodes[0].site.log().matches("integration=hook target=webhook shown=twice").count();
        if told == 1 { Ok(()) } else { Err(cluster.logs()) }
    });
    // What is left is the message that the outbox knows: it goes on there.
    cluster.nodes[0].notify("RECOVERY", "web02", "Disk", "OK", "fine");
    cluster.expect("RECOVERED, OK: Disk on web02");
    cluster.rests();
    assert_eq!(heads(&cluster, "CRITICAL: Disk on web02").len(), 0);
}

/// Nothing comes any more at the node that has the only copy, and it doesn't deliver: it has no reason to ask the database.
#[test]
#[ignore = "needs postgresql: tests/run"]
fn an_idle_node_offers_again_what_a_failover_forgot() {
    let mut cluster = Cluster::prepare(std::sync::Arc::clone(Postgres::shared()), 2, "");
    let proxy = Proxy::start(Postgres::shared().port);
    cluster.put_behind(1, &proxy);
    cluster.nodes[0].start();
    cluster.wait_for_leader();
    cluster.nodes[1].start();
    cluster.nodes[1].notify("PROBLEM", "web01", "Disk", "CRITICAL", "full");
    cluster.expect("CRITICAL: Disk on web01");
    cluster.rests();
    wait::until("its file to be kept", || cluster.nodes[1].site.spooled("sent") == 1);
    proxy.set(Way::Reset);
    cluster.sql("TRUNCATE notification, post, open_problem CASCADE");
    proxy.set(Way::Pass);
    let count = "SELECT COUNT(*) FROM notification";
    wait::until("it to be there again", || if cluster.sql(count) == "1" { Ok(()) } else { Err(cluster.logs()) });
    cluster.rests();
    assert_eq!(heads(&cluster, "CRITICAL: Disk on web01").len(), 2, "what was forgotten is sent once more");
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn what_slack_answered_is_kept_while_the_database_crashes() {
    let cluster = Cluster::start_alone(2, "");
    cluster.sandbox.tell("faults", &json!({"faults": [{"kind": "slow", "delay_ms": 2000, "times": 1}]}));
    cluster.nodes[1].notify("PROBLEM", "web01", "Disk", "CRITICAL", "full");
    wait::until("the call", || cluster.sql("SELECT COUNT(*) FROM post WHERE leased IS NOT NULL") == "1");
    wait::until("the call to arrive", || !heads(&cluster, "CRITICAL: Disk on web01").is_empty());
    // One of its processes dies by SIGKILL: the server ends all sessions, and recovers as after a loss of power.
    let any = cluster.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'ackbell' LIMIT 1");
    signal(any.parse().unwrap(), "KILL");
    wait::until("the database", || cluster.try_sql("SELECT 1"));
    cluster.nodes[0].notify("RECOVERY", "web01", "Disk", "OK", "fine");
    cluster.expect("RECOVERED, OK: Disk on web01");
    cluster.rests();
    let seen = heads(&cluster, "");
    assert_eq!(seen.len(), 1, "{:?}\n{}", cluster.sandbox.texts(), cluster.logs());
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_click_counts_once_at_whatever_node_and_two_taps_are_one_command() {
    let mut cluster = Cluster::start(2, "");
    let problem = |service: &str| {
        cluster.core.set("web01", service, 2);
        cluster.nodes[0].notify("PROBLEM", "web01", service, "CRITICAL", "full");
        cluster.expect(&format!("CRITICAL: {service} on web01"))
    };
    let commands = |service: &str| cluster.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", service);
    let acknowledged = |service: &str| {
        cluster.expect(&format!("ACKNOWLEDGED, CRITICAL: {service} on web01"));
    };

    // At the node that doesn't lead; then the same click at the other one.
    let disk = problem("Disk");
    cluster.clicks_reach(1);
    cluster.sandbox.click(&disk, "acknowledge", &json!({}));
    acknowledged("Disk");
    cluster.clicks_reach(0);
    let again = cluster.sandbox.order("click", &json!({"again": true}));
    assert_eq!(again["status"], 200, "{again}\n{}", cluster.logs());
    assert_eq!(cluster.sql("SELECT COUNT(*) FROM action_request"), "1");

    // A scrape is no login at the database.
    let scrape = || {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], cluster.nodes[1].port));
        let page = door::say(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(page.contains("\nackbell_outbox_readable 1\n"), "{page}");
    };
    let logins = || {
        let counted = cluster.sql("SELECT sessions FROM pg_stat_database WHERE datname = current_database()");
        counted.parse::<i64>().unwrap()
    };
    scrape();
    let before = logins();
    (0..10).for_each(|_| scrape());
    let more = logins() - before;
    println!("figure: ten scrapes and the look at their logins: {more} logins");
    assert!(more < 10, "{more}");

    // Two taps, each at another node.
    for service in ["Load", "Swap", "Ping"] {
        let card = problem(service);
        cluster.clicks_reach(0);
        cluster.sandbox.click(&card, "acknowledge", &json!({}));
        cluster.clicks_reach(1);
        cluster.sandbox.click(&card, "acknowledge", &json!({}));
        acknowledged(service);
    }
    cluster.rests();
    for service in ["Disk", "Load", "Swap", "Ping"] {
        assert_eq!(commands(service), 1, "{service}\n{}", cluster.logs());
    }
    cluster.sandbox.assert_respected();
    a_copy_with_the_same_name_leaves_everything_alone(&mut cluster);
}

/// A copy of the first node's machine comes up while that has something to do: it does none of it.
fn a_copy_with_the_same_name_leaves_everything_alone(cluster: &mut Cluster) {
    cluster.core.set("web01", "Lamp", 2);
    cluster.nodes[0].notify("PROBLEM", "web01", "Lamp", "CRITICAL", "dark");
    let card = cluster.expect("CRITICAL: Lamp on web01");
    cluster.nodes[1].kill();
    let path = cluster.nodes[1].site.config();
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("node = \"b\"", "node = \"a\"")).unwrap();
    cluster.nodes[0].signal("STOP");
    let of = |which: &str| format!("id = (SELECT {which}(id) FROM action_request WHERE outcome = 'confirmed')");
    let (first, last) = (of("MIN"), of("MAX"));
    cluster.sql(&format!("UPDATE action_request SET owner = 'a', reply = 'Left to do' WHERE {first}"));
    cluster.sql(&format!("UPDATE action_request SET owner = 'a', state = 'sent', due = 0 WHERE {last}"));
    let left = "SELECT COUNT(*) FROM action_request WHERE owner = 'a' AND (state = 'sent' OR reply IS NOT NULL)";
    assert_eq!(cluster.sql(left), "2");
    cluster.nodes[1].start();
    wait::until("the copy is told", || cluster.nodes[1].site.log().contains("another listener has the name"));
    // It would have been its first step.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(cluster.sql(left), "2", "{}", cluster.logs());
    assert!(!cluster.sandbox.whispers().contains(&"Left to do".to_owned()));
    cluster.nodes[0].signal("CONT");
    cluster.clicks_reach(0);
    cluster.sandbox.click(&card, "acknowledge", &json!({}));
    wait::until("whose they are does them", || cluster.sql(left) == "0");
    let told = cluster.sandbox.whispers().iter().filter(|text| *text == "Left to do").count();
    assert_eq!(told, 1, "{}", cluster.logs());
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_click_goes_to_the_node_that_reaches_the_core_and_where_none_does_the_person_is_told() {
    let mut cluster = Cluster::prepare(std::sync::Arc::clone(Postgres::shared()), 2, "");
    cluster.configure(0, |config| config.replace("/core.cmd", "/none.cmd"));
    for node in 0..2 {
        cluster.nodes[node].start();
        assert_eq!(cluster.wait_for_leader(), 0);
    }
    let problem = |service: &str| {
        cluster.core.set("web01", service, 2);
        cluster.nodes[0].notify("PROBLEM", "web01", service, "CRITICAL", "full");
        cluster.expect(&format!("CRITICAL: {service} on web01"))
    };
    let sent_by = |node: usize| cluster.nodes[node].site.log().matches("step=\"sending\"").count();

    let (disk, load) = (problem("Disk"), problem("Load"));
    let started = Instant::now();
    cluster.sandbox.click(&disk, "acknowledge", &json!({}));
    cluster.expect("ACKNOWLEDGED, CRITICAL: Disk on web01");
    println!("figure: a click at a node that doesn't reach the core, to the card: {:.1?}", started.elapsed());
    assert_eq!((sent_by(0), sent_by(1)), (0, 1), "{}", cluster.logs());

    std::fs::rename(cluster.core_file("core.cmd"), cluster.core_file("aside.cmd")).unwrap();
    let started = Instant::now();
    cluster.sandbox.click(&load, "acknowledge", &json!({}));
    let told = cluster.sandbox.expect_whisper("there is no command file");
    let took = started.elapsed();
    println!("figure: a click that no node can carry out, to the word about it: {took:.1?}");
    assert!(told.contains("the monitoring core isn't running"), "{told}");
    // Five seconds for another node to take it, once more where the last sign of life says yet that one could.
    assert!(took >= Duration::from_secs(5), "{took:?}");
    assert_eq!((sent_by(0), sent_by(1)), (1, 1), "{}", cluster.logs());
    cluster.rests();
    assert_eq!(cluster.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Load"), 0);
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_node_without_its_database_or_its_disk_holds_up_nobody() {
    let mut cluster = Cluster::prepare(std::sync::Arc::clone(Postgres::shared()), 2, "");
    let proxy = Proxy::start(cluster.postgres.port);
    cluster.put_behind(0, &proxy);
    cluster.nodes[0].start();
    cluster.wait_for_leader();
    cluster.nodes[1].start();
    wait::until("both nodes", || {
        let seen = cluster.seen_by(1);
        if seen == (vec!["a".to_owned(), "b".to_owned()], Some("a".to_owned())) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    });

    // A Home that was opened at the other node is the leader's to publish.
    cluster.clicks_reach(1);
    home::open(&cluster.sandbox, "U0ALICE001", "home");
    home::shows(&cluster.sandbox, "U0ALICE001", "Nothing is wrong");
    cluster.core.set("web01", "Disk", 2);
    cluster.nodes[0].notify("PROBLEM", "web01", "Disk", "CRITICAL", "full");
    let card = cluster.expect("CRITICAL: Disk on web01");
    cluster.nodes[1].signal("STOP");
    cluster.core.set("web01", "Load", 2);
    cluster.nodes[0].notify("PROBLEM", "web01", "Load", "CRITICAL", "high");
    home::shows(&cluster.sandbox, "U0ALICE001", "Load");
    cluster.nodes[1].signal("CONT");
    cluster.rests();

    // The leader's COMMIT never arrives, and for the server its transaction goes on. Slack has its answer all the same.
    proxy.set(Way::SwallowFromCommit);
    cluster.nodes[0].notify("PROBLEM", "web02", "Disk", "CRITICAL", "full");
    wait::until("a transaction in the middle", || proxy.way() == Way::Swallow);
    let started = Instant::now();
    cluster.sandbox.click(&card, "acknowledge", &json!({}));
    println!("figure: a click beside a swallowed transaction: {:.1?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    cluster.wait_for_another(0);
    proxy.set(Way::Pass);
    cluster.expect("ACKNOWLEDGED, CRITICAL: Disk on web01");
    cluster.expect("CRITICAL: Disk on web02");
    cluster.rests();
    assert_eq!(cluster.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 1, "{}", cluster.logs());

    // One that does nothing just now says so too when it can't reach the database: whoever hands on clicks asks it.
    proxy.set(Way::Refuse);
    wait::until("the idle node is unwell", || cluster.nodes[0].health() == 503);
    proxy.set(Way::Pass);
    wait::until("it is well again", || cluster.nodes[0].health() == 200);

    // The leader's disk fails.
    let (spool, aside) = (cluster.nodes[1].site.state("spool/new"), cluster.nodes[1].site.state("spool/aside"));
    std::fs::rename(&spool, &aside).unwrap();
    std::fs::write(&spool, "").unwrap();
    cluster.nodes[0].notify("PROBLEM", "web03", "Disk", "CRITICAL", "full");
    assert_eq!(cluster.wait_for_another(1).0, 0);
    cluster.expect("CRITICAL: Disk on web03");
    std::fs::remove_file(&spool).unwrap();
    std::fs::rename(&aside, &spool).unwrap();
    wait::until("a node that can deliver again", || {
        let is_well = cluster.nodes[1].site.run(&["check"]).status.success();
        if is_well { Ok(()) } else { Err(cluster.nodes[1].site.log()) }
    });
    // Whoever ends in good order is missed by nobody.
    assert_eq!(cluster.nodes[0].stop(), Some(0));
    let (leader, took) = cluster.wait_for_another(0);
    assert!(leader == 1 && took < Duration::from_secs(3), "{took:?}");
    assert_eq!(cluster.seen_by(1), (vec!["b".to_owned()], Some("b".to_owned())));
}
