//! The stand-in, the program, and what a test asks of them in human words.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program under test.
pub(crate) const ACKBELL: &str = env!("CARGO_BIN_EXE_ackbell");
pub(crate) const TOKEN: &str = "xoxb-sandbox-0000000000";

/// A running stand-in for Slack.
pub(crate) struct Sandbox {
    #[expect(dead_code, reason = "it ends with us")]
    child: Option<Running>,
    pub(crate) url: String,
    agent: ureq::Agent,
}

impl Sandbox {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(ACKBELL)
            .args(["sandbox", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let url = first.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http"), "{first}");
        let sandbox = Self { child: Some(Running(child)), url, agent: agent() };
        // What the app of `ackbell manifest` may do, and nothing else: a call beyond that fails its test.
        let manifest: Value = serde_json::from_str(include_str!("../../contrib/slack/socket-mode.json")).unwrap();
        let scopes: Vec<&str> =
            manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        sandbox.tell("state", &json!({"tokens": {TOKEN: {"scopes": scopes.join(",")}}}));
        sandbox
    }

    /// One that somebody else started.
    pub(crate) fn at(url: &str) -> Self {
        Self { child: None, url: url.to_owned(), agent: agent() }
    }

    /// An address of its incoming webhooks; each name is a channel.
    pub(crate) fn webhook(&self, name: &str) -> String {
        format!("{}/services/T0SANDBOX/{name}/x", self.url)
    }

    /// Of a control; or of a path, if it starts with a slash.
    fn address(&self, what: &str) -> String {
        let below = if what.starts_with('/') { "" } else { "/_sandbox/" };
        format!("{}{below}{what}", self.url)
    }

    pub(crate) fn get(&self, what: &str) -> Value {
        let mut answer = self.agent.get(self.address(what)).call().unwrap();
        let body = answer.body_mut().with_config().limit(500_000_000).read_to_string().unwrap();
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn tell(&self, what: &str, order: &Value) {
        let answer = self.agent.post(self.address(what)).send(order.to_string());
        answer.unwrap_or_else(|e| panic!("{what}: {e}"));
    }

    /// Calls a method of the Web API as somebody else would.
    #[track_caller]
    pub(crate) fn api(&self, method: &str, arguments: &Value) -> Value {
        let request = self.agent.post(format!("{}/api/{method}", self.url));
        let request = request.header("Authorization", format!("Bearer {TOKEN}"));
        let request = request.header("Content-Type", "application/json; charset=utf-8");
        let answer = request.send(arguments.to_string()).unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer
    }

    /// Tells the stand-in to do something, and gives what came of it.
    #[track_caller]
    pub(crate) fn order(&self, what: &str, order: &Value) -> Value {
        let answer = self.agent.post(self.address(what)).config().http_status_as_error(false).build();
        let answer = answer.send(order.to_string()).unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Somebody clicks on a message, and Slack has its answer in time.
    #[track_caller]
    pub(crate) fn click(&self, message: &Value, action: &str, more: &Value) -> Value {
        let mut click = serde_json::json!({"channel": message["channel"], "ts": message["ts"], "action_id": action});
        for (key, value) in more.as_object().into_iter().flatten() {
            click[key] = value.clone();
        }
        let answer = self.order("click", &click);
        let expected = (&Value::from(true), &Value::from(200));
        assert_eq!((&answer["ok"], &answer["status"]), expected, "{answer}: {}", message["attachments"]);
        answer
    }

    /// What one person alone was told.
    pub(crate) fn whispers(&self) -> Vec<String> {
        let to_one = self.messages().into_iter().filter(|message| !message["ephemeral_for"].is_null());
        to_one.map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The messages people would see, in order.
    pub(crate) fn messages(&self) -> Vec<Value> {
        list(self.get("messages"), "messages")
    }

    /// The first lines of the messages.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages().iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn violations(&self) -> Vec<Value> {
        list(self.get("violations"), "violations")
    }

    /// Slack got nothing it would refuse, silently or not.
    #[track_caller]
    pub(crate) fn assert_respected(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "{}", json!(violations));
    }

    /// Waits until so many messages are there.
    #[track_caller]
    pub(crate) fn wait_for_messages(&self, count: usize) -> Vec<Value> {
        let mut messages = Vec::new();
        wait_until(&format!("{count} messages"), Duration::from_secs(60), || {
            messages = self.messages();
            messages.len() >= count
        });
        messages
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .tls_config(
            ureq::tls::TlsConfig::builder()
                .disable_verification(true)
                .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
                .build(),
        )
        .build();
    config.into()
}

fn list(answer: Value, key: &str) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        mut object => object[key].take().as_array().cloned().unwrap_or_default(),
    }
}

/// A directory with a configuration and a state of its own.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// SIGTERM, and the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(self.0.id(), "TERM");
        self.0.wait().unwrap().code()
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
}

impl Site {
    /// With this configuration; the state directory is `state` beside it.
    pub(crate) fn new(config: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        site.configure(config);
        site
    }

    /// Posts to one webhook of the stand-in.
    pub(crate) fn with_webhook(sandbox: &Sandbox) -> Self {
        Self::new(&format!("[slack]\nwebhook_url = \"{}\"\n", sandbox.webhook("B0000001")))
    }

    /// Posts with a bot token to `#ops`.
    pub(crate) fn with_token(sandbox: &Sandbox, more: &str) -> Self {
        let slack =
            format!("[slack]\nbot_token = \"{TOKEN}\"\napi_url = \"{}/api/\"\nchannel = \"#ops\"\n", sandbox.url);
        Self::new(&format!("{slack}{more}"))
    }

    pub(crate) fn configure(&self, config: &str) {
        let path = self.config();
        fs::write(&path, format!("state_dir = \"state\"\n{config}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("ackbell.toml")
    }

    pub(crate) fn state(&self, inside: &str) -> PathBuf {
        self.dir.path().join("state").join(inside)
    }

    /// The program with this site's configuration and nothing of ours in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ACKBELL);
        command.arg("--config").arg(self.config()).args(arguments).env_clear().stdin(Stdio::null());
        let clock = self.dir.path().join("clock");
        if clock.exists() {
            command.env("LD_PRELOAD", faketime()).env("FAKETIME_TIMESTAMP_FILE", clock);
            command
                .envs(["FAKETIME_NO_CACHE", "DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC"].map(|n| (n, "1")));
        }
        command
    }

    /// The wall clock of this site's processes, those that run and those to come, as faketime writes an offset: `+1d`.
    /// Only a process that began after the first time sees the next; the steady clock stays.
    pub(crate) fn jump(&self, offset: &str) {
        let new = self.dir.path().join("clock.new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, self.dir.path().join("clock")).unwrap();
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// `notify` for a service, which must succeed.
    #[track_caller]
    pub(crate) fn service(&self, kind: &str, host: &str, service: &str, state: &str, output: &str) {
        let arguments = [
            "notify",
            "--type",
            "Service",
            "--notificationtype",
            kind,
            "--hostname",
            host,
            "--servicedesc",
            service,
            "--servicestate",
            state,
            "--output",
            output,
        ];
        let done = self.run(&arguments);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    }

    /// A listener, once it holds the lock.
    pub(crate) fn listen(&self) -> Running {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let before = self.log().matches("listening").count();
        let child = self.command(&["listen"]).stderr(log).spawn().unwrap();
        wait_until("the listener", Duration::from_secs(20), || self.log().matches("listening").count() > before);
        Running(child)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn queue(&self) -> Value {
        let done = self.run(&["queue", "--json", "list"]);
        serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr)))
    }

    /// Nothing waits, nothing is dead, the spool is empty.
    #[track_caller]
    pub(crate) fn assert_all_delivered(&self) {
        let queue = self.queue();
        let counts = ["spooled", "waiting", "dead"].map(|key| queue[key].as_i64().unwrap());
        assert_eq!(counts, [0, 0, 0], "{queue}");
    }

    /// Asks or changes the database behind the program's back; a line for each row, its values between bars.
    pub(crate) fn sql(&self, statements: &str) -> rusqlite::Result<String> {
        use rusqlite::fallible_iterator::FallibleIterator as _;
        let db = rusqlite::Connection::open(self.state("ackbell.db"))?;
        db.busy_timeout(Duration::from_secs(5))?;
        let (mut batch, mut lines) = (rusqlite::Batch::new(&db, statements), Vec::new());
        while let Some(mut statement) = batch.next()? {
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let values =
                    (0..columns).map(|column| row.get_ref(column).map(shown)).collect::<Result<Vec<_>, _>>()?;
                lines.push(values.join("|"));
            }
        }
        Ok(lines.join("\n"))
    }

    /// How many files are in `spool/NAME`.
    pub(crate) fn spooled(&self, name: &str) -> usize {
        fs::read_dir(self.state("spool").join(name)).into_iter().flatten().count()
    }
}

fn shown(value: rusqlite::types::ValueRef) -> String {
    use rusqlite::types::ValueRef::{Blob, Integer, Null, Real, Text};
    match value {
        Null => String::new(),
        Integer(number) => number.to_string(),
        Real(number) => number.to_string(),
        Text(bytes) | Blob(bytes) => text(bytes),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for a condition, with a deadline; a machine that has other things to do gets three times as long.
#[track_caller]
pub(crate) fn wait_until(what: &str, most: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < most * 3, "waited {most:?} for {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Debian's libfaketime, wherever this architecture has it. It keeps a shared memory object named by the process's
/// number, and exits with 1 where that of a killed one stands in its way: those of the dead are removed first.
fn faketime() -> String {
    for file in fs::read_dir("/dev/shm").unwrap().flatten() {
        let name = file.file_name().into_string().unwrap_or_default();
        let is_his = name.starts_with("faketime_shm_") || name.starts_with("sem.faketime_sem_");
        let pid = name.rsplit('_').next().filter(|_| is_his);
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_file(file.path());
        }
    }
    let found = Command::new("sh").args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]).output().unwrap();
    let found = text(&found.stdout).trim().to_owned();
    assert!(!found.is_empty(), "apt-get install faketime");
    found
}

/// Whether the long form of a test is asked for, as `tests/faults` does.
pub(crate) fn is_long() -> bool {
    std::env::var_os("LONG").is_some()
}

/// A file that must be executable.
pub(crate) fn script(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
