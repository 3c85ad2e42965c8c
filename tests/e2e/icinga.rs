//! A real Icinga 2: its notifications by the definitions that we ship, and clicks that reach it through its API.

mod daemon;

use crate::shift::Shift;
use crate::world::{Site, wait_until};
use daemon::Icinga;
use serde_json::{Value, json};
use std::time::Duration;

/// The configuration's tables for this core.
fn core(icinga: &Icinga, password: &str, more: &str) -> String {
    format!(
        "{more}[core]\nkind = \"icinga2\"\napi_url = \"{}\"\napi_user = \"ackbell\"\napi_password = \"{password}\"\n\
         api_ca_file = \"cert.pem\"\n",
        icinga.url
    )
}

const PASSWORD: &str = "pass; word";

fn begin(more: &str) -> (Shift, Icinga) {
    let mut shift = Shift::prepare();
    let icinga = Icinga::start(&shift.site);
    shift.begin(&core(&icinga, PASSWORD, more));
    readable(&shift.site);
    (shift, icinga)
}

/// The core's user runs `notify`.
fn readable(site: &Site) {
    let owned = std::process::Command::new("chown").arg("nagios:nagios").arg(site.config()).status().unwrap();
    assert!(owned.success());
}

/// The newest comment of an acknowledgement.
fn acknowledgement(icinga: &Icinga) -> Value {
    let comments = icinga.all("comments").into_iter().filter(|comment| comment["entry_type"] == 4.0);
    comments.max_by_key(|comment| comment["entry_time"].as_f64().unwrap() as i64).unwrap()
}

#[test]
fn a_click_is_an_acknowledgement_that_icinga_holds() {
    let (shift, icinga) = begin("");
    // No shell is in the way: whatever a plugin prints arrives whole.
    icinga.found("Service/web01!Disk", 2, "it's \"full\" `id` $HOME ; & C:\\\nsecond line");
    let card = shift.wait("CRITICAL: Disk on Web 01 · it's \"full\" `id` $HOME ; &");
    assert!(card.to_string().contains("second line") && card.to_string().contains("192.0.2.10"), "{card}");
    let click = shift.sandbox.click(&card, "acknowledge", &json!({}));
    assert!(click["ms"].as_u64().unwrap() < 1000, "Slack waits 3 s: {click}");
    // A second tap acts once.
    shift.sandbox.click(&card, "acknowledge", &json!({}));
    shift.becomes(&card, "ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice");
    assert_eq!(icinga.attributes("services/web01!Disk")["acknowledgement"], 2.0, "sticky");
    let comment = acknowledgement(&icinga);
    assert_eq!((&comment["author"], &comment["text"]), (&json!("alice"), &json!("acknowledged in Slack")));
    // The core's own notification of it changes nothing.
    std::thread::sleep(Duration::from_secs(3));
    let replies = shift.sandbox.messages().into_iter().filter(|message| message["thread_ts"] == card["ts"]).count();
    assert_eq!(replies, 1, "{:?}", shift.sandbox.texts());
    assert_eq!(icinga.log().matches("Request: POST /v1/actions/acknowledge-problem").count(), 1, "{}", icinga.log());
    icinga.found("Service/web01!Disk", 0, "fine again");
    shift.becomes(&card, "RECOVERED, OK: Disk on Web 01");
    shift.sandbox.assert_respected();
}

#[test]
fn an_expiry_is_icingas_own_business() {
    let (shift, icinga) = begin("[acknowledge]\nexpire = [\"1m\", \"1h\"]\n");
    icinga.found("Service/web01!Disk", 2, "full");
    let card = shift.wait("CRITICAL: Disk on Web 01");
    let values = json!({"comment": "looking; \"really\"\nü <!channel>", "options": ["persistent"], "expire": "3600"});
    shift.fill_in(&card, "acknowledge_with", &json!({}), &values);
    let shown = shift.becomes(&card, "ACKNOWLEDGED, CRITICAL: Disk on Web 01 · acknowledged by alice");
    let held = icinga.attributes("services/web01!Disk");
    assert_eq!(held["acknowledgement"], 1.0, "not sticky: {held}");
    let left =
        held["acknowledgement_expiry"].as_f64().unwrap() - std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((3540.0..=3600.0).contains(&left), "{left}");
    let comment = acknowledgement(&icinga);
    assert_eq!((&comment["author"], &comment["persistent"]), (&json!("alice"), &json!(true)), "{comment}");
    assert_eq!(comment["text"], "looking; \"really\" ü <!channel>", "{comment}");
    // The person's own end.
    shift.sandbox.click(&shown, "unacknowledge", &json!({}));
    shift.becomes(&card, "ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on Web 01");
    assert_eq!(icinga.attributes("services/web01!Disk")["acknowledgement"], 0.0);
    // Icinga's end: we send nothing.
    let card = shift.becomes(&card, "ACKNOWLEDGEMENT REMOVED");
    let values = json!({"comment": "a minute", "options": ["sticky"], "expire": "60"});
    shift.fill_in(&card, "acknowledge_with", &json!({}), &values);
    shift.becomes(&card, "ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    wait_until("Icinga to end it", Duration::from_secs(100), || {
        icinga.attributes("services/web01!Disk")["acknowledgement"] == 0.0
    });
    let removals = icinga.log().matches("Request: POST /v1/actions/remove-acknowledgement").count();
    assert_eq!(removals, 1, "the person's alone: {}", icinga.log());
    shift.sandbox.assert_respected();
}
