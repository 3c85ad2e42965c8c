//! `POST /v1/webhook`: a message of another program.

use super::access::{Rejection, admit};
use super::lock;
use super::post::Post;
use super::reply::{Reply, reply, status};
use crate::listen::message_api::message::BODY_BYTES_MAX;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long the disk may take to make the message durable; after that the sender is asked to send it again.
const KEPT_WITHIN: Duration = Duration::from_secs(20);

impl Post<'_> {
    pub(super) async fn message(&self, headers: &HeaderMap, body: Incoming) -> Reply {
        let access = lock(&self.shared.access).clone();
        match admit(&access, self.peer, headers) {
            Ok(()) => {}
            Err(Rejection::NoToken) => {
                let mut reply =
                    self.refuse(401, "no_intake_token", "path=/v1/webhook reason=\"no token, or a wrong one\"");
                reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                return reply;
            }
            Err(Rejection::WrongUser) => {
                let remedy = "remedy=\"add that user to [listen] intake_users\"";
                return self.refuse(
                    403,
                    "not_theirs",
                    format_args!("path=/v1/webhook reason=\"another user\" {remedy}"),
                );
            }
            Err(Rejection::Closed) => {
                let remedy = "remedy=\"set [listen] intake_token, or use the socket intake in the runtime directory\"";
                return self.refuse(
                    403,
                    "closed",
                    format_args!("path=/v1/webhook reason=\"no token is set\" {remedy}"),
                );
            }
            Err(Rejection::NotLocal) => {
                let remedy = "remedy=\"set [listen] intake_token, and send it as `Authorization: Bearer TOKEN`\"";
                return self.refuse(
                    403,
                    "not_local",
                    format_args!("path=/v1/webhook reason=\"not this machine\" {remedy}"),
                );
            }
        }
        let (bytes, permit) = match self.read(BODY_BYTES_MAX, "body over 256 KiB", body).await {
            Ok(read) => read,
            Err(refusal) => return *refusal,
        };
        let in_progress = match self.permit() {
            Ok(in_progress) => in_progress,
            Err(refusal) => return *refusal,
        };
        let key = headers.get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
        let endpoints = Arc::clone(&self.shared.endpoints);
        self.slot.set_busy(true);
        let task = spawn_blocking(move || {
            let _permits = (in_progress, permit);
            endpoints.message(&bytes, key.as_deref())
        });
        let kept = timeout(KEPT_WITHIN, task).await;
        self.slot.set_busy(false);
        match kept {
            Ok(Ok(answer)) => {
                self.shared.stats.count(if answer.status == 204 { "handed_in" } else { "not_handed_in" });
                reply(answer)
            }
            Ok(Err(_)) => self.refuse(500, "panicked", "path=/v1/webhook reason=\"a bug\""),
            Err(_) => {
                self.shared.stats.log_rejected("late", "path=/v1/webhook reason=\"the disk takes too long\"");
                status(503)
            }
        }
    }
}
