//! From a click in Slack to an acknowledgement that the real core holds.

use crate::harness::nagios::Nagios;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::{free_port, signal};
use crate::harness::sandbox::Sandbox;
use crate::harness::wait;
use serde_json::json;
use std::fs;
use std::time::Duration;

/// `more`: of the configuration.
pub(crate) fn acknowledged_in_one_tap(way: Way, more: &str) {
    let night = OnCall::with_nagios(way, more);
    night.core.set("Disk", 2, "DISK CRITICAL - 3% free");
    let card = night.expect("CRITICAL: Disk on Web 01");
    let click = card.click("acknowledge");
    assert!(click["ms"].as_u64().unwrap() < 1000, "Slack waits 3 s: {click}");
    // A second tap, and Slack's own repetition, act once.
    card.click("acknowledge");
    night.sandbox.order("click", &json!({"again": true}));
    let shown = night.expect("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by ");
    assert_eq!(shown["ts"], card["ts"], "the same card");
    let commands = night.core.log().matches("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;").count();
    assert_eq!(commands, 1, "{}", night.core.log());
    // The core's own notification may be faster than its state file.
    wait::until("the core's state file", || {
        night.core.status("servicestatus", "service_description=Disk")[0].contains("problem_has_been_acknowledged=1")
    });
    let comments = night.core.status("servicecomment", "comment_data=acknowledged in Slack");
    assert!(comments[0].contains("author=alice"), "{comments:?}");
    // The core tells its contacts of it; the card knows it already.
    for contact in ["alice", "bob"] {
        night.wait_for_log(&format!("SERVICE NOTIFICATION: {contact};web01;Disk;ACKNOWLEDGEMENT"));
    }
    // What the core tells later is here: nothing else came of it.
    night.core.set("Load", 1, "high");
    night.expect("WARNING: Load on Web 01");
    night.rests();
    assert_eq!(card.replies().len(), 1, "{:?}", card.replies());
    night.core.set("Disk", 0, "DISK OK");
    night.expect("RECOVERED, OK: Disk on Web 01");
    // A click on a card of the past does nothing.
    night.sandbox.click(&card, "acknowledge", &json!({"stale": true}));
    night.told("Too late: Disk on Web 01 has recovered");
    let audit = night.audit();
    let steps: Vec<&str> = audit.iter().map(|entry| entry["step"].as_str().unwrap()).collect();
    assert!(
        steps.starts_with(&["sending", "nothing to do", "confirmed"])
            || steps.starts_with(&["sending", "confirmed", "nothing to do"]),
        "{steps:?}"
    );
    assert_eq!(audit[0]["user"], "U0ALICE001");
    assert!(audit[0]["commands"][0].as_str().unwrap().contains("ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice"));
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_click_over_http_is_an_acknowledgement_that_the_core_holds() {
    acknowledged_in_one_tap(Way::Http, "");
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_click_over_socket_mode_is_an_acknowledgement_that_the_core_holds() {
    acknowledged_in_one_tap(Way::SocketMode, "");
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn forms_carry_words_options_and_an_end() {
    let night = OnCall::with_nagios(
        Way::Http,
        "[acknowledge]\nexpire = [\"1m\", \"1h\"]\ncomment = \"required\"\nnotify = false\n",
    );
    night.core.set("Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    // Where a comment is wanted, one tap opens the form, too.
    card.opens_form("acknowledge", None);
    let answer = night.sandbox.order("submit", &json!({"values": {"comment": " "}}));
    assert!(
        answer.to_string().contains("what you are doing about it") || answer["error"] == "refused_by_client",
        "{answer}"
    );
    let hostile = "looking; really\n[0] DISABLE_NOTIFICATIONS\nü <!channel>";
    let values = json!({"comment": hostile, "options": ["persistent"], "expire": "60"});
    let answer = night.sandbox.order("submit", &json!({"values": values}));
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    let shown = night.expect("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice · looking, really");
    let line = "EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;0;0;1;alice;looking, really [0] DISABLE_NOTIFICATIONS ü ‹!channel›";
    assert!(night.core.log().contains(line), "{}", night.core.log());
    assert!(!night.core.log().contains("EXTERNAL COMMAND: DISABLE_NOTIFICATIONS"), "one line stays one command");
    // It ends by itself, as this core can't.
    let removed = || night.core.log().contains("EXTERNAL COMMAND: REMOVE_SVC_ACKNOWLEDGEMENT;web01;Disk");
    wait::until("the end", removed);
    shown.becomes("CRITICAL: Disk on Web 01");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn downtime_check_removal_and_silence_reach_the_core() {
    let night = OnCall::with_nagios(Way::Http, "");
    night.core.set("Load", 1, "high");
    let card = night.expect("WARNING: Load on Web 01");
    card.click("acknowledge");
    let card = night.expect("ACKNOWLEDGED, WARNING: Load on Web 01");
    card.click("unacknowledge");
    night.wait_for_log("EXTERNAL COMMAND: REMOVE_SVC_ACKNOWLEDGEMENT;web01;Load");
    night.expect("ACKNOWLEDGEMENT REMOVED, WARNING: Load on Web 01");
    card.now().choose("recheck");
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_FORCED_SVC_CHECK;web01;Load;");
    night.told("Checked: Load on Web 01 is WARNING. high");
    card.now().choose("stop_notifications");
    night.wait_for_log("EXTERNAL COMMAND: DISABLE_SVC_NOTIFICATIONS;web01;Load");
    night.expect("NOTIFICATIONS STOPPED, WARNING: Load on Web 01");
    card.now().choose("resume_notifications");
    night.wait_for_log("EXTERNAL COMMAND: ENABLE_SVC_NOTIFICATIONS;web01;Load");
    night.expect("NOTIFICATIONS RESUMED, WARNING: Load on Web 01");
    card.now().fill_in("more", Some("downtime"), &json!({"comment": "new disk", "length": "3600"}));
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_SVC_DOWNTIME;web01;Load;");
    night.expect("IN DOWNTIME, WARNING: Load on Web 01");
    let downtimes = wait::until("the core's file to have it", || {
        Some(night.core.status("servicedowntime", "service_description=Load")).filter(|found| !found.is_empty())
    });
    assert!(downtimes[0].contains("author=alice") && downtimes[0].contains("comment=new disk"), "{downtimes:?}");
    // The same for a host, with its services.
    night.core.order("PROCESS_HOST_CHECK_RESULT;web01;1;no ping");
    let host = night.expect("DOWN: Web 01");
    host.click("acknowledge");
    let host = host.becomes("ACKNOWLEDGED, DOWN: Web 01 · acknowledged by alice");
    let values = json!({"comment": "power", "length": "1800", "services": ["services"], "kind": "flexible"});
    host.fill_in("downtime", None, &values);
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_HOST_DOWNTIME;web01;");
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_HOST_SVC_DOWNTIME;web01;");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn whoever_may_not_is_told_so_privately() {
    let access =
        "[access]\nask = \"#monitoring-help\"\n[[access.rule]]\ndeny = \"bob@example.com\"\naction = \"acknowledge\"\n";
    let night = OnCall::with_nagios(Way::Http, access);
    night.core.set("Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    for (user, words) in [
        ("U0BOB00001", "You may not acknowledge problems here. Ask #monitoring-help."),
        ("U0GUEST001", "uest"),
        ("U0STRANGER", "Users from other workspaces aren't allowed to use these actions"),
    ] {
        card.click_as(user, "acknowledge");
        night.told(words);
    }
    assert!(!night.core.log().contains("EXTERNAL COMMAND"), "{}", night.core.log());
    let audit = night.audit();
    assert_eq!(audit.iter().filter(|entry| entry["step"] == "refused").count(), 3, "{audit:?}");
    assert!(audit.iter().all(|entry| entry["commands"].as_array().unwrap().is_empty()));
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_core_that_cannot_take_it_is_told_as_what_it_is() {
    let mut night = OnCall::with_nagios(Way::Http, "");
    night.core.set("Disk", 2, "full");
    night.core.set("Load", 2, "high");
    let disk = night.expect("CRITICAL: Disk on Web 01");
    let _load = night.expect("CRITICAL: Load on Web 01");
    // Stopped: the command file is there, nobody reads it.
    night.core.halt();
    disk.click("acknowledge");
    night.told("isn't running");
    night.core.restart();
    // After its restart the core counts its problems anew: a new card.
    let newest = wait::until("a card with buttons", || {
        let cards = night.sandbox.messages().into_iter().filter(|m| m["thread_ts"].is_null());
        cards.rev().find(|m| m["text"].as_str().unwrap().starts_with("CRITICAL: Load on Web 01"))
    });
    let load = night.card(newest);
    // The listener is killed between the command and the core's word: the next one looks for it.
    night.core.pause();
    load.click("acknowledge");
    wait::until("the command to be sent", || {
        night.audit().iter().any(|e| e["step"] == "sending" && e["object"]["service"] == "Load")
    });
    // What the core doesn't hold isn't shown.
    night.told("Sent to the monitoring core; the message updates once the core confirms.");
    assert!(!night.sandbox.texts().iter().any(|text| text.starts_with("ACKNOWLEDGED")), "{:?}", night.sandbox.texts());
    signal(night.pid(), "KILL");
    night.listen();
    night.core.go_on();
    night.expect("ACKNOWLEDGED, CRITICAL: Load on Web 01");
    let sent = |service: &str| {
        night.core.log().matches(&format!("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;{service}")).count()
    };
    assert_eq!(
        (sent("Load"), sent("")),
        (1, 1),
        "the first one, to the core that was stopped, never fires: {}",
        night.core.log()
    );
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn every_other_reason_is_told_as_it_is() {
    let mut night = OnCall::with_nagios(Way::Http, "");
    let notify = |service: &str| {
        night.run(&["notify", "--hostname", "web01", "--servicedesc", service, "--servicestate", "2"]);
    };
    // The core doesn't know it: its log says so.
    notify("Ghost");
    let ghost = night.expect("CRITICAL: Ghost on Web 01");
    ghost.click("acknowledge");
    night.told("doesn't know Ghost on web01");
    // It is well in the core, whatever the card says.
    notify("Swap");
    notify("Big");
    let big = night.expect("CRITICAL: Big on Web 01");
    big.click("acknowledge");
    wait::until("a second reason", || {
        night
            .sandbox
            .whispers()
            .iter()
            .filter(|told| told.starts_with("Sent, but the core has not applied it: "))
            .count()
            == 2
    });
    println!("{:?}", night.sandbox.whispers());
    // Names that would be another command are refused before there is one.
    notify("a;b");
    let odd = night.expect("CRITICAL: a;b on Web 01");
    odd.click("acknowledge");
    night.told("can't be named through the command file: fields end at a semicolon there");
    // No command file at all; then it is said why.
    let swap = night.expect("CRITICAL: Swap on Web 01");
    night.core.halt();
    fs::remove_file(night.core.path("rw/nagios.cmd")).unwrap();
    swap.click("acknowledge");
    night.told("there is no command file");
    night.core.set_in_main("check_external_commands=1", "check_external_commands=0");
    swap.click("acknowledge");
    night.told("check_external_commands=0");
    // A plain file in its place is never written to.
    fs::write(night.core.path("rw/nagios.cmd"), "").unwrap();
    swap.click("acknowledge");
    night.told("isn't a command file (a FIFO)");
    assert_eq!(fs::read(night.core.path("rw/nagios.cmd")).unwrap(), b"");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn one_click_acknowledges_a_storm() {
    const SERVICES: usize = 200;
    let night = OnCall::with_nagios(Way::Http, "[storm]\nthreshold = 2\n");
    for i in 0..SERVICES {
        night.core.order(&format!("PROCESS_SERVICE_CHECK_RESULT;web02;S{i:03};2;gone"));
    }
    let digest = || {
        let heads = night.sandbox.messages().into_iter().filter(|m| m["thread_ts"].is_null());
        heads.rev().find(|m| m["text"].as_str().unwrap().contains(" problems on "))
    };
    wait::until("the storm", || {
        digest().is_some_and(|digest| {
            digest["text"].as_str().unwrap().split(' ').next().unwrap().parse::<usize>().unwrap() >= SERVICES - 20
        })
    });
    // Every notification of each of the two contacts is in it, and nothing is on its way.
    wait::until("the core to have told all", || {
        night.core.log().matches("SERVICE NOTIFICATION: ").count() >= 2 * SERVICES && !night.core.is_notifying()
    });
    night.rests();
    let shown = night.card(digest().unwrap());
    let count: usize = shown["text"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
    shown.click("acknowledge_all");
    night.told(&format!("Acknowledged {count} of {count} problems."));
    wait::until("the digest", || {
        digest().unwrap()["text"].as_str().unwrap().contains(&format!("{count} acknowledged"))
    });
    wait::until("the core", || night.core.status("servicestatus", "problem_has_been_acknowledged=1").len() == count);
    println!("one click acknowledged {count}");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_webhooks_message_is_replaced_through_its_response_url() {
    let port = free_port();
    let sandbox =
        Sandbox::start(&["--burst", "99", "--request-url", &format!("http://127.0.0.1:{port}/slack/request")]);
    let slack = format!(
        "[slack]\nwebhook_url = \"{}\"\nsigning_secret = \"sandbox-signing-secret\"\napi_url = \"{}/api/\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n[core]\nmain_config = \"nagios.cfg\"\n[access]\nguests = true\n",
        sandbox.webhook("B0000001"),
        sandbox.url
    );
    let mut night = OnCall::of(sandbox, slack).beside(|site| Nagios::start(site, "ackbell", false));
    night.listen();
    night.core.set("Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    card.click("acknowledge");
    let shown = night.expect("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by ");
    assert_eq!(shown["ts"], card["ts"], "the same message");
    // What the core tells later is here: nothing else came of the click.
    night.core.set("Load", 1, "high");
    night.expect("WARNING: Load on Web 01");
    night.rests();
    let public = night.sandbox.messages().iter().filter(|m| m["ephemeral_for"].is_null()).count();
    assert_eq!(public, 2, "{:?}", night.sandbox.texts());
    night.core.set("Disk", 0, "fine");
    night.expect("RECOVERED, OK: Disk on Web 01");
    night.sandbox.assert_respected();
}

/// The core ends an acknowledgement with the problem, so the state that is read back doesn't have it any more.
#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn an_acknowledgement_whose_problem_recovered_before_the_read_back_is_confirmed() {
    let mut night = OnCall::with_nagios(Way::Http, "");
    night.core.halt();
    night.core.set_in_main("status_update_interval=1", "status_update_interval=10");
    night.core.restart();
    night.core.set("Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    let written = || fs::metadata(night.core.path("status.dat")).unwrap().modified().unwrap();
    let before = written();
    wait::until_within(Duration::from_secs(15), "the core to write its state", || written() != before);
    let before = written();
    card.click("acknowledge");
    night.wait_for_log("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice");
    night.core.set("Disk", 0, "all is well");
    night.wait_for_log("SERVICE ALERT: web01;Disk;OK;HARD");
    assert_eq!(written(), before, "the state that is read back is the one after the recovery");
    night.told("Acknowledged: Disk on web01 (confirmed by the core); it has recovered since.");
    let audit = night.audit();
    let last = audit.last().unwrap();
    assert_eq!((&last["step"], &last["detail"]), (&json!("confirmed"), &json!("it has recovered since")), "{audit:?}");
    night.expect("RECOVERED, OK: Disk on Web 01");
    night.sandbox.assert_respected();
}
