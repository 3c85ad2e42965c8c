//! How installations really look that ackbell was asked to take over: by the environment alone, switched off by emptied
//! fields, with a webhook and a token that may not post.

use crate::harness::process::text;
use crate::harness::sandbox::{Sandbox, TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};

/// The environment of a container.
fn by_environment(site: &Site, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(crate::harness::process::ACKBELL);
    command.args(arguments).env_clear().env("ACKBELL_STATE_DIR", site.state(""));
    let done = command.envs(variables.iter().copied()).output().unwrap();
    (done.status.code(), text(&done.stdout) + &text(&done.stderr))
}

#[test]
fn the_environment_alone_is_enough_and_what_is_missing_is_named() {
    let site = Site::new("");
    let app = [("SLACK_APP_CLIENT_ID", "1.2"), ("SLACK_APP_CLIENT_SECRET", "shh"), ("SLACK_SECRET", "signing")];
    let (code, said) = by_environment(&site, &app, &["config", "check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("\"default\" has no channel to post to\n  set SLACK_CHANNEL, as \"#ops\""), "{said}");
    assert!(said.contains("ACKBELL_PUBLIC_URL") && !said.contains("bot token"), "{said}");

    let whole =
        [&app[..], &[("SLACK_CHANNEL", "#ops"), ("ACKBELL_PUBLIC_URL", "https://ackbell.example.com")]].concat();
    let (code, said) = by_environment(&site, &whole, &["config", "check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("open https://ackbell.example.com/slack/install in a browser"), "{said}");

    let at = [&whole[..], &[("ACKBELL_HTTP", "127.0.0.1:6000"), ("SLACK_BOT_TOKEN", TOKEN)]].concat();
    let (code, said) = by_environment(&site, &at, &["config", "show", "--json"]);
    let shown: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!((code, &shown["listen"]["http"]), (Some(0), &json!("127.0.0.1:6000")));

    let (code, said) = by_environment(&site, &[("SLACK_CHANNEL", "ops team")], &["config", "check"]);
    assert_eq!(code, Some(0), "alone it configures nothing: {said}");
    let wrong = [("SLACK_BOT_TOKEN", TOKEN), ("SLACK_CHANNEL", "ops team")];
    let (code, said) = by_environment(&site, &wrong, &["config", "check"]);
    assert!(code == Some(78) && said.contains("SLACK_CHANNEL: "), "{said}");
}

#[test]
fn an_integration_whose_fields_are_emptied_is_off_also_in_a_running_listener() {
    let sandbox = Sandbox::start(&["--burst", "9"]);
    let site = Site::with_webhook(&sandbox);
    let _listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    assert_eq!(sandbox.wait_for_messages(1).len(), 1);
    site.configure(
        "[slack]\nenabled = false\ndescription = \"\"\nbot_token = \"\"\nbot_token_file = \"\"\nwebhook_url = \"\"\n\
         signing_secret = \"\"\napp_token = \"\"\nclient_id = \"\"\nclient_secret = \"\"\nchannel = \"\"\nproxy = \"\"\n\
         ca_file = \"\"\napi_url = \"\"\nflavor = \"\"\ncommand = \"\"\n[listen]\npublic_url = \"\"\nhttp = \"\"\n",
    );
    let done = site.run(&["config", "check"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    wait::until("the listener to take it", || site.log().contains("configuration reloaded"));
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    wait::until("the second to be given up", || site.queue()["dead"] == 1);
    assert_eq!(sandbox.messages().len(), 1, "nothing is posted any more");
}

#[test]
fn with_a_token_that_only_knows_people_the_webhook_posts() {
    let sandbox = Sandbox::start(&["--burst", "9"]);
    sandbox.tell("state", &json!({"tokens": {"xoxb-people": {"scopes": "incoming-webhook,users:read"}}}));
    let both = |more: &str| {
        let (url, webhook) = (&sandbox.url, sandbox.webhook("B0000001"));
        format!("[slack]\nwebhook_url = \"{webhook}\"\nbot_token = \"xoxb-people\"\napi_url = \"{url}/api/\"\n{more}")
    };
    let site = Site::new(&both("signing_secret = \"s\"\n"));
    let done = site.run(&["config", "check"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    assert!(said.contains("\"default\": the webhook posts, the bot token tells who clicked"), "{said}");
    site.service("PROBLEM", "web01", "Disk", "2", "x");
    assert_eq!(sandbox.texts(), ["CRITICAL: Disk on web01 · x"]);
    let done = site.run(&["doctor"]);
    assert!(!text(&done.stdout).contains("chat:write"), "{}", text(&done.stdout));

    // A channel that the token may not write to: the webhook takes it, and says so.
    site.configure(&both("channel = \"#ops\"\n"));
    site.service("PROBLEM", "web02", "Disk", "2", "x");
    let said = sandbox.messages()[1].to_string();
    assert!(
        said.contains("meant for #ops, which can't be reached: missing") && said.contains("reinstall it"),
        "{said}"
    );
    site.assert_all_delivered();
}

#[test]
#[ignore = "slow: tests/run"]
fn what_a_person_orders_waits_for_no_pause_but_slacks_own() {
    let sandbox = Sandbox::start(&["--burst", "9"]);
    let site = Site::with_token(&sandbox, "");
    for order in [&["queue", "retry"][..], &["queue", "flush"]] {
        sandbox.tell("faults", &json!({"faults": [{"kind": "error", "error": "invalid_auth", "times": 1}]}));
        let before = sandbox.messages().len();
        site.service("PROBLEM", &format!("web{before}"), "Disk", "2", "x");
        assert_eq!(site.queue()["waiting"], 1, "the refused token lets its integration rest");
        assert_eq!(site.run(order).status.code(), Some(0));
        site.run(&["queue", "flush"]);
        assert_eq!((sandbox.messages().len(), site.queue()["waiting"].as_i64()), (before + 1, Some(0)), "{order:?}");
    }
    sandbox.tell("faults", &json!({"faults": [{"kind": "429", "times": 1, "retry_after": "3"}]}));
    let quick = "[outbox]\ntime_budget = \"500ms\"\n";
    site.configure(&(by_token(&sandbox.url) + quick));
    site.service("PROBLEM", "web9", "Disk", "2", "x");
    site.run(&["queue", "retry"]);
    site.run(&["queue", "flush"]);
    sandbox.assert_respected();
}
