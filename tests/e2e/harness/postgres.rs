//! A throw-away PostgreSQL: one for the whole run, with a database for each test; or one of its own for a test that stops it.

use super::process::text;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

/// A server. It ends when the process does that started it, as then nobody holds the other end of its input.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    /// Of its first process.
    pub(crate) pid: u32,
    process: Child,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Postgres {
    /// One for this test, with more of its configuration.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::run(Self::script().args(settings))
    }

    /// A standby of the one at this port, which it follows without making anybody wait.
    pub(crate) fn standby_of(port: u16) -> Self {
        Self::run(Self::script().env("PG_STANDBY_OF", port.to_string()))
    }

    fn script() -> Command {
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres-cluster"))
    }

    fn run(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let [port, _, pid] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("PostgreSQL starts: {line:?}")
        };
        Self { port: port.parse().unwrap(), pid: pid.parse().unwrap(), process }
    }

    /// The one that all tests share.
    pub(crate) fn shared() -> &'static Arc<Self> {
        static SHARED: OnceLock<Arc<Postgres>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::start(&[])))
    }

    /// A new database, with a role for daily work.
    pub(crate) fn create(&self, database: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {database}"));
        self.sql("postgres", &format!("CREATE ROLE {database} LOGIN"));
    }

    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// What `psql` says to it, without its decoration.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, statements: &str) -> String {
        let mut command = Command::new("psql");
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statements, &self.url("postgres", database)]);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{statements}: {}", text(&done.stderr));
        text(&done.stdout).trim().to_owned()
    }
}
