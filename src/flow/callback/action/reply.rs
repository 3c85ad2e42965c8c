//! What a person is told privately: why not, or that it takes longer.

use super::{REPLY_INTERVAL, REST, Worker, request_of};
use crate::flow::callback::request::Asker;
use crate::flow::callback::whisper::{own_url, whisper};
use crate::model::outcome::Outcome;
use crate::store::{ActionRequest, ActionState, StoreError};
use crate::system::clock;
use log::warn;
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// A response URL is good for half an hour (<https://docs.slack.dev/interactivity/handling-user-interaction>).
const REPLY_MS_MAX: i64 = 30 * 60 * 1000;
/// After so long without the core's word the person is told that it takes time.
const PATIENCE_MS: i64 = 3_000;
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);

impl Worker {
    /// Says what is to be said; how long until there is more to say. Slack may take its time for each: what somebody
    /// else wants of the core comes first, however much one person is to be told.
    pub(super) fn answer(&mut self) -> Result<Duration, StoreError> {
        self.say_that_it_takes_time()?;
        let mut waits = false;
        let mut said: HashSet<(String, Option<String>, String)> = HashSet::new();
        for act in self.store.unsent_replies()? {
            let asker = request_of(&act)?.asker;
            let words = act.reply.clone().unwrap_or_default();
            // Whoever tapped again and again reads it once.
            if !said.insert((asker.key(), asker.channel.clone(), words.clone())) {
                self.store.reply_sent(act.id)?;
                continue;
            }
            if self.is_wanted()? {
                return Ok(Duration::ZERO);
            }
            match whisper(&mut self.gate, &asker, &words) {
                Outcome::Delivered(_) => self.store.reply_sent(act.id)?,
                outcome if clock::wall_ms() - act.at.max(act.due.min(clock::wall_ms())) > REPLY_MS_MAX => {
                    warn!("a person wasn't told user={} words=\"{words}\" reason={outcome:?}", asker.user);
                    self.store.reply_sent(act.id)?;
                }
                Outcome::Temporary { slow: false, .. } | Outcome::Wait { .. } => waits = true,
                outcome => {
                    warn!("a person can't be told user={} words=\"{words}\" reason={outcome:?}", asker.user);
                    self.store.reply_sent(act.id)?;
                }
            }
        }
        Ok(if waits { REPLY_INTERVAL } else { REST })
    }

    /// Whether somebody wants something of a core.
    fn is_wanted(&self) -> Result<bool, StoreError> {
        Ok(!self.store.requests(ActionState::New, clock::wall_ms(), 1)?.is_empty())
    }

    fn say_that_it_takes_time(&mut self) -> Result<(), StoreError> {
        let now = clock::wall_ms();
        let waiting: Vec<ActionRequest> = self.store.requests(ActionState::Sent, i64::MAX, 100)?;
        self.told.retain(|id| waiting.iter().any(|act| act.id == *id));
        for act in waiting.iter().filter(|act| act.parent.is_none() && now - act.at > PATIENCE_MS) {
            if !self.is_wanted()? && self.told.insert(act.id) {
                let asker = request_of(act)?.asker;
                let _ = whisper(
                    &mut self.gate,
                    &asker,
                    "Sent to the monitoring core; the message changes once the core holds it.",
                );
            }
        }
        Ok(())
    }

    /// Replaces the message that was clicked.
    pub(super) fn respond(&mut self, asker: &Asker, mut message: Value) {
        message["replace_original"] = Value::from(true);
        if let Some(fields) = message.as_object_mut() {
            fields.remove("unfurl_links");
            fields.remove("unfurl_media");
        }
        let Some(url) = own_url(&self.gate.config(), asker) else {
            return;
        };
        if let Some(client) = self.gate.client(&asker.integration) {
            match client.respond(&url, &message, BUDGET) {
                Outcome::Delivered(_) => {}
                outcome => warn!("the clicked message wasn't replaced user={} reason={outcome:?}", asker.user),
            }
        }
    }
}
