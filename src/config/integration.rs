//! `[slack]` and `[integrations.NAME]`: the ways into Slack and their secrets.

use super::problem::{Mistake, Report};
use super::reader::{Table, Text};
use super::tree::Span;
use super::{Config, Destination, Environment, Flavor, Integration, Proxy, Route, values};
use crate::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the integration that `[slack]` and the environment configure.
pub(super) const DEFAULT: &str = "default";
/// What people write in Slack to ask ackbell something, unless it is called otherwise.
pub(crate) const COMMAND: &str = "/ackbell";
const API_URL: &str = "https://slack.com/api/";

/// What reading secrets needs around it.
pub(super) struct Around<'a> {
    pub(super) base: &'a Path,
    /// Where the installations are.
    pub(super) state_dir: &'a Path,
    /// Empty for all but the default: only that one is configured by the environment.
    pub(super) env: Environment,
    pub(super) sources: &'a mut Vec<PathBuf>,
}

/// All integrations, the default first.
pub(super) fn read_all(
    top: &mut Table<'_>,
    (base, state_dir): (&Path, &Path),
    env: &Environment,
    sources: &mut Vec<PathBuf>,
    report: &mut Report<'_>,
) -> Vec<Integration> {
    let mut all = Vec::new();
    let slack = top.table("slack", report);
    let named = top.named_tables("integrations", report);
    let from_env = ["SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL", "SLACK_APP_CLIENT_ID"]
        .iter()
        .any(|name| env.get(name).is_some_and(|v| !v.is_empty()));
    if slack.is_some() || from_env {
        let table = slack.unwrap_or_else(|| Table::new("the environment", None, &[])).passing_over_emptied();
        let mut around = Around { base, state_dir, env: env.clone(), sources };
        all.push(read(DEFAULT, table, &mut around, report));
    }
    for (name, table) in named {
        if name == DEFAULT {
            report.error(
                table.span,
                Mistake::new("an integration can't be called \"default\"").remedy("that is [slack]'s name"),
            );
        }
        let mut around = Around { base, state_dir, env: Environment::default(), sources };
        all.push(read(name, table.passing_over_emptied(), &mut around, report));
    }
    all
}

/// One that says nothing, with the defaults: what `setup` starts from.
pub(crate) fn blank() -> Integration {
    let (mut sources, mut report) = (Vec::new(), Report::new(None, ""));
    let mut around =
        Around { base: Path::new("/"), state_dir: Path::new("/"), env: Environment::default(), sources: &mut sources };
    read(DEFAULT, Table::new("[slack]", None, &[]), &mut around, &mut report)
}

/// The secrets that `setup` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretKind {
    WebhookUrl,
    BotToken,
    AppToken,
    SigningSecret,
}

impl SecretKind {
    /// Its key in `[slack]`; the file that holds it has the key and `_file`.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::WebhookUrl => "webhook_url",
            Self::BotToken => "bot_token",
            Self::AppToken => "app_token",
            Self::SigningSecret => "signing_secret",
        }
    }

    /// Reads one; the error is a sentence that doesn't repeat it.
    pub(crate) fn parse(self, text: &str) -> Result<Secret, String> {
        let text = text.trim();
        let check: Check = match self {
            Self::WebhookUrl => webhook,
            Self::BotToken => bot_token,
            Self::AppToken => app_token,
            Self::SigningSecret => signing_secret,
        };
        check(text).map_err(Mistake::sentence)?;
        Ok(Secret::new(text.to_owned()))
    }
}

fn signing_secret(value: &str) -> Result<(), Mistake> {
    if value.starts_with("xox") || value.starts_with("xapp-") || value.starts_with("http") {
        let remedy = "the Signing Secret is under Basic Information of your app";
        return Err(Mistake::new("that is no signing secret").remedy(remedy));
    }
    printable(value)
}

fn read(name: &str, mut table: Table<'_>, around: &mut Around<'_>, report: &mut Report<'_>) -> Integration {
    let (span, place) = (table.span, table.name.clone());
    let api_url = |text: &str| values::url(text).map(|url| if url.ends_with('/') { url } else { format!("{url}/") });
    let mut integration = Integration {
        name: name.to_owned(),
        description: table.text("description", report).map_or_else(String::new, |text| text.text.to_owned()),
        labels: table.texts("labels", report).unwrap_or_default().iter().map(|text| text.text.to_owned()).collect(),
        enabled: table.flag("enabled", report).unwrap_or(true),
        bot_token: one_secret(
            &mut table,
            ("bot_token", "bot_token_file"),
            &["SLACK_BOT_TOKEN"],
            bot_token,
            around,
            report,
        ),
        webhook_url: one_secret(
            &mut table,
            ("webhook_url", "webhook_url_file"),
            &["SLACK_WEBHOOK_URL"],
            webhook,
            around,
            report,
        ),
        app_token: one_secret(
            &mut table,
            ("app_token", "app_token_file"),
            &["SLACK_APP_TOKEN"],
            app_token,
            around,
            report,
        ),
        signing_secrets: secrets(
            &mut table,
            ("signing_secret", "signing_secret_file"),
            &["SLACK_SIGNING_SECRET", "SLACK_SECRET"],
            any,
            around,
            report,
        ),
        client_id: table
            .text("client_id", report)
            .map(|text| text.text.to_owned())
            .or_else(|| around.env.get("SLACK_APP_CLIENT_ID").filter(|text| !text.is_empty())),
        client_secret: one_secret(
            &mut table,
            ("client_secret", "client_secret_file"),
            &["SLACK_APP_CLIENT_SECRET"],
            any,
            around,
            report,
        ),
        install: None,
        install_at: None,
        command: table.parsed("command", report, values::command).unwrap_or_else(|| COMMAND.to_owned()),
        team_id: table.text("team_id", report).map(|text| text.text.to_owned()),
        fallback: table.text("fallback", report).map(|text| text.text.to_owned()),
        channel: table.parsed_or("channel", (&around.env, "SLACK_CHANNEL"), report, str::parse),
        proxy: table.parsed("proxy", report, values::proxy).unwrap_or(Proxy::FromEnvironment),
        ca_file: table.text("ca_file", report).map(|text| around.base.join(text.text)),
        api_url: table.parsed("api_url", report, api_url).unwrap_or_else(|| API_URL.to_owned()),
        flavor: table.parsed("flavor", report, values::flavor).unwrap_or(Flavor::Slack),
        interactive: table.flag("interactive", report),
        acts: table.flag("acts", report).unwrap_or(true),
        connect_timeout: table.parsed("connect_timeout", report, values::duration).unwrap_or(Duration::from_secs(5)),
        timeout: table.parsed("timeout", report, values::duration).unwrap_or(Duration::from_secs(10)),
    };
    table.finish(report);
    super::install::take(&mut integration, around, span, report);
    check(&integration, &place, span, report);
    integration
}

/// What only shows when the whole integration is known.
fn check(integration: &Integration, place: &str, span: Option<Span>, report: &mut Report<'_>) {
    if integration.enabled && !integration.is_bot() && integration.webhook_url.is_none() {
        let remedy = "give it webhook_url or bot_token (or their _file), or enabled = false";
        report.error(span, Mistake::new(format!("{place} has no way to post")).remedy(remedy));
    }
    if let Some(path) = &integration.ca_file
        && let Err(e) = fs::metadata(path)
    {
        report.error(
            span,
            Mistake::new(format!("ca_file {}: {e}", path.display()))
                .remedy("name a PEM file with the CA's certificate"),
        );
    }
    if integration.channel == Some(Destination::Contact) {
        report.error(
            span,
            Mistake::new("channel can't be \"contact\"").remedy("name the channel for what no contact takes"),
        );
    }
}

/// What only shows when the routes are known too.
pub(super) fn check_routes(config: &Config, report: &mut Report<'_>) {
    for integration in &config.integrations {
        let Some(name) = &integration.fallback else { continue };
        let other = config.integrations.iter().find(|other| other.name == *name && other.name != integration.name);
        if other.is_none_or(|other| other.channel.is_none() && other.webhook_url.is_none()) {
            let mistake = Mistake::new(format!("the fallback \"{name}\" of \"{}\" can't take over", integration.name));
            report.error(None, mistake.remedy("name another integration that has a channel or a webhook"));
        }
    }
    for route in &config.routes {
        for integration in config.integrations_of(route) {
            check_route(route, integration, report);
        }
        if config.integrations_of(route).is_empty() {
            if let Some(label) = &route.label {
                let mistake = Mistake::new(format!("no integration has the label \"{label}\""));
                report.error(route.integration_span, mistake.remedy(format!("give one labels = [\"{label}\"]")));
            }
            if let Some(name) = &route.integration {
                let names: Vec<&str> = config.integrations.iter().map(|i| i.name.as_str()).collect();
                let remedy = super::suggest::did_you_mean(name, names.iter().copied());
                let remedy = remedy.unwrap_or_else(|| format!("known: {}", super::suggest::one_of(&names)));
                let mistake = Mistake::new(format!("there is no integration \"{name}\"")).remedy(remedy);
                report.error(route.integration_span, mistake);
            }
        }
    }
    let has_no_place = |i: &&Integration| i.enabled && i.is_bot() && i.channel.is_none() && i.webhook_url.is_none();
    for integration in config.integrations.iter().filter(has_no_place) {
        if config.routes.is_empty() {
            let message = format!("\"{}\" has no channel to post to", integration.name);
            let remedy = match &config.path {
                Some(_) => "add channel = \"#ops\"",
                None => "set SLACK_CHANNEL, as \"#ops\"",
            };
            report.error(None, Mistake::new(message).remedy(remedy));
        }
    }
}

/// What a route and one integration that it leads to make of each other.
fn check_route(route: &Route, integration: &Integration, report: &mut Report<'_>) {
    let is_webhook_only = !integration.is_bot() && integration.flavor == Flavor::Slack;
    if is_webhook_only && !route.to.is_empty() {
        let mistake = Mistake::new(format!(
            "\"to\" has no effect: \"{}\" has only a webhook, which posts to its own channel",
            integration.name
        ));
        report.warning(route.span, mistake.remedy("use a bot_token to choose channels"));
    }
    let has_own_place = integration.channel.is_some() || integration.webhook_url.is_some();
    if !is_webhook_only && integration.is_bot() && route.to.is_empty() && !has_own_place {
        report.error(route.span, Mistake::new("this route leads nowhere").remedy("give it to = \"#channel\""));
    }
}

type Check = fn(&str) -> Result<(), Mistake>;

pub(super) fn one_secret(
    table: &mut Table<'_>,
    keys: (&'static str, &'static str),
    names: &[&str],
    check: Check,
    around: &mut Around<'_>,
    report: &mut Report<'_>,
) -> Option<Secret> {
    let mut found = secrets(table, keys, names, check, around, report);
    if found.len() > 1 {
        report.error(table.span, Mistake::new(format!("\"{}\" takes one value", keys.0)));
    }
    found.pop()
}

/// The values of a secret: in the file, in a file of its own, or in the environment, in that order.
fn secrets(
    table: &mut Table<'_>,
    (key, file_key): (&'static str, &'static str),
    names: &[&str],
    check: Check,
    around: &mut Around<'_>,
    report: &mut Report<'_>,
) -> Vec<Secret> {
    let inline = table.texts(key, report);
    let files = table.texts(file_key, report);
    if let (Some(_), Some(files)) = (&inline, &files) {
        let mistake = Mistake::new(format!("both \"{key}\" and \"{file_key}\" are given")).remedy("keep one of them");
        report.error(files.first().map(|text| text.span), mistake);
    }
    let mut found = Vec::new();
    let mut take = |value: &str, place: Option<Span>, report: &mut Report<'_>| {
        let checked = if value.is_empty() { Err(Mistake::new("it is empty")) } else { check(value) };
        match checked {
            Ok(()) => found.push(Secret::new(value.to_owned())),
            Err(mistake) => report.error(place, mistake.about(key)),
        }
    };
    if let Some(texts) = inline {
        warn_if_readable(around.sources.first().cloned().as_deref(), texts.first(), report);
        for text in texts {
            take(text.text.trim(), Some(text.span), report);
        }
    } else if let Some(texts) = files {
        for text in texts {
            let path = around.base.join(text.text);
            if let Some(value) = read_secret(&path, text, file_key, report) {
                take(&value, Some(text.span), report);
            }
            around.sources.push(path);
        }
    } else if let Some((_, value)) =
        names.iter().filter_map(|name| Some((name, around.env.get(name)?))).find(|(_, v)| !v.is_empty())
    {
        take(value.trim(), None, report);
    }
    found
}

fn read_secret(path: &Path, text: Text<'_>, key: &str, report: &mut Report<'_>) -> Option<String> {
    match super::load::read(path) {
        Ok(value) => {
            warn_if_readable(Some(path), Some(&text), report);
            Some(value.trim().to_owned())
        }
        Err(e) => {
            let mistake = Mistake::new(format!("{key}: can't read {}: {e}", path.display()));
            report.error(
                Some(text.span),
                mistake.remedy("the file must exist and be readable by the group of the core's user"),
            );
            None
        }
    }
}

/// A file with secrets is nobody else's business; one that others may write is no secret of ours at all.
fn warn_if_readable(path: Option<&Path>, text: Option<&Text<'_>>, report: &mut Report<'_>) {
    let Some((path, mode)) = path.and_then(|path| Some((path, fs::metadata(path).ok()?.mode()))) else {
        return;
    };
    let place = text.map(|text| text.span);
    let remedy = format!("chmod 0640 {}", path.display());
    if mode & 0o022 != 0 {
        let message = format!("{} holds a secret and others may write it (mode {:04o})", path.display(), mode & 0o7777);
        report.error(place, Mistake::new(message).remedy(remedy));
    } else if mode & 0o004 != 0 {
        let message =
            format!("{} holds a secret and everybody may read it (mode {:04o})", path.display(), mode & 0o7777);
        report.warning(place, Mistake::new(message).remedy(remedy));
    }
}

fn bot_token(value: &str) -> Result<(), Mistake> {
    match value {
        v if v.starts_with("xoxb-") || v.starts_with("xoxe.xoxb-") => printable(v),
        v if v.starts_with("xapp-") => Err(Mistake::new("that is an app-level token").remedy("put it into app_token")),
        v if v.starts_with("xoxp-") || v.starts_with("xoxe.xoxp-") => {
            Err(Mistake::new("that is a person's token").remedy("use the Bot User OAuth Token of your app (xoxb-...)"))
        }
        v if v.starts_with("http") => {
            Err(Mistake::new("that is a web address").remedy("put a webhook's into webhook_url"))
        }
        _ => Err(Mistake::new("that is no bot token").remedy("it starts with xoxb-")),
    }
}

fn app_token(value: &str) -> Result<(), Mistake> {
    match value {
        v if v.starts_with("xapp-") => printable(v),
        v if v.starts_with("xoxb-") => Err(Mistake::new("that is a bot token").remedy("put it into bot_token")),
        _ => Err(Mistake::new("that is no app-level token").remedy("it starts with xapp-")),
    }
}

fn webhook(value: &str) -> Result<(), Mistake> {
    if value.starts_with("xox") {
        return Err(Mistake::new("that is a token").remedy("put it into bot_token"));
    }
    values::url(value).map(drop)
}

/// People make these up: blanks and umlauts are fine.
pub(super) fn password(value: &str) -> Result<(), Mistake> {
    if value.chars().any(char::is_control) {
        return Err(Mistake::new("it has control characters").remedy("copy it again, on one line"));
    }
    Ok(())
}

pub(super) fn any(value: &str) -> Result<(), Mistake> {
    printable(value)
}

fn printable(value: &str) -> Result<(), Mistake> {
    if value.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Mistake::new("it has blanks or other characters a secret never has").remedy("copy it again, on one line"))
}
