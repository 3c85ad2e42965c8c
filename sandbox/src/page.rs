//! The web page: channels as people see them, what goes over the wire, switches that make Slack fail.
//!
//! It is for browsers on this machine only: it is served to loopback addresses under a loopback name (no DNS rebinding),
//! a request that another site's page makes is refused, and its policy lets the page itself talk to nobody else.

mod document;
mod stream;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

pub use document::preview_page;
pub(super) use stream::{is_for, serve};

use super::elements;
use super::files::Files;
use super::journal::Message;
use super::state::{State, lock};
use super::wire::{Answer, Request};

/// How many messages the page shows.
const MESSAGES_MAX: usize = 500;
/// Nothing from anywhere else, nothing inline; attachments' colours are set by script, which needs no exception.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Where the pictures are that were uploaded.
const FILES_BELOW: &str = "/page/files/";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of the page: path, type, content.
const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/page/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page/frame.css", "text/css; charset=utf-8", include_str!("page/frame.css")),
    ("/page/dom.js", SCRIPT, include_str!("page/dom.js")),
    ("/page/orders.js", SCRIPT, include_str!("page/orders.js")),
    ("/page/text.js", SCRIPT, include_str!("page/text.js")),
    ("/page/blocks.js", SCRIPT, include_str!("page/blocks.js")),
    ("/page/inputs.js", SCRIPT, include_str!("page/inputs.js")),
    ("/page/channel.js", SCRIPT, include_str!("page/channel.js")),
    ("/page/modal.js", SCRIPT, include_str!("page/modal.js")),
    ("/page/panel.js", SCRIPT, include_str!("page/panel.js")),
    ("/page/main.js", SCRIPT, include_str!("page/main.js")),
];

type Hook = dyn Fn(&str, &str) -> Option<(u16, String)> + Send + Sync;

/// Answers `/demo/…` for whoever started the sandbox: given method and path with its query, a status and JSON, or nothing.
#[derive(Clone)]
pub(crate) struct Extra(pub(crate) Arc<Hook>);

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Extra")
    }
}

/// Why a browser must not ask this, if so.
pub(super) fn refusal(request: &Request, from_here: bool) -> Option<Answer> {
    let host = request.header("host").unwrap_or_default();
    let is_page = request.path == "/" || ["/page/", "/demo/"].iter().any(|below| request.path.starts_with(below));
    if is_page && !from_here {
        return Some(Answer::text(403, "The page is for browsers on this machine only.\n"));
    }
    if (is_page || request.path.starts_with("/_sandbox/")) && !host.is_empty() && !is_loopback(host) {
        return Some(Answer::text(403, "Open the page as http://127.0.0.1 or http://localhost.\n"));
    }
    // A browser names the page that asks; programs send no Origin.
    let origin = request.header("origin").map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    let strange = origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(host));
    strange.then(|| Answer::text(403, "Another site's page may not ask this.\n"))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Answers what the page asks for; `None` if the request is none of its.
pub(super) fn answer(state: &Mutex<State>, request: &Request) -> Option<Answer> {
    if request.path.starts_with("/demo/") {
        // Not under the lock: whoever answers may ask the sandbox.
        let extra = lock(state).extra.clone();
        let asked = format!("{}?{}", request.path, request.query);
        let answered = extra.and_then(|Extra(hook)| hook(&request.method, asked.trim_end_matches('?')));
        let (status, body) = answered.unwrap_or((404, "null".to_owned()));
        return Some(Answer::typed(status, "application/json; charset=utf-8", body.into_bytes()));
    }
    if request.method != "GET" {
        return None;
    }
    if let Some(id) = request.path.strip_prefix(FILES_BELOW) {
        return Some(picture(state, id));
    }
    let (_, media, content) = FILES.iter().find(|(path, ..)| *path == request.path)?;
    let answer = Answer::typed(200, media, content.as_bytes().to_vec());
    let headers = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ];
    Some(headers.iter().fold(answer, |answer, (name, value)| answer.with_header(name, value)))
}

/// A picture that was uploaded and shown; nothing else that somebody may have uploaded.
fn picture(state: &Mutex<State>, id: &str) -> Answer {
    match lock(state).files.picture(id) {
        Some(png) => Answer::typed(200, "image/png", png.to_vec())
            .with_header("x-content-type-options", "nosniff")
            .with_header("content-security-policy", "default-src 'none'")
            .with_header("cross-origin-resource-policy", "same-origin"),
        None => Answer::text(404, "There is no such picture.\n"),
    }
}

/// All that the page shows, at one moment.
pub(super) fn snapshot(state: &State) -> Value {
    let channel = |channel: &super::workspace::Channel| {
        let mut shown = channel.as_slack();
        shown["users"] = json!(channel.users);
        shown
    };
    let channels: Vec<Value> = state.workspace.channels().map(channel).collect();
    let users: Vec<Value> = state.workspace.users.iter().map(super::workspace::User::as_slack).collect();
    let groups: Vec<Value> =
        state.workspace.groups.iter().map(|group| json!({"id": group.id, "handle": group.handle})).collect();
    let shown = |one: &Message| message(one, &state.files);
    let mut messages: Vec<Value> = state.journal.present().rev().take(MESSAGES_MAX).map(shown).collect();
    messages.reverse();
    json!({
        "revision": state.revision, "channels": channels, "users": users, "groups": groups, "messages": messages,
        "views": state.views.json(), "traffic": state.traffic.json(), "faults": state.faults.json(),
        "violations": state.journal.violations_json(), "demo": state.extra.is_some(),
    })
}

/// A message with the ids that a click on it names.
fn message(message: &Message, files: &Files) -> Value {
    let mut attachments = message.attachments.clone();
    for (index, attachment) in attachments.as_array_mut().into_iter().flatten().enumerate() {
        attachment["blocks"] = elements::with_ids(&attachment["blocks"], &format!("a{}b", index + 1));
    }
    json!({
        "channel": message.channel, "ts": message.ts, "thread_ts": message.thread_ts, "via": message.via,
        "ephemeral_for": message.ephemeral_for, "text": message.text, "edited": message.edited,
        "blocks": elements::with_ids(&message.blocks, "b"), "attachments": attachments,
        "broadcast": message.broadcast, "reactions": message.reactions, "files": files.shown(&message.raw["files"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, headers: &[(&str, &str)], from_here: bool) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        refusal(&Request { path: path.to_owned(), headers, ..Request::default() }, from_here).is_some()
    }

    #[test]
    fn only_this_machine_under_its_own_name_and_its_own_page() {
        for host in ["127.0.0.1:9280", "localhost", "[::1]:9280", "127.0.0.2"] {
            assert!(!refused("/", &[("host", host)], true), "{host}");
        }
        for host in ["evil.example", "evil.example:9280", "127.0.0.1.evil.example", "10.0.0.1"] {
            assert!(refused("/", &[("host", host)], true), "{host}");
            assert!(refused("/_sandbox/messages", &[("host", host)], true), "{host}");
        }
        assert!(refused("/", &[("host", "127.0.0.1")], false), "a page isn't for the network");
        assert!(!refused("/api/chat.postMessage", &[("host", "sandbox:9280")], false), "Slack's own doors are");
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            let headers = [("host", "127.0.0.1:9280"), ("origin", origin)];
            assert!(refused("/_sandbox/click", &headers, true), "{origin}");
            assert!(refused("/services/T/B/x", &headers, true), "{origin}");
        }
        assert!(!refused("/_sandbox/click", &[("host", "127.0.0.1:9280"), ("origin", "http://127.0.0.1:9280")], true));
    }
}
