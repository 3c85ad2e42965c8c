//! Replies that only the person who asked sees: the reason of a failure, or that the core needs more time.

use super::{ActionWorker, IDLE_PAUSE, request_of};
use crate::flow::callback::ephemeral::{own_url, send_ephemeral};
use crate::flow::callback::request::Requester;
use crate::model::outcome::Outcome;
use crate::store::{ActionRequest, ActionState, StoreError};
use crate::system::clock;
use log::warn;
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// Between two tries to reply.
const REPLY_INTERVAL: Duration = Duration::from_secs(3);
/// A response URL works for half an hour (<https://docs.slack.dev/interactivity/handling-user-interaction>).
const REPLY_MS_MAX: i64 = 30 * 60 * 1000;
/// After so long without a confirmation the person learns that it takes time.
const PATIENCE_MS: i64 = 3_000;
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);

impl ActionWorker {
    /// Sends the replies; returns how long until there are more. Slack may take its time for each, so new requests go
    /// first, however many replies one person has to get.
    pub(in crate::flow::callback) fn reply(&mut self) -> Result<Duration, StoreError> {
        self.reply_that_it_takes_time()?;
        let mut waits = false;
        let mut sent: HashSet<(String, Option<String>, String)> = HashSet::new();
        for kept in self.store.unsent_replies()? {
            let requester = request_of(&kept)?.requester;
            let sentence = kept.reply.clone().unwrap_or_default();
            // A person who tapped again and again reads it once.
            if !sent.insert((requester.key(), requester.channel.clone(), sentence.clone())) {
                self.store.reply_sent(kept.id)?;
                continue;
            }
            if self.has_due_request()? {
                return Ok(Duration::ZERO);
            }
            match send_ephemeral(&mut self.lookup, &requester, &sentence) {
                Outcome::Delivered(_) => self.store.reply_sent(kept.id)?,
                outcome if clock::wall_ms() - kept.at.max(kept.due.min(clock::wall_ms())) > REPLY_MS_MAX => {
                    let user = &requester.user;
                    warn!(
                        "reply not sent in time user={user} dropped=reply text={sentence:?} reason={:?}",
                        outcome.reason()
                    );
                    self.store.reply_sent(kept.id)?;
                }
                Outcome::Temporary { slow: false, .. } | Outcome::Wait { .. } => waits = true,
                outcome => {
                    let user = &requester.user;
                    warn!(
                        "can't send a reply user={user} dropped=reply text={sentence:?} reason={:?}",
                        outcome.reason()
                    );
                    self.store.reply_sent(kept.id)?;
                }
            }
        }
        Ok(if waits { REPLY_INTERVAL } else { IDLE_PAUSE })
    }

    /// Whether a new request is due.
    fn has_due_request(&self) -> Result<bool, StoreError> {
        Ok(!self.store.requests(ActionState::New, clock::wall_ms(), 1)?.is_empty())
    }

    fn reply_that_it_takes_time(&mut self) -> Result<(), StoreError> {
        let now = clock::wall_ms();
        let waiting: Vec<ActionRequest> = self.store.requests(ActionState::Sent, i64::MAX, 100)?;
        self.informed.retain(|id| waiting.iter().any(|kept| kept.id == *id));
        for kept in waiting.iter().filter(|kept| kept.parent.is_none() && now - kept.at > PATIENCE_MS) {
            if self.informed.contains(&kept.id) {
                continue;
            }
            if self.has_due_request()? {
                break;
            }
            self.informed.insert(kept.id);
            let requester = request_of(kept)?.requester;
            let _ = send_ephemeral(
                &mut self.lookup,
                &requester,
                "Sent to the monitoring core; the message updates once the core confirms.",
            );
        }
        Ok(())
    }

    /// Replaces the message that was clicked.
    pub(super) fn respond(&mut self, requester: &Requester, mut message: Value) {
        message["replace_original"] = Value::from(true);
        if let Some(fields) = message.as_object_mut() {
            fields.remove("unfurl_links");
            fields.remove("unfurl_media");
        }
        let Some(url) = own_url(&self.lookup.config(), requester) else {
            return;
        };
        if let Some(client) = self.lookup.client(&requester.integration) {
            match client.respond(&url, &message, BUDGET) {
                Outcome::Delivered(_) => {}
                outcome => warn!("clicked message not replaced user={} reason={:?}", requester.user, outcome.reason()),
            }
        }
    }
}
