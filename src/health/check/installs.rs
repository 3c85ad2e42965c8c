//! Judges the installations that nodes share: whether this node can open them, and works with the newest.

use super::{Facts, Finding, Level, span};
use crate::config::Config;
use crate::rules::installs::{Newest, newest};
use crate::state_dir::installation;
use crate::store::{Store, StoreError};
use crate::system::clock;
use std::collections::HashMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A listener brings the two in line within seconds.
const DIFFERS_SECONDS: i64 = 120;

/// What this node has of an installation, beside what the database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedInstall {
    pub(crate) integration: String,
    pub(crate) state: Sharing,
}

/// How the two compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// `by_first`: it is sealed with the first key of this node's file.
    Same { by_first: bool },
    /// The database's can't be opened here.
    Closed,
    /// This node has an older one, for so many seconds.
    Behind(i64),
    /// The database has an older one, or none.
    Ahead(i64),
}

/// Compares them. What this user may not read isn't in it.
pub(crate) fn look(config: &Config, store: &Store) -> Vec<SharedInstall> {
    let keys = config.database.as_ref().and_then(|database| database.seal_keys.as_ref());
    let Some(mut rows) = keys.and_then(|keys| store.installs(keys).ok()).map(HashMap::<_, _>::from_iter) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for own in config.integrations.iter().filter(|own| own.enabled && own.is_installable()) {
        let path = installation::path(&config.state_dir, &own.name);
        let Ok(file) = installation::read(&path) else { continue };
        let state = match rows.remove(&own.name).transpose() {
            Ok(None) if file.is_none() => continue,
            Ok(row) => match newest(row.as_ref().map(|row| &row.install), file.as_ref()) {
                Newest::Both => Sharing::Same { by_first: row.is_none_or(|row| row.by_first) },
                Newest::Row => Sharing::Behind(row.map_or(0, |row| row.age_ms) / 1000),
                Newest::File => Sharing::Ahead(age_of(&path)),
            },
            Err(StoreError::Sealed(_)) => Sharing::Closed,
            Err(_) => continue,
        };
        all.push(SharedInstall { integration: own.name.clone(), state });
    }
    all
}

fn age_of(path: &Path) -> i64 {
    let written = std::fs::metadata(path).and_then(|found| found.modified()).ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs());
    (clock::wall_ms() / 1000).saturating_sub(i64::try_from(written).unwrap_or(0))
}

pub(super) fn judge(facts: &Facts, findings: &mut Vec<Finding>) {
    findings.extend(judged(&facts.installs));
}

/// What is to be said about them.
pub(crate) fn judged(installs: &[SharedInstall]) -> Vec<Finding> {
    installs.iter().filter_map(finding).collect()
}

fn finding(SharedInstall { integration, state }: &SharedInstall) -> Option<Finding> {
    let log = "ackbell check says how this listener fares; why is in its log: journalctl -u ackbell";
    Some(match state {
        Sharing::Closed => {
            let text = format!(
                "the installation of \"{integration}\" in the database can't be opened with this machine's key_file"
            );
            let remedy = "copy the file that [database] key_file names from a listener without this finding; if all have it, \
                 delete that row of the table install: a listener puts its own copy there";
            Finding::new(Level::Critical, text).remedy(remedy)
        }
        Sharing::Behind(seconds) if *seconds > DIFFERS_SECONDS => {
            let span = span(*seconds);
            let text =
                format!("this machine has an older installation of \"{integration}\" than the database, for {span}");
            Finding::new(Level::Warning, text).remedy(log)
        }
        Sharing::Ahead(seconds) if *seconds > DIFFERS_SECONDS => {
            let span = span(*seconds);
            let text = format!("the database lacks this machine's installation of \"{integration}\", for {span}");
            Finding::new(Level::Warning, text).remedy(log)
        }
        Sharing::Same { .. } | Sharing::Behind(_) | Sharing::Ahead(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cant_be_opened_is_critical_and_what_differs_for_long_a_warning() {
        let said = |state| {
            let found = judged(&[SharedInstall { integration: "ops".into(), state }]);
            found.into_iter().map(|finding| (finding.level, finding.text)).next()
        };
        let (level, text) = said(Sharing::Closed).unwrap();
        assert!(level == Level::Critical && text.ends_with("can't be opened with this machine's key_file"), "{text}");
        for state in [Sharing::Same { by_first: false }, Sharing::Behind(120), Sharing::Ahead(120)] {
            assert_eq!(said(state), None, "{state:?}");
        }
        assert_eq!(said(Sharing::Behind(121)).unwrap().0, Level::Warning);
        let (_, text) = said(Sharing::Ahead(600)).unwrap();
        assert_eq!(text, "the database lacks this machine's installation of \"ops\", for 10 min");
    }
}
