//! The dead man's switch, kept alive: `cores' state ─▶ what is due ─▶ keep ─▶ Slack ─▶ keep`.
//!
//! Run by a thread of the listener. What a step is about stands in the outbox before the call is made: killed at any
//! point, the next process asks Slack what lies there and goes on. So two messages can only come when this host dies
//! between a scheduled message and the deletion of the one before.

use crate::config::{Config, Core, DeadMan};
use crate::model::outcome::Outcome;
use crate::monitoring::error::ReadError;
use crate::monitoring::state;
use crate::rules::deadman::{Answer, Scheduled, Sent, Sight, Step, Switch};
use crate::rules::lease::Term;
use crate::rules::remedy::{Context, remedy};
use crate::slack::api::Client;
use crate::slack::deadman as text;
use crate::state_dir::listener_status::{StatusNote, StatusWriter};
use crate::state_dir::spool::Spool;
use crate::store::{Leadership, Store, StoreError};
use crate::system::clock::{SteadyClock, millis};
use crate::system::environment::Environment;
use log::{info, warn};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the cores.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// After a call that Slack refused or didn't answer.
const RETRY: Duration = Duration::from_secs(30);
/// For one call.
const BUDGET: Duration = Duration::from_secs(10);
/// Steps of one pass: more are a fault, and have time.
const STEPS_MAX: usize = 20;
/// So many pages of Slack's list are read.
const PAGES_MAX: usize = 10;
/// A message that Slack sent has its `ts` within this time of the one it was scheduled for, in seconds.
const LATENESS_MAX: i64 = 300;
const SECOND: i64 = 1000;

/// The state of the thread.
pub(crate) struct DeadManWorker {
    config: Arc<Config>,
    env: Environment,
    store: Store,
    status: StatusWriter,
    clock: SteadyClock,
    seen: BTreeMap<String, Sign>,
    /// Unix ms: no call before.
    not_before: i64,
    last_logged: String,
    /// The lease in whose name it calls.
    term: Option<Arc<Term>>,
}

/// A core's last sign of life.
#[derive(Debug, Clone, Copy)]
struct Sign {
    /// As the core wrote it, by its clock: only a change of it means something.
    written: i64,
    /// When the change was seen; Unix ms.
    at: i64,
}

impl DeadManWorker {
    pub(crate) fn new(
        config: Arc<Config>,
        env: Environment,
        (store, leadership): (Store, &Leadership),
        status: StatusWriter,
    ) -> Self {
        store.lead(Some(leadership));
        let (clock, term) = (SteadyClock::start(), leadership.term().cloned());
        let (seen, last_logged) = (BTreeMap::new(), String::new());
        Self { config, env, store, status, clock, seen, not_before: 0, last_logged, term }
    }

    /// Puts a changed configuration in force.
    pub(crate) fn reconfigure(&mut self, config: Arc<Config>) {
        self.config = config;
        self.not_before = 0;
    }

    /// Does what is due. Gives the time until the next pass; `None`: nothing is wanted and nothing lies at Slack.
    pub(crate) fn pass(&mut self) -> Result<Option<Duration>, StoreError> {
        let wanted = self.config.deadman.clone();
        let destination = wanted.as_ref().map(|wanted| self.destination(wanted));
        let mut rows = self.store.switches()?;
        if let Some(destination) =
            destination.as_ref().filter(|destination| rows.iter().all(|(known, _)| known != *destination))
        {
            rows.push((destination.clone(), Switch::default()));
        }
        if rows.is_empty() {
            self.status.update(|status| status.deadman = None);
            return Ok(None);
        }
        let sight = self.sight(wanted.as_ref().map_or(Duration::ZERO, |wanted| wanted.after));
        for (at, switch) in rows {
            if self.now() < self.not_before {
                break;
            }
            match wanted.as_ref().filter(|_| destination.as_ref() == Some(&at)) {
                Some(wanted) => self.keep_alive(&at, switch, wanted, &sight)?,
                None => self.take_back(&at, switch, &sight)?,
            }
        }
        Ok(Some(LOOK_INTERVAL))
    }

    fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    fn destination(&self, wanted: &DeadMan) -> [String; 2] {
        let first = || self.config.integrations.first().map(|integration| integration.name.clone());
        [wanted.integration.clone().or_else(first).unwrap_or_default(), wanted.channel.to_string()]
    }

    /// Looks at the cores. One whose state can't be read gives no sign; one of which nobody knows where its state is
    /// isn't watched.
    fn sight(&mut self, after: Duration) -> Sight {
        let now = self.now();
        let config = Arc::clone(&self.config);
        let mut ages = BTreeMap::new();
        for core in &config.cores {
            if let Some(at) = self.last_sign(core, now) {
                ages.insert(core.name.clone(), (now - at) / SECOND);
            }
        }
        if ages.is_empty() {
            ages.insert(String::new(), 0);
        }
        Sight { now: now / SECOND, ages, after: i64::try_from(after.as_secs()).unwrap_or(i64::MAX / 4) }
    }

    fn last_sign(&mut self, core: &Core, now: i64) -> Option<i64> {
        let known = self.seen.get(&core.name).copied();
        let written = match state::sign_of_life(core) {
            Ok(written) => Some(written),
            Err(ReadError::NoSource) => return None,
            // Perhaps the files are on another node's machine.
            Err(_) if self.term.is_some() && known.is_none() && !state::is_here(core) => return None,
            Err(_) => None,
        };
        let sign = match (written, known) {
            (Some(written), Some(known)) if written != known.written => Sign { written, at: now },
            (_, Some(known)) => known,
            // The first look: the file of a core that is dead is old. A time that lies ahead means nothing.
            (Some(written), None) => Sign { written, at: written.saturating_mul(SECOND).min(now) },
            (None, None) => Sign { written: 0, at: now },
        };
        self.seen.insert(core.name.clone(), sign);
        Some(sign.at)
    }

    fn keep_alive(
        &mut self,
        destination: &[String; 2],
        mut switch: Switch,
        wanted: &DeadMan,
        sight: &Sight,
    ) -> Result<(), StoreError> {
        let mut listed = false;
        for _ in 0..STEPS_MAX {
            // What came while nobody was heard of is counted, so it must be in the outbox.
            let waits =
                |step: &Step| matches!(step, Step::Correct(_)) && !Spool::new(&self.config.state_dir).is_empty();
            let Some(step) = switch.next(sight, listed).filter(|step| !waits(step)) else {
                self.status.update(|status| status.deadman = None);
                self.last_logged.clear();
                return Ok(());
            };
            if !self.do_step(destination, &mut switch, &step, sight, &wanted.name)? {
                return Ok(());
            }
            listed = step == Step::List;
        }
        Ok(())
    }

    /// The configuration has no switch there any more: nothing of it may be sent.
    fn take_back(&mut self, destination: &[String; 2], mut switch: Switch, sight: &Sight) -> Result<(), StoreError> {
        for _ in 0..STEPS_MAX {
            let Some(step) = switch.next_of_end(sight.now) else {
                info!("dead man's switch taken back integration={} channel={}", destination[0], destination[1]);
                return self.store.drop_switch(destination);
            };
            if !self.do_step(destination, &mut switch, &step, sight, "")? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes one call, kept before and after; whether Slack answered.
    fn do_step(
        &mut self,
        destination: &[String; 2],
        switch: &mut Switch,
        step: &Step,
        sight: &Sight,
        name: &str,
    ) -> Result<bool, StoreError> {
        switch.begin(step);
        self.store.keep_switch(destination, switch)?;
        let called = match self.client(&destination[0]) {
            Some(client) => self.call(&client, step, name, destination)?,
            None => Err(Outcome::TokenNever { reason: "the integration is gone, or has no bot token".into() }),
        };
        let (answer, is_done) = match called {
            Ok(answer) => (answer, true),
            Err(outcome) => (self.failed(&outcome), false),
        };
        switch.end(step, answer, sight);
        self.store.keep_switch(destination, switch)?;
        Ok(is_done)
    }

    fn client(&self, integration: &str) -> Option<Client> {
        let found = self.config.integrations.iter().find(|known| known.name == integration && known.enabled)?;
        Client::new(found, &self.env).ok().filter(Client::has_token).map(|client| client.within(self.term.clone()))
    }

    fn call(
        &self,
        client: &Client,
        step: &Step,
        name: &str,
        [_, channel]: &[String; 2],
    ) -> Result<Result<Answer, Outcome>, StoreError> {
        Ok(match step {
            Step::List => list(client).map(Answer::Listed),
            Step::Schedule(message) => {
                let text = text::silent(name, message.since);
                let call =
                    json!({ "channel": channel.trim_start_matches('#'), "post_at": message.post_at, "text": text });
                client.call("chat.scheduleMessage", &call, BUDGET).map(|answer| Answer::Scheduled {
                    id: string(&answer["scheduled_message_id"]),
                    channel: string(&answer["channel"]),
                })
            }
            Step::Delete(message) => {
                let call = json!({ "channel": message.channel, "scheduled_message_id": message.id });
                match client.call("chat.deleteScheduledMessage", &call, BUDGET) {
                    Ok(_) => Ok(Answer::Deleted),
                    Err(e) if e.reason().code() == Some("invalid_scheduled_message_id") => Ok(Answer::Gone),
                    Err(e) => Err(e),
                }
            }
            Step::Correct(sent) => {
                let mut sent = sent.clone();
                if sent.message.channel.is_empty() {
                    // Slack's answer was lost with the process that scheduled it: only our own name of the channel is known.
                    channel.clone_into(&mut sent.message.channel);
                }
                self.correct(client, &sent, name)?
            }
        })
    }

    /// Edits the message that Slack sent where the app may look for it; else a message of its own says that it is over.
    fn correct(&self, client: &Client, sent: &Sent, name: &str) -> Result<Result<Answer, Outcome>, StoreError> {
        let now = self.now();
        let late = self.store.received_between(sent.message.since.saturating_mul(SECOND), now)?;
        let text = text::over(name, sent.message.since, now / SECOND, late);
        Ok(say_over(client, &sent.message, &text, name).map(|()| Answer::Corrected))
    }

    fn failed(&mut self, outcome: &Outcome) -> Answer {
        if let Outcome::Unsure { after } = outcome {
            self.not_before = self.now().saturating_add(millis(*after));
            return Answer::Refused;
        }
        let wait = match outcome {
            Outcome::Wait { after } => *after,
            _ => RETRY,
        };
        self.not_before = self.now().saturating_add(millis(wait));
        let reason = outcome.reason();
        let remedy = remedy(reason.error.as_ref(), Context::DeadMan).unwrap_or_default();
        let sentence = if remedy.is_empty() { reason.text.clone() } else { format!("{}; {remedy}", reason.text) };
        if self.last_logged != sentence {
            warn!("dead man's switch not renewed reason={sentence:?} action=retry");
            self.last_logged.clone_from(&sentence);
        }
        self.status.update(|status| {
            let before = status.deadman.take().filter(|failure| failure.reason == sentence);
            status.deadman = Some(before.unwrap_or_else(|| StatusNote::now(sentence)));
        });
        if matches!(outcome, Outcome::Temporary { .. }) { Answer::Unknown } else { Answer::Refused }
    }
}

/// Says that the silence is over.
fn say_over(client: &Client, message: &Scheduled, text: &str, name: &str) -> Result<(), Outcome> {
    let done = match find(client, message, name)? {
        Some(ts) => client.update(&message.channel, &ts, json!({ "text": text }), BUDGET),
        None => client.post(Some(&message.channel), json!({ "text": text }), BUDGET),
    };
    match done {
        Outcome::Delivered(_) => Ok(()),
        // Somebody deleted it meanwhile.
        Outcome::PostAnew { .. } => match client.post(Some(&message.channel), json!({ "text": text }), BUDGET) {
            Outcome::Delivered(_) => Ok(()),
            other => Err(other),
        },
        other => Err(other),
    }
}

/// Every message of ours that lies at Slack (<https://docs.slack.dev/reference/methods/chat.scheduledMessages.list>).
fn list(client: &Client) -> Result<Vec<Scheduled>, Outcome> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let call = json!({ "limit": 100, "cursor": cursor });
        let answer = client.call("chat.scheduledMessages.list", &call, BUDGET)?;
        found.extend(answer["scheduled_messages"].as_array().into_iter().flatten().map(|message| Scheduled {
            id: string(&message["id"]),
            channel: string(&message["channel_id"]),
            post_at: message["post_at"].as_i64().unwrap_or_default(),
            since: 0,
        }));
        cursor = string(&answer["response_metadata"]["next_cursor"]);
        if cursor.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// The `ts` of the message that Slack sent, if the app may read the channel: Slack never says it otherwise.
fn find(client: &Client, message: &Scheduled, name: &str) -> Result<Option<String>, Outcome> {
    let (oldest, latest) = ((message.post_at - 1).to_string(), (message.post_at + LATENESS_MAX).to_string());
    let query = [("channel", message.channel.as_str()), ("oldest", &oldest), ("latest", &latest), ("limit", "15")];
    let answer = match client.look_up("conversations.history", &query, BUDGET) {
        Ok(answer) => answer,
        Err(Outcome::Temporary { reason, slow: false }) => return Err(Outcome::Temporary { reason, slow: false }),
        // Without the scope, or not a member.
        Err(_) => return Ok(None),
    };
    let is_it = |found: &&Value| {
        let text = found["text"].as_str().unwrap_or_default();
        found["bot_id"].is_string() && text.contains(name) && text.contains(&format!("^{}^", message.since))
    };
    let messages = answer["messages"].as_array().into_iter().flatten();
    Ok(messages.rev().find(is_it).map(|found| string(&found["ts"])))
}

/// A text; Slack's ids of scheduled messages were numbers once, and still are in an example of its pages.
fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.as_i64().map(|number| number.to_string()).unwrap_or_default(), str::to_owned)
}
