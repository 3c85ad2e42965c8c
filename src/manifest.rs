//! The Slack app manifest for a configuration: what the app may do, and where Slack sends what people do
//! (<https://docs.slack.dev/reference/app-manifest>).
//!
//! Pure. [`scopes_of`] is the one table of what each feature needs; an app asks for nothing else.

use crate::config::{Config, Destination, Flavor, Integration, Mention, Who};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Below it stand Slack's requests; an integration of its own name has its own path below that.
const REQUEST_PATH: &str = "/slack/request";
/// Where Slack sends a browser back to after an installation.
pub(crate) const REDIRECT_PATH: &str = "/slack_oauth";
/// What people write to ask ackbell something.
const COMMAND: &str = "/ackbell";

/// Something ackbell does in Slack that needs a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// Posts to the one channel that is chosen at the installation.
    Webhook,
    /// Posts to any public channel, and to those it was invited to; edits its messages.
    Messages,
    /// Knows who clicked, and whom an e-mail address belongs to.
    People,
    /// Calls a user group by its handle, or lets its members act.
    Groups,
    /// Listens to the slash command.
    Command,
    /// Looks whether it is in a channel that subscribes.
    Channels,
}

/// The bot scopes that a feature needs, each with the methods it is for.
pub(crate) fn scopes_of(feature: Feature) -> &'static [&'static str] {
    match feature {
        Feature::Webhook => &["incoming-webhook"],
        // chat.postMessage, chat.update, chat.postEphemeral
        Feature::Messages => &["chat:write", "chat:write.public"],
        // users.info, users.lookupByEmail
        Feature::People => &["users:read", "users:read.email"],
        // usergroups.list
        Feature::Groups => &["usergroups:read"],
        Feature::Command => &["commands"],
        // conversations.info
        Feature::Channels => &["channels:read", "groups:read"],
    }
}

/// How what people do reaches ackbell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// It doesn't.
    Nowhere,
    /// A connection that ackbell opens (<https://docs.slack.dev/apis/events-api/using-socket-mode>).
    Socket,
    /// An https address, without a slash at its end.
    Public(String),
}

/// What the app is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// At most 35 characters.
    pub(crate) name: String,
    /// The integration's, as it stands in request URLs; `None` for the default one.
    pub(crate) integration: Option<String>,
    pub(crate) features: BTreeSet<Feature>,
    pub(crate) way: Way,
    /// A browser can install it: where the world reaches the listener.
    pub(crate) install_at: Option<String>,
    /// Tokens that live for 12 hours (<https://docs.slack.dev/authentication/using-token-rotation>).
    pub(crate) rotates: bool,
}

impl Wanted {
    /// Everything, without a public address: for whoever has no configuration yet.
    pub(crate) fn everything() -> Self {
        let features = [Feature::Messages, Feature::People, Feature::Groups, Feature::Command, Feature::Channels];
        Self {
            name: "ackbell".to_owned(),
            integration: None,
            features: features.into(),
            way: Way::Socket,
            install_at: None,
            rotates: false,
        }
    }

    /// A webhook and nothing else.
    pub(crate) fn webhook() -> Self {
        Self { features: [Feature::Webhook].into(), way: Way::Nowhere, ..Self::everything() }
    }

    /// What this integration needs as it is configured.
    pub(crate) fn of(config: &Config, integration: &Integration) -> Self {
        let way = way(config, integration);
        let is_first = config.integrations.first().is_some_and(|first| first.name == integration.name);
        Self {
            integration: (!is_first).then(|| integration.name.clone()),
            features: features(config, integration),
            install_at: config.listen.public_url.clone(),
            way,
            ..Self::everything()
        }
    }

    /// The bot scopes, each once, sorted.
    pub(crate) fn scopes(&self) -> Vec<&'static str> {
        let all: BTreeSet<&str> = self.features.iter().flat_map(|feature| scopes_of(*feature)).copied().collect();
        all.into_iter().collect()
    }
}

fn way(config: &Config, integration: &Integration) -> Way {
    let hears_socket = integration.app_token.is_some() && config.listen.socket_mode;
    match &config.listen.public_url {
        _ if hears_socket => Way::Socket,
        Some(url) => Way::Public(url.clone()),
        None if integration.webhook_url.is_none() && integration.interactive != Some(false) => Way::Socket,
        None if integration.is_bot() && integration.interactive != Some(false) => Way::Socket,
        None => Way::Nowhere,
    }
}

/// What this integration does, as it is configured.
pub(crate) fn features(config: &Config, integration: &Integration) -> BTreeSet<Feature> {
    if !integration.is_bot() && integration.webhook_url.is_none() {
        // Nothing is there yet, as there was no app.
        return Wanted::everything().features;
    }
    if !integration.is_bot() || integration.flavor != Flavor::Slack {
        return [Feature::Webhook].into();
    }
    let mut features = BTreeSet::from([Feature::Messages]);
    if way(config, integration) != Way::Nowhere && integration.interactive != Some(false) {
        features.extend([Feature::People, Feature::Command, Feature::Channels]);
        let by_group = |who: &Who| matches!(who, Who::Group(_));
        if config.access.rules.iter().any(|rule| rule.who.iter().any(by_group)) {
            features.insert(Feature::Groups);
        }
    }
    let routes = || config.routes_to(integration);
    let by_email = |to: &Destination| matches!(to, Destination::Email(_) | Destination::Contact);
    let looks_up = routes().flat_map(|route| &route.to).chain(&integration.channel).any(by_email);
    let mentions = || routes().flat_map(|route| &route.mention);
    if looks_up || mentions().any(|mention| matches!(mention, Mention::Email(_))) {
        features.insert(Feature::People);
    }
    if mentions().any(|mention| matches!(mention, Mention::Handle(_))) {
        features.insert(Feature::Groups);
    }
    features
}

/// The manifest, as Slack takes it.
pub(crate) fn manifest(wanted: &Wanted) -> Value {
    let has = |feature| wanted.features.contains(&feature);
    let is_bot = has(Feature::Messages);
    let url = match &wanted.way {
        Way::Public(url) => {
            let own = wanted.integration.as_ref().map_or_else(String::new, |name| format!("/{name}"));
            Some(format!("{url}{REQUEST_PATH}{own}"))
        }
        Way::Socket | Way::Nowhere => None,
    };
    let is_heard = wanted.way != Way::Nowhere;
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
            "socket_mode_enabled": wanted.way == Way::Socket,
            "token_rotation_enabled": wanted.rotates,
        },
    });
    if is_bot {
        made["features"]["app_home"] = json!({
            "home_tab_enabled": is_heard, "messages_tab_enabled": true, "messages_tab_read_only_enabled": true,
        });
    }
    if has(Feature::Command) {
        let command = json!({
            "command": COMMAND, "description": "Ask the monitoring core, or act on it",
            "usage_hint": "problems | status HOST | ack HOST comment | help", "should_escape": false,
        });
        made["features"]["slash_commands"] = json!([with_url(command, "url")]);
    }
    if let Some(public) = &wanted.install_at {
        made["oauth_config"]["redirect_urls"] = json!([format!("{public}{REDIRECT_PATH}")]);
    }
    if is_heard {
        made["settings"]["interactivity"] = with_url(json!({ "is_enabled": true }), "request_url");
        let events = json!({ "bot_events": ["app_home_opened", "app_uninstalled", "tokens_revoked"] });
        made["settings"]["event_subscriptions"] = with_url(events, "request_url");
    }
    made
}

const LONG: &str = "ackbell carries the notifications of a Nagios-style monitoring core into Slack. One problem is \
one message that changes as the problem does. A click acknowledges it, sets a downtime or asks for another check, and \
the message says so once the core itself does.";

/// The address that creates the app: at Slack's own site, or `GovSlack`'s (<https://docs.slack.dev/govslack>).
pub(crate) fn link(manifest: &Value, api_url: &str) -> String {
    let site = if api_url.starts_with("https://slack-gov.com/") { "api.slack-gov.com" } else { "api.slack.com" };
    format!("https://{site}/apps?new_app=1&manifest_json={}", crate::render::links::encode(&manifest.to_string()))
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
