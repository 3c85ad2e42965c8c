//! App Home: what is wrong now, as each person sees it, and what its buttons do.

use crate::harness::on_call::{OnCall, Way};
use crate::harness::sandbox::Sandbox;
use crate::harness::wait;
use serde_json::{Value, json};
use std::time::Duration;

const ALICE: &str = "U0ALICE001";
const BOB: &str = "U0BOB00001";

/// Somebody opens it, and Slack has its answer in time.
#[track_caller]
pub(crate) fn open(sandbox: &Sandbox, user: &str, tab: &str) {
    let event = json!({"type": "app_home_opened", "user": user, "channel": "D0HOME00001", "tab": tab});
    let answer = sandbox.order("event", &json!({"event": event}));
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
}

fn home(sandbox: &Sandbox, user: &str) -> Option<Value> {
    sandbox.views().into_iter().find(|view| view["type"] == "home" && view["user_id"] == user)
}

/// Waits until a person's Home holds these words.
#[track_caller]
pub(crate) fn shows(sandbox: &Sandbox, user: &str, words: &str) -> Value {
    wait::until(&format!("\"{words}\" in the Home of {user}"), || {
        let found = home(sandbox, user).unwrap_or_default();
        if found.to_string().contains(words) { Ok(found) } else { Err(found.to_string()) }
    })
}

/// The headings and the first lines of what stands under them.
pub(crate) fn outline(home: &Value) -> Vec<String> {
    let blocks = home["blocks"].as_array().unwrap().iter();
    let texts = blocks.filter_map(|block| block["text"]["text"].as_str());
    texts.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
}

fn published(sandbox: &Sandbox) -> usize {
    let requests = sandbox.get("requests");
    requests.as_array().unwrap().iter().filter(|request| request["call"] == "views.publish").count()
}

fn lives_and_acts(way: Way) {
    let night = OnCall::with_nagios(way, "");
    open(&night.sandbox, ALICE, "messages");
    open(&night.sandbox, ALICE, "home");
    shows(&night.sandbox, ALICE, "Nothing is wrong");
    night.core.set("Disk", 2, "DISK CRITICAL - R&D 3% free");
    let view = shows(&night.sandbox, ALICE, "*CRITICAL*");
    assert_eq!(outline(&view)[..2], ["*One problem*", "Yours"], "alice is its contact: {view}");
    assert!(view.to_string().contains(" 3% free"), "{view}");
    open(&night.sandbox, BOB, "home");
    shows(&night.sandbox, BOB, "*CRITICAL*");
    // A button of the Home acts like the card's.
    let click = json!({"view_id": view["id"], "action_id": "acknowledge", "user": ALICE});
    let answer = night.sandbox.order("click", &click);
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    night.wait_for_log("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice");
    night.expect("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    shows(&night.sandbox, BOB, "ACKNOWLEDGED, CRITICAL");
    let view = shows(&night.sandbox, ALICE, "ACKNOWLEDGED, CRITICAL");
    // A form opens from there, too, and its answer goes the same way.
    let more = json!({"view_id": view["id"], "action_id": "downtime", "user": ALICE});
    let answer = night.sandbox.order("click", &more);
    assert_eq!(answer["ok"], true, "{answer}: {view}");
    wait::until("the form", || night.sandbox.views().iter().any(|view| view["type"] == "modal"));
    let answer = night.sandbox.order("submit", &json!({"values": {"comment": "new disk"}, "user": ALICE}));
    assert_eq!(answer["ok"], true, "{answer}");
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_SVC_DOWNTIME;web01;Disk;");
    // In a downtime the core says nothing of a recovery; of another service it does.
    night.core.set("Load", 1, "high");
    shows(&night.sandbox, ALICE, "*2 problems*");
    night.core.set("Load", 0, "fine");
    shows(&night.sandbox, ALICE, "*One problem*");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn it_lives_and_acts_over_http() {
    lives_and_acts(Way::Http);
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn it_lives_and_acts_over_socket_mode() {
    lives_and_acts(Way::SocketMode);
}

/// A listener that Slack reaches over Socket Mode.
fn listening(more: &str) -> OnCall {
    let mut night = OnCall::prepare(Way::SocketMode, "9999");
    night.begin(more);
    night
}

#[test]
#[ignore = "slow: tests/run"]
fn a_bad_night_fits_and_is_refreshed_at_a_pace() {
    let night = listening("[storm]\nthreshold = 3\nwindow = \"2s\"\n");
    for number in 0..60 {
        let state = ["2", "1", "3"][number % 3];
        night.site.service("PROBLEM", &format!("web{number:02}"), "Disk", state, &"x & <y> ".repeat(200));
    }
    night.site.service("ACKNOWLEDGEMENT", "web00", "Disk", "2", "x");
    open(&night.sandbox, ALICE, "home");
    let view = shows(&night.sandbox, ALICE, "*60 problems*");
    let blocks = view["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 100 && blocks.len() >= 90, "{}", blocks.len());
    let outline = outline(&view);
    assert_eq!(outline[1], "Critical");
    let last = outline.last().unwrap();
    let shown = outline.iter().filter(|line| line.contains("Disk on")).count();
    assert_eq!(*last, format!("_… and {} more_", 60 - shown));
    // Opened again and again, and with many changes: once in ten seconds.
    let before = published(&night.sandbox);
    for number in 0..20 {
        open(&night.sandbox, ALICE, "home");
        night.site.service("RECOVERY", &format!("web{number:02}"), "Disk", "0", "ok");
        // Spread over seven of the ten seconds.
        std::thread::sleep(Duration::from_millis(350));
    }
    assert!(published(&night.sandbox) - before <= 1, "{} within 8 s", published(&night.sandbox) - before);
    shows(&night.sandbox, ALICE, "*40 problems*");
    assert!(published(&night.sandbox) - before <= 3, "{}", published(&night.sandbox) - before);
    // Nothing changes, nothing is published: for longer than the ten seconds for which anything is put off.
    let before = published(&night.sandbox);
    std::thread::sleep(Duration::from_secs(12));
    assert!(published(&night.sandbox) - before <= 1, "{}", published(&night.sandbox) - before);
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn a_restart_leaves_nobodys_home_behind() {
    let mut night = listening("");
    open(&night.sandbox, ALICE, "home");
    open(&night.sandbox, BOB, "home");
    shows(&night.sandbox, ALICE, "Nothing is wrong");
    shows(&night.sandbox, BOB, "Nothing is wrong");
    assert_eq!(night.listener.take().unwrap().stop(), Some(0));
    let before = published(&night.sandbox);
    night.site.service("PROBLEM", "web01", "Disk", "2", "full");
    night.listen();
    // Nobody opens it again.
    shows(&night.sandbox, ALICE, "*One problem*");
    shows(&night.sandbox, BOB, "*One problem*");
    night.site.service("RECOVERY", "web01", "Disk", "0", "ok");
    shows(&night.sandbox, ALICE, "Nothing is wrong");
    shows(&night.sandbox, BOB, "Nothing is wrong");
    assert!(published(&night.sandbox) - before <= 6, "{}", published(&night.sandbox) - before);
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn what_slack_refuses_is_told_once_with_the_remedy() {
    let night = listening("");
    let fault = json!({"kind": "error", "error": "not_enabled", "method": "views.publish"});
    night.sandbox.tell("faults", &json!({"faults": [fault]}));
    open(&night.sandbox, ALICE, "home");
    open(&night.sandbox, BOB, "home");
    wait::until("two tries", || published(&night.sandbox) >= 2);
    // Before the third one the second has been told of, or not.
    open(&night.sandbox, ALICE, "home");
    wait::until("a third try", || published(&night.sandbox) >= 3);
    let told = night.site.log().matches("remedy=\"enable the Home Tab (App Home").count();
    assert_eq!(told, 1, "{}", night.site.log());
    night.sandbox.tell("faults", &json!({"faults": []}));
    open(&night.sandbox, ALICE, "home");
    shows(&night.sandbox, ALICE, "Nothing is wrong");
}

#[test]
fn who_may_see_what_is_decided_for_each_object() {
    let more = format!(
        "[[access.rule]]\ndeny = \"{BOB}\"\naction = [\"view\"]\nhost = \"secret*\"\n\
         [[access.rule]]\nallow = [\"{ALICE}\", \"{BOB}\"]\naction = [\"view\"]\n"
    );
    let night = listening(&more);
    night
        .sandbox
        .tell("state", &json!({"users": [{"id": "U0CAROL0001", "name": "carol", "email": "carol@example.com"}]}));
    night.site.service("PROBLEM", "secret01", "Disk", "2", "full");
    night.site.service("PROBLEM", "web01", "Disk", "1", "nearly full");
    open(&night.sandbox, ALICE, "home");
    open(&night.sandbox, BOB, "home");
    open(&night.sandbox, "U0CAROL0001", "home");
    shows(&night.sandbox, ALICE, "*2 problems*");
    let bobs = shows(&night.sandbox, BOB, "*One problem*").to_string();
    assert!(!bobs.contains("secret01") && bobs.contains("web01"), "{bobs}");
    let carols = shows(&night.sandbox, "U0CAROL0001", "You may not look at this here").to_string();
    assert!(!carols.contains("web01"), "{carols}");
    night.sandbox.assert_respected();
}
