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
    let file = match installation::read(&installation::path(installs.state_dir, name)) {
        Err(e) if e.kind() == io::ErrorKind::InvalidData => None,
        file => file?,
    };
    let found = newest(row, file.as_ref());
    if found == Newest::Both && !is_old {
        return Ok(None);
    }
    let counts = installs.update(name, |known| known.filter(|_| is_old))?;
    let version = counts.as_ref().map_or(0, |install| install.version);
    match found {
        Newest::Both => info!("installation sealed with the first key integration={name}"),
        Newest::Row => info!("installation taken from the database integration={name} version={version}"),
        Newest::File => info!("installation put into the database integration={name} version={version}"),
    }
    Ok(counts.filter(|counts| file.as_ref() != Some(counts)))
}

/// Whether there are any to be shared.
pub(crate) fn any(config: &Config) -> bool {
    config.integrations.iter().any(is_meant)
}

fn is_meant(integration: &Integration) -> bool {
    integration.enabled && integration.is_installable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::system::environment::Environment;
    use crate::system::secret::Secret;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

    /// One of two machines.
    struct Machine {
        config: Config,
        _directory: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (path, key) = (directory.path().join("a.toml"), directory.path().join("key"));
            fs::write(&key, KEY).unwrap();
            let text = "state_dir = \"state\"\n[slack]\nclient_id = \"1.2\"\nclient_secret = \"s\"\nchannel = \"#c\"\n\
                        [database]\nurl = \"postgres://localhost/o\"\nkey_file = \"key\"\n";
            fs::write(&path, text).unwrap();
            for file in [&path, &key] {
                fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
            }
            fs::create_dir(directory.path().join("state")).unwrap();
            Self { config: load(Some(&path), &Environment::default()).unwrap().0, _directory: directory }
        }

        fn file(&self) -> Option<(i64, String)> {
            let file = installation::read(&installation::path(&self.config.state_dir, "default")).unwrap();
            file.map(|file| (file.version, file.refresh_token.unwrap().expose().to_owned()))
        }

        fn sync(&self, store: &Store) -> Option<(i64, String)> {
            let synced = sync(&self.config, store, false).unwrap();
            assert!(synced.failed.is_empty(), "{:?}", synced.failed);
            self.file()
        }

        /// The token that follows `old`, as the leader keeps it.
        fn renew(&self, store: Option<&Store>, old: &str, new: &str) {
            let replace = |known: Option<Install>| {
                let known = known.filter(|known| known.refresh_token == Some(Secret::new(old.to_owned())))?;
                Some(Install { refresh_token: Some(Secret::new(new.to_owned())), ..known })
            };
            let installs = Installs::of(&self.config, store);
            installs.update("default", replace).unwrap();
        }
    }

    fn installed(refresh: &str) -> Install {
        let text = r#"{"bot_token": "xoxb-1", "team_id": "T1", "installed_at": 1000}"#;
        Install { refresh_token: Some(Secret::new(refresh.to_owned())), ..Install::from_text(text).unwrap() }
    }

    #[test]
    fn whoever_dies_or_is_paused_anywhere_all_end_with_the_newest_token() {
        let (a, b, store) = (Machine::new(), Machine::new(), Store::temporary().unwrap());
        let now = |version, token: &str| Some((version, token.to_owned()));
        // It was installed before there was a database.
        Installs::of(&a.config, None).update("default", |_| Some(installed("r0"))).unwrap();
        assert_eq!((b.sync(&store), a.sync(&store), b.sync(&store)), (None, now(1, "r0"), now(1, "r0")));
        a.renew(Some(&store), "r0", "r1");
        assert_eq!((a.file(), b.sync(&store)), (now(2, "r1"), now(2, "r1")));
        // One dies when the row is written.
        let keys = SealKeys::parse(KEY).unwrap();
        let put = |store: &Store, version, token: &str| {
            let row = Install { version, ..installed(token) };
            store.change_install(&keys, "default", |_| Some(row)).unwrap();
        };
        put(&store, 3, "r2");
        assert_eq!((a.file(), a.sync(&store), b.sync(&store)), (now(2, "r1"), now(3, "r2"), now(3, "r2")));
        // One was paused with an answer of Slack's, another one renewed: the pair of the one that comes late is dropped.
        b.renew(Some(&store), "r2", "r3");
        a.renew(None, "r2", "late");
        assert_eq!((a.file(), b.sync(&store), a.sync(&store)), (now(4, "late"), now(4, "r3"), now(4, "r3")));
        // And where nobody else did, it is the only one that there is.
        a.renew(None, "r3", "r4");
        assert_eq!((b.sync(&store), a.sync(&store), b.sync(&store)), (now(4, "r3"), now(5, "r4"), now(5, "r4")));
        // The database forgets, and whoever changes something then does it from the newest.
        put(&store, 4, "r3");
        a.renew(Some(&store), "r4", "r5");
        assert_eq!((a.file(), b.sync(&store)), (now(6, "r5"), now(6, "r5")));
        fs::write(installation::path(&b.config.state_dir, "default"), "{").unwrap();
        assert_eq!(b.sync(&store), now(6, "r5"), "a file that can't be read");
        let empty = Store::temporary().unwrap();
        assert_eq!((b.sync(&empty), a.sync(&empty)), (now(6, "r5"), now(6, "r5")));
        assert_eq!(empty.install(&keys, "default").unwrap().unwrap().install.version, 6);
    }
}
