//! Response URLs: the short-lived door back to the message that was clicked.
//! <https://docs.slack.dev/interactivity/handling-user-interaction>

use std::collections::HashMap;

use serde_json::{Value, json};

use super::content::Content;
use super::respond::Exchange;
use super::state::State;
use super::webhook::json_or_form;
use super::wire::{Answer, Request};

/// How often one can be used.
const USES_MAX: u32 = 5;
/// How long one can be used.
const LIFE_MS: u64 = 30 * 60 * 1000;
const FIELDS: [&str; 12] = [
    "text",
    "blocks",
    "attachments",
    "thread_ts",
    "response_type",
    "replace_original",
    "delete_original",
    "unfurl_links",
    "unfurl_media",
    "metadata",
    "mrkdwn",
    "parse",
];

#[derive(Debug, Clone)]
pub(super) struct ResponseUrl {
    pub(super) born_ms: u64,
    pub(super) uses: u32,
    pub(super) channel: String,
    /// The message that was clicked.
    pub(super) ts: Option<String>,
    pub(super) user: String,
}

/// All that were handed out.
#[derive(Debug, Default)]
pub(super) struct ResponseUrls {
    known: HashMap<String, ResponseUrl>,
}

impl ResponseUrls {
    /// Takes over what the control API was given.
    pub(super) fn merge(&mut self, given: &Value, now_ms: u64) {
        for row in given["response_urls"].as_array().into_iter().flatten() {
            let url = ResponseUrl {
                born_ms: now_ms.saturating_sub(row["age_ms"].as_u64().unwrap_or(0)),
                uses: 0,
                channel: row["channel"].as_str().unwrap_or("C0OPS00001").to_owned(),
                ts: row["ts"].as_str().map(str::to_owned),
                user: row["user"].as_str().unwrap_or("U0ALICE001").to_owned(),
            };
            self.known.insert(row["path"].as_str().unwrap_or_default().to_owned(), url);
        }
    }

    /// Hands one out below `/actions/` or `/commands/`, and tells its path.
    pub(super) fn hand_out(&mut self, kind: &str, url: ResponseUrl) -> String {
        let number = self.known.len() + 1;
        let path = format!("/{kind}/T0SANDBOX/{number}/{:024x}", number * 7919);
        self.known.insert(path.clone(), url);
        path
    }

    /// Uses one up; one that was never handed out is taken as fresh and of #ops.
    fn take(&mut self, path: &str, now_ms: u64) -> Result<ResponseUrl, &'static str> {
        let url = self.known.entry(path.to_owned()).or_insert_with(|| ResponseUrl {
            born_ms: now_ms,
            uses: 0,
            channel: "C0OPS00001".to_owned(),
            ts: None,
            user: "U0ALICE001".to_owned(),
        });
        if now_ms.saturating_sub(url.born_ms) > LIFE_MS {
            return Err("expired_url");
        }
        if url.uses == USES_MAX {
            return Err("used_url");
        }
        url.uses += 1;
        Ok(url.clone())
    }
}

fn refused(status: u16, error: &str) -> Answer {
    Answer::json(status, &json!({"ok": false, "error": error}))
}

/// Posts, replaces or deletes, as the body says.
pub(super) fn answer(state: &mut State, request: &Request, exchange: &Exchange) -> Answer {
    if request.method != "POST" {
        state.journal.violate(exchange.seq, "wrong_http_method", request.method.clone());
        return refused(404, "invalid_request");
    }
    let Some(given) = json_or_form(request) else { return refused(400, "invalid_payload") };
    let url = match state.response_urls.take(&request.path, exchange.now_ms) {
        Ok(url) => url,
        Err(error) => {
            state.journal.violate(exchange.seq, error, request.path.clone());
            return refused(404, error);
        }
    };
    let command = request.path.starts_with("/commands/");
    take_answer(state, &url, given, command, exchange)
}

/// The same fields, whether they come to a response URL or as the body of an answer; `command`: of a slash command.
pub(super) fn take_answer(
    state: &mut State,
    url: &ResponseUrl,
    given: Value,
    command: bool,
    exchange: &Exchange,
) -> Answer {
    for name in given.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !FIELDS.contains(&name.as_str()) {
            state.journal.violate(exchange.seq, "unknown_field", format!("response_url: {name}"));
        }
    }
    let (replace, delete) = (truthy(&given["replace_original"]), truthy(&given["delete_original"]));
    if command && (replace || delete) {
        state.journal.violate(exchange.seq, "replace_on_command", "a slash command has no message to change");
    }
    let target = url.ts.as_deref().filter(|_| !command);
    if delete {
        return remove(state, &url.channel, target, &given, exchange);
    }
    let content = match Content::read(&given, exchange.seq, &mut state.journal) {
        Ok(content) => content,
        Err(unfit) => return refused(400, unfit.error),
    };
    match target {
        Some(ts) if replace => edit(state, &url.channel, ts, content, given),
        _ => post(state, url, content, given, exchange),
    }
}

/// The booleans may be texts.
fn truthy(value: &Value) -> bool {
    value == true || value == "true"
}

fn remove(state: &mut State, channel: &str, ts: Option<&str>, given: &Value, exchange: &Exchange) -> Answer {
    if given.as_object().is_some_and(|fields| fields.len() > 1) {
        state.journal.violate(exchange.seq, "delete_not_alone", "delete_original stands alone");
    }
    match ts.and_then(|ts| state.journal.message_mut(channel, ts)) {
        Some(message) => {
            message.deleted = true;
            Answer::text(200, "ok")
        }
        None => refused(404, "message_not_found"),
    }
}

fn edit(state: &mut State, channel: &str, ts: &str, content: Content, raw: Value) -> Answer {
    let Some(message) = state.journal.message_mut(channel, ts) else { return refused(404, "message_not_found") };
    message.remember();
    message.text = content.text;
    message.blocks = content.blocks;
    message.attachments = content.attachments;
    message.edited = true;
    message.edits += 1;
    message.raw = raw;
    Answer::text(200, "ok")
}

fn post(state: &mut State, url: &ResponseUrl, content: Content, given: Value, exchange: &Exchange) -> Answer {
    let shown = given["response_type"] == "in_channel";
    let thread_ts = given["thread_ts"].as_str().map(str::to_owned);
    let mut message = content.into_message("response_url", given);
    message.received_ms = exchange.now_ms;
    message.ts = state.journal.next_ts(exchange.now_ms);
    message.thread_ts = thread_ts;
    message.channel.clone_from(&url.channel);
    message.channel_name = state.workspace.channel(&url.channel).map_or_else(String::new, |found| found.name.clone());
    message.ephemeral_for = (!shown).then(|| url.user.clone());
    state.journal.store(message);
    Answer::text(200, "ok")
}
