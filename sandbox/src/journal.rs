//! What happened: requests, messages, violations, counts.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

use super::wire::Request;

/// How many requests are remembered; counts go on.
const REQUESTS_MAX: usize = 200_000;
/// How many violations are remembered; counts go on.
const VIOLATIONS_MAX: usize = 50_000;

/// How many earlier versions of a message are remembered.
const PAST_MAX: usize = 20;

/// One message as Slack would keep it.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub(super) received_ms: u64,
    pub(super) channel: String,
    pub(super) channel_name: String,
    pub(super) ts: String,
    pub(super) thread_ts: Option<String>,
    /// `webhook`, `web_api`, `response_url`, or the name of a compatible receiver.
    pub(super) via: &'static str,
    /// Who sees it, if only one person does.
    pub(super) ephemeral_for: Option<String>,
    pub(super) text: String,
    pub(super) blocks: Value,
    pub(super) attachments: Value,
    pub(super) metadata: Value,
    pub(super) edited: bool,
    pub(super) edits: u64,
    pub(super) deleted: bool,
    /// Shown in the channel too, although it is a reply.
    pub(super) broadcast: bool,
    /// Names of the bot's own reactions.
    pub(super) reactions: Vec<String>,
    /// What it was before each change: blocks and attachments, as a client shows them that missed the change.
    pub(super) past: Vec<(Value, Value)>,
    /// The request's arguments as they came.
    pub(super) raw: Value,
}

impl Message {
    /// Keeps what it is now, before a change.
    pub(super) fn remember(&mut self) {
        let (blocks, attachments) = (self.blocks.clone(), self.attachments.clone());
        if self.past.last() != Some(&(blocks.clone(), attachments.clone())) {
            self.past.push((blocks, attachments));
        }
        if self.past.len() > PAST_MAX {
            self.past.remove(0);
        }
    }

    /// Blocks and attachments, first as they are, then as they were, newest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let past = self.past.iter().rev().map(|(blocks, attachments)| (blocks, attachments));
        std::iter::once((&self.blocks, &self.attachments)).chain(past)
    }

    /// The message as the Web API shows it.
    pub(super) fn as_slack(&self, bot_user: &str) -> Value {
        let mut shown = json!({
            "type": "message", "user": bot_user, "bot_id": "B0SANDBOX", "app_id": "A0SANDBOX", "team": "T0SANDBOX",
            "text": self.text, "ts": self.ts,
        });
        let optional = [
            ("thread_ts", self.thread_ts.clone().map_or(Value::Null, Value::String)),
            ("blocks", self.blocks.clone()),
            ("attachments", self.attachments.clone()),
            ("metadata", self.metadata.clone()),
        ];
        for (key, value) in optional {
            if !value.is_null() {
                shown[key] = value;
            }
        }
        if self.via == "webhook" {
            shown["subtype"] = "bot_message".into();
            if let Some(fields) = shown.as_object_mut() {
                fields.remove("user");
            }
        }
        if !self.reactions.is_empty() {
            let row = |name: &String| json!({"name": name, "users": [bot_user], "count": 1});
            shown["reactions"] = self.reactions.iter().map(row).collect();
        }
        if self.edited {
            shown["edited"] = json!({"user": bot_user, "ts": self.ts});
        }
        shown
    }

    fn as_control(&self, seq: usize) -> Value {
        json!({
            "seq": seq, "received_ms": self.received_ms, "channel": self.channel, "channel_name": self.channel_name,
            "ts": self.ts, "thread_ts": self.thread_ts, "via": self.via, "ephemeral_for": self.ephemeral_for,
            "text": self.text, "blocks": self.blocks, "attachments": self.attachments, "metadata": self.metadata,
            "edited": self.edited, "edits": self.edits, "past": self.past, "deleted": self.deleted, "reply_broadcast": self.broadcast,
            "reactions": self.reactions, "raw": self.raw,
        })
    }
}

/// Everything that is remembered about the clients.
#[derive(Debug, Default)]
pub(super) struct Journal {
    messages: Vec<Message>,
    by_ts: HashMap<(String, String), usize>,
    requests: VecDeque<Value>,
    request_seq: u64,
    violations: Vec<Value>,
    violation_counts: BTreeMap<String, u64>,
    statuses: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    connections: u64,
    last_ts: (u64, u64),
}

impl Journal {
    /// Counts an accepted connection.
    pub(super) fn connected(&mut self) {
        self.connections += 1;
    }

    /// Numbers a request.
    pub(super) fn begin(&mut self) -> u64 {
        self.request_seq += 1;
        self.request_seq
    }

    /// Writes down how a request ended.
    pub(super) fn finish(&mut self, seq: u64, request: &Request, label: &str, outcome: &Outcome) {
        let headers: serde_json::Map<String, Value> =
            request.headers.iter().map(|(name, value)| (name.clone(), redacted(name, value).into())).collect();
        *self.statuses.entry(outcome.status.to_string()).or_default() += 1;
        if let Some(fault) = &outcome.fault {
            *self.faults.entry(fault.clone()).or_default() += 1;
        }
        if self.requests.len() == REQUESTS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(json!({
            "seq": seq, "method": request.method, "path": request.path, "query": request.query, "call": label,
            "channel": outcome.channel, "status": outcome.status, "error": outcome.error, "fault": outcome.fault,
            "received_ms": outcome.received_ms, "headers": headers, "body_length": request.body.len(),
        }));
    }

    /// Writes down what a client should not have done.
    pub(super) fn violate(&mut self, seq: u64, kind: &str, detail: impl Into<String>) {
        *self.violation_counts.entry(kind.to_owned()).or_default() += 1;
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(json!({"kind": kind, "detail": detail.into(), "seq": seq}));
        }
    }

    /// A ts that is later than every one before: seconds, a dot, a counter in steps of 100.
    pub(super) fn next_ts(&mut self, now_ms: u64) -> String {
        let (second, count) = self.last_ts;
        let now_second = now_ms / 1000;
        self.last_ts = if now_second > second {
            (now_second, 100)
        } else if count >= 999_900 {
            (second + 1, 100)
        } else {
            (second, count + 100)
        };
        format!("{}.{:06}", self.last_ts.0, self.last_ts.1)
    }

    /// Keeps a message.
    pub(super) fn store(&mut self, message: Message) {
        let key = (message.channel.clone(), message.ts.clone());
        self.by_ts.insert(key, self.messages.len());
        self.messages.push(message);
    }

    /// The message, unless it was deleted.
    pub(super) fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.any_message(channel, ts).filter(|message| !message.deleted)
    }

    /// The message, also if it was deleted.
    pub(super) fn any_message(&self, channel: &str, ts: &str) -> Option<&Message> {
        let index = self.by_ts.get(&(channel.to_owned(), ts.to_owned()))?;
        self.messages.get(*index)
    }

    /// The message, to be changed, unless it was deleted.
    pub(super) fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        let index = self.by_ts.get(&(channel.to_owned(), ts.to_owned()))?;
        self.messages.get_mut(*index).filter(|message| !message.deleted)
    }

    /// Every message that wasn't deleted, oldest first.
    pub(super) fn present(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.iter().filter(|message| !message.deleted)
    }

    /// What a channel holds and everyone sees, oldest first.
    pub(super) fn visible_in<'a>(&'a self, channel: &'a str) -> impl DoubleEndedIterator<Item = &'a Message> {
        self.messages
            .iter()
            .filter(move |message| message.channel == channel && !message.deleted && message.ephemeral_for.is_none())
    }

    /// Every message after `since`, for the control API.
    pub(super) fn messages_json(&self, since: usize) -> Value {
        let numbered = self.messages.iter().enumerate().skip(since);
        numbered.map(|(index, message)| message.as_control(index + 1)).collect()
    }

    /// The requests after `since`, for the control API.
    pub(super) fn requests_json(&self, since: u64) -> Value {
        self.requests.iter().filter(|request| request["seq"].as_u64() > Some(since)).cloned().collect()
    }

    /// The violations, for the control API.
    pub(super) fn violations_json(&self) -> Value {
        Value::Array(self.violations.clone())
    }

    /// The counts, for the control API.
    pub(super) fn stats_json(&self) -> Value {
        let edits: u64 = self.messages.iter().map(|message| message.edits).sum();
        json!({
            "requests": self.request_seq, "messages": self.messages.len(), "edits": edits,
            "deleted": self.messages.iter().filter(|message| message.deleted).count(),
            "statuses": self.statuses, "violations": self.violation_counts, "faults": self.faults,
            "early_retry": self.violation_counts.get("early_retry").copied().unwrap_or(0),
            "too_fast": self.violation_counts.get("too_fast").copied().unwrap_or(0),
            "connections": self.connections,
        })
    }

    /// Forgets everything but the last ts, which must stay unique.
    pub(super) fn clear(&mut self) {
        *self = Self { last_ts: self.last_ts, ..Self::default() };
    }
}

/// How a request ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// 0 when no status was sent.
    pub(super) status: u16,
    /// Slack's error word, or a webhook's refusal.
    pub(super) error: Option<String>,
    pub(super) fault: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) received_ms: u64,
}

/// A token is never shown whole, not even here.
fn redacted(name: &str, value: &str) -> String {
    if name != "authorization" {
        return value.to_owned();
    }
    let prefix: String = value.chars().take("Bearer xoxb-".len()).collect();
    format!("{prefix}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ts_is_later_than_the_one_before() {
        let mut journal = Journal::default();
        let mut last = journal.next_ts(1_548_261_231_000);
        assert_eq!(last, "1548261231.000100");
        for _ in 0..20_000 {
            let next = journal.next_ts(1_548_261_231_000);
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }

    #[test]
    fn a_token_is_redacted() {
        assert_eq!(redacted("authorization", "Bearer xoxb-1-secret"), "Bearer xoxb-…");
        assert_eq!(redacted("host", "a"), "a");
    }
}
