//! What went over the wire last, whole, for the page: what clients sent and got, and what went to the app.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::app::{Delivered, Parcel};
use super::journal::Outcome;
use super::wire::{Request, form_fields};

/// How many exchanges are remembered.
const EXCHANGES_MAX: usize = 200;
/// The longest body that is remembered.
const BODY_BYTES_MAX: usize = 100_000;
/// How much of a body the list shows, in characters.
const BRIEF_MAX: usize = 160;

/// One request and what came of it.
#[derive(Debug)]
struct Exchange {
    number: u64,
    at_ms: u64,
    /// To the app, not from it.
    outgoing: bool,
    label: String,
    status: u16,
    error: Option<String>,
    fault: Option<String>,
    asked: Vec<u8>,
    answered: Vec<u8>,
}

/// The last exchanges, oldest first.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    exchanges: VecDeque<Exchange>,
    made: u64,
}

impl Traffic {
    /// Keeps what a client asked of Slack, and Slack's answer.
    pub(super) fn came(&mut self, request: &Request, label: &str, outcome: &Outcome, answer: &[u8]) {
        self.keep(Exchange {
            number: 0,
            at_ms: outcome.received_ms,
            outgoing: false,
            label: label.to_owned(),
            status: outcome.status,
            error: outcome.error.clone(),
            fault: outcome.fault.clone(),
            asked: cut(if request.body.is_empty() { request.query.as_bytes() } else { &request.body }),
            answered: cut(answer),
        });
    }

    /// Keeps what Slack sent to the app, and how the app took it.
    pub(super) fn went(&mut self, parcel: &Parcel, delivered: &Delivered, at_ms: u64) {
        let payload = &parcel.payload;
        let event = payload["event"]["type"].as_str();
        let label = event.or(payload["type"].as_str()).or(payload["command"].as_str()).unwrap_or("request");
        self.keep(Exchange {
            number: 0,
            at_ms,
            outgoing: true,
            label: label.to_owned(),
            status: delivered.status.unwrap_or(0),
            error: delivered.error.clone(),
            fault: None,
            asked: cut(payload.to_string().as_bytes()),
            answered: cut(&delivered.body),
        });
    }

    fn keep(&mut self, mut exchange: Exchange) {
        self.made += 1;
        exchange.number = self.made;
        if self.exchanges.len() == EXCHANGES_MAX {
            self.exchanges.pop_front();
        }
        self.exchanges.push_back(exchange);
    }

    /// The list, without the bodies.
    pub(super) fn json(&self) -> Value {
        let row = |exchange: &Exchange| {
            let brief = brief(&read(&exchange.asked));
            json!({"number": exchange.number, "at_ms": exchange.at_ms, "outgoing": exchange.outgoing,
                "label": exchange.label, "status": exchange.status, "error": exchange.error, "fault": exchange.fault,
                "brief": brief.chars().take(BRIEF_MAX).collect::<String>()})
        };
        self.exchanges.iter().map(row).collect()
    }

    /// One exchange with its bodies; null if it is forgotten.
    pub(super) fn whole(&self, number: u64) -> Value {
        let found = self.exchanges.iter().find(|exchange| exchange.number == number);
        found.map_or(Value::Null, |found| json!({"request": read(&found.asked), "answer": read(&found.answered)}))
    }

    /// Forgets everything but the count.
    pub(super) fn clear(&mut self) {
        self.exchanges.clear();
    }
}

/// What it is about, in a line: a message's text, what a person touched, else all of it.
fn brief(asked: &Value) -> String {
    let user = asked["user"]["name"].as_str().or(asked["user_name"].as_str());
    let action = &asked["actions"][0];
    let chosen = action["selected_option"]["value"].as_str().or(action["action_id"].as_str());
    let form = asked["view"]["callback_id"].as_str().filter(|id| !id.is_empty());
    let done = chosen.or(form).or(asked["text"].as_str());
    match (user, done) {
        (Some(user), Some(done)) => format!("{user}: {done}"),
        (None, Some(done)) => done.to_owned(),
        _ if asked.is_string() => asked.as_str().unwrap_or_default().to_owned(),
        _ => asked.to_string(),
    }
}

fn cut(body: &[u8]) -> Vec<u8> {
    body[..body.len().min(BODY_BYTES_MAX)].to_vec()
}

/// A body as JSON, whatever it came as. A token isn't shown, not even here: somebody may have sent a real one.
fn read(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let mut read = serde_json::from_str(&text).unwrap_or_else(|_| form(&text));
    for name in ["token", "client_secret"] {
        if read[name].is_string() {
            read[name] = "…".into();
        }
    }
    read
}

fn form(text: &str) -> Value {
    if !text.contains('=') || text.contains(['\n', '{', '<']) {
        return text.into();
    }
    let nested = |value: String| match serde_json::from_str::<Value>(&value) {
        Ok(nested) if nested.is_object() || nested.is_array() => nested,
        _ => value.into(),
    };
    let fields = form_fields(text).into_iter().map(|(name, value)| (name, nested(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_json_without_its_token() {
        let form = read(b"token=xoxb-1&blocks=%5B%7B%22a%22%3A1%7D%5D&text=a+b");
        assert_eq!(form, json!({"token": "…", "blocks": [{"a": 1}], "text": "a b"}));
        assert_eq!(read(b"{\"text\":\"x\",\"token\":\"xoxb\"}"), json!({"text": "x", "token": "…"}));
        assert_eq!((read(b"ok"), read(b"")), (json!("ok"), json!("")));
    }
}
