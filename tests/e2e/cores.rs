//! Real cores of several versions: the machine's own, and those of other Debians in roots that `tests/cores-root` makes.
//!
//! A core from a root runs in a mount and a process namespace of its own, with the test's directory at the same path inside,
//! so that its files, FIFO and commands are the test's; it ends with the process that started it.

use crate::harness::process::Running;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A core's program.
pub(crate) enum Program {
    /// On this machine.
    Here(PathBuf),
    /// In a root directory, by its path there.
    InRoot { root: PathBuf, path: &'static str },
}

impl Program {
    /// Debian bookworm's Nagios, 4.4.6.
    pub(crate) fn nagios_here() -> Self {
        Self::Here("/usr/sbin/nagios4".into())
    }

    /// Debian sid's Nagios, 4.5.14 or newer.
    pub(crate) fn nagios_of_sid() -> Self {
        Self::InRoot { root: root("sid", "tests/cores-root sid sid nagios4-core"), path: "/usr/sbin/nagios4" }
    }

    /// Whatever a root has, by its path there; `how` makes the root.
    pub(crate) fn in_root(name: &str, how: &str, path: &'static str) -> Self {
        Self::InRoot { root: root(name, how), path }
    }

    /// It with these arguments. `directory`: what it sees of the test, by an absolute path.
    pub(crate) fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        match self {
            Self::Here(path) => {
                // Nagios becomes its user by itself, Naemon wants to be started so.
                let mut command = Command::new("setpriv");
                command.args(["--reuid=nagios", "--regid=nagios", "--init-groups"]).arg(path).args(arguments);
                command
            }
            Self::InRoot { root, path } => {
                let inside = root.join(directory.strip_prefix("/").unwrap());
                fs::create_dir_all(&inside).unwrap();
                let mut command = Command::new("unshare");
                let mount =
                    "mount --bind \"$1\" \"$2\" && mount --rbind /dev \"$3/dev\" && shift 2 && exec chroot \"$@\"";
                command.args(["--mount", "--pid", "--fork", "--kill-child"]);
                command.arg(format!("--mount-proc={}/proc", root.display())).args(["sh", "-c", mount, "sh"]);
                command.args([directory, &inside, root]).arg(path).args(arguments);
                command
            }
        }
    }

    /// Gives the directory, and all in it, to the user that the core runs as.
    pub(crate) fn own(&self, directory: &Path) {
        let accounts = match self {
            Self::Here(_) => PathBuf::from("/etc/passwd"),
            Self::InRoot { root, .. } => root.join("etc/passwd"),
        };
        let accounts = fs::read_to_string(accounts).unwrap();
        let account = accounts.lines().find(|line| line.starts_with("nagios:")).unwrap();
        let ids: Vec<u32> = account.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
        give(directory, ids[0], ids[1]);
    }

    /// Ends a core that [`Program::command`] started. `unshare` passes no signal on.
    pub(crate) fn end(&self, process: Running) {
        match self {
            Self::Here(_) => drop(process.stop()),
            Self::InRoot { .. } => {
                // A core that becomes its own user is no longer the child that `--kill-child` ends; it is the first process
                // of its namespace, and takes the others with it.
                let pid = process.0.id();
                let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
                for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                    crate::harness::process::signal(child, "KILL");
                }
                drop(process);
            }
        }
    }

    /// Removes what [`Program::command`] made.
    pub(crate) fn leave(&self, directory: &Path) {
        if let Self::InRoot { root, .. } = self {
            let _ = fs::remove_dir(root.join(directory.strip_prefix("/").unwrap()));
        }
    }
}

fn give(path: &Path, uid: u32, gid: u32) {
    chown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), uid, gid);
        }
    }
}

/// A root that was made; `how` is the command that makes it.
fn root(name: &str, how: &str) -> PathBuf {
    let own = |variable| std::env::var_os(variable).map(PathBuf::from);
    let target = || own("CARGO_TARGET_DIR").unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"));
    let root = own("ACKBELL_CORES").unwrap_or_else(|| target().join("cores")).join(name);
    assert!(root.join("ready").exists(), "there is no {}: run {how} (tests/run does)", root.display());
    fs::canonicalize(root).unwrap()
}
