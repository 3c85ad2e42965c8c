//! A real PostgreSQL: one throw-away server for the whole run, and in it a schema for each test. A test that stops or breaks
//! its server has one of its own.

use super::process::text;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A running server. It ends with this value, or with this process.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    process: Child,
    input: Option<ChildStdin>,
}

impl Postgres {
    /// One of its own, with settings as `postgresql.conf` has them: `fsync=off`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres-cluster"));
        let mut process = command.args(settings).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        let port = words.next().expect("apt-get install postgresql").parse().unwrap();
        Self { port, input: process.stdin.take(), process }
    }

    /// The one of this run, which no test stops.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A new schema, and the URL by which it is the only one.
    pub(crate) fn schema(&self) -> (String, String) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE SCHEMA {name}"));
        let url = Self::url_at(self.port, &name);
        (name, url)
    }

    /// The URL of a schema through another port, as of a proxy.
    pub(crate) fn url_at(port: u16, schema: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres?options=-csearch_path%3D{schema}")
    }

    /// What statements answer: a line for each row, its values between bars.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap_or_else(|e| panic!("{e}: {statements}"))
    }

    /// The same while the server may be away.
    pub(crate) fn try_sql(&self, statements: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-c"];
        let done = Command::new("psql").args(arguments).arg(statements).output().expect("apt-get install postgresql");
        if done.status.success() { Ok(text(&done.stdout).trim().to_owned()) } else { Err(text(&done.stderr)) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
