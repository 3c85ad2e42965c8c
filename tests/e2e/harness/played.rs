//! A core as far as its two files go: a FIFO that it reads, a status file that it writes. It does at once what it is
//! told, so that a test waits for nobody but us.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What it knows of one service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service {
    pub(crate) state: u8,
    pub(crate) problem: u32,
    /// Author, comment, Unix seconds.
    pub(crate) acknowledged: Option<(String, String, u64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By host and service.
    pub(crate) services: BTreeMap<(String, String), Service>,
    /// Every line that was read, without its time stamp.
    pub(crate) commands: Vec<String>,
    problems: u32,
    is_over: bool,
    /// Neither reads nor writes.
    is_paused: bool,
    /// Seconds that its clock is ahead.
    ahead: i64,
}

pub(crate) struct PlayedCore {
    held: Arc<Mutex<Held>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl PlayedCore {
    /// Makes `core.cmd` and `status.dat` in this directory.
    pub(crate) fn start(directory: &Path) -> Self {
        let (fifo, status) = (directory.join("core.cmd"), directory.join("status.dat"));
        if !fifo.exists() {
            assert!(Command::new("mkfifo").args(["-m", "0660"]).arg(&fifo).status().unwrap().success());
        }
        let held = Arc::new(Mutex::new(Held::default()));
        let own = Arc::clone(&held);
        write_status(&status, &held.lock().unwrap());
        let reader = open(&fifo);
        let thread = std::thread::spawn(move || run(reader, &status, &own));
        Self { held, thread: Some(thread) }
    }

    /// The lines that make our configuration know it.
    pub(crate) const CONFIG: &str =
        "[core]\nkind = \"nagios\"\ncommand_file = \"core.cmd\"\nstatus_file = \"status.dat\"\n";

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().unwrap())
    }

    /// A check's result; the problem's number.
    pub(crate) fn set(&self, host: &str, service: &str, state: u8) -> u32 {
        self.with(|held| {
            let next = held.problems + 1;
            let known = held.services.entry((host.to_owned(), service.to_owned())).or_default();
            if known.state == 0 && state != 0 {
                known.problem = next;
                held.problems = next;
            }
            if state == 0 {
                known.acknowledged = None;
            }
            known.state = state;
            known.problem
        })
    }

    pub(crate) fn is_acknowledged(&self, host: &str, service: &str) -> bool {
        let key = (host.to_owned(), service.to_owned());
        self.with(|held| held.services.get(&key).is_some_and(|known| known.acknowledged.is_some()))
    }

    /// How often a command of that name was read for the service.
    pub(crate) fn count(&self, command: &str, host: &str, service: &str) -> usize {
        let start = format!("{command};{host};{service}");
        let is_it =
            |line: &&String| line.strip_prefix(&start).is_some_and(|rest| rest.is_empty() || rest.starts_with(';'));
        self.with(|held| held.commands.iter().filter(is_it).count())
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.with(|held| held.is_paused = paused);
    }

    pub(crate) fn jump(&self, ahead: i64) {
        self.with(|held| held.ahead = ahead);
    }
}

impl Drop for PlayedCore {
    fn drop(&mut self) {
        self.with(|held| held.is_over = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// For reading and writing, so that it never ends; without waiting.
fn open(fifo: &PathBuf) -> File {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(fifo).unwrap()
}

fn run(mut reader: File, status: &Path, held: &Mutex<Held>) {
    let (mut rest, mut written) = (Vec::new(), Instant::now());
    loop {
        // The pace at which it reads and writes, no wait for anything.
        std::thread::sleep(Duration::from_millis(15));
        let mut held = held.lock().unwrap();
        if held.is_over {
            return;
        }
        if held.is_paused {
            continue;
        }
        let mut some = vec![0; 65536];
        let count = reader.read(&mut some).unwrap_or(0);
        rest.extend_from_slice(&some[..count]);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            held.take(String::from_utf8(line).unwrap().trim_end());
        }
        assert!(count == 0 || rest.is_empty(), "a torn line: {}", String::from_utf8_lossy(&rest));
        if written.elapsed() > Duration::from_millis(250) {
            write_status(status, &held);
            written = Instant::now();
        }
    }
}

impl Held {
    fn now(&self) -> u64 {
        now().saturating_add_signed(self.ahead)
    }

    fn take(&mut self, line: &str) {
        let (stamp, command) = line.split_once("] ").unwrap_or_else(|| panic!("no command: {line}"));
        assert!(stamp[1..].parse::<u64>().is_ok(), "{line}");
        self.commands.push(command.to_owned());
        let words: Vec<&str> = command.split(';').collect();
        let known = words.get(1).zip(words.get(2)).map(|(host, service)| ((*host).to_owned(), (*service).to_owned()));
        let now = self.now();
        let Some(service) = known.and_then(|key| self.services.get_mut(&key)) else { return };
        match words[0] {
            "ACKNOWLEDGE_SVC_PROBLEM" if service.state != 0 => {
                service.acknowledged = Some((words[6].to_owned(), words[7].to_owned(), now));
            }
            "REMOVE_SVC_ACKNOWLEDGEMENT" => service.acknowledged = None,
            _ => {}
        }
    }
}

pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Renamed into its place, as cores do.
fn write_status(path: &Path, held: &Held) {
    let mut text = format!(
        "info {{\n\tcreated={}\n\t}}\nprogramstatus {{\n\tnagios_pid=7\n\tenable_notifications=1\n\tcheck_external_commands=1\n\t}}\n",
        held.now()
    );
    let mut comments = String::new();
    for ((host, name), service) in &held.services {
        let names = format!("\thost_name={host}\n\tservice_description={name}\n");
        text.push_str(&format!(
            "servicestatus {{\n{names}\tcurrent_state={}\n\tstate_type=1\n\tproblem_has_been_acknowledged={}\n\tacknowledgement_type={}\n\tcurrent_problem_id={}\n\tnotifications_enabled=1\n\t}}\n",
            service.state,
            u8::from(service.acknowledged.is_some()),
            if service.acknowledged.is_some() { 2 } else { 0 },
            if service.state == 0 { 0 } else { service.problem }
        ));
        if let Some((author, comment, time)) = &service.acknowledged {
            comments.push_str(&format!(
                "servicecomment {{\n{names}\tentry_type=4\n\tcomment_id={}\n\tentry_time={time}\n\tauthor={author}\n\tcomment_data={comment}\n\t}}\n",
                service.problem
            ));
        }
    }
    let new = path.with_extension("new");
    fs::write(&new, text + &comments).unwrap();
    fs::rename(new, path).unwrap();
}
