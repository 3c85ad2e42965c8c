//! People who may nothing fire whatever the grammar has, as fast as they can.

use super::{ALICE, GUEST, told_after};
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::is_long;
use crate::harness::sandbox::Sandbox;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// All together.
const SHOTS: usize = 10_000;
/// How long is fired at most, without `LONG`.
const SPAN: Duration = Duration::from_secs(60);
/// Several of each kind, as the pace of one is bounded.
const EACH: usize = 40;

/// A generator that is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    /// Something that the grammar of the slash command has a word for, and things it hasn't.
    fn order(&mut self) -> String {
        const VERBS: [&str; 13] = [
            "problems",
            "status",
            "ack",
            "unack",
            "downtime",
            "recheck",
            "subscribe",
            "unsubscribe",
            "subscriptions",
            "whoami",
            "help",
            "problmes",
            "",
        ];
        const OBJECTS: [&str; 10] = [
            "web01",
            "web01/Disk",
            "web0?",
            "web*/D*",
            "\"web01\"/\"Disk\"",
            "wbe01",
            "a/a/a/a",
            "!web01",
            "*",
            "“web01/Disk”",
        ];
        const KEYS: [&str; 8] = ["host", "service", "core", "state", "type", "hostgroup", "var.team", "colour"];
        let mut text = self.one(&VERBS).to_owned();
        match self.roll(8) {
            0 => {
                // The longest lists that there are.
                let many = |letter| (0..150).map(|i| format!("{letter}{i}")).collect::<Vec<_>>().join(",");
                write!(text, " host={} service={} core={}", many('a'), many('b'), many('c')).unwrap();
            }
            1 => write!(text, " {}", "a/".repeat(self.roll(1800))).unwrap(),
            2 => write!(text, " host={}", "*a".repeat(self.roll(1200))).unwrap(),
            _ => {
                for _ in 0..self.roll(4) {
                    match self.roll(3) {
                        0 => write!(text, " {}={}", self.one(&KEYS), self.one(&OBJECTS)).unwrap(),
                        1 => write!(
                            text,
                            " {}",
                            self.one(&["2h", "--public", "--core", "critical", "why not", "\"", "<!channel>"])
                        )
                        .unwrap(),
                        _ => write!(text, " {}", self.one(&OBJECTS)).unwrap(),
                    }
                }
            }
        }
        text
    }
}

/// Who may nothing: guests, strangers, members whom no rule allows anything.
fn crowd() -> (Vec<String>, Value) {
    let mut users = Vec::new();
    for i in 0..EACH {
        users.push(json!({"id": format!("U0GST{i:05}"), "name": format!("guest{i}"), "guest": "single"}));
        users.push(json!({"id": format!("U0STR{i:05}"), "name": format!("stranger{i}"), "team": "T0FAR"}));
        users.push(json!({"id": format!("U0MEM{i:05}"), "name": format!("member{i}")}));
    }
    let ids = users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
    (ids, json!({ "users": users }))
}

/// One after the other; how many were fired.
fn fire(sandbox: &Sandbox, card: &Value, ids: &[String], seed: u64, stop: &AtomicBool) -> usize {
    const BUTTONS: [(&str, &str); 6] = [
        ("acknowledge", ""),
        ("acknowledge_with", ""),
        ("more", "downtime"),
        ("more", "recheck"),
        ("more", "stop_notifications"),
        ("acknowledge", ""),
    ];
    let (mut dice, mut fired) = (Dice(seed), 0);
    while fired < SHOTS / 2 && !stop.load(Ordering::Relaxed) {
        let user = &ids[dice.roll(ids.len())];
        if dice.roll(4) == 0 {
            let (button, option) = BUTTONS[dice.roll(BUTTONS.len())];
            let mut click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": button, "user": user});
            if !option.is_empty() {
                click["option"] = json!(option);
            }
            let answer = sandbox.order("click", &click);
            // Once it is acknowledged the card has other buttons.
            assert!(
                answer["status"] == 200
                    || answer["error"].to_string().contains("element")
                    || answer["error"].to_string().contains("option"),
                "{answer}"
            );
        } else {
            let order = json!({"command": "/ackbell", "text": dice.order(), "channel": "#ops", "user": user});
            let answer = sandbox.order("slash", &order);
            assert_eq!(answer["status"], 200, "{answer}");
        }
        fired += 1;
    }
    fired
}

/// The most memory that the process ever had, in kB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn ten_thousand_orders_and_clicks_of_those_who_may_nothing_cost_little_and_tell_nothing() {
    let rules = format!("[[access.rule]]\nallow = \"{ALICE}\"\n[[access.rule]]\ndeny = \"*\"\n");
    let night = OnCall::with_nagios(Way::Http, &rules);
    let card = night.falls_ill("Disk", "THE-SECRET-OUTPUT");
    let (ids, users) = crowd();
    night.sandbox.tell("state", &users);
    let (stop, url) = (AtomicBool::new(false), night.sandbox.url.clone());
    let started = Instant::now();
    let fired: usize = std::thread::scope(|scope| {
        let guns: Vec<_> = [1, 2]
            .map(|seed| {
                let (url, card, ids, stop) = (&url, &card, &ids, &stop);
                scope.spawn(move || fire(&Sandbox::at(url), card, ids, seed, stop))
            })
            .into();
        // Long enough that everybody's pace is spent.
        std::thread::sleep(Duration::from_secs(5));
        // Somebody else meanwhile: the click is answered at once, the question soon, and the core holds it.
        let click = card.click("acknowledge");
        assert!(click["ms"].as_u64().unwrap() < 1000, "{click}");
        let asked = Instant::now();
        let order = json!({"command": "/ackbell", "text": "whoami", "channel": "#ops", "user": ALICE});
        let answer = told_after(&night, ALICE, "whoami", || drop(night.sandbox.order("slash", &order)));
        println!("a question was answered after {:?}: {}", asked.elapsed(), answer.len());
        night.wait_for_log("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice");
        wait::until("the end of the fire", || {
            is_long() || started.elapsed() > SPAN || guns.iter().all(std::thread::ScopedJoinHandle::is_finished)
        });
        stop.store(!is_long(), Ordering::Relaxed);
        guns.into_iter().map(|gun| gun.join().unwrap()).sum()
    });
    let peak = peak(night.pid());
    println!("{fired} in {:?}; peak {peak} kB", started.elapsed());
    assert!(fired > 1000, "{fired}");
    assert!(peak < 64 * 1024, "{peak} kB");
    let commands = night.core.log().matches("EXTERNAL COMMAND").count();
    assert_eq!(commands, 1, "alice's: {}", night.core.log());
    let words = night
        .sandbox
        .messages()
        .into_iter()
        .filter(|message| message["ephemeral_for"].as_str().is_some_and(|user| user != ALICE));
    for words in words.map(|message| message.to_string()) {
        for secret in ["THE-SECRET", "Web 01", "CRITICAL", ":tada:", "Did you mean `web", "by alice"] {
            assert!(!words.contains(secret), "{words}");
        }
    }
    assert!(!night.sandbox.views().iter().any(|view| view["type"] == "modal"));
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn what_one_person_taps_again_and_again_holds_up_nobody_elses() {
    let night = OnCall::with_nagios(Way::Http, "");
    let card = night.falls_ill("Disk", "full");
    // As far as Slack is from some.
    night.sandbox.tell("faults", &json!({"faults": [{"kind": "slow", "delay_ms": 700, "method": "response_url"}]}));
    let tap = |user: &str, button: &str| drop(card.click_as(user, button));
    for _ in 0..20 {
        tap(GUEST, "acknowledge_with");
        tap(GUEST, "acknowledge");
    }
    // Until the first of them was told, and the others are.
    night.told("Guests aren't allowed to use these actions.");
    let started = Instant::now();
    tap(ALICE, "acknowledge_with");
    wait::until("alice's form", || night.sandbox.views().iter().any(|view| view["type"] == "modal"));
    tap(ALICE, "acknowledge");
    night.wait_for_log("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    night.told("Guests aren't allowed to use these actions.");
    // Between the last forms and the acts of the guest, and once for each of what came together.
    let told = night
        .sandbox
        .whispers()
        .iter()
        .filter(|words| words.contains("Guests aren't allowed to use these actions."))
        .count();
    assert!(told < 40, "{told}");
}
