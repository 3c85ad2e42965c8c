//! Clicks that reach a Naemon through its query handler and are read back from Livestatus. The core is played.

mod played;

use crate::harness::on_call::{OnCall, Way};
use crate::harness::process::text;
use crate::harness::wait;
use played::Naemon;

/// A Naemon's problem has such an id.
const PROBLEM: &str = "c455a08e-0c0f-4d5c-9f0a-3f6f8f1f2a11";

fn begin(more: &str) -> OnCall<Naemon> {
    let mut night = OnCall::prepare(Way::SocketMode, "500").beside(|site| Naemon::start(site.dir.path()));
    // No command file: there is none that is read.
    night.begin(&format!("{more}[core]\nkind = \"naemon\"\nquery_socket = \"naemon.qh\"\nlivestatus = \"live\"\n"));
    night
}

fn notify(night: &OnCall<Naemon>, kind: &str, service: &str, state: &str) {
    let id = if kind == "RECOVERY" { "--last-problem-id" } else { "--problem-id" };
    let arguments = ["notify", "--notificationtype", kind, "--hostname", "web01", "--servicedesc", service];
    let done = night.site.run(&[&arguments[..], &["--servicestate", state, id, PROBLEM]].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
}

#[test]
fn a_click_reaches_naemon_by_its_query_handler() {
    // Livestatus also says who is a contact of the object.
    let night = begin("[access]\nrequire_contact = true\n");
    notify(&night, "PROBLEM", "Disk", "CRITICAL");
    let card = night.expect("CRITICAL: Disk on web01");
    card.click_as("U0BOB00001", "acknowledge");
    wait::until("a refusal", || !night.sandbox.whispers().is_empty());
    assert!(night.core.with(|held| held.commands.is_empty()), "bob is no contact: {:?}", night.sandbox.whispers());
    card.click("acknowledge");
    let card = card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice");
    let commands = night.core.with(|held| held.commands.clone());
    let (time, command) = commands[0].split_once("] ").unwrap();
    assert!(time[1..].parse::<u64>().is_ok(), "{commands:?}");
    assert_eq!(command, "ACKNOWLEDGE_SVC_PROBLEM;web01;Disk;2;1;0;alice;acknowledged in Slack");
    card.click("unacknowledge");
    night.expect("ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on web01");
    assert!(night.core.with(|held| held.commands[1].ends_with("] REMOVE_SVC_ACKNOWLEDGEMENT;web01;Disk")));
    notify(&night, "RECOVERY", "Disk", "OK");
    card.becomes("RECOVERED, OK: Disk on web01");
    night.sandbox.assert_respected();
}

#[test]
#[ignore = "slow: tests/run"]
fn naemons_verdict_is_told() {
    let night = begin("");
    notify(&night, "PROBLEM", "Gone", "CRITICAL");
    let card = night.expect("CRITICAL: Gone on web01");
    card.click("acknowledge");
    night.told("the monitoring core refused it: Failed validation of service as type service (argument 0)");
    // Taken, and nothing comes of it.
    notify(&night, "PROBLEM", "Disk", "CRITICAL");
    let card = night.expect("CRITICAL: Disk on web01");
    night.core.with(|held| held.forgets = true);
    card.click("acknowledge");
    night.told("Sent to the monitoring core; the message updates once the core confirms.");
    night.told("Sent, but the core has not applied it: the monitoring core did not apply the command.");
    // A core whose query handler has no commands, as Nagios 4: Livestatus takes it.
    night.core.with(|held| (held.says, held.forgets) = (Some("404: command: No such handler"), false));
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice");
    let commands = night.core.with(|held| held.commands.clone());
    assert_eq!(commands.len(), 4, "to the handler, and then to Livestatus: {commands:?}");
    night.sandbox.assert_respected();
}
