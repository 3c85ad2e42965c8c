//! One problem is one message that lives.

use crate::harness::sandbox::{Sandbox, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};

impl Sandbox {
    /// The messages at the top of a channel.
    fn heads(&self) -> Vec<Value> {
        self.messages().into_iter().filter(|m| m["thread_ts"].is_null() && m["deleted"] != true).collect()
    }

    /// The first words of the replies in a message's thread.
    fn replies(&self, head: &Value) -> Vec<String> {
        let of_it = self.messages().into_iter().filter(|m| m["thread_ts"] == head["ts"]);
        of_it.map(|m| m["text"].as_str().unwrap().split(':').next().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn only_head(&self) -> Value {
        let heads = self.heads();
        assert_eq!(heads.len(), 1, "{}", json!(heads));
        heads.into_iter().next().unwrap()
    }
}

/// `notify` for Disk on web01.
fn say(site: &Site, kind: &str, state: &str, more: &[&str]) {
    let mut arguments = vec!["notify", "--hostname", "web01", "--servicedesc", "Disk", "--notificationtype", kind];
    arguments.extend(["--servicestate", state]);
    arguments.extend(more);
    let done = site.run(&arguments);
    assert_eq!(done.status.code(), Some(0), "{}", crate::harness::process::text(&done.stderr));
}

fn starts(head: &Value, text: &str) {
    assert!(head["text"].as_str().unwrap().starts_with(text), "not {text}: {head}");
}

const CRITICAL: &str = "#d0021b";
const GOOD: &str = "#2eb67d";
const BLUE: &str = "#1d9bd1";

#[test]
fn problem_acknowledgement_recovery_are_one_card_whoever_delivers() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    // A listener for a while, none for a while: what is known survives both.
    let listener = site.listen();
    say(&site, "PROBLEM", "2", &["--output", "3% free", "--notification-number", "1"]);
    sandbox.wait_for_messages(1);
    assert_eq!(sandbox.only_head()["attachments"][0]["color"], CRITICAL);
    // Killed before it noted what Slack has, it would be told once more.
    wait::until("its own note of it", || site.queue()["waiting"] == 0);
    drop(listener);
    say(&site, "PROBLEM", "2", &["--output", "2% free", "--notification-number", "3", "--duration", "2520"]);
    starts(&sandbox.only_head(), "STILL CRITICAL: Disk on web01 · 3rd notification, for 42 min · 2% free");
    let listener = site.listen();
    say(&site, "ACKNOWLEDGEMENT", "2", &["--author", "Carol", "--comment", "looking"]);
    wait::until("the reply", || sandbox.replies(&sandbox.only_head()).len() == 2);
    let head = sandbox.only_head();
    starts(&head, "ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by Carol · looking · 2% free");
    assert_eq!(head["attachments"][0]["color"], BLUE);
    assert!(head.to_string().contains("acknowledged by Carol <!date^"), "when, too: {head}");
    assert_eq!(listener.stop(), Some(0));
    // The core tells every contact.
    say(&site, "ACKNOWLEDGEMENT", "2", &["--author", "Carol", "--comment", "looking", "--contact", "bob"]);
    say(&site, "RECOVERY", "0", &["--output", "fine"]);
    let head = sandbox.only_head();
    starts(&head, "RECOVERED, OK: Disk on web01 · was CRITICAL for ");
    assert!(head["text"].as_str().unwrap().ends_with(" · acknowledged by Carol · looking · fine"), "{head}");
    assert_eq!(head["attachments"][0]["color"], GOOD);
    assert_eq!(sandbox.replies(&head), ["STILL CRITICAL", "ACKNOWLEDGED, CRITICAL", "RECOVERED, OK"]);
    // The next problem is another card.
    say(&site, "PROBLEM", "1", &[]);
    assert_eq!(sandbox.heads().len(), 2);
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn flapping_and_downtime_live_on_the_card() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    let steps: [(&str, &str, &[&str], &str); 6] = [
        ("PROBLEM", "2", &[], "CRITICAL: Disk"),
        ("FLAPPINGSTART", "2", &[], "FLAPPING, CRITICAL: Disk on web01 · changes its state too often"),
        ("FLAPPINGSTOP", "2", &[], "CRITICAL: Disk on web01 · has settled"),
        (
            "DOWNTIMESTART",
            "2",
            &["--author", "Carol"],
            "IN DOWNTIME, CRITICAL: Disk on web01 · in downtime, scheduled by Carol",
        ),
        ("DOWNTIMEEND", "2", &[], "CRITICAL: Disk on web01 · its downtime is over"),
        ("RECOVERY", "0", &[], "RECOVERED, OK: Disk on web01 · was CRITICAL"),
    ];
    for (kind, state, more, text) in steps {
        say(&site, kind, state, more);
        starts(&sandbox.only_head(), text);
    }
    assert_eq!(sandbox.replies(&sandbox.only_head()).len(), 5);
    // A downtime of something that is well is a card of its own, which it ends.
    say(&site, "DOWNTIMESTART", "0", &[]);
    say(&site, "DOWNTIMEEND", "0", &[]);
    assert_eq!(sandbox.heads().len(), 2);
    starts(&sandbox.heads()[1], "DOWNTIME ENDED: Disk on web01");
    // What a person sends by hand is a reply while there is a problem, else a message.
    say(&site, "CUSTOM", "0", &["--author", "Carol", "--comment", "hello"]);
    assert_eq!(sandbox.heads().len(), 3);
    say(&site, "PROBLEM", "2", &[]);
    say(&site, "CUSTOM", "2", &["--author", "Carol", "--comment", "hands off"]);
    assert_eq!(sandbox.heads().len(), 4);
    assert_eq!(sandbox.replies(&sandbox.heads()[3]), ["MESSAGE, CRITICAL"]);
    sandbox.assert_respected();
}

#[test]
fn a_card_that_is_gone_is_replaced_and_one_that_cannot_be_edited_too() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    say(&site, "PROBLEM", "2", &[]);
    let head = sandbox.only_head();
    let delete = json!({"channel": head["channel"], "ts": head["ts"]});
    sandbox.api("chat.delete", &delete);
    say(&site, "ACKNOWLEDGEMENT", "2", &["--author", "Carol"]);
    starts(&sandbox.only_head(), "ACKNOWLEDGED, CRITICAL: Disk on web01");
    sandbox.tell(
        "faults",
        &json!({"faults": [{"kind": "error", "error": "edit_window_closed", "method": "chat.update", "times": 1}]}),
    );
    say(&site, "RECOVERY", "0", &[]);
    let heads = sandbox.heads();
    assert_eq!(heads.len(), 2);
    starts(&heads[1], "RECOVERED, OK: Disk on web01");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn an_archived_channels_cards_go_on_in_the_integrations_own() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "[[route]]\nmatch = { host = \"web*\" }\nto = \"#db-alerts\"\n");
    say(&site, "PROBLEM", "2", &[]);
    assert_eq!(sandbox.only_head()["channel_name"], "db-alerts");
    sandbox.tell("state", &json!({"channels": [{"id": "C0DB000001", "name": "db-alerts", "archived": true}]}));
    say(&site, "PROBLEM", "2", &["--notification-number", "2"]);
    let heads = sandbox.heads();
    assert_eq!((heads.len(), heads[1]["channel_name"].as_str()), (2, Some("ops")));
    assert!(
        heads[1].to_string().contains("meant for #db-alerts, which can't be reached: is_inactive; unarchive it"),
        "{}",
        heads[1]
    );
    say(&site, "RECOVERY", "0", &[]);
    let heads = sandbox.heads();
    assert_eq!(heads.len(), 2, "it lives on there");
    starts(&heads[1], "RECOVERED, OK");
    site.assert_all_delivered();
}

#[test]
#[ignore = "slow: tests/run"]
fn each_destination_has_its_card_and_only_news_calls_people() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let route = "[[route]]\nto = [\"#ops\", \"#db-alerts\", \"@alice@example.com\"]\nmention = [\"@oncall\"]\n";
    let site = Site::with_token(&sandbox, route);
    say(&site, "PROBLEM", "1", &[]);
    say(&site, "PROBLEM", "1", &["--notification-number", "2"]);
    say(&site, "PROBLEM", "2", &["--notification-number", "3"]);
    say(&site, "RECOVERY", "0", &[]);
    let heads = sandbox.heads();
    assert_eq!(heads.len(), 3, "{}", json!(heads));
    for head in &heads {
        starts(head, "RECOVERED, OK: Disk on web01");
        let thread: Vec<bool> = sandbox
            .messages()
            .iter()
            .filter(|m| m["thread_ts"] == head["ts"])
            .map(|m| m.to_string().contains("<!subteam^S0ONCALL01>"))
            .collect();
        assert_eq!(thread, [false, true, false], "called when it got worse");
    }
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn the_thread_can_be_broadcast_or_off() {
    for (thread, replies, broadcast) in [("broadcast", 1, true), ("off", 0, false)] {
        let sandbox = Sandbox::start(&["--burst", "99"]);
        let site = Site::with_token(&sandbox, &format!("[message]\nthread = \"{thread}\"\n"));
        say(&site, "PROBLEM", "2", &[]);
        say(&site, "RECOVERY", "0", &[]);
        starts(&sandbox.only_head(), "RECOVERED, OK");
        let thread: Vec<Value> = sandbox.messages().into_iter().filter(|m| !m["thread_ts"].is_null()).collect();
        assert_eq!(thread.len(), replies);
        assert!(thread.iter().all(|m| (m["raw"]["reply_broadcast"] == true) == broadcast), "{}", json!(thread));
        site.assert_all_delivered();
    }
}

#[test]
fn what_happened_while_slack_was_away_is_one_honest_late_card() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let away = by_token("http://127.0.0.1:1");
    let site = Site::new(&format!("{away}[outbox]\ntime_budget = \"600ms\"\n"));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let at = |minutes: u64| (now - minutes * 60).to_string();
    say(&site, "PROBLEM", "1", &["--time", &at(12)]);
    say(&site, "PROBLEM", "2", &["--time", &at(11)]);
    say(&site, "RECOVERY", "0", &["--time", &at(9), "--output", "fine"]);
    site.configure(&away.replace("http://127.0.0.1:1", &sandbox.url));
    assert_eq!(site.run(&["queue", "retry"]).status.code(), Some(0));
    assert_eq!(site.run(&["queue", "flush"]).status.code(), Some(0));
    let head = sandbox.only_head();
    starts(&head, "RECOVERED, OK: Disk on web01 · was CRITICAL for 3 min · fine");
    let shown = head.to_string();
    assert!(shown.contains("delivered 12 min late: Slack was unreachable ("), "{shown}");
    let replies: Vec<Value> = sandbox.messages().into_iter().filter(|m| m["thread_ts"] == head["ts"]).collect();
    assert_eq!(replies.len(), 1, "the history in one reply");
    let history = replies[0]["text"].as_str().unwrap();
    assert!(history.contains("WARNING") && history.contains("CRITICAL") && history.contains("RECOVERED"), "{history}");
    site.assert_all_delivered();
    sandbox.assert_respected();
}

#[test]
fn an_output_too_long_for_a_card_goes_on_in_its_thread() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "");
    let long = format!("{}the end", "a line of output\\n".repeat(400));
    say(&site, "PROBLEM", "2", &["--output", "bad", "--long-output", &long]);
    let head = sandbox.only_head();
    assert!(!head.to_string().contains("the end") && head.to_string().contains("more characters"));
    let reply = sandbox.messages().into_iter().find(|m| m["thread_ts"] == head["ts"]).unwrap();
    assert!(reply.to_string().contains("the end"), "{reply}");
    site.assert_all_delivered();
    sandbox.assert_respected();
}
