//! Who may not learns nothing and does nothing, by whichever door: the real program, the real core.

mod flood;

use crate::harness::nagios::Nagios;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;

const ALICE: &str = "U0ALICE001";
const BOB: &str = "U0BOB00001";
const GUEST: &str = "U0GUEST001";
const STRANGER: &str = "U0STRANGER";

/// What one person alone was told, in order.
fn told(night: &OnCall<Nagios>, user: &str) -> Vec<String> {
    let own = night.sandbox.messages().into_iter().filter(|message| message["ephemeral_for"] == user);
    own.map(|message| message.to_string()).collect()
}

/// Does something as somebody, and gives what they are told then.
#[track_caller]
fn told_after(night: &OnCall<Nagios>, user: &str, what: &str, act: impl FnOnce()) -> String {
    let before = told(night, user).len();
    act();
    wait::until(&format!("words to {user} for {what}"), || told(night, user).into_iter().nth(before))
}

/// Everything a person can write, with an object that is there and with one that isn't.
fn verbs(help: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("`/ackbell ")?.split('`').next()).collect();
    assert!(lines.len() >= 11, "{help}");
    let written = |line: &str, host: &str, service: &str| {
        let named =
            line.replace("HOST[/SERVICE]", &format!("{host}/{service}")).replace("[FILTER]", &format!("{host}*"));
        named.replace("[COMMENT]", "why")
    };
    lines.iter().map(|line| (written(line, "web01", "Disk"), written(line, "nohost", "Nothing"))).collect()
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn nobody_who_may_not_is_told_anything_by_any_verb_or_button() {
    let night = OnCall::with_nagios(Way::Http, &format!("[[access.rule]]\ndeny = \"{BOB}\"\n"));
    let card = night.falls_ill("Disk", "THE-SECRET-OUTPUT");
    let help = night.ask("help", "acknowledge the problem")["text"].as_str().unwrap().to_owned();
    for (user, refusal) in [
        (GUEST, "Guests aren't allowed to use these actions."),
        (STRANGER, "Users from other workspaces aren't allowed to use these actions."),
        (BOB, "You may not "),
    ] {
        let ask = |order: &str| {
            let order_json = json!({"command": "/ackbell", "text": order, "channel": "#ops", "user": user});
            told_after(&night, user, order, || drop(night.sandbox.order("slash", &order_json)))
        };
        for (there, not_there) in verbs(&help) {
            let answers = [ask(&there), ask(&not_there)];
            for answer in &answers {
                let verb = there.split(' ').next().unwrap();
                assert!(verb == "help" || verb == "whoami" || answer.contains(refusal), "{user} {there}: {answer}");
                for secret in ["Web 01", "THE-SECRET", "Load", "CRITICAL", ":tada:", "Did you mean"] {
                    assert!(!answer.contains(secret), "{user} {there}: {answer}");
                }
            }
            let words = answers.map(|answer| serde_json::from_str::<Value>(&answer).unwrap()["text"].clone());
            assert_eq!(words[0], words[1], "{user}: {there} tells whether it is there");
        }
        for (button, option) in
            [("acknowledge", ""), ("acknowledge_with", ""), ("more", "downtime"), ("more", "recheck")]
        {
            let more = if option.is_empty() { json!({"user": user}) } else { json!({"user": user, "option": option}) };
            let answer = told_after(&night, user, button, || drop(night.sandbox.click(&card, button, &more)));
            assert!(answer.contains(refusal) && !answer.contains("THE-SECRET"), "{user} {button}: {answer}");
        }
        let event = json!({"type": "app_home_opened", "user": user, "channel": "D0HOME00001", "tab": "home"});
        night.sandbox.order("event", &json!({"event": event}));
        let home = || night.sandbox.views().into_iter().find(|view| view["user_id"] == user);
        let home = wait::until("the Home", home).to_string();
        assert!(home.contains(refusal) && !home.contains("THE-SECRET") && !home.contains("wrong"), "{home}");
    }
    let views = night.sandbox.views();
    assert!(views.iter().all(|view| view["type"] == "home"), "a form tells, too: {views:?}");
    assert!(!night.core.log().contains("EXTERNAL COMMAND"), "{}", night.core.log());
    // Whoever is refused again and again is one row.
    let rows = |user: &str| night.audit().iter().filter(|row| row["user"] == user && row["step"] == "refused").count();
    assert_eq!([GUEST, STRANGER, BOB].map(rows), [1, 1, 1], "{:?}", night.audit());
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn what_is_denied_by_the_name_that_people_use_is_denied_without_a_card() {
    let night = OnCall::with_nagios(
        Way::SocketMode,
        &format!("[[access.rule]]\ndeny = \"{BOB}\"\naction = [\"downtime\", \"recheck\"]\nhost = \"Web 0?\"\n"),
    );
    let bob = json!({"user": BOB});
    night.ask_as(&bob, "downtime web01/Big 2h why", "You may not schedule downtimes here.");
    night.ask_as(&bob, "recheck web01", "You may not order checks here.");
    night.ask_as(&bob, "recheck web02/S001", "S001 on web02");
    assert_eq!(night.core.log().matches("EXTERNAL COMMAND").count(), 1, "{}", night.core.log());
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn what_is_denied_by_an_alias_is_denied_without_a_card() {
    let rules = format!("[[access.rule]]\ndeny = \"{BOB}\"\nhost = \"Web server*\"\n");
    let night = OnCall::with_nagios(Way::SocketMode, &rules);
    let bob = json!({"user": BOB});
    night.ask_as(&bob, "downtime web01/Big 2h why", "that you may see");
    night.ask_as(&bob, "recheck web01", "that you may see");
    night.ask_as(&bob, "me web01", "You may not subscribe channels to this here.");
    night.ask_as(&bob, "recheck web02/S001", "S001 on web02");
    assert_eq!(night.core.log().matches("EXTERNAL COMMAND").count(), 1, "{}", night.core.log());
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn what_somebody_may_not_see_is_neither_found_nor_suggested() {
    let rules = format!("[[access.rule]]\ndeny = \"{BOB}\"\nhost = \"web01\"\n");
    let night = OnCall::with_nagios(Way::SocketMode, &rules);
    night.falls_ill("Disk", "THE-SECRET-OUTPUT");
    let bob = json!({"user": BOB});
    for order in [
        "status web01/Disk",
        "status web01",
        "status wbe01/Disk",
        "ack web01/Disk why",
        "status Web",
        "recheck web01/Dsik",
    ] {
        let answer = night.ask_as(&bob, order, "that you may see").to_string();
        for secret in ["Web 01", "SECRET", "web01/Disk`", "`web01`"] {
            assert!(!answer.contains(secret), "{order}: {answer}");
        }
    }
    night.ask_as(&bob, "problems", "No problems that you may see.");
    night.ask_as(&bob, "problems web01", "No host that you may see matches");
    night.ask_as(&bob, "status web02/S0001", "Did you mean `web02/S000`?");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_page_that_somebody_turns_for_themselves_leaves_everybodys_list_as_it_is() {
    let rules = format!("[[access.rule]]\ndeny = \"{BOB}\"\nhost = \"web02\"\n");
    let night = OnCall::with_nagios(Way::SocketMode, &rules);
    for service in 0..12 {
        night.core.order(&format!("PROCESS_SERVICE_CHECK_RESULT;web02;S{service:03};2;it is broken"));
    }
    wait::until("the core's state", || night.core.status("servicestatus", "current_state=2").len() >= 12);
    let list = night.ask("problems --public", "*12 problems*");
    for (user, words) in
        [(GUEST, "Guests aren't allowed to use these actions."), (BOB, "No problems that you may see.")]
    {
        let click = json!({"user": user});
        let answer = told_after(&night, user, "a page", || drop(night.sandbox.click(&list, "problems_next", &click)));
        assert!(answer.contains(words), "{user}: {answer}");
        assert_eq!(*list.now(), *list, "{user} changed what everybody sees");
    }
    // Who asked turns it where it is.
    list.click("problems_next");
    wait::until("the second page", || list.now().to_string().contains("11 to 12 of 12"));
    assert!(list.now().to_string().contains("problems_previous"));
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_hosts_downtime_silences_only_the_services_that_the_person_may() {
    let rules = format!("[[access.rule]]\ndeny = \"{ALICE}\"\naction = \"downtime\"\nservice = \"Load\"\n");
    let night = OnCall::with_nagios(Way::Http, &rules);
    night.core.order("PROCESS_HOST_CHECK_RESULT;web01;1;no ping");
    let host = night.expect("DOWN: Web 01");
    let values = json!({"comment": "power", "length": "1800", "services": ["services"]});
    host.fill_in("more", Some("downtime"), &values);
    night.told("Scheduled 4 of 5 downtimes.");
    night.told("1 not: You may not schedule downtimes here.");
    let log = night.core.log();
    assert!(log.contains("SCHEDULE_HOST_DOWNTIME;web01;") && !log.contains("SCHEDULE_HOST_SVC_DOWNTIME"), "{log}");
    for (service, count) in [("Disk", 1), ("Flap", 1), ("Big", 1), ("Load", 0)] {
        let line = format!("EXTERNAL COMMAND: SCHEDULE_SVC_DOWNTIME;web01;{service};");
        assert_eq!(log.matches(&line).count(), count, "{line}\n{log}");
    }
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_card_of_a_database_that_is_gone_acts_on_nothing_else() {
    let mut night = OnCall::with_nagios(Way::Http, "");
    let old = night.falls_ill("Disk", "full");
    night.listener = None;
    for file in fs::read_dir(night.core.path("state")).unwrap().flatten() {
        if file.file_name().to_string_lossy().starts_with("ackbell.db") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    night.listen();
    // The numbers start again: this one has the old one's.
    let new = night.falls_ill("Load", "high");
    for (button, more) in [
        ("more", json!({"option": "stop_notifications"})),
        ("more", json!({"option": "recheck"})),
        ("acknowledge_with", json!({})),
        ("acknowledge", json!({})),
    ] {
        let answer = told_after(&night, ALICE, button, || drop(night.sandbox.click(&old, button, &more)));
        assert!(answer.contains("ackbell no longer remembers this card."), "{button}: {answer}");
    }
    assert!(!night.core.log().contains("EXTERNAL COMMAND"), "{}", night.core.log());
    new.choose("stop_notifications");
    night.wait_for_log("EXTERNAL COMMAND: DISABLE_SVC_NOTIFICATIONS;web01;Load");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn an_integration_that_is_only_told_has_no_buttons_and_no_orders() {
    let mut night = OnCall::with_nagios(Way::SocketMode, "");
    let config = night.site.config();
    let written = fs::read_to_string(&config).unwrap().replace("[slack]\n", "[slack]\nacts = false\n");
    fs::write(&config, written).unwrap();
    night.listen();
    let card = night.falls_ill("Disk", "full");
    assert!(!card.to_string().contains("action_id"), "{card}");
    night.ask("ack web01/Disk why", "Users of this workspace may only view states here.");
    night.ask("subscribe", "Users of this workspace may only view states here.");
    night.ask("status web01/Disk", "*Disk on Web 01* is CRITICAL");
    assert!(!night.core.log().contains("EXTERNAL COMMAND"), "{}", night.core.log());
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn whoever_is_on_call_may_act_and_after_the_shift_no_more() {
    let plan = |who: &str| {
        format!(
            "[oncall.dba]\npeople = [\"{who}@example.com\"]\nstart = \"2020-01-01 00:00\"\nevery = \"7d\"\n[[access.rule]]\nallow = \"@oncall:dba\"\n"
        )
    };
    let mut night = OnCall::with_nagios(Way::SocketMode, &plan("alice"));
    let card = night.falls_ill("Disk", "full");
    let said = told_after(&night, BOB, "a click", || drop(card.click_as(BOB, "acknowledge")));
    assert!(said.contains("You may not acknowledge"), "{said}");
    assert!(!night.core.log().contains("EXTERNAL COMMAND"), "{}", night.core.log());
    // The shift changes: so does who may.
    let config = night.site.config();
    let written = fs::read_to_string(&config).unwrap().replace("[\"alice@example.com\"]", "[\"bob@example.com\"]");
    fs::write(&config, written).unwrap();
    night.listen();
    wait::until("Bob's shift", || night.site.sql("SELECT people FROM on_duty").is_ok_and(|who| who.contains("bob")));
    let said = told_after(&night, ALICE, "a click", || drop(card.click_as(ALICE, "acknowledge")));
    assert!(said.contains("You may not acknowledge"), "{said}");
    card.click_as(BOB, "acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
}

#[test]
fn with_only_a_webhook_there_are_buttons_once_guests_may_act() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let webhook = format!(
        "[slack]\nwebhook_url = \"{}\"\nsigning_secret = \"x1234567\"\n[listen]\nhttp = \"127.0.0.1:0\"\n",
        sandbox.webhook("B0000001")
    );
    let site = Site::new(&webhook);
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let card = sandbox.wait_for_messages(1).remove(0);
    assert!(!card.to_string().contains("action_id"), "{card}");
    let said = text(&site.run(&["config", "check"]).stderr) + &text(&site.run(&["config", "check"]).stdout);
    assert!(
        said.contains("no user can act from \"default\": with only a webhook ackbell can't see who is a guest"),
        "{said}"
    );
    site.configure(&format!("{webhook}[access]\nguests = true\n"));
    site.service("PROBLEM", "web02", "Disk", "2", "full");
    let card = sandbox.wait_for_messages(2).remove(1);
    assert!(card.to_string().contains("action_id"), "{card}");
    let done = site.run(&["config", "check"]);
    assert!(!(text(&done.stderr) + &text(&done.stdout)).contains("nobody can act"));
}
