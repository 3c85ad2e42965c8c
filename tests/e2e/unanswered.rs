//! Nobody answers: the steps of an escalation, and everything that ends them.

use crate::harness::process::signal;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::Value;
use std::time::Duration;

/// Two steps, soon after each other.
const STEPS: &str = "[[escalate]]\nafter = \"2s\"\nmention = \"@oncall\"\n[[escalate]]\nafter = \"4s\"\nmention = \"@bob@example.com\"\n";

/// The texts of the replies that say that nobody answers.
fn told(sandbox: &Sandbox) -> Vec<Value> {
    let is_told = |message: &Value| message["text"].as_str().is_some_and(|text| text.starts_with("UNANSWERED"));
    sandbox.messages().into_iter().filter(is_told).collect()
}

fn channel_told(sandbox: &Sandbox) -> Vec<String> {
    let in_ops = told(sandbox).into_iter().filter(|message| message["channel_name"] == "ops");
    in_ops.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn wait_for_steps(site: &Site, sandbox: &Sandbox, count: usize) {
    wait::until(&format!("{count} steps"), || {
        let told = channel_told(sandbox);
        if told.len() >= count { Ok(()) } else { Err(format!("{:?}\n{}", sandbox.texts(), site.log())) }
    });
}

#[test]
fn a_problem_that_nobody_answers_climbs_its_steps_and_ends_with_the_answer() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, STEPS);
    let _listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    wait_for_steps(&site, &sandbox, 1);
    let card = sandbox.messages().into_iter().next().unwrap();
    let first = told(&sandbox).remove(0);
    assert_eq!(first["thread_ts"], card["ts"], "{first}");
    assert_eq!(first["reply_broadcast"], true, "{first}");
    assert!(first["blocks"].to_string().contains("<!subteam^"), "{first}");
    wait::until("the card's line", || {
        let card = sandbox.messages().into_iter().next().unwrap().to_string();
        if card.contains("unanswered for 2 s; next: @bob@example.com at") { Ok(()) } else { Err(card) }
    });
    wait_for_steps(&site, &sandbox, 2);
    // The second names a person, who gets the problem as a message of their own.
    let direct = wait::until("the direct message", || {
        let is_direct = |message: &Value| message["channel"].as_str().is_some_and(|id| id.starts_with('D'));
        sandbox.messages().into_iter().find(is_direct).ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
    });
    assert!(direct["text"].as_str().unwrap().starts_with("CRITICAL: Disk on web01"), "{direct}");
    // It follows the problem to its end.
    site.service("RECOVERY", "web01", "Disk", "0", "fine");
    wait::until("the end in both", || {
        let ended = sandbox.texts().into_iter().filter(|text| text.starts_with("RECOVERED, OK: Disk on web01")).count();
        if ended >= 4 { Ok(()) } else { Err(format!("{:?}\n{}", sandbox.texts(), site.log())) }
    });
    assert_eq!(site.sql("SELECT COUNT(*) FROM escalation").unwrap(), "0");
    sandbox.assert_respected();
    site.assert_all_delivered();
}

#[test]
fn an_acknowledgement_a_downtime_and_the_recovery_each_end_it() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "[storm]\nthreshold = 99\n[[escalate]]\nafter = \"4s\"\nmention = \"@oncall\"\n");
    let _listener = site.listen();
    for (host, kind, state) in
        [("a", "ACKNOWLEDGEMENT", "2"), ("b", "DOWNTIMESTART", "2"), ("c", "RECOVERY", "0"), ("d", "PROBLEM", "2")]
    {
        site.service("PROBLEM", host, "Disk", "2", "full");
        wait::until("the card", || sandbox.texts().iter().any(|text| text.starts_with(&format!("CRITICAL: Disk on {host}"))));
        if host != "d" {
            site.service(kind, host, "Disk", state, "x");
        }
    }
    wait_for_steps(&site, &sandbox, 1);
    // One more that comes later than any other would have.
    site.service("PROBLEM", "e", "Disk", "2", "full");
    wait_for_steps(&site, &sandbox, 2);
    let texts = channel_told(&sandbox);
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("Disk on d") && texts[1].contains("Disk on e"), "{texts:?}");
}

#[test]
fn a_storm_escalates_once_in_its_own_thread() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, "[storm]\nthreshold = 3\nwindow = \"5s\"\n[[escalate]]\nafter = \"3s\"\nmention = \"@oncall\"\n");
    for i in 0..8 {
        // They wait in the spool, and come together.
        crate::answers::spool(&site, i, &format!("h{i}"), "#ops");
    }
    let _listener = site.listen();
    wait::until("the step", || {
        let step = sandbox.messages().into_iter().find(|message| message.to_string().contains("UNANSWERED"));
        step.map(|step| assert!(!step["thread_ts"].is_null(), "{step}")).ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
    });
    site.service("PROBLEM", "later", "Disk", "2", "full");
    wait::until("the one that came later", || sandbox.messages().iter().any(|m| m.to_string().contains("Disk on later")));
    let steps = sandbox.messages().iter().filter(|message| message.to_string().contains("UNANSWERED")).count();
    assert_eq!(steps, 1, "{:?}", sandbox.texts());
}

/// What is late says so, whatever happened meanwhile: the listener was killed while the steps were due.
#[test]
fn steps_that_were_due_while_the_listener_was_dead_are_told_once_and_late() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, STEPS);
    let listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    wait::until("its row", || site.sql("SELECT COUNT(*) FROM escalation").is_ok_and(|count| count == "1"));
    signal(listener.0.id(), "KILL");
    drop(listener);
    std::thread::sleep(Duration::from_secs(5));
    let _listener = site.listen();
    wait_for_steps(&site, &sandbox, 1);
    let texts = channel_told(&sandbox);
    assert_eq!(texts.len(), 1, "both steps in one: {texts:?}");
    assert!(texts[0].contains("told: @oncall, @bob@example.com"), "{texts:?}");
}
