//! An app that a browser installs once, for all listeners: sealed in their database, whichever of them is asked.

use crate::harness::cluster::Cluster;
use crate::harness::postgres::Postgres;
use crate::harness::process::text;
use crate::harness::proxy::{Proxy, Way};
use crate::harness::wait;
use crate::install::{Page, get};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
const OTHER: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\n";

impl Cluster {
    fn at(&self, node: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.nodes[node].port)
    }

    /// A browser begins at a node and agrees in Slack: the path that ends it, and its cookie.
    fn agree(&self, node: usize) -> (String, String) {
        let begun = get(&self.at(node, "/slack/install"), "");
        assert_eq!(begun.status, 302, "{}", begun.html);
        let agreed = get(&begun.to, "");
        let back = agreed.to.strip_prefix("https://alerts.example.com").unwrap_or_else(|| panic!("{}", agreed.html));
        (back.to_owned(), begun.cookie)
    }

    fn install(&self, begin: usize, end: usize) -> Page {
        let (back, cookie) = self.agree(begin);
        get(&self.at(end, &back), &cookie)
    }

    fn file(&self, node: usize) -> Value {
        let text = fs::read(self.nodes[node].site.state("installs/default.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The tokens that Slack gave and that still live, the oldest first.
    fn given(&self) -> Vec<Value> {
        self.sandbox.get("state")["oauth"]["tokens"].as_array().cloned().unwrap_or_default()
    }

    fn notify(&self, node: usize, host: &str) {
        self.nodes[node].notify("PROBLEM", host, "Disk", "CRITICAL", "full");
    }

    #[track_caller]
    fn wait_for_log(&self, node: usize, words: &str) {
        wait::until(words, || {
            let log = self.nodes[node].site.log();
            if log.contains(words) { Ok(()) } else { Err(self.logs()) }
        });
    }

    /// Waits until all nodes have the newest token that Slack gave.
    #[track_caller]
    fn wait_for_newest_token(&self) {
        wait::until("the newest token at all nodes", || {
            let newest = self.given().last().cloned().unwrap_or_default();
            let all: Vec<Value> = (0..self.nodes.len()).map(|node| self.file(node)["bot_token"].clone()).collect();
            if all.iter().all(|token| *token == newest) { Ok(()) } else { Err(format!("{all:?}\n{}", self.logs())) }
        });
    }

    fn says(&self, node: usize, verb: &str) -> String {
        text(&self.nodes[node].site.run(&[verb]).stdout)
    }

    /// A node's tokens end soon: as if twelve hours had passed.
    fn let_end(&self, node: usize) {
        let path = self.nodes[node].site.state("installs/default.json");
        let mut install = self.file(node);
        install["expires_at"] = json!(crate::door::now() + 600);
        install["version"] = json!(install["version"].as_i64().unwrap() + 1);
        let new = path.with_extension("changed");
        fs::write(&new, install.to_string()).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, path).unwrap();
    }
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_browser_installs_once_for_all_listeners_and_slack_ends_it_for_all() {
    let mut cluster = Cluster::prepare_installable(2, KEY);
    for number in 0..2 {
        cluster.nodes[number].start();
        cluster.wait_for_leader();
    }
    cluster.notify(1, "web01");
    cluster.wait_for_log(0, "isn't installed yet");

    // Begun at the leader, ended at the other one; and each state is used once, wherever.
    let (back, cookie) = cluster.agree(0);
    let page = get(&cluster.at(1, &back), &cookie);
    assert!(page.status == 200 && page.html.contains("Installed in Sandbox"), "{}\n{}", page.html, cluster.logs());
    cluster.expect("CRITICAL: Disk on web01");
    for node in [0, 1] {
        let again = get(&cluster.at(node, &back), &cookie);
        assert!(again.status == 403 && again.html.contains("it was used already"), "{}", again.html);
    }
    cluster.wait_for_newest_token();
    let file = cluster.nodes[0].site.state("installs/default.json");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let (token, rows) = (cluster.given()[0].as_str().unwrap().to_owned(), cluster.sql("SELECT * FROM install"));
    assert!(rows.starts_with("default|1|") && !rows.contains(&token) && !cluster.logs().contains(&token), "{rows}");
    for node in [0, 1] {
        assert!(cluster.nodes[node].site.run(&["check"]).status.success(), "{}", cluster.says(node, "check"));
        let said = cluster.says(node, "doctor");
        assert!(said.contains("\"default\" is the same here and in the database"), "{said}");
    }

    // Slack tells one of them that it ended, and then the other one.
    cluster.sandbox.tell("state", &json!({"oauth": {"uninstalled": true}}));
    for node in [1, 0] {
        cluster.clicks_reach(node);
        let event = json!({"event": {"type": "app_uninstalled"}, "event_id": "Ev1"});
        let told = cluster.sandbox.order("event", &event);
        assert_eq!(told["status"], 200, "{told}\n{}", cluster.logs());
        wait::until("its end at both", || (0..2).all(|node| !cluster.file(node)["revoked"].is_null()));
    }
    assert_eq!(cluster.logs().matches("the installation ended").count(), 1, "{}", cluster.logs());
    cluster.wait_for_log(0, "isn't installed any more (app_uninstalled");
    let before = cluster.sandbox.requests();
    cluster.notify(0, "web02");
    let waiting = "SELECT COUNT(*) FROM delivery WHERE state = 'waiting'";
    wait::until("the next one to wait", || cluster.sql(waiting) == "1");
    assert_eq!(cluster.sandbox.requests(), before, "nothing is sent with a token that ended");
    let page = cluster.install(1, 0);
    assert_eq!(page.status, 200, "{}\n{}", page.html, cluster.logs());
    cluster.expect("CRITICAL: Disk on web02");
    cluster.rests();
    cluster.wait_for_newest_token();

    another_key(&cluster);
    cluster.sandbox.assert_respected();
}

/// The second node has another key; then both get that one as the first of two.
fn another_key(cluster: &Cluster) {
    let had = cluster.file(1);
    cluster.nodes[1].seal_with(OTHER);
    cluster.wait_for_log(1, "installation not brought in line");
    let page = cluster.install(1, 1);
    assert_eq!(page.status, 503, "nobody writes over what they can't read: {}", page.html);
    assert_eq!(cluster.install(0, 1).status, 403);
    let check = cluster.nodes[1].site.run(&["check"]);
    let said = text(&check.stdout);
    let wrong = "the installation of \"default\" in the database can't be opened with this machine's key_file";
    assert!(check.status.code() == Some(2) && said.contains(wrong) && said.contains("copy the file"), "{said}");
    let said = cluster.says(1, "doctor");
    assert!(said.contains(wrong), "{said}");
    assert_eq!((cluster.file(1), cluster.given().len()), (had, 1), "it goes on with what it has");
    let log = cluster.nodes[1].site.log();
    assert_eq!(log.matches("installation not brought in line").count(), 1, "{log}");

    let before = cluster.sql("SELECT body FROM install");
    let rotated = format!("{OTHER}{KEY}");
    cluster.nodes[0].seal_with(&rotated);
    wait::until("another seal", || cluster.sql("SELECT body FROM install") != before);
    wait::until("nothing wrong at the other node", || cluster.nodes[1].site.run(&["check"]).status.success());
    cluster.notify(1, "web03");
    cluster.expect("CRITICAL: Disk on web03");
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn only_the_leader_renews_and_no_token_is_lost_when_it_dies_or_loses_its_database() {
    let mut cluster = Cluster::prepare_installable(2, KEY);
    let proxy = Proxy::start(Postgres::shared().port);
    cluster.put_behind(0, &proxy);
    cluster.sandbox.tell("state", &json!({"oauth": {"expires_in": 43_200, "grace_ms": 60_000}}));
    cluster.nodes[0].start();
    cluster.wait_for_leader();
    cluster.nodes[1].start();
    assert_eq!(cluster.install(1, 1).status, 200);
    cluster.wait_for_newest_token();
    assert_eq!(cluster.given().len(), 1, "the leader alone asked for it");

    // The leader is killed between Slack's answer and the database. The next one asks once more with the old token.
    let slow = json!({"kind": "slow", "delay_ms": 3000, "times": 1, "method": "oauth.v2.access"});
    cluster.sandbox.tell("faults", &json!({"faults": [slow]}));
    cluster.let_end(0);
    wait::until("the renewal", || if cluster.given().len() == 2 { Ok(()) } else { Err(cluster.logs()) });
    cluster.nodes[0].kill();
    assert_eq!(cluster.wait_for_another(0).0, 1);
    cluster.wait_for_log(1, "token renewed integration=default");
    assert_eq!(cluster.given().len(), 2, "one pair, given twice");
    cluster.notify(1, "web01");
    cluster.expect("CRITICAL: Disk on web01");
    cluster.nodes[0].start();
    cluster.wait_for_newest_token();

    // The next leader loses its database while Slack answers, and Slack gives nobody else the same pair: it has the only one.
    assert_eq!(cluster.nodes[1].stop(), Some(0));
    assert_eq!(cluster.wait_for_another(1).0, 0);
    cluster.nodes[1].start();
    cluster.sandbox.tell("state", &json!({"oauth": {"grace_ms": 0}}));
    let slow = json!({"kind": "slow", "delay_ms": 2000, "times": 1, "method": "oauth.v2.access"});
    cluster.sandbox.tell("faults", &json!({"faults": [slow]}));
    let renewed = cluster.given().last().cloned();
    cluster.let_end(0);
    wait::until("the next renewal", || {
        if cluster.given().last() == renewed.as_ref() { Err(cluster.logs()) } else { Ok(()) }
    });
    proxy.set(Way::Swallow);
    cluster.wait_for_log(0, "the database didn't take it");
    assert_eq!(cluster.wait_for_another(0).0, 1);
    cluster.wait_for_log(1, "token renewal refused integration=default reason=\"invalid_refresh_token");
    assert_eq!(Some(&cluster.file(1)["bot_token"]), renewed.as_ref(), "which works to its end");
    proxy.set(Way::Pass);
    cluster.wait_for_newest_token();
    cluster.notify(1, "web02");
    cluster.expect("CRITICAL: Disk on web02");
    cluster.rests();
    cluster.sandbox.assert_respected();
    assert!(!cluster.logs().contains("xoxe"), "no token in the log");
}

#[test]
#[ignore = "needs postgresql: tests/run"]
fn a_leader_paused_in_the_middle_of_a_renewal_spends_no_second_token() {
    let mut cluster = Cluster::prepare_installable(2, KEY);
    cluster.sandbox.tell("state", &json!({"oauth": {"expires_in": 43_200, "grace_ms": 60_000}}));
    cluster.nodes[0].start();
    cluster.wait_for_leader();
    cluster.nodes[1].start();
    assert_eq!(cluster.install(0, 0).status, 200);
    cluster.wait_for_newest_token();
    let before = cluster.given();

    // Paused between Slack's answer and the database, until the other one has renewed and delivers.
    let slow = json!({"kind": "slow", "delay_ms": 2000, "times": 1, "method": "oauth.v2.access"});
    cluster.sandbox.tell("faults", &json!({"faults": [slow]}));
    cluster.let_end(0);
    wait::until("the renewal", || if cluster.given() == before { Err(cluster.logs()) } else { Ok(()) });
    cluster.nodes[0].signal("STOP");
    assert_eq!(cluster.wait_for_another(0).0, 1);
    cluster.wait_for_log(1, "token renewed integration=default");
    let newest = cluster.given().last().cloned();
    cluster.nodes[0].signal("CONT");
    cluster.wait_for_log(0, "another node delivers now");
    cluster.wait_for_newest_token();
    assert_eq!(cluster.given().last(), newest.as_ref(), "asked for once more, and not spent again");
    cluster.notify(0, "web01");
    cluster.expect("CRITICAL: Disk on web01");
    cluster.rests();
    cluster.sandbox.assert_respected();
}
