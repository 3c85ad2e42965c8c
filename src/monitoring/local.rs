//! The cores of this machine, for `setup`: whom they run as, where they read their definitions, and what they
//! themselves say of them.

use super::paths::{MainConfig, Paths, main_configs};
use crate::config::lenient::STATE_DIR;
use crate::config::{Config, Core, CoreKind};
use crate::state_dir::owner;
use nix::unistd::{Group, User};
use rustix::process::geteuid;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ICINGA2: &str = "/etc/icinga2/icinga2.conf";
/// Directories of daemons, which may be missing in an administrator's PATH.
const PROGRAM_DIRS: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/local/nagios/bin", "/opt/openitc/nagios/bin"];

/// A core of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    pub(crate) kind: CoreKind,
    pub(crate) main_config: PathBuf,
    pub(crate) paths: Paths,
    /// The user it runs as, if this machine knows that user.
    pub(crate) account: Option<Account>,
    /// A file of our own where it reads its definitions; `None` where they are made in a web interface, or no
    /// directory is read.
    pub(crate) definitions: Option<PathBuf>,
}

/// A user of this machine and a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) uid: u32,
    pub(crate) group: String,
    pub(crate) gid: u32,
}

/// All of them, the likeliest first.
pub(crate) fn locals() -> Vec<Local> {
    let mut found: Vec<Local> = main_configs().into_iter().map(|(kind, path)| local(kind, &path)).collect();
    if Path::new(ICINGA2).exists() {
        found.push(local(CoreKind::Icinga2, Path::new(ICINGA2)));
    }
    found
}

/// The user that the state directory has to belong to: of the configured core; else, at the usual place, of the core that
/// this machine has. `None` where neither is known.
pub(crate) fn account_of_core(config: Option<&Config>, state_dir: &Path) -> Option<Account> {
    let configured = config.into_iter().flat_map(|config| &config.cores);
    let named = configured.filter_map(|core| Some(local(core.kind, core.main_config.as_deref()?)));
    let is_usual = state_dir == Path::new(STATE_DIR);
    named.chain(is_usual.then(locals).into_iter().flatten()).find_map(|local| local.account)
}

/// A user of this machine and the group of that name, else the user's own.
pub(crate) fn account_named(group: u32) -> Option<Account> {
    account(&Group::from_gid(group.into()).ok().flatten()?.name, None)
}

/// The core with this main configuration.
pub(crate) fn local(kind: CoreKind, main_config: &Path) -> Local {
    let core = Core { kind, main_config: Some(main_config.to_owned()), ..Core::default() };
    let facts = kind.facts();
    let main = MainConfig::read(main_config).unwrap_or_default();
    let (own, user) = if kind == CoreKind::Icinga2 {
        // Its configuration is a program; the users are its packages'.
        let user = facts.users.iter().find(|name| account(name, None).is_some());
        (Some(main_config.parent().unwrap_or(Path::new("/")).join("conf.d")), user.map(ToString::to_string))
    } else {
        let own = main.object_dirs.iter().find(|dir| dir.ends_with("conf.d")).or(main.object_dirs.first());
        (own.cloned(), main.user.or_else(|| facts.users.first().map(ToString::to_string)))
    };
    let definitions = facts.definitions_file.and_then(|file| Some(own.filter(|dir| dir.is_dir())?.join(file)));
    let group = main.group.filter(|_| kind != CoreKind::Icinga2);
    let account = user.and_then(|user| account(&user, group.as_deref()));
    Local { kind, main_config: main_config.to_owned(), paths: Paths::find(&core), account, definitions }
}

/// A user by name or number, with a group of that name or the user's own.
fn account(user: &str, group: Option<&str>) -> Option<Account> {
    let by_number = || User::from_uid(user.parse::<u32>().ok()?.into()).ok().flatten();
    let user = User::from_name(user).ok().flatten().or_else(by_number)?;
    let group = group.and_then(|name| Group::from_name(name).ok().flatten());
    let group = group.or_else(|| Group::from_gid(user.gid).ok().flatten())?;
    Some(Account { user: user.name, uid: user.uid.as_raw(), group: group.name, gid: group.gid.as_raw() })
}

/// The core's own check of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verification {
    Good,
    /// Its last words.
    Bad(String),
    /// Its program isn't on this machine, or isn't run by hand.
    NotHere,
}

impl Local {
    /// The command that verifies the configuration, for a person to paste; `None` for a core that has none.
    pub(crate) fn verify_command(&self) -> Option<Vec<String>> {
        let main = self.main_config.display().to_string();
        let (programs, arguments) = self.kind.facts().verify?;
        let program = programs.iter().find_map(|name| {
            let candidates = PROGRAM_DIRS.iter().map(|dir| Path::new(dir).join(name));
            candidates.into_iter().find(|path| path.is_file())
        })?;
        let command = std::iter::once(program.display().to_string()).chain(arguments.iter().map(ToString::to_string));
        Some(command.chain([main]).collect())
    }

    /// Whose process a verification by root becomes; root's own only where nobody else may write the configuration.
    fn runs_as(&self) -> Option<(u32, u32)> {
        let account = self.account.as_ref().map(|account| (account.uid, account.gid));
        let writer = owner::other_owner(&self.main_config).map(|owner| owner.ids());
        account.filter(|(uid, _)| *uid != 0).or(writer).or(account)
    }

    /// Runs it, as the core's user.
    pub(crate) fn verify(&self) -> Verification {
        let Some(command_line) = self.verify_command() else { return Verification::NotHere };
        let mut command = Command::new(&command_line[0]);
        command.args(&command_line[1..]).stdin(Stdio::null());
        if geteuid().is_root() {
            // What the core reads is its own people's, and it may run what stands there: never as root.
            let Some((uid, gid)) = self.runs_as() else { return Verification::NotHere };
            command.uid(uid).gid(gid).current_dir("/");
        }
        let Ok(done) = command.output() else {
            return Verification::NotHere;
        };
        if done.status.success() {
            return Verification::Good;
        }
        let output = [done.stdout, done.stderr].concat();
        let output = String::from_utf8_lossy(&output).into_owned();
        let is_about = |line: &&str| line.to_lowercase().contains("error") || line.contains("critical/");
        let errors: Vec<&str> = output.lines().filter(is_about).take(5).collect();
        let last = || output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        Verification::Bad(if errors.is_empty() { last() } else { errors.join("\n") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_configuration_says_user_and_definitions() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("nagios.cfg");
        std::fs::create_dir(directory.path().join("conf.d")).unwrap();
        let text = "cfg_dir=/nowhere\ncfg_dir=conf.d\nnagios_user=root\nnagios_group=daemon\n";
        std::fs::write(&main, text).unwrap();
        let found = local(CoreKind::Nagios, &main);
        assert_eq!(found.definitions, Some(directory.path().join("conf.d/ackbell.cfg")));
        let account = found.account.unwrap();
        assert_eq!((account.user.as_str(), account.uid, account.group.as_str()), ("root", 0, "daemon"));
        for kind in [CoreKind::OpenItCockpit, CoreKind::Centreon] {
            assert_eq!(local(kind, &main).definitions, None, "they are made in its interface");
        }
    }

    #[test]
    fn nobody_is_no_account() {
        assert_eq!(account("no-such-user-here", None), None);
    }
}
