//! `setup`: what a first configuration needs. Here it becomes files; `cli` asks the questions.
//!
//! Until [`write_files::files`] nothing on disk changes, so whoever stops at a question leaves nothing behind.
//!
//! Imports `store` and below. Never in here: a question, a line of output.

pub(crate) mod checks;
mod edit_config;
pub(crate) mod import_cores;
pub(crate) mod systemd_dropin;
pub(crate) mod try_click;
pub(crate) mod write_files;

use crate::config::{self, Config, CoreKind, DEFAULT, Destination, Integration, Relay, SecretKind};
use crate::monitoring::local::Local;
use crate::system::secret::Secret;
use edit_config::{Change, UnsupportedLayout};
use std::path::{Path, PathBuf};
use write_files::Planned;

/// The file with a relay's token, beside the configuration.
const RELAY_TOKEN: &str = "relay-token";

/// Which way into Slack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    Webhook,
    App,
    /// None: a centre has it.
    Relay,
}

/// The choices; a `None` stays as it is.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(crate) way: Connection,
    pub(crate) core: Option<Local>,
    pub(crate) secrets: Vec<(SecretKind, Secret)>,
    pub(crate) channel: Option<Destination>,
    pub(crate) api_url: Option<String>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) relay: Option<Relay>,
}

impl Choices {
    /// How the integration will be: for checking it before anything is written.
    pub(crate) fn integration(&self, existing: Option<&Integration>) -> Integration {
        let mut made = existing.cloned().unwrap_or_else(config::blank_integration);
        if self.way == Connection::Webhook {
            made.credentials = made.credentials.without_token();
            made.app_token = None;
        }
        for (kind, secret) in &self.secrets {
            let secret = secret.clone();
            match kind {
                SecretKind::WebhookUrl => made.credentials = made.credentials.with_webhook(secret),
                SecretKind::BotToken => made.credentials = made.credentials.with_token(secret),
                SecretKind::AppToken => made.app_token = Some(secret),
                SecretKind::SigningSecret => made.signing_secrets = vec![secret],
            }
        }
        made.channel = self.channel.clone().or(made.channel);
        if let Some(url) = &self.api_url {
            made.api_url = if url.ends_with('/') { url.clone() } else { format!("{url}/") };
        }
        made.enabled = true;
        made
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("{}: {}", .0.display(), .1)]
    UnsupportedLayout(PathBuf, UnsupportedLayout),
    #[error("{}: {}", .0.display(), .1)]
    Read(PathBuf, std::io::Error),
    #[error("{} is JSON: `ackbell setup` writes TOML; name another file with --config", .0.display())]
    Json(PathBuf),
}

/// Configuration and secrets as they will be, the configuration last; what is there already isn't in it.
///
/// `now` names the backup, in Unix seconds.
pub(crate) fn plan(
    choices: &Choices,
    path: &Path,
    existing: Option<&Config>,
    now: i64,
) -> Result<Vec<Planned>, PlanError> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return Err(PlanError::Json(path.to_owned()));
    }
    let text = match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => DEFAULT.to_owned(),
        text => text.map_err(|e| PlanError::Read(path.to_owned(), e))?,
    };
    let base = path.parent().unwrap_or(Path::new("/"));
    let present: toml::Table = text.parse().unwrap_or_default();
    let slack = present.get("slack").and_then(|slack| slack.as_table());
    let mut files = Vec::new();
    let mut changes = Vec::new();
    let mut change =
        |table, key: &str, value: Option<String>| changes.push(Change { table, key: key.to_owned(), value });
    let uses_slack = choices.way != Connection::Relay;
    if uses_slack && slack.is_some_and(|slack| slack.get("enabled").is_some_and(|value| value.as_bool() == Some(false)))
    {
        change("slack", "enabled", None);
    }
    if choices.way == Connection::Webhook {
        for key in ["bot_token", "bot_token_file", "app_token", "app_token_file"] {
            change("slack", key, None);
        }
    }
    for (kind, secret) in &choices.secrets {
        let (key, file_key) = (kind.key(), format!("{}_file", kind.key()));
        let name = slack.and_then(|slack| slack.get(&file_key)?.as_str().map(str::to_owned));
        let name = name.unwrap_or_else(|| key.replace('_', "-"));
        let content = format!("{}\n", secret.expose());
        files.push(Planned { path: base.join(&name), content, mode: 0o640, backup: None });
        change("slack", key, None);
        change("slack", &file_key, Some(name));
    }
    if let Some(relay) = &choices.relay {
        let content = format!("{}\n", relay.token.expose());
        files.push(Planned { path: base.join(RELAY_TOKEN), content, mode: 0o640, backup: None });
        change("relay", "ca_file", relay.ca_file.as_ref().map(|path| path.display().to_string()));
        change("relay", "token", None);
        change("relay", "token_file", Some(RELAY_TOKEN.to_owned()));
        change("relay", "to", relay.to.first().cloned());
    }
    if let Some(channel) = &choices.channel {
        change("slack", "channel", Some(channel.to_string()));
    }
    if let Some(url) = &choices.api_url {
        change("slack", "api_url", Some(url.clone()));
    }
    if let Some(directory) = &choices.state_dir {
        change("", "state_dir", Some(directory.display().to_string()));
    }
    if let Some(local) = choices.core.as_ref().filter(|local| !is_configured(local, existing)) {
        change("core", "kind", Some(local.kind.name().to_owned()));
        if local.kind != CoreKind::Icinga2 {
            change("core", "main_config", Some(local.main_config.display().to_string()));
        }
    }
    let edited = edit_config::edit(&text, &changes).map_err(|e| PlanError::UnsupportedLayout(path.to_owned(), e))?;
    let stamp: String = crate::model::time_text::utc(now).chars().filter(char::is_ascii_digit).collect();
    let backup = format!("{}.{stamp}.bak", path.file_name().unwrap_or_default().to_string_lossy());
    let backup = path.exists().then(|| base.join(backup));
    files.push(Planned { path: path.to_owned(), content: edited, mode: 0o640, backup });
    files.retain(|file| !file.is_there());
    Ok(files)
}

/// Whether the configuration names this very core.
fn is_configured(local: &Local, existing: Option<&Config>) -> bool {
    let core = existing.and_then(|config| config.cores.iter().find(|core| core.name.is_empty()));
    core.is_some_and(|core| {
        let is_main = core.main_config.as_ref().is_none_or(|path| *path == local.main_config);
        core.kind == local.kind && is_main
    })
}

/// The definitions for this core, as this program and configuration are called; `None` for a core whose are made by
/// hand. The second is without the check of ackbell itself, for a core that has no host for it.
pub(crate) fn definitions(kind: CoreKind, program: &Path, path: &Path) -> Option<(String, String)> {
    let text = kind.facts().definitions;
    let (program, path) = (plain(program)?, plain(path)?);
    let called = if path == config::lenient::CONFIG {
        program.to_owned()
    } else if kind == CoreKind::Icinga2 {
        // Its command is a list of words.
        format!("{program}\", \"--config\", \"{path}")
    } else {
        format!("{program} --config {path}")
    };
    let text = text.replace("/usr/bin/ackbell", &called);
    let watching = text.find("ackbell watches itself").unwrap_or(text.len());
    let bare = &text[..text[..watching].rfind('\n').unwrap_or(watching)];
    Some((text.clone(), format!("{}\n", bare.trim_end())))
}

/// A path that needs no quoting in any core's language.
fn plain(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)))
}

#[cfg(test)]
mod tests;
