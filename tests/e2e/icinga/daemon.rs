//! A throw-away Icinga 2 with every directory of its own.

use crate::cores::Program;
use crate::harness::process::{Running, text};
use crate::harness::site::Site;
use crate::harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The daemon and an administrator's access to its API.
pub(crate) struct Icinga {
    program: Program,
    process: Option<Running>,
    root: PathBuf,
    agent: ureq::Agent,
    pub(crate) url: String,
}

/// Passive checks only: the story tells what they find. `Check` answers a re-check.
const OBJECTS: &str = r#"
object Host "web01" {
  display_name = "Web 01"
  address = "192.0.2.10"
  check_command = "dummy"
  enable_active_checks = false
  max_check_attempts = 1
}
template Service "passive" {
  host_name = "web01"
  check_command = "dummy"
  enable_active_checks = false
  max_check_attempts = 1
}
object Service "Disk" { import "passive" }
object Service "Load" { import "passive" }
object Service "Check" {
  import "passive"
  vars.dummy_state = 1
  vars.dummy_text = "checked again"
}
"#;

impl Icinga {
    /// Beside the site's configuration; runs the definitions that we ship, with the permissions that they name.
    pub(crate) fn start(site: &Site) -> Self {
        Self::start_with(site, Program::Here("icinga2".into()), "")
    }

    /// Another one, with more in its configuration; it knows `passive`, the template of a service of `web01`.
    pub(crate) fn start_with(site: &Site, program: Program, more: &str) -> Self {
        let root = site.dir.path().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for directory in ["etc", "data/certs", "data/api", "log", "cache", "run", "spool"] {
            fs::create_dir_all(root.join("icinga").join(directory)).unwrap();
        }
        fs::create_dir(root.join("state")).unwrap();
        crate::harness::process::copy_ackbell(&root.join("ackbell"));
        certificates(&root.join("icinga/data/certs"));
        fs::write(root.join("icinga/etc/icinga2.conf"), configuration(&root.display().to_string(), port) + more)
            .unwrap();
        program.own(&root);
        let open = Command::new("chmod").arg("0755").arg(&root).status().unwrap();
        assert!(open.success());
        let tls = ureq::tls::TlsConfig::builder()
            .disable_verification(true)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let mut icinga = Self { program, process: None, root, agent, url: format!("https://localhost:{port}") };
        icinga.run();
        icinga.found("Host/web01", 0, "ping");
        for service in ["Disk", "Load", "Check"] {
            icinga.found(&format!("Service/web01!{service}"), 0, "all is well");
        }
        icinga
    }

    pub(crate) fn run(&mut self) {
        let out = fs::File::create(self.root.join("icinga.out")).unwrap();
        let main = self.root.join("icinga/etc/icinga2.conf").display().to_string();
        let mut command = self.program.command(&self.root, &["daemon", "-c", &main]);
        for (constant, directory) in [
            ("ConfigDir", "etc"),
            ("DataDir", "data"),
            ("LogDir", "log"),
            ("CacheDir", "cache"),
            ("InitRunDir", "run"),
            ("SpoolDir", "spool"),
        ] {
            command.arg("-D").arg(format!("{constant}={}", self.root.join("icinga").join(directory).display()));
        }
        // A group of its own: the daemon is three processes.
        command.process_group(0).stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let process = command.spawn().expect("icinga2 must be installed (Debian: icinga2-bin); tests/run does it");
        self.process = Some(Running(process));
        wait::until("icinga2", || {
            let ended = self.process.as_mut().unwrap().0.try_wait().unwrap();
            assert!(ended.is_none(), "icinga2: {}", self.log());
            self.try_get("/v1/status/IcingaApplication").ok_or_else(|| self.log())
        });
    }

    /// The daemon goes.
    pub(crate) fn halt(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let group = process.0.id();
        match self.program {
            Program::Here(_) => crate::harness::process::signal(group, "TERM"),
            // `unshare` passes no signal on.
            Program::InRoot { .. } => drop(self.ask("/v1/actions/shutdown-process", &json!({}))),
        }
        // What doesn't end in ten seconds is killed.
        let started = Instant::now();
        wait::until("its end", || {
            process.0.try_wait().is_ok_and(|ended| ended.is_some()) || started.elapsed() > Duration::from_secs(10)
        });
        let rest = Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).stderr(Stdio::null()).status();
        rest.unwrap();
    }

    pub(crate) fn log(&self) -> String {
        text(&fs::read(self.root.join("icinga.out")).unwrap_or_default())
    }

    fn try_get(&self, path: &str) -> Option<Value> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("Authorization", ADMINISTRATOR);
        let answer = request.call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// What it says of itself.
    pub(crate) fn status(&self) -> Value {
        let answer = self.try_get("/v1/status/IcingaApplication").unwrap();
        answer["results"][0]["status"]["icingaapplication"]["app"].clone()
    }

    fn ask(&self, path: &str, body: &Value) -> String {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("Authorization", ADMINISTRATOR).header("Accept", "application/json");
        let answer = request.send(body.to_string());
        answer.and_then(|mut answer| answer.body_mut().read_to_string()).unwrap_or_default()
    }

    /// The attributes of one object.
    #[track_caller]
    pub(crate) fn attributes(&self, path: &str) -> Value {
        let answer = self.try_get(&format!("/v1/objects/{path}")).unwrap();
        assert!(answer["results"][0]["attrs"].is_object(), "{path}: {answer}");
        answer["results"][0]["attrs"].clone()
    }

    /// The attributes of every comment or downtime.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let answer = self.try_get(&format!("/v1/objects/{kind}")).unwrap();
        answer["results"].as_array().unwrap().iter().map(|result| result["attrs"].clone()).collect()
    }

    /// A check has found this.
    #[track_caller]
    pub(crate) fn found(&self, path: &str, state: u8, output: &str) {
        let (kind, name) = path.split_once('/').unwrap();
        let mut body = json!({ "exit_status": state, "plugin_output": output });
        body["type"] = json!(kind);
        body[kind.to_lowercase()] = json!(name);
        let answer = self.ask("/v1/actions/process-check-result", &body);
        assert!(answer.contains("Successfully processed check result"), "{path}: {answer}");
    }
}

impl Drop for Icinga {
    fn drop(&mut self) {
        self.halt();
        if std::thread::panicking() {
            println!("{}", self.log());
        }
        self.program.leave(&self.root);
    }
}

/// An authority, and a certificate for this machine by it: what `icinga2 api setup` makes. The certificate's common
/// name is the daemon's identity.
fn certificates(directory: &Path) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Icinga CA");
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(directory.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = rcgen::Issuer::new(params, key);
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(directory.join("localhost.crt"), params.signed_by(&key, &authority).unwrap().pem()).unwrap();
    fs::write(directory.join("localhost.key"), key.serialize_pem()).unwrap();
}

/// admin:secret
const ADMINISTRATOR: &str = "Basic YWRtaW46c2VjcmV0";

fn configuration(root: &str, port: u16) -> String {
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/icinga2/ackbell.conf")).unwrap();
    let program = "\"/usr/bin/ackbell\"";
    assert!(shipped.contains(program));
    let own = format!("\"{root}/ackbell\", \"--config\", \"{root}/ackbell.toml\"");
    let shipped = shipped.replace(program, &own);
    // The user of the comment's end is made, too: what we name there must be enough.
    let user = &shipped[shipped.find("object ApiUser").unwrap()..shipped.rfind("*/").unwrap()];
    let user = user.replace("\"...\"", "\"pass; wört:1\"");
    format!(
        "include <itl>\nconst NodeName = \"localhost\"\nobject Endpoint NodeName {{ }}\n\
         object Zone NodeName {{ endpoints = [ NodeName ] }}\nconst ZoneName = NodeName\n\
         object ApiListener \"api\" {{ bind_host = \"127.0.0.1\", bind_port = {port} }}\n\
         object ApiUser \"admin\" {{ password = \"secret\", permissions = [ \"*\" ] }}\n\
         object CheckerComponent \"checker\" {{ }}\nobject NotificationComponent \"notification\" {{ }}\n\
         {OBJECTS}\n{shipped}\n{user}\n"
    )
}
