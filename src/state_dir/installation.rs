//! What Slack gave when a browser installed the app: one file for each integration, below `installs` in the state
//! directory, read with the configuration as that integration's bot token.
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
    // The error's text could quote a token.
    let broken = |_| io::Error::new(io::ErrorKind::InvalidData, "it isn't the JSON that ackbell writes");
    let written: Written = serde_json::from_str(&text).map_err(broken)?;
    Ok(Some(Install {
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
    }))
}

/// Changes one: `change` is given what is there now and says what is to be there, or `None` to leave it. Others that
/// want to change it wait. Returns whether something was written; by then it is durable.
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
    let Some(wanted) = change(read(&path)?) else {
        return Ok(false);
    };
    write(&installs, file_name(&path), &wanted)?;
    installs.sync()?;
    Ok(true)
}

fn write(installs: &Directory, name: &str, install: &Install) -> io::Result<()> {
    let written = Written {
        bot_token: install.bot_token.expose().to_owned(),
        refresh_token: install.refresh_token.as_ref().map(|token| token.expose().to_owned()),
        expires_at: install.expires_at,
        team_id: install.team_id.clone(),
        team_name: install.team_name.clone(),
        bot_user: install.bot_user.clone(),
        scopes: install.scopes.clone(),
        installed_at: install.installed_at,
        revoked: install.revoked.clone(),
        events: install.events.clone(),
    };
    let temporary = format!("{name}.new");
    // One that a crash left may be anybody's: it is made anew, never written into.
    let _ = installs.remove(&temporary);
    let mut file = installs.create(&temporary, 0o600)?;
    serde_json::to_writer_pretty(&mut file, &written)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    installs.rename(&temporary, installs, name)
}

/// Records that Slack ended the installation at a time, in Unix seconds. `false` when that isn't new: it ended already,
/// the event was seen before, or is older than the installation, which came after it.
pub(crate) fn revoke(
    state_dir: &Path,
    integration: &str,
    reason: &str,
    event: Option<&str>,
    at: i64,
) -> io::Result<bool> {
    update(state_dir, integration, |known| {
        let mut install = known?;
        let is_known = event.is_some_and(|id| install.events.iter().any(|known| known == id));
        if is_known || at < install.installed_at || install.revoked.is_some() {
            return None;
        }
        install.revoked = Some(Revoked { reason: reason.to_owned(), at });
        install.events.extend(event.map(str::to_owned));
        let excess = install.events.len().saturating_sub(EVENTS_MAX);
        install.events.drain(..excess);
        Some(install)
    })
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
    fn an_end_is_taken_once_and_never_for_a_later_installation() {
        let dir = tempfile::tempdir().unwrap();
        let revoke = |event, at| revoke(dir.path(), "default", "app_uninstalled", Some(event), at).unwrap();
        assert!(!revoke("Ev0", 1001), "nothing is installed");
        update(dir.path(), "default", |_| Some(some())).unwrap();
        assert!(!revoke("Ev1", 999), "that was before");
        assert!(revoke("Ev2", 1001) && !revoke("Ev2", 1001) && !revoke("Ev3", 1001));
        update(dir.path(), "default", |old| Some(Install { events: old.unwrap().events, ..some() })).unwrap();
        assert!(!revoke("Ev2", 2000), "told again after the next installation");
        assert!(revoke("Ev4", 2000));
    }

    #[test]
    fn a_name_that_would_leave_the_directory_has_none() {
        assert!(is_plain("default") && is_plain("ops-2_b.c"));
        assert!(!is_plain("") && !is_plain("../x") && !is_plain(".x") && !is_plain("a/b") && !is_plain("a b"));
    }
}
