//! One request: where it goes, whether it is believed, what it is answered.

use super::connections::Place;
use super::{BODY_WITHIN, Handlers, Peer, Shared, lock, message_api};
use crate::config::INSTALL_PATH;
use crate::flow::callback::http_reply::{Answer, Body};
use crate::listen::oauth::{Shown, Step, policy};
use crate::rules::manifest::REDIRECT_PATH;
use crate::rules::verify::{Proof, Refusal, Signer, Verified, verify};
use crate::system::clock;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

/// Slack's largest are views, up to 250 kB (<https://docs.slack.dev/surfaces/modals>).
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Up to this size every connection may have a body in memory.
const BODY_SMALL_BYTES: usize = 32 * 1024;
/// How many larger ones may be in memory at once: strangers could send them, too.
pub(super) const BIG_BODIES_MAX: usize = 8;
/// Slack waits 3 s (<https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response>); the rest
/// is for the way.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// An exchange with Slack, and a little.
const INSTALL_WITHIN: Duration = Duration::from_secs(20);

const METRICS_REMEDY: &str = "[listen] metrics = \"all\" answers everybody";

pub(super) type Reply = Response<Full<Bytes>>;

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    /// Slack's requests; for one integration when it is named.
    Callback(Option<&'a str>),
    /// What other programs hand in.
    Intake,
    /// A browser begins to install an integration.
    Install(Option<&'a str>),
    /// It comes back from Slack.
    Installed,
    Health,
    Metrics,
}

impl Target<'_> {
    /// Slack calls it, or a browser that Slack sends.
    fn is_slacks(&self) -> bool {
        matches!(self, Self::Callback(_) | Self::Install(_) | Self::Installed)
    }
}

fn target(path: &str) -> Option<Target<'_>> {
    match path {
        "/slack/request" | "/webhooks/slack" => Some(Target::Callback(None)),
        "/v1/webhook" => Some(Target::Intake),
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

/// Answers whatever comes; hyper itself has answered what isn't HTTP.
pub(super) async fn answer(
    shared: Arc<Shared>,
    peer: Peer,
    place: Arc<Place>,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    let (head, body) = request.into_parts();
    let is_get = matches!(head.method, Method::GET | Method::HEAD);
    let target = target(head.uri.path());
    // A socket of this machine is no way for Slack or a browser.
    let target = target.filter(|target| matches!(peer, Peer::Network(_)) || !target.is_slacks());
    Ok(match target {
        Some(Target::Callback(name)) if head.method == Method::POST => {
            let visit = Visit { shared: &shared, peer, place: &place, started: Instant::now() };
            visit.callback(name, &head.headers, body).await
        }
        Some(Target::Intake) if head.method == Method::POST => {
            let visit = Visit { shared: &shared, peer, place: &place, started: Instant::now() };
            visit.intake(&head.headers, body).await
        }
        // Slack probes a slash command's address so at times.
        Some(Target::Callback(_)) if is_get && head.uri.query().is_some_and(is_ssl_check) => status(200),
        Some(Target::Install(name)) if head.method == Method::GET => {
            install(&shared, &place, Step::Begin(name.map(str::to_owned)), &head.headers).await
        }
        Some(Target::Installed) if head.method == Method::GET => {
            let query = head.uri.query().unwrap_or_default().to_owned();
            install(&shared, &place, Step::Finish(query), &head.headers).await
        }
        Some(Target::Health | Target::Metrics)
            if is_get && !lock(&shared.access).metrics_for_all && !message_api::is_asked_here(peer, &head.headers) =>
        {
            shared.strangers.tell("not_local", format_args!("from={peer} remedy={METRICS_REMEDY}"));
            status(403)
        }
        Some(Target::Health) if is_get => health(&shared).await,
        Some(Target::Metrics) if is_get => metrics(&shared).await,
        Some(target) => {
            shared.strangers.count("wrong_method");
            let allowed = match target {
                Target::Callback(_) | Target::Intake => "POST",
                Target::Install(_) | Target::Installed => "GET",
                Target::Health | Target::Metrics => "GET, HEAD",
            };
            let mut reply = status(405);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            reply
        }
        None => {
            shared.strangers.count("unknown_path");
            status(404)
        }
    })
}

/// A POST to a callback path or to the intake.
pub(super) struct Visit<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) place: &'a Place,
    started: Instant,
}

impl Visit<'_> {
    async fn callback(&self, name: Option<&str>, headers: &HeaderMap, body: Incoming) -> Reply {
        let all = Arc::clone(&lock(&self.shared.signers));
        let signers: Vec<Signer> =
            all.iter().filter(|signer| name.is_none_or(|name| signer.integration == name)).cloned().collect();
        if let (Some(name), true) = (name, signers.is_empty()) {
            return self.refuse(404, "unknown_integration", format_args!("name={name}"));
        }
        let (bytes, room) = match timeout(BODY_WITHIN, read(&self.shared.big_bodies, BODY_BYTES_MAX, body)).await {
            Ok(Ok(read)) => read,
            Ok(Err(BodyError::TooLarge)) => return self.refuse(413, "oversized", "reason=body over 1 MiB"),
            Ok(Err(BodyError::NoRoom)) => return self.refuse(503, "no_room", "reason=too many large bodies at once"),
            Ok(Err(BodyError::Broken(e))) => return self.refuse(400, "broken_body", format_args!("reason={e}")),
            Err(_) => return self.refuse(408, "slow", "reason=the body took too long"),
        };
        if std::str::from_utf8(&bytes).is_ok_and(is_ssl_check) {
            self.shared.strangers.count("ssl_check");
            return status(200);
        }
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let now = clock::wall_ms() / 1000;
        let believed = {
            let mut guard = lock(&self.shared.guard);
            verify(bytes, Proof::Signature { headers: &headers, signers: &signers, now, guard: &mut guard })
        };
        if let Ok(age) = believed.as_ref().map(Verified::age).or_else(Refusal::age) {
            (self.shared.handlers.note_age)(age);
        }
        match believed {
            Ok(verified) => {
                self.place.set_busy(true);
                let reply = self.take(verified, room).await;
                self.place.set_busy(false);
                reply
            }
            Err(refusal @ Refusal::NoSecret) => {
                let remedy = "remedy=give the integration its signing_secret (the app's Basic Information page)";
                self.refuse(503, refusal.kind(), format_args!("reason={refusal} {remedy}"))
            }
            Err(refusal) => self.refuse(401, refusal.kind(), format_args!("reason={refusal}")),
        }
    }

    /// Hands a request on and answers in time, whatever becomes of it: once taken it is acted on to the end.
    async fn take(&self, verified: Verified, room: Option<OwnedSemaphorePermit>) -> Reply {
        let Ok(turn) = Arc::clone(&self.shared.taken).try_acquire_owned() else {
            return self.refuse(503, "too_many", "reason=requests come faster than they are taken");
        };
        let handlers = self.shared.handlers.clone();
        let integration = verified.integration().to_owned();
        let task = spawn_blocking(move || {
            let _held = (turn, room);
            take(&handlers, verified)
        });
        match timeout_at(self.started + ANSWER_WITHIN, task).await {
            Ok(Ok(answer)) => {
                self.shared.strangers.count("taken");
                reply(answer)
            }
            Ok(Err(_)) => self.refuse(500, "panicked", format_args!("integration={integration} reason=a bug")),
            Err(_) => {
                let what = "what=answered with nothing in time, it is still worked on";
                self.refuse(200, "late", format_args!("integration={integration} {what}"))
            }
        }
    }

    pub(super) fn refuse(&self, code: u16, kind: &'static str, detail: impl Display) -> Reply {
        self.shared.strangers.tell(kind, format_args!("from={} {detail}", self.peer));
        let mut reply = status(code);
        if code != 200 {
            // Nothing that follows on this connection is worth reading.
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

/// Why there is no whole body.
pub(super) enum BodyError {
    TooLarge,
    NoRoom,
    Broken(hyper::Error),
}

/// The whole body, and the room it takes if it is a large one.
pub(super) async fn read(
    rooms: &Arc<Semaphore>,
    most: usize,
    mut body: Incoming,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), BodyError> {
    // The length it announces: nothing is read of what is too long.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        return Err(BodyError::TooLarge);
    }
    let (mut bytes, mut room) = (Vec::with_capacity(announced.min(BODY_SMALL_BYTES)), None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
            continue;
        };
        let length = bytes.len() + data.len();
        if length > most {
            return Err(BodyError::TooLarge);
        }
        if length > BODY_SMALL_BYTES && room.is_none() {
            room = Some(Arc::clone(rooms).try_acquire_owned().map_err(|_| BodyError::NoRoom)?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, room))
}

/// Slack tries whether a slash command's address speaks TLS; nothing is signed or done
/// (<https://docs.slack.dev/interactivity/implementing-slash-commands>).
fn is_ssl_check(form: &str) -> bool {
    form.split('&').any(|field| field == "ssl_check=1")
}

/// What Slack asks before it sends events to an address
/// (<https://docs.slack.dev/reference/events/url_verification>).
#[derive(Deserialize)]
struct UrlVerification {
    r#type: String,
    challenge: String,
}

fn take(handlers: &Handlers, verified: Verified) -> Answer {
    match serde_json::from_slice::<UrlVerification>(verified.body()) {
        Ok(asked) if asked.r#type == "url_verification" => Answer::text(200, asked.challenge),
        _ => (handlers.take)(verified),
    }
}

/// Shows a browser the next step of an installation.
async fn install(shared: &Arc<Shared>, place: &Place, step: Step, headers: &HeaderMap) -> Reply {
    let Ok(turn) = Arc::clone(&shared.installing).try_acquire_owned() else {
        return reply(Answer::text(503, "somebody else is installing; try again in a moment\n"));
    };
    shared.strangers.count("install");
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let install = Arc::clone(&shared.handlers.install);
    place.set_busy(true);
    let task = spawn_blocking(move || {
        let _held = turn;
        install(step, &cookies)
    });
    let shown = timeout(INSTALL_WITHIN, task).await;
    place.set_busy(false);
    match shown {
        Ok(Ok(shown)) => shown_to_a_browser(shown),
        Ok(Err(_)) => status(500),
        Err(_) => reply(Answer::text(504, "no answer from Slack; try again\n")),
    }
}

fn shown_to_a_browser(shown: Shown) -> Reply {
    let (mut reply, own) = match shown {
        Shown::Elsewhere { to, cookie } => (status(302), vec![(LOCATION, to), (SET_COOKIE, cookie)]),
        Shown::Page { status: code, html } => {
            let mut reply = Response::new(Full::new(Bytes::from(html)));
            *reply.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (reply, vec![(CONTENT_TYPE, "text/html; charset=utf-8".to_owned())])
        }
    };
    // The query that brought the browser here holds a code: nobody is told where it came from, nothing is kept.
    let always = [
        (CONTENT_SECURITY_POLICY, policy()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    for (name, value) in always.into_iter().chain(own) {
        match HeaderValue::from_str(&value) {
            Ok(value) => drop(reply.headers_mut().insert(name, value)),
            Err(_) => return status(500),
        }
    }
    reply
}

async fn health(shared: &Shared) -> Reply {
    let health = Arc::clone(&shared.handlers.health);
    match timeout(ANSWER_WITHIN, spawn_blocking(move || health())).await {
        Ok(Ok(None)) => reply(Answer::text(200, "ok\n")),
        Ok(Ok(Some(problem))) => reply(Answer::text(503, format!("{problem}\n"))),
        Ok(Err(_)) | Err(_) => reply(Answer::text(503, "no answer from within\n")),
    }
}

async fn metrics(shared: &Shared) -> Reply {
    let metrics = Arc::clone(&shared.handlers.metrics);
    match timeout(ANSWER_WITHIN, spawn_blocking(move || metrics())).await {
        Ok(Ok(mut text)) => {
            let connections = shared.connections.count();
            text.push_str(&format!("# TYPE ackbell_http_connections gauge\nackbell_http_connections {connections}\n"));
            text.push_str(&shared.strangers.metrics());
            let mut reply = reply(Answer::text(200, text));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            reply.headers_mut().insert(CONTENT_TYPE, kind);
            reply
        }
        Ok(Err(_)) | Err(_) => status(503),
    }
}

pub(super) fn status(code: u16) -> Reply {
    reply(Answer { status: code, body: Body::Empty })
}

pub(super) fn reply(answer: Answer) -> Reply {
    let (kind, bytes) = match answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Text(text) => (Some("text/plain; charset=utf-8"), Bytes::from(text)),
        Body::Json(value) => (Some("application/json; charset=utf-8"), Bytes::from(value.to_string())),
    };
    let mut reply = Response::new(Full::new(bytes));
    *reply.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    reply
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
            ("/v1/webhook", Some(Target::Intake)),
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
