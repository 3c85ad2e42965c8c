//! A throw-away nagios4 that runs the program by the definitions that we ship.

use super::process::{Running, script, signal, text};
use super::site::Site;
use super::wait;
use crate::cores::Program;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A throw-away core with one host and four services, in a directory of its own.
pub(crate) struct Nagios {
    directory: PathBuf,
    process: Option<Running>,
    /// The network namespace it runs in.
    namespace: Option<String>,
    /// The name of the machine that it thinks it is on; without one it is on this.
    host: Option<&'static str>,
    /// A Naemon in its place.
    naemon: Option<Program>,
}

impl Nagios {
    /// In the site's directory, as whose configuration it runs the program; by the definitions of that name.
    pub(crate) fn start(site: &Site, command: &str, environment_macros: bool) -> Self {
        Self::start_in(site, command, environment_macros, None)
    }

    /// In a network namespace.
    pub(crate) fn start_in(site: &Site, command: &str, environment_macros: bool, namespace: Option<String>) -> Self {
        let core = Self { directory: site.dir.path().to_owned(), process: None, namespace, host: None, naemon: None };
        core.lay_out(command, environment_macros);
        core.run()
    }

    /// With other objects, and these lines in its main configuration.
    pub(crate) fn with_objects(site: &Site, objects: &str, more: &str) -> Self {
        let core =
            Self { directory: site.dir.path().to_owned(), process: None, host: None, namespace: None, naemon: None };
        core.with(objects, more)
    }

    /// A Naemon that somebody installed, likewise.
    pub(crate) fn naemon_with_objects(site: &Site, program: Program, objects: &str, more: &str) -> Self {
        let naemon = Some(program);
        let core = Self { directory: site.dir.path().to_owned(), process: None, host: None, namespace: None, naemon };
        core.with(objects, more)
    }

    fn with(self, objects: &str, more: &str) -> Self {
        self.lay_out("ackbell", false);
        fs::write(self.path("objects.cfg"), always() + objects).unwrap();
        let mut main = fs::read_to_string(self.path("nagios.cfg")).unwrap();
        if self.naemon.is_some() {
            main = main.replace("nagios_user=nagios\nnagios_group=nagios\n", "");
            let root = self.directory.display().to_string();
            fs::write(self.path("ackbell.cfg"), shipped("naemon", &root)).unwrap();
        }
        fs::write(self.path("nagios.cfg"), main + more).unwrap();
        self.run()
    }

    /// One more core of the same objects that checks by itself, on a host of that name, in a directory of its own, with the
    /// other's spool.
    pub(crate) fn beside(first: &Site, own: &Site, host: &'static str) -> Self {
        let core = Self {
            directory: own.dir.path().to_owned(),
            process: None,
            namespace: None,
            host: Some(host),
            naemon: None,
        };
        let state = format!("state_dir = \"{}\"", first.state("").display());
        let config = fs::read_to_string(first.config()).unwrap();
        fs::write(own.config(), config.replace("state_dir = \"state\"", &state)).unwrap();
        core.lay_out("ackbell", false);
        core.run()
    }

    /// A core that knows nothing of ackbell yet and doesn't run; it reads `conf.d`, too.
    pub(crate) fn without_ackbell(site: &Site) -> Self {
        let core =
            Self { directory: site.dir.path().to_owned(), process: None, namespace: None, host: None, naemon: None };
        core.lay_out("nobody", false);
        for ours in ["ackbell.toml", "ackbell.cfg"] {
            fs::remove_file(core.path(ours)).unwrap();
        }
        fs::create_dir(core.path("conf.d")).unwrap();
        let root = core.directory.display().to_string();
        core.set_in_main(&format!("cfg_file={root}/ackbell.cfg"), &format!("cfg_dir={root}/conf.d"));
        let mut objects = fs::read_to_string(core.path("objects.cfg")).unwrap();
        for kind in ["host", "service"] {
            objects +=
                &format!("define command {{\n command_name notify-{kind}-by-nobody\n command_line /bin/true\n}}\n");
        }
        fs::write(core.path("objects.cfg"), objects).unwrap();
        core
    }

    /// The administrator lets the contact `slack` be told, and starts the core.
    pub(crate) fn tell_slack(self) -> Self {
        let objects = fs::read_to_string(self.path("objects.cfg")).unwrap();
        fs::write(self.path("objects.cfg"), objects.replace("contacts alice,bob", "contacts alice,slack")).unwrap();
        self.run()
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.directory.join(inside)
    }

    fn lay_out(&self, command: &str, environment_macros: bool) {
        let root = self.directory.display().to_string();
        for directory in ["state", "rw", "results", "checks", "tmp"] {
            fs::create_dir(self.path(directory)).unwrap();
        }
        crate::harness::process::copy_ackbell(&self.path("ackbell"));
        // Opened once: the file is replaced under it.
        script(&self.path("check"), "#!/bin/sh\nexec 3<\"$1\"\nread -r code <&3\ncat <&3\nexit \"$code\"\n");
        for service in ["Disk", "Load", "Flap", "Big"] {
            self.set(service, 0, "all is well");
        }
        fs::write(self.path("ackbell.cfg"), shipped("nagios", &root)).unwrap();
        fs::write(self.path("objects.cfg"), objects(&root, command)).unwrap();
        let macros = u8::from(environment_macros);
        let more = format!(
            "status_update_interval=1\nnagios_user=nagios\nnagios_group=nagios\nexecute_service_checks=1\nenable_flap_detection=1\n\
             enable_environment_macros={macros}\nillegal_object_name_chars=`~!$%^&*|'\"<>?,()=\nillegal_macro_output_chars=`~$&|'\"<>\n\
             retain_state_information=0\nservice_inter_check_delay_method=n\nmax_service_check_spread=1\ndebug_level=0\n"
        );
        let main = main_config(&root, &more);
        fs::write(self.path("nagios.cfg"), main).unwrap();
        let owned = Command::new("chown").args(["-R", "nagios:nagios"]).arg(&self.directory).status().unwrap();
        assert!(owned.success());
        let open = Command::new("chmod").args(["0755"]).arg(&self.directory).status().unwrap();
        assert!(open.success());
    }

    fn run(mut self) -> Self {
        let config = self.path("nagios.cfg");
        if self.naemon.is_none() {
            let verified = Command::new("nagios4").arg("-v").arg(&config).output().unwrap();
            assert!(verified.status.success(), "{}", text(&verified.stdout));
        }
        let process = self.program().arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.process = Some(Running(process));
        let log = self.path("status.dat");
        wait::until("nagios4", || log.exists() && self.path("rw/nagios.cmd").exists());
        self
    }

    fn program(&self) -> Command {
        if let Some(naemon) = &self.naemon {
            return naemon.command(&self.directory, &[]);
        }
        if let Some(namespace) = &self.namespace {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace, "nagios4"]);
            return command;
        }
        let Some(host) = self.host else { return Command::new("nagios4") };
        let mut command = Command::new("unshare");
        command.args(["--uts", "sh", "-c", "hostname \"$0\" && exec nagios4 \"$@\"", host]);
        command
    }

    /// The core dies; its command file stays behind.
    pub(crate) fn halt(&mut self) {
        let process = self.process.take().unwrap();
        signal(process.0.id(), "KILL");
        drop(process);
        let _ = Command::new("pkill").args(["-9", "-f"]).arg(self.path("nagios.cfg")).status();
    }

    /// It starts again, as an administrator would.
    pub(crate) fn restart(&mut self) {
        let _ = fs::remove_file(self.path("rw/nagios.cmd"));
        let _ = fs::remove_file(self.path("nagios.pid"));
        let process =
            self.program().arg(self.path("nagios.cfg")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.process = Some(Running(process));
        wait::until("nagios4", || self.path("rw/nagios.cmd").exists());
    }

    /// Changes a line of its main configuration, for whoever reads it.
    pub(crate) fn set_in_main(&self, from: &str, to: &str) {
        let main = fs::read_to_string(self.path("nagios.cfg")).unwrap();
        assert!(main.contains(from));
        fs::write(self.path("nagios.cfg"), main.replace(from, to)).unwrap();
    }

    /// It hangs for a while.
    pub(crate) fn pause(&self) {
        signal(self.process.as_ref().unwrap().0.id(), "STOP");
    }

    pub(crate) fn go_on(&self) {
        signal(self.process.as_ref().unwrap().0.id(), "CONT");
    }

    /// What a service's next checks find.
    pub(crate) fn set(&self, service: &str, state: u8, output: impl AsRef<[u8]>) {
        let new = self.path(&format!("checks/.{service}"));
        fs::write(&new, [format!("{state}\n").as_bytes(), output.as_ref(), b"\n"].concat()).unwrap();
        fs::rename(new, self.path(&format!("checks/{service}"))).unwrap();
    }

    pub(crate) fn order(&self, command: &str) {
        let mut file = fs::OpenOptions::new().write(true).open(self.path("rw/nagios.cmd")).unwrap();
        writeln!(file, "[{}] {command}", std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    }

    /// Whether it runs `ackbell notify` for somebody just now.
    pub(crate) fn is_notifying(&self) -> bool {
        let config = self.path("ackbell.toml").display().to_string();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.map(|line| text(&line)).any(|line| line.contains(&config) && line.contains("notify"))
    }

    /// The blocks of its state file that mention this.
    pub(crate) fn status(&self, block: &str, part: &str) -> Vec<String> {
        let status = fs::read_to_string(self.path("status.dat")).unwrap_or_default();
        let blocks = status.split("\n\n").filter(|text| text.trim_start().starts_with(block));
        blocks.filter(|text| text.contains(part)).map(str::to_owned).collect()
    }

    pub(crate) fn log(&self) -> String {
        text(&fs::read(self.path("nagios.log")).unwrap_or_default())
    }
}

impl Drop for Nagios {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            signal(process.0.id(), "CONT");
            process.stop();
        }
    }
}

/// A main configuration whose files are all below this directory, and lines of a test's own.
pub(crate) fn main_config(root: &str, more: &str) -> String {
    format!(
        "log_file={root}/nagios.log\ncfg_file={root}/ackbell.cfg\ncfg_file={root}/objects.cfg\nobject_cache_file={root}/objects.cache\n\
         precached_object_file={root}/precache\nstatus_file={root}/status.dat\ncheck_external_commands=1\n\
         command_file={root}/rw/nagios.cmd\nlock_file={root}/nagios.pid\ntemp_file={root}/nagios.tmp\ntemp_path={root}/tmp\n\
         check_result_path={root}/results\nquery_socket={root}/rw/nagios.qh\nuse_syslog=0\nlog_notifications=1\ninterval_length=1\n\
         check_result_reaper_frequency=1\nenable_notifications=1\nnotification_timeout=30\n{more}"
    )
}

/// The definitions that we ship for such cores, with the program and the configuration of this directory. The check of
/// ackbell itself isn't there: it would add problems of its own to the stories.
pub(crate) fn shipped(family: &str, root: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(family).join("ackbell.cfg");
    let shipped = fs::read_to_string(file).unwrap();
    let shipped = shipped.split("\n# ackbell watches itself").next().unwrap();
    shipped.replace("/usr/bin/ackbell", &format!("{root}/ackbell --config {root}/ackbell.toml"))
}

/// The time period `24x7`.
pub(crate) fn always() -> String {
    let days = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    let days: String = days.iter().map(|day| format!(" {day} 00:00-24:00\n")).collect();
    format!("define timeperiod {{\n timeperiod_name 24x7\n alias always\n{days}}}\n")
}

fn objects(root: &str, command: &str) -> String {
    let mut text = always();
    text += &format!("define command {{\n command_name check\n command_line {root}/check {root}/checks/$ARG1$\n}}\n");
    // Two contacts: the core runs two commands for each notification.
    for contact in ["alice", "bob"] {
        text += &format!(
            "define contact {{\n contact_name {contact}\n email {contact}@example.com\n host_notification_period 24x7\n\
             service_notification_period 24x7\n host_notification_options d,u,r,f,s\n service_notification_options w,u,c,r,f,s\n\
             host_notification_commands notify-host-by-{command}\n service_notification_commands notify-service-by-{command}\n}}\n"
        );
    }
    text += "define host {\n host_name web01\n alias Web server 1\n display_name Web 01\n address 192.0.2.10\n check_period 24x7\n\
             max_check_attempts 1\n check_interval 60\n notification_interval 0\n notification_period 24x7\n contacts alice,bob\n}\n";
    // For storms: passive checks only.
    text += "define host {\n host_name web02\n address 192.0.2.11\n check_period 24x7\n max_check_attempts 1\n check_interval 0\n\
             active_checks_enabled 0\n notification_interval 0\n notification_period 24x7\n contacts alice,bob\n}\n";
    for service in 0..200 {
        text += &format!(
            "define service {{\n host_name web02\n service_description S{service:03}\n check_command check!Disk\n check_period 24x7\n\
             max_check_attempts 1\n active_checks_enabled 0\n check_interval 1\n retry_interval 1\n notification_interval 0\n\
             notification_period 24x7\n contacts alice,bob\n flap_detection_enabled 0\n}}\n"
        );
    }
    for service in ["Disk", "Load", "Flap", "Big"] {
        let flaps = u8::from(service == "Flap");
        text += &format!(
            "define service {{\n host_name web01\n service_description {service}\n check_command check!{service}\n check_period 24x7\n\
             max_check_attempts 1\n check_interval 1\n retry_interval 1\n notification_interval 0\n notification_period 24x7\n\
             contacts alice,bob\n flap_detection_enabled {flaps}\n low_flap_threshold 5\n high_flap_threshold 20\n}}\n"
        );
    }
    text
}
