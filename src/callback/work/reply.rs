//! What a person is told privately: why not, or that it takes longer.

use super::{Worker, request_of};
use crate::callback::request::Asker;
use crate::callback::response_url::is_slacks;
use crate::clock;
use crate::slack::api::Client;
use crate::slack::mrkdwn;
use crate::slack::outcome::Outcome;
use crate::store::{Act, Stage, StoreError};
use log::warn;
use serde_json::{Value, json};
use std::time::Duration;

/// A response URL is good for half an hour (<https://docs.slack.dev/interactivity/handling-user-interaction>).
const REPLY_MS_MAX: i64 = 30 * 60 * 1000;
/// After so long without the core's word the person is told that it takes time.
const PATIENCE_MS: i64 = 3_000;
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);

impl Worker {
    /// Says what is to be said; whether something couldn't be said yet.
    pub(super) fn answer(&mut self) -> Result<bool, StoreError> {
        self.say_that_it_takes_time()?;
        let mut waits = false;
        for act in self.store.replies()? {
            let asker = request_of(&act)?.asker;
            let words = act.reply.clone().unwrap_or_default();
            match self.whisper(&asker, &words) {
                Outcome::Delivered(_) => self.store.reply_said(act.id)?,
                outcome if clock::wall_ms() - act.at.max(act.due.min(clock::wall_ms())) > REPLY_MS_MAX => {
                    warn!("a person wasn't told user={} words=\"{words}\" reason={outcome:?}", asker.user);
                    self.store.reply_said(act.id)?;
                }
                Outcome::Temporary { slow: false, .. } | Outcome::Wait { .. } => waits = true,
                outcome => {
                    warn!("a person can't be told user={} words=\"{words}\" reason={outcome:?}", asker.user);
                    self.store.reply_said(act.id)?;
                }
            }
        }
        Ok(waits)
    }

    fn say_that_it_takes_time(&mut self) -> Result<(), StoreError> {
        let now = clock::wall_ms();
        let waiting: Vec<Act> = self.store.acts(Stage::Sent, i64::MAX, 100)?;
        self.told.retain(|id| waiting.iter().any(|act| act.id == *id));
        for act in waiting.iter().filter(|act| act.parent.is_none() && now - act.at > PATIENCE_MS) {
            if self.told.insert(act.id) {
                let asker = request_of(act)?.asker;
                let _ =
                    self.whisper(&asker, "Sent to the monitoring core; the message changes once the core holds it.");
            }
        }
        Ok(())
    }

    /// Tells one person something that nobody else sees.
    fn whisper(&mut self, asker: &Asker, words: &str) -> Outcome {
        let text = mrkdwn::plain(words);
        if let Some(url) = self.own_url(asker) {
            let message = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
            return match self.clients.get(&asker.integration) {
                Some(client) => client.respond(&url, &message, BUDGET),
                None => gone(),
            };
        }
        let Some(client) = self.clients.get(&asker.integration) else {
            return gone();
        };
        match &asker.channel {
            Some(channel) => {
                let message = json!({ "channel": channel, "user": asker.user, "text": text });
                called(client, "chat.postEphemeral", &message)
            }
            None => called(client, "chat.postMessage", &json!({ "channel": asker.user, "text": text })),
        }
    }

    /// Replaces the message that was clicked.
    pub(super) fn respond(&mut self, asker: &Asker, mut message: Value) {
        message["replace_original"] = Value::from(true);
        if let Some(fields) = message.as_object_mut() {
            fields.remove("unfurl_links");
            fields.remove("unfurl_media");
        }
        let Some(url) = self.own_url(asker) else {
            return;
        };
        if let Some(client) = self.clients.get(&asker.integration) {
            match client.respond(&url, &message, BUDGET) {
                Outcome::Delivered(_) => {}
                outcome => warn!("the clicked message wasn't replaced user={} reason={outcome:?}", asker.user),
            }
        }
    }

    /// The response URL, if it leads to Slack: anything else would make an open relay of the listener.
    fn own_url(&self, asker: &Asker) -> Option<String> {
        let integration = self.config.integrations.iter().find(|found| found.name == asker.integration)?;
        asker.response_url.clone().filter(|url| is_slacks(url, &integration.api_url))
    }
}

fn called(client: &Client, method: &str, arguments: &Value) -> Outcome {
    match client.call(method, arguments, BUDGET) {
        Ok(_) => Outcome::Delivered(None),
        Err(outcome) => outcome,
    }
}

fn gone() -> Outcome {
    Outcome::TokenNever { reason: "the integration is gone".to_owned() }
}
