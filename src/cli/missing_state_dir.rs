//! A state directory that isn't there when root runs a verb that makes one: it must not become root's where the core runs
//! as somebody else, as then each notification of the core would be lost.
//!
//! Looks at the configuration, and only in this case: `notify` on its usual way never comes here.

use crate::monitoring::local::{Account, account_named, account_of_core};
use crate::state_dir::owner;
use crate::system::environment::Environment;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Makes the directory for the user that the core's main configuration names. An error says why nobody may make it yet,
/// and the command that does. Nothing is done where it is there, or where root is the only user concerned.
pub(super) fn make_for_owner(state_dir: &Path, config_path: &Path, env: &Environment) -> Result<(), String> {
    if !owner::is_root() || state_dir.symlink_metadata().is_ok() || owner::other_owner(state_dir).is_some() {
        return Ok(());
    }
    let loaded = crate::config::load(Some(config_path), env).ok().map(|(config, _)| config);
    if let Some(account) = account_of_core(loaded.as_ref(), state_dir) {
        return match account.uid {
            0 => Ok(()),
            uid => owner::make_state_dir(state_dir, uid, account.gid)
                .map_err(|e| format!("can't create {}: {e}; {}", state_dir.display(), command(&account, state_dir))),
        };
    }
    // The packages' and `setup`'s: root's file, which the core's group reads.
    match config_path.metadata().map_or(0, |found| found.gid()) {
        0 => Ok(()),
        group => Err(format!(
            "{} isn't there, and made by root it would be closed to the core's user; {}",
            state_dir.display(),
            match account_named(group) {
                Some(account) => command(&account, state_dir),
                None => format!("install -d -m 0750 -o USER -g {group} {}", state_dir.display()),
            }
        )),
    }
}

fn command(account: &Account, state_dir: &Path) -> String {
    format!("install -d -m 0750 -o {} -g {} {}", account.user, account.group, state_dir.display())
}
