//! Two real nagios4, each in a network namespace that reaches the centre and nothing else, with a relay beside each.

use crate::harness::nagios::Nagios;
use crate::harness::on_call::{Card, OnCall, Way};
use crate::harness::process::{ACKBELL, Running, free_port, text};
use crate::harness::site::Site;
use crate::harness::wait;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A network namespace with one wire, to the centre.
struct Zone {
    name: String,
    wire: String,
    /// The centre's end.
    centre: String,
}

impl Zone {
    fn new(number: u8) -> Self {
        let pid = std::process::id();
        let (name, wire) = (format!("bell{pid}-{number}"), format!("ab{}-{number}", pid % 10_000));
        let centre = format!("10.97.{number}.1");
        let far = format!("{wire}f");
        ip(&["netns", "add", &name]);
        ip(&["link", "add", &wire, "type", "veth", "peer", "name", &far, "netns", &name]);
        ip(&["addr", "add", &format!("{centre}/30"), "dev", &wire]);
        ip(&["link", "set", &wire, "up"]);
        let inside = |arguments: &[&str]| ip(&[&["-n", &name], arguments].concat());
        inside(&["link", "set", "lo", "up"]);
        inside(&["addr", "add", &format!("10.97.{number}.2/30"), "dev", &far]);
        inside(&["link", "set", &far, "up"]);
        Self { name, wire, centre }
    }

    fn cut(&self) {
        ip(&["link", "set", &self.wire, "down"]);
    }

    fn mend(&self) {
        ip(&["link", "set", &self.wire, "up"]);
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", text(&done.stderr));
}

/// A core in its zone, with its relay. The processes end before the zone does.
struct Satellite {
    relay: Option<Running>,
    core: Nagios,
    site: Site,
    zone: Zone,
}

impl Satellite {
    fn new(number: u8, token: &str, port: u16, ca: &str) -> Self {
        let zone = Zone::new(number);
        let config = format!(
            "[relay]\nto = \"https://{}:{port}\"\ntoken = \"{token}\"\nca_file = \"{ca}\"\n[core]\nmain_config = \"nagios.cfg\"\n",
            zone.centre
        );
        let site = Site::new(&config);
        let core = Nagios::start_in(&site, "ackbell", false, Some(zone.name.clone()));
        let mut satellite = Self { relay: None, core, site, zone };
        satellite.start();
        satellite
    }

    fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.site.dir.path().join("log")).unwrap();
        let config = self.site.config();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.zone.name, ACKBELL, "--config"]).arg(config).arg("listen");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.relay = Some(Running(child));
        wait::until("the relay", || self.site.log().contains("listening as a relay"));
    }

    /// The core holds one acknowledgement of the service, which it got once.
    fn acknowledged(&self, service: &str) {
        wait::until("the acknowledgement in the core", || {
            let blocks = self.core.status("servicestatus", &format!("service_description={service}\n"));
            blocks.iter().any(|block| block.contains("problem_has_been_acknowledged=1"))
        });
        assert_eq!(self.commands(service), 1, "{}", self.core.log());
    }

    fn commands(&self, service: &str) -> usize {
        self.core.log().matches(&format!("EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;web01;{service};")).count()
    }
}

/// The cards whose text starts so, in order.
fn cards(night: &OnCall, start: &str, count: usize) -> Vec<Card> {
    let found = wait::until(&format!("{count} of \"{start}\""), || {
        let mut found = night.sandbox.messages();
        found.retain(|message| {
            message["thread_ts"].is_null() && message["text"].as_str().unwrap_or_default().starts_with(start)
        });
        if found.len() == count { Ok(found) } else { Err(format!("{:?}\n{}", night.sandbox.texts(), night.site.log())) }
    });
    found.into_iter().map(|message| night.card(message)).collect()
}

#[test]
#[ignore = "needs nagios4, network namespaces and root: tests/run"]
fn two_cores_in_zones_of_their_own_share_one_slack() {
    let port = free_port();
    let mut night = OnCall::prepare(Way::SocketMode, "500");
    let certificate = rcgen::generate_simple_self_signed(["10.97.1.1".to_owned(), "10.97.2.1".to_owned()]).unwrap();
    let (cert, key) = (night.site.dir.path().join("cert.pem"), night.site.dir.path().join("key.pem"));
    fs::write(&cert, certificate.cert.pem()).unwrap();
    fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    fs::write(ca.path(), certificate.cert.pem()).unwrap();
    assert!(Command::new("chmod").arg("0644").arg(ca.path()).status().unwrap().success());
    let tokens = ["1".repeat(64), "2".repeat(64)];
    night.begin(&format!(
        "[listen]\nhttp = \"0.0.0.0:{port}\"\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n[storm]\nthreshold = 99\n\
         [cores.north]\nrelay_token = \"{}\"\n[cores.south]\nrelay_token = \"{}\"\n",
        tokens[0], tokens[1]
    ));
    let ca = ca.path().display().to_string();
    let north = Satellite::new(1, &tokens[0], port, &ca);
    let south = Satellite::new(2, &tokens[1], port, &ca);
    // The same object in both: two cards, each acknowledged in its own core.
    north.core.set("Disk", 2, "full in the north");
    let first = cards(&night, "CRITICAL: Disk on Web 01", 1).remove(0);
    first.click("acknowledge");
    first.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    north.acknowledged("Disk");
    assert_eq!(south.commands("Disk"), 0, "{}", south.core.log());
    south.core.set("Disk", 2, "full in the south");
    let second = cards(&night, "CRITICAL: Disk on Web 01 · full in the south", 1).remove(0);
    second.click("acknowledge");
    second.becomes("ACKNOWLEDGED, CRITICAL: Disk on Web 01");
    south.acknowledged("Disk");
    assert_eq!(north.commands("Disk"), 1);

    // The south is cut off: its alarms wait, and who clicks learns which relay it is.
    south.core.set("Big", 2, "before the cut");
    let before = cards(&night, "CRITICAL: Big on Web 01", 1).remove(0);
    south.zone.cut();
    for (service, state) in [("Load", 1), ("Load", 2), ("Disk", 0)] {
        south.core.set(service, state, format!("while cut off {state}"));
        let line = if state == 0 { "OK" } else { ["", "WARNING", "CRITICAL"][usize::from(state)] };
        wait::until("the core to notify", || south.core.log().contains(&format!("web01;{service};{line}")));
    }
    before.click("acknowledge");
    night.told("The relay of south isn't connected (last seen ");
    assert_eq!(south.commands("Big"), 0);
    // The north goes on meanwhile.
    north.core.set("Disk", 0, "fine again");
    first.becomes("RECOVERED, OK: Disk on Web 01");
    assert!(south.site.spooled("new") >= 3, "{}", south.site.log());
    std::thread::sleep(Duration::from_secs(5));
    south.zone.mend();
    second.becomes("RECOVERED, OK: Disk on Web 01");
    let load = cards(&night, "CRITICAL: Load on Web 01 · 2nd notification · while cut off 2", 1).remove(0);
    wait::until("the spool to be handed in", || south.site.spooled("new") == 0);
    load.click("acknowledge");
    load.becomes("ACKNOWLEDGED, CRITICAL: Load on Web 01");
    south.acknowledged("Load");
    before.click("acknowledge");
    before.becomes("ACKNOWLEDGED, CRITICAL: Big on Web 01");
    south.acknowledged("Big");
    south.core.set("Load", 0, "fine");
    load.becomes("RECOVERED, OK: Load on Web 01");
    night.rests();
    assert_eq!((north.site.spooled("bad"), south.site.spooled("bad"), night.site.spooled("bad")), (0, 0, 0));
    night.sandbox.assert_respected();
}
