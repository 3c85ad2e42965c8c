//! The monitoring core's side: its files, its sockets and its APIs. Only here are they opened.
//!
//! A command goes out by [`door::send`], what became of it is read back by [`state::read`]; the core's log says why
//! nothing changed ([`log`]).

pub(crate) mod author;
mod blocks;
pub(crate) mod contacts;
pub(crate) mod details;
pub(crate) mod door;
mod http;
pub(crate) mod icinga2;
pub(crate) mod labels;
pub(crate) mod livestatus;
pub(crate) mod local;
pub(crate) mod log;
pub(crate) mod objects;
mod openitcockpit;
pub(crate) mod places;
mod query_handler;
pub(crate) mod shell;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod survey;

use crate::command::Wording;
use crate::config::{Config, Core, CoreKind};
use crate::notification::LongOutput;
use std::fs::File;
use std::path::PathBuf;

/// Whether an acknowledgement's expiry is the core's own business; else whoever set it must remove it in time.
pub(crate) fn knows_expiry(core: &Core) -> bool {
    core.kind == CoreKind::Icinga2 && core.api.is_some()
}

/// How the core of that name writes a plugin's long output into an argument; the machine's own where none is configured.
pub(crate) fn long_output(config: &Config, name: &str) -> LongOutput {
    let configured = config.cores.iter().find(|core| core.name == name).map(|core| core.kind);
    match configured.unwrap_or_else(|| places::found().kind) {
        CoreKind::Nagios => LongOutput::Nagios,
        CoreKind::Naemon | CoreKind::OpenItCockpit => LongOutput::Naemon,
        CoreKind::Icinga2 | CoreKind::Checkmk => LongOutput::AsItIs,
    }
}

/// How what people write is said to this core. Only Icinga 2's API leads to nothing but a core without a shell; its command
/// file and Livestatus speak the Nagios family's language, and who knows what stands behind them.
pub(crate) fn wording(core: &Core) -> Wording {
    if core.kind == CoreKind::Icinga2 && core.api.is_some() { Wording::AsTyped } else { Wording::LookAlikes }
}

/// The file that says who belongs to which object, and whether it can be read; `None` where the core has none.
pub(crate) fn objects_readable(core: &Core) -> Option<(PathBuf, std::io::Result<()>)> {
    places::places(core).objects_file.map(readable)
}

/// The file that says who ordered what, and whether it can be read; `None` where the core has none.
pub(crate) fn log_readable(core: &Core) -> Option<(PathBuf, std::io::Result<()>)> {
    places::places(core).log_file.map(readable)
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
        assert_eq!(wording(&door::tests::icinga2("https://icinga".into())), Wording::AsTyped);
        let kinds = [CoreKind::Nagios, CoreKind::Naemon, CoreKind::Icinga2, CoreKind::OpenItCockpit, CoreKind::Checkmk];
        for kind in kinds {
            assert_eq!(wording(&Core { kind, ..Core::default() }), Wording::LookAlikes, "{kind:?}");
        }
    }

    #[test]
    fn only_an_icinga_with_its_api_knows_expiry() {
        assert!(knows_expiry(&door::tests::icinga2("https://icinga".into())));
        assert!(!knows_expiry(&Core { kind: CoreKind::Icinga2, ..Core::default() }));
        assert!(!knows_expiry(&Core { kind: CoreKind::Naemon, ..Core::default() }));
    }
}
