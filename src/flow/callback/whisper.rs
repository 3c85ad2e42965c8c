//! Tells one person something that nobody else sees.

use super::gate::Gate;
use super::request::Asker;
use super::response_url::is_slacks;
use crate::config::Config;
use crate::model::notification::clean_line;
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

/// How many people may wait to be told something.
const WHISPERS_MAX: usize = 256;
/// For one call.
const BUDGET: Duration = Duration::from_secs(5);

/// Something that a person must know now: nothing of it is kept.
struct Whisper {
    config: Arc<Config>,
    asker: Asker,
    words: String,
}

/// Lets people be told something by a thread of its own, so that nothing waits for it.
#[derive(Clone)]
pub(super) struct Teller {
    whispers: SyncSender<Whisper>,
    /// How many people wait to be told something.
    untold: Arc<AtomicUsize>,
}

impl Teller {
    /// Starts the thread.
    pub(super) fn start(saying: Gate) -> std::io::Result<Self> {
        let (whispers, to_say) = sync_channel(WHISPERS_MAX);
        let untold = Arc::<AtomicUsize>::default();
        let waiting = Arc::clone(&untold);
        let _telling = Builder::new().name("telling".into()).spawn(move || whisper_all(&to_say, &waiting, saying))?;
        Ok(Self { whispers, untold })
    }

    pub(super) fn tell(&self, config: &Arc<Config>, asker: &Asker, words: &str) {
        let whisper = Whisper { config: Arc::clone(config), asker: asker.clone(), words: words.to_owned() };
        self.untold.fetch_add(1, Ordering::Relaxed);
        if self.whispers.try_send(whisper).is_err() {
            self.untold.fetch_sub(1, Ordering::Relaxed);
            warn!("too much to tell at once user={} words=\"{words}\"", clean_line(&asker.user));
        }
    }

    /// Whether somebody waits to be told something.
    pub(super) fn is_busy(&self) -> bool {
        self.untold.load(Ordering::Relaxed) > 0
    }
}

/// Says what comes, until nobody can say anything any more.
/// `waiting` counts those that weren't said.
fn whisper_all(inbox: &Receiver<Whisper>, waiting: &AtomicUsize, mut gate: Gate) {
    while let Ok(Whisper { config, asker, words }) = inbox.recv() {
        gate.reconfigure(&config);
        match whisper(&mut gate, &asker, &words) {
            Outcome::Delivered(_) => {}
            outcome => warn!("a person can't be told user={} words=\"{words}\" reason={outcome:?}", asker.user),
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Through the response URL; else where the person is.
pub(super) fn whisper(gate: &mut Gate, asker: &Asker, words: &str) -> Outcome {
    let text = mrkdwn::plain(words);
    let url = own_url(&gate.config(), asker);
    let Some(client) = gate.client(&asker.integration) else {
        return Outcome::TokenNever { reason: "the integration is gone".into() };
    };
    if let Some(url) = url {
        let message = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
        return client.respond(&url, &message, BUDGET);
    }
    match &asker.channel {
        Some(channel) => {
            let message = json!({ "channel": channel, "user": asker.user, "text": text });
            called(client, "chat.postEphemeral", &message)
        }
        None => called(client, "chat.postMessage", &json!({ "channel": asker.user, "text": text })),
    }
}

/// The response URL, if it leads to Slack: anything else would make an open relay of the listener.
pub(super) fn own_url(config: &Config, asker: &Asker) -> Option<String> {
    let integration = config.integrations.iter().find(|found| found.name == asker.integration)?;
    asker.response_url.clone().filter(|url| is_slacks(url, &integration.api_url))
}

fn called(client: &Client, method: &str, arguments: &Value) -> Outcome {
    match client.call(method, arguments, BUDGET) {
        Ok(_) => Outcome::Delivered(None),
        Err(outcome) => outcome,
    }
}
