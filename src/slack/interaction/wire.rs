//! The shapes on the wire. Only used fields are named, and every field may be missing or null.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// An object of which only the id counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) name: Option<String>,
    pub(super) team_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) ts: Option<String>,
    pub(super) thread_ts: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) message_ts: Option<String>,
    pub(super) channel_id: Option<String>,
}

/// The fields that the kinds of interaction have in common.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payload {
    pub(super) user: Option<User>,
    pub(super) team: Option<Named>,
    pub(super) channel: Option<Named>,
    pub(super) container: Option<Container>,
    pub(super) message: Option<Message>,
    pub(super) message_ts: Option<String>,
    pub(super) callback_id: Option<String>,
    pub(super) trigger_id: Option<String>,
    pub(super) response_url: Option<String>,
    pub(super) actions: Option<Vec<Element>>,
    pub(super) view: Option<WireView>,
}

/// A block element that was used, or an input of a view.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Element {
    pub(super) action_id: Option<String>,
    pub(super) block_id: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) action_ts: Option<String>,
    pub(super) url: Option<String>,
    pub(super) value: Option<String>,
    pub(super) selected_option: Option<Choice>,
    pub(super) selected_options: Option<Vec<Choice>>,
    pub(super) selected_date: Option<String>,
    pub(super) selected_time: Option<String>,
    pub(super) selected_date_time: Option<i64>,
    pub(super) selected_user: Option<String>,
    pub(super) selected_users: Option<Vec<String>>,
    pub(super) selected_channel: Option<String>,
    pub(super) selected_conversation: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireView {
    pub(super) id: Option<String>,
    pub(super) callback_id: Option<String>,
    pub(super) private_metadata: Option<String>,
    pub(super) state: Option<State>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) values: Option<BTreeMap<String, BTreeMap<String, Element>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Slash {
    pub(super) command: Option<String>,
    pub(super) text: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) user_name: Option<String>,
    pub(super) team_id: Option<String>,
    pub(super) channel_id: Option<String>,
    pub(super) trigger_id: Option<String>,
    pub(super) response_url: Option<String>,
}

/// The outer part of an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Callback {
    pub(super) event_id: Option<String>,
    pub(super) event_time: Option<i64>,
    pub(super) team_id: Option<String>,
    pub(super) event: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AppHome {
    pub(super) user: Option<String>,
    pub(super) tab: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReactionEvent {
    pub(super) user: Option<String>,
    pub(super) reaction: Option<String>,
    pub(super) item: Option<ReactionItem>,
}

/// A message; files had reactions once.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReactionItem {
    pub(super) channel: Option<String>,
    pub(super) ts: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Revoked {
    pub(super) tokens: Option<Tokens>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    pub(super) oauth: Option<Vec<String>>,
    pub(super) bot: Option<Vec<String>>,
}
