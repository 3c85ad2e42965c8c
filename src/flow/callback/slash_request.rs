//! A slash command, or a turned page, that waits for its answer.

use super::request::Requester;
use crate::config::Config;
use crate::rules::slash::Order;
use std::sync::Arc;

/// A person's request by the slash command.
pub(super) struct SlashRequest {
    pub(super) config: Arc<Config>,
    pub(super) requester: Requester,
    pub(super) order: Order,
    /// The first line of the page; 0 is the start of the list.
    pub(super) from: usize,
    /// The answer replaces the message that was clicked on.
    pub(super) replaces: bool,
    /// Its own identity: if Slack sends the request twice, it is done once.
    pub(super) key: String,
}
