//! What Slack gave when a browser installed the app: one file for each integration, below `installs` in the state
//! directory, read with the configuration as that integration's bot token. Where nodes share an outbox its database has the
//! installation, and this is the copy that a node works with, also while the database is away.
//!
//! The file holds the token, so only the owner of the state directory may read it. It is replaced whole (temporary
//! file, sync, rename, sync of the directory), under a lock: a crash leaves the old one or the new one. Whoever read it
//! learns of a change by its stamp, like that of any secret file.

use crate::system::beneath::Directory;
use crate::system::secret::Secret;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A larger file is none of ours.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// How many ids of events are remembered: Slack sends an event again for up to a day.
const EVENTS_MAX: usize = 32;

/// An installation in a workspace (<https://docs.slack.dev/authentication/installing-with-oauth>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Install {
    pub(crate) bot_token: Secret,
    /// With rotating tokens: exchanged for a new pair, once.
    pub(crate) refresh_token: Option<Secret>,
    /// With rotating tokens: Unix seconds.
    pub(crate) expires_at: Option<i64>,
    pub(crate) team_id: String,
    pub(crate) team_name: String,
    /// The bot's own user id.
    pub(crate) bot_user: String,
    /// Comma-separated.
    pub(crate) scopes: String,
    /// Unix seconds.
    pub(crate) installed_at: i64,
    /// It must not be used any more.
    pub(crate) revoked: Option<Revoked>,
    /// The events that were taken, the newest last.
    pub(crate) events: Vec<String>,
    /// Grows with each change, whichever node made it; so of two copies it is known which is newer, whatever the clocks say.
    pub(crate) version: i64,
}

/// Slack's word that an installation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revoked {
    /// Slack's name of the event.
    pub(crate) reason: String,
    /// Unix seconds.
    pub(crate) at: i64,
}

/// The file: the same, with its secrets in the open.
#[derive(Serialize, Deserialize)]
struct Written {
    bot_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    team_id: String,
    #[serde(default)]
    team_name: String,
    #[serde(default)]
    bot_user: String,
    #[serde(default)]
    scopes: String,
    installed_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<Revoked>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    events: Vec<String>,
    #[serde(default)]
    version: i64,
}

impl Install {
    /// The text that is kept, with its secrets in the open.
    pub(crate) fn to_text(&self) -> io::Result<Secret> {
        let written = Written {
            bot_token: self.bot_token.expose().to_owned(),
            refresh_token: self.refresh_token.as_ref().map(|token| token.expose().to_owned()),
            expires_at: self.expires_at,
            team_id: self.team_id.clone(),
            team_name: self.team_name.clone(),
            bot_user: self.bot_user.clone(),
            scopes: self.scopes.clone(),
            installed_at: self.installed_at,
            revoked: self.revoked.clone(),
            events: self.events.clone(),
            version: self.version,
        };
        Ok(Secret::new(serde_json::to_string_pretty(&written)?))
    }

    /// Reads that text. The error doesn't quote it.
    pub(crate) fn from_text(text: &str) -> io::Result<Self> {
        let broken = |_| io::Error::new(io::ErrorKind::InvalidData, "it isn't the JSON that ackbell writes");
        let written: Written = serde_json::from_str(text).map_err(broken)?;
        Ok(Self {
            bot_token: Secret::new(written.bot_token),
            refresh_token: written.refresh_token.map(Secret::new),
            expires_at: written.expires_at,
            team_id: written.team_id,
            team_name: written.team_name,
            bot_user: written.bot_user,
            scopes: written.scopes,
            installed_at: written.installed_at,
            revoked: written.revoked,
            events: written.events,
            version: written.version,
        })
    }

    /// The same as the change after that one.
    pub(crate) fn after(self, known: Option<&Self>) -> Self {
        Self { version: known.map_or(0, |known| known.version).max(0).saturating_add(1), ..self }
    }

    /// Records that Slack ended it at a time, in Unix seconds. `None` when that isn't new: it ended already, the event was
    /// seen before, or is older than the installation, which came after it.
    pub(crate) fn revoked(mut self, reason: &str, event: Option<&str>, at: i64) -> Option<Self> {
        let is_known = event.is_some_and(|id| self.events.iter().any(|known| known == id));
        if is_known || at < self.installed_at || self.revoked.is_some() {
            return None;
        }
        self.revoked = Some(Revoked { reason: reason.to_owned(), at });
        self.events.extend(event.map(str::to_owned));
        let excess = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..excess);
        Some(self)
    }
}

/// Where an integration's installation is kept.
pub(crate) fn path(state_dir: &Path, integration: &str) -> PathBuf {
    state_dir.join("installs").join(format!("{integration}.json"))
}

/// Whether an integration of this name can have an installation: the name is part of a path and of an address.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(is_fine)
}

/// Reads one; `None` when the app isn't installed.
pub(crate) fn read(path: &Path) -> io::Result<Option<Install>> {
    let (directory, name) = (path.parent().unwrap_or(Path::new("/")), file_name(path));
    match enter(directory.parent().unwrap_or(directory)).and_then(|installs| read_in(&installs, name)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found,
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn enter(state_dir: &Path) -> io::Result<Directory> {
    Directory::open(state_dir)?.enter("installs")
}

fn read_in(installs: &Directory, name: &str) -> io::Result<Option<Install>> {
    let file = installs.read(name)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Install::from_text(&text).map(Some)
}

/// Changes one: `change` is given what is there now and says what is to be there, or `None` to leave it; the version is the
/// caller's. Others that want to change it wait. Returns whether something was written; by then it is durable.
pub(crate) fn update(
    state_dir: &Path,
    integration: &str,
    change: impl FnOnce(Option<Install>) -> Option<Install>,
) -> io::Result<bool> {
    let path = path(state_dir, integration);
    Directory::open(state_dir)?.make("installs", 0o700)?;
    let installs = enter(state_dir)?;
    let lock = installs.read_or_make("lock", 0o600)?;
    lock.lock()?;
    let known = match read(&path) {
        // Of no use to anybody, and it would be in the way for ever. It is kept for whoever wants to see it.
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            installs.rename(file_name(&path), &installs, &format!("{integration}.broken"))?;
            None
        }
        known => known?,
    };
    let Some(wanted) = change(known) else {
        return Ok(false);
    };
    write(&installs, file_name(&path), &wanted)?;
    installs.sync()?;
    Ok(true)
}

fn write(installs: &Directory, name: &str, install: &Install) -> io::Result<()> {
    let temporary = format!("{name}.new");
    // One that a crash left may be anybody's: it is made anew, never written into.
    let _ = installs.remove(&temporary);
    let mut file = installs.create(&temporary, 0o600)?;
    file.write_all(install.to_text()?.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    installs.rename(&temporary, installs, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn some() -> Install {
        Install {
            bot_token: Secret::new("xoxb-1".into()),
            refresh_token: None,
            expires_at: None,
            team_id: "T1".into(),
            team_name: "Ops".into(),
            bot_user: "U1".into(),
            scopes: "chat:write".into(),
            installed_at: 1000,
            revoked: None,
            events: Vec::new(),
            version: 1,
        }
    }

    #[test]
    fn what_is_written_is_read_and_only_its_owner_may() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&path(dir.path(), "default")).unwrap(), None);
        let full = Install { refresh_token: Some(Secret::new("xoxe-1-a".into())), expires_at: Some(9), ..some() };
        assert!(update(dir.path(), "default", |_| Some(full.clone())).unwrap());
        let path = path(dir.path(), "default");
        assert_eq!(read(&path).unwrap(), Some(full));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(&path, "{\"bot_token\": \"xoxb-secret\"").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_file_that_is_broken_is_put_aside_by_the_next_change() {
        let dir = tempfile::tempdir().unwrap();
        update(dir.path(), "default", |_| Some(some())).unwrap();
        let path = path(dir.path(), "default");
        fs::write(&path, "{").unwrap();
        assert!(read(&path).is_err());
        assert!(update(dir.path(), "default", |known| known.is_none().then(some)).unwrap());
        assert_eq!(read(&path).unwrap(), Some(some()));
        assert_eq!(fs::read_to_string(path.with_extension("broken")).unwrap(), "{");
    }

    #[test]
    fn an_end_is_taken_once_and_never_for_a_later_installation() {
        let revoked = |install: &Install, event, at| install.clone().revoked("app_uninstalled", Some(event), at);
        assert_eq!(revoked(&some(), "Ev1", 999), None, "that was before");
        let ended = revoked(&some(), "Ev2", 1001).unwrap();
        assert!(revoked(&ended, "Ev2", 1001).is_none() && revoked(&ended, "Ev3", 1001).is_none());
        let again = Install { events: ended.events, ..some() };
        assert_eq!(revoked(&again, "Ev2", 2000), None, "told again after the next installation");
        assert!(revoked(&again, "Ev4", 2000).is_some());
    }

    #[test]
    fn a_file_of_an_older_version_is_read_and_each_change_is_the_next() {
        let text = r#"{"bot_token": "xoxb-1", "team_id": "T1", "installed_at": 1000}"#;
        let old = Install::from_text(text).unwrap();
        assert_eq!(old.version, 0);
        let next = old.clone().after(Some(&old));
        assert_eq!((next.version, some().after(Some(&next)).version, some().after(None).version), (1, 2, 1));
        assert_eq!(Install::from_text(next.to_text().unwrap().expose()).unwrap(), next);
    }

    #[test]
    fn a_name_that_would_leave_the_directory_has_none() {
        assert!(is_plain("default") && is_plain("ops-2_b.c"));
        assert!(!is_plain("") && !is_plain("../x") && !is_plain(".x") && !is_plain("a/b") && !is_plain("a b"));
    }
}
