//! The Slack app manifest for a configuration: what the app may do, and where Slack sends what people do
//! (<https://docs.slack.dev/reference/app-manifest>).
//!
//! Pure. [`feature`] has the one table of what each feature needs; an app asks for nothing else.

pub(crate) mod feature;

use crate::config::{COMMAND, Config, Integration};
use crate::system::order;
use feature::Feature;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Below it stand Slack's requests; an integration of its own name has its own path below that.
const REQUEST_PATH: &str = "/slack/request";
/// Where Slack sends a browser back to after an installation.
pub(crate) const REDIRECT_PATH: &str = "/slack_oauth";

/// How what people do reaches ackbell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It doesn't.
    Nowhere,
    /// A connection that ackbell opens (<https://docs.slack.dev/apis/events-api/using-socket-mode>).
    Socket,
    /// An https address, without a slash at its end.
    Public(String),
}

/// What the app is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppFeatures {
    /// At most 35 characters.
    pub(crate) name: String,
    /// The integration's, as it stands in request URLs; `None` for the default one.
    pub(crate) integration: Option<String>,
    /// The slash command's name.
    pub(crate) command: String,
    pub(crate) features: BTreeSet<Feature>,
    pub(crate) way: Connection,
    /// A browser can install it: where the world reaches the listener.
    pub(crate) install_at: Option<String>,
    /// Tokens that live for 12 hours (<https://docs.slack.dev/authentication/using-token-rotation>).
    pub(crate) rotates: bool,
}

impl AppFeatures {
    /// Everything, without a public address: for whoever has no configuration yet.
    pub(crate) fn everything() -> Self {
        Self {
            name: "ackbell".to_owned(),
            integration: None,
            command: COMMAND.to_owned(),
            features: Feature::of_a_bot(),
            way: Connection::Socket,
            install_at: None,
            rotates: false,
        }
    }

    /// A webhook and nothing else.
    pub(crate) fn webhook() -> Self {
        Self { features: [Feature::Webhook].into(), way: Connection::Nowhere, ..Self::everything() }
    }

    /// What this integration needs as it is configured.
    pub(crate) fn new(config: &Config, integration: &Integration) -> Self {
        let way = way(config, integration);
        let is_first = config.integrations.first().is_some_and(|first| first.name == integration.name);
        Self {
            integration: (!is_first).then(|| integration.name.clone()),
            features: feature::wanted(config, integration, way != Connection::Nowhere),
            command: integration.command.clone(),
            install_at: config.listen.public_url.clone(),
            way,
            ..Self::everything()
        }
    }

    /// The bot scopes, each once, sorted.
    pub(crate) fn scopes(&self) -> Vec<&'static str> {
        feature::needs_of(&self.features).iter().map(|need| need.scope).collect()
    }
}

fn way(config: &Config, integration: &Integration) -> Connection {
    let hears_socket = integration.app_token.is_some() && config.listen.socket_mode;
    match &config.listen.public_url {
        _ if hears_socket => Connection::Socket,
        Some(url) => Connection::Public(url.clone()),
        None if integration.webhook_url().is_none() && integration.interactive != Some(false) => Connection::Socket,
        None if integration.is_bot() && integration.interactive != Some(false) => Connection::Socket,
        None => Connection::Nowhere,
    }
}

/// The manifest, as Slack takes it.
pub(crate) fn manifest(wanted: &AppFeatures) -> Value {
    let has = |feature| wanted.features.contains(&feature);
    let is_bot = has(Feature::Messages);
    let url = match &wanted.way {
        Connection::Public(url) => {
            let own = wanted.integration.as_ref().map_or_else(String::new, |name| format!("/{name}"));
            Some(format!("{url}{REQUEST_PATH}{own}"))
        }
        Connection::Socket | Connection::Nowhere => None,
    };
    let is_heard = wanted.way != Connection::Nowhere;
    let with_url = |mut value: Value, key: &str| {
        if let Some(url) = &url {
            value[key] = json!(url);
        }
        value
    };
    let mut made = json!({
        "_metadata": { "major_version": 2, "minor_version": 1 },
        "display_information": {
            "name": wanted.name,
            "description": "Monitoring notifications, and acknowledgements back into the core",
            "background_color": "#1f3b57",
            "long_description": LONG,
        },
        "features": { "bot_user": { "display_name": "ackbell", "always_online": is_bot } },
        "oauth_config": { "scopes": { "bot": wanted.scopes() } },
        "settings": {
            "org_deploy_enabled": false,
            "socket_mode_enabled": wanted.way == Connection::Socket,
            "token_rotation_enabled": wanted.rotates,
        },
    });
    if is_bot {
        // Where people may write to it the slash command works, too: a person subscribes there.
        made["features"]["app_home"] = json!({
            "home_tab_enabled": has(Feature::Home), "messages_tab_enabled": true,
            "messages_tab_read_only_enabled": !has(Feature::Command),
        });
    }
    if has(Feature::Command) {
        let command = json!({
            "command": wanted.command, "description": "Ask the monitoring core, or act on it",
            "usage_hint": "problems | status HOST | ack HOST comment | help", "should_escape": false,
        });
        made["features"]["slash_commands"] = json!([with_url(command, "url")]);
        made["features"]["shortcuts"] = json!(SHORTCUTS.map(|(name, kind, callback, description)| json!({
            "name": name, "type": kind, "callback_id": callback, "description": description,
        })));
    }
    if let Some(public) = &wanted.install_at {
        made["oauth_config"]["redirect_urls"] = json!([format!("{public}{REDIRECT_PATH}")]);
    }
    if is_heard {
        made["settings"]["interactivity"] = with_url(json!({ "is_enabled": true }), "request_url");
        let events = order::set(wanted.features.iter().flat_map(|feature| feature.events()));
        let events = json!({ "bot_events": events });
        made["settings"]["event_subscriptions"] = with_url(events, "request_url");
    }
    made
}

/// Name, kind, `callback_id` ([`crate::slack::interaction::ShortcutName`]), description.
pub(crate) const SHORTCUTS: [(&str, &str, &str, &str); 3] = [
    ("Acknowledge…", "message", "acknowledge", "Acknowledges the problem that this message is about"),
    ("Downtime…", "message", "downtime", "Schedules a downtime for what this message is about"),
    ("What is wrong?", "global", "problems", "Shows the open problems that you may see"),
];

const LONG: &str = "ackbell carries the notifications of a Nagios-style monitoring core into Slack. One problem is \
one message that changes as the problem does. A click acknowledges it, sets a downtime or asks for another check, and \
the message says so once the core itself does.";

/// A text that names Slack's pages, with the pages of the Slack that is configured
/// (<https://docs.slack.dev/govslack>).
pub(crate) fn at_its_site(text: &str, api_url: &str) -> String {
    let is_government = api_url.starts_with("https://slack-gov.com/");
    if is_government { text.replace("api.slack.com", "api.slack-gov.com") } else { text.to_owned() }
}

/// The address that creates the app.
pub(crate) fn link(manifest: &Value, api_url: &str) -> String {
    let page = at_its_site("https://api.slack.com/apps?new_app=1&manifest_json=", api_url);
    page + &crate::rules::render::links::encode(&manifest.to_string())
}

/// The same manifest in YAML: block style, every text quoted as in JSON, which YAML takes.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write_yaml(value, 0, &mut text);
    text
}

fn write_yaml(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                text.push_str(&format!("{indent}{key}:"));
                write_below(value, depth + 1, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = String::new();
                write_yaml(item, depth + 1, &mut inner);
                // The dash stands where the first line's indent was.
                text.push_str(&format!("{indent}- {}", inner.trim_start()));
            }
        }
        plain => text.push_str(&format!("{indent}{plain}\n")),
    }
}

fn write_below(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            write_yaml(value, depth, text);
        }
        plain => text.push_str(&format!(" {plain}\n")),
    }
}

#[cfg(test)]
mod tests;
