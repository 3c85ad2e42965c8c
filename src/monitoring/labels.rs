//! All that people call a core's objects, from whoever knows: its `objects.cache`, Livestatus, the Icinga 2 API.
//!
//! For what is asked in Slack, where rules go by these names and people write them. Messages have theirs from the
//! notification.

use super::objects::{DisplayNames, Names};
use super::paths::Paths;
use super::{icinga2, livestatus, members, relay};
use crate::config::{Core, CoreKind};
use log::warn;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long an answer about all names is kept: they change with the core's configuration.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The names that were read.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    files: DisplayNames,
    /// Of those that were asked, by the core's name; `None`: it didn't answer.
    asked: HashMap<String, (Instant, Option<Names>)>,
}

impl Labels {
    /// The names of a core's objects; `None` where nobody can say now which there are.
    pub(crate) fn of_core(&mut self, core: &Core) -> Option<&Names> {
        if let Some(members) = members::several(core) {
            let known = members.iter().find(|member| self.of_core(member).is_some());
            return self.of_core(known.unwrap_or(&members[0]));
        }
        let paths = Paths::find(core);
        let from_api = core.api.as_ref().filter(|_| core.kind == CoreKind::Icinga2);
        if !core.is_remote() && from_api.is_none() && (paths.objects_file.is_some() || paths.livestatus.is_none()) {
            return self.files.of_core(core);
        }
        let is_old = |at: &Instant| at.elapsed() > REMEMBERED_FOR;
        // A relay that isn't connected is known at once, and may be back at any time.
        if self.asked.get(&core.name).is_none_or(|(at, all)| is_old(at) || core.is_remote() && all.is_none()) {
            let all = match (from_api, &paths.livestatus) {
                _ if core.is_remote() => relay::labels(core),
                (Some(api), _) => icinga2::state::labels(api),
                (None, Some(address)) => livestatus::labels(address),
                (None, None) => None,
            };
            if all.is_none() {
                warn!("display names can't be read core={:?} effect=deny_rules_refuse", core.name);
            }
            self.asked.insert(core.name.clone(), (Instant::now(), all));
        }
        self.asked.get(&core.name).and_then(|(_, names)| names.as_ref())
    }
}

/// Whether there is anybody to ask, a file that can't be read included.
pub(crate) fn has_source(core: &Core) -> bool {
    let paths = Paths::find(core);
    core.is_remote()
        || core.api.is_some()
        || paths.livestatus.is_some()
        || paths.objects_file.is_some_and(|path| path.exists())
}
