//! Nobody answers: the steps of an escalation, and everything that ends them.

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::process::signal;
use crate::harness::sandbox::Sandbox;
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
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
    let site =
        Site::with_token(&sandbox, "[storm]\nthreshold = 99\n[[escalate]]\nafter = \"6s\"\nmention = \"@oncall\"\n");
    let _listener = site.listen();
    let rows = |count: &str, of: &str| {
        wait::until(&format!("{count} rows of {of}"), || {
            let found = site.sql("SELECT COUNT(*) FROM escalation");
            if found.as_deref() == Ok(count) { Ok(()) } else { Err(format!("{found:?}\n{}", site.log())) }
        });
    };
    for (host, kind, state) in [("a", "ACKNOWLEDGEMENT", "2"), ("b", "DOWNTIMESTART", "2"), ("c", "RECOVERY", "0")] {
        site.service("PROBLEM", host, "Disk", "2", "full");
        rows("1", host);
        site.service(kind, host, "Disk", state, "x");
        // At once, not when the step would have been due.
        rows("0", host);
    }
    // One more, told later than any other would have been.
    site.service("PROBLEM", "d", "Disk", "2", "full");
    wait_for_steps(&site, &sandbox, 1);
    let texts = channel_told(&sandbox);
    assert!(texts.len() == 1 && texts[0].contains("Disk on d"), "{texts:?}");
}

#[test]
fn a_storm_escalates_once_in_its_own_thread() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(
        &sandbox,
        "[storm]\nthreshold = 3\nwindow = \"5s\"\n[[escalate]]\nafter = \"3s\"\nmention = \"@oncall\"\n",
    );
    for i in 0..8 {
        // They wait in the spool, and come together.
        crate::answers::spool(&site, i, &format!("h{i}"), "#ops");
    }
    let _listener = site.listen();
    wait::until("the step", || {
        let step = sandbox.messages().into_iter().find(|message| message.to_string().contains("UNANSWERED"));
        step.map(|step| assert!(!step["thread_ts"].is_null(), "{step}"))
            .ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
    });
    site.service("PROBLEM", "later", "Disk", "2", "full");
    wait::until("the one that came later", || {
        sandbox.messages().iter().any(|m| m.to_string().contains("Disk on later"))
    });
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

/// The message of a person's direct messages about this object.
#[track_caller]
fn direct(night: &OnCall<impl Sized>, person: &str, start: &str) -> Card {
    let channel = format!("D{}", person.trim_start_matches('U'));
    let message = wait::until(&format!("\"{start}\" to {person}"), || {
        let is_it = |message: &Value| {
            message["channel"] == channel.as_str() && message["text"].as_str().is_some_and(|text| text.contains(start))
        };
        let found = night.sandbox.messages().into_iter().find(is_it);
        found.ok_or_else(|| format!("{:?}\n{}", night.sandbox.texts(), night.site.log()))
    });
    night.card(message)
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn an_evening_climbs_two_steps_is_acknowledged_forgotten_asked_after_handed_over_and_recovers() {
    let more = format!(
        "[acknowledge]\nstill = \"4s\"\nstill_wait = \"60s\"\n[access.people]\n\"alice@example.com\" = \"nightshift\"\n{}",
        "[[escalate]]\nafter = \"2s\"\nmention = \"@oncall\"\n[[escalate]]\nafter = \"5s\"\nmention = \"@bob@example.com\"\n"
    );
    let night = OnCall::with_nagios(Way::SocketMode, &more);
    let card = night.falls_ill("Disk", "full");
    wait_for_steps(&night.site, &night.sandbox, 2);
    direct(&night, "U0BOB00001", "CRITICAL: Disk on Web 01");
    crate::home::open(&night.sandbox, "U0BOB00001", "home");
    let home = crate::home::shows(&night.sandbox, "U0BOB00001", "Waiting for you");
    assert_eq!(crate::home::outline(&home)[..2], ["*One problem*", "Waiting for you"], "{home}");
    // Acknowledged by the core's own command file, by somebody who isn't in Slack's mind at all.
    night.core.order("ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;nightshift;on my way");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    // Forgotten: asked after, in private.
    let asked = direct(&night, "U0ALICE001", "are you still on it?");
    assert!(asked.to_string().contains("Yes, still on it"), "{asked}");
    crate::home::open(&night.sandbox, "U0ALICE001", "home");
    crate::home::shows(&night.sandbox, "U0ALICE001", "Waiting for you");
    wait::until("Bob, who isn't waited for any more", || {
        let home = crate::home::shows(&night.sandbox, "U0BOB00001", "ACKNOWLEDGED").to_string();
        if home.contains("Waiting for you") { Err(home) } else { Ok(()) }
    });
    asked.fill_in("hand_over", None, &json!({"person": "U0BOB00001"}));
    wait::until("the new owner", || {
        let now = card.now().to_string();
        if now.contains("acknowledged by bob (U0BOB00001)") {
            Ok(())
        } else {
            Err(format!("{now}\n{}", night.site.log()))
        }
    });
    wait::until("the handover in the thread", || {
        let replies = card.replies();
        if replies.iter().any(|reply| reply.contains("handed it over to bob")) {
            Ok(())
        } else {
            Err(format!("{replies:?}"))
        }
    });
    let comments = night.core.status("servicecomment", "service_description=Disk\n");
    assert!(comments.iter().any(|comment| comment.contains("handed over to bob (U0BOB00001)")), "{comments:?}");
    // The new owner is asked, too, and says yes.
    let asked = direct(&night, "U0BOB00001", "are you still on it?");
    asked.click_as("U0BOB00001", "still_on_it");
    wait::until("the answer in the thread", || {
        let replies = card.replies();
        if replies.iter().any(|reply| reply.contains("is still on it")) {
            Ok(())
        } else {
            Err(format!("{replies:?}\n{}", night.site.log()))
        }
    });
    night.core.set("Disk", 0, "fine");
    card.becomes("RECOVERED, OK: Disk on Web 01");
    night.rests();
    assert_eq!(night.site.sql("SELECT COUNT(*) FROM still").unwrap(), "0");
    assert_eq!(night.site.sql("SELECT COUNT(*) FROM escalation").unwrap(), "0");
    night.sandbox.assert_respected();
}

#[test]
fn without_an_answer_the_people_of_the_steps_are_told() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let more =
        "[acknowledge]\nstill = \"2s\"\nstill_wait = \"2s\"\n[[escalate]]\nafter = \"1h\"\nmention = \"@oncall\"\n";
    let site = Site::with_token(&sandbox, more);
    let _listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let acknowledged = [
        "notify",
        "--type",
        "Service",
        "--notificationtype",
        "ACKNOWLEDGEMENT",
        "--hostname",
        "web01",
        "--servicedesc",
        "Disk",
        "--servicestate",
        "2",
        "--author",
        "Alice (Slack U0ALICE001)",
        "--comment",
        "looking",
    ];
    assert_eq!(site.run(&acknowledged).status.code(), Some(0));
    let said = |words: &str| {
        wait::until(&format!("\"{words}\""), || {
            let found = sandbox.messages().into_iter().find(|message| message.to_string().contains(words));
            found.ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
        })
    };
    assert!(said("are you still on it?")["channel"].as_str().unwrap().starts_with('D'));
    let told = said("have not answered");
    assert!(told["channel_name"] == "ops" && told["reply_broadcast"] == true, "{told}");
    assert!(told.to_string().contains("<!subteam^S0ONCALL01>"), "{told}");
}

#[test]
fn somebody_in_do_not_disturb_isnt_relied_on_alone() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    sandbox.tell(
        "state",
        &json!({
            "users": [{"id": "U0ALICE001", "dnd": [now - 3600, now + 3600]}],
            "tokens": {crate::harness::sandbox::TOKEN: {}},
        }),
    );
    let more = "[[escalate]]\nafter = \"1s\"\nmention = \"@alice@example.com\"\n[[escalate]]\nafter = \"1h\"\nmention = \"@bob@example.com\"\n";
    let site = Site::with_token(&sandbox, more);
    let _listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    wait_for_steps(&site, &sandbox, 1);
    let text = channel_told(&sandbox).remove(0);
    assert!(text.contains("alice@example.com is in Do Not Disturb until "), "{text}");
    assert!(text.contains("told @bob@example.com as well"), "{text}");
    let to_bob = |message: &Value| message["channel"] == "D0BOB00001";
    wait::until("the message to Bob", || sandbox.messages().iter().any(to_bob));
}

#[test]
fn somebody_of_a_shift_whom_slack_doesnt_know_is_named_and_the_next_are_told() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    sandbox.tell("state", &json!({"tokens": {crate::harness::sandbox::TOKEN: {}}}));
    let more = "[oncall.dba]\npeople = [\"dave@example.com\"]\nstart = \"2020-01-01 00:00\"\nevery = \"7d\"\n\
        [[escalate]]\nafter = \"1s\"\nmention = \"@oncall:dba\"\n[[escalate]]\nafter = \"1h\"\nmention = \"@bob@example.com\"\n";
    let site = Site::with_token(&sandbox, more);
    let listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    wait_for_steps(&site, &sandbox, 1);
    let text = channel_told(&sandbox).remove(0);
    assert!(text.contains("dave@example.com isn't in this Slack workspace; told @bob@example.com as well"), "{text}");
    wait::until("the message to Bob", || sandbox.messages().iter().any(|message| message["channel"] == "D0BOB00001"));
    drop(listener);
    let said = crate::harness::process::text(&site.run(&["doctor"]).stdout);
    assert!(said.contains("not in the workspace of \"default\": dave@example.com"), "{said}");
}

#[test]
fn whoever_is_on_call_is_mentioned_and_the_group_and_the_channel_follow_the_calendar() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    sandbox.tell("state", &json!({"tokens": {crate::harness::sandbox::TOKEN: {}}}));
    let more = "[oncall.dba]\nical = \"dba.ics\"\nusergroup = \"S0ONCALL01\"\nchannel = \"#db-alerts\"\nfallback = \"bob@example.com\"\n\
        [[route]]\nmention = [\"@oncall:dba\"]\n";
    let site = Site::new("");
    let shift = |who: &str| {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20200101T000000Z\r\n\
            DTEND:20200102T000000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY:{who}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        std::fs::write(site.dir.path().join("dba.ics"), text).unwrap();
    };
    shift("alice@example.com");
    site.configure(&(crate::harness::sandbox::by_token(&sandbox.url) + more));
    let _listener = site.listen();
    let on_duty = |who: &str| {
        wait::until(&format!("{who} on call"), || {
            let found = site.sql("SELECT people FROM on_duty").unwrap_or_default();
            if found.contains(who) { Ok(()) } else { Err(format!("{found}\n{}", site.log())) }
        });
    };
    on_duty("alice@example.com");
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    let first = sandbox.wait_for_messages(1).remove(0);
    assert!(first["blocks"].to_string().contains("<@U0ALICE001>"), "{first}");
    wait::until("the group", || {
        let state = sandbox.get("state")["usergroups"].to_string();
        if state.contains("U0ALICE001") && !state.contains("U0BOB00001") {
            Ok(())
        } else {
            Err(format!("{state}\n{}", site.log()))
        }
    });
    // The calendar changes: the handover is told once, with what is open.
    shift("bob@example.com");
    on_duty("bob@example.com");
    let handover = wait::until("the handover", || {
        let is_it = |message: &Value| message["text"].as_str().is_some_and(|text| text.starts_with("On call for dba"));
        sandbox.messages().into_iter().find(is_it).ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
    });
    assert_eq!(handover["channel_name"], "db-alerts");
    let text = handover["text"].as_str().unwrap();
    assert!(
        text.contains("bob@example.com after alice@example.com")
            && text.contains("CRITICAL: Disk on web01, unanswered"),
        "{text}"
    );
    // A calendar that isn't one changes nobody's shift.
    std::fs::write(site.dir.path().join("dba.ics"), "<html>moved</html>").unwrap();
    wait::until("the complaint", || site.log().contains("the last good copy is used"));
    assert_eq!(site.sql("SELECT people FROM on_duty").unwrap(), "[\"bob@example.com\"]");
    sandbox.assert_respected();
}

/// Killed again and again, at whatever call it is: each step once, and none after the end. Slack may have a reply twice only
/// where the process died between its word and our note, which is one reply for each death.
#[test]
fn a_listener_that_is_killed_all_the_time_tells_each_step_once_in_the_outbox() {
    let sandbox = Sandbox::start(&["--burst", "999"]);
    let steps: String = (1..=6).map(|n| format!("[[escalate]]\nafter = \"{n}s\"\nmention = \"@oncall\"\n")).collect();
    let site = Site::with_token(&sandbox, &format!("[storm]\nthreshold = 99\n{steps}"));
    for host in ["a", "b", "c"] {
        site.service("PROBLEM", host, "Disk", "2", "full");
    }
    let mut lot = 7_u64;
    let started = std::time::Instant::now();
    let mut kills = 0;
    while started.elapsed() < Duration::from_secs(12) {
        let listener = site.listen();
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(20 + (lot >> 33) % 900));
        signal(listener.0.id(), "KILL");
        drop(listener);
        kills += 1;
    }
    site.service("RECOVERY", "a", "Disk", "0", "fine");
    let _listener = site.listen();
    let of =
        |host: &str| format!("SELECT COUNT(*) FROM notification WHERE id LIKE 'step %' AND object LIKE '%{host}%'");
    wait::until("the last step", || {
        site.sql("SELECT COUNT(*) FROM escalation WHERE done < 6000").is_ok_and(|left| left == "0")
    });
    wait::until("the rest", || site.queue()["waiting"] == 0);
    // Late ones are told together, so there may be fewer; no offset is told twice.
    let offsets = site.sql("SELECT id FROM notification WHERE id LIKE 'step %' ORDER BY id").unwrap();
    let all: Vec<&str> = offsets.lines().collect();
    let mut once = all.clone();
    once.dedup();
    assert_eq!(all, once);
    assert!(site.sql(&of("b")).unwrap().parse::<u32>().unwrap() >= 1, "{offsets}");
    for host in ["b", "c"] {
        let told: usize = site.sql(&of(host)).unwrap().parse().unwrap();
        let shown = channel_told(&sandbox).iter().filter(|text| text.contains(&format!("Disk on {host}"))).count();
        assert!((1..=told + kills).contains(&shown), "{host}: {shown} of {told}, {kills} kills");
    }
    assert_eq!(site.sql("SELECT COUNT(*) FROM escalation").unwrap(), "2", "nothing of what has recovered");
    println!("killed {kills} times");
}

#[test]
#[ignore = "needs faketime: tests/run"]
fn a_clock_that_jumps_an_hour_between_two_runs_tells_each_step_once() {
    for jump in ["-3600", "+3600"] {
        let sandbox = Sandbox::start(&["--burst", "99"]);
        let site = Site::with_token(&sandbox, STEPS);
        site.jump("+0");
        let listener = site.listen();
        site.service("PROBLEM", "web01", "Disk", "2", "full");
        wait_for_steps(&site, &sandbox, 1);
        assert_eq!(listener.stop(), Some(0));
        site.jump(jump);
        let _listener = site.listen();
        let second = || channel_told(&sandbox).iter().filter(|text| text.contains("told: @bob@example.com")).count();
        wait::until(&format!("the second step, {jump}"), || {
            if second() > 0 { Ok(()) } else { Err(format!("{:?}\n{}", sandbox.texts(), site.log())) }
        });
        site.service("PROBLEM", "later", "Disk", "2", "full");
        wait_for_steps(&site, &sandbox, 3);
        let of_first = channel_told(&sandbox).iter().filter(|text| text.contains("Disk on web01")).count();
        assert_eq!(of_first, 2, "{jump}: {:?}", channel_told(&sandbox));
    }
}

#[test]
fn a_changed_configuration_tells_what_is_still_to_come_and_nothing_twice() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::with_token(&sandbox, STEPS);
    let listener = site.listen();
    site.service("PROBLEM", "web01", "Disk", "2", "full");
    wait_for_steps(&site, &sandbox, 1);
    // The second step comes later now, and calls others.
    let changed = STEPS.replace("after = \"4s\"\nmention = \"@bob@example.com\"", "after = \"7s\"\nmention = \"here\"");
    site.configure(&(crate::harness::sandbox::by_token(&sandbox.url) + &changed));
    signal(listener.0.id(), "HUP");
    wait_for_steps(&site, &sandbox, 2);
    let texts = channel_told(&sandbox);
    assert!(texts[1].contains("told: @here"), "{texts:?}");
    assert_eq!(texts.len(), 2, "{texts:?}");
}

#[test]
fn what_can_wait_is_one_message_at_its_time_and_what_gets_worse_comes_at_once() {
    let sandbox = Sandbox::start(&["--burst", "99"]);
    let site = Site::new("");
    // In a minute and a half at most, and not before the last of them came.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let at = ((now + 20) / 60 + 1) % 1440;
    let hold = format!("[[route]]\nhold = \"{:02}:{:02}\"\n[storm]\nwindow = \"2s\"\n", at / 60, at % 60);
    site.configure(&(crate::harness::sandbox::by_token(&sandbox.url) + &hold));
    let _listener = site.listen();
    site.service("PROBLEM", "a", "Disk", "1", "nearly full");
    site.service("PROBLEM", "b", "Disk", "1", "nearly full");
    site.service("PROBLEM", "c", "Disk", "1", "nearly full");
    site.service("RECOVERY", "b", "Disk", "0", "fine");
    site.service("PROBLEM", "c", "Disk", "2", "full");
    // Nothing is late that can wait, and the queue says until when.
    wait::until("the reason", || site.queue().to_string().contains("held until "));
    let check = site.run(&["check", "-w", "0s", "-c", "0s"]);
    assert!(!crate::harness::process::text(&check.stdout).contains("oldest=-"), "{check:?}");
    // The worst isn't held at all.
    site.service("PROBLEM", "d", "Disk", "2", "full");
    let first = sandbox.wait_for_messages(2);
    let mut texts: Vec<&str> = first.iter().map(|message| message["text"].as_str().unwrap()).collect();
    texts.sort_unstable();
    assert!(texts[0].contains("CRITICAL: Disk on c") && texts[1].contains("CRITICAL: Disk on d"), "{texts:?}");
    assert!(!sandbox.texts().iter().any(|text| text.contains("Disk on a")), "{:?}", sandbox.texts());
    let digest = wait::until_within(Duration::from_secs(100), "the digest", || {
        let is_it =
            |message: &Value| message["text"].as_str().is_some_and(|text| text.starts_with("2 problems on 2 hosts"));
        sandbox.messages().into_iter().find(is_it).ok_or_else(|| format!("{:?}\n{}", sandbox.texts(), site.log()))
    });
    assert!(digest.to_string().contains("1 recovered") && digest.to_string().contains("held until"), "{digest}");
    wait::until("the rest", || site.queue()["waiting"] == 0);
    let of_a = sandbox.messages().iter().filter(|message| message["thread_ts"].is_null()).count();
    assert_eq!(of_a, 3, "{:?}", sandbox.texts());
    site.assert_all_delivered();
}
