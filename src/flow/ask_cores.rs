//! The fields that no command line may carry, asked of the cores before a notification leaves the spool.

use crate::config::Config;
use crate::model::notification::Notification;
use crate::monitoring::details::{Details, UsedVars};
use crate::monitoring::{author, paths};
use crate::system::clock::millis;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// How long the core may take to write down an author, and how often its log is read meanwhile.
const AUTHOR_WAIT: Duration = Duration::from_secs(5);
pub(super) const AUTHOR_LOOK: Duration = Duration::from_millis(250);

/// Fills in the fields that only the cores know, of notifications with the times when they were received (Unix ms).
/// `waiting` gets the objects of which the core may still write down an author: theirs stay in the spool.
pub(super) fn ask_the_cores(
    details: &mut Details,
    entries: &mut [(i64, &mut Notification)],
    config: &Config,
    (used, now): (&UsedVars, i64),
    waiting: &mut HashSet<String>,
) {
    let mut all: Vec<&mut Notification> = entries.iter_mut().map(|(_, notification)| &mut **notification).collect();
    details.fill(&mut all, config, used);
    // A clock that was set back must not make anything wait until it is right again.
    let is_young = |received: i64| (0..millis(AUTHOR_WAIT)).contains(&now.saturating_sub(received));
    let mut by_core: BTreeMap<String, Vec<(i64, &mut Notification)>> = BTreeMap::new();
    for (received, notification) in entries.iter_mut().filter(|(_, one)| author::is_missing(one)) {
        by_core.entry(notification.core.clone()).or_default().push((*received, notification));
    }
    for (name, entries) in by_core {
        let Some(core) = paths::core(config, &name) else { continue };
        let (times, mut notifications): (Vec<i64>, Vec<&mut Notification>) = entries.into_iter().unzip();
        let may_come = author::fill(&core, &mut notifications);
        let awaited = may_come.into_iter().zip(times).zip(notifications);
        let awaited = awaited.filter(|((may_come, received), _)| *may_come && is_young(*received));
        waiting.extend(awaited.map(|(_, notification)| notification.object_key()));
    }
}
