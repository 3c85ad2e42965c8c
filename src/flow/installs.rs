//! Installations by a browser, whoever changes them: a browser, Slack's word that one ended, a renewal of the tokens.
//!
//! Each node works with a file of its own, so also while the database is away. Where nodes share an outbox its database has
//! the installation, in a sealed row: a change is made there first, from the newest of the two copies, and then the file is
//! written. A crash between the two leaves a file that is behind; each node brings its file in line with the row ([`sync`]).
//! A file that is ahead is offered to the database: that is one from before there was a database, or one whose change the
//! database forgot or didn't take ([`newest`]).

use crate::config::{Config, Integration};
use crate::rules::installs::{Newest, newest};
use crate::state_dir::installation::{self, Install};
use crate::state_dir::wake;
use crate::store::{Store, StoreError};
use crate::system::seal::SealKeys;
use log::{info, warn};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// An installation can't be changed, and wasn't.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its file can't be written: {0}")]
    File(#[from] io::Error),
}

/// Where installations are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Installs<'a> {
    state_dir: &'a Path,
    shared: Option<(&'a Store, &'a SealKeys)>,
}

impl<'a> Installs<'a> {
    /// `store`: the open outbox; it isn't asked where that is a file.
    pub(crate) fn of(config: &'a Config, store: Option<&'a Store>) -> Self {
        let keys = config.database.as_ref().and_then(|database| database.seal_keys.as_ref());
        Self { state_dir: &config.state_dir, shared: store.zip(keys) }
    }

    /// Whether the database has them.
    pub(crate) fn are_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Changes one: `change` is given the newest copy and says what is to be there, or `None` to leave it. What is there then;
    /// by then it is durable, where all nodes see it. A store that leads changes it only while it has the lease.
    pub(crate) fn update(
        &self,
        name: &str,
        change: impl FnOnce(Option<Install>) -> Option<Install>,
    ) -> Result<Option<Install>, InstallError> {
        let Some((store, keys)) = self.shared else { return Ok(self.update_file(name, change)?) };
        let mut in_database = None;
        let written = installation::update(self.state_dir, name, |file| {
            let mut counts = None;
            let done = store.change_install(keys, name, |row| {
                let known = match newest(row.as_ref(), file.as_ref()) {
                    Newest::File => file.clone(),
                    Newest::Both | Newest::Row => row.clone(),
                };
                let wanted = change(known.clone()).map(|wanted| next(wanted, known.as_ref()));
                let is_wanted = wanted.is_some();
                counts = wanted.or(known);
                counts.clone().filter(|counts| is_wanted || row.as_ref() != Some(counts))
            });
            let for_file = counts.clone().filter(|counts| done.is_ok() && file.as_ref() != Some(counts));
            in_database = Some(done.map(|()| counts));
            for_file
        });
        match (in_database, written) {
            (Some(Ok(counts)), written) => {
                if let Err(e) = written {
                    warn!(
                        "file of the installation not written integration={name} reason={:?} action=retry",
                        e.to_string()
                    );
                }
                Ok(counts)
            }
            (Some(Err(e)), _) => Err(e.into()),
            (None, Err(e)) => Err(e.into()),
            (None, Ok(_)) => Ok(None),
        }
    }

    /// The same in this node's file alone, whatever the database has: for what it didn't take, and is offered again.
    pub(crate) fn update_file(
        &self,
        name: &str,
        change: impl FnOnce(Option<Install>) -> Option<Install>,
    ) -> io::Result<Option<Install>> {
        let mut counts = None;
        installation::update(self.state_dir, name, |known| {
            let wanted = change(known.clone()).map(|wanted| next(wanted, known.as_ref()));
            counts = wanted.clone().or(known);
            wanted
        })?;
        Ok(counts)
    }

    /// An error where the database has one that this node can't open, and so can't change.
    pub(crate) fn check(&self, name: &str) -> Result<(), StoreError> {
        match self.shared {
            Some((store, keys)) => store.install(keys, name).map(drop),
            None => Ok(()),
        }
    }
}

/// The change after `known`; what is the same isn't one.
fn next(wanted: Install, known: Option<&Install>) -> Install {
    match known {
        Some(known) if (Install { version: known.version, ..wanted.clone() }) == *known => known.clone(),
        _ => wanted.after(known),
    }
}

/// What [`sync`] found.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    /// The files that were written, with what is in them now.
    pub(crate) changed: Vec<(String, Install)>,
    /// Why one couldn't be brought in line.
    pub(crate) failed: Vec<String>,
}

/// Brings the files and the rows in line, each by itself. `leads`: what isn't sealed with the first key is sealed anew.
pub(crate) fn sync(config: &Config, store: &Store, leads: bool) -> Result<Synced, StoreError> {
    let installs = Installs::of(config, Some(store));
    let mut synced = Synced::default();
    let Some((_, keys)) = installs.shared.filter(|_| any(config)) else { return Ok(synced) };
    let mut rows: HashMap<_, _> = store.installs(keys)?.into_iter().collect();
    for Integration { name, .. } in config.integrations.iter().filter(|integration| is_meant(integration)) {
        let done = match rows.remove(name).transpose() {
            Ok(row) => {
                let is_old = leads && row.as_ref().is_some_and(|row| !row.by_first);
                sync_one(installs, name, row.map(|row| row.install).as_ref(), is_old)
            }
            Err(e) => Err(e.into()),
        };
        match done {
            Ok(changed) => synced.changed.extend(changed.map(|install| (name.clone(), install))),
            Err(e) => synced.failed.push(format!("\"{name}\": {e}")),
        }
    }
    if !synced.changed.is_empty() {
        // Only for speed: the files' stamps are looked at every few seconds anyway.
        wake::hint(&config.runtime_dir);
    }
    Ok(synced)
}

/// The same for one; what was written into its file. `is_old`: it is sealed anew.
fn sync_one(
    installs: Installs<'_>,
    name: &str,
    row: Option<&Install>,
    is_old: bool,
) -> Result<Option<Install>, InstallError> {
    let file = installation::read(&installation::path(installs.state_dir, name))?;
    let found = newest(row, file.as_ref());
    if found == Newest::Both && !is_old {
        return Ok(None);
    }
    let counts = installs.update(name, |known| known.filter(|_| is_old))?;
    let from = if found == Newest::File { "this_node" } else { "database" };
    info!(
        "installation brought in line integration={name} from={from} version={}",
        counts.as_ref().map_or(0, |install| install.version)
    );
    Ok(counts.filter(|counts| file.as_ref() != Some(counts)))
}

/// Whether there are any to be shared.
pub(crate) fn any(config: &Config) -> bool {
    config.integrations.iter().any(is_meant)
}

fn is_meant(integration: &Integration) -> bool {
    integration.enabled && integration.is_installable()
}
