//! Facts in, line and level out.

use super::*;
use crate::monitoring::shell::DangerKind;
use crate::state_dir::listener_status::{Skew, Socket, StatusNote};
use crate::store::{KnownNode, NodeBeat, PausedIntegration, Summary};

const NOW: i64 = 1_800_000_000;
const THRESHOLDS: Thresholds = Thresholds {
    warning_age: Duration::from_secs(300),
    critical_age: Duration::from_secs(900),
    warning_queue: 100,
    critical_queue: 1000,
};

fn status() -> ListenerStatus {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ListenerStatus { version, pid: 7, since: NOW - 1000, heartbeat: NOW - 2, ..ListenerStatus::default() }
}

/// A listener runs, nothing waits.
fn well() -> Facts {
    Facts {
        audit_head: None,
        now: NOW,
        listener: Some(Ok(Listener::Runs(status()))),
        spool: Some(Ok(Spool::default())),
        has_database: false,
        outbox: Some(Ok(Health::default())),
        config: Some(Configured::Good { takes_callbacks: true, template: None, missing: Vec::new() }),
        cores: BTreeMap::from([(String::new(), CommandTransport::Open)]),
        closed_state: None,
        dangers: Vec::new(),
        origins: BTreeMap::new(),
        nodes: Vec::new(),
        installs: Vec::new(),
        node: "a".into(),
        machine: String::new(),
    }
}

fn runs(change: impl FnOnce(&mut ListenerStatus)) -> Facts {
    let mut status = status();
    change(&mut status);
    Facts { listener: Some(Ok(Listener::Runs(status))), ..well() }
}

fn failure(reason: &str) -> StatusNote {
    StatusNote { reason: reason.into(), at: NOW - 60 }
}

fn outbox(change: impl FnOnce(&mut Health)) -> Facts {
    let mut health = Health::default();
    change(&mut health);
    Facts { outbox: Some(Ok(health)), ..well() }
}

fn waiting(waiting: i64, age: i64) -> Facts {
    outbox(|health| {
        health.summary = Summary { waiting, oldest: Some((NOW - age) * 1000), ..Summary::default() };
    })
}

fn head(facts: &Facts) -> String {
    let text = judge(facts, &THRESHOLDS).text();
    text.split(" | ").next().unwrap().to_owned()
}

#[test]
fn all_is_well_in_one_line_with_perfdata() {
    let text = judge(&well(), &THRESHOLDS).text();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "ACKBELL OK - nothing waits, the listener {version} runs | waiting=0;100;1000;0 oldest=0s;300;900;0 dead=0;;1;0 bad=0;;1;0"
    );
    assert_eq!(text, expected);
    let alone = Facts {
        listener: Some(Ok(Listener::None { lock_holder: None })),
        config: Some(Configured::Good { takes_callbacks: false, template: None, missing: Vec::new() }),
        ..waiting(2, 130)
    };
    assert_eq!(head(&alone), "ACKBELL OK - 2 messages waiting, the oldest for 2 min, notify delivers by itself");
}

#[test]
fn the_queues_thresholds_hold() {
    for (count, age, expected) in [
        (1, 299, "ACKBELL OK - 1 message waiting for 4 min, "),
        (1, 300, "ACKBELL WARNING - 1 message waiting for 5 min"),
        (2, 900, "ACKBELL CRITICAL - 2 messages waiting, the oldest for 15 min"),
        (99, 1, "ACKBELL OK - 99 messages waiting, the oldest for 1 s, "),
        (100, 1, "ACKBELL WARNING - 100 messages waiting, the oldest for 1 s"),
        (1000, 7300, "ACKBELL CRITICAL - 1000 messages waiting, the oldest for 2 h"),
    ] {
        let line = head(&waiting(count, age));
        assert!(line.starts_with(expected), "{line}");
    }
    let spool = Some(Ok(Spool { files: 3, oldest: Some(NOW - 400), bad: 0 }));
    let both = Facts { spool, ..waiting(1, 10) };
    assert_eq!(head(&both), "ACKBELL WARNING - 4 messages waiting, the oldest for 6 min");
}

#[test]
fn what_is_lost_or_can_not_go_on_is_critical() {
    let paused = |reason: &str, needs_repair| PausedIntegration {
        integration: "default".into(),
        reason: reason.into(),
        needs_repair,
    };
    for (facts, expected) in [
        (
            outbox(|health| {
                health.summary.dead = 2;
                health.dead_reason = Some("is_archived".into());
            }),
            "ACKBELL CRITICAL - 2 dead messages given up (the last: is_archived)",
        ),
        (
            Facts { spool: Some(Ok(Spool { bad: 1, ..Spool::default() })), ..well() },
            "ACKBELL CRITICAL - 1 spool file can't be read and isn't delivered",
        ),
        (
            outbox(|health| health.pauses = vec![paused("invalid_auth", true)]),
            "ACKBELL CRITICAL - [default] can't deliver: invalid_auth",
        ),
        (
            outbox(|health| health.pauses = vec![paused("timed out", false)]),
            "ACKBELL OK - nothing waits, the listener 0.1.0 runs",
        ),
        (
            Facts { listener: Some(Ok(Listener::None { lock_holder: None })), ..well() },
            "ACKBELL CRITICAL - no listener runs: clicks in Slack reach nobody",
        ),
        (
            Facts { listener: Some(Ok(Listener::Died(status()))), ..well() },
            "ACKBELL CRITICAL - the listener died: process 7 was last seen 2 s ago",
        ),
        (
            Facts {
                listener: Some(Ok(Listener::Stuck(ListenerStatus { heartbeat: NOW - 600, ..status() }))),
                ..well()
            },
            "ACKBELL CRITICAL - the listener is stuck: process 7 holds the delivery lock and has been silent for 10 min",
        ),
    ] {
        assert_eq!(head(&facts), expected);
    }
}

#[test]
fn what_the_listener_noted_is_judged() {
    let skew = |seconds, at| runs(|status| status.skew = Some(Skew { seconds, at }));
    let socket = |change: fn(&mut Socket)| {
        let mut socket = Socket { connected: true, since: NOW - 3600, connections: 1, ..Socket::default() };
        change(&mut socket);
        runs(|status| drop(status.sockets.insert("default".into(), socket)))
    };
    for (facts, expected) in [
        (runs(|status| status.version = "9.0.0".into()), "WARNING - the listener is ackbell 9.0.0, this is 0.1.0"),
        (
            runs(|status| status.interrupted = Some(failure("No space left on device"))),
            "CRITICAL - delivery has been interrupted for 60 s: No space left on device",
        ),
        (
            runs(|status| status.refused = Some(failure("ackbell.toml:3:1: unknown key\n  3 | x\n"))),
            "WARNING - the listener refused the configuration 60 s ago: ackbell.toml:3:1: unknown key",
        ),
        (
            runs(|status| status.http = Some(failure("127.0.0.1:9277: in use"))),
            "CRITICAL - the HTTP listener isn't open: 127.0.0.1:9277: in use",
        ),
        (skew(59, NOW), "OK - nothing waits, the listener 0.1.0 runs"),
        (skew(-61, NOW), "WARNING - this machine's clock is 61 s behind Slack's: at 300 s every click is refused"),
        (skew(600, NOW), "CRITICAL - this machine's clock is 600 s ahead of Slack's: at 300 s every click is refused"),
        (skew(600, NOW - 90_000), "OK - nothing waits, the listener 0.1.0 runs"),
        (socket(|_| ()), "OK - nothing waits, the listener 0.1.0 runs"),
        (
            socket(|socket| socket.other_connections = 1),
            "WARNING - [default] 1 other connection of the app: Slack sends some clicks there, and this listener never sees them",
        ),
        (
            socket(|socket| (socket.connected, socket.error) = (false, Some("invalid_auth".into()))),
            "CRITICAL - [default] has had no Socket Mode connection for 60 min: invalid_auth",
        ),
        (
            runs(|status| drop(status.commands.insert(String::new(), failure("nobody reads it")))),
            "WARNING - the last command wasn't handed over 60 s ago: nobody reads it",
        ),
        (
            runs(|status| {
                let down = BTreeMap::from([("tcp:b:6557".to_owned(), failure("refused"))]);
                status.addresses_down.insert("branch".into(), down);
            }),
            "WARNING - [cores.branch] tcp:b:6557 hasn't answered for 60 s: refused",
        ),
    ] {
        assert_eq!(head(&facts).strip_prefix("ACKBELL "), Some(expected));
    }
}

#[test]
fn a_broken_configuration_is_worse_without_a_listener() {
    let broken = || Some(Configured::Broken { first: "a.toml:1:1: no".into(), count: 3 });
    let line = head(&Facts { config: broken(), ..well() });
    assert_eq!(
        line,
        "ACKBELL WARNING - the configuration is broken: a.toml:1:1: no (and 2 more); the listener goes on with the old one and wouldn't start again"
    );
    let line = head(&Facts { config: broken(), listener: Some(Ok(Listener::None { lock_holder: None })), ..well() });
    assert_eq!(
        line,
        "ACKBELL CRITICAL - the configuration is broken: a.toml:1:1: no (and 2 more); nothing is delivered"
    );
}

#[test]
fn what_can_not_be_seen_is_said_and_never_called_well() {
    let verdict = judge(&Facts { now: NOW, ..Facts::default() }, &THRESHOLDS);
    assert_eq!(verdict.level, Level::Unknown);
    let text = verdict.text();
    assert!(text.contains("| waiting=U;100;1000;0 oldest=U;300;900;0 dead=U;;1;0 bad=U;;1;0"), "{text}");
    for part in ["the spool", "the outbox", "the listener", "the configuration"] {
        assert!(text.contains(&format!("not seen: {part} can't be seen: it took too long")), "{text}");
    }
    // A known fault wins.
    let dead = Health { summary: Summary { dead: 1, ..Summary::default() }, ..Health::default() };
    let verdict = judge(&Facts { now: NOW, outbox: Some(Ok(dead)), ..Facts::default() }, &THRESHOLDS);
    assert_eq!(verdict.level, Level::Critical);
}

#[test]
fn no_text_begins_another_line_or_the_perfdata() {
    let shut = CommandTransport::Closed("a|b\nACKBELL OK".into());
    let text = judge(&Facts { cores: BTreeMap::from([("x".into(), shut)]), ..well() }, &THRESHOLDS).text();
    assert!(
        text.starts_with("ACKBELL WARNING - the core \"x\" takes no commands: a/b ACKBELL OK | waiting=0"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn what_lets_a_text_reach_a_shell_is_a_warning_with_its_remedy() {
    let danger = |what, found: &str| Danger { what, found: found.into(), remedy: "mend it".into() };
    let dangers = vec![danger(DangerKind::Output, "no line"), danger(DangerKind::Quote, "a quote")];
    let text = judge(&Facts { dangers, ..well() }, &THRESHOLDS).text();
    assert!(text.starts_with("ACKBELL WARNING - no line; a quote | "), "{text}");
    let remedy = "ackbell doctor says what to set";
    assert!(text.ends_with(&format!("\nWARNING: no line\n  {remedy}\nWARNING: a quote\n  {remedy}")), "{text}");
}

#[test]
fn a_second_host_that_notifies_is_told_with_the_three_remedies() {
    let origins = BTreeMap::from([("main".to_owned(), vec!["mon1".to_owned(), "mon2".to_owned()])]);
    let text = judge(&Facts { origins, ..well() }, &THRESHOLDS).text();
    assert!(text.starts_with("ACKBELL WARNING - 2 hosts notify for core \"main\": mon1, mon2 | "), "{text}");
    for remedy in ["redundant = true in [cores.main]", "redundant = false", "ackbell notify --core NAME"] {
        assert!(text.contains(remedy), "{text}");
    }
}

fn node(name: &str, change: impl FnOnce(&mut KnownNode)) -> KnownNode {
    let mut beat = NodeBeat::of(name, String::new(), vec!["main".into()], "1".into());
    beat.version = "0.1.0".into();
    let mut node = KnownNode { beat, age_ms: 3000, leads: name == "a" };
    change(&mut node);
    node
}

#[test]
fn the_nodes_are_known_and_what_differs_between_them_is_told() {
    let line = |nodes: Vec<KnownNode>| {
        let text = judge(&Facts { nodes, ..well() }, &THRESHOLDS).text();
        let (head, rest) = text.split_once(" | ").unwrap();
        let note = rest.lines().find_map(|line| line.strip_prefix("note: ")).unwrap_or_default();
        format!("{head}; {note}")
    };
    let well = |name| node(name, |_| ());
    let ok = "ACKBELL OK - nothing waits, the listener 0.1.0 runs";
    assert_eq!(line(vec![well("a")]), format!("{ok}; node a delivers"));
    assert_eq!(line(vec![well("b"), well("a"), well("c")]), format!("{ok}; node a delivers; b, c are ready"));
    for (changed, expected) in [
        (node("b", |node| node.age_ms = 240_000), "node b was last seen 4 min ago; node a delivers"),
        (
            node("b", |node| node.beat.version = "0.2.0".into()),
            "not all nodes run ackbell 0.1.0, as a does: b; node a delivers; b is ready",
        ),
        (
            node("b", |node| node.beat.config = "2".into()),
            "the configuration of node a isn't that of b; node a delivers; b is ready",
        ),
    ] {
        assert_eq!(line(vec![well("a"), changed]), format!("ACKBELL WARNING - {expected}"));
    }
    let copy = node("a", |node| node.beat.machine = "copy".into());
    let taken = "another machine's listener has the name \"a\", too: seen 3 s ago";
    assert_eq!(line(vec![copy]), format!("ACKBELL CRITICAL - {taken}; node a delivers"));
    let nobody = line(vec![node("a", |node| node.leads = false), well("b")]);
    assert_eq!(nobody, "ACKBELL WARNING - no node delivers now; a, b could; ");
}

#[test]
fn a_core_of_another_nodes_machine_takes_its_commands_there() {
    let shut = || CommandTransport::Closed("there is no command file".into());
    let facts = |nodes| Facts { nodes, cores: BTreeMap::from([("main".to_owned(), shut())]), ..well() };
    let told = |nodes| head(&facts(nodes));
    let closed = "ACKBELL WARNING - the core \"main\" takes no commands: there is no command file";
    assert_eq!(told(vec![node("a", |_| ())]), closed, "itself");
    let gone = node("b", |node| node.age_ms = 16_000);
    assert!(told(vec![gone]).contains("takes no commands"));
    assert_eq!(told(vec![node("a", |_| ()), node("b", |_| ())]), head(&well()));
}

#[test]
fn a_database_that_is_away_is_critical_and_told_once() {
    let away = |is_away, reason: &str| Some(Err(Unread { reason: reason.to_owned(), is_away }));
    let gone = || away(true, "the database a at b gave no answer within 1.5 s");
    let told = |facts: Facts| head(&Facts { has_database: true, outbox: gone(), ..facts });
    assert_eq!(told(well()), "ACKBELL CRITICAL - the database a at b gave no answer within 1.5 s");
    let interrupted = |reason: &str| runs(|status| status.interrupted = Some(failure(reason)));
    let once =
        "ACKBELL CRITICAL - delivery has been interrupted for 60 s: the database a at b gave no answer within 4.5 s";
    // It waits longer for an answer than this check does.
    let listener = || interrupted("the database a at b gave no answer within 4.5 s");
    assert_eq!(told(listener()), once);
    let old = Facts { has_database: true, outbox: away(false, "its schema is of version 9"), ..listener() };
    assert_eq!(head(&old), once.replace("- delivery", "- its schema is of version 9; delivery"));
}
