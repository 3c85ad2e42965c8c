//! What people do, played for the tests: clicks, forms, slash commands. Each waits for the app without the lock.

use std::sync::Mutex;

use serde_json::{Map, Value, json};

use super::app::{self, Delivered, Kind, Parcel};
use super::click::{self, Order};
use super::respond::Exchange;
use super::response_url::{self, ResponseUrl};
use super::state::{State, lock};
use super::wire::{Answer, Request};
use super::{notices, shortcuts, submit};

/// Why nothing was sent.
#[derive(Debug)]
pub(super) enum Refused {
    /// The order makes no sense.
    Order(String),
    /// Slack's own client holds it back; what it complains about, per block id.
    Client(Map<String, Value>),
}

impl From<String> for Refused {
    fn from(error: String) -> Self {
        Self::Order(error)
    }
}

impl From<&str> for Refused {
    fn from(error: &str) -> Self {
        Self::Order(error.to_owned())
    }
}

type Prepare = fn(&mut State, Order) -> Result<Parcel, Refused>;

/// Answers an order of the control API that goes to the app; `None` if the request is none.
pub(super) fn answer(state: &Mutex<State>, request: &Request) -> Option<Answer> {
    let prepare: Prepare = match request.path.strip_prefix("/_sandbox/")? {
        "click" => click::prepare,
        "submit" => submit::submission,
        "close" => submit::closing,
        "slash" => notices::slash,
        "shortcut" => shortcuts::prepare,
        "react" => notices::reaction,
        "event" => notices::event,
        "send" => notices::check,
        _ => return None,
    };
    let played = serde_json::from_slice(&request.body).map_err(|error| Refused::from(error.to_string()));
    Some(match played.and_then(|given: Value| play(state, request, &given, prepare)) {
        Ok(body) => Answer::json(200, &body),
        Err(Refused::Client(complaints)) => {
            Answer::json(200, &json!({"ok": false, "error": "refused_by_client", "complaints": complaints}))
        }
        Err(Refused::Order(error)) => Answer::json(400, &json!({"ok": false, "error": error})),
    })
}

fn play(state: &Mutex<State>, request: &Request, given: &Value, prepare: Prepare) -> Result<Value, Refused> {
    let (parcel, time_ms) = {
        let state = &mut *lock(state);
        let now_ms = state.clock.unix_ms();
        if given["again"] == true {
            // What a thief of a request, or a proxy, would do: the same bytes, with the same time and signature.
            state.app.last().ok_or("nothing was sent before")?
        } else {
            let origin = state.origin(request);
            (prepare(state, Order { given, origin: &origin, now_ms })?, now_ms)
        }
    };
    if parcel.payload.is_null() {
        return Ok(json!({"ok": true, "sent": false}));
    }
    let delivered = app::deliver(state, &parcel, time_ms);
    lock(state).traffic.went(&parcel, &delivered, time_ms);
    let mut body = shown(&parcel, &delivered);
    if delivered.error.is_none()
        && let Err(error) = take_body(&mut lock(state), &parcel, &delivered.body)
    {
        body["ok"] = false.into();
        body["error"] = error.into();
    }
    Ok(body)
}

/// How it went, for the test.
fn shown(parcel: &Parcel, delivered: &Delivered) -> Value {
    let text = String::from_utf8_lossy(&delivered.body);
    let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()));
    let mut shown = json!({"ok": delivered.error.is_none(), "status": delivered.status, "body": body,
        "ms": delivered.ms, "payload": parcel.payload});
    if let Some(error) = &delivered.error {
        shown["error"] = error.clone().into();
    }
    shown
}

/// What the body of the answer changes, where it means something.
fn take_body(state: &mut State, parcel: &Parcel, body: &[u8]) -> Result<(), String> {
    match parcel.payload["type"].as_str() {
        Some("view_submission") => submit::take_answer(state, &parcel.payload, body),
        Some("interactive_message") => message_answer(state, &parcel.payload, body),
        Some("url_verification") => notices::check_challenge(body),
        _ if parcel.kind == Kind::Slash && !body.is_empty() => {
            let given = serde_json::from_slice(body).ok().filter(Value::is_object);
            let given = given.unwrap_or_else(|| json!({"text": String::from_utf8_lossy(body)}));
            if given == json!({"response_type": "in_channel"}) {
                return Ok(()); // shows the command, and nothing else
            }
            taken(state, &notices::slash_target(&parcel.payload), given, true)
        }
        _ if parcel.kind == (Kind::Interactive { answered: false }) && !body.is_empty() => {
            state.journal.violate(0, "ignored_body", "the answer to a block_actions should be empty");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The body replaces the message that was clicked, unless it says otherwise.
fn message_answer(state: &mut State, payload: &Value, body: &[u8]) -> Result<(), String> {
    if body.is_empty() {
        return Ok(());
    }
    let mut given: Value = serde_json::from_slice(body)
        .unwrap_or_else(|_| json!({"text": String::from_utf8_lossy(body), "response_type": "ephemeral"}));
    if given["replace_original"].is_null() && given["response_type"] != "ephemeral" {
        given["replace_original"] = true.into();
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let url = ResponseUrl {
        born_ms: 0,
        uses: 0,
        channel: text(&payload["channel"]["id"]),
        ts: payload["message_ts"].as_str().map(str::to_owned),
        user: text(&payload["user"]["id"]),
    };
    taken(state, &url, given, false)
}

fn taken(state: &mut State, url: &ResponseUrl, given: Value, command: bool) -> Result<(), String> {
    let exchange = Exchange { seq: 0, now_ms: state.clock.unix_ms(), channel: None, origin: String::new() };
    let answer = response_url::take_answer(state, url, given, command, &exchange);
    if answer.status == 200 { Ok(()) } else { Err(String::from_utf8_lossy(&answer.body).into_owned()) }
}
