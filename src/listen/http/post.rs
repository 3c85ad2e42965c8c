//! Common to all POST requests: reading the body, a place among those in progress, and the refusal.

use super::body::{self, BodyError};
use super::connections::ConnectionSlot;
use super::reply::{Reply, status};
use super::{Peer, Shared};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use std::fmt::Display;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// A POST request.
pub(super) struct Post<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) slot: &'a ConnectionSlot,
    pub(super) started: Instant,
}

impl Post<'_> {
    /// The body, or the refusal that answers it. `too_large`: the refusal's reason.
    pub(super) async fn read(
        &self,
        bytes_max: usize,
        too_large: &'static str,
        body: Incoming,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Box<Reply>> {
        let read = body::read(&self.shared.big_bodies, bytes_max, body).await;
        read.map_err(|e| {
            Box::new(match e {
                BodyError::TooLarge => self.refuse(413, "oversized", format_args!("reason={too_large:?}")),
                BodyError::NoRoom => self.refuse(503, "no_room", "reason=\"too many large bodies at once\""),
                BodyError::Broken(e) => self.refuse(400, "broken_body", format_args!("reason={:?}", e.to_string())),
                BodyError::TooSlow => self.refuse(408, "slow", "reason=\"the body took too long\""),
            })
        })
    }

    /// A permit to be in progress; the refusal when there are too many requests.
    pub(super) fn permit(&self) -> Result<OwnedSemaphorePermit, Box<Reply>> {
        Arc::clone(&self.shared.in_progress).try_acquire_owned().map_err(|_| {
            Box::new(self.refuse(503, "too_many", "reason=\"requests come faster than they are handled\""))
        })
    }

    /// Counts and logs a rejected request. `kind`: of the metrics.
    pub(super) fn refuse(&self, code: u16, kind: &'static str, detail: impl Display) -> Reply {
        self.shared.stats.log_rejected(kind, format_args!("from={} {detail}", self.peer));
        let mut reply = status(code);
        if code != 200 {
            // Nothing that follows on this connection is worth reading.
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}
