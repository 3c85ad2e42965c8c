//! One integration: the way to Slack, the clock, the token and its scopes, the webhook, Socket Mode, the signature.

use super::{CALL_MAX, Step, Steps, Trouble, channels};
use crate::config::{Config, Flavor, Integration};
use crate::health::check::listener::SWITCH_ON;
use crate::health::check::{Listener, gather, span};
use crate::model::outcome::Outcome;
use crate::rules::manifest::feature::{Need, needs_of, of_bot};
use crate::rules::remedy::{Context, remedy};
use crate::slack::api::Client;
use crate::slack::api::probe::{ConnectFailure, ProbeResponse, proxy_in_use};
use crate::state_dir::listener_status::{SOCKET_MODE_OFF, Socket};
use crate::system::clock;
use crate::system::environment::Environment;
use std::time::Instant;

/// Requests that are 300 s off are refused, by Slack and by ackbell
/// (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).
const SKEW_WARNING: i64 = 60;
const SKEW_BAD: i64 = 240;

/// Every hop of one integration; a broken one ends it, as those behind it can't be seen.
pub(super) fn integration(config: &Config, own: &Integration, env: &Environment, send: bool, steps: &Steps) {
    let hop = |what: &str| format!("[{}] {what}", own.name);
    let client = match Client::new(own, env) {
        Ok(client) => client,
        Err(e) => {
            let remedy = "correct ca_file or proxy, then ackbell config check";
            return steps.push(Step::bad(Trouble::Configuration, &hop("way"), e.to_string(), remedy));
        }
    };
    if let Some(url) = own.webhook_url().filter(|_| own.flavor == Flavor::Slack) {
        steps.push(webhook_shape(&hop("webhook"), url.expose()));
    }
    let root = match (own.bot_token(), own.webhook_url()) {
        (None, Some(url)) => root_of(url.expose()),
        _ => root_of(&own.api_url),
    };
    let started = Instant::now();
    let asked = match own.bot_token() {
        Some(_) => client.probe_token(CALL_MAX),
        None => client.probe_page(&root, CALL_MAX),
    };
    let proxy = proxy_in_use(own, env);
    let response = match asked {
        Ok(response) => response,
        Err(failure) => {
            return steps.push(blocked(&hop("way"), &root, &failure, own, proxy.as_deref()));
        }
    };
    let through = proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
    let ms = started.elapsed().as_millis();
    steps.push(Step::good(&hop("way"), format!("{root} answers in {ms} ms{through}")));
    steps.extend(clock_step(&hop("clock"), &response, clock::wall_ms() / 1000));
    if let Some(missing) = own.missing_token() {
        return steps.push(Step::bad(Trouble::Refused, &hop("token"), missing.what, missing.remedy));
    }
    if own.bot_token().is_some() {
        match token(&hop("token"), &response) {
            Ok((step, bot)) => {
                steps.push(step);
                steps.extend(scopes(&hop("scopes"), config, own, &response));
                channels::all(config, own, &client, &response, &bot, steps);
            }
            Err(step) => steps.push(*step),
        }
    }
    steps.extend(callbacks(config, own, &client));
    if send {
        channels::send(config, own, &client, steps);
    }
}

/// `https://host/`, without anything secret that follows.
fn root_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    format!("{scheme}://{}/", authority.rsplit('@').next().unwrap_or_default())
}

/// Each thing that stands in the way has its own sentence.
fn blocked(hop: &str, root: &str, failure: &ConnectFailure, own: &Integration, proxy: Option<&str>) -> Step {
    let host = root.split("://").nth(1).unwrap_or(root).trim_end_matches('/');
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let (found, remedy) = match failure {
        ConnectFailure::Name => (
            format!("the name {name} can't be resolved"),
            format!("getent hosts {name}; repair /etc/resolv.conf, or set proxy in the configuration"),
        ),
        ConnectFailure::Proxy(why) => {
            let proxy = proxy.unwrap_or("?");
            (
                format!("the proxy {proxy} doesn't let us through to {host}: {why}"),
                format!(
                    "curl -v -x http://{proxy} {root}; then correct proxy (user, password), or set proxy = \"none\""
                ),
            )
        }
        ConnectFailure::UnknownCa => {
            let file = own.ca_file.as_ref().map_or("the system's bundle".to_owned(), |path| path.display().to_string());
            (
                format!("the certificate of {host} is signed by a CA that {file} doesn't know"),
                format!("openssl s_client -connect {host}; add that CA to a file and set ca_file = \"FILE\""),
            )
        }
        ConnectFailure::Tls(why) => (format!("no TLS with {host}: {why}"), format!("openssl s_client -connect {host}")),
        ConnectFailure::Timeout(which) => (
            format!("{host} gives no answer within {} s ({which})", CALL_MAX.as_secs()),
            format!("curl -v {root}; a firewall may drop it: set proxy in the configuration"),
        ),
        ConnectFailure::Refused => {
            (format!("{host} refuses the connection"), format!("curl -v {root}; correct api_url, or the firewall"))
        }
        ConnectFailure::Other(why) => (format!("{host} can't be reached: {why}"), format!("curl -v {root}")),
    };
    Step::bad(Trouble::Unreachable, hop, found, remedy)
}

fn clock_step(hop: &str, response: &ProbeResponse, now: i64) -> Option<Step> {
    let ahead = now - response.date?;
    let remedy = "timedatectl set-ntp true; then timedatectl status";
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let found = format!("this machine's clock is {} s {side} Slack's", ahead.abs());
    Some(match ahead.abs() {
        SKEW_BAD.. => {
            let found = format!("{found}: clicks are refused as too old or from the future");
            Step::bad(Trouble::Configuration, hop, found, remedy)
        }
        SKEW_WARNING.. => Step::warning(hop, found, remedy),
        _ => Step::good(hop, "agrees with Slack's"),
    })
}

/// Who the token is; the bot's name is for invitations.
fn token(hop: &str, response: &ProbeResponse) -> Result<(Step, String), Box<Step>> {
    match response.answer() {
        Ok(answer) => {
            let text = |key: &str| crate::model::notification::clean_line(answer[key].as_str().unwrap_or("?"));
            let (bot, team) = (text("user"), text("team"));
            let found = format!("@{bot} in {team} ({})", text("team_id"));
            Ok((Step::good(hop, found), bot))
        }
        Err(Outcome::TokenNever { reason }) => {
            let remedy = remedy(reason.error.as_ref(), Context::DoctorToken).unwrap_or_default();
            Err(Box::new(Step::bad(Trouble::Refused, hop, format!("Slack refuses the bot token: {reason}"), remedy)))
        }
        Err(other) => {
            let found = format!("Slack doesn't say whether the token is valid: {}", other.reason());
            Err(Box::new(Step::bad(
                Trouble::Unreachable,
                hop,
                found,
                "try again in a minute; https://slack-status.com",
            )))
        }
    }
}

fn scopes(hop: &str, config: &Config, own: &Integration, response: &ProbeResponse) -> Vec<Step> {
    let Some(has) = &response.scopes else {
        return vec![Step::warning(
            hop,
            "Slack didn't say which scopes the token has",
            "try again later; a proxy may cut headers off",
        )];
    };
    let is_heard = config.listen.socket_mode && own.app_token.is_some() || !own.signing_secrets.is_empty();
    let mut missing = needs_of(&of_bot(config, own, is_heard));
    missing.retain(|need| !has.iter().any(|own| own == need.scope));
    if missing.is_empty() {
        return vec![Step::good(hop, "all that this configuration needs")];
    }
    let step = |Need { scope, why, is_optional }: &Need| {
        let found = format!("{scope} is missing: {why}");
        let remedy = format!("api.slack.com/apps, OAuth & Permissions: add {scope}, then reinstall the app");
        match is_optional {
            true => Step::warning(hop, found, remedy),
            false => Step::bad(Trouble::Refused, hop, found, remedy),
        }
    };
    missing.iter().map(step).collect()
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
fn webhook_shape(hop: &str, url: &str) -> Step {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let remedy = "copy it again: api.slack.com/apps, Incoming Webhooks; it ends in /services/T.../B.../...";
    match parts.as_slice() {
        ["services", team, bot, _] if team.starts_with('T') && bot.starts_with('B') => {
            Step::good(hop, "has the shape of Slack's; `ackbell doctor --send` shows whether it works")
        }
        _ => Step::warning(hop, "webhook_url doesn't look like one of Slack's", remedy),
    }
}

/// The ways in for clicks.
fn callbacks(config: &Config, own: &Integration, client: &Client) -> Vec<Step> {
    let hop = |what: &str| format!("[{}] {what}", own.name);
    let mut steps = Vec::new();
    if own.app_token.is_some() && config.listen.socket_mode {
        steps.push(match client.open_connection() {
            Ok(_) => listening_step(&hop("socket mode"), config, own),
            Err(Outcome::TokenNever { reason }) => Step::bad(
                Trouble::Refused,
                &hop("socket mode"),
                format!("Slack refuses the app token: {reason}"),
                remedy(reason.error.as_ref(), Context::DoctorSocket).unwrap_or_default(),
            ),
            Err(other) => Step::bad(
                Trouble::Unreachable,
                &hop("socket mode"),
                format!("no connection can be opened: {}", other.reason()),
                "api.slack.com/apps, Socket Mode: switch it on",
            ),
        });
    }
    if let Some(address) = config.listen.address(&config.integrations) {
        let is_signed = !own.signing_secrets.is_empty();
        if is_signed {
            steps.push(Step::good(&hop("signature"), format!("clicks over HTTP at {address} are verified")));
        } else if own.app_token.is_none() && own.flavor == Flavor::Slack {
            let remedy = "api.slack.com/apps, Basic Information: put the Signing Secret into signing_secret";
            let found = format!("no signing secret: what Slack sends to {address} for this app is refused");
            steps.push(Step::warning(&hop("signature"), found, remedy));
        }
    }
    steps
}

/// Slack opens connections for the app token: also for an app whose Socket Mode is switched off, and a firewall may still
/// stop the WebSocket. Only a running listener knows whether one serves, so its status counts where it is worse.
fn listening_step(hop: &str, config: &Config, own: &Integration) -> Step {
    let now = clock::wall_ms() / 1000;
    let opens = "Slack opens connections for the app token";
    let Ok(Listener::Runs(status)) = gather::listener(&config.state_dir, &config.runtime_dir, now) else {
        return Step::good(hop, opens);
    };
    match status.sockets.get(&own.name) {
        Some(Socket { connected: false, since, error: Some(reason), .. }) => {
            let found = format!("{opens}, but the listener has had none for {}: {reason}", span(now - since));
            let remedy = match &**reason {
                SOCKET_MODE_OFF => SWITCH_ON,
                _ => "systemctl reload ackbell tries again at once; its log: journalctl -u ackbell",
            };
            Step::bad(Trouble::Refused, hop, found, remedy)
        }
        _ => Step::good(hop, opens),
    }
}

/// Whether the public address leads to this listener, as seen from this machine; from outside it may differ.
pub(super) fn public_url(config: &Config, env: &Environment) -> Vec<Step> {
    const HOP: &str = "public_url";
    let (Some(url), Some(own)) = (&config.listen.public_url, config.integrations.first()) else {
        return Vec::new();
    };
    let Ok(client) = Client::new(own, env) else { return Vec::new() };
    // The path that the proxy must hand on, asked as Slack probes it; `/healthz` is this machine's.
    let page = format!("{url}/slack/request?ssl_check=1");
    let remedy = format!("curl -v {page}; the reverse proxy must lead to the listener's address");
    vec![match client.probe_page(&page, CALL_MAX) {
        Ok(response) if response.status == 200 => Step::good(HOP, format!("{page} answers from here")),
        Ok(response) => Step::warning(HOP, format!("{page} answers {} from here", response.status), remedy),
        Err(failure) => {
            let step = blocked(HOP, &root_of(url), &failure, own, proxy_in_use(own, env).as_deref());
            Step::warning(HOP, format!("from here: {}", step.found), remedy)
        }
    }]
}
