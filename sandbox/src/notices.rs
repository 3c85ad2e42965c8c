//! Slash commands, events and Slack's own checks of an address.

use serde_json::{Value, json};

use super::app::{APP_ID, Kind, Parcel};
use super::click::{Order, TOKEN, response_url};
use super::response_url::ResponseUrl;
use super::state::State;
use super::user_actions::Refused;
use super::workspace::{BOT_USER, Channel, TEAM};

/// What a Slack app must echo to prove that the address is its own.
const CHALLENGE: &str = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";

/// `{"command", "text", "user"?, "channel"?}`.
/// <https://docs.slack.dev/interactivity/implementing-slash-commands>
pub(super) fn slash(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    let command = order.required("command")?;
    if !command.starts_with('/') {
        return Err("a command begins with a slash".into());
    }
    let user = order.user_or(None);
    let frame = order.frame(state, "slash", &user)?;
    let id = state.workspace.find(order.text("channel").unwrap_or("C0OPS00001")).ok_or("there is no such channel")?;
    let channel = state.workspace.channel(&id).cloned().unwrap_or_default();
    // Slack escapes these three whatever else is set.
    let text = order.text("text").unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let payload = json!({
        "token": TOKEN, "team_id": frame["team"]["id"], "team_domain": "sandbox", "channel_id": id,
        "channel_name": shown_name(&channel), "user_id": user, "user_name": frame["user"]["name"],
        "command": command, "text": text, "api_app_id": APP_ID, "is_enterprise_install": "false",
        "response_url": response_url(state, order, "commands", &id, None, &user),
        "trigger_id": state.views.hand_out(&user, order.now_ms),
    });
    Ok(Parcel { kind: Kind::Slash, payload, headers: Vec::new() })
}

/// Names of what isn't public aren't told.
fn shown_name(channel: &Channel) -> &str {
    match channel {
        Channel { private: true, .. } => "privategroup",
        channel if channel.is_direct() => "directmessage",
        channel => &channel.name,
    }
}

/// Whom the answer of a slash command goes to.
pub(super) fn slash_target(payload: &Value) -> ResponseUrl {
    let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
    ResponseUrl { born_ms: 0, uses: 0, channel: text("channel_id"), ts: None, user: text("user_id") }
}

/// `{"event": {…}, "event_id"?, "retry"?: N, "reason"?}`. <https://docs.slack.dev/apis/events-api/>
pub(super) fn event(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    let mut event = order.given["event"].clone();
    if event["type"].as_str().is_none_or(str::is_empty) {
        return Err("event.type is missing".into());
    }
    if event["event_ts"].is_null() {
        event["event_ts"] = state.journal.next_ts(order.now_ms).into();
    }
    let id = order.text("event_id").map_or_else(|| format!("Ev0{:08}", state.app.next()), str::to_owned);
    let team = order.text("team").unwrap_or(TEAM);
    let payload = json!({
        "token": TOKEN, "team_id": team, "api_app_id": APP_ID, "event": event, "type": "event_callback",
        "event_id": id, "event_time": order.now_ms / 1000, "event_context": format!("4-{id}"),
        "authorizations": [{"enterprise_id": null, "team_id": team, "user_id": BOT_USER, "is_bot": true,
            "is_enterprise_install": false}],
        "is_ext_shared_channel": false, "context_team_id": team, "context_enterprise_id": null,
    });
    let mut headers = Vec::new();
    if let Some(number) = order.given["retry"].as_u64() {
        headers.push(("X-Slack-Retry-Num", number.to_string()));
        headers.push(("X-Slack-Retry-Reason", order.text("reason").unwrap_or("http_timeout").to_owned()));
    }
    Ok(Parcel { kind: Kind::Event, payload, headers })
}

/// `{"kind": "url_verification" | "ssl_check"}`.
/// <https://docs.slack.dev/apis/events-api/using-http-request-urls>
pub(super) fn check(state: &mut State, order: Order) -> Result<Parcel, Refused> {
    if state.app.has_socket_mode() {
        return Err("in Socket Mode there is no address to check".into());
    }
    let (kind, payload) = match order.required("kind")? {
        "url_verification" => {
            (Kind::Event, json!({"token": TOKEN, "challenge": CHALLENGE, "type": "url_verification"}))
        }
        "ssl_check" => (Kind::SslCheck, json!({"ssl_check": "1", "token": TOKEN})),
        other => return Err(format!("unknown kind {other:?}").into()),
    };
    Ok(Parcel { kind, payload, headers: Vec::new() })
}

/// The challenge as text, as a form's field or in JSON.
pub(super) fn check_challenge(body: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(body);
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let echoed = text.trim() == CHALLENGE || text == format!("challenge={CHALLENGE}") || json["challenge"] == CHALLENGE;
    if echoed { Ok(()) } else { Err("challenge_mismatch".to_owned()) }
}
