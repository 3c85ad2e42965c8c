//! The whole loop on one machine, for a look at it: the stand-in for Slack, a small monitoring core, the real `listen`
//! between them, and a story of hosts that break.
//!
//! ```text
//! story ─▶ core ─▶ ackbell notify ─▶ ackbell listen ─▶ sandbox ─▶ page
//!            ▲                            │
//!            └─────── command file ◀──────┘
//! ```
//!
//! Only the core and Slack are played, and neither shares code with what talks to it. All files are in one directory.
//! Nothing outlives the demo: the listener is kept by a shell that ends it as soon as the demo is gone, killed or not.

mod accept_command;
mod archive;
mod fake_core;
mod files;
mod hosts;
mod panel;
mod run;
mod scenario;
mod supervise;
mod values;

use crate::Sandbox;
use crate::page::Extra;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, io};

/// They open nothing but the demo's own sandbox.
const BOT_TOKEN: &str = "xoxb-sandbox-0000000000";
const APP_TOKEN: &str = "xapp-sandbox-0000000000";
const SIGNING_SECRET: &str = "sandbox-signing-secret";
/// Slack takes a few messages at once before its pace of one a second holds.
const BURST: u32 = 5;
/// How long the listener may take to open its door.
const LISTENER_START_MAX: Duration = Duration::from_secs(20);

/// How the demo is started.
#[derive(Debug)]
pub struct Options {
    /// The page's port; 0 takes a free one.
    pub port: u16,
    /// Where its files go. It must not exist yet.
    pub directory: PathBuf,
    /// Whether the directory stays when the demo ends.
    pub keep: bool,
    /// The program, for `listen` and `notify`.
    pub program: PathBuf,
}

/// Why there is no demo. Names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("port {0} is taken; choose another with --port N, or any free one with --port 0")]
    PortTaken(u16),
    #[error("can't listen on 127.0.0.1:{port}: {source}; choose another port with --port N")]
    Listen { port: u16, source: io::Error },
    #[error("{} exists already; name a directory that doesn't with --dir", .0.display())]
    DirectoryExists(PathBuf),
    #[error("can't write in {}: {source}; choose another place with --dir", .directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("can't start {what}: {source}")]
    Start { what: &'static str, source: io::Error },
    #[error("the listener didn't open its door; its log says: {0}")]
    Listener(String),
}

/// The demo's files.
#[derive(Debug, Clone)]
pub struct DemoFiles {
    pub directory: PathBuf,
    pub config: PathBuf,
    pub command_file: PathBuf,
    pub status_file: PathBuf,
    pub objects_file: PathBuf,
    pub core_log: PathBuf,
    pub listener_log: PathBuf,
}

impl DemoFiles {
    fn within(directory: &Path) -> Self {
        let inside = |name: &str| directory.join(name);
        Self {
            directory: directory.to_owned(),
            config: inside("ackbell.toml"),
            command_file: inside("core.cmd"),
            status_file: inside("status.dat"),
            objects_file: inside("objects.cache"),
            core_log: inside("core.log"),
            listener_log: inside("listener.log"),
        }
    }
}

/// A running demo; it ends with [`Demo::end`], or with the process.
#[derive(Debug)]
pub struct Demo {
    pub page_url: String,
    pub files: DemoFiles,
    core: run::Running,
    supervisor: supervise::Supervisor,
}

impl Demo {
    /// Starts everything; the first problems are on their way when it returns.
    pub fn start(options: &Options) -> Result<Self, DemoError> {
        let files = DemoFiles::within(&options.directory);
        let failed = |source| DemoError::Directory { directory: options.directory.clone(), source };
        // What the page asks for is known only once the core runs.
        let panel: Arc<Mutex<Option<panel::Panel>>> = Arc::default();
        let app_port = free_port().map_err(|source| DemoError::Start { what: "the listener", source })?;
        let sandbox = start_sandbox(options.port, app_port, panel::extra(&panel))?;
        let page_url = sandbox.base_url();
        match fs::DirBuilder::new().mode(0o700).create(&options.directory) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(DemoError::DirectoryExists(options.directory.clone()));
            }
            other => other.map_err(failed)?,
        }
        write_config(&files, &page_url, app_port).map_err(failed)?;
        archive::import(&options.program, &files)
            .map_err(|source| DemoError::Start { what: "the import of the core's archive", source })?;
        let supervisor = supervise::Supervisor::start(&options.program, &files, options.keep)
            .map_err(|source| DemoError::Start { what: "the listener", source })?;
        wait_for_listener(app_port, &files)?;
        let core = run::Running::start(&options.program, &files).map_err(failed)?;
        *panel.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(panel::Panel::new(&options.program, &files, &core));
        Ok(Self { page_url, files, core, supervisor })
    }

    /// Ends the core and the listener, and removes the directory unless it is to stay.
    pub fn end(self) {
        self.core.end();
        self.supervisor.end();
    }
}

fn start_sandbox(port: u16, app_port: u16, extra: Extra) -> Result<Sandbox, DemoError> {
    let options = crate::Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        bot_token: BOT_TOKEN.to_owned(),
        app_token: APP_TOKEN.to_owned(),
        signing_secret: SIGNING_SECRET.to_owned(),
        request_url: Some(format!("http://127.0.0.1:{app_port}/slack/request")),
        strict_pace: true,
        burst: BURST,
    };
    Sandbox::start_with(options, Some(extra)).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => DemoError::PortTaken(port),
        _ => DemoError::Listen { port, source },
    })
}

/// A port nobody listens on at this moment.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Slack's requests come signed over HTTP, as from the real one to a public address.
fn write_config(files: &DemoFiles, sandbox_url: &str, app_port: u16) -> io::Result<()> {
    let (host, service) = hosts::ESCALATED;
    let matches = format!("{{ host = \"{host}\", service = \"{service}\" }}");
    let target = values::TARGET;
    let text = format!(
        "# Written by `ackbell demo`.\nstate_dir = \"state\"\n\n\
        [slack]\nbot_token = \"{BOT_TOKEN}\"\nsigning_secret = \"{SIGNING_SECRET}\"\n\
        api_url = \"{sandbox_url}/api/\"\nchannel = \"#ops\"\n\n\
        [listen]\nhttp = \"127.0.0.1:{app_port}\"\n\n\
        [core]\nkind = \"nagios\"\ncommand_file = \"core.cmd\"\nstatus_file = \"status.dat\"\n\
        objects_file = \"objects.cache\"\nlog_file = \"core.log\"\n\n\
        # The site's database of values is played, too.\n\
        [curve]\npicture = true\nnotifications = false\n\n\
        [curve.graphite]\nurl = \"{sandbox_url}/demo/values\"\ntarget = \"{target}\"\n\n\
        # Elsewhere these would be minutes.\n\
        [[escalate]]\nmatch = {matches}\nafter = \"10s\"\nmention = \"@alice@example.com\"\n\n\
        [[escalate]]\nmatch = {matches}\nafter = \"25s\"\nmention = \"@bob@example.com\"\n"
    );
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&files.config)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

fn wait_for_listener(app_port: u16, files: &DemoFiles) -> Result<(), DemoError> {
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, app_port)).is_err() {
        if started.elapsed() > LISTENER_START_MAX {
            let log = fs::read_to_string(&files.listener_log).unwrap_or_default();
            return Err(DemoError::Listener(log.lines().next_back().unwrap_or("nothing").to_owned()));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
