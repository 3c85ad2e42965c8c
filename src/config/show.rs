//! The configuration in force, for people and scripts, without its secrets.

use super::{
    Access, AccessRule, ApiLogin, Config, Core, Http, Integration, Listen, LivestatusAddress, Proxy, Route, matcher,
};
use crate::model::pattern::Pattern;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// As JSON.
pub(crate) fn show_json(config: &Config) -> Value {
    json!({
        "file": config.path,
        "state_dir": config.state_dir,
        "runtime_dir": config.runtime_dir,
        "integrations": config.integrations.iter().map(integration).collect::<Vec<_>>(),
        "routes": config.routes.iter().map(route).collect::<Vec<_>>(),
        "escalate": config.escalation.iter().map(super::escalate::show).collect::<Vec<_>>(),
        "oncall": config.on_call.iter().map(super::oncall::show).collect::<Vec<_>>(),
        "message": {
            "title": config.message.title,
            "body": config.message.body,
            "formatter": config.message.formatter,
            "fields": config.message.fields.iter().map(super::Field::name).collect::<Vec<_>>(),
            "redact": config.message.redact,
            "thread": config.message.thread.name(),
        },
        "formatters": config.message.formatters.iter().map(|(name, formatter)| {
            (name.clone(), json!({ "title": formatter.title, "body": formatter.body }))
        }).collect::<Map<_, _>>(),
        "storm": { "threshold": config.storm.threshold, "window": seconds(config.storm.window) },
        "outbox": { "time_budget": seconds(config.outbox.time_budget), "max_age": seconds(config.outbox.max_age) },
        "database": config.database.as_ref().map(|database| json!({
            "database": database.label, "encrypted": database.encrypts, "sslrootcert": database.root_cert,
            "password": database.postgres.get_password().map(|_| "[redacted]"),
            "key": database.seal_keys.as_ref().map(|_| "[redacted]"),
        })),
        "cores": config.cores.iter().map(core).collect::<Vec<_>>(),
        "acknowledge": {
            "sticky": config.acknowledge.sticky,
            "notify": config.acknowledge.notify,
            "persistent": config.acknowledge.persistent,
            "comment": config.acknowledge.comment.name(),
            "still": config.acknowledge.still.map(seconds),
            "still_wait": seconds(config.acknowledge.still_wait),
            "expire": config.acknowledge.expire.iter().map(|d| seconds(*d)).collect::<Vec<_>>(),
        },
        "access": access(&config.access),
        "audit": { "keep": config.audit.keep.map(seconds) },
        "history": { "keep": seconds(config.history.keep) },
        "report": config.weekly.as_ref().map(|weekly| json!({
            "channel": weekly.channel.to_string(), "integration": weekly.integration, "at": weekly.at.to_string(),
        })),
        "relay": config.relay.as_ref().map(|relay| json!({
            "to": relay.to, "token": "[redacted]", "ca_file": relay.ca_file,
            "client_cert": relay.client.as_ref().map(|(cert, _)| cert), "client_key": relay.client.as_ref().map(|(_, key)| key),
        })),
        "curve": config.curve.as_ref().map(super::curve::show),
        "listen": listen(&config.listen, &config.integrations),
        "reactions": { "acknowledge": config.reactions.acknowledge, "recheck": config.reactions.recheck },
        "deadman": config.deadman.as_ref().map(|wanted| json!({
            "integration": wanted.integration,
            "channel": wanted.channel.to_string(),
            "after": seconds(wanted.after),
            "name": wanted.name,
        })),
    })
}

/// As text: one `key = value` a line under its table, what isn't set left out.
pub(crate) fn show(config: &Config) -> String {
    let mut text = String::new();
    let all = show_json(config);
    let file = config.path.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
    text.push_str(&format!("# the configuration in force; file: {file}\n"));
    let empty = Map::new();
    let top = all.as_object().unwrap_or(&empty);
    for key in ["state_dir", "runtime_dir"] {
        text.push_str(&format!("{key} = {}\n", top[key]));
    }
    for (key, value) in top {
        let tables: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            table @ Value::Object(_) => vec![table],
            _ => continue,
        };
        for table in tables {
            text.push_str(&format!("\n[{key}]\n"));
            for (name, value) in table.as_object().unwrap_or(&empty).iter().filter(|(_, value)| is_set(value)) {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
    }
    text
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => map.values().any(is_set),
        _ => true,
    }
}

fn integration(integration: &Integration) -> Value {
    let secret = |is_set: bool| if is_set { json!("[redacted]") } else { Value::Null };
    json!({
        "name": integration.name,
        "description": integration.description,
        "labels": integration.labels,
        "enabled": integration.enabled,
        "bot_token": secret(integration.bot_token().is_some()),
        "webhook_url": secret(integration.webhook_url().is_some()),
        "app_token": secret(integration.app_token.is_some()),
        "signing_secret": secret(!integration.signing_secrets.is_empty()),
        "client_id": integration.client_id,
        "command": integration.command,
        "team_id": integration.team_id,
        "fallback": integration.fallback,
        "installed": integration.installation().map(|install| json!({
            "team_id": install.team_id, "team": install.team_name, "scopes": install.scopes,
            "at": install.installed_at, "expires_at": install.expires_at, "revoked": install.revoked,
        })),
        "client_secret": secret(integration.client_secret.is_some()),
        "channel": integration.channel.as_ref().map(ToString::to_string),
        "proxy": match &integration.proxy {
            Proxy::FromEnvironment => "from the environment".to_owned(),
            Proxy::None => "none".to_owned(),
            Proxy::Url(url) => crate::system::secret::redact(url.expose()),
        },
        "ca_file": integration.ca_file,
        "api_url": integration.api_url,
        "flavor": integration.flavor.name(),
        "interactive": integration.interactive,
        "acts": integration.acts,
        "connect_timeout": seconds(integration.connect_timeout),
        "timeout": seconds(integration.timeout),
    })
}

fn route(route: &Route) -> Value {
    json!({
        "line": route.line,
        "match": matcher::show(&route.matches),
        "to": route.to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "mention": route.mention.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "integration": route.integration,
        "label": route.label,
        "continue": route.continue_,
        "hold": route.deferred.is_some(),
    })
}

/// How the certificates of Livestatus are checked: the same for all addresses.
fn livestatus_tls(core: &Core) -> Option<(Option<&PathBuf>, Option<&String>)> {
    core.livestatus.as_ref()?.0.iter().find_map(|address| match address {
        LivestatusAddress::Tls { ca_file, name, .. } => Some((ca_file.as_ref(), name.as_ref())),
        LivestatusAddress::Unix(_) | LivestatusAddress::Tcp(_) => None,
    })
}

fn core(core: &Core) -> Value {
    let (user, password, key) = match core.api.as_ref().map(|api| &api.login) {
        Some(ApiLogin::Basic { user, .. }) => (json!(user), json!("[redacted]"), Value::Null),
        Some(ApiLogin::Key(_)) => (Value::Null, Value::Null, json!("[redacted]")),
        None => (Value::Null, Value::Null, Value::Null),
    };
    json!({
        "name": core.name,
        "kind": core.kind.name(),
        "url": core.url,
        "objects_file": core.objects_file,
        "main_config": core.main_config,
        "command_file": core.command_file,
        "status_file": core.status_file,
        "query_socket": core.query_socket,
        "log_file": core.log_file,
        "livestatus": core.livestatus.as_ref().map(|livestatus| one_or_list(&livestatus.0)),
        "livestatus_ca_file": livestatus_tls(core).and_then(|(ca_file, _)| ca_file),
        "livestatus_tls_name": livestatus_tls(core).and_then(|(_, name)| name),
        "relay_token": core.is_remote().then_some("[redacted]"),
        "api_url": core.api.as_ref().map(|api| one_or_list(&api.urls)),
        "api_user": user,
        "api_password": password,
        "api_key": key,
        "api_ca_file": core.api.as_ref().and_then(|api| api.ca_file.clone()),
        "redundant": core.redundant,
    })
}

/// As they can be written in the file.
fn one_or_list(addresses: &[impl ToString]) -> Value {
    let mut shown: Vec<String> =
        addresses.iter().map(|address| crate::system::secret::redact(&address.to_string())).collect();
    if shown.len() == 1 { json!(shown.pop()) } else { json!(shown) }
}

fn access(access: &Access) -> Value {
    let patterns = |patterns: &[Pattern]| patterns.iter().map(|p| p.0.clone()).collect::<Vec<_>>();
    let rule = |rule: &AccessRule| {
        json!({
            "line": rule.line,
            if rule.allows { "allow" } else { "deny" }: rule.who.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "integration": rule.integrations, "channel": rule.channels, "action": rule.actions, "core": patterns(&rule.cores),
            "host": patterns(&rule.hosts), "service": patterns(&rule.services),
        })
    };
    json!({
        "guests": access.guests,
        "require_contact": access.require_contact,
        "ask": access.ask,
        "people": access.people.iter().map(|(who, contact)| (who.to_string(), json!(contact))).collect::<Map<_, _>>(),
        "rule": access.rules.iter().map(rule).collect::<Vec<_>>(),
    })
}

fn listen(listen: &Listen, integrations: &[Integration]) -> Value {
    let address = listen.address(integrations).map(|address| address.to_string());
    json!({
        "http": address.or_else(|| (listen.http == Http::Off).then(|| "none".to_owned())),
        "public_url": listen.public_url,
        "tls_cert": listen.tls.as_ref().map(|tls| &tls.cert),
        "tls_key": listen.tls.as_ref().map(|tls| &tls.key),
        "client_ca": listen.tls.as_ref().and_then(|tls| tls.client_ca.as_ref()),
        "node": listen.node,
        "socket_mode": listen.socket_mode,
        "intake_token": listen.intake_token.as_ref().map(|_| "[redacted]"),
        "intake_without_token": listen.intake_without_token,
        "intake_users": listen.intake_users,
        "metrics": if listen.metrics_for_all { "all" } else { "local" },
    })
}

pub(super) fn seconds(duration: std::time::Duration) -> Value {
    if duration.subsec_millis() == 0 {
        json!(format!("{}s", duration.as_secs()))
    } else {
        json!(format!("{}ms", duration.as_millis()))
    }
}
