//! Writes another program's message into the spool: the 204 means that the message survives a crash of the machine.

use crate::config::Config;
use crate::flow::callback::http_reply::{HttpReply, ReplyBody};
use crate::listen::message_api::message::parse;
use crate::model::incoming::Incoming;
use crate::state_dir::spool::{Entry, Spool};
use crate::state_dir::wake;
use crate::system::clock;
use log::{error, info};
use std::path::PathBuf;

/// The way into the spool.
#[derive(Debug)]
pub(in crate::listen) struct MessageApi {
    spool: Spool,
    runtime_dir: PathBuf,
}

impl MessageApi {
    pub(in crate::listen) fn new(config: &Config) -> Self {
        Self { spool: Spool::new(&config.state_dir), runtime_dir: config.runtime_dir.clone() }
    }

    /// Accepts one body. A message whose key was seen before is kept and answered like any other: the outbox, which
    /// remembers the keys, drops it.
    pub(in crate::listen) fn submit(&self, bytes: &[u8], key: Option<&str>) -> HttpReply {
        let now = clock::wall_ms();
        let fresh = format!("{:016x}{:016x}", clock::random(), clock::random());
        let message = match parse(bytes, key, &fresh, now / 1000) {
            Ok(message) => message,
            Err(refusal) => return HttpReply::text(400, format!("{refusal}\n")),
        };
        let to = message.to.clone();
        match self.spool.put(&Entry { received: now, incoming: Incoming::DirectMessage(message) }) {
            Ok(id) => {
                wake::hint(&self.runtime_dir);
                info!("message accepted id={id} to={to:?}");
                HttpReply { status: 204, body: ReplyBody::Empty }
            }
            Err(e) => {
                error!("message not kept reason={:?} answer=503", e.to_string());
                HttpReply::text(503, "the message can't be kept just now; send it again\n")
            }
        }
    }
}
