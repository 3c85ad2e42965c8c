//! The monitoring core's side: its files, its sockets and its APIs. Only here are they opened.
//!
//! A command goes out by [`send::send`], what became of it is read back by [`state::read`]; the core's log says why
//! nothing changed ([`log`]).
//!
//! Imports `rules` and below. Never in here: Slack, the database, the decision who may act (a command or a `Permission` shows that it was made).

pub(crate) mod addresses;
mod alternatives;
pub(crate) mod author;
pub(crate) mod contacts;
pub(crate) mod curve;
pub(crate) mod details;
pub(crate) mod error;
pub(crate) mod escalations;
mod http;
pub(crate) mod icinga2;
pub(crate) mod labels;
pub(crate) mod livestatus;
pub(crate) mod local;
pub(crate) mod log;
pub(crate) mod log_events;
pub(crate) mod log_files;
pub(crate) mod log_notifications;
pub(crate) mod log_problems;
mod members;
mod object_blocks;
mod object_facts;
pub(crate) mod object_list;
pub(crate) mod objects;
mod openitcockpit;
pub(crate) mod paths;
mod query_handler;
pub(crate) mod relay;
mod scope;
pub(crate) mod send;
pub(crate) mod shell;
mod socket;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod topologies;
mod transport;

use crate::config::{Config, Core, CoreKind, Expiry};
use crate::model::action::Action;
use crate::model::notification::LongOutput;
use crate::rules::command::{Dialect, Wording};
use paths::Paths;
use std::fs::File;
use std::path::PathBuf;

/// Whether an acknowledgement's expiry is the core's own business; else whoever set it must remove it in time.
pub(crate) fn knows_expiry(core: &Core) -> bool {
    if let Some(members) = members::several(core) {
        return members.iter().all(knows_expiry);
    }
    if core.is_remote() {
        return relay::knows_expiry(core);
    }
    match core.kind.facts().expiry {
        Expiry::Always => true,
        Expiry::Never => false,
        // openITCOCKPIT's API has no such command.
        Expiry::Since(major, minor) => {
            core.api.is_none() && state::version(core).is_some_and(|version| version >= (major, minor))
        }
    }
}

/// The dialect of this core's commands for this action.
pub(crate) fn dialect(core: &Core, action: &Action) -> Dialect {
    Dialect {
        knows_expiry: matches!(action, Action::Acknowledge { expiry: Some(_), .. }) && knows_expiry(core),
        services_include_host: core.kind == CoreKind::Icinga2,
    }
}

/// How the core of that name writes a plugin's long output into an argument; the machine's own where none is configured.
pub(crate) fn long_output(config: &Config, name: &str) -> LongOutput {
    let configured = config.cores.iter().find(|core| core.name == name).map(|core| core.kind);
    configured.unwrap_or_else(|| paths::found().kind).facts().long_output
}

/// How what people write is said to this core. Only Icinga 2's API leads to nothing but a core without a shell; its command
/// file and Livestatus speak the Nagios family's language, and who knows what stands behind them. Centreon Engine starts a shell
/// only for commands with *Enable shell* (`www/class/config-generate/command.class.php`), but those get comments as well.
pub(crate) fn wording(core: &Core) -> Wording {
    if core.kind == CoreKind::Icinga2 && core.api.is_some() { Wording::AsTyped } else { Wording::LookAlikes }
}

/// The file that says who belongs to which object, and whether it can be read; `None` where the core has none.
pub(crate) fn objects_readable(core: &Core) -> Option<(PathBuf, std::io::Result<()>)> {
    Paths::find(core).objects_file.map(readable)
}

/// The file that says who ordered what, and whether it can be read; `None` where the core has none.
pub(crate) fn log_readable(core: &Core) -> Option<(PathBuf, std::io::Result<()>)> {
    Paths::find(core).log_file.map(readable)
}

fn readable(path: PathBuf) -> (PathBuf, std::io::Result<()>) {
    let opened = File::open(&path).map(drop);
    (path, opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_starts_no_shell_is_told_as_it_was_typed() {
        assert_eq!(wording(&send::tests::icinga2("https://icinga".into())), Wording::AsTyped);
        let kinds = [
            CoreKind::Nagios,
            CoreKind::Naemon,
            CoreKind::Icinga2,
            CoreKind::OpenItCockpit,
            CoreKind::Checkmk,
            CoreKind::Centreon,
        ];
        for kind in kinds {
            assert_eq!(wording(&Core { kind, ..Core::default() }), Wording::LookAlikes, "{kind:?}");
        }
    }

    #[test]
    fn an_icinga_knows_expiry_and_a_naemon_since_1_4() {
        let directory = tempfile::tempdir().unwrap();
        let status = directory.path().join("status.dat");
        let naemon = |version: &str| {
            std::fs::write(&status, format!("info {{\n\tcreated=1\n\tversion={version}\n\t}}\n")).unwrap();
            let status_file = Some(status.clone());
            let main_config = Some(directory.path().join("none.cfg"));
            knows_expiry(&Core { kind: CoreKind::Naemon, status_file, main_config, ..Core::default() })
        };
        assert_eq!(["1.5.2", "1.4.0", "1.10.0", "1.3.1", "x", ""].map(naemon), [true, true, true, false, false, false]);
        assert!(knows_expiry(&send::tests::icinga2("https://icinga".into())));
        assert!(knows_expiry(&Core { kind: CoreKind::Icinga2, ..Core::default() }));
        assert!(!knows_expiry(&Core { kind: CoreKind::Nagios, status_file: Some(status.clone()), ..Core::default() }));
        let includes_host = |kind| dialect(&Core { kind, ..Core::default() }, &Action::RemoveAcknowledgement);
        assert!(includes_host(CoreKind::Icinga2).services_include_host);
        assert!(!includes_host(CoreKind::Naemon).services_include_host);
    }
}
