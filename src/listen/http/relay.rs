//! `POST /v1/spool` and `POST /v1/core-request`: the relays of cores. The token says which core one speaks for; it is
//! looked at before a byte of the body is read.

use super::lock;
use super::post::Post;
use super::relay_calls::RelayCall;
use super::reply::{Reply, reply, status};
use crate::flow::callback::http_reply::HttpReply;
use crate::listen::relays::HandedIn;
use crate::monitoring::relay::wire::{BODY_BYTES_MAX, CLOCK_HEADER, Call, PROTOCOL, PROTOCOL_HEADER, VARS_HEADER};
use crate::monitoring::relay::{self, Speaker, Waiting};
use crate::system::secret::Secret;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long the disk may take to make a batch durable.
const KEPT_WITHIN: Duration = Duration::from_secs(20);
/// An answer of more bytes isn't read between two other requests.
const LARGE_BYTES: usize = 32 * 1024;
/// How long a call waits for a request. Less than a connection may take for its last request.
const WAIT: Duration = Duration::from_secs(10);

impl Post<'_> {
    /// A batch of spool files.
    pub(super) async fn spool(&self, headers: &HeaderMap, body: Incoming) -> Reply {
        let call = match self.relay(headers, "/v1/spool") {
            Ok(call) => call,
            Err(refusal) => return *refusal,
        };
        let (bytes, permit) = match self.read(BODY_BYTES_MAX, "batch over 9 MiB", body).await {
            Ok(read) => read,
            Err(refusal) => return *refusal,
        };
        let in_progress = match self.permit() {
            Ok(in_progress) => in_progress,
            Err(refusal) => return *refusal,
        };
        let clock = headers.get(CLOCK_HEADER).and_then(|clock| clock.to_str().ok()?.parse().ok());
        let ahead = relay::handed_in(&call.speaker, clock);
        let endpoints = Arc::clone(&self.shared.endpoints);
        self.slot.set_busy(true);
        let Ok(Ok(turn)) = timeout(KEPT_WITHIN, Arc::clone(&self.shared.handing_in).acquire_owned()).await else {
            return self.refuse(503, "too_many", "path=/v1/spool reason=\"other relays hand in\"");
        };
        let task = spawn_blocking(move || {
            let _permits = (in_progress, permit, turn);
            (endpoints.relays().hand_in(&call.speaker, ahead, &bytes), endpoints.relays().vars())
        });
        let kept = timeout(KEPT_WITHIN, task).await;
        self.slot.set_busy(false);
        let (handed_in, vars) = match kept {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => return self.refuse(500, "panicked", "path=/v1/spool reason=\"a bug\""),
            Err(_) => {
                self.shared.stats.log_rejected("late", "path=/v1/spool reason=\"the disk takes too long\"");
                return status(503);
            }
        };
        let mut reply = match handed_in {
            HandedIn::All => status(204),
            HandedIn::Without(named) => reply(HttpReply::text(400, named)),
            HandedIn::No(refusal, reason) => {
                self.shared.stats.count("not_handed_in");
                reply(HttpReply::text(refusal, reason))
            }
        };
        if let Ok(vars) = HeaderValue::from_str(&vars) {
            reply.headers_mut().insert(VARS_HEADER, vars);
        }
        reply
    }

    /// A relay asks for a request, takes one or answers it.
    pub(super) async fn core_request(&self, headers: &HeaderMap, body: Incoming) -> Reply {
        let call = match self.relay(headers, "/v1/core-request") {
            Ok(call) => call,
            Err(refusal) => return *refusal,
        };
        let (bytes, permit) = match self.read(BODY_BYTES_MAX, "answer over 9 MiB", body).await {
            Ok(read) => read,
            Err(refusal) => return *refusal,
        };
        let reply = self.called(&call.speaker, bytes).await;
        self.slot.set_busy(false);
        drop(permit);
        reply
    }

    async fn called(&self, speaker: &Speaker, bytes: Vec<u8>) -> Reply {
        let is_large = bytes.len() > LARGE_BYTES;
        // From text, as everything that a relay sends: a second reader would be part of the program.
        let parse = move || {
            let text = String::from_utf8(bytes).map_err(|e| e.to_string())?;
            serde_json::from_str::<Call>(&text).map_err(|e| e.to_string())
        };
        // Large answers are read where they stop nobody.
        let parsed = if is_large { spawn_blocking(parse).await.ok() } else { Some(parse()) };
        let Some(parsed) = parsed else {
            return self.refuse(500, "panicked", "path=/v1/core-request reason=\"a bug\"");
        };
        let call = match parsed {
            Ok(call) => call,
            Err(reason) => {
                return self.refuse(400, "broken_body", format_args!("path=/v1/core-request reason={reason:?}"));
            }
        };
        let given = match relay::called(speaker, call) {
            Some(Ok(given)) => Some(given),
            Some(Err(relay::Gone)) => return status(410),
            None => {
                let waiting = Waiting::new(speaker);
                let stays = self.shared.waiting_calls.try_acquire();
                self.slot.set_busy(stays.is_ok());
                let next = poll_fn(|context| waiting.next(context.waker()).map_or(Poll::Pending, Poll::Ready));
                let mut stopped = self.shared.stopped.clone();
                tokio::select! {
                    given = timeout(WAIT, next) => given.ok(),
                    _ = stopped.wait_for(|stop| *stop) => None,
                }
            }
        };
        match given.map(|given| serde_json::to_value(&given)) {
            Some(Ok(value)) => reply(HttpReply::json(value)),
            Some(Err(_)) | None => status(204),
        }
    }

    /// Whom the token speaks for.
    fn relay(&self, headers: &HeaderMap, path: &str) -> Result<RelayCall, Box<Reply>> {
        let (relays, needs_certificate) = {
            let access = lock(&self.shared.access);
            (Arc::clone(&access.relays), access.relays_need_certificate)
        };
        if needs_certificate && !self.slot.is_certified() {
            let detail = format_args!("path={path} reason=\"no client certificate\"");
            return Err(Box::new(self.refuse(403, "no_relay_certificate", detail)));
        }
        let shown = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let shown = match shown.split_at_checked("Bearer ".len()) {
            Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"Bearer ") => shown.trim_ascii(),
            _ => &b""[..],
        };
        let Some(speaker) = speaker_of(&relays, shown) else {
            let mut reply =
                self.refuse(401, "no_relay_token", format_args!("path={path} reason=\"no token, or a wrong one\""));
            reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Err(Box::new(reply));
        };
        let version = headers.get(PROTOCOL_HEADER).and_then(|version| version.to_str().ok()?.parse().ok());
        match version {
            Some(version) if (PROTOCOL.saturating_sub(1).max(1)..=PROTOCOL).contains(&version) => {
                self.shared.relay_calls.begin(speaker).ok_or_else(|| {
                    let core = &speaker.core;
                    let detail = format_args!("path={path} core={core:?} reason=\"too many calls with one token\"");
                    Box::new(self.refuse(429, "too_many_relay_calls", detail))
                })
            }
            version => {
                let version: u32 = version.unwrap_or(0);
                let core = &speaker.core;
                let detail = format_args!("path={path} core={core:?} reason=\"protocol {version}\"");
                self.shared.stats.log_rejected("relay_protocol", detail);
                let text = format!("the centre speaks protocol {PROTOCOL}, the relay {version}");
                Err(Box::new(reply(HttpReply::text(409, text))))
            }
        }
    }
}

/// Every token is compared, and each in constant time.
fn speaker_of<'a>(relays: &'a [(Speaker, Secret)], shown: &[u8]) -> Option<&'a Speaker> {
    let mut found = None;
    for (speaker, token) in relays {
        if bool::from(shown.ct_eq(token.expose().as_bytes())) {
            found = Some(speaker);
        }
    }
    found
}
