//! Cores that check the same each by themselves, and come by relays of their own.

use super::satellite;
use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::process::{Running, text};
use crate::harness::site::Site;
use crate::harness::wait;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const TOKENS: [(&str, &str); 2] = [
    ("m1.token", "11111111111111111111111111111111111111111111"),
    ("m2.token", "22222222222222222222222222222222222222222222"),
];

/// One of the two, with its relay.
struct Member {
    relay: Option<Running>,
    core: PlayedCore,
    site: Site,
}

impl Member {
    fn new<C>(night: &OnCall<C>, token: &str) -> Self {
        let site = satellite(&night.site, token);
        let core = PlayedCore::start(site.dir.path());
        let relay = Some(site.listen());
        Self { relay, core, site }
    }

    fn notices(&self, service: &str, state: u8) {
        notices(&self.core, &self.site, service, state);
    }
}

fn notices(core: &PlayedCore, site: &Site, service: &str, state: u8) {
    core.set("web01", service, state);
    let (kind, name) = if state == 0 { ("RECOVERY", "OK") } else { ("PROBLEM", "CRITICAL") };
    site.service(kind, "web01", service, name, "checked");
}

fn tokens<C>(night: &OnCall<C>, names: &[(&str, &str)]) {
    for (file, token) in names {
        let path = night.site.dir.path().join(file);
        fs::write(&path, token).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }
}

fn connected<C>(night: &OnCall<C>, relay: &str, is: bool) {
    wait::until("the relay in the listener's status", || {
        let status = fs::read_to_string(night.site.state("listener.json")).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
        if value["relays"][relay]["connected"] == is { Ok(()) } else { Err(status) }
    });
}

fn pair() -> (OnCall, [Member; 2]) {
    let mut night = OnCall::prepare(Way::Http, "500");
    tokens(&night, &TOKENS);
    night.begin("[cores.main]\nredundant = true\nrelay_token_file = [\"m1.token\", \"m2.token\"]\n");
    let members = TOKENS.map(|(_, token)| Member::new(&night, token));
    connected(&night, "main/m1", true);
    connected(&night, "main/m2", true);
    (night, members)
}

fn acknowledgements(core: &PlayedCore, service: &str) -> usize {
    core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", service)
}

fn only(night: &OnCall<impl Sized>, start: &str) -> Card {
    let card = night.expect(start);
    night.rests();
    let about = |text: &&String| text.contains(start.rsplit(": ").next().unwrap());
    assert_eq!(night.sandbox.texts().iter().filter(about).count(), 1, "{:?}", night.sandbox.texts());
    card
}

#[test]
fn a_click_reaches_both_cores_of_a_pair_and_one_that_has_it_is_enough() {
    let (night, mut members) = pair();
    for member in &members {
        member.notices("Disk", 2);
    }
    let card = only(&night, "CRITICAL: Disk on web01");
    // Each token is an origin, whatever the hosts call themselves.
    assert_eq!(night.site.sql("SELECT core || ' ' || name FROM origin ORDER BY name").unwrap(), "main m1\nmain m2");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    wait::until("both to have it", || members.iter().all(|member| member.core.is_acknowledged("web01", "Disk")));
    assert_eq!(members.each_ref().map(|member| acknowledgements(&member.core, "Disk")), [1, 1]);
    assert!(night.sandbox.whispers().is_empty(), "{:?}", night.sandbox.whispers());
    // It is over when both say so.
    members[0].notices("Disk", 0);
    night.rests();
    assert!(!night.sandbox.texts().iter().any(|text| text.starts_with("RECOVERED")), "{:?}", night.sandbox.texts());
    night.ask("problems", "Disk");
    members[1].notices("Disk", 0);
    card.becomes("RECOVERED, OK: Disk on web01");
    // A second host that notifies is what the configuration says.
    assert!(!text(&night.site.run(&["check"]).stdout).contains("redundant"));

    // One is away: the other has it, and the person learns of the rest.
    members[1].relay = None;
    connected(&night, "main/m2", false);
    members[0].notices("Load", 2);
    let card = only(&night, "CRITICAL: Load on web01");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Load on web01");
    night.told("Sent, but not to all cores of main: the relay of main/m2 isn't connected (last seen ");
    assert_eq!(acknowledgements(&members[1].core, "Load"), 0);
    // Both are away.
    members[0].notices("Big", 2);
    let card = only(&night, "CRITICAL: Big on web01");
    members[0].relay = None;
    connected(&night, "main/m1", false);
    card.click("acknowledge");
    wait::until("the reply", || {
        let replies = format!("{:?}", night.sandbox.whispers());
        let names = ["relay of main/m1 isn't connected (last seen ", "relay of main/m2 isn't connected (last seen "];
        if names.iter().all(|name| replies.contains(name)) { Ok(()) } else { Err(replies) }
    });
    assert!(!members[0].core.is_acknowledged("web01", "Big"));
}

#[test]
fn of_a_pair_one_core_may_be_on_the_listeners_machine() {
    let mut night = OnCall::prepare(Way::Http, "500").beside(|site| PlayedCore::start(site.dir.path()));
    tokens(&night, &TOKENS[1..]);
    let own = PlayedCore::CONFIG.replace("[core]", "[cores.main]\nredundant = true\nrelay_token_file = \"m2.token\"");
    night.begin(&own);
    let other = Member::new(&night, TOKENS[1].1);
    connected(&night, "main/m2", true);
    night.core.set("web01", "Disk", 2);
    let here = ["notify", "--core", "main", "--notificationtype", "PROBLEM", "--hostname", "web01"];
    let done = night.site.run(&[&here[..], &["--servicedesc", "Disk", "--servicestate", "CRITICAL"]].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    other.notices("Disk", 2);
    let card = only(&night, "CRITICAL: Disk on web01");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    wait::until("both to have it", || {
        night.core.is_acknowledged("web01", "Disk") && other.core.is_acknowledged("web01", "Disk")
    });
    // Of the own core the listener reads the files itself, and its doctor looks at both.
    let doctor = text(&night.site.run(&["doctor"]).stdout);
    assert!(doctor.contains("the core takes them by its command file"), "{doctor}");
    assert!(doctor.contains("[main/m2] relay"), "{doctor}");
}

#[test]
fn two_relays_of_one_core_that_does_not_check_twice_get_a_command_once() {
    let mut night = OnCall::prepare(Way::Http, "500");
    tokens(&night, &TOKENS);
    night.begin("[cores.main]\nrelay_token_file = [\"m1.token\", \"m2.token\"]\n");
    let members = TOKENS.map(|(_, token)| Member::new(&night, token));
    connected(&night, "main/m1", true);
    connected(&night, "main/m2", true);
    for member in &members {
        member.notices("Disk", 2);
    }
    let card = only(&night, "CRITICAL: Disk on web01");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    let sent: usize = members.iter().map(|member| acknowledgements(&member.core, "Disk")).sum();
    assert_eq!(sent, 1);
}
