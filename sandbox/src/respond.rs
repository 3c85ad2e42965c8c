//! One request, one turn: which door it is for, what it does wrong, which fault is played.

use serde_json::Value;

use super::fault_script::Response;
use super::faults::{REDIRECT_PATH, limited};
use super::journal::Outcome;
use super::oauth::AUTHORIZE_PATH;
use super::pace::{Pace, Verdict};
use super::state::State;
use super::web_api::Call;
use super::wire::{Answer, Request, form_fields};
use super::{control, files, oauth, receivers, response_url, schedule, web_api, webhook};

/// Which part of Slack, or of a server that plays it, a path belongs to.
#[derive(Debug)]
enum Endpoint {
    Webhook,
    WebApi(Call),
    ResponseUrl,
    Receiver(receivers::Receiver),
    Authorize,
    Upload,
    Redirected,
    Nowhere,
}

impl Endpoint {
    fn of(request: &Request) -> Self {
        let path = request.path.as_str();
        if let Some(method) = path.strip_prefix("/api/").filter(|rest| !rest.contains('/')) {
            return Self::WebApi(Call::read(request, method));
        }
        if path.starts_with("/services/") {
            Self::Webhook
        } else if path.starts_with("/actions/") || path.starts_with("/commands/") {
            Self::ResponseUrl
        } else if path.starts_with(files::UPLOAD_PATH) {
            Self::Upload
        } else if path == AUTHORIZE_PATH {
            Self::Authorize
        } else if path == REDIRECT_PATH {
            Self::Redirected
        } else {
            receivers::Receiver::of(path).map_or(Self::Nowhere, Self::Receiver)
        }
    }

    fn label(&self) -> &str {
        match self {
            Self::Webhook => "webhook",
            Self::WebApi(call) => &call.method,
            Self::ResponseUrl => "response_url",
            Self::Receiver(receiver) => receiver.label(),
            Self::Authorize => "authorize",
            Self::Upload => "upload",
            Self::Redirected => "redirected",
            Self::Nowhere => "nowhere",
        }
    }

    fn channel(&self, state: &mut State, path: &str) -> Option<String> {
        match self {
            Self::Webhook => state.workspace.hook_channel(path),
            Self::WebApi(call) if call.method == files::COMPLETE => call.text("channel_id").map(str::to_owned),
            Self::WebApi(call) => call.args["channel"].as_str().and_then(|name| state.workspace.find(name)),
            Self::Receiver(_) => Some(path.to_owned()),
            Self::ResponseUrl | Self::Authorize | Self::Upload | Self::Redirected | Self::Nowhere => None,
        }
    }

    /// Whether it counts as a message of the channel: 1 message/s/channel, whatever the way.
    fn posts(&self) -> bool {
        match self {
            Self::WebApi(call) => call.method == "chat.postMessage" || call.method == files::COMPLETE,
            Self::Webhook | Self::Receiver(_) => true,
            Self::ResponseUrl | Self::Authorize | Self::Upload | Self::Redirected | Self::Nowhere => false,
        }
    }

    fn answer(&self, state: &mut State, request: &Request, exchange: &Exchange) -> Answer {
        match self {
            Self::Webhook => webhook::answer(state, request, exchange),
            Self::WebApi(call) => web_api::answer(state, call, exchange),
            Self::ResponseUrl => response_url::answer(state, request, exchange),
            Self::Receiver(receiver) => receiver.answer(state, request, exchange),
            Self::Authorize => oauth::authorize(state, request, exchange),
            Self::Upload => files::upload(state, request, exchange),
            Self::Redirected => Answer::html(200, "You should not have come here"),
            Self::Nowhere => {
                state.journal.violate(exchange.seq, "unknown_path", format!("{} {}", request.method, request.path));
                Answer::html(404, "<html><body>There's nothing here</body></html>")
            }
        }
    }
}

/// What every door needs to know about the request it answers.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) seq: u64,
    pub(super) now_ms: u64,
    /// The channel the request is about, if it names one that exists.
    pub(super) channel: Option<String>,
    /// `http://HOST` of the sandbox, as the client named it.
    pub(super) origin: String,
}

/// Answers a request and writes down what happened.
pub(super) fn respond(state: &mut State, request: &Request) -> Response {
    let now_ms = state.clock.unix_ms();
    schedule::send_due(state);
    if request.path.starts_with("/_sandbox/") {
        return Response::answer(control::answer(state, request).with_header("date", &state.clock.http_date()));
    }
    let seq = state.journal.begin();
    watch(state, request, seq);
    let endpoint = Endpoint::of(request);
    if matches!(endpoint, Endpoint::Redirected) {
        state.journal.violate(seq, "followed_redirect", format!("{} {}", request.method, request.path));
    }
    let channel = endpoint.channel(state, &request.path);
    let exchange = Exchange { seq, now_ms, channel, origin: state.origin(request) };
    let mut outcome = Outcome { received_ms: now_ms, channel: exchange.channel.clone(), ..Outcome::default() };
    let response = match keep_pace(state, &endpoint, &exchange) {
        Some(answer) => Response::answer(answer),
        None => response_for(state, &endpoint, request, &exchange, &mut outcome),
    };
    outcome.status = response.status();
    state.journal.finish(seq, request, endpoint.label(), &outcome);
    state.traffic.came(request, endpoint.label(), &outcome, response.body());
    response
}

fn response_for(
    state: &mut State,
    endpoint: &Endpoint,
    request: &Request,
    exchange: &Exchange,
    outcome: &mut Outcome,
) -> Response {
    let channel = exchange.channel.as_deref().map(|id| {
        let name = state.workspace.channel(id).map_or("", |channel| channel.name.as_str());
        (id.to_owned(), name.to_owned())
    });
    let channel = channel.as_ref().map(|(id, name)| (id.as_str(), name.as_str()));
    let Some(fault) = state.faults.pick(endpoint.label(), channel) else {
        let answer = endpoint.answer(state, request, exchange).with_header("date", &state.clock.http_date());
        outcome.error = error_in(&answer);
        return Response::answer(answer);
    };
    outcome.fault = Some(fault.kind.clone());
    let real = if fault.takes_effect() {
        endpoint.answer(state, request, exchange)
    } else {
        Answer::text(200, "ok, but not really")
    };
    if let Some(wait_ms) = fault.wait_ms() {
        state.pace.require_wait(&pace_key(endpoint, exchange), exchange.now_ms, wait_ms);
    }
    fault.response(endpoint.label(), real)
}

/// A 429 holds for the channel when posting, else for the method.
fn pace_key(endpoint: &Endpoint, exchange: &Exchange) -> String {
    match &exchange.channel {
        Some(channel) if endpoint.posts() => channel.clone(),
        _ => format!("method {}", endpoint.label()),
    }
}

/// The 429 for a request that comes too soon.
fn keep_pace(state: &mut State, endpoint: &Endpoint, exchange: &Exchange) -> Option<Answer> {
    let key = pace_key(endpoint, exchange);
    let a_minute = if let Endpoint::WebApi(call) = endpoint { web_api::calls_a_minute(&call.method) } else { 0 };
    let verdict = if endpoint.posts() && exchange.channel.is_some() {
        state.pace.arrive(&key, exchange.now_ms)
    } else {
        state.pace.call(&key, a_minute, exchange.now_ms)
    };
    let mut wait_seconds = 1;
    let kind = match verdict {
        Verdict::Fine => return None,
        Verdict::TooFast => "too_fast",
        Verdict::EarlyRetry => "early_retry",
        Verdict::OverTier => {
            wait_seconds = Pace::wait_seconds(a_minute);
            "tier"
        }
    };
    state.journal.violate(exchange.seq, kind, key);
    Some(limited(endpoint.label(), Some(&wait_seconds.to_string())))
}

/// What no client should do, whatever it asks for.
fn watch(state: &mut State, request: &Request, seq: u64) {
    let mut found: Vec<(&str, String)> = Vec::new();
    if request.header("user-agent").is_none_or(|agent| agent.trim().is_empty()) {
        found.push(("no_user_agent", request.path.clone()));
    }
    if request.header("host").is_none() {
        found.push(("no_host", request.path.clone()));
    }
    for (name, value) in form_fields(&request.query) {
        if ["token", "secret", "client_secret", "signing_secret"].contains(&name.as_str()) || value.starts_with("xox") {
            found.push(("secret_in_query", name));
        }
    }
    if !request.path.starts_with(files::UPLOAD_PATH) && std::str::from_utf8(&request.body).is_err() {
        found.push(("body_not_utf8", request.path.clone()));
    }
    for (kind, detail) in found {
        state.journal.violate(seq, kind, detail);
    }
}

/// Slack's word for a refusal, for the log.
fn error_in(answer: &Answer) -> Option<String> {
    if let Ok(body) = serde_json::from_slice::<Value>(&answer.body)
        && body.is_object()
    {
        return body["error"].as_str().map(str::to_owned);
    }
    (answer.status >= 400).then(|| String::from_utf8_lossy(&answer.body).chars().take(200).collect())
}
