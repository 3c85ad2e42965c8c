//! `ackbell listen`.

use super::{Exit, Output, load};
use crate::listen;
use crate::state_dir::owner;
use crate::system::environment::Environment;
use crate::system::systemd::Notifier;
use std::path::Path;

/// Runs the daemon until a signal stops it.
pub(super) fn run(config: Option<&Path>, env: &Environment, out: &mut Output) -> Exit {
    let config = match load(config, env, out) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    // The secrets are in memory for as long as it runs, and the user it runs as may run others' plugins.
    owner::close_memory();
    let notifier = Notifier::new(env.os("NOTIFY_SOCKET"));
    match listen::run(config, env, &notifier) {
        Ok(()) => Exit::Done,
        Err(e) => {
            out.error(&e.to_string());
            match e {
                listen::ListenError::AnotherRuns(_) => Exit::Later,
                _ => Exit::CantWrite,
            }
        }
    }
}
