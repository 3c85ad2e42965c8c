//! Which way into Slack, its secrets and the channel; each checked before the next is asked for.

use super::{End, Exit, Prompt, SetupContext};
use crate::cli::{args, secret_file};
use crate::config::{Destination, Integration, SecretKind};
use crate::monitoring::local::Local;
use crate::setup::checks::{self, Channel};
use crate::setup::{Choices, Connection};
use crate::slack::api::Client;
use crate::system::secret::Secret;

const FLAGS_NEEDED: &str =
    "--yes needs a way into Slack: --webhook-url-file FILE, or --bot-token-file FILE and --channel '#ops'";
const WEBHOOK_HOW: &str = "  In Slack: https://api.slack.com/apps, Create New App, From scratch; Incoming Webhooks, switch it on,\n  \
    Add New Webhook to Workspace, choose the channel; copy the webhook's address.";
const APP_HOW: &str = "  `ackbell manifest --link` prints a link that creates the app with all it needs. Then, in the app:\n  \
    OAuth & Permissions, Install to Workspace: the bot token (xoxb-...); and, for buttons without a public address,\n  \
    Basic Information, App-Level Tokens, Generate with connections:write: the app-level token (xapp-...).";

/// Asks and checks.
pub(super) fn choose(context: &SetupContext<'_>, core: Option<Local>, prompt: &mut Prompt<'_>) -> Result<Choices, End> {
    let way = way(context, prompt)?;
    let (args, present) = (context.args, present(context));
    let mut choices = Choices {
        way,
        core,
        secrets: Vec::new(),
        channel: None,
        api_url: args.api_url.clone(),
        state_dir: args.state_dir.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        relay: None,
    };
    match way {
        Connection::Webhook => {
            secret(SecretKind::WebhookUrl, true, context, &mut choices, prompt)?;
            secret(SecretKind::SigningSecret, false, context, &mut choices, prompt)?;
        }
        // Another one's questions.
        Connection::Relay => {}
        Connection::App => {
            secret(SecretKind::BotToken, true, context, &mut choices, prompt)?;
            secret(SecretKind::AppToken, false, context, &mut choices, prompt)?;
            let has_socket = choices.integration(present).app_token.is_some();
            if !has_socket || args.signing_secret_file.is_some() {
                secret(SecretKind::SigningSecret, false, context, &mut choices, prompt)?;
            }
            channel(context, &mut choices, prompt)?;
        }
    }
    Ok(choices)
}

/// The integration that is there.
pub(super) fn present<'a>(context: &'a SetupContext<'_>) -> Option<&'a Integration> {
    context.existing.as_ref().and_then(|config| config.integrations.iter().find(|one| one.name == "default"))
}

fn way(context: &SetupContext<'_>, prompt: &mut Prompt<'_>) -> Result<Connection, End> {
    let given = |kind| given(kind, context).map(|found| found.is_some());
    let is_hook = given(SecretKind::WebhookUrl)?;
    if given(SecretKind::BotToken)? {
        return Ok(Connection::App);
    }
    if is_hook {
        return Ok(Connection::Webhook);
    }
    let present = present(context);
    let default = match present.map(|one| (one.bot_token().is_some(), one.webhook_url().is_some())) {
        Some((false, true)) => Some(Connection::Webhook),
        Some((true, _)) => Some(Connection::App),
        _ => None,
    };
    if prompt.non_interactive {
        return default.ok_or_else(|| End::Failed(Exit::Usage, FLAGS_NEEDED.to_owned()));
    }
    prompt.out.line(
        "\nWhich way into Slack?\n  1  a webhook: two minutes, one channel, every notification a message of its own\n  \
         2  an app: one message per problem that is kept up to date, with buttons, threads and any channel",
    );
    let default = usize::from(default != Some(Connection::Webhook));
    let way = if prompt.choice("Which", 2, default)? == 0 { Connection::Webhook } else { Connection::App };
    prompt.out.line(if way == Connection::Webhook { WEBHOOK_HOW } else { APP_HOW });
    Ok(way)
}

/// A secret from a flag's file or the environment, and its origin.
fn given(kind: SecretKind, context: &SetupContext<'_>) -> Result<Option<(String, String)>, End> {
    let args = context.args;
    let (file, names): (_, &[&str]) = match kind {
        SecretKind::WebhookUrl => (&args.webhook_url_file, &["SLACK_WEBHOOK_URL"]),
        SecretKind::BotToken => (&args.bot_token_file, &["SLACK_BOT_TOKEN"]),
        SecretKind::AppToken => (&args.app_token_file, &["SLACK_APP_TOKEN"]),
        SecretKind::SigningSecret => (&args.signing_secret_file, &["SLACK_SIGNING_SECRET", "SLACK_SECRET"]),
    };
    if let Some(path) = file {
        let fail = |e| End::Failed(Exit::Usage, format!("can't read {}: {e}", path.display()));
        return Ok(Some((secret_file::read(path).map_err(fail)?, path.display().to_string())));
    }
    let of_env = |name: &&str| Some((context.env.get(name)?, (*name).to_owned()));
    // A flag for one way outweighs a variable for the other.
    let is_outweighed = match kind {
        SecretKind::BotToken => args.webhook_url_file.is_some(),
        SecretKind::WebhookUrl => args.bot_token_file.is_some(),
        SecretKind::AppToken | SecretKind::SigningSecret => false,
    };
    Ok(names.iter().find_map(of_env).filter(|(value, _)| !value.is_empty() && !is_outweighed))
}

/// One secret: given, kept or asked for, until it is checked. One that isn't needed may be left out.
fn secret(
    kind: SecretKind,
    is_needed: bool,
    context: &SetupContext<'_>,
    choices: &mut Choices,
    prompt: &mut Prompt<'_>,
) -> Result<(), End> {
    let label = label(kind);
    if let Some((text, from)) = given(kind, context)? {
        let tried = kind.parse(&text).and_then(|secret| try_out(kind, secret, context, choices));
        match tried {
            Ok(details) => {
                prompt.out.line(&format!("✓ {label} from {from}{details}"));
                return Ok(());
            }
            Err(problem) if prompt.non_interactive => {
                return Err(End::Failed(Exit::Unavailable, format!("the {label} from {from}: {problem}")));
            }
            Err(problem) => prompt.out.line(&format!("✗ {label} from {from}: {problem}")),
        }
    }
    let is_there = is_there(kind, present(context));
    let default = if is_there {
        "keep the present one"
    } else if is_needed {
        ""
    } else {
        "none"
    };
    loop {
        let text = prompt.secret(&question(kind), default)?;
        if text.is_empty() && (is_there || !is_needed) {
            return Ok(());
        }
        if text.is_empty() && prompt.non_interactive {
            return Err(End::Failed(Exit::Usage, FLAGS_NEEDED.to_owned()));
        }
        match kind.parse(&text).and_then(|secret| try_out(kind, secret, context, choices)) {
            Ok(details) => {
                prompt.out.line(&format!("✓ {label}{details}"));
                return Ok(());
            }
            Err(problem) => prompt.out.line(&format!("✗ {problem}")),
        }
    }
}

fn is_there(kind: SecretKind, present: Option<&Integration>) -> bool {
    present.is_some_and(|present| match kind {
        SecretKind::WebhookUrl => present.webhook_url().is_some(),
        SecretKind::BotToken => present.bot_token().is_some(),
        SecretKind::AppToken => present.app_token.is_some(),
        SecretKind::SigningSecret => !present.signing_secrets.is_empty(),
    })
}

/// Keeps the secret if Slack takes it; what it says of it.
fn try_out(
    kind: SecretKind,
    secret: Secret,
    context: &SetupContext<'_>,
    choices: &mut Choices,
) -> Result<String, String> {
    choices.secrets.push((kind, secret));
    let client = client(context, choices);
    let checked = match kind {
        SecretKind::WebhookUrl | SecretKind::SigningSecret => Ok(String::new()),
        SecretKind::BotToken => {
            client.and_then(|client| checks::bot(&client)).map(|bot| format!(": {} in {}", bot.name, bot.team))
        }
        SecretKind::AppToken => {
            client.and_then(|client| checks::socket_mode(&client)).map(|()| ": opens Socket Mode".to_owned())
        }
    };
    if checked.is_err() {
        choices.secrets.pop();
    }
    checked
}

/// Towards Slack, as it will be configured.
pub(super) fn client(context: &SetupContext<'_>, choices: &Choices) -> Result<Client, String> {
    Client::new(&choices.integration(present(context)), context.env).map_err(|e| e.to_string())
}

fn channel(context: &SetupContext<'_>, choices: &mut Choices, prompt: &mut Prompt<'_>) -> Result<(), End> {
    let present = present(context).and_then(|one| one.channel.clone());
    let mut given = context.args.channel.clone();
    loop {
        let wanted = match given.take() {
            Some(wanted) => wanted,
            None if prompt.non_interactive && present.is_none() => {
                return Err(End::Failed(Exit::Usage, "an app needs a channel: --channel '#ops'".to_owned()));
            }
            None => {
                let default = present.as_ref().map(ToString::to_string);
                let text = prompt.line("Default channel", default.as_deref().or(Some("#ops")))?;
                match args::channel(&text) {
                    Ok(wanted) => wanted,
                    Err(problem) => {
                        prompt.out.line(&format!("✗ {problem}"));
                        continue;
                    }
                }
            }
        };
        let looked = client(context, choices).and_then(|client| checks::channel(&client, &wanted));
        match looked {
            Ok(found) => {
                prompt.out.line(&describe_channel(&wanted, &found));
                choices.channel = Some(wanted);
                return Ok(());
            }
            Err(problem) if prompt.non_interactive => return Err(End::Failed(Exit::Unavailable, problem)),
            Err(problem) => prompt.out.line(&format!("✗ {problem}")),
        }
    }
}

fn describe_channel(wanted: &Destination, found: &Channel) -> String {
    match found {
        Channel::Fine { id } => format!("✓ {wanted} ({id})"),
        Channel::NotIn { id } => format!(
            "✓ {wanted} ({id}); the app isn't in it and posts by chat:write.public. To let it in: `/invite` it in Slack"
        ),
        Channel::Unseen => {
            format!("! {wanted}: the app may not look it up; the test message will show whether it can post")
        }
    }
}

fn label(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::WebhookUrl => "webhook",
        SecretKind::BotToken => "bot token",
        SecretKind::AppToken => "app-level token",
        SecretKind::SigningSecret => "signing secret",
    }
}

fn question(kind: SecretKind) -> String {
    let what = match kind {
        SecretKind::WebhookUrl => "Webhook's address",
        SecretKind::BotToken => "Bot token (xoxb-...)",
        SecretKind::AppToken => "App-level token (xapp-...), for buttons",
        SecretKind::SigningSecret => "Signing secret, for buttons by a public address",
    };
    format!("{what}, not echoed")
}
