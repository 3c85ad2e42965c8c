//! Replies that only one person sees, sent by a thread of their own so that nothing waits for Slack.

use super::access_lookup::AccessLookup;
use super::request::Requester;
use super::response_url::leads_to_slack;
use crate::config::Config;
use crate::model::outcome::Outcome;
use crate::slack::api::Client;
use crate::slack::mrkdwn;
use log::warn;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// How many replies may wait.
const WAITING_MAX: usize = 256;
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);

/// A reply that is of use now only: it isn't kept.
struct EphemeralReply {
    config: Arc<Config>,
    requester: Requester,
    text: String,
}

/// Hands replies to the thread.
#[derive(Clone)]
pub(super) struct EphemeralSender {
    replies: SyncSender<EphemeralReply>,
    /// How many replies aren't sent yet.
    pending: Arc<AtomicUsize>,
}

impl EphemeralSender {
    /// Starts the thread.
    pub(super) fn start(lookup: AccessLookup) -> std::io::Result<Self> {
        let (replies, inbox) = sync_channel(WAITING_MAX);
        let pending = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&pending);
        Builder::new().name("ephemeral-reply".into()).spawn(move || send_all(&inbox, &counter, lookup))?;
        Ok(Self { replies, pending })
    }

    pub(super) fn send(&self, config: &Arc<Config>, requester: &Requester, text: &str) {
        let reply = EphemeralReply { config: Arc::clone(config), requester: requester.clone(), text: text.to_owned() };
        self.pending.fetch_add(1, Ordering::Relaxed);
        if self.replies.try_send(reply).is_err() {
            self.pending.fetch_sub(1, Ordering::Relaxed);
            warn!("too many replies at once user={:?} dropped=reply text={text:?}", requester.user);
        }
    }

    /// Whether a reply waits to be sent.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > 0
    }
}

/// Sends each reply, until the process ends.
fn send_all(inbox: &Receiver<EphemeralReply>, pending: &AtomicUsize, mut lookup: AccessLookup) {
    while let Ok(EphemeralReply { config, requester, text }) = inbox.recv() {
        lookup.reconfigure(&config);
        match send_ephemeral(&mut lookup, &requester, &text) {
            Outcome::Delivered(_) => {}
            outcome => {
                let user = &requester.user;
                warn!("can't send a reply user={user:?} dropped=reply text={text:?} reason={:?}", outcome.reason());
            }
        }
        pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends a reply through the response URL; without one, to the channel where the person is.
pub(super) fn send_ephemeral(lookup: &mut AccessLookup, requester: &Requester, text: &str) -> Outcome {
    let text = mrkdwn::plain(text);
    let url = own_url(&lookup.config(), requester);
    let Some(client) = lookup.client(&requester.integration) else {
        return Outcome::TokenNever { reason: "the integration is gone".into() };
    };
    if let Some(url) = url {
        let message = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
        return client.respond(&url, &message, BUDGET);
    }
    match &requester.channel {
        Some(channel) => {
            let message = json!({ "channel": channel, "user": requester.user, "text": text });
            call(client, "chat.postEphemeral", &message)
        }
        None => call(client, "chat.postMessage", &json!({ "channel": requester.user, "text": text })),
    }
}

/// The response URL, if it leads to Slack: otherwise the listener would be an open relay.
pub(super) fn own_url(config: &Config, requester: &Requester) -> Option<String> {
    let integration = config.integrations.iter().find(|found| found.name == requester.integration)?;
    requester.response_url.clone().filter(|url| leads_to_slack(url, &integration.api_url))
}

fn call(client: &Client, method: &str, arguments: &Value) -> Outcome {
    match client.call(method, arguments, BUDGET) {
        Ok(_) => Outcome::Delivered(None),
        Err(outcome) => outcome,
    }
}
