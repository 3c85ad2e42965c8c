//! A real Icinga 2: its commands and its state by its API, its notifications by its own macro names.

use crate::acknowledge::free_port;
use crate::world::{ACKBELL, Running, Sandbox, TOKEN, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The name in the test's certificate: Icinga 2 takes its own from there.
const NODE: &str = "rcgen self signed cert";

/// A throw-away Icinga 2 with one host and two services, a stand-in and a listener.
struct Night {
    directory: TempDir,
    api: String,
    agent: ureq::Agent,
    sandbox: Sandbox,
    _processes: [Running; 2],
}

impl Night {
    fn falls() -> Self {
        let directory = tempfile::Builder::new().prefix("ackbell-icinga").tempdir_in("/tmp").unwrap();
        let (api_port, port) = (free_port(), free_port());
        let request_url = format!("http://127.0.0.1:{port}/slack/request");
        let sandbox = Sandbox::start(&["--burst", "500", "--request-url", &request_url]);
        let root = directory.path().display().to_string();
        for inside in ["data/certs", "log", "cache", "spool", "run", "state"] {
            fs::create_dir_all(directory.path().join(inside)).unwrap();
        }
        let (cert, key) = crate::answers::certificate(directory.path());
        for (from, to) in [(&cert, format!("{NODE}.crt")), (&cert, "ca.crt".to_owned()), (&key, format!("{NODE}.key"))]
        {
            fs::copy(from, directory.path().join("data/certs").join(to)).unwrap();
        }
        fs::copy(ACKBELL, directory.path().join("ackbell")).unwrap();
        let slack = format!(
            "state_dir = \"{root}/state\"\n[slack]\nbot_token = \"{TOKEN}\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n\
             signing_secret = \"sandbox-signing-secret\"\n[listen]\nhttp = \"127.0.0.1:{port}\"\n[acknowledge]\nexpire = \"1h\"\n\
             [core]\nkind = \"icinga2\"\napi_url = \"https://localhost:{api_port}\"\napi_user = \"ackbell\"\napi_password = \"secret\"\n\
             api_ca_file = \"{}\"\n",
            sandbox.url,
            cert.display()
        );
        fs::write(directory.path().join("ackbell.toml"), slack).unwrap();
        fs::write(directory.path().join("icinga2.conf"), configuration(&root, api_port)).unwrap();
        assert!(Command::new("chown").args(["-R", "nagios:nagios", &root]).status().unwrap().success());
        assert!(Command::new("chmod").args(["0640", &format!("{root}/ackbell.toml")]).status().unwrap().success());
        assert!(Command::new("chmod").args(["0755", &root]).status().unwrap().success());
        let core = icinga(&root);
        let log = fs::File::create(directory.path().join("listener.log")).unwrap();
        let mut listen = Command::new(ACKBELL);
        listen.arg("--config").arg(directory.path().join("ackbell.toml")).arg("listen").env_clear();
        let listener = Running(listen.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        let tls = ureq::tls::TlsConfig::builder()
            .disable_verification(true)
            .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()));
        let config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls.build()).build();
        let api = format!("https://localhost:{api_port}/v1");
        let night = Self { directory, api, agent: config.into(), sandbox, _processes: [core, listener] };
        let started = std::time::Instant::now();
        while night.get("objects/hosts").is_none() {
            let said = || fs::read_to_string(night.directory.path().join("icinga2.out")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(60), "Icinga 2 doesn't start: {}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
        night
    }

    fn get(&self, what: &str) -> Option<Value> {
        let request =
            self.agent.get(format!("{}/{what}", self.api)).header("Authorization", "Basic YWNrYmVsbDpzZWNyZXQ=");
        let text = request.call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// A result of a passive check.
    fn set(&self, service: &str, state: u8, output: &str) {
        let request = self.agent.post(format!("{}/actions/process-check-result?service=web01!{service}", self.api));
        let request =
            request.header("Authorization", "Basic YWNrYmVsbDpzZWNyZXQ=").header("Accept", "application/json");
        let body = json!({"exit_status": state, "plugin_output": output}).to_string();
        let answer = request.send(body).unwrap().body_mut().read_to_string().unwrap();
        assert!(answer.contains("200"), "{answer}");
    }

    fn attribute(&self, service: &str, name: &str) -> Value {
        let all = self.get(&format!("objects/services?service=web01!{service}")).unwrap();
        all["results"][0]["attrs"][name].clone()
    }

    fn wait(&self, text: &str) -> Value {
        let mut found = None;
        wait_until(
            &format!("\"{text}\" in {:?}\n{}", self.sandbox.texts(), self.log()),
            Duration::from_secs(40),
            || {
                found = self.sandbox.messages().into_iter().find(|m| m["text"].as_str().unwrap().starts_with(text));
                found.is_some()
            },
        );
        found.unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("listener.log")).unwrap_or_default()
    }

    fn told(&self, words: &str) {
        wait_until(&format!("{words}\n{}", self.log()), Duration::from_secs(40), || {
            self.sandbox.whispers().iter().any(|told| told.contains(words))
        });
    }

    fn submit(&self, values: &Value) {
        wait_until("the form", Duration::from_secs(5), || !self.sandbox.get("views").as_array().unwrap().is_empty());
        let answer = self.sandbox.order("submit", &json!({"values": values}));
        assert_eq!(answer["ok"], true, "{answer}");
    }
}

/// Icinga 2 is several processes.
impl Drop for Night {
    fn drop(&mut self) {
        let _ = Command::new("pkill").args(["-9", "-f"]).arg(self.directory.path()).status();
    }
}

fn icinga(root: &str) -> Running {
    let log = fs::File::create(format!("{root}/icinga2.out")).unwrap();
    let mut command = Command::new("icinga2");
    command.args(["daemon", "-c", &format!("{root}/icinga2.conf")]);
    for (name, inside) in
        [("DataDir", "data"), ("LogDir", "log"), ("CacheDir", "cache"), ("SpoolDir", "spool"), ("InitRunDir", "run")]
    {
        command.arg("-D").arg(format!("{name}={root}/{inside}"));
    }
    let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
    Running(child.expect("icinga2 is missing: apt-get install icinga2-bin"))
}

fn configuration(root: &str, port: u16) -> String {
    let mut text = format!(
        "const NodeName = \"{NODE}\"\nconst ZoneName = NodeName\ninclude <itl>\nobject Endpoint NodeName {{}}\n\
         object Zone ZoneName {{ endpoints = [ NodeName ] }}\n\
         object ApiListener \"api\" {{ bind_host = \"127.0.0.1\", bind_port = {port} }}\n\
         object ApiUser \"ackbell\" {{ password = \"secret\", permissions = [ \"*\" ] }}\n\
         object CheckerComponent \"checker\" {{}}\nobject NotificationComponent \"notification\" {{}}\n\
         object User \"alice\" {{ email = \"alice@example.com\" }}\n\
         object Host \"web01\" {{ check_command = \"dummy\", enable_active_checks = false, address = \"192.0.2.10\" }}\n\
         object NotificationCommand \"ackbell\" {{\n  command = [ \"{root}/ackbell\", \"--config\", \"{root}/ackbell.toml\", \"notify\" ]\n\
         \x20 arguments = {{\n"
    );
    for (argument, macro_name) in [
        ("--notificationtype", "notification.type"),
        ("--hostname", "host.name"),
        ("--servicedesc", "service.name"),
        ("--servicestate", "service.state"),
        ("--output", "service.output"),
        ("--author", "notification.author"),
        ("--comment", "notification.comment"),
        ("--contact", "user.name"),
    ] {
        text += &format!("    \"{argument}\" = \"${macro_name}$\"\n");
    }
    text += "  }\n}\n";
    for service in ["Disk", "Load"] {
        text += &format!(
            "object Service \"{service}\" {{ host_name = \"web01\", check_command = \"dummy\", enable_active_checks = false, \
             max_check_attempts = 1, enable_flapping = false, vars.dummy_state = 2 }}\n\
             object Notification \"{service}-slack\" {{ host_name = \"web01\", service_name = \"{service}\", command = \"ackbell\", \
             users = [ \"alice\" ], interval = 0 }}\n"
        );
    }
    text
}

#[test]
fn a_click_is_an_acknowledgement_that_a_real_icinga2_holds() {
    let night = Night::falls();
    night.set("Disk", 2, "it's \"full\" `id` $HOME; 3% <!channel>");
    let card = night.wait("CRITICAL: Disk on web01");
    assert!(
        card["text"].as_str().unwrap().ends_with("it's \"full\" `id` $HOME; 3% &lt;!channel&gt;"),
        "no shell: {card}"
    );
    // The form's end is Icinga's own.
    night.sandbox.click(&card, "acknowledge_with", &json!({}));
    night.submit(&json!({"comment": "looking; really", "options": ["sticky"], "expire": "3600"}));
    let shown = night.wait("ACKNOWLEDGED, CRITICAL: Disk on web01 · acknowledged by alice");
    assert_eq!(shown["ts"], card["ts"]);
    assert_eq!(night.attribute("Disk", "acknowledgement"), 2.0, "sticky");
    assert!(night.attribute("Disk", "acknowledgement_expiry").as_f64().unwrap() > 1_700_000_000.0);
    let comments = night.get("objects/comments").unwrap()["results"].to_string();
    assert!(comments.contains("\"author\":\"alice\"") && comments.contains("looking"), "{comments}");
    let card = || night.sandbox.messages().into_iter().find(|m| m["ts"] == shown["ts"]).unwrap();
    night.sandbox.click(&card(), "unacknowledge", &json!({}));
    night.wait("ACKNOWLEDGEMENT REMOVED, CRITICAL: Disk on web01");
    assert_eq!(night.attribute("Disk", "acknowledgement"), 0.0);
    night.sandbox.click(&card(), "more", &json!({"option": "recheck"}));
    night.sandbox.click(&card(), "more", &json!({"option": "downtime"}));
    night.submit(&json!({"comment": "new disk", "length": "3600"}));
    night.wait("IN DOWNTIME, CRITICAL: Disk on web01");
    assert_eq!(night.attribute("Disk", "downtime_depth"), 1.0);
    let downtimes = night.get("objects/downtimes").unwrap()["results"].to_string();
    assert!(downtimes.contains("new disk"), "{downtimes}");
    night.sandbox.assert_respected();
}

#[test]
fn what_icinga2_refuses_is_told_as_what_it_is() {
    let night = Night::falls();
    night.set("Load", 1, "high");
    let card = night.wait("WARNING: Load on web01");
    let mut ghost = Command::new(ACKBELL);
    ghost.arg("--config").arg(night.directory.path().join("ackbell.toml"));
    ghost.args(["notify", "--hostname", "web01", "--servicedesc", "Ghost", "--servicestate", "2"]);
    assert!(ghost.status().unwrap().success());
    let ghost = night.wait("CRITICAL: Ghost on web01");
    night.sandbox.click(&ghost, "acknowledge", &json!({}));
    night.told("Ghost");
    // A password that was changed in Icinga; the listener takes the new configuration by itself.
    let path = night.directory.path().join("ackbell.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("api_password = \"secret\"", "api_password = \"wrong\"")).unwrap();
    wait_until("the reload", Duration::from_secs(10), || night.log().contains("configuration reloaded"));
    night.sandbox.click(&card, "acknowledge", &json!({}));
    night.told("api_password");
    fs::write(&path, config).unwrap();
    wait_until("the reload", Duration::from_secs(10), || night.log().matches("configuration reloaded").count() == 2);
    night.sandbox.click(&card, "acknowledge", &json!({}));
    night.wait("ACKNOWLEDGED, WARNING: Load on web01");
    night.set("Load", 0, "fine");
    night.wait("RECOVERED, OK: Load on web01 · was WARNING for ");
    night.sandbox.assert_respected();
}
