//! This machine: the configuration, the state directory, the listener.

use super::{Step, Trouble, database, nodes};
use crate::config::lenient::state_dirs;
use crate::config::{self, Config, OutboxAt};
use crate::health::check::{Configured, Facts, Level, Listener, gather, judge_listener, span};
use crate::state_dir::StateDirs;
use crate::store::{Health, Store};
use crate::system::clock;
use crate::system::environment::Environment;
use rustix::fs::{Access, AtFlags, CWD, accessat, statfs, statvfs};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Less space than this is soon none; an outbox of a thousand messages takes some megabytes.
const FREE_MIN: u64 = 100 * 1024 * 1024;
const OUTBOX: &str = "outbox";
/// How long the database may be locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The configuration, where it is good, and what is to be said of it.
pub(super) fn configuration(path: Option<&Path>, env: &Environment) -> (Option<Config>, Vec<Step>) {
    const HOP: &str = "configuration";
    match config::load(path, env) {
        Ok((config, warnings)) => {
            let source = config.path.as_ref().map(|path| path.display().to_string());
            let source = source.unwrap_or_else(|| "no file; the environment alone configures ackbell".to_owned());
            let mut steps = vec![Step::good(HOP, source)];
            for warning in warnings {
                let remedy = warning.remedy.unwrap_or_else(|| "ackbell config check".to_owned());
                let step = Step::warning(HOP, warning.message, remedy);
                // A file with two secrets is warned of twice.
                if !steps.contains(&step) {
                    steps.push(step);
                }
            }
            (Some(config), steps)
        }
        Err(e) if e.is_forbidden() => {
            let owner = path.and_then(|path| std::fs::metadata(path).ok()).map(|file| user_name(file.uid()));
            let user = owner.filter(|name| name != "root").unwrap_or_else(|| "nagios".to_owned());
            let text = e.first_line();
            (None, vec![Step::bad(Trouble::Configuration, HOP, text, format!("sudo -u {user} ackbell doctor"))])
        }
        Err(e) => {
            // A slip of the pen makes a dozen of them; the first is the slip.
            let problems = e.problems();
            let more = match problems.len() {
                0 | 1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            let step = problems.into_iter().next().map(|problem| {
                let position =
                    problem.position.map_or_else(String::new, |(line, column)| format!("line {line}:{column}: "));
                let remedy = problem.remedy.map_or_else(String::new, |remedy| format!("{remedy}; "));
                let found = format!("{position}{}{more}", problem.message);
                Step::bad(Trouble::Configuration, HOP, found, format!("{remedy}ackbell config check shows all"))
            });
            (None, step.into_iter().collect())
        }
    }
}

/// The file systems over a network, by the number that `statfs(2)` lists. `SQLite`'s write-ahead log needs memory that all its
/// processes share (<https://sqlite.org/wal.html>), which they don't have across machines.
fn network_file_system(number: i128) -> Option<&'static str> {
    // The kernel's numbers have 32 bits; some machines have them signed.
    match number & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Some("CIFS (SMB)"),
        0x5346_414f => Some("AFS"),
        0x0102_1997 => Some("9P"),
        _ => None,
    }
}

/// The state directory, its spool and its outbox, and who shares that.
pub(super) fn state(path: Option<&Path>, env: &Environment) -> Vec<Step> {
    let StateDirs { state_dir, .. } = state_dirs(path, env);
    let shown = state_dir.display().to_string();
    let directory = match std::fs::metadata(&state_dir) {
        Ok(directory) => directory,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let remedy =
                "it is made with the first notification; or: install -d -m 0770 -o nagios ".to_owned() + &shown;
            return vec![Step::warning("state directory", format!("{shown} isn't there yet"), remedy)];
        }
        Err(e) => {
            let remedy = "sudo -u nagios ackbell doctor".to_owned();
            return vec![Step::bad(Trouble::State, "state directory", format!("can't see {shown}: {e}"), remedy)];
        }
    };
    let config = config::load(path, env).ok().map(|(config, _)| config);
    if let Some(closed) = gather::closed_state(config.as_ref(), &state_dir) {
        let (found, remedy) = closed.judge();
        return vec![Step::bad(Trouble::State, "state directory", found, remedy)];
    }
    let at = OutboxAt::of(&state_dir, config.as_ref().and_then(|config| config.database.as_ref()));
    let (owner, me) = (user_name(directory.uid()), user_name(rustix::process::geteuid().as_raw()));
    let mut steps = Vec::new();
    let unwritable = ["", "spool/tmp", "spool/new"].into_iter().map(|inside| state_dir.join(inside)).find(|path| {
        path.exists() && accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_err()
    });
    steps.push(match unwritable {
        None => Step::good("state directory", format!("{shown} belongs to {owner}, writable for {me}")),
        Some(path) => {
            let found = format!("{} belongs to {owner}, {me} may not write it", path.display());
            let remedy = format!("sudo -u {owner} ackbell doctor; or give it away: chown -R {me} {shown}");
            Step::bad(Trouble::State, "state directory", found, remedy)
        }
    });
    let network = statfs(&state_dir).ok().and_then(|file_system| network_file_system(i128::from(file_system.f_type)));
    if let Some(name) = network {
        let found = format!("{shown} is on {name}: locks and the database's shared memory don't hold there");
        let remedy = "set state_dir to a local disk; for two machines: a disk that the cluster mounts on one at a time, or [database]";
        steps.push(Step::warning("state directory", found, remedy));
    }
    if let Ok(space) = statvfs(&state_dir) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let found = format!("{} MB free", free / 1024 / 1024);
        steps.push(match free {
            FREE_MIN.. => Step::good("free space", found),
            _ => Step::warning("free space", found, format!("df -h {shown}; free some there")),
        });
    }
    // Opened once: a database that doesn't answer is waited for once.
    let looked = Store::open_for_reading(at, PATIENCE).and_then(|store| {
        let health = store.as_ref().map(|store| store.health(clock::wall_ms())).transpose()?;
        Ok((store, health))
    });
    match looked {
        Ok((store, health)) => {
            steps.push(outbox(health.as_ref()));
            steps.extend(store.iter().flat_map(database::server));
            let shared = store.as_ref().zip(config.as_ref()).filter(|(store, _)| store.is_shared());
            steps.extend(shared.into_iter().flat_map(|(store, config)| nodes::all(store, config)));
        }
        Err(e) => {
            let remedy = match at {
                OutboxAt::StateDir(_) => format!("sudo -u {owner} ackbell doctor"),
                OutboxAt::Database(_) => {
                    "notifications wait in the spool; delivery goes on by itself once this is repaired".to_owned()
                }
            };
            steps.push(Step::bad(Trouble::State, OUTBOX, e.to_string(), remedy));
        }
    }
    steps
}

fn outbox(health: Option<&Health>) -> Step {
    let Some(Health { summary, .. }) = health else { return Step::good(OUTBOX, "nothing was ever queued") };
    let found = format!("{} waiting, {} dead", summary.waiting, summary.dead);
    match summary.dead {
        0 => Step::good(OUTBOX, found),
        _ => Step::warning(OUTBOX, found, "ackbell queue list"),
    }
}

/// Whether a listener runs, and its status.
pub(super) fn listener(config: &Config) -> Vec<Step> {
    const HOP: &str = "listener";
    let now = clock::wall_ms() / 1000;
    let listener = gather::listener(&config.state_dir, &config.runtime_dir, now);
    let mut steps = Vec::new();
    if let Ok(Listener::Runs(status)) = &listener {
        let found =
            format!("{} has been running for {} (process {})", status.version, span(now - status.since), status.pid);
        steps.push(Step::good(HOP, found));
    }
    let takes_callbacks = gather::takes_callbacks(config);
    let config = Some(Configured::Good { takes_callbacks, template: None, missing: Vec::new() });
    let facts = Facts { now, listener: Some(listener), config, ..Facts::default() };
    steps.extend(judge_listener(&facts).into_iter().map(|finding| match finding.level {
        Level::Info => Step::good(HOP, finding.text),
        Level::Unknown | Level::Warning => Step::warning(HOP, finding.text, finding.remedy.unwrap_or_default()),
        Level::Critical => Step::bad(Trouble::Unreachable, HOP, finding.text, finding.remedy.unwrap_or_default()),
    }));
    steps
}

/// The name of a user, else the number.
fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::doctor::Mark;

    #[test]
    fn a_database_that_cant_be_used_is_asked_once_and_told_once() {
        let (directory, server) = (tempfile::tempdir().unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let path = directory.path().join("ackbell.toml");
        let database =
            format!("[database]\nurl = \"postgres://a@127.0.0.1:{}/a\"\n", server.local_addr().unwrap().port());
        std::fs::write(&path, format!("state_dir = \"{}\"\n{database}", directory.path().display())).unwrap();
        let (steps, calls) = std::thread::scope(|threads| {
            let looking = threads.spawn(|| state(Some(&path), &Environment::default()));
            server.set_nonblocking(true).unwrap();
            let mut calls = 0;
            while !looking.is_finished() {
                // Each connection ends at once.
                calls += usize::from(server.accept().is_ok());
                std::thread::sleep(Duration::from_millis(1));
            }
            (looking.join().unwrap(), calls)
        });
        assert_eq!(calls, 1);
        let said: Vec<&Step> = steps.iter().filter(|step| matches!(step.mark, Mark::Bad(_))).collect();
        let [Step { hop, remedy, .. }] = said[..] else { panic!("{steps:?}") };
        let expected = "notifications wait in the spool; delivery goes on by itself once this is repaired";
        assert_eq!((hop.as_str(), remedy.as_deref()), (OUTBOX, Some(expected)));
    }

    #[test]
    fn a_file_system_over_a_network_is_known_by_its_number() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        let signed = i128::from(i32::from_ne_bytes(0xff53_4d42_u32.to_ne_bytes()));
        assert_eq!([0xff53_4d42, signed, 0xfe53_4d42].map(network_file_system), [Some("CIFS (SMB)"); 3]);
        // ext4, tmpfs, btrfs, overlayfs
        assert_eq!([0xef53, 0x0102_1994, 0x9123_683e, 0x794c_7630].map(network_file_system), [None; 4]);
    }
}
