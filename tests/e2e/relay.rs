//! A core that doesn't reach Slack: a relay beside it, and a listener that does.

mod certificates;
mod faults;
mod hostile;
mod pair;
mod wire;
mod zones;

use crate::harness::on_call::{OnCall, Way};
use crate::harness::played::PlayedCore;
use crate::harness::process::{Running, signal, text};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
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
        let site = satellite(&night.site, TOKEN);
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

/// A machine with a core, whose relay has this token for the listener of that site.
fn satellite(centre: &Site, token: &str) -> Site {
    let config = std::fs::read_to_string(centre.config()).unwrap();
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
    branch.night.ask("problems", "No problems.");
    assert_eq!(branch.site.spooled("new"), 0);
    branch.night.rests();
    branch.night.site.assert_all_delivered();
    branch.night.sandbox.assert_respected();
}

#[test]
fn while_the_relay_is_away_nothing_is_lost_and_who_clicks_learns_which_relay_it_is() {
    let mut branch = Branch::new();
    let card = branch.falls_ill("Disk");
    branch.relay = None;
    branch.connected(false);
    card.click("acknowledge");
    branch.night.told("The relay of branch isn't connected (last seen ");
    assert_eq!(branch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 0);
    // Its centre is there all the same: `notify` hands in by itself.
    branch.falls_ill("Load");
    assert_eq!(branch.site.spooled("new"), 0);
    branch.start();
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
    assert_eq!(branch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 1);
}

#[test]
fn a_relay_that_hangs_sends_no_command_late() {
    let branch = Branch::new();
    let card = branch.falls_ill("Disk");
    let pid = branch.relay.as_ref().unwrap().0.id();
    signal(pid, "STOP");
    card.click("acknowledge");
    branch.night.told("The relay of branch isn't connected (last seen ");
    signal(pid, "CONT");
    branch.connected(true);
    let other = branch.falls_ill("Load");
    other.click("acknowledge");
    other.becomes("ACKNOWLEDGED, CRITICAL: Load on web01");
    assert_eq!(branch.core.count("ACKNOWLEDGE_SVC_PROBLEM", "web01", "Disk"), 0, "the person was told that it isn't");
}

#[test]
fn while_the_centre_is_away_all_waits_in_order() {
    let mut branch = Branch::new();
    branch.night.listener = None;
    for nth in 0..30 {
        branch.site.service("PROBLEM", "web01", &format!("S{nth:02}"), "CRITICAL", "away");
    }
    assert_eq!(branch.site.spooled("new"), 30);
    branch.night.listen();
    branch.night.expect("CRITICAL: ");
    wait::until("the spool to be handed in", || branch.site.spooled("new") == 0);
    branch.night.rests();
    let seqs =
        branch.night.site.sql("SELECT json_extract(body, '$.service.name') FROM notification ORDER BY seq").unwrap();
    let expected: Vec<String> = (0..30).map(|nth| format!("S{nth:02}")).collect();
    assert_eq!(seqs.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn without_a_right_token_everything_waits_and_check_is_critical() {
    let branch = Branch::new();
    let other = satellite(&branch.night.site, &TOKEN.replace('0', "9"));
    let done = other.run(&["notify", "--hostname", "db01", "--hoststate", "DOWN", "--output", "x"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stderr).contains("refuses this relay's token"), "{}", text(&done.stderr));
    assert_eq!(other.spooled("new"), 1);
    let _relay = other.listen();
    wait::until("check to be critical", || {
        let done = other.run(&["check"]);
        let said = text(&done.stdout);
        if done.status.code() == Some(2) && said.contains("refuses this relay's token") { Ok(()) } else { Err(said) }
    });
    let doctor = other.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(77), "{}", text(&doctor.stdout));
    assert_eq!((other.spooled("new"), other.spooled("bad")), (1, 0));
}

#[test]
fn a_token_lies_about_its_own_core_only() {
    let branch = Branch::new();
    let entry = |core: &str, name: &str, host: &str| {
        let content = json!({
            "ackbell": 1, "received": 1_795_000_000_000_i64,
            "notification": {"core": core, "kind": "PROBLEM", "host": {"name": host, "state": "DOWN"}, "time": 1_795_000_000},
        });
        json!({"name": name, "entry": content}).to_string() + "\n"
    };
    let good = "01795000000000000000.7.0123456789abcdef";
    // Another core's, once more, and one that climbs out of the spool.
    let batch = entry("main", good, "web99") + &entry("main", good, "web99") + &entry("", "../../new/x", "web98");
    let (status, body) = branch.post("/v1/spool", Some(TOKEN), &batch);
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("../../new/x") && !body.contains(good), "{body}");
    branch.night.expect("DOWN: web99");
    branch.night.rests();
    // A replay is free.
    assert_eq!(branch.post("/v1/spool", Some(TOKEN), &entry("main", good, "web99")).0, 204);
    branch.night.rests();
    let cores = branch.night.site.sql("SELECT json_extract(body, '$.core') FROM notification").unwrap();
    assert_eq!(cores, "branch");
    assert_eq!(branch.night.sandbox.texts().iter().filter(|text| text.contains("web99")).count(), 1);
    // A message to any channel is nothing that a core has to say.
    let letter = json!({"name": "01795000000000000000.7.0123456789abcdee", "entry": {
        "ackbell": 1, "received": 1, "notification": {"kind": "CUSTOM", "host": {"name": "letter x"}, "time": 1,
        "to": ["#ops"], "letter": {"title": "hello"}}}});
    let (status, body) = branch.post("/v1/spool", Some(TOKEN), &format!("{letter}\n"));
    assert_eq!(status, 400, "{body}");
    // Torn, foreign, oversized, newer.
    assert_eq!(branch.post("/v1/spool", Some(TOKEN), &entry("", good, "x")[..80]).0, 400);
    assert_eq!(branch.post("/v1/spool", None, "").0, 401);
    assert_eq!(branch.post("/v1/spool", Some(&TOKEN[1..]), "").0, 401);
    let newer = json!({"name": good, "entry": {"ackbell": 2, "anything": []}}).to_string();
    assert_eq!(branch.post("/v1/spool", Some(TOKEN), &newer).0, 409);
    // The connection may be closed before all of that is written.
    assert!(branch.try_post("/v1/spool", Some(TOKEN), &"x".repeat(10_000_000)).is_none_or(|(status, _)| status == 413));
    assert_eq!(branch.post("/v1/core-request", Some(TOKEN), "{}").0, 400);
    assert_eq!(branch.night.site.spooled("bad"), 0);
}

#[test]
fn a_file_that_is_no_notification_is_put_aside_and_the_rest_is_handed_in() {
    let branch = Branch::new();
    std::fs::write(branch.site.state("spool/new/00000000000000000001.1.0123456789abcdef"), "{}").unwrap();
    let named =
        json!({"ackbell": 1, "received": 1, "notification": {"kind": "PROBLEM", "host": {"name": "h"}, "time": 1}});
    std::fs::write(branch.site.state("spool/new/00000000000000000002-mine"), named.to_string()).unwrap();
    branch.falls_ill("Disk");
    wait::until("the spool to be handed in", || branch.site.spooled("new") == 0);
    assert_eq!(branch.site.spooled("bad"), 2);
    let log = branch.site.log();
    assert!(log.contains("00000000000000000002-mine") && log.contains("the centre refuses it"), "{log}");
    let done = branch.site.run(&["check"]);
    assert!(text(&done.stdout).contains("2 spool files can't be read"), "{}", text(&done.stdout));
}

#[test]
fn clocks_five_minutes_apart_change_nothing() {
    for ahead in [300, -300] {
        let mut branch = Branch::new();
        branch.relay = None;
        branch.core.jump(ahead);
        branch.site.jump(&format!("{ahead:+}s"));
        branch.start();
        let card = branch.falls_ill("Disk");
        card.click("acknowledge");
        card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
        wait::until("check at the centre to warn", || {
            let check = text(&branch.night.site.run(&["check"]).stdout);
            if check.contains("the clock of the relay of branch is 300 s ") { Ok(()) } else { Err(check) }
        });
    }
}

#[test]
fn of_two_centres_the_one_that_answers_gets_it() {
    let mut branch = Branch::new();
    branch.relay = None;
    let config = std::fs::read_to_string(branch.site.config()).unwrap();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    branch.site.configure(
        &config
            .replace("state_dir = \"state\"\n", "")
            .replace("to = ", &format!("to = [\"http://{dead}\", "))
            .replace("\"\ntoken", "\"]\ntoken"),
    );
    branch.start();
    let card = branch.falls_ill("Disk");
    card.click("acknowledge");
    card.becomes("ACKNOWLEDGED, CRITICAL: Disk on web01");
}

#[test]
fn a_relay_killed_while_it_hands_in_loses_nothing_and_shows_nothing_twice() {
    let mut branch = Branch::new();
    branch.relay = None;
    branch.night.listener = None;
    branch.spool(2000);
    branch.night.listen();
    for _ in 0..6 {
        let relay = branch.site.listen();
        std::thread::sleep(Duration::from_millis(60));
        signal(relay.0.id(), "KILL");
        drop(relay);
    }
    branch.start();
    wait::until("the spool to be handed in", || branch.site.spooled("new") == 0);
    wait::until("the centre to import", || branch.night.site.spooled("new") == 0);
    let count = branch.night.site.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM notification").unwrap();
    assert_eq!(count, "2000|2000");
}

#[test]
fn a_new_satellite_is_set_up_by_two_commands() {
    let mut night = OnCall::prepare(Way::Http, "500");
    let printed = text(&night.site.run(&["relay-token", "branch"]).stdout);
    let token = printed.lines().find(|line| line.len() == 64).unwrap().to_owned();
    assert!(printed.contains("[cores.branch]\nrelay_token_file = \"branch.token\""), "{printed}");
    assert_eq!(night.site.run(&["relay-token", "bran/ch"]).status.code(), Some(64));
    night.begin(&format!("[cores.branch]\nrelay_token = \"{token}\"\n"));
    let config = std::fs::read_to_string(night.site.config()).unwrap();
    let address = config.lines().find_map(|line| line.strip_prefix("http = ")).unwrap().trim_matches('"');
    let there = Site::new("");
    std::fs::remove_file(there.config()).unwrap();
    let (file, main) = (there.dir.path().join("t"), there.dir.path().join("nagios.cfg"));
    std::fs::write(&main, "command_file=core.cmd\nstatus_file=status.dat\n").unwrap();
    let state = there.dir.path().join("state").display().to_string();
    let url = format!("http://{address}");
    let setup = |token: &str| {
        std::fs::write(&file, token).unwrap();
        let (file, main) = (file.to_str().unwrap(), main.to_str().unwrap());
        let asked = ["setup", "--yes", "--relay", &url, "--relay-token-file", file, "--main-config", main];
        there.run(&[&asked[..], &["--definitions", "-", "--state-dir", &state]].concat())
    };
    // The core's user reads what root writes.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(there.dir.path(), open).unwrap();
    let refused = setup(&"0".repeat(64));
    assert_eq!(refused.status.code(), Some(69), "{}", text(&refused.stdout));
    assert!(text(&refused.stderr).contains("refuses this relay's token") && !there.config().exists());
    let done = setup(&token);
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(!text(&done.stdout).contains(&token), "no secret is shown");
    let _relay = there.listen();
    there.service("PROBLEM", "web01", "Disk", "CRITICAL", "it broke");
    night.expect("CRITICAL: Disk on web01");
    wait::until("doctor at the centre to know it", || {
        let doctor = text(&night.site.run(&["doctor"]).stdout);
        if doctor.contains("is connected, last heard of") { Ok(()) } else { Err(doctor) }
    });
    assert!(text(&there.run(&["doctor"]).stdout).contains("takes this relay's token"));
}

#[test]
fn notify_costs_beside_a_relay_what_it_costs_without() {
    let branch = Branch::new();
    let mut plain = OnCall::prepare(Way::Http, "5000");
    plain.begin("");
    let cost = |site: &Site| {
        let started = Instant::now();
        site.service("PROBLEM", "web01", "Cost", "CRITICAL", "x");
        started.elapsed()
    };
    // In turns, so that both meet the same machine.
    let mut costs: Vec<[Duration; 2]> = (0..60).map(|_| [cost(&branch.site), cost(&plain.site)]).collect();
    let mut median = |which: usize| {
        costs.sort_by_key(|pair| pair[which]);
        costs[costs.len() / 2][which]
    };
    let [relay, without] = [median(0), median(1)];
    println!("notify beside a relay {relay:?}, without {without:?}");
    assert!(relay < without * 3 / 2, "{relay:?} {without:?}");
}

#[test]
fn ten_thousand_files_over_20_ms_take_less_than_half_a_minute() {
    let mut branch = Branch::new();
    branch.relay = None;
    branch.spool(10_000);
    let config = std::fs::read_to_string(branch.site.config()).unwrap();
    let address = config.split("http://").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let proxy = slow_proxy(address.clone(), Duration::from_millis(10));
    branch.site.configure(&config.replace("state_dir = \"state\"\n", "").replace(&address, &proxy));
    let started = Instant::now();
    branch.start();
    wait::until("the spool to be handed in", || branch.site.spooled("new") == 0);
    let took = started.elapsed();
    println!("10,000 spool files over a round trip of 20 ms: {took:?}");
    // Alone on two cores a debug build takes 9 s; beside the other tests and their syncs it has more time.
    assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 180 } else { 30 }), "{took:?}");
}

impl Branch {
    /// As an enemy with a token would.
    fn post(&self, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        self.try_post(path, token, body).unwrap()
    }

    fn try_post(&self, path: &str, token: Option<&str>, body: &str) -> Option<(u16, String)> {
        let config = std::fs::read_to_string(self.site.config()).unwrap();
        let url = format!("http://{}{path}", config.split("http://").nth(1).unwrap().split('"').next().unwrap());
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(url).header("Ackbell-Protocol", "1");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send(body).ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().unwrap()))
    }

    /// So many notifications wait, as `notify` leaves them.
    fn spool(&self, count: usize) {
        let new = self.site.state("spool/new");
        std::fs::create_dir_all(&new).unwrap();
        for nth in 0..count {
            let entry: Value = json!({"ackbell": 1, "received": 1_795_000_000_000_i64, "notification": {
                "kind": "PROBLEM", "host": {"name": format!("h{nth}"), "state": "DOWN"}, "time": 1_795_000_000,
                "output": "CRITICAL - Host Unreachable (10.1.2.3)", "progress": {}, "ids": {}, "contact": {"name": "alice"},
            }});
            std::fs::write(
                new.join(format!("{:020}.1.{nth:016x}", 1_795_000_000_000_000_000_u64 + nth as u64)),
                entry.to_string(),
            )
            .unwrap();
        }
    }
}

/// A way that takes so long in each direction.
fn slow_proxy(to: String, delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for from in listener.incoming().flatten() {
            let Ok(onward) = TcpStream::connect(&to) else { continue };
            for (read, write) in [
                (from.try_clone().unwrap(), onward.try_clone().unwrap()),
                (onward.try_clone().unwrap(), from.try_clone().unwrap()),
            ] {
                let (send, receive) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
                let (mut read, mut write) = (read, write);
                std::thread::spawn(move || {
                    let mut bytes = vec![0; 65536];
                    while let Ok(count @ 1..) = read.read(&mut bytes) {
                        let _ = send.send((Instant::now() + delay, bytes[..count].to_vec()));
                    }
                });
                std::thread::spawn(move || {
                    for (at, bytes) in receive {
                        std::thread::sleep(at.saturating_duration_since(Instant::now()));
                        if write.write_all(&bytes).is_err() {
                            return;
                        }
                    }
                    let _ = write.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    address
}
