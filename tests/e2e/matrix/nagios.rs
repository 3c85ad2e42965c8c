//! Nagios, and a Naemon that somebody else installed.

use super::{Held, Row, Subject, services};
use crate::cores::Program;
use crate::harness::nagios::{always, main_config, shipped};
use crate::harness::process::{Running, script, text};
use crate::harness::site::Site;
use crate::harness::wait;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The characters that every core's sample forbids in names.
const ILLEGAL: &str = "`~!$%^&*|'\"<>?,()=";

pub(super) struct Nagios {
    program: Program,
    version: String,
    root: PathBuf,
    process: Option<Running>,
    results: AtomicU32,
    /// Of the configuration's table.
    core: String,
    asks: bool,
    /// A broker module's line.
    module: String,
}

fn services_of_stories() -> [&'static str; 8] {
    ["Ends", "Types", "Flap", "Fixed", "Flexible", "Check", "Stays", "Later"]
}

impl Nagios {
    fn start(site: &Site, program: Program, core: &str, asks: bool, module: &str) -> Self {
        let root = site.dir.path().to_owned();
        let said = text(&program.command(&root, &["--version"]).output().unwrap().stdout);
        let version = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().replace("Core ", "");
        let (core, module) = (core.to_owned(), module.replace("ROOT", &root.display().to_string()));
        let mut nagios = Self { program, version, root, process: None, results: AtomicU32::new(0), core, asks, module };
        nagios.lay_out();
        nagios.restart();
        nagios
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    fn lay_out(&self) {
        let root = self.root.display().to_string();
        for directory in ["state", "rw", "results", "tmp", "archives"] {
            fs::create_dir_all(self.path(directory)).unwrap();
        }
        crate::harness::process::copy_ackbell(&self.path("ackbell"));
        script(&self.path("check"), "#!/bin/sh\necho checked again\nexit 1\n");
        let family = if self.is_naemon() { "naemon" } else { "nagios" };
        fs::write(self.path("ackbell.cfg"), shipped(family, &root)).unwrap();
        fs::write(self.path("objects.cfg"), objects(&root)).unwrap();
        let module = &self.module;
        let more = format!(
            "status_update_interval=1\nlog_archive_path={root}/archives\nenable_flap_detection=1\nillegal_object_name_chars={ILLEGAL}\n\
             illegal_macro_output_chars=`~$&|'\"<>\nretain_state_information=1\nuse_retained_program_state=1\n\
             state_retention_file={root}/retention.dat\n{module}\n"
        );
        let main = main_config(&root, &more);
        fs::write(self.path("nagios.cfg"), main).unwrap();
        self.program.own(&self.root);
        assert!(Command::new("chmod").arg("0755").arg(&self.root).status().unwrap().success());
    }

    fn is_naemon(&self) -> bool {
        self.core.contains("naemon")
    }

    /// The blocks of the state file, each with its kind.
    fn blocks(&self) -> Vec<(String, HashMap<String, String>)> {
        let status = text(&fs::read(self.path("status.dat")).unwrap_or_default());
        let block = |text: &str| {
            let (kind, fields) = text.trim_start().split_once(" {\n")?;
            let pairs = fields.lines().filter_map(|line| line.trim_start_matches('\t').split_once('='));
            Some((kind.to_owned(), pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
        };
        status.split("\n\n").filter_map(block).collect()
    }
}

fn takes_name(name: &str) -> bool {
    !name.contains(|c| ILLEGAL.contains(c))
}

/// As a line's last word: a backslash there goes on with the next line.
fn ended(text: &str) -> String {
    if text.ends_with('\\') { format!("{text}\\") } else { text.to_owned() }
}

fn objects(root: &str) -> String {
    let mut text = always() + &format!("define command {{\n command_name check\n command_line {root}/check\n}}\n");
    text += "define host {\n host_name web01\n display_name Web 01\n address 192.0.2.10\n check_command check\n active_checks_enabled 0\n\
             check_period 24x7\n max_check_attempts 1\n notification_interval 0\n notification_period 24x7\n contacts slack\n}\n";
    let named = services(takes_name);
    for service in named.iter().map(String::as_str).chain(services_of_stories()) {
        let flaps = u8::from(service == "Flap");
        // A semicolon begins a comment.
        let service = ended(&service.replace(';', "\\;"));
        text += &format!(
            "define service {{\n host_name web01\n service_description {service}\n check_command check\n check_period 24x7\n\
             active_checks_enabled 0\n max_check_attempts 1\n check_interval 60\n retry_interval 1\n notification_interval 0\n\
             notification_period 24x7\n contacts slack\n flap_detection_enabled {flaps}\n low_flap_threshold 5\n high_flap_threshold 20\n}}\n"
        );
    }
    text
}

impl Subject for Nagios {
    fn name(&self) -> String {
        self.version.clone()
    }

    fn config(&self) -> String {
        self.core.clone()
    }

    /// By a file of results, which can name anything.
    fn finds(&self, service: Option<&str>, state: u8, output: &str) {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let name = format!("c{:06}", self.results.fetch_add(1, Ordering::Relaxed));
        let service = service.map(|service| format!("service_description={}\n", ended(service))).unwrap_or_default();
        let result = format!(
            "file_time={now}\n\nhost_name=web01\n{service}check_type=1\ncheck_options=0\nscheduled_check=0\nlatency=0\n\
             start_time={now}.0\nfinish_time={now}.0\nearly_timeout=0\nexited_ok=1\nreturn_code={state}\noutput={output}\n"
        );
        let path = self.path("results").join(&name);
        fs::write(&path, result).unwrap();
        self.program.own(&path);
        fs::write(path.with_extension("ok"), "").unwrap();
    }

    fn held(&self, service: Option<&str>) -> Held {
        let blocks = self.blocks();
        let (status, comment, downtime) = match service {
            Some(_) => ("servicestatus", "servicecomment", "servicedowntime"),
            None => ("hoststatus", "hostcomment", "hostdowntime"),
        };
        let of = |wanted: &'static str| {
            blocks.iter().filter(move |(kind, fields)| {
                kind == wanted
                    && fields.get("host_name").is_some_and(|host| host == "web01")
                    && fields.get("service_description").map(String::as_str) == service
            })
        };
        let field = |fields: &HashMap<String, String>, key: &str| fields.get(key).cloned().unwrap_or_default();
        let Some((_, fields)) = of(status).next() else { return Held::default() };
        let own = of(comment).rfind(|(_, fields)| fields.get("entry_type").is_some_and(|kind| kind == "4"));
        Held {
            acknowledged: field(fields, "problem_has_been_acknowledged") == "1",
            author: own.map(|(_, fields)| field(fields, "author")).unwrap_or_default(),
            comment: own.map(|(_, fields)| field(fields, "comment_data")).unwrap_or_default(),
            downtimes: of(downtime)
                .map(|(_, fields)| (field(fields, "author"), field(fields, "comment"), field(fields, "fixed") == "1"))
                .collect(),
            notifications: field(fields, "notifications_enabled") == "1",
        }
    }

    fn order(&self, command: &str) {
        let mut file = fs::OpenOptions::new().write(true).open(self.path("rw/nagios.cmd")).unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        file.write_all(format!("[{now}] {command}\n").as_bytes()).unwrap();
    }

    fn halt(&mut self) {
        // Told to stop, it keeps what it held.
        self.order("SHUTDOWN_PROGRAM");
        let mut process = self.process.take().unwrap();
        wait::until("the core's end", || process.0.try_wait().unwrap().is_some());
        let _ = fs::remove_file(self.path("nagios.pid"));
        let _ = fs::remove_file(self.path("status.dat"));
    }

    fn restart(&mut self) {
        let main = self.path("nagios.cfg").display().to_string();
        let verified = self.program.command(&self.root, &["-v", &main]).output().unwrap();
        assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
        let mut command = self.program.command(&self.root, &[&main]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.process = Some(Running(process));
        let (status, commands) = (self.path("status.dat"), self.path("rw/nagios.cmd"));
        wait::until("the core", || status.exists() && commands.exists());
    }

    fn takes_name(&self, name: &str) -> bool {
        takes_name(name)
    }

    fn says_semicolons(&self) -> bool {
        false
    }

    fn answers_at_once(&self) -> bool {
        self.asks
    }
}

impl Drop for Nagios {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", text(&fs::read(self.path("nagios.log")).unwrap_or_default()));
        }
        if let Some(process) = self.process.take() {
            self.program.end(process);
        }
        self.program.leave(&self.root);
    }
}

fn nagios(program: Program) {
    let core = "[core]\nmain_config = \"nagios.cfg\"\n";
    Row::begin(|site| Nagios::start(site, program, core, false, ""), "command file").all();
}

#[test]
#[ignore = "needs nagios4 and root: tests/run"]
fn nagios_of_this_debian_by_its_command_file() {
    nagios(Program::nagios_here());
}

#[test]
#[ignore = "needs root and Debian sid: tests/run"]
fn nagios_of_sid_by_its_command_file() {
    nagios(Program::nagios_of_sid());
}

/// A Naemon that somebody installed: its program in `ACKBELL_NAEMON`, its Livestatus module in `ACKBELL_LIVESTATUS`.
fn naemon(door: &'static str, core: &str) {
    let told = |name: &str| std::env::var_os(name).unwrap_or_else(|| panic!("{name} says where it is"));
    let livestatus = PathBuf::from(told("ACKBELL_LIVESTATUS"));
    let module = format!("event_broker_options=-1\nbroker_module={} ROOT/rw/live", livestatus.display());
    let program = Program::Here(told("ACKBELL_NAEMON").into());
    let core = format!("[core]\nkind = \"naemon\"\n{core}");
    let asks = !core.contains("command_file");
    Row::begin(|site| Nagios::start(site, program, &core, asks, &module), door).all();
}

#[test]
#[ignore = "needs Naemon, which Debian hasn't: tests/cores"]
fn naemon_by_its_query_handler() {
    naemon("query handler", "query_socket = \"rw/nagios.qh\"\nlivestatus = \"rw/live\"\n");
}

#[test]
#[ignore = "needs Naemon, which Debian hasn't: tests/cores"]
fn naemon_by_its_livestatus() {
    naemon("Livestatus", "livestatus = \"rw/live\"\n");
}

#[test]
#[ignore = "needs Naemon, which Debian hasn't: tests/cores"]
fn naemon_by_its_command_file() {
    naemon(
        "command file",
        "command_file = \"rw/nagios.cmd\"\nstatus_file = \"status.dat\"\nobjects_file = \"objects.cache\"\n",
    );
}
