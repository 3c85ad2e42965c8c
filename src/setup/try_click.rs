//! The way back from Slack: a message with a button, and the click on it over Socket Mode.
//!
//! If a listener runs already with the same app token, Slack gives a click to either of the two.

use super::checks::sentence;
use crate::config::Integration;
use crate::model::outcome::Outcome;
use crate::slack::api::Client;
use crate::slack::socket::{Envelope, EnvelopeReply, SocketMode, Timing};
use crate::system::environment::Environment;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

const ACTION: &str = "setup_test";
const BUDGET: Duration = Duration::from_secs(10);
/// How long the connection may take; looked at so often.
const CONNECT_LOOKS: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Posts the button, calls `ready`, and waits for a click; who clicked.
pub(crate) fn wait(
    integration: &Integration,
    env: &Environment,
    channel: &str,
    patience: Duration,
    ready: impl FnOnce(),
) -> Result<String, String> {
    let client = Client::new(integration, env).map_err(|e| e.to_string())?;
    let (clicked, clicks) = mpsc::channel();
    let take = move |envelope: Envelope| {
        let payload = &envelope.payload;
        if payload["actions"][0]["action_id"] != ACTION {
            // Another message's: its listener isn't here, and Slack shows the person a warning.
            return EnvelopeReply::Refused;
        }
        let name = [&payload["user"]["username"], &payload["user"]["name"], &payload["user"]["id"]];
        let name = name.into_iter().find_map(Value::as_str).unwrap_or("somebody").to_owned();
        let _ = clicked.send(name);
        EnvelopeReply::Empty
    };
    let socket =
        SocketMode::start(integration.clone(), env.clone(), (Timing::default(), Arc::default()), Arc::new(take));
    let socket = socket.map_err(|e| e.to_string())?;
    let is_connected = (0..CONNECT_LOOKS).any(|_| {
        std::thread::sleep(LOOK_EVERY);
        socket.status().connected
    });
    if !is_connected {
        return Err(socket.status().last_error.unwrap_or_else(|| "Slack gave no connection".to_owned()));
    }
    let text = "ackbell can receive clicks: try it.";
    let button = json!({ "type": "button", "action_id": ACTION, "text": { "type": "plain_text", "text": "It works" } });
    let blocks = json!([
        { "type": "section", "text": { "type": "plain_text", "text": text } },
        { "type": "actions", "elements": [button] },
    ]);
    let posted = match client.post(Some(channel), json!({ "text": text, "blocks": blocks }), BUDGET) {
        Outcome::Delivered(posted) => posted,
        other => return Err(sentence(&other)),
    };
    ready();
    let name = clicks.recv_timeout(patience);
    if let Some(posted) = posted {
        let result = if name.is_ok() { "A click reached ackbell." } else { "No click reached ackbell." };
        // Only tidying: the button is nobody's any more.
        let _ = client.update(&posted.channel, &posted.ts, json!({ "text": result }), BUDGET);
    }
    name.map_err(|_| {
        "no click arrived; in the app, Interactivity & Shortcuts must be on. If a listener runs with this app token, it may \
         have taken the click"
            .to_owned()
    })
}
