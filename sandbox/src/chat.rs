//! `chat.*`.

use serde_json::{Value, json};

use super::content::{Content, Unfit};
use super::respond::Exchange;
use super::state::State;
use super::web_api::{Call, Refusal, Reply, require};
use super::workspace::{BOT_USER, Channel};

/// What chat.postMessage knows. <https://docs.slack.dev/reference/methods/chat.postMessage>
const POST_FIELDS: [&str; 19] = [
    "channel",
    "text",
    "blocks",
    "attachments",
    "thread_ts",
    "reply_broadcast",
    "unfurl_links",
    "unfurl_media",
    "mrkdwn",
    "parse",
    "link_names",
    "username",
    "icon_url",
    "icon_emoji",
    "metadata",
    "markdown_text",
    "as_user",
    "user",
    "token",
];
/// chat.update takes less text than chat.postMessage. <https://docs.slack.dev/reference/methods/chat.update>
const UPDATE_TEXT_MAX: usize = 4_000;
/// <https://docs.slack.dev/reference/methods/chat.postMessage>
const MARKDOWN_TEXT_MAX: usize = 12_000;

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        if unfit.messages.is_empty() {
            Self::new(unfit.error)
        } else {
            Self::with_messages(unfit.error, &unfit.messages)
        }
    }
}

/// The structured arguments as structures, whether they came as JSON or in a form.
fn structured(call: &Call) -> Result<Value, Refusal> {
    let mut given = call.args.clone();
    let rows = [
        ("blocks", "invalid_blocks_format"),
        ("attachments", "invalid_attachments"),
        ("metadata", "invalid_metadata_format"),
    ];
    for (name, error) in rows {
        given[name] = call.structure(name).map_err(|()| Refusal::new(error))?.unwrap_or(Value::Null);
    }
    Ok(given)
}

/// The channel a message may be posted to.
fn postable(state: &State, exchange: &Exchange, call: &Call, scopes: &[String]) -> Result<Channel, Refusal> {
    call.text("channel").ok_or_else(|| Refusal::missing("channel"))?;
    let found = exchange.channel.as_deref().and_then(|id| state.workspace.channel(id));
    let found = found.ok_or_else(|| Refusal::new("channel_not_found"))?;
    if found.private && !found.member {
        return Err(Refusal::new("channel_not_found"));
    }
    if found.archived {
        return Err(Refusal::new("is_archived"));
    }
    if !found.member && require(scopes, &["chat:write.public"]).is_err() {
        return Err(Refusal::new("not_in_channel"));
    }
    match &found.refuses {
        Some(error) => Err(Refusal::new(error)),
        None => Ok(found.clone()),
    }
}

fn known_fields(state: &mut State, call: &Call, exchange: &Exchange, known: &[&str]) {
    for name in call.args.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(&name.as_str()) {
            state.journal.violate(exchange.seq, "unknown_field", format!("{}: {name}", call.method));
        }
    }
}

/// A ts is text: seconds, a dot, six digits.
pub(super) fn is_ts(ts: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    ts.split_once('.').is_some_and(|(seconds, rest)| digits(seconds) && digits(rest) && rest.len() == 6)
}

/// The parent of a reply; null and absent mean a message of its own.
pub(super) fn parent(
    state: &mut State,
    given: &Value,
    channel: &str,
    seq: u64,
) -> Result<Option<String>, &'static str> {
    if given.is_null() {
        return Ok(None);
    }
    let Some(ts) = given.as_str().filter(|ts| is_ts(ts)) else {
        state.journal.violate(seq, "bad_thread_ts", given.to_string());
        return Err("invalid_thread_ts");
    };
    let Some(found) = state.journal.message(channel, ts) else { return Err("thread_not_found") };
    if found.ephemeral_for.is_some() {
        return Err("cannot_reply_to_message");
    }
    match found.thread_ts.clone().filter(|thread| thread != ts) {
        Some(thread) => {
            state.journal.violate(seq, "thread_ts_of_a_reply", format!("{ts} is a reply to {thread}"));
            Ok(Some(thread))
        }
        None => Ok(Some(ts.to_owned())),
    }
}

/// <https://docs.slack.dev/reference/methods/chat.postMessage>
pub(super) fn post_message(state: &mut State, call: &Call, exchange: &Exchange, scopes: &[String]) -> Reply {
    known_fields(state, call, exchange, &POST_FIELDS);
    if ["username", "icon_url", "icon_emoji"].iter().any(|name| call.text(name).is_some()) {
        require(scopes, &["chat:write.customize"])?;
    }
    let channel = postable(state, exchange, call, scopes)?;
    let mut given = structured(call)?;
    if let Some(markdown) = call.text("markdown_text") {
        if call.text("text").is_some() || !given["blocks"].is_null() {
            return Err(Refusal::new("markdown_text_conflict"));
        }
        if markdown.chars().count() > MARKDOWN_TEXT_MAX {
            return Err(Refusal::new("msg_too_long"));
        }
        given["text"] = markdown.into();
    }
    let content = Content::read(&given, exchange.seq, &mut state.journal)?;
    let thread_ts = parent(state, &given["thread_ts"], &channel.id, exchange.seq).map_err(Refusal::new)?;
    let truncated = content.truncated;
    let ts = state.journal.next_ts(exchange.now_ms);
    let mut message = content.into_message("web_api", call.args.clone());
    message.received_ms = exchange.now_ms;
    message.channel.clone_from(&channel.id);
    message.channel_name = channel.name;
    message.ts.clone_from(&ts);
    message.broadcast = thread_ts.is_some() && call.flag("reply_broadcast");
    message.thread_ts = thread_ts;
    let mut body = json!({"channel": channel.id, "ts": ts, "message": message.as_slack(BOT_USER)});
    if truncated {
        body["warning"] = "message_truncated".into();
    }
    state.journal.store(message);
    Ok(body)
}

/// Only that it can be read is checked now; it is sent later.
pub(super) fn schedule(state: &mut State, call: &Call, exchange: &Exchange, scopes: &[String]) -> Reply {
    known_fields(state, call, exchange, &[&POST_FIELDS[..], &["post_at"]].concat());
    let channel = postable(state, exchange, call, scopes)?;
    let given = structured(call)?;
    super::schedule::add(state, call, exchange, &channel, &given)
}

/// What is to be changed: `channel` must be an id here, and the message this bot's.
fn own_message(state: &State, call: &Call, foreign: &str) -> Result<(String, String), Refusal> {
    let channel = call.text("channel").ok_or_else(|| Refusal::missing("channel"))?;
    let ts = call.text("ts").ok_or_else(|| Refusal::missing("ts"))?;
    let found = state.workspace.channel(channel).filter(|channel| channel.member || !channel.private);
    found.ok_or_else(|| Refusal::new("channel_not_found"))?;
    let message = state.journal.message(channel, ts).filter(|message| message.ephemeral_for.is_none());
    let message = message.ok_or_else(|| Refusal::new("message_not_found"))?;
    // A webhook's message belongs to the webhook, not to the bot.
    if message.via == "web_api" { Ok((channel.to_owned(), ts.to_owned())) } else { Err(Refusal::new(foreign)) }
}

/// Blocks and attachments that aren't given stay. <https://docs.slack.dev/reference/methods/chat.update>
pub(super) fn update(state: &mut State, call: &Call, exchange: &Exchange) -> Reply {
    const MORE: [&str; 2] = ["ts", "file_ids"];
    known_fields(state, call, exchange, &[&POST_FIELDS[..], &MORE[..]].concat());
    let (channel, ts) = own_message(state, call, "cant_update_message")?;
    if state.workspace.channel(&channel).is_some_and(|channel| channel.archived) {
        return Err(Refusal::new("is_inactive"));
    }
    if call.text("text").is_some_and(|text| text.chars().count() > UPDATE_TEXT_MAX) {
        return Err(Refusal::new("msg_too_long"));
    }
    let given = structured(call)?;
    let content = Content::read(&given, exchange.seq, &mut state.journal)?;
    let message = state.journal.message_mut(&channel, &ts).ok_or_else(|| Refusal::new("message_not_found"))?;
    message.remember();
    if call.args.get("text").is_some() {
        message.text = content.text;
    }
    let parts = [
        (&mut message.blocks, content.blocks),
        (&mut message.attachments, content.attachments),
        (&mut message.metadata, content.metadata),
    ];
    for (kept, new) in parts {
        if !new.is_null() {
            *kept = new;
        }
    }
    message.edited = true;
    message.edits += 1;
    message.raw = call.args.clone();
    Ok(json!({"channel": channel, "ts": ts, "text": message.text, "message": message.as_slack(BOT_USER)}))
}

/// <https://docs.slack.dev/reference/methods/chat.delete>
pub(super) fn delete(state: &mut State, call: &Call) -> Reply {
    let (channel, ts) = own_message(state, call, "cant_delete_message")?;
    if let Some(message) = state.journal.message_mut(&channel, &ts) {
        message.deleted = true;
    }
    Ok(json!({"channel": channel, "ts": ts}))
}

/// <https://docs.slack.dev/reference/methods/chat.postEphemeral>
pub(super) fn post_ephemeral(state: &mut State, call: &Call, exchange: &Exchange) -> Reply {
    known_fields(state, call, exchange, &POST_FIELDS);
    let channel = postable(state, exchange, call, &[])?;
    let user = call.text("user").ok_or_else(|| Refusal::missing("user"))?.to_owned();
    if !state.workspace.users.iter().any(|known| known.id == user && !known.deleted) {
        return Err(Refusal::new("user_not_in_channel"));
    }
    let given = structured(call)?;
    let attached = given["attachments"].as_array().into_iter().flatten();
    if attached.into_iter().any(|one| one.get("blocks").is_some()) {
        return Err(Refusal::new("invalid_attachments"));
    }
    let content = Content::read(&given, exchange.seq, &mut state.journal)?;
    let ts = state.journal.next_ts(exchange.now_ms);
    let mut message = content.into_message("web_api", call.args.clone());
    message.received_ms = exchange.now_ms;
    message.channel = channel.id;
    message.channel_name = channel.name;
    message.ts.clone_from(&ts);
    message.thread_ts = call.text("thread_ts").map(str::to_owned);
    message.ephemeral_for = Some(user);
    state.journal.store(message);
    Ok(json!({"message_ts": ts}))
}

/// <https://docs.slack.dev/reference/methods/chat.getPermalink>
pub(super) fn get_permalink(state: &State, call: &Call) -> Reply {
    let channel = call.text("channel").ok_or_else(|| Refusal::missing("channel"))?;
    let ts = call.text("message_ts").ok_or_else(|| Refusal::missing("message_ts"))?;
    let found = state.workspace.channel(channel).filter(|channel| channel.member || !channel.private);
    found.ok_or_else(|| Refusal::new("channel_not_found"))?;
    let message = state.journal.message(channel, ts).ok_or_else(|| Refusal::new("message_not_found"))?;
    let mut permalink = format!("https://sandbox.slack.com/archives/{channel}/p{}", ts.replace('.', ""));
    if let Some(thread) = &message.thread_ts {
        permalink = format!("{permalink}?thread_ts={thread}&cid={channel}");
    }
    Ok(json!({"channel": channel, "permalink": permalink}))
}
