//! Clicks that reach a Naemon through its query handler and are read back from Livestatus. The core is played.

mod played;

use crate::shift::Shift;
use crate::world::{text, wait_until};
use played::Naemon;
use serde_json::json;
use std::time::Duration;

/// A Naemon's problem has such an id.
const PROBLEM: &str = "c455a08e-0c0f-4d5c-9f0a-3f6f8f1f2a11";

fn begin(more: &str) -> (Shift, Naemon) {
    let mut shift = Shift::prepare();
    let naemon = Naemon::start(shift.site.dir.path());
    // No command file: there is none that is read.
    shift.begin(&format!("{more}[core]\nkind = \"naemon\"\nquery_socket = \"naemon.qh\"\nlivestatus = \"live\"\n"));
    (shift, naemon)
}

fn notify(shift: &Shift, kind: &str, service: &str, state: &str) {
    let id = if kind == "RECOVERY" { "--last-problem-id" } else { "--problem-id" };
    let arguments = ["notify", "--notificationtype", kind, "--hostname", "web01", "--servicedesc", service];
    let done = shift.site.run(&[&arguments[..], &["--servicestate", state, id, PROBLEM]].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
}

#[test]
fn a_click_reaches_naemon_by_its_query_handler() {
    // Livestatus also says who is a contact of the object.
    let (shift, naemon) = begin("[access]\nrequire_contact = true\n");
    notify(&shift, "PROBLEM", "Disk", "CRITICAL");
    let card = shift.wait("CRITICAL: Disk on web01");
    shift.sandbox.click(&card, "acknowledge", &json!({"user": "U0BOB00001"}));
    wait_until("a refusal", Duration::from_secs(10), || !shift.sandbox.whispers().is_empty());
    assert!(naemon.with(|held| held.commands.is_empty()), "bob is no contact: {:?}", shift.sandbox.whispers());
    shift.sandbox.click(&card, "acknowledge", &json!({}));
    let card = shift.becomes(&card, "ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice");
    let commands = naemon.with(|held| held.commands.clone());
    let (time, command) = commands[0].split_once("] ").unwrap();
    assert!(time[1..].parse::<u64>().is_ok(), "{commands:?}");
    assert_eq!(command, "ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice;acknowledged in Slack");
    shift.sandbox.click(&card, "unacknowledge", &json!({}));
    shift.wait("ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on web01");
    assert!(naemon.with(|held| held.commands[1].ends_with("] REMOVE_SVC_ACKNOWLEDGEMENT;web01;Disk")));
    notify(&shift, "RECOVERY", "Disk", "OK");
    shift.becomes(&card, "RECOVERED, OK: Disk on web01");
    shift.sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn naemons_verdict_is_told() {
    let (shift, naemon) = begin("");
    notify(&shift, "PROBLEM", "Gone", "CRITICAL");
    let card = shift.wait("CRITICAL: Gone on web01");
    shift.sandbox.click(&card, "acknowledge", &json!({}));
    shift.told("the monitoring core refused it: Failed validation of service as type service (argument 0)");
    // Taken, and nothing comes of it.
    notify(&shift, "PROBLEM", "Disk", "CRITICAL");
    let card = shift.wait("CRITICAL: Disk on web01");
    naemon.with(|held| held.forgets = true);
    shift.sandbox.click(&card, "acknowledge", &json!({}));
    shift.told("Sent to the monitoring core; the message changes once the core holds it.");
    shift.told("Sent, but the core has not taken it: the monitoring core did not apply the command.");
    // A core whose query handler has no commands, as Nagios 4: Livestatus takes it.
    naemon.with(|held| (held.says, held.forgets) = (Some("404: command: No such handler"), false));
    shift.sandbox.click(&card, "acknowledge", &json!({}));
    shift.becomes(&card, "ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice");
    let commands = naemon.with(|held| held.commands.clone());
    assert_eq!(commands.len(), 4, "to the handler, and then to Livestatus: {commands:?}");
    shift.sandbox.assert_respected();
}
