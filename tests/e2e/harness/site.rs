//! A directory with a configuration and a state of its own, and the program run there.

use super::process::{ACKBELL, Running, text};
use super::sandbox::{Sandbox, by_token};
use super::wait;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A directory with a configuration and a state of its own.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
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
        Self::new(&(by_token(&sandbox.url) + more))
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

    /// Leaves an entry in the spool as `notify` does: a listener that looks meanwhile never sees a part of it, which it
    /// would put aside as one that isn't a notification.
    pub(crate) fn spool(&self, name: &str, entry: &Value) {
        for directory in ["spool/tmp", "spool/new", "spool/bad"] {
            fs::create_dir_all(self.state(directory)).unwrap();
        }
        let written = self.state("spool/tmp").join(name);
        fs::write(&written, entry.to_string()).unwrap();
        fs::rename(written, self.state("spool/new").join(name)).unwrap();
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
        wait::until("the listener", || self.log().matches("listening").count() > before);
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
