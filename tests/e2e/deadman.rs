//! The dead man's switch: Slack itself says that nothing is heard of the host, and is corrected afterwards.

use crate::harness::nagios::Nagios;
use crate::harness::process::text;
use crate::harness::sandbox::{Sandbox, TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::time::Duration;

const SWITCH: &str = "[deadman]\nchannel = \"#ops\"\nafter = \"5m\"\nname = \"mon1\"\n";

/// What lies scheduled at Slack.
fn scheduled(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.get("scheduled").as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn one_lies(sandbox: &Sandbox) -> Value {
    wait::until("one scheduled message", || match &scheduled(sandbox)[..] {
        [one] => Ok(one.clone()),
        other => Err(json!(other).to_string()),
    })
}

/// So many minutes pass at Slack; here they pass for processes that begin from now on.
fn minutes_pass(sandbox: &Sandbox, site: &Site, minutes: u32) {
    sandbox.tell("state", &json!({"clock_shift_seconds": 60 * minutes}));
    site.jump(&format!("+{minutes}m"));
}

/// Slack says it once, then it is corrected, and the next one lies there. `is_known`: Slack's answer to the first call was
/// kept before the listener died.
#[track_caller]
fn a_night(sandbox: &Sandbox, is_known: bool, is_edited: bool) {
    let site = Site::with_token(sandbox, SWITCH);
    site.jump("+0");
    if !is_known {
        let lost = json!([{"kind": "close_early", "method": "chat.scheduleMessage", "times": 1, "after": true}]);
        sandbox.tell("faults", &json!({"faults": lost}));
    }
    let listener = site.listen();
    let first = one_lies(sandbox);
    if is_known {
        let id = first["id"].as_str().unwrap();
        wait::until("the answer to be kept", || {
            let kept = site.sql("SELECT * FROM deadman").unwrap_or_default();
            if kept.contains(id) { Ok(()) } else { Err(kept) }
        });
    }
    assert!(
        first["text"].as_str().unwrap().starts_with("*The monitoring host mon1 hasn't been heard of* since <!date^")
    );
    drop(listener);
    site.service("PROBLEM", "web01", "Disk", "CRITICAL", "full");
    let posted = sandbox.messages().len();
    minutes_pass(sandbox, &site, 22);
    let said = sandbox.wait_for_messages(posted + 1).pop().unwrap();
    assert_eq!(said["text"], first["text"]);
    let listener = site.listen();
    let corrected = wait::until("the correction", || {
        let found = sandbox.texts().into_iter().find(|text| text.contains("was silent"));
        found.ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
    });
    // A slow machine adds a minute.
    let length =
        corrected.strip_prefix("*The monitoring host mon1 was silent* for ").unwrap_or_else(|| panic!("{corrected}"));
    assert!(["22 min, from ", "23 min, from "].iter().any(|expected| length.starts_with(expected)), "{corrected}");
    assert!(corrected.ends_with("1 notification came late."), "{corrected}");
    let about = sandbox.texts().iter().filter(|text| text.contains("mon1")).count();
    assert_eq!(about, if is_edited { 1 } else { 2 }, "{:?}", sandbox.texts());
    let next = one_lies(sandbox);
    assert!(next["post_at"].as_i64() > first["post_at"].as_i64().map(|at| at + 20 * 60), "{next} {first}");
    assert_eq!(listener.stop(), Some(0));
    assert_eq!(scheduled(sandbox), [next], "a stop takes nothing back");
    sandbox.assert_respected();
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_host_that_was_silent_is_told_of_by_slack_and_the_message_is_edited_where_the_app_may_read() {
    let sandbox = Sandbox::start(&[]);
    sandbox
        .tell("state", &json!({"tokens": {TOKEN: {"scopes": "chat:write,channels:read,channels:history,users:read"}}}));
    a_night(&sandbox, true, true);
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn without_the_right_to_read_the_channel_a_second_message_says_that_it_is_over() {
    a_night(&Sandbox::start(&[]), true, false);
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_message_whose_answer_was_lost_with_the_listener_is_corrected_too() {
    a_night(&Sandbox::start(&[]), false, false);
}

#[test]
#[ignore = "needs nagios4: tests/run"]
fn a_core_that_dies_is_told_of_while_the_listener_lives() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::new(&by_token(&sandbox.url));
    let mut core = Nagios::start(&site, "ackbell", false);
    site.configure(&format!("{}[core]\nmain_config = \"nagios.cfg\"\n{SWITCH}", by_token(&sandbox.url)));
    site.jump("+0");
    let listener = site.listen();
    let first = one_lies(&sandbox);
    let renewed = wait::until("the renewal", || {
        let lies = scheduled(&sandbox);
        lies.first().filter(|one| lies.len() == 1 && one["id"] != first["id"]).cloned()
    });
    // Killed: a stop would take its state file away.
    core.halt();
    let died = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let calls = |method: &str| {
        let all = sandbox.get("requests");
        all.as_array().unwrap().iter().filter(|request| request["method"] == method).count()
    };
    let before = calls("chat.scheduleMessage");
    // A renewal would be due after a minute; the state file that was written last may bring one more.
    std::thread::sleep(Duration::from_secs(80));
    assert!(calls("chat.scheduleMessage") <= before + 1, "{}", site.log());
    let last = scheduled(&sandbox)[0]["post_at"].as_i64().unwrap();
    assert!(renewed["post_at"].as_i64() <= Some(last), "{last}");
    assert!(last <= died + 300 + 20, "five minutes after its last sign of life: {last}, not {died}");
    sandbox.tell("state", &json!({"clock_shift_seconds": 360}));
    wait::until("Slack's word", || sandbox.texts().iter().any(|text| text.contains("hasn't been heard of")));
    assert_eq!(listener.stop(), Some(0));
}

#[test]
fn a_process_that_is_killed_while_it_schedules_leaves_one_message_there() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, SWITCH);
    for method in ["chat.scheduleMessage", "chat.deleteScheduledMessage", "chat.scheduledMessages.list"] {
        // Slack does it, and its answer is lost.
        sandbox
            .tell("faults", &json!({"faults": [{"kind": "close_early", "method": method, "times": 1, "after": true}]}));
        let listener = site.listen();
        wait::until("the call", || !scheduled(&sandbox).is_empty());
        drop(listener);
    }
    let listener = site.listen();
    one_lies(&sandbox);
    // What nobody wants any more is taken back.
    site.configure(&by_token(&sandbox.url));
    wait::until("nothing to lie there", || if scheduled(&sandbox).is_empty() { Ok(()) } else { Err(site.log()) });
    assert_eq!(listener.stop(), Some(0));
    assert!(sandbox.texts().is_empty(), "{:?}", sandbox.texts());
    assert_eq!(site.sql("SELECT COUNT(*) FROM deadman").unwrap(), "0");
    sandbox.assert_respected();
}

#[test]
fn a_process_that_is_killed_while_slack_answers_is_followed_by_one_that_looks() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, SWITCH);
    let slow = json!({"kind": "slow", "method": "chat.scheduleMessage", "delay_ms": 20_000, "times": 1});
    sandbox.tell("faults", &json!({"faults": [slow]}));
    let listener = site.listen();
    wait::until("the call", || !scheduled(&sandbox).is_empty());
    drop(listener);
    let listener = site.listen();
    let known = "SELECT COUNT(*) FROM deadman WHERE switch NOT LIKE '%\"begun\":{%'";
    wait::until("its look", || site.sql(known).is_ok_and(|count| count == "1"));
    one_lies(&sandbox);
    drop(listener);
    sandbox.assert_respected();
}

#[test]
fn a_switch_that_slack_refuses_is_told_by_check() {
    let sandbox = Sandbox::start(&[]);
    let site = Site::with_token(&sandbox, &SWITCH.replace("#ops", "#nowhere"));
    let listener = site.listen();
    let said = wait::until("check's word", || {
        let said = text(&site.run(&["check"]).stdout);
        if said.contains("dead man") { Ok(said) } else { Err(said) }
    });
    assert!(said.contains("the dead man's switch hasn't been renewed for"), "{said}");
    assert!(said.contains("channel_not_found; in the channel of [deadman] type /invite and the app's name"), "{said}");
    assert_eq!(listener.stop(), Some(0));
}

#[test]
fn a_mistake_in_the_configuration_names_its_remedy() {
    for (table, words) in [
        ("[deadman]\n", "add channel = \"#ops\""),
        ("[deadman]\nchannel = \"@alice@example.com\"\n", "\"@alice@example.com\" isn't a channel"),
        ("[deadman]\nchannel = \"#ops\"\nafter = \"1m\"\n", "\"1m\" is too short"),
        ("[deadman]\nchannel = \"#ops\"\nafter = \"2d\"\n", "\"2d\" is too long"),
        ("[deadman]\nchannel = \"#ops\"\nintegration = \"defualt\"\n", "there is no integration \"defualt\""),
    ] {
        let site = Site::new(&format!("[slack]\nbot_token = \"{TOKEN}\"\nchannel = \"#ops\"\n{table}"));
        let done = site.run(&["config", "check"]);
        assert!(text(&done.stderr).contains(words), "{table}: {}", text(&done.stderr));
    }
    let site = Site::new(&format!("[slack]\nwebhook_url = \"https://hooks.slack.com/services/T0/B0/abc\"\n{SWITCH}"));
    let done = site.run(&["config", "check"]);
    assert!(text(&done.stderr).contains("an incoming webhook can't"), "{}", text(&done.stderr));
}
