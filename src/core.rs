//! The monitoring core's side: its files, its sockets and its APIs. Only here are they opened.
//!
//! A command goes out by [`door::send`], what became of it is read back by [`state::read`]; the core's log says why
//! nothing changed ([`log`]).

mod blocks;
pub(crate) mod contacts;
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
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod survey;

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

/// The file that says who belongs to which object, and whether it can be read; `None` where the core has none.
pub(crate) fn objects_readable(core: &Core) -> Option<(PathBuf, std::io::Result<()>)> {
    let path = places::places(core).objects_file?;
    let opened = File::open(&path).map(drop);
    Some((path, opened))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_icinga_with_its_api_knows_expiry() {
        assert!(knows_expiry(&door::tests::icinga2("https://icinga".into())));
        assert!(!knows_expiry(&Core { kind: CoreKind::Icinga2, ..Core::default() }));
        assert!(!knows_expiry(&Core { kind: CoreKind::Naemon, ..Core::default() }));
    }
}
