//! Several listeners that share an outbox in PostgreSQL, one stand-in for Slack, and a played core that all of them reach.

use super::played::PlayedCore;
use super::postgres::Postgres;
use super::process::{Running, free_port, signal, text};
use super::proxy::Proxy;
use super::sandbox::{Sandbox, by_token};
use super::site::Site;
use super::wait;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One listener, on a machine of its own as far as its files go.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) site: Site,
    pub(crate) listener: Option<Running>,
    /// Of its HTTP listener.
    pub(crate) port: u16,
}

/// Processes end before the stand-in does.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) core: PlayedCore,
    pub(crate) sandbox: Sandbox,
    /// All tests' server, or its own.
    pub(crate) postgres: Arc<Postgres>,
    /// Its name.
    pub(crate) database: String,
    core_dir: tempfile::TempDir,
}

impl Node {
    pub(crate) fn pid(&self) -> u32 {
        self.listener.as_ref().unwrap().0.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.listener = None;
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.listener.take().unwrap().stop()
    }

    pub(crate) fn start(&mut self) {
        self.listener = Some(self.site.listen());
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Where Slack sends clicks to reach this node.
    pub(crate) fn request_url(&self) -> String {
        format!("http://127.0.0.1:{}/slack/request", self.port)
    }

    /// The status of `/healthz`.
    pub(crate) fn health(&self) -> u16 {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        agent.get(format!("http://127.0.0.1:{}/healthz", self.port)).call().unwrap().status().as_u16()
    }

    /// Its key file, of these lines.
    pub(crate) fn seal_with(&self, keys: &str) {
        let path = self.site.dir.path().join("key-file");
        std::fs::write(&path, keys).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    }

    /// `notify` on its machine, for a service of the played core.
    #[track_caller]
    pub(crate) fn notify(&self, kind: &str, host: &str, service: &str, state: &str, output: &str) {
        self.site.service(kind, host, service, state, output);
    }
}

impl Cluster {
    /// So many nodes, named `a`, `b`, …, that run; the first leads. `more`: of their configuration.
    pub(crate) fn start(count: usize, more: &str) -> Self {
        Self::start_on(Arc::clone(Postgres::shared()), count, more)
    }

    /// The same with a server of its own, which counts the statements (`pg_stat_statements`).
    pub(crate) fn start_alone(count: usize, more: &str) -> Self {
        let postgres = Postgres::start(&["shared_preload_libraries=pg_stat_statements"]);
        Self::start_on(Arc::new(postgres), count, more)
    }

    fn start_on(postgres: Arc<Postgres>, count: usize, more: &str) -> Self {
        let mut cluster = Self::prepare(postgres, count, more);
        for number in 0..count {
            cluster.nodes[number].start();
            if number == 0 {
                cluster.wait_for_leader();
            }
        }
        cluster
    }

    /// The same before any of them runs, with a server.
    pub(crate) fn prepare(postgres: Arc<Postgres>, count: usize, more: &str) -> Self {
        let cluster = Self::prepare_with(postgres, count, more, by_token);
        cluster.make_tables();
        cluster
    }

    /// The same with an app that a browser is to install, once for all nodes: `key-file` beside each one's configuration.
    pub(crate) fn prepare_installable(count: usize, key: &str) -> Self {
        let cluster = Self::prepare_with(Arc::clone(Postgres::shared()), count, "", |sandbox| {
            format!(
                "[slack]\nclient_id = \"1111.2222\"\nclient_secret = \"sandbox-client-secret\"\n\
                 api_url = \"{sandbox}/api/\"\nchannel = \"#ops\"\n"
            )
        });
        for node in &cluster.nodes {
            node.seal_with(key);
            let config = std::fs::read_to_string(node.site.config()).unwrap();
            let config = config.replacen("[database]\n", "[database]\nkey_file = \"key-file\"\n", 1);
            let public = format!("{PUBLIC_URL}\nnode = ");
            std::fs::write(node.site.config(), config.replacen("node = ", &public, 1)).unwrap();
        }
        cluster.make_tables();
        cluster.sandbox.tell("state", &json!({"oauth": {"redirect_url": "https://alerts.example.com/slack_oauth"}}));
        cluster
    }

    fn prepare_with(postgres: Arc<Postgres>, count: usize, more: &str, slack: impl Fn(&str) -> String) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let database = format!("cluster{}", NEXT.fetch_add(1, Ordering::Relaxed));
        postgres.create(&database);
        let url = postgres.url("postgres", &database);
        let sandbox = Sandbox::start(&["--burst", "500"]);
        let core_dir = tempfile::tempdir().unwrap();
        let core = PlayedCore::start(core_dir.path());
        let slack = slack(&sandbox.url);
        let nodes = (0..count).map(|number| node(number, &slack, core_dir.path(), &url, more)).collect();
        let cluster = Self { nodes, core, sandbox, postgres, database, core_dir };
        cluster.clicks_reach(0);
        cluster
    }

    fn make_tables(&self) {
        let done = self.nodes[0].site.run(&["database", "init"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }

    /// This node reaches its database through a proxy.
    pub(crate) fn put_behind(&self, node: usize, proxy: &Proxy) {
        let (direct, through) = (format!(":{}/", self.postgres.port), format!(":{}/", proxy.port));
        self.configure(node, |config| {
            assert!(config.contains(&direct), "{config}");
            config.replace(&direct, &through)
        });
    }

    /// Changes a node's configuration, which isn't read yet.
    pub(crate) fn configure(&self, node: usize, change: impl FnOnce(String) -> String) {
        let path = self.nodes[node].site.config();
        let config = change(std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, config).unwrap();
    }

    /// A file of the played core: `core.cmd`, `status.dat`.
    pub(crate) fn core_file(&self, name: &str) -> PathBuf {
        self.core_dir.path().join(name)
    }

    /// The nodes, as `check` at this one sees them: their names, and which of them delivers.
    pub(crate) fn seen_by(&self, node: usize) -> (Vec<String>, Option<String>) {
        let shown: Value = serde_json::from_slice(&self.nodes[node].site.run(&["check", "--json"]).stdout).unwrap();
        let nodes = shown["nodes"].as_array().cloned().unwrap_or_default();
        let name = |node: &Value| node["name"].as_str().unwrap().to_owned();
        let leader = nodes.iter().find(|node| node["delivers"] == true).map(name);
        (nodes.iter().filter(|node| node["gone"] == false).map(name).collect(), leader)
    }

    /// A relay with this token, beside the same core; it may go to each node.
    pub(crate) fn relay(&self, token: &str) -> Site {
        let to: Vec<String> = self.nodes.iter().map(|node| format!("http://127.0.0.1:{}", node.port)).collect();
        let core = self.core_dir.path().display();
        Site::new(&format!(
            "[relay]\nto = {to:?}\ntoken = \"{token}\"\n\
             [core]\ncommand_file = \"{core}/core.cmd\"\nstatus_file = \"{core}/status.dat\"\n"
        ))
    }

    /// Asks this cluster's database: a line for each row, its values between bars.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.postgres.sql(&self.database, statements)
    }

    /// The same of a database that may be down.
    pub(crate) fn try_sql(&self, statements: &str) -> Option<String> {
        let url = self.postgres.url("postgres", &self.database);
        let done = Command::new("psql").args(["-XqAt", "-c", statements, &url]).output().ok()?;
        done.status.success().then(|| text(&done.stdout).trim().to_owned())
    }

    /// The number of the node that leads now, as far as the database says it.
    pub(crate) fn leader(&self) -> Option<usize> {
        let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let holder = self.try_sql(&format!("SELECT holder FROM lease WHERE name = 'deliver' AND until > {now}"))?;
        self.nodes.iter().position(|node| node.name == holder)
    }

    /// Waits until one leads, and gives its number.
    #[track_caller]
    pub(crate) fn wait_for_leader(&self) -> usize {
        wait::until("a leader", || self.leader().ok_or_else(|| self.logs()))
    }

    /// Waits until another one than this leads: its number, and how long that took.
    #[track_caller]
    pub(crate) fn wait_for_another(&self, than: usize) -> (usize, Duration) {
        let started = Instant::now();
        let new =
            wait::until("another leader", || self.leader().filter(|leader| *leader != than).ok_or_else(|| self.logs()));
        (new, started.elapsed())
    }

    /// Slack sends clicks to this node from now on.
    pub(crate) fn clicks_reach(&self, node: usize) {
        let url = self.nodes[node].request_url();
        self.sandbox.tell("state", &json!({"app": {"socket_mode": false, "request_url": url}}));
    }

    /// Waits for a message that people see and that starts so.
    #[track_caller]
    pub(crate) fn expect(&self, start: &str) -> Value {
        wait::until(&format!("\"{start}\""), || {
            let is_it = |message: &Value| message["text"].as_str().unwrap_or_default().starts_with(start);
            let found = self.sandbox.messages().into_iter().find(is_it);
            found.ok_or_else(|| format!("{:?}\n{}", self.sandbox.texts(), self.logs()))
        })
    }

    /// Nothing waits, and nothing is to be repaired.
    #[track_caller]
    pub(crate) fn rests(&self) {
        wait::until("the outbox to rest", || {
            let waiting = self.sql(
                "SELECT (SELECT COUNT(*) FROM delivery WHERE state = 'waiting') + (SELECT COUNT(*) FROM repair)
                   + (SELECT COUNT(*) FROM action_request WHERE state <> 'done')",
            );
            let spooled: usize = self.nodes.iter().map(|node| node.site.spooled("new")).sum();
            if waiting == "0" && spooled == 0 { Ok(()) } else { Err(format!("{waiting} {spooled}\n{}", self.logs())) }
        });
    }

    /// What all nodes logged.
    pub(crate) fn logs(&self) -> String {
        self.nodes.iter().map(|node| format!("== {}\n{}", node.name, node.site.log())).collect()
    }
}

/// Where a browser reaches the nodes, whichever answers.
const PUBLIC_URL: &str = "public_url = \"https://alerts.example.com\"";

fn node(number: usize, slack: &str, core: &Path, url: &str, more: &str) -> Node {
    let (name, port) = (char::from(b'a' + u8::try_from(number).unwrap()).to_string(), free_port());
    let core = core.display();
    let config = format!(
        "{slack}signing_secret = \"sandbox-signing-secret\"\n[database]\nurl = \"{url}\"\n\
         [listen]\nhttp = \"127.0.0.1:{port}\"\nnode = \"{name}\"\n\
         [core]\ncommand_file = \"{core}/core.cmd\"\nstatus_file = \"{core}/status.dat\"\n{more}"
    );
    Node { name, site: Site::new(&config), listener: None, port }
}
