//! A notification of every type and state: for `preview`, the golden files and template checks.

use crate::model::notification::{EXAMPLE_TIME, Fields, Notification};
use crate::model::problem::Problem;
use crate::model::template;
use crate::rules::digest::{Below, DigestStats};

/// The first is an ordinary service problem.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn samples() -> Vec<(String, Notification)> {
    let mut all = vec![("service-critical".to_owned(), Notification::example())];
    let mut add = |name: &str, set: &[(&'static str, &str)]| {
        let mut fields = Fields::example();
        for (key, value) in set {
            fields.put(key, value);
        }
        all.push((name.to_owned(), fields.into_notification(EXAMPLE_TIME)));
    };
    let disk = "DISK CRITICAL - free space: / 1043 MB (3% inode=94%)";
    let ack = ("comment", "Looking into it, old logs most likely");
    let service: [(&'static str, &str); 2] = [("servicedesc", "Disk"), ("servicestate", "2")];
    let with = |more: &[(&'static str, &'static str)]| [&service[..], more].concat();
    add(
        "service-warning",
        &[
            ("servicedesc", "Load"),
            ("servicestate", "1"),
            ("output", "WARNING - load average: 5.20, 4.11, 2.95"),
            ("perfdata", "load1=5.2;5;10;0; load5=4.11;4;6;0;"),
        ],
    );
    add(
        "service-unknown",
        &[
            ("servicedesc", "SNMP"),
            ("servicestate", "3"),
            ("output", "External command error: Timeout: No Response from 192.0.2.10"),
        ],
    );
    add("service-still-critical", &with(&[("output", disk), ("notification-number", "3"), ("duration", "2520")]));
    add(
        "service-recovery",
        &[
            ("servicedesc", "Disk"),
            ("servicestate", "0"),
            ("notificationtype", "RECOVERY"),
            ("output", "DISK OK - free space: / 15 GB (42%)"),
            ("perfdata", "/=20992MB;30000;33000;0;36000"),
        ],
    );
    add(
        "service-acknowledgement",
        &with(&[("notificationtype", "ACKNOWLEDGEMENT"), ("author", "Alice Example"), ack, ("output", disk)]),
    );
    add("service-flappingstart", &with(&[("notificationtype", "FLAPPINGSTART"), ("output", disk)]));
    add("service-flappingstop", &with(&[("notificationtype", "FLAPPINGSTOP"), ("output", disk)]));
    add("service-flappingdisabled", &with(&[("notificationtype", "FLAPPINGDISABLED"), ("output", disk)]));
    add(
        "service-downtimestart",
        &with(&[("notificationtype", "DOWNTIMESTART"), ("author", "bob"), ("comment", "Kernel upgrade")]),
    );
    add("service-downtimeend", &with(&[("notificationtype", "DOWNTIMEEND")]));
    add("service-downtimecancelled", &with(&[("notificationtype", "DOWNTIMECANCELLED"), ("author", "bob")]));
    add(
        "service-custom",
        &with(&[
            ("notificationtype", "CUSTOM"),
            ("author", "bob"),
            ("comment", "Please leave this to the night shift"),
            ("output", disk),
        ]),
    );
    add("service-other-type", &with(&[("notificationtype", "ESCALATION"), ("output", disk)]));
    add("service-other-state", &[("servicedesc", "Disk"), ("servicestate", "PENDING"), ("output", "no data yet")]);
    add(
        "host-down",
        &[
            ("hoststate", "1"),
            ("output", "PING CRITICAL - Packet loss = 100%"),
            ("perfdata", "rta=0ms;3000;5000;0; pl=100%;80;100;0;100"),
        ],
    );
    add("host-unreachable", &[("hoststate", "2"), ("output", "the router in front of it is down")]);
    add(
        "host-recovery",
        &[
            ("hoststate", "0"),
            ("notificationtype", "RECOVERY"),
            ("output", "PING OK - Packet loss = 0%, RTA = 0.80 ms"),
        ],
    );
    add(
        "host-acknowledgement",
        &[
            ("hoststate", "1"),
            ("notificationtype", "ACKNOWLEDGEMENT"),
            ("author", "Alice Example"),
            ack,
            ("output", "PING CRITICAL"),
        ],
    );
    add(
        "host-flappingstart",
        &[("hoststate", "1"), ("notificationtype", "FLAPPINGSTART"), ("output", "PING CRITICAL")],
    );
    add("host-flappingstop", &[("hoststate", "0"), ("notificationtype", "FLAPPINGSTOP"), ("output", "PING OK")]);
    add(
        "host-flappingdisabled",
        &[("hoststate", "0"), ("notificationtype", "FLAPPINGDISABLED"), ("output", "PING OK")],
    );
    add(
        "host-downtimestart",
        &[("hoststate", "0"), ("notificationtype", "DOWNTIMESTART"), ("author", "bob"), ("comment", "Move to rack 12")],
    );
    add("host-downtimeend", &[("hoststate", "0"), ("notificationtype", "DOWNTIMEEND")]);
    add("host-downtimecancelled", &[("hoststate", "0"), ("notificationtype", "DOWNTIMECANCELLED"), ("author", "bob")]);
    add(
        "host-custom",
        &[
            ("hoststate", "0"),
            ("notificationtype", "CUSTOM"),
            ("author", "bob"),
            ("comment", "Reboot at 18:00"),
            ("output", "PING OK"),
        ],
    );
    add(
        "hostile",
        &[
            ("hostname", "<!channel>*web*01"),
            ("servicedesc", "`Disk` & <https://evil.example|click>"),
            ("servicestate", "2"),
            ("output", "```<!here> <@U0ALICE001> & \"quotes\" 'single' $HOME `id` ; | äöü 😀"),
            ("comment", "*bold* _it_ ~no~"),
            ("action-url", "javascript:alert(1)"),
            ("notes-url", "https://example.com/a|b c>d"),
        ],
    );
    all
}

/// The first sample that the template fails on, and why.
pub(crate) fn failing_sample(source: &str) -> Option<String> {
    let mut samples = samples().into_iter();
    samples.find_map(|(name, sample)| template::try_on(source, &sample).err().map(|why| format!("{name}: {why}")))
}

/// Problems as their messages show them some time after they began.
pub(crate) fn problem_samples() -> Vec<(String, Problem)> {
    let notified = |kind: &str, state: &str, minutes: i64, more: &[(&'static str, &str)]| {
        let mut fields = Fields::example();
        for (key, value) in [("servicedesc", "Disk"), ("notificationtype", kind), ("servicestate", state)] {
            fields.put(key, value);
        }
        for (key, value) in more {
            fields.put(key, value);
        }
        Notification { time: EXAMPLE_TIME + minutes * 60, ..fields.into_notification(EXAMPLE_TIME) }
    };
    let output = ("output", "DISK CRITICAL - free space: / 1043 MB (3% inode=94%)");
    let ack = [("author", "Alice Example"), ("comment", "Looking into it, old logs most likely"), output];
    let mut problem = Problem::begin(&notified("PROBLEM", "1", 0, &[output]));
    let mut shown = Vec::new();
    for (name, next) in [
        ("living-worse", notified("PROBLEM", "2", 5, &[output, ("perfdata", "/=34957MB;30000;33000;0;36000")])),
        ("living-acknowledged", notified("ACKNOWLEDGEMENT", "2", 9, &ack)),
        (
            "living-in-downtime",
            notified("DOWNTIMESTART", "2", 20, &[("author", "Bob Example"), ("comment", "new disk")]),
        ),
        ("living-recovered", notified("RECOVERY", "0", 42, &[("output", "DISK OK - free space: / 15 GB (42%)")])),
    ] {
        let mut changed = problem.clone();
        let _ = changed.apply(&next);
        shown.push((name.to_owned(), changed.clone()));
        if name != "living-in-downtime" {
            problem = changed;
        }
    }
    shown
}

/// A storm, in the middle of it.
pub(crate) fn storm() -> DigestStats {
    let down = |host: &str| {
        let mut fields = Fields::default();
        for (key, value) in [("hostname", host), ("hoststate", "1"), ("output", "PING CRITICAL - Packet loss = 100%")] {
            fields.put(key, value);
        }
        Problem::begin(&fields.into_notification(EXAMPLE_TIME))
    };
    let service = |state: &str, output: &str| {
        let mut fields = Fields::default();
        for (key, value) in
            [("hostname", "app07"), ("servicedesc", "HTTP"), ("servicestate", state), ("output", output)]
        {
            fields.put(key, value);
        }
        Problem::begin(&fields.into_notification(EXAMPLE_TIME + 20))
    };
    let below = |hosts, services| Below { hosts, services };
    DigestStats {
        problems: 47,
        hosts: 31,
        recovered: 12,
        acknowledged: 3,
        ranks: [0, 6, 29],
        first: EXAMPLE_TIME * 1000,
        last: EXAMPLE_TIME * 1000 + 90_000,
        worst: vec![
            (down("switch-3"), below(0, 0)),
            (down("db01"), below(0, 9)),
            (down("db02"), below(0, 7)),
            (service("2", "HTTP CRITICAL - No data received from host"), below(0, 0)),
            (service("1", "HTTP WARNING: 4.2 s response time"), below(0, 0)),
        ],
        unnamed: 14,
        covers: 0,
        was_deferred: false,
    }
}
