//! The slash command: from words in Slack to what the real core holds, and to what a channel is sent.

use crate::harness::on_call::{OnCall, Way};
use crate::harness::wait;
use serde_json::{Value, json};

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn what_is_asked_is_answered_and_done_in_the_real_core() {
    let night = OnCall::with_nagios(Way::SocketMode, "");
    let help = night.ask("help", "acknowledge the problem");
    assert!(!help["ephemeral_for"].is_null(), "{help}");
    night.ask("porblems", "Did you mean `/ackbell problems`?");
    // Answers speak of the command as it was called.
    let renamed = json!({"command": "/monitoring"});
    night.ask_as(&renamed, "help", "`/monitoring problems [FILTER]`");
    night.ask_as(&renamed, "porblems", "Did you mean `/monitoring problems`?");
    night.ask_as(&renamed, "subscribe db*", "`/monitoring unsubscribe` ends it.");
    night.ask_as(&renamed, "unsubscribe db*", "One subscription of this channel has ended.");
    night.ask("problems", "No problems. :tada:");
    let card = night.falls_ill("Disk", "DISK CRITICAL - <!channel> 3% free");
    let list = night.ask("problems", "*One problem*");
    let shown = list.to_string();
    assert!(shown.contains("*Disk on Web 01* CRITICAL") && shown.contains("&lt;!channel&gt; 3% free"), "{shown}");
    night.ask("problems db*", "No host that you may see matches");
    night.ask("problems web*/Load", "No problems that match web");
    // No pattern, and near misses: never an all-clear.
    night.ask("problems web", "No host that you may see matches");
    night.ask("problems web", "Did you mean `web*`?");
    night.ask("problems crit", "Did you mean `critical`?");
    night.ask("problems hostgroup=x", "can't be filtered by hostgroup");
    night.ask("status web01/Disk", "*Disk on Web 01* is CRITICAL");
    night.ask("status “web01/disk”", "*Disk on Web 01* is CRITICAL");
    night.ask("status web01/Dsik", "Did you mean `web01/Disk`?");
    // What Slack would make something of reads as it was typed.
    night
        .ask("status \"eth0:up:ok _raid_\"", "The monitoring has no \\\"eth0:\u{2060}up:ok _\u{2060}raid_\u{2060}\\\"");
    night.ask("ack web01/Disk new disk; is ordered", "Acknowledged: Disk on Web 01 (confirmed by the core).");
    night.wait_for_log("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;");
    let living = night.expect("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by ");
    assert_eq!(living["ts"], card["ts"], "the same card");
    night.ask("status web01/Disk", "new disk, is ordered");
    night.ask("ack web01/Disk again", "It is acknowledged already, by ");
    night.ask("ack web01", "web01 is PENDING: there is nothing to acknowledge.");
    night.ask("unack web01/Disk", "The acknowledgement of Disk on Web 01 is removed.");
    night.ask("downtime web01/Disk", "Say how long");
    night.ask(
        "downtime web01/Disk 2h new disk",
        "Downtime of 2 h scheduled for Disk on Web 01 (confirmed by the core).",
    );
    night.wait_for_log("EXTERNAL COMMAND: SCHEDULE_SVC_DOWNTIME;web01;Disk;");
    night.ask("recheck web01/Disk", "Checked: Disk on Web 01 is CRITICAL.");
    night.ask("status web01/Disk", "In downtime: ");
    let table = night.run(&["audit", "--action", "downtime"]);
    assert!(table.starts_with("WHEN  ") && table.contains("  confirmed  downtime  Disk on web01  "), "{table}");
    assert!(table.contains("] SCHEDULE_SVC_DOWNTIME;web01;Disk;"), "{table}");
    let steps: Vec<String> = night.audit().iter().map(|row| format!("{} {}", row["action"], row["step"])).collect();
    assert!(steps.contains(&"\"acknowledge\" \"confirmed\"".to_owned()), "{steps:?}");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_list_has_pages_and_its_buttons_act() {
    let night = OnCall::with_nagios(Way::Http, "");
    for service in ["Disk", "Load", "Big"] {
        night.falls_ill(service, "it is broken");
    }
    let list = night.ask("problems critical --public", "*3 problems* that match critical");
    assert!(list["ephemeral_for"].is_null(), "for everybody: {list}");
    let private = night.ask("problems", "*3 problems*");
    private.click("acknowledge");
    night.told("Acknowledged: ");
    night.ask("problems", ", 1 acknowledged or in downtime");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn a_channel_subscribes_itself() {
    let night = OnCall::with_nagios(
        Way::SocketMode,
        "[[access.rule]]\ndeny = \"U0BOB00001\"\naction = [\"subscribe\"]\nhost = \"web*\"\n",
    );
    night.sandbox.tell("state", &json!({"channels": [{"id": "C0DISKS0001", "name": "disks"}, {"id": "C0FAR000001", "name": "far", "member": false}]}));
    let here = json!({"channel": "#disks"});
    night.ask_as(&here, "subscriptions", "has no subscriptions");
    night.ask_as(&json!({"channel": "#disks", "user": "U0BOB00001"}), "subscribe", "You may not subscribe channels");
    night.ask_as(&json!({"channel": "#far"}), "subscribe web*/Disk", "/invite");
    night.ask_as(&here, "subscribe colour=red", "is nothing to filter by");
    night.ask_as(
        &here,
        "subscribe web*/Disk critical",
        "This channel is now subscribed to notifications that match `web*/Disk critical`",
    );
    night.ask_as(&here, "subscribe web*/Disk critical", "already");
    // To end one takes the right to begin it.
    let bob = json!({"channel": "#disks", "user": "U0BOB00001"});
    night.ask_as(&bob, "unsubscribe", "You may not subscribe channels");
    night.core.set("Disk", 2, "3% free");
    night.core.set("Load", 2, "load is 99");
    let there = || {
        let all = night.sandbox.messages();
        all.into_iter().filter(|message| message["channel_name"] == "disks").collect::<Vec<_>>()
    };
    wait::until("the card in #disks", || {
        there().iter().any(|message| message["text"].as_str().unwrap().starts_with("CRITICAL: Disk"))
    });
    night.expect("CRITICAL: Load on Web 01");
    assert!(!there().iter().any(|message| message["text"].as_str().unwrap().contains("Load")), "{:?}", there());
    // Which of the two #ops gets first is the core's to say; a channel takes one a second.
    wait::until("#ops, too", || {
        night.sandbox.texts().iter().filter(|text| text.starts_with("CRITICAL: Disk")).count() >= 2
    });
    night.ask_as(&here, "subscriptions", "This channel is subscribed to:");
    let told = night.run(&["queue", "subscriptions"]);
    assert!(
        told.starts_with("CHANNEL      FILTER              BY ") && told.contains("C0DISKS0001  web*/Disk critical  "),
        "{told}"
    );
    let told: Value = serde_json::from_str(&night.run(&["queue", "--json", "subscriptions"])).unwrap();
    assert_eq!(told["subscriptions"][0]["filter"], "web*/Disk critical", "{told}");
    let shown = night.run(&["config", "show"]);
    assert!(shown.ends_with("\n# [default] C0DISKS0001: web*/Disk critical\n"), "{shown}");
    let shown: Value = serde_json::from_str(&night.run(&["config", "show", "--json"])).unwrap();
    assert_eq!(shown["subscriptions"], told["subscriptions"]);
    night.ask_as(&here, "unsubscribe", "One subscription of this channel has ended.");
    // A person, wherever they write it; ended where ackbell writes to them.
    night.ask_as(&here, "me web*/Disk", "You are now subscribed to notifications that match `web*/Disk`.");
    night.ask_as(&json!({"channel": "#disks", "user": "U0BOB00001"}), "me web01", "You may not subscribe channels");
    night.core.set("Disk", 0, "fine");
    night.expect("RECOVERED, OK: Disk on Web 01");
    night.core.set("Disk", 2, "full again");
    let to_alice = || {
        let all = night.sandbox.messages().into_iter();
        all.filter(|message| message["channel"].as_str().unwrap().starts_with('D')).collect::<Vec<_>>()
    };
    wait::until("the direct message", || !to_alice().is_empty());
    let own = json!({"channel": to_alice()[0]["channel"]});
    night.ask_as(&own, "subscriptions", "by alice since");
    night.ask_as(&own, "unsubscribe web*/Disk", "One subscription of this channel has ended.");
    let audit: Vec<Value> = night.audit();
    assert!(audit.iter().any(|row| row["action"] == "subscribe" && row["detail"] == "web*/Disk critical"), "{audit:?}");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn who_may_not_is_told_and_whoami_tells_why() {
    let rules = "[[access.rule]]\nallow = \"U0BOB00001\"\naction = [\"acknowledge\", \"view\"]\n";
    let night = OnCall::with_nagios(Way::SocketMode, rules);
    // Whoever may not look is never told that all is well; nor is anybody told what they may not see.
    night.ask("problems", "You may not look at this here.");
    night.ask_as(&json!({"user": "U0GUEST001"}), "problems", "Guests aren't allowed to use these actions.");
    night.ask_as(
        &json!({"user": "U0STRANGER"}),
        "problems",
        "Users from other workspaces aren't allowed to use these actions.",
    );
    night.ask_as(&json!({"user": "U0GUEST001"}), "whoami", "a guest in workspace");
    night.ask("status web01", "You may not look at this here.");
    night.ask("whoami", "Here you may not, or not everywhere: see problems, acknowledge");
    night.ask_as(&json!({"user": "U0BOB00001"}), "whoami", "Here you may: see problems, acknowledge.");
    night.ask_as(&json!({"user": "U0BOB00001"}), "recheck web01/Disk", "You may not order checks here");
    night.sandbox.assert_respected();
}
