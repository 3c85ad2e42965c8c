//! Scheduled messages. <https://docs.slack.dev/messaging/sending-and-scheduling-messages#scheduling>

use serde_json::{Value, json};

use super::content::Content;
use super::respond::Exchange;
use super::state::State;
use super::web_api::{Call, Refusal, Reply};
use super::workspace::Channel;

/// <https://docs.slack.dev/reference/methods/chat.scheduleMessage>
const AHEAD_MAX: i64 = 120 * 24 * 60 * 60;
/// So many in five minutes of one channel.
const IN_FIVE_MINUTES_MAX: usize = 30;
const FIVE_MINUTES: i64 = 5 * 60;
/// Later it can't be deleted any more. <https://docs.slack.dev/reference/methods/chat.deleteScheduledMessage>
const DELETABLE_UNTIL: i64 = 60;

/// The messages that lie there. They have no `ts` before they are sent, and nobody is told it then.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    waiting: Vec<Scheduled>,
    given: u64,
}

#[derive(Debug)]
struct Scheduled {
    id: String,
    channel: String,
    post_at: i64,
    created: i64,
    content: Content,
    args: Value,
}

fn seconds(exchange: &Exchange) -> i64 {
    i64::try_from(exchange.now_ms / 1000).unwrap_or(i64::MAX)
}

/// <https://docs.slack.dev/reference/methods/chat.scheduleMessage>
pub(super) fn add(state: &mut State, call: &Call, exchange: &Exchange, channel: &Channel, given: &Value) -> Reply {
    let now = seconds(exchange);
    let number = call.args["post_at"].as_i64().or_else(|| call.text("post_at").and_then(|text| text.parse().ok()));
    let post_at = number.ok_or_else(|| Refusal::new("invalid_time"))?;
    if post_at <= now {
        return Err(Refusal::new("time_in_past"));
    }
    if post_at - now > AHEAD_MAX {
        return Err(Refusal::new("time_too_far"));
    }
    let near = |other: &&Scheduled| other.channel == channel.id && (other.post_at - post_at).abs() < FIVE_MINUTES;
    if state.schedule.waiting.iter().filter(near).count() >= IN_FIVE_MINUTES_MAX {
        return Err(Refusal::new("restricted_too_many"));
    }
    let content = Content::read(given, exchange.seq, &mut state.journal)?;
    state.schedule.given += 1;
    let id = format!("Q{:010X}", state.schedule.given);
    let shown = json!({"text": call.args["text"], "type": "delayed_message", "bot_id": "B0SANDBOX"});
    let answer = json!({"channel": channel.id, "scheduled_message_id": id, "post_at": post_at, "message": shown});
    let (channel, args) = (channel.id.clone(), call.args.clone());
    state.schedule.waiting.push(Scheduled { id, channel, post_at, created: now, content, args });
    Ok(answer)
}

/// <https://docs.slack.dev/reference/methods/chat.deleteScheduledMessage>
pub(super) fn delete(state: &mut State, call: &Call, exchange: &Exchange) -> Reply {
    let channel = call.text("channel").ok_or_else(|| Refusal::missing("channel"))?;
    let id = call.text("scheduled_message_id").ok_or_else(|| Refusal::missing("scheduled_message_id"))?;
    state.workspace.channel(channel).ok_or_else(|| Refusal::new("channel_not_found"))?;
    let is_it = |other: &Scheduled| other.id == id && other.channel == channel;
    let found = state.schedule.waiting.iter().position(is_it);
    match found.filter(|at| state.schedule.waiting[*at].post_at - seconds(exchange) > DELETABLE_UNTIL) {
        Some(at) => {
            state.schedule.waiting.remove(at);
            Ok(json!({}))
        }
        None => Err(Refusal::new("invalid_scheduled_message_id")),
    }
}

/// <https://docs.slack.dev/reference/methods/chat.scheduledMessages.list>
pub(super) fn list(state: &State, call: &Call) -> Reply {
    let asked = call.text("channel");
    let wanted = |other: &&Scheduled| asked.is_none_or(|channel| other.channel == channel);
    let rows = state.schedule.waiting.iter().filter(wanted).map(Scheduled::as_slack).collect::<Vec<_>>();
    super::conversations::page(call, &rows, "scheduled_messages")
}

/// Sends those whose time has come. One with `metadata` never is, as Slack's page warns.
pub(super) fn send_due(state: &mut State) {
    let now_ms = state.clock.unix_ms();
    let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    let (due, waiting) = std::mem::take(&mut state.schedule.waiting).into_iter().partition(|one| one.post_at <= now);
    state.schedule.waiting = waiting;
    let mut due: Vec<Scheduled> = due;
    due.sort_by_key(|one| one.post_at);
    for one in due.into_iter().filter(|one| one.args["metadata"].is_null()) {
        let sent_ms = u64::try_from(one.post_at).unwrap_or(0) * 1000;
        let ts = state.journal.next_ts(sent_ms);
        let name = state.workspace.channel(&one.channel).map(|channel| channel.name.clone()).unwrap_or_default();
        let mut message = one.content.into_message("web_api", one.args);
        (message.received_ms, message.channel, message.channel_name, message.ts) = (sent_ms, one.channel, name, ts);
        state.journal.store(message);
    }
}

impl Schedule {
    /// What lies there, for the tests.
    pub(super) fn json(&self) -> Value {
        self.waiting.iter().map(Scheduled::as_slack).collect()
    }
}

impl Scheduled {
    fn as_slack(&self) -> Value {
        json!({"id": self.id, "channel_id": self.channel, "post_at": self.post_at, "date_created": self.created,
            "text": self.args["text"]})
    }
}
