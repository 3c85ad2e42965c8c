//! Answers without a button: emojis on a card, and the shortcuts in Slack's menus.

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::wait;
use serde_json::{Value, json};

const REACTIONS: &str = "[reactions]\n";

fn react(night: &OnCall<impl Sized>, card: &Card, emoji: &str, more: &Value) -> Value {
    let mut order = json!({"channel": card["channel"], "ts": card["ts"], "emoji": emoji});
    for (key, value) in more.as_object().into_iter().flatten() {
        order[key] = value.clone();
    }
    let answer = night.sandbox.order("react", &order);
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    answer
}

#[test]
#[ignore = "needs nagios4: tests/run"]
fn eyes_acknowledge_and_taking_them_back_removes_that_acknowledgement_alone() {
    for way in [Way::Http, Way::SocketMode] {
        let night = OnCall::with_nagios(way, REACTIONS);
        let card = night.falls_ill("Disk", "full");
        react(&night, &card, "thumbsup", &json!({}));
        react(&night, &card, "eyes::skin-tone-2", &json!({"event_id": "Ev1"}));
        let card = card.becomes("ACKNOWLEDGED, CRITICAL: Disk on");
        // Slack sends an event again that it got no answer for.
        react(&night, &card, "eyes", &json!({"event_id": "Ev1", "retry": 1}));
        // Somebody else's emoji ends nothing.
        react(&night, &card, "eyes", &json!({"user": "U0BOB00001", "removed": true}));
        night.told("It stays acknowledged, by ");
        assert!(card.now()["text"].as_str().unwrap().starts_with("ACKNOWLEDGED"), "{card}");
        react(&night, &card, "eyes", &json!({"removed": true}));
        let card = card.becomes("CRITICAL: Disk on");
        // Nor does it begin anew when the event comes once more after its end.
        react(&night, &card, "eyes", &json!({"event_id": "Ev1", "retry": 2}));
        card.choose("recheck");
        wait::until("the re-check", || {
            night.audit().iter().any(|row| row["action"] == "recheck" && row["step"] == "sending")
        });
        let steps: Vec<String> = night.audit().iter().map(|row| format!("{} {}", row["action"], row["step"])).collect();
        assert_eq!(steps.iter().filter(|step| step.contains("\"acknowledge\" \"sending\"")).count(), 1, "{steps:?}");
        night.sandbox.assert_respected();
    }
}

#[test]
#[ignore = "needs nagios4: tests/run"]
fn an_emoji_that_means_recheck_rechecks() {
    let night = OnCall::with_nagios(Way::Http, "[reactions]\nrecheck = \":arrows_counterclockwise:\"\n");
    let card = night.falls_ill("Disk", "full");
    react(&night, &card, "repeat", &json!({}));
    react(&night, &card, "arrows_counterclockwise", &json!({}));
    wait::until("the check", || {
        let rows = night.audit();
        let is_it = |row: &Value| row["action"] == "recheck" && row["step"] == "sending";
        if rows.iter().filter(|row| is_it(row)).count() == 1 { Ok(()) } else { Err(json!(rows).to_string()) }
    });
}

#[test]
#[ignore = "needs nagios4: tests/run"]
fn an_emoji_of_somebody_who_may_not_on_another_message_or_too_late_changes_nothing() {
    let rule = "[reactions]\n[[access.rule]]\ndeny = \"U0BOB00001\"\n";
    let night = OnCall::with_nagios(Way::Http, rule);
    let card = night.falls_ill("Disk", "full");
    react(&night, &card, "eyes", &json!({"user": "U0BOB00001"}));
    night.told("You may not");
    // On a message that isn't ours nobody is asked who they are, and nothing is said.
    let other = night.sandbox.api("chat.postMessage", &json!({"channel": "#ops", "text": "hello"}));
    let before = night.sandbox.whispers().len();
    let asked = night.sandbox.requests();
    react(&night, &night.card(other), "eyes", &json!({}));
    assert_eq!(night.sandbox.requests(), asked);
    night.core.set("Disk", 0, "fine");
    let card = card.becomes("RECOVERED");
    react(&night, &card, "eyes", &json!({}));
    night.told("has recovered, there is nothing to acknowledge");
    assert_eq!(night.sandbox.whispers().len(), before + 1, "{:?}", night.sandbox.whispers());
}

#[test]
#[ignore = "needs nagios4: tests/run"]
fn without_the_table_no_emoji_acts() {
    let night = OnCall::with_nagios(Way::Http, "");
    let card = night.falls_ill("Disk", "full");
    react(&night, &card, "eyes", &json!({}));
    card.choose("recheck");
    wait::until("the click's row", || night.audit().iter().any(|row| row["action"] == "recheck"));
    assert!(night.audit().iter().all(|row| row["action"] != "acknowledge"));
}

#[test]
#[ignore = "needs nagios4: tests/run"]
fn the_shortcuts_of_a_message_open_its_forms_and_the_global_one_the_list() {
    let night = OnCall::with_nagios(Way::SocketMode, "");
    let card = night.falls_ill("Disk", "full");
    let shortcut = |callback: &str, message: &Value| {
        let order = json!({"callback_id": callback, "channel": message["channel"], "ts": message["ts"]});
        let answer = night.sandbox.order("shortcut", &order);
        assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)), "{answer}");
    };
    let opens = |view: &str| {
        wait::until(view, || {
            let views = night.sandbox.views();
            if views.iter().any(|shown| shown.to_string().contains(view)) {
                Ok(())
            } else {
                Err(json!(views).to_string())
            }
        });
    };
    shortcut("downtime", &card);
    opens("Schedule a downtime");
    shortcut("acknowledge", &card);
    opens("What are you doing about it?");
    let answer = night.sandbox.order("submit", &json!({"values": {"comment": {"comment": "on it"}}}));
    assert_eq!(answer["ok"], true, "{answer}");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on");
    shortcut("problems", &json!({}));
    opens("What is wrong?");
    // Another's message has no form.
    let other = night.sandbox.api("chat.postMessage", &json!({"channel": "#ops", "text": "hello"}));
    shortcut("acknowledge", &other);
    night.told("That message isn't about one host or service that ackbell knows");
    night.sandbox.assert_respected();
}
