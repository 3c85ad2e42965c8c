//! The door for tests and the demo: what was received, what shall go wrong.

use serde_json::{Value, json};

use super::faults::Faults;
use super::page;
use super::state::State;
use super::views::Views;
use super::wire::{Answer, Request, form_fields};

/// What `/_sandbox/state` takes.
const KNOWN: [&str; 12] = [
    "channels",
    "users",
    "usergroups",
    "webhooks",
    "tokens",
    "pace",
    "auto_channels",
    "response_urls",
    "app",
    "delete_message",
    "clock_shift_seconds",
    "oauth",
];

/// Answers below `/_sandbox/`; nothing here counts as a request to Slack.
pub(super) fn answer(state: &mut State, request: &Request) -> Answer {
    let number = |wanted: &str| {
        let found = form_fields(&request.query).into_iter().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(0)
    };
    let since = number("since");
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/_sandbox/messages") => {
            Answer::json(200, &state.journal.messages_json(usize::try_from(since).unwrap_or(usize::MAX)))
        }
        ("GET", "/_sandbox/requests") => Answer::json(200, &state.journal.requests_json(since)),
        ("GET", "/_sandbox/violations") => Answer::json(200, &state.journal.violations_json()),
        ("GET", "/_sandbox/scheduled") => Answer::json(200, &state.schedule.json()),
        ("GET", "/_sandbox/files") => Answer::json(200, &state.files.json()),
        ("GET", "/_sandbox/views") => Answer::json(200, &state.views.json()),
        ("GET", "/_sandbox/sockets") => Answer::json(200, &state.sockets.json(state.clock.unix_ms())),
        ("GET", "/_sandbox/stats") => Answer::json(200, &state.journal.stats_json()),
        ("GET", "/_sandbox/page") => Answer::json(200, &page::snapshot(state)),
        ("GET", "/_sandbox/traffic") => Answer::json(200, &state.traffic.whole(number("number"))),
        ("GET", "/_sandbox/state") => Answer::json(200, &shown(state)),
        ("POST", "/_sandbox/reset") => {
            reset(state);
            Answer::json(200, &json!({"ok": true}))
        }
        ("POST", "/_sandbox/faults" | "/_sandbox/socket" | "/_sandbox/state") => change(state, request),
        _ => Answer::json(404, &json!({"ok": false, "error": "no such control"})),
    }
}

fn change(state: &mut State, request: &Request) -> Answer {
    let given: Value = match serde_json::from_slice(&request.body) {
        Ok(given) => given,
        Err(error) => return Answer::json(400, &json!({"ok": false, "error": error.to_string()})),
    };
    let done = match request.path.as_str() {
        "/_sandbox/faults" => state.faults.set(&given),
        "/_sandbox/socket" => state.sockets.control(&given),
        _ => set_state(state, &given),
    };
    match done {
        Ok(()) => Answer::json(200, &json!({"ok": true})),
        Err(error) => Answer::json(400, &json!({"ok": false, "error": error})),
    }
}

fn set_state(state: &mut State, given: &Value) -> Result<(), String> {
    if let Some(name) = given.as_object().and_then(|fields| fields.keys().find(|name| !KNOWN.contains(&name.as_str())))
    {
        return Err(format!("unknown key {name:?}"));
    }
    state.app.set(&given["app"])?;
    state.oauth.set(&given["oauth"], &mut state.workspace)?;
    delete_message(state, &given["delete_message"])?;
    if let Some(seconds) = given["clock_shift_seconds"].as_i64() {
        state.clock.shift(seconds);
    }
    let now_ms = state.clock.unix_ms();
    state.workspace.merge(given);
    state.response_urls.merge(given, now_ms);
    let burst = given["pace"]["burst"].as_u64().and_then(|burst| u32::try_from(burst).ok());
    state.pace.set(given["pace"]["enabled"].as_bool(), burst);
    Ok(())
}

/// As a person with the right to would do it: the bot isn't told.
fn delete_message(state: &mut State, given: &Value) -> Result<(), String> {
    if given.is_null() {
        return Ok(());
    }
    let channel = state.workspace.find(given["channel"].as_str().unwrap_or_default()).unwrap_or_default();
    let message = state.journal.message_mut(&channel, given["ts"].as_str().unwrap_or_default());
    message.ok_or("there is no such message")?.deleted = true;
    Ok(())
}

/// Forgets what happened and what shall go wrong; the workspace stays.
fn reset(state: &mut State) {
    state.journal.clear();
    state.traffic.clear();
    state.faults = Faults::default();
    state.pace.clear();
    state.views = Views::default();
}

fn shown(state: &State) -> Value {
    let channels: Vec<Value> = state.workspace.channels().map(super::workspace::Channel::as_slack).collect();
    let users: Vec<Value> = state.workspace.users.iter().map(super::workspace::User::as_slack).collect();
    let groups: Vec<Value> = state
        .workspace
        .groups
        .iter()
        .map(|group| json!({"id": group.id, "handle": group.handle, "users": group.users}))
        .collect();
    json!({"team_id": "T0SANDBOX", "usergroups": groups, "channels": channels, "users": users, "app": state.app.json(),
        "oauth": state.oauth.json(),
        "signing_secret": state.app.signing_secret})
}
