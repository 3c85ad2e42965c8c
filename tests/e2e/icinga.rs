//! A real Icinga 2: its notifications by the definitions that we ship, and clicks that reach it through its API.

pub(crate) mod daemon;

use crate::cores::Program;
use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::wait;
use daemon::Icinga;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

/// The configuration's tables for this core.
/// Whom the core names: Icinga 2 has no contact for her here.
const ALICE: &str = "alice (Slack U0ALICE001)";

fn core(icinga: &Icinga, password: &str, more: &str) -> String {
    format!(
        "{more}[core]\nkind = \"icinga2\"\napi_url = \"{}\"\napi_user = \"ackbell\"\napi_password = \"{password}\"\n\
         api_ca_file = \"icinga/data/certs/ca.crt\"\n",
        icinga.url
    )
}

const PASSWORD: &str = "pass; wört:1";

fn begin(more: &str) -> OnCall<Icinga> {
    let mut night = OnCall::prepare(Way::SocketMode, "500").beside(Icinga::start);
    night.begin(&core(&night.core, PASSWORD, more));
    night
}

/// A second way to this Icinga's API: it hands everything on, and swallows the answer to every action.
fn swallowing(url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, url) = (listener.local_addr().unwrap(), url.to_owned());
    let tls = ureq::tls::TlsConfig::builder()
        .disable_verification(true)
        .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).build().into();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut path, mut headers, mut line) = (String::new(), Vec::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                match line.trim_end().split_once(": ") {
                    Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                    None => line.split(' ').nth(1).unwrap_or_default().clone_into(&mut path),
                }
                line.clear();
            }
            let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
            let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut request = agent.post(format!("{url}{path}"));
            for name in ["authorization", "accept", "content-type", "x-http-method-override"] {
                if let Some(value) = header(name) {
                    request = request.header(name, value);
                }
            }
            let mut answer = request.send(&body[..]).unwrap();
            let (status, text) = (answer.status(), answer.body_mut().read_to_string().unwrap());
            if !path.starts_with("/v1/actions/") {
                let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
                let _ = reader.get_mut().write_all((head + &text).as_bytes());
            }
        }
    });
    format!("http://{address}")
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn behind_two_addresses_a_command_whose_answer_is_lost_is_looked_for_and_given_once() {
    let mut night = OnCall::prepare(Way::SocketMode, "500").beside(Icinga::start);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let second = swallowing(&night.core.url);
    let one = format!("api_url = \"{}\"", night.core.url);
    let all = format!("api_url = [\"http://{nobody}\", \"{second}\", \"{}\"]", night.core.url);
    night.begin(&core(&night.core, PASSWORD, "").replace(&one, &all));
    night.core.found("Service/web01!Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice");
    let log = night.core.log();
    assert_eq!(log.matches("Request: POST /v1/actions/acknowledge-problem").count(), 1, "{log}");
    // The first is down, and somebody is told so though the core is reached.
    wait::until("check to warn", || {
        let check = text(&night.site.run(&["check"]).stdout);
        if check.contains(&format!("http://{nobody} hasn't answered")) { Ok(()) } else { Err(check) }
    });
    night.core.found("Service/web01!Disk", 0, "fine again");
    card.becomes("RECOVERED, OK: Disk on Web 01");
}

/// The newest comment of an acknowledgement.
fn acknowledgement(icinga: &Icinga) -> Value {
    let comments = icinga.all("comments").into_iter().filter(|comment| comment["entry_type"] == 4.0);
    comments.max_by(|a, b| a["entry_time"].as_f64().unwrap().total_cmp(&b["entry_time"].as_f64().unwrap())).unwrap()
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn a_click_is_an_acknowledgement_that_icinga_holds() {
    let night = begin("");
    // No shell is in the way: whatever a plugin prints arrives whole.
    night.core.found("Service/web01!Disk", 2, "it's \"full\" `id` $HOME ; & C:\\\nsecond line");
    let card = night.expect("CRITICAL: Disk on Web 01 · it's \"full\" `id` $HOME ; &");
    assert!(card.to_string().contains("second line") && card.to_string().contains("192.0.2.10"), "{card}");
    let click = card.click("acknowledge");
    assert!(click["ms"].as_u64().unwrap() < 1000, "Slack waits 3 s: {click}");
    // A second tap acts once.
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice");
    assert_eq!(night.core.attributes("services/web01!Disk")["acknowledgement"], 2.0, "sticky");
    let comment = acknowledgement(&night.core);
    assert_eq!((&comment["author"], &comment["text"]), (&json!(ALICE), &json!("acknowledged in Slack")));
    // The core's own notification of it changes nothing.
    night.core.found("Service/web01!Load", 1, "high");
    night.expect("WARNING: Load on Web 01");
    night.rests();
    assert_eq!(card.replies().len(), 1, "{:?}", night.sandbox.texts());
    assert_eq!(
        night.core.log().matches("Request: POST /v1/actions/acknowledge-problem").count(),
        1,
        "{}",
        night.core.log()
    );
    night.core.found("Service/web01!Disk", 0, "fine again");
    card.becomes("RECOVERED, OK: Disk on Web 01");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn an_expiry_is_icingas_own_business() {
    let night = begin("[acknowledge]\nexpire = [\"1m\", \"1h\"]\n");
    night.core.found("Service/web01!Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    let values = json!({"comment": "looking; \"really\"\nü <!channel>", "options": ["persistent"], "expire": "3600"});
    card.fill_in("acknowledge_with", None, &values);
    let shown = card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice");
    let held = night.core.attributes("services/web01!Disk");
    assert_eq!(held["acknowledgement"], 1.0, "not sticky: {held}");
    let left =
        held["acknowledgement_expiry"].as_f64().unwrap() - std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((3540.0..=3600.0).contains(&left), "{left}");
    let comment = acknowledgement(&night.core);
    assert_eq!((&comment["author"], &comment["persistent"]), (&json!(ALICE), &json!(true)), "{comment}");
    assert_eq!(comment["text"], "looking; \"really\" ü <!channel>", "{comment}");
    // The person's own end.
    shown.click("unacknowledge");
    night.expect("ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on Web 01 · acknowledgement removed by alice");
    let card = card.becomes("CRITICAL: Disk on Web 01");
    assert_eq!(night.core.attributes("services/web01!Disk")["acknowledgement"], 0.0);
    // Icinga's end: we send nothing.
    let values = json!({"comment": "a minute", "options": ["sticky"], "expire": "60"});
    card.fill_in("acknowledge_with", None, &values);
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    wait::until("Icinga to end it", || night.core.attributes("services/web01!Disk")["acknowledgement"] == 0.0);
    let removals = night.core.log().matches("Request: POST /v1/actions/remove-acknowledgement").count();
    assert_eq!(removals, 1, "the person's alone: {}", night.core.log());
    // Icinga told nobody: it is looked at when it should have ended.
    card.becomes("CRITICAL: Disk on Web 01");
    night.expect(
        "ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on Web 01 · acknowledgement removed by alice (Slack U0ALICE001) · its time is over",
    );
    let removals = night.core.log().matches("Request: POST /v1/actions/remove-acknowledgement").count();
    assert_eq!(removals, 1, "there was nothing to remove: {}", night.core.log());
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn downtime_check_and_silence_reach_icinga() {
    let night = begin("");
    night.core.found("Service/web01!Check", 2, "bad");
    let card = night.expect("CRITICAL: Check on Web 01 · bad");
    card.choose("recheck");
    night.told("Checked: Check on Web 01 is WARNING. checked again");
    let card = card.becomes("STILL WARNING: Check on Web 01");
    card.choose("stop_notifications");
    night.expect("NOTIFICATIONS STOPPED, WARNING: Check on Web 01");
    assert_eq!(night.core.attributes("services/web01!Check")["enable_notifications"], false);
    card.choose("resume_notifications");
    night.expect("NOTIFICATIONS RESUMED, WARNING: Check on Web 01");
    assert_eq!(night.core.attributes("services/web01!Check")["enable_notifications"], true);
    night.core.found("Host/web01", 1, "no ping");
    let card = night.expect("DOWN: Web 01 · no ping");
    let values = json!({"comment": "power", "length": "1800", "services": ["services"], "kind": "flexible"});
    card.fill_in("more", Some("downtime"), &values);
    card.becomes("IN DOWNTIME, DOWN: Web 01");
    let mut downtimes = night.core.all("downtimes");
    downtimes.sort_by_key(|downtime| downtime["service_name"].as_str().unwrap().to_owned());
    let services: Vec<&str> = downtimes.iter().map(|downtime| downtime["service_name"].as_str().unwrap()).collect();
    assert_eq!(services, ["", "Check", "Disk", "Load"], "the host and all of its services");
    for downtime in &downtimes {
        let said = ["author", "comment", "fixed", "duration"].map(|key| downtime[key].clone());
        assert_eq!(said, [json!(ALICE), json!("power"), json!(false), json!(1800)], "{downtime}");
        let length = downtime["end_time"].as_i64().unwrap() - downtime["start_time"].as_i64().unwrap();
        assert_eq!(length, 1800, "{downtime}");
    }
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn what_icinga_refuses_is_told_as_what_it_is() {
    let mut night = begin("");
    night.core.found("Service/web01!Disk", 2, "full");
    let card = night.expect("CRITICAL: Disk on Web 01");
    night.site.service("PROBLEM", "gone", "Disk", "CRITICAL", "of another core");
    let stranger = night.expect("CRITICAL: Disk on gone");
    stranger.click("acknowledge");
    night.told("the monitoring core refused it: it doesn't know Disk on gone");
    // It recovered, and nobody told us: a dependency, a downtime, a lost notification.
    night.site.service("PROBLEM", "web01", "Load", "CRITICAL", "high");
    let recovered = night.expect("CRITICAL: Load on web01");
    recovered.click("acknowledge");
    night.told("the monitoring core refused it: Service web01!Load is OK");
    // Another password than the API user's.
    night.begin(&core(&night.core, "wrong", ""));
    card.click("acknowledge");
    night.told("the Icinga 2 API refuses ackbell's login (401, unknown user or wrong password); check api_user");
    assert_eq!(night.core.attributes("services/web01!Disk")["acknowledgement"], 0.0);
    // Nobody is there.
    night.begin(&core(&night.core, PASSWORD, ""));
    night.core.halt();
    card.click("acknowledge");
    night.told("the monitoring core can't be reached by its Icinga 2 API: ");
    let steps = night.site.run(&["audit", "--json", "--step", "failed"]);
    assert_eq!(text(&steps.stdout).lines().count(), 4, "{}", text(&steps.stdout));
    night.sandbox.assert_respected();
}

/// What people call its objects is asked of the API: for rules, and for who writes it.
#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn a_display_name_is_found_and_denied_behind_the_slash() {
    let night = begin("[[access.rule]]\ndeny = \"U0BOB00001\"\naction = \"recheck\"\nhost = \"Web 0?\"\n");
    let ask = |user: &str, text: &str, words: &str| {
        let order = json!({"command": "/ackbell", "text": text, "channel": "#ops", "user": user});
        assert_eq!(night.sandbox.order("slash", &order)["ok"], true);
        let told = || night.sandbox.whispers().iter().any(|told| told.contains(words));
        wait::until(words, told);
    };
    ask("U0ALICE001", "status \"Web 01/Disk\"", "*Disk on Web 01* is");
    ask("U0BOB00001", "recheck web01/Disk", "You may not order checks here.");
    assert!(!night.core.log().contains("POST /v1/actions/reschedule-check"), "{}", night.core.log());
    night.sandbox.assert_respected();
}

/// Its compat log, as its own writer writes it, has the very problems that the memory has from what was notified.
#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn what_the_compat_log_tells_is_known_from_what_was_notified() {
    let writer =
        "library \"compat\"\nobject CompatLogger \"compatlog\" { log_dir = LogDir, rotation_method = \"NONE\" }\n";
    let night = OnCall::prepare(Way::SocketMode, "500");
    let mut night = night.beside(|site| Icinga::start_with(site, Program::Here("icinga2".into()), writer));
    night.begin(&core(&night.core, PASSWORD, ""));
    night.core.found("Service/web01!Disk", 2, "full; really");
    let card = night.expect("CRITICAL: Disk on Web 01");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    night.core.found("Service/web01!Disk", 0, "fine again");
    card.becomes("RECOVERED, OK: Disk on Web 01");
    night.core.found("Host/web01", 1, "no ping");
    let card = night.expect("DOWN: Web 01");
    night.core.found("Host/web01", 0, "ping");
    card.becomes("RECOVERED, UP: Web 01");
    night.rests();
    let log = night.site.dir.path().join("icinga/log/icinga.log").display().to_string();
    wait::until("the log", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("RECOVERY (UP)")));
    let imported = night.run(&["history", "import", &log]);
    assert!(imported.contains("2 problems found, 0 added, 2 known already"), "{imported}");
}
