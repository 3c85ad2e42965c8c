//! Routes one request, verifies its signature, and replies.

use super::access::is_asked_here;
use super::connections::ConnectionSlot;
use super::post::Post;
use super::reply::{self, Reply, reply, status};
use super::{Peer, Shared, lock};
use crate::config::INSTALL_PATH;
use crate::flow::callback::http_reply::HttpReply;
use crate::listen::endpoints::Endpoints;
use crate::listen::oauth::Step;
use crate::monitoring::relay::wire::{CORE_REQUEST_PATH, SPOOL_PATH};
use crate::rules::manifest::REDIRECT_PATH;
use crate::rules::verify::{Proof, Refusal, Signer, Verified, verify};
use crate::system::clock;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

/// Slack's largest are views, up to 250 kB (<https://docs.slack.dev/surfaces/modals>).
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Slack waits 3 s (<https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response>); the rest
/// is for the way.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// An exchange with Slack, and some time to spare.
const INSTALL_WITHIN: Duration = Duration::from_secs(20);

const METRICS_REMEDY: &str = "set [listen] metrics to all";

/// The endpoint behind a path.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    /// Slack's requests; for one integration when it is named.
    Callback(Option<&'a str>),
    /// Messages of other programs.
    Message,
    /// A relay hands in its spool.
    Spool,
    /// A relay asks for, takes or answers a request about its core.
    CoreRequest,
    /// A browser begins to install an integration.
    Install(Option<&'a str>),
    /// It comes back from Slack.
    Installed,
    Health,
    Metrics,
}

impl Target<'_> {
    /// Only Slack calls it, or a browser that Slack redirects, or a relay.
    fn is_remote(&self) -> bool {
        matches!(self, Self::Callback(_) | Self::Install(_) | Self::Installed | Self::Spool | Self::CoreRequest)
    }
}

fn target(path: &str) -> Option<Target<'_>> {
    match path {
        "/slack/request" | "/webhooks/slack" => Some(Target::Callback(None)),
        "/v1/webhook" => Some(Target::Message),
        SPOOL_PATH => Some(Target::Spool),
        CORE_REQUEST_PATH => Some(Target::CoreRequest),
        INSTALL_PATH => Some(Target::Install(None)),
        REDIRECT_PATH => Some(Target::Installed),
        "/healthz" => Some(Target::Health),
        "/metrics" => Some(Target::Metrics),
        _ => {
            let below = |start| path.strip_prefix(start).filter(|name: &&str| !name.is_empty()).map(Some);
            let callback = below("/slack/request/").map(Target::Callback);
            callback.or_else(|| below("/slack/install/").map(Target::Install))
        }
    }
}

/// Replies to any request; hyper itself has refused what isn't HTTP.
pub(super) async fn answer(
    shared: Arc<Shared>,
    peer: Peer,
    slot: Arc<ConnectionSlot>,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    let (head, body) = request.into_parts();
    let is_get = matches!(head.method, Method::GET | Method::HEAD);
    let target = target(head.uri.path());
    // Neither Slack nor a browser nor a relay comes through a socket of this machine.
    let target = target.filter(|target| matches!(peer, Peer::Network(_)) || !target.is_remote());
    Ok(match target {
        Some(Target::Callback(name)) if head.method == Method::POST => {
            let post = Post { shared: &shared, peer, slot: &slot, started: Instant::now() };
            post.callback(name, &head.headers, body).await
        }
        Some(Target::Message) if head.method == Method::POST => {
            let post = Post { shared: &shared, peer, slot: &slot, started: Instant::now() };
            post.message(&head.headers, body).await
        }
        Some(target @ (Target::Spool | Target::CoreRequest)) if head.method == Method::POST => {
            let post = Post { shared: &shared, peer, slot: &slot, started: Instant::now() };
            match target {
                Target::Spool => post.spool(&head.headers, body).await,
                _ => post.core_request(&head.headers, body).await,
            }
        }
        // Slack checks the certificate of a slash command's address this way at times.
        Some(Target::Callback(_)) if is_get && head.uri.query().is_some_and(is_ssl_check) => status(200),
        Some(Target::Install(name)) if head.method == Method::GET => {
            install(&shared, &slot, Step::Begin(name.map(str::to_owned)), &head.headers).await
        }
        Some(Target::Installed) if head.method == Method::GET => {
            let query = head.uri.query().unwrap_or_default().to_owned();
            install(&shared, &slot, Step::Finish(query), &head.headers).await
        }
        Some(Target::Health | Target::Metrics)
            if is_get && !lock(&shared.access).metrics_for_all && !is_asked_here(peer, &head.headers) =>
        {
            shared.stats.log_rejected("not_local", format_args!("from={peer} remedy={METRICS_REMEDY:?}"));
            status(403)
        }
        Some(Target::Health) if is_get => health(&shared).await,
        Some(Target::Metrics) if is_get => metrics(&shared).await,
        Some(target) => {
            shared.stats.count("wrong_method");
            let allowed = match target {
                Target::Callback(_) | Target::Message | Target::Spool | Target::CoreRequest => "POST",
                Target::Install(_) | Target::Installed => "GET",
                Target::Health | Target::Metrics => "GET, HEAD",
            };
            let mut reply = status(405);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            reply
        }
        None => {
            shared.stats.count("unknown_path");
            status(404)
        }
    })
}

impl Post<'_> {
    async fn callback(&self, name: Option<&str>, headers: &HeaderMap, body: Incoming) -> Reply {
        let all = Arc::clone(&lock(&self.shared.signers));
        let signers: Vec<Signer> =
            all.iter().filter(|signer| name.is_none_or(|name| signer.integration == name)).cloned().collect();
        if let (Some(name), true) = (name, signers.is_empty()) {
            return self.refuse(404, "unknown_integration", format_args!("name={name:?}"));
        }
        let (bytes, permit) = match self.read(BODY_BYTES_MAX, "body over 1 MiB", body).await {
            Ok(read) => read,
            Err(refusal) => return *refusal,
        };
        if std::str::from_utf8(&bytes).is_ok_and(is_ssl_check) {
            self.shared.stats.count("ssl_check");
            return status(200);
        }
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let now = clock::wall_ms() / 1000;
        let verified = {
            let mut guard = lock(&self.shared.guard);
            verify(bytes, Proof::Signature { headers: &headers, signers: &signers, now, guard: &mut guard })
        };
        if let Ok(age) = verified.as_ref().map(Verified::age).or_else(Refusal::age) {
            self.shared.endpoints.record_clock_skew(age);
        }
        match verified {
            Ok(verified) => {
                self.slot.set_busy(true);
                let reply = self.hand_on(verified, permit).await;
                self.slot.set_busy(false);
                reply
            }
            Err(refusal @ Refusal::NoSecret) => {
                let remedy = "remedy=\"set the integration's signing_secret (the app's Basic Information page)\"";
                self.refuse(503, refusal.kind(), format_args!("reason={:?} {remedy}", refusal.to_string()))
            }
            Err(refusal) => self.refuse(401, refusal.kind(), format_args!("reason={:?}", refusal.to_string())),
        }
    }

    /// Hands a request to its endpoint and replies in time. A late endpoint still finishes its work.
    async fn hand_on(&self, verified: Verified, permit: Option<OwnedSemaphorePermit>) -> Reply {
        let in_progress = match self.permit() {
            Ok(in_progress) => in_progress,
            Err(refusal) => return *refusal,
        };
        let endpoints = Arc::clone(&self.shared.endpoints);
        let integration = verified.integration().to_owned();
        let task = spawn_blocking(move || {
            let _permits = (in_progress, permit);
            slack_request(&endpoints, &verified)
        });
        match timeout_at(self.started + ANSWER_WITHIN, task).await {
            Ok(Ok(answer)) => {
                self.shared.stats.count("taken");
                reply(answer)
            }
            Ok(Err(_)) => self.refuse(500, "panicked", format_args!("integration={integration} reason=\"a bug\"")),
            Err(_) => self.refuse(200, "late", format_args!("integration={integration} reply=empty work=continues")),
        }
    }
}

/// Slack checks the certificate of a slash command's address; such a request isn't signed
/// (<https://docs.slack.dev/interactivity/implementing-slash-commands>).
fn is_ssl_check(form: &str) -> bool {
    form.split('&').any(|field| field == "ssl_check=1")
}

/// Slack's question before it sends events to an address
/// (<https://docs.slack.dev/reference/events/url_verification>).
#[derive(Deserialize)]
struct UrlVerification {
    r#type: String,
    challenge: String,
}

fn slack_request(endpoints: &Endpoints, verified: &Verified) -> HttpReply {
    match serde_json::from_slice::<UrlVerification>(verified.body()) {
        Ok(asked) if asked.r#type == "url_verification" => HttpReply::text(200, asked.challenge),
        _ => endpoints.slack_request(verified),
    }
}

/// Shows a browser the next step of an installation.
async fn install(shared: &Arc<Shared>, slot: &ConnectionSlot, step: Step, headers: &HeaderMap) -> Reply {
    let Ok(permit) = Arc::clone(&shared.installing).try_acquire_owned() else {
        return reply(HttpReply::text(503, "somebody else is installing; try again in a moment\n"));
    };
    shared.stats.count("install");
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let endpoints = Arc::clone(&shared.endpoints);
    slot.set_busy(true);
    let task = spawn_blocking(move || {
        let _permit = permit;
        endpoints.install(step, &cookies)
    });
    let page = timeout(INSTALL_WITHIN, task).await;
    slot.set_busy(false);
    match page {
        Ok(Ok(page)) => reply::page(page),
        Ok(Err(_)) => status(500),
        Err(_) => reply(HttpReply::text(504, "no answer from Slack; try again\n")),
    }
}

async fn health(shared: &Shared) -> Reply {
    let endpoints = Arc::clone(&shared.endpoints);
    match timeout(ANSWER_WITHIN, spawn_blocking(move || endpoints.problem())).await {
        Ok(Ok(None)) => reply(HttpReply::text(200, "ok\n")),
        Ok(Ok(Some(problem))) => reply(HttpReply::text(503, format!("{problem}\n"))),
        Ok(Err(_)) | Err(_) => reply(HttpReply::text(503, "the listener gave no answer\n")),
    }
}

async fn metrics(shared: &Shared) -> Reply {
    let endpoints = Arc::clone(&shared.endpoints);
    match timeout(ANSWER_WITHIN, spawn_blocking(move || endpoints.metrics())).await {
        Ok(Ok(mut text)) => {
            let connections = shared.connections.count();
            text.push_str(&format!("# TYPE ackbell_http_connections gauge\nackbell_http_connections {connections}\n"));
            text.push_str(&shared.stats.metrics());
            let mut reply = reply(HttpReply::text(200, text));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            reply.headers_mut().insert(CONTENT_TYPE, kind);
            reply
        }
        Ok(Err(_)) | Err(_) => status(503),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        for (path, expected) in [
            ("/slack/request", Some(Target::Callback(None))),
            ("/webhooks/slack", Some(Target::Callback(None))),
            ("/slack/request/second", Some(Target::Callback(Some("second")))),
            ("/healthz", Some(Target::Health)),
            ("/v1/webhook", Some(Target::Message)),
            ("/metrics", Some(Target::Metrics)),
            ("/slack/install", Some(Target::Install(None))),
            ("/slack/install/second", Some(Target::Install(Some("second")))),
            ("/slack_oauth", Some(Target::Installed)),
            ("/slack/install/", None),
            ("/slack/request/", None),
            ("/slack/requests", None),
            ("/", None),
            ("//healthz", None),
        ] {
            assert_eq!(target(path), expected, "{path}");
        }
    }

    #[test]
    fn an_ssl_check_is_told_from_a_command() {
        assert!(is_ssl_check("ssl_check=1&token=x") && is_ssl_check("token=x&ssl_check=1"));
        assert!(!is_ssl_check("text=ssl_check=1") && !is_ssl_check("ssl_check=0") && !is_ssl_check(""));
    }
}
