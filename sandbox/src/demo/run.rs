//! The core at work: one thread that reads the command file, lets time pass, writes the files and runs `notify`, as a
//! core does.

use super::fake_core::Core;
use super::scenario::{Action, Scenario, perform};
use super::{DemoFiles, files};
use crate::clock::wall_s;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a command lies in the command file before it is carried out, as in a core that looks every second.
const COMMAND_DELAY: Duration = Duration::from_secs(1);
/// How often the core looks up.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So many commands are shown.
const COMMANDS_MAX: usize = 50;

/// What the core's thread is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Do(Action),
    End,
}

/// The core as the page sees it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) core: Core,
    pub(super) is_running: bool,
    /// The lines that came through the command file, the latest last.
    pub(super) commands: VecDeque<String>,
}

/// The core's thread, and what is shared with it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) orders: Sender<Order>,
    thread: JoinHandle<()>,
}

pub(super) fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// Makes the files and starts the story.
    pub(super) fn start(program: &Path, files: &DemoFiles) -> io::Result<Self> {
        let now = wall_s();
        let core = Core::new(now);
        files::write(&files.objects_file, &files::objects(&core))?;
        rustix::fs::mknodat(CWD, &files.command_file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        let command_file = Some(open(&files.command_file)?);
        let seen = Arc::new(Mutex::new(Seen { core, is_running: true, commands: VecDeque::new() }));
        let (orders, received) = channel();
        let mut work = Work {
            seen: Arc::clone(&seen),
            files: files.clone(),
            program: program.to_owned(),
            command_file,
            unfinished: Vec::new(),
            waiting: VecDeque::new(),
            written: 0,
        };
        let thread = std::thread::Builder::new().name("demo core".to_owned()).spawn(move || work.run(&received))?;
        Ok(Self { seen, orders, thread })
    }

    /// Stops the thread. A `notify` that runs ends first.
    pub(super) fn end(self) {
        // Gone only after a panic, which has been printed already.
        let _ = self.orders.send(Order::End);
        drop(self.thread.join());
    }
}

fn open(command_file: &Path) -> io::Result<File> {
    Ok(rustix::fs::open(command_file, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into())
}

struct Work {
    seen: Arc<Mutex<Seen>>,
    files: DemoFiles,
    program: PathBuf,
    /// Nobody reads it while the core is stopped.
    command_file: Option<File>,
    unfinished: Vec<u8>,
    waiting: VecDeque<(Instant, String)>,
    /// When the status file was written, Unix seconds.
    written: i64,
}

impl Work {
    fn run(&mut self, orders: &Receiver<Order>) {
        let mut scenario = Scenario::default();
        Scenario::begin(&mut lock(&self.seen).core, wall_s());
        loop {
            let order = match orders.recv_timeout(LOOK_EVERY) {
                Ok(Order::Do(action)) => Some(action),
                Err(RecvTimeoutError::Timeout) => None,
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = wall_s();
            if let Some(action) = order {
                self.order(action, now);
            }
            if self.command_file.is_some() {
                self.read_commands();
                let is_obeyed = self.obey(now);
                let mut seen = lock(&self.seen);
                scenario.tick(&mut seen.core, now);
                seen.core.tick(now);
                drop(seen);
                self.write_status(order.is_some() || is_obeyed, now);
            }
            self.write_log();
            self.notify();
        }
    }

    /// Carries out the commands whose time has come; whether there were any.
    fn obey(&mut self, now: i64) -> bool {
        let mut seen = lock(&self.seen);
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|(due, _)| *due <= Instant::now())
            && let Some((_, line)) = self.waiting.pop_front()
        {
            seen.core.obey(&line, now);
        }
        self.waiting.len() < before
    }

    fn order(&mut self, action: Action, now: i64) {
        let mut seen = lock(&self.seen);
        match action {
            Action::StopCore => {
                // What is left in a FIFO that nobody holds open is gone, as with a real core.
                self.command_file = None;
                self.unfinished.clear();
                self.waiting.clear();
                seen.is_running = false;
                seen.core.log(now, "Caught SIGTERM, shutting down...");
            }
            Action::StartCore => {
                self.command_file = open(&self.files.command_file).ok();
                seen.is_running = self.command_file.is_some();
            }
            _ => perform(&mut seen.core, action, now),
        }
    }

    fn read_commands(&mut self) {
        let mut bytes = [0; 8192];
        // An error is that there is nothing to read.
        while let Some(Ok(count @ 1..)) = self.command_file.as_mut().map(|file| file.read(&mut bytes)) {
            self.unfinished.extend_from_slice(&bytes[..count]);
        }
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            let mut seen = lock(&self.seen);
            if seen.commands.len() == COMMANDS_MAX {
                seen.commands.pop_front();
            }
            seen.commands.push_back(line.clone());
            self.waiting.push_back((Instant::now() + COMMAND_DELAY, line));
        }
    }

    /// Once a second, or when something happened. A full disk shows in what the listener says.
    fn write_status(&mut self, is_changed: bool, now: i64) {
        if is_changed || self.written != now {
            let text = files::status(&lock(&self.seen).core, now);
            self.written = now;
            let _ = files::write(&self.files.status_file, &text);
        }
    }

    fn write_log(&self) {
        let log: String = lock(&self.seen).core.take_log().iter().map(|line| format!("{line}\n")).collect();
        if !log.is_empty() {
            let file = OpenOptions::new().create(true).append(true).open(&self.files.core_log);
            let _ = file.and_then(|mut file| file.write_all(log.as_bytes()));
        }
    }

    /// Runs the notification command for each notification, as the core's worker does: without a terminal, with a bare
    /// environment.
    fn notify(&self) {
        let sent = lock(&self.seen).core.take_notifications();
        for arguments in sent {
            let mut command = Command::new(&self.program);
            command.arg("--config").arg(&self.files.config).arg("notify").args(&arguments);
            command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null()).stdout(Stdio::null());
            let log = OpenOptions::new().create(true).append(true).open(&self.files.core_log);
            command.stderr(log.map_or_else(|_| Stdio::null(), Stdio::from));
            let what = match command.status() {
                Ok(status) if status.success() => continue,
                Ok(status) => status.to_string(),
                Err(e) => e.to_string(),
            };
            let now = wall_s();
            lock(&self.seen).core.log(now, &format!("wproc: NOTIFY job failed: {what}"));
        }
    }
}
