//! `reactions.*`.

use serde_json::json;

use super::state::State;
use super::web_api::{Call, Refusal, Reply};

/// The most different emoji on a message. <https://docs.slack.dev/reference/methods/reactions.add>
const REACTIONS_MAX: usize = 23;

/// Adds or takes away the bot's own reaction. <https://docs.slack.dev/reference/methods/reactions.add>
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    let name = call.text("name").ok_or_else(|| Refusal::missing("name"))?.to_owned();
    let channel = call.text("channel").ok_or_else(|| Refusal::missing("channel"))?;
    let ts = call.text("timestamp").ok_or_else(|| Refusal::new("no_item_specified"))?;
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_+-':".contains(&byte)) {
        return Err(Refusal::new("invalid_name"));
    }
    let found = state.workspace.channel(channel).ok_or_else(|| Refusal::new("channel_not_found"))?;
    if found.archived {
        return Err(Refusal::new("is_archived"));
    }
    let message = state.journal.message_mut(channel, ts).ok_or_else(|| Refusal::new("message_not_found"))?;
    let there = message.reactions.iter().position(|one| *one == name);
    match (call.method == "reactions.add", there) {
        (true, Some(_)) => Err(Refusal::new("already_reacted")),
        (true, None) if message.reactions.len() >= REACTIONS_MAX => Err(Refusal::new("too_many_emoji")),
        (true, None) => {
            message.reactions.push(name);
            Ok(json!({}))
        }
        (false, None) => Err(Refusal::new("no_reaction")),
        (false, Some(index)) => {
            message.reactions.remove(index);
            Ok(json!({}))
        }
    }
}
