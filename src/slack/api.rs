//! The client: the only code that speaks to Slack. One agent per integration, its connection reused within a pass.
//!
//! It never retries ([`crate::rules::retry`] does) and never follows a redirect. What an answer means is
//! [`super::outcome`]'s to say; a transport that failed is temporary by nature, except where the client itself can't
//! be set up.

pub(crate) mod probe;
pub(crate) mod socket;
pub(crate) mod upload;

use super::outcome::{Answer, brief, of_lookup, of_web_api, of_webhook};
use crate::config::{Integration, Proxy};
use crate::model::outcome::Outcome;
use crate::model::slack_error::{Reason, SlackError};
use crate::rules::lease::Term;
use crate::system::clock;
use crate::system::environment::Environment;
use crate::system::tls::{self, RootsError};
use base64::Engine;
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How much of an answer is read: a published view comes back whole, with what Slack adds to it.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Until when Slack wants no call: of which API, integration and method. Each thread has clients of its own, Slack
/// counts them together.
static RESTING: Mutex<BTreeMap<[String; 3], Instant>> = Mutex::new(BTreeMap::new());

/// How long a call may take, and its parts.
#[derive(Debug, Clone, Copy)]
struct Limits {
    all: Duration,
    connect: Duration,
    /// To resolve the name, and to send the head and the body, each: so all of it is out before another node may lead.
    part: Option<Duration>,
}

impl Limits {
    fn of<Any>(self, request: ureq::RequestBuilder<Any>) -> ureq::RequestBuilder<Any> {
        let limited = request.config().timeout_global(Some(self.all)).timeout_connect(Some(self.connect));
        let limited = limited.timeout_resolve(self.part).timeout_send_request(self.part);
        limited.timeout_send_body(self.part).build()
    }
}

/// So much longer an answer is waited for where nodes share an outbox: after a pause of this process it is there, and says
/// which message is to be taken back.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Until the lease is sure again, or lost.
const LEASE_PAUSE: Duration = Duration::from_secs(1);

/// Where nodes share an outbox: what Slack told the others. A method is asked for by its integration and name.
pub(crate) trait SharedWaits: Send + Sync {
    /// How long Slack wants no call of it yet; zero where nobody knows of any.
    fn left(&self, integration: &str, method: &str) -> Duration;
    /// Slack wants none for so long.
    fn keep(&self, integration: &str, method: &str, after: Duration);
}

static SHARED_WAITS: OnceLock<Box<dyn SharedWaits>> = OnceLock::new();

/// Honours what Slack told the others from now on.
pub(crate) fn share_waits(waits: Box<dyn SharedWaits>) {
    let _ = SHARED_WAITS.set(waits);
}

/// A client for one integration.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    integration: Integration,
    /// The lease in whose name it calls.
    term: Option<Arc<Term>>,
}

/// The client couldn't be set up: a job for whoever wrote the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("the proxy's address can't be used: {0}")]
    Proxy(String),
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

impl Client {
    pub(crate) fn new(integration: &Integration, env: &Environment) -> Result<Self, ClientError> {
        let tls = tls::config(integration.ca_file.as_deref(), env)?;
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy(integration, env)?)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(integration.connect_timeout))
            .timeout_global(Some(integration.timeout))
            .user_agent(concat!("ackbell/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), integration: integration.clone(), term: None })
    }

    /// Sends only what is out while this lease is sure: nothing of Slack's can be fenced.
    pub(crate) fn within(mut self, term: Option<Arc<Term>>) -> Self {
        self.term = term;
        self
    }

    /// How long a call may take.
    fn limits(&self, budget: Duration) -> Result<Limits, Outcome> {
        let (wanted, connect) = (budget.min(self.integration.timeout), self.integration.connect_timeout);
        let Some(term) = &self.term else { return Ok(Limits { all: wanted, connect, part: None }) };
        let limit = term.call_limit(clock::since_boot(), wanted).ok_or(Outcome::Unsure { after: LEASE_PAUSE })?;
        // The core ends a notify that stays for longer than its budget.
        let all = (limit + PAUSE_MAX).min(budget);
        Ok(Limits { all, connect: connect.min(limit / 4), part: Some(limit / 4) })
    }

    /// Posts a message: by `chat.postMessage` to `channel` with a bot token, else to the webhook.
    ///
    /// `budget` shortens the call's time limit. When the connection breaks after the request, nobody knows whether
    /// Slack has the message: that is temporary, so it is tried again and may show twice.
    pub(crate) fn post(&self, channel: Option<&str>, mut message: Value, budget: Duration) -> Outcome {
        let flavor = self.integration.flavor;
        let is_the_webhooks = channel.is_none() && self.integration.webhook_url().is_some();
        if let Some(reason) = self.integration.missing_token().filter(|_| !is_the_webhooks) {
            return Outcome::TokenNever { reason: reason.to_string().into() };
        }
        match (self.integration.bot_token(), channel, self.integration.webhook_url()) {
            (Some(_), Some(channel), webhook) => {
                message["channel"] = Value::from(channel);
                let outcome =
                    self.answer_of_post("chat.postMessage", &message, budget).map_or_else(|o| o, |a| of_web_api(&a));
                match outcome {
                    // The token may only show who clicked: the webhook beside it takes the message.
                    Outcome::TokenNever { reason } if webhook.is_some() && is_without_the_right_to_post(&reason) => {
                        Outcome::DestinationNever { reason }
                    }
                    other => other,
                }
            }
            (_, _, Some(url)) => {
                if let Some(channel) = channel {
                    message["channel"] = Value::from(channel);
                }
                let request = self.agent.post(url.expose());
                let answered = self.limits(budget).and_then(|limits| Self::send_json(request, &message, limits));
                answered.map_or_else(|o| o, |a| of_webhook(flavor, &a))
            }
            _ => Outcome::TokenNever { reason: "neither a bot token for this channel nor a webhook".into() },
        }
    }

    /// Edits a message (<https://docs.slack.dev/reference/methods/chat.update>).
    pub(crate) fn update(&self, channel: &str, ts: &str, mut message: Value, budget: Duration) -> Outcome {
        message["channel"] = Value::from(channel);
        message["ts"] = Value::from(ts);
        if let Some(fields) = message.as_object_mut() {
            // Only a new message unfurls; and what an edit doesn't name stays as it was.
            fields.remove("unfurl_links");
            fields.remove("unfurl_media");
            fields.entry("blocks").or_insert_with(|| Value::Array(Vec::new()));
            fields.entry("attachments").or_insert_with(|| Value::Array(Vec::new()));
        }
        self.answer_of_post("chat.update", &message, budget).map_or_else(|o| o, |a| of_web_api(&a))
    }

    /// Deletes a message of ours (<https://docs.slack.dev/reference/methods/chat.delete>).
    pub(crate) fn delete(&self, channel: &str, ts: &str, budget: Duration) -> Result<(), Outcome> {
        self.call("chat.delete", &serde_json::json!({ "channel": channel, "ts": ts }), budget).map(drop)
    }

    /// Whether the Web API can be called at all.
    pub(crate) fn has_token(&self) -> bool {
        self.integration.bot_token().is_some()
    }

    /// Calls a method that takes JSON and answers with more than a message's place.
    pub(crate) fn call(&self, method: &str, arguments: &Value, budget: Duration) -> Result<Value, Outcome> {
        self.patiently(method, || {
            let answer = Self::send_json(self.posting(method), arguments, self.limits(budget)?)?;
            of_lookup(&answer)
        })
    }

    /// Answers somebody by the address that came with a click
    /// (<https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>). The caller has checked
    /// that it is Slack's.
    pub(crate) fn respond(&self, response_url: &str, message: &Value, budget: Duration) -> Outcome {
        let answered = self.patiently("response_url", || {
            let answer = Self::send_json(self.agent.post(response_url), message, self.limits(budget)?)?;
            match of_webhook(self.integration.flavor, &answer) {
                Outcome::Delivered(posted) => Ok(posted),
                other => Err(other),
            }
        });
        answered.map_or_else(|outcome| outcome, Outcome::Delivered)
    }

    /// Calls a method that only reads and takes its arguments as a query.
    pub(crate) fn look_up(&self, method: &str, query: &[(&str, &str)], budget: Duration) -> Result<Value, Outcome> {
        let request = self.agent.get(format!("{}{method}", self.integration.api_url));
        let request = request.query_pairs(query.iter().copied()).header("Authorization", self.bearer());
        self.patiently(method, || {
            let request = self.limits(budget)?.of(request);
            Self::read(|| request.call()).and_then(|answer| of_lookup(&answer))
        })
    }

    /// Calls no method before Slack's `Retry-After` to it is over: whoever clicks again and again asks again and again.
    /// It may ask the database, so `ask` looks at the lease only then.
    fn patiently<T>(&self, method: &str, ask: impl FnOnce() -> Result<T, Outcome>) -> Result<T, Outcome> {
        let key = [&self.integration.api_url, &self.integration.name, method].map(str::to_owned);
        let now = Instant::now();
        let rest = || RESTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(after) = rest().get(&key).and_then(|until| until.checked_duration_since(now)) {
            return Err(Outcome::Wait { after });
        }
        let name = &self.integration.name;
        let left = SHARED_WAITS.get().map_or(Duration::ZERO, |shared| shared.left(name, method));
        if !left.is_zero() {
            rest().insert(key, now + left);
            return Err(Outcome::Wait { after: left });
        }
        let answer = ask();
        if let Err(Outcome::Wait { after }) = answer {
            if let Some(shared) = SHARED_WAITS.get() {
                shared.keep(name, method, after);
            }
            rest().insert(key, Instant::now() + after);
        }
        answer
    }

    /// Asks for tokens, as the app itself (<https://docs.slack.dev/reference/methods/oauth.v2.access>).
    pub(crate) fn grant(&self, form: &[(&str, &str)], budget: Duration) -> Result<Value, Outcome> {
        let secret = self.integration.client_secret.as_ref().map_or("", |secret| secret.expose());
        let login = format!("{}:{secret}", self.integration.client_id.as_deref().unwrap_or_default());
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login));
        let request = self.agent.post(format!("{}oauth.v2.access", self.integration.api_url));
        let request = request.header("Authorization", basic);
        let request = self.limits(budget)?.of(request);
        Self::read(|| request.send_form(form.iter().copied())).and_then(|answer| of_lookup(&answer))
    }

    fn answer_of_post(&self, method: &str, body: &Value, budget: Duration) -> Result<Answer, Outcome> {
        Self::send_json(self.posting(method), body, self.limits(budget)?)
    }

    fn posting(&self, method: &str) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let request = self.agent.post(format!("{}{method}", self.integration.api_url));
        request.header("Authorization", self.bearer())
    }

    fn send_json(
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
        limits: Limits,
    ) -> Result<Answer, Outcome> {
        let request = limits.of(request.header("Content-Type", "application/json; charset=utf-8"));
        Self::read(|| request.send(body.to_string()))
    }

    fn read(ask: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, Outcome> {
        // ureq resolves names in a thread, and panics where the system allows none more (`ulimit -u`, TasksMax).
        let asked = std::panic::catch_unwind(AssertUnwindSafe(ask));
        let asked =
            asked.map_err(|_| Outcome::Temporary { reason: "no thread could be started".into(), slow: false })?;
        let mut response = asked.map_err(|e| transport(&e))?;
        let header = response.headers().get("retry-after");
        let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        let mut reader = std::io::Read::take(response.body_mut().as_reader(), ANSWER_BYTES_MAX);
        match std::io::Read::read_to_end(&mut reader, &mut bytes) {
            // A status that speaks for itself needs no body.
            Err(e) if status < 300 => {
                Err(Outcome::Temporary { reason: brief(&format!("answer cut off: {e}")).into(), slow: false })
            }
            _ => Ok(Answer { status, retry_after, body: String::from_utf8_lossy(&bytes).into_owned() }),
        }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.integration.bot_token().map_or("", |token| token.expose()))
    }
}

/// Whether the token lacks the scope to post.
fn is_without_the_right_to_post(reason: &Reason) -> bool {
    matches!(&reason.error, Some(SlackError::MissingScope { needed }) if needed.starts_with("chat:write"))
}

/// DNS, TCP, TLS, the proxy, a time-out or an answer that isn't HTTP: all may mend by themselves.
fn transport(error: &ureq::Error) -> Outcome {
    let reason = match error {
        ureq::Error::HostNotFound => "the host name can't be resolved".to_owned(),
        ureq::Error::Timeout(which) => format!("timed out ({which})"),
        other => other.to_string(),
    };
    Outcome::Temporary { reason: brief(&reason).into(), slow: false }
}

/// The proxy the configuration names, else the environment's, as curl reads it: `HTTPS_PROXY` for https only, lower
/// case first, `ALL_PROXY` last, exceptions in `NO_PROXY`.
fn proxy(integration: &Integration, env: &Environment) -> Result<Option<ureq::Proxy>, ClientError> {
    let unusable = |e: ureq::Error| ClientError::Proxy(brief(&e.to_string()));
    let url = match &integration.proxy {
        Proxy::None => return Ok(None),
        Proxy::Url(url) => return ureq::Proxy::new(url.expose()).map(Some).map_err(unusable),
        Proxy::FromEnvironment => {
            let target = integration.webhook_url().filter(|_| integration.bot_token().is_none());
            let is_https = target.map_or(integration.api_url.as_str(), |url| url.expose()).starts_with("https:");
            let names: &[&str] = if is_https { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
            let names = names.iter().chain(&["all_proxy", "ALL_PROXY"]);
            names.filter_map(|name| env.get(name)).find(|value| !value.is_empty())
        }
    };
    let Some(url) = url else {
        return Ok(None);
    };
    let parsed = ureq::Proxy::new(&url).map_err(unusable)?;
    let exceptions = env.get("no_proxy").or_else(|| env.get("NO_PROXY")).unwrap_or_default();
    let mut builder = ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for exception in exceptions.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        builder = builder.no_proxy(exception);
    }
    builder.build().map(Some).map_err(unusable)
}

#[cfg(test)]
mod tests;
