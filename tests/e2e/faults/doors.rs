//! The way to Slack is changed while messages wait: what waits follows, and nothing blocks the rest.

use crate::harness::sandbox::{Sandbox, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::json;
use std::fs;
use std::time::Duration;

fn flush(site: &Site) {
    wait::until("the delivery", || site.run(&["queue", "flush"]).status.code() == Some(0));
    site.assert_all_delivered();
}

#[test]
fn what_waited_for_a_webhook_goes_to_the_bots_channel_and_holds_up_nobody() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::new("[slack]\nwebhook_url = \"http://127.0.0.1:1/x\"\n[outbox]\ntime_budget = \"600ms\"\n");
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    site.configure(&by_token(&sandbox.url));
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    flush(&site);
    assert_eq!(sandbox.messages().len(), 2, "{:?}", sandbox.texts());
    sandbox.assert_respected();
}

#[test]
fn a_card_whose_bot_token_is_gone_is_told_on_by_the_webhook() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    site.configure(&format!("[slack]\nwebhook_url = \"{}\"\n", sandbox.webhook("B0000001")));
    site.service("RECOVERY", "web01", "Disk", "0", "fine");
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    flush(&site);
    let texts = sandbox.texts();
    assert!(texts.iter().any(|text| text.starts_with("RECOVERED, OK: Disk on web01")), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("CRITICAL: Disk on web02")), "{texts:?}");
    sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn a_configuration_that_is_empty_for_a_while_gives_nothing_up() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    let _listener = site.listen();
    sandbox.tell("faults", &json!({"faults": [{"kind": "503", "times": 2}]}));
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    wait::until("its import", || site.queue()["waiting"] == 1);
    let whole = fs::read(site.config()).unwrap();
    // Written in place, for a moment and for longer.
    fs::write(site.config(), "").unwrap();
    // So that it may be read like that, or not.
    std::thread::sleep(Duration::from_millis(100));
    fs::write(site.config(), &whole).unwrap();
    fs::write(site.config(), "state_dir = \"state\"\n").unwrap();
    wait::until("the reload", || site.log().contains("configuration reloaded"));
    // Longer than until the next try of what waits.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((&site.queue()["waiting"], &site.queue()["dead"]), (&json!(1), &json!(0)), "{}", site.log());
    fs::write(site.config(), &whole).unwrap();
    sandbox.wait_for_messages(1);
    wait::until("the rest", || site.queue()["waiting"] == 0);
    site.assert_all_delivered();
}
