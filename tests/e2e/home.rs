//! App Home: what is wrong now, as each person sees it, and what its buttons do.

use crate::acknowledge::Night;
use crate::world::{Sandbox, Site, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const ALICE: &str = "U0ALICE001";
const BOB: &str = "U0BOB00001";

/// Somebody opens it, and Slack has its answer in time.
#[track_caller]
fn open(sandbox: &Sandbox, user: &str, tab: &str) {
    let event = json!({"type": "app_home_opened", "user": user, "channel": "D0HOME00001", "tab": tab});
    let answer = sandbox.order("event", &json!({"event": event}));
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
}

fn home(sandbox: &Sandbox, user: &str) -> Option<Value> {
    let views = sandbox.get("views");
    views.as_array().unwrap().iter().find(|view| view["type"] == "home" && view["user_id"] == user).cloned()
}

/// Waits until a person's Home holds these words.
#[track_caller]
fn shows(sandbox: &Sandbox, user: &str, words: &str) -> Value {
    let mut found = Value::Null;
    wait_until(&format!("\"{words}\" in the Home of {user}"), Duration::from_secs(40), || {
        found = home(sandbox, user).unwrap_or_default();
        found.to_string().contains(words)
    });
    found
}

/// The headings and the first lines of what stands under them.
fn outline(home: &Value) -> Vec<String> {
    let blocks = home["blocks"].as_array().unwrap().iter();
    let texts = blocks.filter_map(|block| block["text"]["text"].as_str());
    texts.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
}

fn published(sandbox: &Sandbox) -> usize {
    let requests = sandbox.get("requests");
    requests.as_array().unwrap().iter().filter(|request| request["call"] == "views.publish").count()
}

fn lives_and_acts(over_socket: bool) {
    let night = Night::falls(over_socket, "");
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
    night.wait("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    shows(&night.sandbox, BOB, "ACKNOWLEDGED, CRITICAL");
    let view = shows(&night.sandbox, ALICE, "ACKNOWLEDGED, CRITICAL");
    // A form opens from there, too, and its answer goes the same way.
    let more = json!({"view_id": view["id"], "action_id": "downtime", "user": ALICE});
    let answer = night.sandbox.order("click", &more);
    assert_eq!(answer["ok"], true, "{answer}: {view}");
    let is_modal = |view: &&Value| view["type"] == "modal";
    wait_until("the form", Duration::from_secs(10), || {
        night.sandbox.get("views").as_array().unwrap().iter().any(|view| is_modal(&view))
    });
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
    lives_and_acts(false);
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn it_lives_and_acts_over_socket_mode() {
    lives_and_acts(true);
}

/// A listener that Slack reaches over Socket Mode.
fn listening(sandbox: &Sandbox, more: &str) -> Site {
    sandbox.tell("state", &json!({"app": {"socket_mode": true}}));
    let slack = format!(
        "[slack]\nbot_token = \"{}\"\napp_token = \"xapp-sandbox-0000000000\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n",
        crate::world::TOKEN,
        sandbox.url
    );
    Site::new(&format!("{slack}{more}"))
}

fn connected(sandbox: &Sandbox) {
    wait_until("the connection", Duration::from_secs(20), || {
        !sandbox.get("sockets")["connections"].as_array().unwrap().is_empty()
    });
}

#[test]
#[ignore = "slow: tests/run"]
fn a_bad_night_fits_and_is_refreshed_at_a_pace() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let site = listening(&sandbox, "[storm]\nthreshold = 3\nwindow = \"2s\"\n");
    let _listener = site.listen();
    connected(&sandbox);
    for number in 0..60 {
        let state = ["2", "1", "3"][number % 3];
        site.service("PROBLEM", &format!("web{number:02}"), "Disk", state, &"x & <y> ".repeat(200));
    }
    site.service("ACKNOWLEDGEMENT", "web00", "Disk", "2", "x");
    open(&sandbox, ALICE, "home");
    let view = shows(&sandbox, ALICE, "*60 problems*");
    let blocks = view["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 100 && blocks.len() >= 90, "{}", blocks.len());
    let outline = outline(&view);
    assert_eq!(outline[1], "Critical");
    let last = outline.last().unwrap();
    let shown = outline.iter().filter(|line| line.contains("Disk on")).count();
    assert_eq!(*last, format!("_… and {} more_", 60 - shown));
    // Opened again and again, and with many changes: once in ten seconds.
    let before = published(&sandbox);
    for number in 0..20 {
        open(&sandbox, ALICE, "home");
        site.service("RECOVERY", &format!("web{number:02}"), "Disk", "0", "ok");
        std::thread::sleep(Duration::from_millis(350));
    }
    assert!(published(&sandbox) - before <= 1, "{} within 8 s", published(&sandbox) - before);
    shows(&sandbox, ALICE, "*40 problems*");
    assert!(published(&sandbox) - before <= 3, "{}", published(&sandbox) - before);
    // Nothing changes, nothing is published.
    std::thread::sleep(Duration::from_secs(1));
    let before = published(&sandbox);
    std::thread::sleep(Duration::from_secs(12));
    assert!(published(&sandbox) - before <= 1, "{}", published(&sandbox) - before);
    sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn a_restart_leaves_nobodys_home_behind() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let site = listening(&sandbox, "");
    let listener = site.listen();
    connected(&sandbox);
    open(&sandbox, ALICE, "home");
    open(&sandbox, BOB, "home");
    shows(&sandbox, ALICE, "Nothing is wrong");
    shows(&sandbox, BOB, "Nothing is wrong");
    assert_eq!(listener.stop(), Some(0));
    let before = published(&sandbox);
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let _listener = site.listen();
    // Nobody opens it again.
    shows(&sandbox, ALICE, "*One problem*");
    shows(&sandbox, BOB, "*One problem*");
    site.service("RECOVERY", "web01", "Disk", "0", "ok");
    shows(&sandbox, ALICE, "Nothing is wrong");
    shows(&sandbox, BOB, "Nothing is wrong");
    assert!(published(&sandbox) - before <= 6, "{}", published(&sandbox) - before);
    sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn what_slack_refuses_is_told_once_with_the_remedy() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let site = listening(&sandbox, "");
    let _listener = site.listen();
    connected(&sandbox);
    let fault = json!({"kind": "error", "error": "not_enabled", "method": "views.publish"});
    sandbox.tell("faults", &json!({"faults": [fault]}));
    open(&sandbox, ALICE, "home");
    open(&sandbox, BOB, "home");
    wait_until("two tries", Duration::from_secs(20), || published(&sandbox) >= 2);
    std::thread::sleep(Duration::from_millis(500));
    let told = site.log().matches("remedy=\"enable the Home Tab (App Home").count();
    assert_eq!(told, 1, "{}", site.log());
    sandbox.tell("faults", &json!({"faults": []}));
    open(&sandbox, ALICE, "home");
    shows(&sandbox, ALICE, "Nothing is wrong");
}

#[test]
fn who_may_see_what_is_decided_for_each_object() {
    let sandbox = Sandbox::start(&["--burst", "9999"]);
    let more = format!(
        "[[access.rule]]\ndeny = \"{BOB}\"\naction = [\"view\"]\nhost = \"secret*\"\n\
         [[access.rule]]\nallow = [\"{ALICE}\", \"{BOB}\"]\naction = [\"view\"]\n"
    );
    let site = listening(&sandbox, &more);
    let _listener = site.listen();
    connected(&sandbox);
    sandbox.tell("state", &json!({"users": [{"id": "U0CAROL0001", "name": "carol", "email": "carol@example.com"}]}));
    site.service("PROBLEM", "secret01", "Disk", "2", "full");
    site.service("PROBLEM", "web01", "Disk", "1", "nearly full");
    open(&sandbox, ALICE, "home");
    open(&sandbox, BOB, "home");
    open(&sandbox, "U0CAROL0001", "home");
    shows(&sandbox, ALICE, "*2 problems*");
    let bobs = shows(&sandbox, BOB, "*One problem*").to_string();
    assert!(!bobs.contains("secret01") && bobs.contains("web01"), "{bobs}");
    let carols = shows(&sandbox, "U0CAROL0001", "You may not look at this here").to_string();
    assert!(!carols.contains("web01"), "{carols}");
    sandbox.assert_respected();
}
