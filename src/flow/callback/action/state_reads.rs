//! Whether it is worth reading a core's state again.

use crate::config::Core;
use crate::monitoring::paths;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// When each core's state was read last: its file's time, and the newest request then.
#[derive(Debug, Default)]
pub(super) struct StateReads(HashMap<String, (SystemTime, i64)>);

impl StateReads {
    /// The next look is worth it, whatever the last one saw.
    pub(super) fn forget(&mut self, core: &Core) {
        self.0.remove(&core.name);
    }

    /// Whether a look can show more than the last one: a state file must be newer than the commands, and must have
    /// changed since last time. `newest`: the id of the newest request; `first_sent`: Unix seconds.
    pub(super) fn is_worth(&mut self, core: &Core, newest: i64, first_sent: i64) -> bool {
        let paths = paths::Paths::find(core);
        if core.api.is_some() || paths.livestatus.is_some() {
            return true;
        }
        let Some(modified) = paths.status_file.and_then(|path| path.metadata().ok()?.modified().ok()) else {
            return true;
        };
        let seconds = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if i64::try_from(seconds).unwrap_or(0) < first_sent || self.0.get(&core.name) == Some(&(modified, newest)) {
            return false;
        }
        self.0.insert(core.name.clone(), (modified, newest));
        true
    }
}
