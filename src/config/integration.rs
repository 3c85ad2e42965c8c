//! `[slack]` and `[integrations.NAME]`: the ways into Slack and their secrets.

use super::problem::{Mistake, Problems};
use super::reader::Table;
use super::secrets::{Check, LoadContext, any, app_token, one_secret, printable, secrets};
use super::tree::Span;
use super::{Config, Credentials, DEFAULT_INTEGRATION, Destination, Route, values};
use crate::system::environment::Environment;
use crate::system::secret::Secret;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One way into Slack: a workspace's app or webhook, or a compatible receiver.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Integration {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) labels: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) credentials: Credentials,
    pub(crate) app_token: Option<Secret>,
    /// Several while rotating.
    pub(crate) signing_secrets: Vec<Secret>,
    /// The app's own, as configured. Both together, without a bot token, make it [`Credentials::Installable`].
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    /// The slash command's name, with its slash; what an answer says is the name that it came with.
    pub(crate) command: String,
    /// The address where a browser installs it; `None` without a public address.
    pub(crate) install_at: Option<String>,
    /// Only this workspace may install.
    pub(crate) team_id: Option<String>,
    /// The integration that takes over while this one's installation has ended.
    pub(crate) fallback: Option<String>,
    /// The default channel: for notifications that match no route, and for those whose own channel can't be reached.
    pub(crate) channel: Option<Destination>,
    pub(crate) proxy: Proxy,
    pub(crate) ca_file: Option<PathBuf>,
    /// Ends with a slash.
    pub(crate) api_url: String,
    pub(crate) flavor: Flavor,
    pub(crate) interactive: Option<bool>,
    /// Whether its people may do more than look.
    pub(crate) acts: bool,
    /// For connecting, TLS included.
    pub(crate) connect_timeout: Duration,
    /// For a whole call.
    pub(crate) timeout: Duration,
}

/// Through which proxy an integration talks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// `HTTPS_PROXY` and `NO_PROXY` decide (`HTTP_PROXY` for plain http).
    FromEnvironment,
    /// `proxy = "none"`.
    None,
    /// May hold credentials.
    Url(Secret),
}

/// Which dialect the receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    Slack,
    Mattermost,
    RocketChat,
    Discord,
}

/// The default slash command.
pub(crate) const COMMAND: &str = "/ackbell";
const API_URL: &str = "https://slack.com/api/";

/// All integrations, the default first. The environment configures that one alone.
pub(super) fn load_all(
    top: &mut Table<'_>,
    context: &mut LoadContext<'_>,
    problems: &mut Problems<'_>,
) -> Vec<Integration> {
    let mut all = Vec::new();
    let slack = top.table("slack", problems);
    let named = top.named_tables("integrations", problems);
    let from_env = ["SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL", "SLACK_APP_CLIENT_ID"]
        .iter()
        .any(|name| context.env.get(name).is_some_and(|v| !v.is_empty()));
    if slack.is_some() || from_env {
        let table = slack.unwrap_or_else(|| Table::new("the environment", None, &[])).passing_over_emptied();
        all.push(read(DEFAULT_INTEGRATION, table, context, problems));
    }
    let mut context = LoadContext { env: Environment::default(), sources: &mut *context.sources, ..*context };
    for (name, table) in named {
        if name == DEFAULT_INTEGRATION {
            problems.error(
                table.span,
                Mistake::new("an integration can't be called \"default\"").remedy("that is [slack]'s name"),
            );
        }
        all.push(read(name, table.passing_over_emptied(), &mut context, problems));
    }
    all
}

/// One that says nothing, with the defaults: what `setup` starts from.
pub(crate) fn blank() -> Integration {
    let (mut sources, mut problems) = (Vec::new(), Problems::new(None, ""));
    let mut context = LoadContext {
        base: Path::new("/"),
        state_dir: Path::new("/"),
        env: Environment::default(),
        sources: &mut sources,
    };
    read(DEFAULT_INTEGRATION, Table::new("[slack]", None, &[]), &mut context, &mut problems)
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
        return Err(Mistake::new("that isn't a signing secret").remedy(remedy));
    }
    printable(value)
}

fn read(name: &str, mut table: Table<'_>, context: &mut LoadContext<'_>, problems: &mut Problems<'_>) -> Integration {
    let (span, section) = (table.span, table.name.clone());
    let api_url = |text: &str| values::url(text).map(|url| if url.ends_with('/') { url } else { format!("{url}/") });
    let token =
        one_secret(&mut table, ("bot_token", "bot_token_file"), &["SLACK_BOT_TOKEN"], bot_token, context, problems);
    let webhook_url =
        one_secret(&mut table, ("webhook_url", "webhook_url_file"), &["SLACK_WEBHOOK_URL"], webhook, context, problems);
    let mut integration = Integration {
        name: name.to_owned(),
        description: table.text("description", problems).map_or_else(String::new, |text| text.text.to_owned()),
        labels: table.texts("labels", problems).unwrap_or_default().iter().map(|text| text.text.to_owned()).collect(),
        enabled: table.flag("enabled", problems).unwrap_or(true),
        credentials: Credentials::None,
        app_token: one_secret(
            &mut table,
            ("app_token", "app_token_file"),
            &["SLACK_APP_TOKEN"],
            app_token,
            context,
            problems,
        ),
        signing_secrets: secrets(
            &mut table,
            ("signing_secret", "signing_secret_file"),
            &["SLACK_SIGNING_SECRET", "SLACK_SECRET"],
            any,
            context,
            problems,
        ),
        client_id: table
            .text("client_id", problems)
            .map(|text| text.text.to_owned())
            .or_else(|| context.env.get("SLACK_APP_CLIENT_ID").filter(|text| !text.is_empty())),
        client_secret: one_secret(
            &mut table,
            ("client_secret", "client_secret_file"),
            &["SLACK_APP_CLIENT_SECRET"],
            any,
            context,
            problems,
        ),
        install_at: None,
        command: table.parsed("command", problems, values::command).unwrap_or_else(|| COMMAND.to_owned()),
        team_id: table.text("team_id", problems).map(|text| text.text.to_owned()),
        fallback: table.text("fallback", problems).map(|text| text.text.to_owned()),
        channel: table.parsed_or("channel", (&context.env, "SLACK_CHANNEL"), problems, str::parse),
        proxy: table.parsed("proxy", problems, values::proxy).unwrap_or(Proxy::FromEnvironment),
        ca_file: table.text("ca_file", problems).map(|text| context.base.join(text.text)),
        api_url: table.parsed("api_url", problems, api_url).unwrap_or_else(|| API_URL.to_owned()),
        flavor: table.parsed("flavor", problems, values::flavor).unwrap_or(Flavor::Slack),
        interactive: table.flag("interactive", problems),
        acts: table.flag("acts", problems).unwrap_or(true),
        connect_timeout: table.parsed("connect_timeout", problems, values::duration).unwrap_or(Duration::from_secs(5)),
        timeout: table.parsed("timeout", problems, values::duration).unwrap_or(Duration::from_secs(10)),
    };
    table.finish(problems);
    let is_installable = integration.client_id.is_some() && integration.client_secret.is_some();
    integration.credentials = Credentials::new(token, webhook_url, is_installable);
    super::credentials::load_installation(&mut integration, context, span, problems);
    check(&integration, &section, span, problems);
    integration
}

/// Checks that need the whole integration.
fn check(integration: &Integration, section: &str, span: Option<Span>, problems: &mut Problems<'_>) {
    if integration.enabled && !integration.is_bot() && integration.webhook_url().is_none() {
        let remedy = "give it webhook_url or bot_token (or their _file), or enabled = false";
        problems.error(span, Mistake::new(format!("{section} has no way to post")).remedy(remedy));
    }
    if let Some(path) = &integration.ca_file
        && let Err(e) = fs::metadata(path)
    {
        problems.error(
            span,
            Mistake::new(format!("ca_file {}: {e}", path.display()))
                .remedy("name a PEM file with the CA's certificate"),
        );
    }
    if integration.channel == Some(Destination::Contact) {
        problems.error(
            span,
            Mistake::new("channel can't be \"contact\"")
                .remedy("name the default channel, for notifications whose contact can't be reached"),
        );
    }
}

/// Checks that need the routes, too.
pub(super) fn check_routes(config: &Config, problems: &mut Problems<'_>) {
    for integration in &config.integrations {
        let Some(name) = &integration.fallback else { continue };
        let other = config.integrations.iter().find(|other| other.name == *name && other.name != integration.name);
        if other.is_none_or(|other| other.channel.is_none() && other.webhook_url().is_none()) {
            let mistake = Mistake::new(format!("the fallback \"{name}\" of \"{}\" can't take over", integration.name));
            problems.error(None, mistake.remedy("name another integration that has a channel or a webhook"));
        }
    }
    for route in &config.routes {
        for integration in config.integrations_of(route) {
            check_route(route, integration, problems);
        }
        if config.integrations_of(route).is_empty() {
            if let Some(label) = &route.label {
                let mistake = Mistake::new(format!("no integration has the label \"{label}\""));
                problems.error(route.integration_span, mistake.remedy(format!("give one labels = [\"{label}\"]")));
            }
            if let Some(name) = &route.integration {
                let names: Vec<&str> = config.integrations.iter().map(|i| i.name.as_str()).collect();
                let remedy = super::suggest::did_you_mean(name, names.iter().copied());
                let remedy = remedy.unwrap_or_else(|| format!("known: {}", super::suggest::one_of(&names)));
                let mistake = Mistake::new(format!("there is no integration \"{name}\"")).remedy(remedy);
                problems.error(route.integration_span, mistake);
            }
        }
    }
    let has_no_destination =
        |i: &&Integration| i.enabled && i.is_bot() && i.channel.is_none() && i.webhook_url().is_none();
    for integration in config.integrations.iter().filter(has_no_destination) {
        if config.routes.is_empty() {
            let message = format!("\"{}\" has no channel to post to", integration.name);
            let remedy = match &config.path {
                Some(_) => "add channel = \"#ops\"",
                None => "set SLACK_CHANNEL, as \"#ops\"",
            };
            problems.error(None, Mistake::new(message).remedy(remedy));
        }
    }
}

/// Checks a route together with one integration that it leads to.
fn check_route(route: &Route, integration: &Integration, problems: &mut Problems<'_>) {
    let is_webhook_only = !integration.is_bot() && integration.flavor == Flavor::Slack;
    if is_webhook_only && !route.to.is_empty() {
        let mistake = Mistake::new(format!(
            "\"to\" has no effect: \"{}\" has only a webhook, which posts to its own channel",
            integration.name
        ));
        problems.warning(route.span, mistake.remedy("use a bot_token to choose channels"));
    }
    let has_own_destination = integration.channel.is_some() || integration.webhook_url().is_some();
    if !is_webhook_only && integration.is_bot() && route.to.is_empty() && !has_own_destination {
        problems.error(route.span, Mistake::new("this route leads nowhere").remedy("give it to = \"#channel\""));
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
        _ => Err(Mistake::new("that isn't a bot token").remedy("it starts with xoxb-")),
    }
}

fn webhook(value: &str) -> Result<(), Mistake> {
    if value.starts_with("xox") {
        return Err(Mistake::new("that is a token").remedy("put it into bot_token"));
    }
    values::url(value).map(drop)
}
