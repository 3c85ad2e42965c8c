//! Icinga 2, by each of its three doors.

use super::{Held, Row, Subject, services};
use crate::cores::Program;
use crate::harness::site::Site;
use crate::harness::wait;
use crate::icinga::daemon::Icinga;
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

struct Icinga2 {
    icinga: Icinga,
    version: String,
    commands: PathBuf,
    core: String,
    door: &'static str,
}

fn quoted(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The objects' names are joined by it.
fn takes_name(name: &str) -> bool {
    !name.contains('!')
}

/// The services and the features that the doors are.
fn objects(root: &Path) -> String {
    let run = root.join("icinga/run").display().to_string();
    let mut text = format!(
        "library \"livestatus\"\nobject LivestatusListener \"live\" {{ socket_type = \"unix\", socket_path = \"{run}/live\" }}\n\
         object ExternalCommandListener \"commands\" {{ command_path = \"{run}/icinga2.cmd\" }}\n"
    );
    let stories = ["Ends", "Types", "Fixed", "Flexible", "Stays", "Later", "Flap"];
    let named = services(takes_name);
    for service in named.iter().map(String::as_str).chain(stories) {
        let flaps = if service == "Flap" { "enable_flapping = true, flapping_threshold_high = 20" } else { "" };
        text += &format!("object Service \"{}\" {{ import \"passive\"\n{flaps} }}\n", quoted(service));
    }
    text
}

impl Icinga2 {
    fn start(site: &Site, program: Program, door: &'static str) -> Self {
        let root = site.dir.path().to_owned();
        let icinga = Icinga::start_with(site, program, &objects(&root));
        let run = "icinga/run";
        let own = match door {
            "API" => format!(
                "api_url = \"{}\"\napi_user = \"ackbell\"\napi_password = \"pass; wört:1\"\n\
                 api_ca_file = \"icinga/data/certs/ca.crt\"\n",
                icinga.url
            ),
            "Livestatus" => format!("livestatus = \"{run}/live\"\n"),
            _ => format!("command_file = \"{run}/icinga2.cmd\"\nlivestatus = \"{run}/live\"\n"),
        };
        let core = format!("[core]\nkind = \"icinga2\"\n{own}");
        let version = icinga.status()["version"].as_str().unwrap_or_default().to_owned();
        Self { icinga, version, commands: root.join(run).join("icinga2.cmd"), core, door }
    }
}

impl Subject for Icinga2 {
    fn name(&self) -> String {
        format!("Icinga 2 {}", self.version)
    }

    fn config(&self) -> String {
        self.core.clone()
    }

    fn finds(&self, service: Option<&str>, state: u8, output: &str) {
        let path = service.map_or("Host/web01".to_owned(), |service| format!("Service/web01!{service}"));
        self.icinga.found(&path, state, output);
    }

    fn held(&self, service: Option<&str>) -> Held {
        let kind = if service.is_some() { "services" } else { "hosts" };
        let service = service.unwrap_or_default();
        let all = |kind: &str| -> Vec<Value> {
            let own = |attrs: &Value| attrs["host_name"] == "web01" && attrs["service_name"] == service;
            self.icinga.all(kind).into_iter().filter(own).collect()
        };
        let is_it = |attrs: &Value| {
            if service.is_empty() { attrs["name"] == "web01" } else { attrs["name"] == service }
        };
        let Some(attrs) = self.icinga.all(kind).into_iter().find(is_it) else { return Held::default() };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut comments = all("comments");
        comments.retain(|comment| comment["entry_type"] == 4.0);
        comments.sort_by(|a, b| a["entry_time"].as_f64().unwrap().total_cmp(&b["entry_time"].as_f64().unwrap()));
        let last = comments.pop().unwrap_or_default();
        let downtime = |d: Value| (text(&d["author"]), text(&d["comment"]), d["fixed"].as_bool().unwrap_or_default());
        Held {
            acknowledged: attrs["acknowledgement"] != 0.0,
            author: text(&last["author"]),
            comment: text(&last["text"]),
            downtimes: all("downtimes").into_iter().map(downtime).collect(),
            notifications: attrs["enable_notifications"] == true,
        }
    }

    fn order(&self, command: &str) {
        let mut file = std::fs::OpenOptions::new().write(true).open(&self.commands).unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        file.write_all(format!("[{now}] {command}\n").as_bytes()).unwrap();
    }

    fn halt(&mut self) {
        self.icinga.halt();
    }

    fn restart(&mut self) {
        self.icinga.run();
        // Its API is there first; what was sent before the others are open would be refused, rightly.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        wait::until("its other doors", || {
            let mut options = std::fs::OpenOptions::new();
            let is_read = options.write(true).custom_flags(nonblocking).open(&self.commands).is_ok();
            is_read && UnixStream::connect(self.commands.with_file_name("live")).is_ok()
        });
    }

    fn takes_name(&self, name: &str) -> bool {
        takes_name(name)
    }

    fn says_semicolons(&self) -> bool {
        self.door == "API"
    }

    fn answers_at_once(&self) -> bool {
        true
    }
}

fn icinga2(program: Program, door: &'static str) {
    Row::begin(|site| Icinga2::start(site, program, door), door).all();
}

fn of(suite: &str) -> Program {
    let name = format!("{suite}-icinga2");
    Program::in_root(&name, &format!("tests/cores-root {name} {suite} icinga2-bin"), "/usr/sbin/icinga2")
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn icinga2_of_this_debian_by_its_api() {
    icinga2(Program::Here("icinga2".into()), "API");
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn icinga2_of_this_debian_by_its_livestatus() {
    icinga2(Program::Here("icinga2".into()), "Livestatus");
}

#[test]
#[ignore = "needs icinga2 and root: tests/run"]
fn icinga2_of_this_debian_by_its_command_file() {
    icinga2(Program::Here("icinga2".into()), "command file");
}

#[test]
#[ignore = "needs root and Debian trixie: tests/run"]
fn icinga2_of_trixie_by_its_api() {
    icinga2(of("trixie"), "API");
}

#[test]
#[ignore = "needs root and Debian trixie: tests/run"]
fn icinga2_of_trixie_by_its_livestatus() {
    icinga2(of("trixie"), "Livestatus");
}

#[test]
#[ignore = "needs root and Debian trixie: tests/run"]
fn icinga2_of_trixie_by_its_command_file() {
    icinga2(of("trixie"), "command file");
}

#[test]
#[ignore = "needs root and Debian sid: tests/run"]
fn icinga2_of_sid_by_its_api() {
    icinga2(of("sid"), "API");
}

#[test]
#[ignore = "needs root and Debian sid: tests/run"]
fn icinga2_of_sid_by_its_livestatus() {
    icinga2(of("sid"), "Livestatus");
}

#[test]
#[ignore = "needs root and Debian sid: tests/run"]
fn icinga2_of_sid_by_its_command_file() {
    icinga2(of("sid"), "command file");
}
