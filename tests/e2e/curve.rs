//! Curves: what a card shows of the last hours of a value, where that comes from, and what happens when a source fails.

mod grafana;
mod kills;
mod rrd;
mod source;

use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::process::{signal, text};
use crate::harness::sandbox::{TOKEN, by_token};
use crate::harness::site::Site;
use crate::harness::wait;
use rrd::make_rrd;
use serde_json::{Value, json};
use source::{Server, graphite, ok};
use std::sync::atomic::Ordering;

const HOUR: i64 = 3600;

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// `notify` for a service with these figures, as of now or a time.
fn notify(site: &Site, service: &str, perfdata: &str, more: &[&str]) {
    let mut line = vec!["notify", "--hostname", "web01", "--servicedesc", service, "--notificationtype", "PROBLEM"];
    line.extend(["--servicestate", "2", "--output", service, "--perfdata", perfdata]);
    line.extend(more);
    let done = site.run(&line);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
}

/// What all blocks of a message show.
fn shown(message: &Value) -> String {
    let blocks = |of: &Value| of["blocks"].as_array().cloned().unwrap_or_default();
    let all = blocks(message).into_iter().chain(blocks(&message["attachments"][0]));
    all.filter_map(|block| block["text"]["text"].as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

/// Waits until the card shows these words.
#[track_caller]
fn shows(night: &OnCall, card: &Card, words: &str) -> Value {
    wait::until(&format!("\"{words}\""), || {
        let message = card.now();
        if shown(&message).contains(words) {
            Ok((*message).clone())
        } else {
            Err(format!("{message}\n{}", night.site.log()))
        }
    })
}

#[test]
#[ignore = "needs rrdtool: tests/run"]
fn a_card_gets_its_curve_by_an_edit_that_changes_nothing_else() {
    let mut night = OnCall::prepare(Way::Http, "500");
    let perfdata = night.site.dir.path().join("perfdata");
    make_rrd(&perfdata, "Disk.rrd", 7, |seconds| {
        format!("{}", 60.0 + f64::from(i32::try_from(seconds).unwrap()) / 720.0)
    });
    night.begin(&format!(
        "[curve]\nrrd = \"{}\"\n[[route]]\nmatch = {{ service = \"Disk\" }}\nto = [\"#ops\"]\nmention = [\"here\"]\n",
        perfdata.display()
    ));
    notify(&night.site, "Disk", "used=95%;80;90", &["--time", &(now() - 600).to_string()]);
    let card = night.expect("CRITICAL: Disk on web01");
    let with = shows(&night, &card, "used ▁");
    let curve = shown(&with);
    assert!(curve.contains("Last 6 h: from 65.") && curve.contains(" % to 9"), "{curve}");
    assert!(curve.contains("Above 90 % (crit) for ") && curve.contains("from ┊ on. Full in"), "{curve}");
    assert!(curve.contains("<!here>"), "whoever was mentioned still is: {curve}");
    let late = |message: &Value| message["attachments"][0]["blocks"].to_string().contains("delivered 10 min late");
    assert!(late(&card) && late(&with), "it is as late as it was: {with}");
    // Later edits show it, too, until it is over; it comes once.
    night.run(&[
        "notify",
        "--hostname",
        "web01",
        "--servicedesc",
        "Disk",
        "--notificationtype",
        "ACKNOWLEDGEMENT",
        "--servicestate",
        "2",
        "--author",
        "Alice",
        "--comment",
        "mine",
    ]);
    let acknowledged = card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert!(shown(&acknowledged).contains("used ▁"), "{acknowledged}");
    night.run(&[
        "notify",
        "--hostname",
        "web01",
        "--servicedesc",
        "Disk",
        "--notificationtype",
        "RECOVERY",
        "--servicestate",
        "0",
    ]);
    let over = card.becomes("RECOVERED, OK: Disk on web01");
    assert!(!shown(&over).contains("▁"), "nothing grows any more: {over}");
    night.rests();
    assert_eq!(night.site.queue()["dead"], 0);
    night.sandbox.assert_respected();
}

#[test]
fn a_listener_that_is_killed_during_the_look_up_adds_the_curve_once() {
    let server = Server::start(|_| ok(graphite()));
    server.after_ms.store(4000, Ordering::Relaxed);
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin(&format!("[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", server.url));
    notify(&night.site, "Disk", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: Disk on web01");
    wait::until("the look-up", || server.asked().len() == 1);
    signal(night.pid(), "KILL");
    server.after_ms.store(0, Ordering::Relaxed);
    night.listen();
    shows(&night, &card, "Last 1 h: from 70 % to 95 %.");
    notify(&night.site, "Other", "", &[]);
    night.expect("CRITICAL: Other on web01");
    night.rests();
    assert_eq!(night.site.log().matches("step=curve").count(), 1, "{}", night.site.log());
    night.sandbox.assert_respected();
}

#[test]
fn a_picture_goes_into_the_thread_once_and_only_where_the_token_may_write_files() {
    let server = Server::start(|_| ok(graphite()));
    let mut night = OnCall::prepare(Way::Http, "500");
    allow_files(&night);
    let config =
        format!("[curve]\npicture = true\n[curve.graphite]\nurl = \"{}\"\ntarget = \"{{host}}\"\n", server.url);
    night.begin(&config);
    notify(&night.site, "Disk", "used=95%;80;90", &[]);
    let card = night.expect("CRITICAL: Disk on web01");
    shows(&night, &card, "Last 1 h: from 70 % to 95 %.");
    let picture = wait::until("the picture", || pictures(&night).pop());
    assert_eq!(picture["thread_ts"], card["ts"], "{picture}");
    let file = &night.sandbox.get("files")[0];
    assert!(file["alt_txt"].as_str().unwrap().starts_with("Disk on web01: Last 1 h: from 70 % to 95 %"), "{file}");
    assert!(file["bytes"].as_str().unwrap().starts_with("iVBORw0KGgo"), "a PNG: {file}");
    // Without the right the card says what it knows, and nothing else.
    night.sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": "chat:write,chat:write.public"}}}));
    notify(&night.site, "Other", "used=95%;80;90", &[]);
    let other = night.expect("CRITICAL: Other on web01");
    shows(&night, &other, "Last 1 h: from 70 % to 95 %.");
    wait::until("the reason", || night.site.log().contains("no picture of a curve integration=default"));
    night.rests();
    assert_eq!(pictures(&night).len(), 1);
    let doctor = text(&night.site.run(&["doctor"]).stdout);
    assert!(doctor.contains("files:write"), "{doctor}");
    night.sandbox.assert_respected();
}

fn pictures(night: &OnCall) -> Vec<Value> {
    night.sandbox.messages().into_iter().filter(|message| message["raw"]["files"].is_array()).collect()
}

/// The token may upload files, too.
fn allow_files(night: &OnCall) {
    let manifest: Value = serde_json::from_str(include_str!("../../contrib/slack/socket-mode.json")).unwrap();
    let known = manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().clone();
    let known: Vec<&str> = known.iter().filter_map(|scope| scope.as_str()).collect();
    let scopes = format!("{},files:write", known.join(","));
    night.sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": scopes}}}));
}

/// Without any other source: the notifications themselves, where they are many enough.
#[test]
fn notifications_alone_make_a_coarse_curve() {
    let mut night = OnCall::prepare(Way::Http, "500");
    night.begin("[curve]\n");
    for (n, value) in [(5, 60), (4, 70), (3, 80), (2, 85)] {
        let at = (now() - n * HOUR).to_string();
        notify(&night.site, "Disk", &format!("used={value}%;50;90"), &["--time", &at]);
    }
    notify(&night.site, "Disk", "used=92%;50;90", &[]);
    let card = night.expect("CRITICAL: Disk on web01");
    let with = shows(&night, &card, "Last 5 h: from 60 % to 92 %.");
    assert!(!shown(&with).contains("pace"), "five values are no line: {with}");
    night.sandbox.assert_respected();
}

#[test]
fn mistakes_in_the_configuration_are_explained() {
    let night = OnCall::prepare(Way::Http, "500");
    let complaint = |more: &str| {
        night.site.configure(&format!("{}{more}", by_token(&night.sandbox.url)));
        let done = night.site.run(&["config", "check"]);
        format!("{}{}", text(&done.stdout), text(&done.stderr))
    };
    for (more, wanted) in [
        ("[curve]\nnotifications = false\n", "[curve] has no source"),
        ("[curve]\nrrd = \"perfdata\"\n", "\"perfdata\" isn't an absolute path"),
        ("[curve]\nspan = \"5m\"\n", "too short for a curve"),
        ("[curve.graphite]\nurl = \"http://graphite.example.com\"\ntarget = \"{host}\"\n", "use https://"),
        (
            "[curve.graphite]\nurl = \"https://u:p@graphite.example.com\"\ntarget = \"{host}\"\n",
            "has a login or a query in it",
        ),
        ("[curve.graphite]\nurl = \"https://graphite.example.com\"\n", "[curve.graphite] without \"target\""),
        ("[curve.prometheus]\nurl = \"https://p.example.com\"\nquery = \"up\"\n", "names no object"),
        ("[curve.grafana]\n", "[curve.grafana] without \"url\""),
        (
            "[curve.grafana]\nurl = \"https://g.example.com/d/u1/disk?viewPanel=4\"\n",
            "the address isn't that of one panel",
        ),
        (
            "[curve.grafana]\nurl = \"https://g.example.com/d-solo/u1/disk?panelId=4\"\n",
            "[curve.grafana] has no effect without pictures",
        ),
        (
            "[curve.prometheus]\nurl = \"https://p.example.com\"\nquery = \"{host}\"\nuser = \"x\"\n",
            "the login of [curve.prometheus] isn't whole",
        ),
    ] {
        let found = complaint(more);
        assert!(found.contains(wanted), "{more}: {found}");
    }
}
