//! Tokens that end by themselves, and secrets that are changed while everything goes on.

use super::Office;
use crate::harness::process::{free_port, text};
use crate::harness::sandbox::{Sandbox, TOKEN};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_token_is_renewed_before_its_end() {
    let office = Office::open("");
    // Ends within the hour: due at once.
    office.sandbox.tell("state", &json!({"oauth": {"expires_in": 1800}}));
    office.install();
    wait::until("a renewal", || office.site.log().contains("token renewed integration=default"));
    let (kept, given) = (read(&office.site.state("installs/default.json")), office.sandbox.get("state"));
    let given = given["oauth"]["tokens"].as_array().unwrap().clone();
    assert_eq!((given.len(), &kept["bot_token"]), (2, &given[1]), "renewed once, and not again and again");
    assert!(given[1].as_str().unwrap().starts_with("xoxe.xoxb-1-"), "{kept}");
    office.down("web01");
    office.wait_for("DOWN: web01");
    office.site.assert_all_delivered();
    office.sandbox.assert_respected();
    assert!(!office.site.log().contains("xoxe-1-refresh"), "no token in the log");
}

/// An installation whose token ends in ten minutes, and no listener.
fn ending() -> (Sandbox, Site, PathBuf, Value) {
    let office = Office::open("");
    office.sandbox.tell("state", &json!({"oauth": {"expires_in": 43_200}}));
    office.install();
    let Office { sandbox, site, listener, .. } = office;
    drop(listener);
    let path = site.state("installs/default.json");
    let mut install = read(&path);
    install["expires_at"] = json!(crate::door::now() + 600);
    fs::write(&path, install.to_string()).unwrap();
    (sandbox, site, path, install)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn down(site: &Site, host: &str) -> String {
    let done = site.run(&["notify", "--hostname", host, "--hoststate", "DOWN", "--output", "no ping"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    text(&done.stderr)
}

#[test]
fn notify_alone_renews_too_also_when_the_answer_was_lost() {
    let (sandbox, site, path, old) = ending();
    // Slack does it, and its answer never comes: as if we had died in between.
    let lost = json!({"kind": "ok_then_reset", "times": 1, "method": "oauth.v2.access"});
    sandbox.tell("faults", &json!({"faults": [lost]}));
    down(&site, "web01");
    assert_eq!(sandbox.texts(), ["DOWN: web01 · no ping"], "the old token works to its end");
    assert_eq!(read(&path)["refresh_token"], old["refresh_token"]);
    down(&site, "web02");
    let renewed = read(&path);
    assert_ne!(renewed["bot_token"], old["bot_token"]);
    assert!(renewed["expires_at"].as_i64().unwrap() > crate::door::now() + 40_000, "{renewed}");
    assert_eq!(sandbox.get("state")["oauth"]["tokens"].as_array().unwrap().len(), 2, "one pair, given twice");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn a_renewal_that_is_refused_is_told_with_the_end_and_the_remedy() {
    let (sandbox, site, path, old) = ending();
    let mut spent = old.clone();
    spent["refresh_token"] = json!("xoxe-1-spent");
    fs::write(&path, spent.to_string()).unwrap();
    let said = down(&site, "web01");
    let log = site.listen();
    wait::until("the refusal", || site.log().contains("reason=\"invalid_refresh_token\""));
    assert!(
        site.log().contains("token renewal refused integration=default ")
            && site.log().contains(" install_again_before=\"20"),
        "{said}{}",
        site.log()
    );
    assert_eq!(sandbox.texts(), ["DOWN: web01 · no ping"], "the token works to its end");
    drop(log);
}

/// A configuration with these secrets; each notification names its channel, so that Slack's pace holds nobody up.
fn configured(sandbox: &Sandbox, port: u16, token: &str, secrets: &str) -> String {
    format!(
        "[slack]\nbot_token = \"{token}\"\nsigning_secret = {secrets}\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n\
         [listen]\nhttp = \"127.0.0.1:{port}\"\n",
        sandbox.url
    )
}

#[test]
#[ignore = "slow: tests/run"]
fn a_rotation_amid_500_notifications_and_50_clicks_loses_and_refuses_none() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/slack/request");
    let sandbox = Sandbox::start(&["--burst", "500", "--request-url", &url]);
    let (old, new) = ("sandbox-signing-secret", "another-signing-secret");
    let site = Site::new(&configured(&sandbox, port, TOKEN, &format!("\"{old}\"")));
    let _listener = site.listen();
    let notify = |n: usize| {
        let (to, host) = (format!("#load-{n}"), format!("host{n}"));
        let done = site.run(&["notify", "--hostname", &host, "--hoststate", "DOWN", "--output", "x", "--to", &to]);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    };
    (0..60).for_each(notify);
    let cards = sandbox.wait_for_messages(60);
    let reload = |config: &str| {
        let count = || site.log().matches("configuration reloaded").count();
        let before = count();
        site.configure(config);
        wait::until("the reload", || count() > before);
    };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clicking = scope.spawn(|| {
            for card in &cards[..50] {
                sandbox.click(card, "acknowledge", &json!({}));
                // Spread over the whole rotation.
                std::thread::sleep(Duration::from_millis(150));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| (60..500).for_each(notify));
        wait::until("both to be under way", || sandbox.messages().len() > 80);
        // Both are good while Slack's is changed; the old token dies before the new one is configured.
        reload(&configured(&sandbox, port, TOKEN, &format!("[\"{old}\", \"{new}\"]")));
        sandbox.tell("state", &json!({"app": {"signing_secret": new}}));
        let next = "xoxb-sandbox-the-next";
        sandbox.tell("state", &json!({"tokens": {TOKEN: {"error": "token_revoked"}, next: {}}}));
        wait::until("a refused token", || site.log().contains("token_revoked"));
        reload(&configured(&sandbox, port, next, &format!("\"{new}\"")));
        clicking.join().unwrap();
    });
    assert!(is_over.load(Ordering::Relaxed));
    wait::until("all delivered", || {
        let queue = site.queue();
        queue["waiting"] == 0 && queue["spooled"] == 0
    });
    site.assert_all_delivered();
    let all: Vec<String> = sandbox.texts();
    for n in 0..500 {
        let start = format!("DOWN: host{n} ");
        assert_eq!(all.iter().filter(|text| text.starts_with(&start)).count(), 1, "{start}");
    }
    // Each click was kept and done: without a core, its end is a refusal that the audit knows.
    let audited = || text(&site.run(&["audit", "--json"]).stdout).lines().count();
    wait::until(&format!("50 acts in the audit, not {}", audited()), || audited() >= 50);
}
