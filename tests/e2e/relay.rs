//! A core that doesn't reach Slack: a relay beside it, and a listener that does.

use crate::harness::on_call::{OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::process::{Running, signal};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::json;
use std::time::{Duration, Instant};

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A listener with relays, and a machine with a core behind one of them.
struct Branch {
    night: OnCall,
    core: PlayedCore,
    relay: Option<Running>,
    site: Site,
}

impl Branch {
    fn new() -> Self {
        let mut night = OnCall::prepare(Way::Http, "500");
        night.begin(&format!("[cores.branch]\nrelay_token = \"{TOKEN}\"\n"));
        let site = satellite(&night, TOKEN);
        let core = PlayedCore::start(site.dir.path());
        let mut branch = Self { night, core, relay: None, site };
        branch.start();
        branch
    }

    /// The relay starts, and the listener knows it.
    fn start(&mut self) {
        self.relay = Some(self.site.listen());
        self.connected(true);
    }

    fn connected(&self, is: bool) {
        wait::until("the relay in the listener's status", || {
            let status = std::fs::read_to_string(self.night.site.state("listener.json")).unwrap_or_default();
            if status.contains(&format!("\"connected\":{is}")) { Ok(()) } else { Err(status) }
        });
    }

    fn falls_ill(&self, service: &str) -> crate::harness::on_call::Card {
        self.core.set("web01", service, 2);
        self.site.service("PROBLEM", "web01", service, "CRITICAL", "it broke");
        self.night.expect(&format!("CRITICAL: {service} on web01"))
    }
}

fn satellite(night: &OnCall, token: &str) -> Site {
    let config = std::fs::read_to_string(night.site.config()).unwrap();
    let address = config.lines().find_map(|line| line.strip_prefix("http = ")).unwrap().trim_matches('"').to_owned();
    Site::new(&format!("[relay]\nto = \"http://{address}\"\ntoken = \"{token}\"\n{}", PlayedCore::CONFIG))
}

#[test]
fn a_click_reaches_the_core_behind_the_relay_and_is_confirmed() {
    let branch = Branch::new();
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert_eq!(branch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 1);
    assert!(branch.core.is_acknowledged("web01", "Disk"));
    branch.core.set("web01", "Disk", 0);
    branch.site.service("RECOVERY", "web01", "Disk", "OK", "fine");
    card.becomes("RECOVERED, OK: Disk on web01");
    branch.night.ask("problems", "no problems");
    assert_eq!(branch.site.spooled("new"), 0);
    branch.night.site.assert_all_delivered();
    branch.night.sandbox.assert_respected();
}
